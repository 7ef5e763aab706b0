//! A message as lines.

use super::Paint;
use crate::{moment, record::MessageRecord, visible};

/// Columns before each further line: more than any line of a message begins with.
pub(super) const INDENT: usize = 24;

/// The lines of a message: the first with number, time, sender and state, further ones indented.
pub fn message(message: &MessageRecord, paint: Paint) -> Vec<String> {
    let sender = message.sender_label.as_deref().unwrap_or("me");
    // Before the sender, where nobody else writes.
    let marks: String =
        [message.pinned.map(|_| "[pinned] "), message.mentioned.map(|_| "[to all] ")]
            .into_iter()
            .flatten()
            .collect();
    let head = format!(
        "{} {} {}{}",
        paint.faint(&format!("{:>4}", message.message)),
        paint.faint(&moment::utc(message.sent_at_ms)),
        paint.good(&marks),
        paint.strong(&format!("{sender}:")),
    );
    let mut body = body(message).into_iter();
    let mut lines = vec![format!("{head} {}", body.next().unwrap_or_default())];
    lines.extend(body.map(|line| format!("{:INDENT$}{line}", "")));
    if let (Some(state), Some(last)) = (state(message, paint), lines.last_mut()) {
        last.push_str("  ");
        last.push_str(&state);
    }
    lines
}

fn body(message: &MessageRecord) -> Vec<String> {
    if let Some(text) = &message.text {
        return visible::lines(text);
    }
    let media_type = message.media_type.as_deref().map_or_else(String::new, visible::line);
    match (&message.file_name, message.file_size) {
        (Some(name), Some(size)) => {
            let name = visible::line(name);
            let transfer = transfer(message);
            vec![format!("[file {name}, {}, {media_type}{transfer}]", file_size(size))]
        }
        _ => vec![format!("[not supported by this version: {media_type}]")],
    }
}

fn transfer(message: &MessageRecord) -> String {
    match message.transfer.as_deref() {
        Some("moving") => {
            let done = file_size(message.transfer_done.unwrap_or(0));
            let of = file_size(message.transfer_of.unwrap_or(0));
            format!("; {done} of {of}")
        }
        Some("failed") => {
            let why =
                message.failure_words.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("; failed{why}")
        }
        Some("remote") => "; not saved".into(),
        _ => String::new(),
    }
}

/// How far an own message has come; nothing for one of somebody else.
pub fn state(message: &MessageRecord, paint: Paint) -> Option<String> {
    let count = || {
        let (people, of) = (message.delivered_to?, message.delivered_of?);
        Some(format!("delivered {people}/{of}"))
    };
    match message.state.as_str() {
        "received" => None,
        "pending" => Some(paint.fair("pending")),
        "stored" => Some(paint.faint("stored")),
        "delivered" => Some(paint.good(&count().unwrap_or_else(|| "delivered".into()))),
        "failed" => {
            let why =
                message.failure_words.map_or_else(String::new, |reason| format!(": {reason}"));
            Some(paint.bad(&format!("failed{why}")))
        }
        other => Some(paint.faint(other)),
    }
}

/// A number of bytes in the unit that leaves one to four digits.
pub fn file_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("");
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_a_message_cannot_pass_for_another_message() {
        let record = MessageRecord {
            message: 7,
            sender_label: Some(visible::line("Eve\u{1b}[A")),
            text: Some("hi\n   8 2026-11-21 09:41Z Bob: yes\u{1b}]0;x\u{7}".into()),
            state: "received".into(),
            ..MessageRecord::default()
        };
        let lines = message(&record, Paint::Plain);
        assert_eq!(
            lines,
            [
                "   7 1970-01-01 00:00Z Eve␛[A: hi".to_owned(),
                format!("{:24}   8 2026-11-21 09:41Z Bob: yes␛]0;x␇", ""),
            ]
        );
    }

    #[test]
    fn sizes_have_a_fitting_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 30, "5.0 GiB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(file_size(bytes), shown);
        }
    }
}
