//! Records as lines for a person. Everything that others wrote goes through [`crate::visible`].

use anstyle::{AnsiColor, Style};

use crate::{
    moment, qr,
    record::{
        ChatRecord, CodeRecord, ContactRecord, EventRecord, GroupCodeRecord, IdentityRecord,
        LinkRecord, Record, SafetyNumberRecord, Showing, StatusRecord,
    },
    visible,
};

mod door;
mod group;
mod message;

use group::group;
pub use message::{file_size, message, state};

/// Columns before the further lines of what does not fit one.
pub const INDENT: usize = 8;

/// The indent with which the lines of a record are wrapped; [`None`] for what holds no words of
/// others, and is drawn or copied.
pub const fn indent(record: &Record) -> Option<usize> {
    match record {
        Record::Message(_) => Some(message::INDENT),
        Record::Contact(_)
        | Record::Chat(_)
        | Record::Saved(_)
        | Record::Member(_)
        | Record::Successor(_)
        | Record::Group(_)
        | Record::JoinRequest(_)
        | Record::Device(_)
        | Record::SafetyNumber(_)
        | Record::GroupCode(_)
        | Record::Done(_)
        | Record::Event(_) => Some(INDENT),
        Record::Identity(_)
        | Record::Link(_)
        | Record::GroupLink(_)
        | Record::DeviceCode(_)
        | Record::Comparison(_)
        | Record::Status(_) => None,
    }
}

/// Whether lines carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// They do.
    Coloured,
    /// They do not.
    Plain,
}

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        match self {
            Self::Coloured => format!("{style}{text}{style:#}"),
            Self::Plain => text.to_owned(),
        }
    }

    /// Important.
    pub fn strong(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    /// Beside the point.
    pub fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// Well.
    pub fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// Not yet.
    pub fn fair(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// Wrong.
    pub fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }
}

/// The lines of a record.
pub fn lines(record: &Record, paint: Paint) -> Vec<String> {
    match record {
        Record::Identity(identity) => self::identity(identity, paint),
        Record::Link(link) => self::link(link, paint),
        Record::Contact(contact) => vec![self::contact(contact, paint)],
        Record::Chat(chat) => vec![self::chat(chat, paint)],
        Record::Message(message) => self::message(message, paint),
        Record::Saved(saved) => vec![format!("saved to {}", visible::line(&saved.path))],
        Record::Member(member) => {
            let name = paint.strong(&member.label);
            let mine = if member.whose == "mine" { " (you)" } else { "" };
            let (role, devices) = (&member.role, member.devices);
            let fingerprint = paint.faint(&visible::line(&member.fingerprint));
            let devices = match devices {
                1 => "one device".to_owned(),
                more => format!("{more} devices"),
            };
            let asking = match member.asking {
                0 => String::new(),
                1 => format!("  {}", paint.fair("a device asks to be added again")),
                more => {
                    format!("  {}", paint.fair(&format!("{more} devices ask to be added again")))
                }
            };
            vec![format!("{name}{mine}  {role}, {devices}{asking}  {fingerprint}")]
        }
        Record::Successor(successor) => {
            let name = paint.strong(&successor.label);
            vec![format!("{name}  {}", paint.faint(&visible::line(&successor.fingerprint)))]
        }
        Record::Group(group) => self::group(group, paint),
        Record::GroupLink(link) => door::group_link(link, paint),
        Record::JoinRequest(request) => vec![door::request(request, paint)],
        Record::Device(device) => {
            let name = paint.strong(&visible::name(&device.name));
            let current = if device.current == "yes" { "  (this one)" } else { "" };
            vec![format!("{:>3}  {name}{current}", device.device)]
        }
        Record::DeviceCode(code) => device_code(code, paint),
        Record::Comparison(code) => comparison(code, paint),
        Record::SafetyNumber(number) => safety_number(number, paint),
        Record::GroupCode(code) => group_code(code, paint),
        Record::Status(status) => self::status(status, paint),
        Record::Done(done) => vec![done.words.clone()],
        Record::Event(event) => vec![self::event(event, paint)],
    }
}

fn identity(identity: &IdentityRecord, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(phrase) = &identity.phrase {
        lines.extend([
            paint.bad(
                "Write these 24 words down, on paper, in this order. They are shown only now.",
            ),
            "They are kept nowhere, not even on this device, and whoever has them can become you."
                .into(),
            "This version can only check them (hush phrase); taking an identity back with them"
                .into(),
            "comes with a later one.".into(),
            String::new(),
        ]);
        lines.extend(phrase_grid(phrase.expose()));
        lines.push(String::new());
    }
    lines.push(format!("name         {}", paint.strong(&visible::line(&identity.name))));
    lines.push(format!("fingerprint  {}", visible::line(&identity.fingerprint)));
    lines.push(format!("relay        {}", visible::line(&identity.relay)));
    lines
}

/// Columns of the phrase; read downwards.
const PHRASE_COLUMNS: usize = 4;

/// The words in numbered columns that are read downwards.
fn phrase_grid(phrase: &str) -> Vec<String> {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let rows = words.len().div_ceil(PHRASE_COLUMNS);
    let cell = |index: usize| {
        let word = words.get(index)?;
        Some(format!("{:>2} {word:<9}", index + 1))
    };
    let row = |row: usize| {
        (0..PHRASE_COLUMNS).filter_map(|column| cell(column * rows + row)).collect::<Vec<_>>()
    };
    (0..rows).map(|index| format!("  {}", row(index).join("   ").trim_end())).collect()
}

fn link(link: &LinkRecord, paint: Paint) -> Vec<String> {
    let text = visible::line(link.text.expose());
    let state = match link.state.as_str() {
        "active" => paint.good("active"),
        "pending" => paint.fair("pending"),
        other => paint.faint(other),
    };
    // When it would have ended matters no more once it is used or revoked.
    let until = match (link.expires_at_ms, link.state.as_str()) {
        (Some(end), "active" | "pending") => format!(" until {}", moment::utc(end)),
        (Some(end), "expired") => format!(" {}", moment::utc(end)),
        _ => String::new(),
    };
    match link.showing {
        Showing::InList => {
            vec![format!("{:>3}  {:<7}  {state}{until}  {text}", link.link, link.usage)]
        }
        Showing::WithQr => {
            let mut lines = qr_lines(link.text.expose(), paint);
            lines.push(text);
            let (number, usage, state) = (link.link, &link.usage, &link.state);
            lines.push(paint.faint(&format!("link {number}, {usage}, {state}{until}")));
            lines
        }
    }
}

fn device_code(code: &CodeRecord, paint: Paint) -> Vec<String> {
    let mut lines = qr_lines(code.code.expose(), paint);
    lines.push(visible::line(code.code.expose()));
    lines.push("On the new device: hush init --link - --device-name NAME".into());
    lines
}

fn qr_lines(text: &str, paint: Paint) -> Vec<String> {
    let contrast = match paint {
        Paint::Coloured => qr::Contrast::Forced,
        Paint::Plain => qr::Contrast::Plain,
    };
    qr::lines(text, contrast).unwrap_or_default()
}

fn comparison(code: &CodeRecord, paint: Paint) -> Vec<String> {
    let code = visible::line(code.code.expose());
    let (first, second) = match code.split_at_checked(3) {
        Some((first, second)) if code.len() == 6 => (first, second),
        _ => (code.as_str(), ""),
    };
    vec![format!(
        "Compare with the other device:  {}",
        paint.strong(format!("{first} {second}").trim_end())
    )]
}

fn contact(contact: &ContactRecord, paint: Paint) -> String {
    let name = paint.strong(&contact.label);
    let verified = match contact.verification.as_str() {
        "verified" => paint.good("verified"),
        other => paint.faint(other),
    };
    let chat = contact.chat.map_or_else(String::new, |chat| format!("  chat {chat}"));
    let fingerprint = paint.faint(&visible::line(&contact.fingerprint));
    format!("{:>3}  {name}  {verified}{chat}  {fingerprint}", contact.contact)
}

fn chat(chat: &ChatRecord, paint: Paint) -> String {
    let name = paint.strong(&chat.label);
    let state = match chat.state.as_str() {
        "open" => String::new(),
        "opening" => format!("  {}", paint.fair("not set up yet; what you write waits")),
        "asked" => format!("  {}", paint.fair("you have asked to be let in")),
        "not_admitted" => format!("  {}", paint.faint("you were not let in")),
        "left" => format!("  {}", paint.faint("you left")),
        "removed" => format!("  {}", paint.faint("you were removed")),
        "elsewhere" => format!("  {}", paint.faint("goes on in another chat")),
        "dissolved" => format!("  {}", paint.faint("dissolved")),
        "stuck" => format!("  {}", paint.bad(stuck(chat.stuck.as_deref()))),
        other => format!("  {}", paint.bad(other)),
    };
    let unread = match chat.unread {
        0 => String::new(),
        unread => format!("  {}", paint.good(&format!("{unread} new"))),
    };
    let pinned = match chat.pinned.as_slice() {
        [] => String::new(),
        pinned => {
            let numbers: Vec<String> = pinned.iter().map(u64::to_string).collect();
            format!("  {}", paint.faint(&format!("pinned: {}", numbers.join(", "))))
        }
    };
    format!("{:>3}  {name}  {}{unread}{pinned}{state}", chat.chat, chat.kind)
}

/// Why a chat cannot go on here.
fn stuck(cause: Option<&str>) -> &'static str {
    match cause {
        Some("epoch_gone") => "stuck: the relay forgot it; it asks to be added again",
        Some("commit_gone") => "stuck: the relay lost a part of it; it asks to be added again",
        Some("other_history") => {
            "stuck: the relay shows others something else; it asks to be added again"
        }
        Some("own_commit") => {
            "stuck: this profile is an old copy, or runs twice; it asks to be added again"
        }
        Some("state_damaged") => "stuck: its file is damaged here; it asks to be added again",
        Some("added_again") => "stuck: it was added again, and waits for the invitation",
        Some("other_branch") => {
            "stuck: members were parted, and the others went on; it asks to be added again"
        }
        _ => "stuck",
    }
}

/// Groups of digits in a row of the grid.
const SAFETY_COLUMNS: usize = 4;

fn safety_number(number: &SafetyNumberRecord, paint: Paint) -> Vec<String> {
    let name = &number.label;
    let mut lines = vec![
        format!("Safety number with {} ({})", paint.strong(name), number.verification),
        String::new(),
    ];
    let groups: Vec<String> = number.digits.split_whitespace().map(visible::line).collect();
    lines.extend(groups.chunks(SAFETY_COLUMNS).map(|row| format!("  {}", row.join("  "))));
    if number.verification != "verified" {
        lines.extend([
            String::new(),
            "Compare it by voice or in person: it is the same on both sides.".into(),
            format!("If it is: hush verify {} --confirm", number.contact),
        ]);
    }
    lines
}

fn group_code(code: &GroupCodeRecord, paint: Paint) -> Vec<String> {
    vec![
        format!("Code of {} now", paint.strong(&code.label)),
        String::new(),
        format!("  {}", visible::line(&code.digits)),
        String::new(),
        "Compare it by voice or in person with another member: the same members and history have"
            .into(),
        "the same digits. Every change of the group changes them.".into(),
    ]
}

fn status(status: &StatusRecord, paint: Paint) -> Vec<String> {
    let mut lines = vec![
        format!("name         {}", paint.strong(&visible::line(&status.name))),
        format!("fingerprint  {}", visible::line(&status.fingerprint)),
        format!("home relay   {}", visible::line(&status.relay)),
    ];
    lines.push(match status.device {
        Some(device) => format!("device       {device}"),
        None => {
            let out = paint.bad("revoked: it is shut out; link it anew under another --profile");
            format!("device       {out}")
        }
    });
    lines.push(match status.waiting {
        0 => format!("waiting      {}", paint.good("nothing")),
        1 => format!("waiting      {}", paint.fair("one change")),
        waiting => format!("waiting      {}", paint.fair(&format!("{waiting} changes"))),
    });
    if status.refreshing > 0 {
        let left = format!("new keys: {} places left", status.refreshing);
        lines.push(format!("refreshing   {}", paint.fair(&left)));
    }
    lines.extend(status.relays.iter().map(|relay| {
        let state = match relay.state.as_str() {
            "current" => paint.good("up to date"),
            "sending" => paint.fair("connected; not everything is sent"),
            "key_mismatch" => paint.bad("shows another key; do not trust it, ask its operator"),
            "offline" => paint.bad("not reachable; tried again later"),
            other => paint.fair(&other.replace('_', " ")),
        };
        let host = relay.address.split('#').next().unwrap_or_default();
        format!("relay        {}  {state}", visible::line(host))
    }));
    lines.extend(status.catching_up.iter().map(|behind| {
        let chat = match behind.chat {
            Some(chat) => format!("chat {chat}"),
            None => "your devices".to_owned(),
        };
        let progress = format!("{} of at least {} entries", behind.read, behind.of);
        format!("reading      {chat}  {}", paint.fair(&progress))
    }));
    lines
}

fn event(event: &EventRecord, paint: Paint) -> String {
    let what = event.event.replace('_', " ");
    let about = [
        event.chat.map(|chat| format!("chat {chat}")),
        event.message_number.map(|message| format!("message {message}")),
        event.request.map(|request| format!("request {request}")),
        event.changed.as_ref().map(|changed| changed.join(", ")),
        event.by_label.as_ref().map(|by| format!("by {by}")),
        event.warning.as_ref().map(|warning| warning.replace('_', " ")),
        event.detail.as_deref().map(visible::line),
        event.relay.as_deref().map(visible::line),
        event.failure.as_ref().map(|failure| failure.replace('_', " ")),
        event.stuck.as_ref().map(|cause| cause.replace('_', " ")),
        event.from_ms.zip(event.to_ms).map(|(from, to)| {
            format!("not readable here from {} to {}", moment::utc(from), moment::utc(to))
        }),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    let line = format!("{} {what}: {}", moment::utc(event.at_ms), about.join(", "));
    match (&event.warning, &event.failure) {
        (None, None) => paint.faint(&line),
        _ => paint.bad(&line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_is_numbered_and_read_downwards() {
        let phrase = (1..=24).map(|number| format!("word{number}")).collect::<Vec<_>>().join(" ");
        let grid = phrase_grid(&phrase);
        assert_eq!(grid.len(), 6);
        assert_eq!(grid[0], "   1 word1        7 word7       13 word13      19 word19");
        assert_eq!(grid[5], "   6 word6       12 word12      18 word18      24 word24");
    }
}
