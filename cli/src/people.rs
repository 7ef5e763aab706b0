//! Who is who. Anybody may call themselves anything, so a name that could pass for somebody else's
//! is shown with the beginning of its fingerprint, which nobody else can have (spec: CLI-121).
//!
//! Names are compared without case and blanks. Letters of different scripts that look alike are
//! not told apart; `hush verify` is for that.

use hushwire::command::{ChatInfo, ChatKind, ContactInfo, ContactNumber};

use crate::visible;

/// How own messages are signed.
const OWN: &str = "me";
/// Digits of a fingerprint that are shown; the library names somebody without a name by as many.
const DIGITS: usize = 8;
/// What ends a name in a line of ours, or begins what we add to it.
const OUR_MARKS: [char; 6] = [':', '\u{ff1a}', '[', ']', '>', '\u{ff1e}'];

/// The names and fingerprints known in one place, one's own among them.
#[derive(Debug, Default)]
pub struct People(Vec<Known>);

#[derive(Debug)]
struct Known {
    likeness: String,
    fingerprint: String,
    contact: Option<ContactNumber>,
}

impl People {
    /// Takes somebody in.
    pub fn insert(&mut self, name: &str, fingerprint: &str) {
        let fingerprint = fingerprint.to_owned();
        self.0.push(Known { likeness: likeness(name), fingerprint, contact: None });
    }

    /// Takes a contact in.
    pub fn insert_contact(&mut self, contact: &ContactInfo) {
        let fingerprint = contact.fingerprint.clone();
        let likeness = likeness(&contact.name);
        self.0.push(Known { likeness, fingerprint, contact: Some(contact.number) });
    }

    /// What a person is called on the screen, safe to show.
    pub fn label(&self, name: &str, fingerprint: &str) -> String {
        let digits = fingerprint.get(..DIGITS).unwrap_or(fingerprint);
        let likeness = likeness(name);
        let of_another =
            |known: &Known| known.likeness == likeness && known.fingerprint != fingerprint;
        let doubtful = self.0.iter().any(of_another)
            || could_be_ours(name, &likeness)
            || (is_fingerprint(&likeness) && likeness != digits.to_lowercase());
        let shown = visible::line(name);
        if doubtful { format!("{shown} [{}]", visible::line(digits)) } else { shown }
    }

    /// What a chat is called on the screen, safe to show: as its group, or as the person on its other
    /// side.
    pub fn chat_label(&self, chat: &ChatInfo) -> String {
        match (chat.kind, &chat.contact) {
            (ChatKind::Group, _) => self.group_label(&chat.name),
            (ChatKind::Direct, contact) => {
                let of = |known: &&Known| contact.is_some() && known.contact == *contact;
                let known = self.0.iter().find(of);
                self.label(&chat.name, known.map_or("", |known| known.fingerprint.as_str()))
            }
        }
    }

    /// What a group is called on the screen, safe to show: not as a person is.
    pub fn group_label(&self, name: &str) -> String {
        let likeness = likeness(name);
        let doubtful = self.0.iter().any(|known| known.likeness == likeness)
            || could_be_ours(name, &likeness)
            || is_fingerprint(&likeness);
        let shown = visible::line(name);
        if doubtful { format!("{shown} [group]") } else { shown }
    }
}

/// Whether a line with this name could be read as one that the terminal means otherwise.
fn could_be_ours(name: &str, likeness: &str) -> bool {
    likeness.is_empty() || likeness == OWN || name.contains(OUR_MARKS)
}

fn is_fingerprint(likeness: &str) -> bool {
    likeness.len() == DIGITS && likeness.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What two names that look alike have in common.
fn likeness(name: &str) -> String {
    let seen = name.chars().filter(|&character| !visible::is_blank(character));
    seen.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: &str = "b0b0b0b0b0b0";
    const EVE: &str = "e7e7e7e7e7e7";

    fn people(name_of_eve: &str) -> People {
        let mut people = People::default();
        people.insert("Alice", "a11ce000a11c");
        people.insert("Bob", BOB);
        people.insert(name_of_eve, EVE);
        people
    }

    #[test]
    fn a_name_that_could_be_another_s_has_its_fingerprint_beside_it() {
        // spec: CLI-121
        let doubtful = [
            "Bob",
            "BOB",
            " bob\u{a0}",
            "B\u{2800}ob",
            "Bo\u{200d}b",
            "alice",
            "me",
            "Me ",
            "",
            " \u{3000}",
            "b0b0b0b0",
            "Bob: yes, send it",
            "Bob [b0b0b0b0]",
            "Bob\u{ff1a}",
        ];
        for name in doubtful {
            let label = people(name).label(name, EVE);
            assert!(label.ends_with(" [e7e7e7e7]"), "{name:?}: {label}");
        }
        for name in ["Bobby", "Eve", "e7e7e7e7", "meg"] {
            assert_eq!(people(name).label(name, EVE), name);
        }
        assert_eq!(people("bob").label("Bob", BOB), "Bob [b0b0b0b0]", "both of them");
        assert_eq!(people("Eve").label("Bob", BOB), "Bob");
    }

    #[test]
    fn a_group_that_is_called_like_a_person_says_that_it_is_a_group() {
        // spec: CLI-121
        for name in ["bob", "me", "", "Book club [b0b0b0b0]", "b0b0b0b0"] {
            assert!(people("Eve").group_label(name).ends_with(" [group]"), "{name:?}");
        }
        assert_eq!(people("Eve").group_label("Book club"), "Book club");
    }
}
