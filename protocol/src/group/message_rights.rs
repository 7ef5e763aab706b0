//! Which rights a message needs. Depends on the state of its epoch, its sender and its bytes, and
//! nothing else: every member finds the same (spec: GRP-085).

use super::error::Rejection;
use super::role::{Allowed, Right};
use super::state::GroupState;
use crate::content::{
    Action, Content, ControlKind, ControlMessage, KnownMediaType, Mentions, Part, PartBody,
    SinglePart,
};
use crate::identity::Fingerprint;

/// Longest reaction that needs no right to write, in bytes: the longest emoji of today have 41.
pub const REACTION_BYTES_MAX: usize = 64;

/// Judges what a member says in a group of this state.
///
/// # Errors
/// [`Rejection::NoRight`] (spec: GRP-082, GRP-083, GRP-084).
pub fn judge_content(
    state: &GroupState,
    sender: &Fingerprint,
    content: &Content,
) -> Result<(), Rejection> {
    for right in rights_of(content) {
        if state.allows(sender, right) == Allowed::No {
            return Err(Rejection::NoRight);
        }
    }
    Ok(())
}

fn rights_of(content: &Content) -> Vec<Right> {
    let mut needed = Needed::default();
    needed.look_at(&content.body);
    let mut rights = Vec::new();
    if needed.words && !is_free(content) {
        rights.push(Right::Write);
    }
    if content.extensions.mentions() == Mentions::All {
        rights.push(Right::MentionAll);
    }
    if needed.pins {
        rights.push(Right::Pin);
    }
    rights
}

/// What takes words back, and what is too short to be an announcement.
fn is_free(content: &Content) -> bool {
    match content.action() {
        Action::Delete(_) => true,
        Action::React(_) => is_short_text(&content.body),
        Action::Post | Action::Reply(_) | Action::Edit(_) => false,
    }
}

fn is_short_text(part: &Part) -> bool {
    let PartBody::Single(single) = &part.body else { return false };
    let text = matches!(
        single.media_type.known(),
        Some(KnownMediaType::PlainText | KnownMediaType::Markdown)
    );
    text && single.content.len() <= REACTION_BYTES_MAX
}

/// What the parts of a message hold. All are looked at, shown or not: which of several is shown
/// differs from client to client.
#[derive(Default)]
struct Needed {
    words: bool,
    pins: bool,
}

impl Needed {
    fn look_at(&mut self, part: &Part) {
        match &part.body {
            PartBody::Multi(multi) => multi.parts.iter().for_each(|part| self.look_at(part)),
            PartBody::Single(single) => self.look_at_single(single),
            PartBody::Null | PartBody::External(_) => self.words = true,
        }
    }

    fn look_at_single(&mut self, single: &SinglePart) {
        match single.media_type.known() {
            Some(KnownMediaType::Status) => {}
            Some(KnownMediaType::Control) => {
                let message = ControlMessage::decode(&single.content);
                self.pins |= message.is_ok_and(|message| {
                    message.entries().iter().any(|entry| entry.kind == ControlKind::Pin)
                });
            }
            Some(KnownMediaType::PlainText | KnownMediaType::Markdown) | None => self.words = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{
        ControlEntry, Disposition, MessageId, MessageStatus, PartSemantics, Pin, Pinning, Salt,
        Status, StatusReport, TextFormat,
    };
    use crate::group::{GroupKind, Role};

    const SALT: Salt = Salt::from_bytes([7; 16]);

    fn target() -> MessageId {
        MessageId::from_slice(&[1; 32]).unwrap()
    }

    fn text() -> Content {
        Content::text(SALT, TextFormat::Markdown, "hello")
    }

    fn reaction(length: usize) -> Content {
        Content::reaction(SALT, target(), &"x".repeat(length))
    }

    fn receipts() -> Content {
        let status = MessageStatus { message: target(), status: Status::READ };
        Content::status(SALT, &StatusReport::new(vec![status]).unwrap())
    }

    fn control(entries: Vec<ControlEntry>) -> Content {
        Content::control(SALT, &ControlMessage::new(entries).unwrap())
    }

    fn pin() -> ControlEntry {
        Pin { message: target(), pinning: Pinning::Unpinned }.to_entry()
    }

    fn both(semantics: PartSemantics, one: Content, other: Content) -> Content {
        Content::new(SALT, Part::multi(semantics, vec![one.body, other.body]))
    }

    fn cases() -> Vec<(&'static str, Content, Vec<Right>)> {
        let card = ControlEntry { kind: ControlKind::ContactCard, payload: vec![1] };
        let mut external = text();
        external.body.disposition = Disposition::ATTACHMENT;
        let mut long_reply = text().replying_to(target());
        long_reply.body.disposition = Disposition::REACTION;
        let choice = both(PartSemantics::ChooseOne, receipts(), text());
        let unit = both(PartSemantics::SingleUnit, receipts(), control(vec![card.clone(), pin()]));
        vec![
            ("a text", text(), vec![Right::Write]),
            ("an answer", text().replying_to(target()), vec![Right::Write]),
            ("an edit", text().editing(target()), vec![Right::Write]),
            ("a file", external, vec![Right::Write]),
            ("a deletion", Content::deletion(SALT, target()), vec![]),
            ("a short reaction", reaction(REACTION_BYTES_MAX), vec![]),
            ("a reaction of two words", long_reply, vec![]),
            ("a long reaction", reaction(REACTION_BYTES_MAX + 1), vec![Right::Write]),
            ("receipts", receipts(), vec![]),
            ("a card", control(vec![card]), vec![]),
            ("a pin", control(vec![pin()]), vec![Right::Pin]),
            ("words behind receipts", choice, vec![Right::Write]),
            ("a pin behind receipts", unit, vec![Right::Pin]),
            ("all in a text", text().mentioning_all(), vec![Right::Write, Right::MentionAll]),
            ("all in a reaction", reaction(3).mentioning_all(), vec![Right::MentionAll]),
        ]
    }

    #[test]
    fn every_kind_of_message_needs_its_rights_and_no_other() {
        // spec: GRP-082, GRP-083, GRP-084, GRP-085
        let people = Role::ALL.map(|role| (role, Fingerprint::from_bytes([role as u8; 32])));
        for (name, content, needed) in cases() {
            content.encode().unwrap();
            for right in Right::ALL {
                for least in Role::ALL {
                    let mut state = GroupState::new(GroupKind::Group, people[2].1);
                    state.set_role(people[1].1, Role::Admin);
                    Right::ALL.iter().for_each(|right| state.rights.grant(*right, Role::Member));
                    state.rights.grant(right, least);
                    for (role, person) in &people {
                        let allowed = !needed.contains(&right) || *role >= least;
                        let expected = if allowed { Ok(()) } else { Err(Rejection::NoRight) };
                        let found = judge_content(&state, person, &content);
                        assert_eq!(found, expected, "{name} {right:?} {least:?} {role:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn in_a_group_of_two_everybody_may() {
        // spec: GRP-011, GRP-082
        let people = [1, 2].map(|byte| Fingerprint::from_bytes([byte; 32]));
        let mut state = GroupState::new(GroupKind::Direct, people[0]);
        state.rights.grant(Right::Write, Role::Owner);
        for person in people {
            assert_eq!(judge_content(&state, &person, &text()), Ok(()));
        }
    }
}
