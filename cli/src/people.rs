//! Who is who. Anybody may call themselves anything, so a name that could pass for somebody else's
//! is shown with the beginning of its fingerprint, so much of it that nobody can find another that
//! begins so (spec: CLI-121).
//!
//! Names are compared without case and blanks, and letters in their plain form: `Ｂob` and `Bob` are
//! alike. Letters of different scripts that look alike are not told apart; `hush verify` is for that.

use hushwire::command::{ChatInfo, ChatKind, ContactInfo, ContactNumber};
use unicode_normalization::UnicodeNormalization as _;

use crate::visible;

/// How own messages are signed.
const OWN: &str = "me";
/// The fewest digits of a fingerprint that are shown: 64 bits, since 32 are found again in hours.
const DIGITS_LEAST: usize = 16;
/// So many digits in a name or more could be taken for a fingerprint.
const NAME_DIGITS_LEAST: usize = 8;
/// What ends a name in a line of ours, or begins what we add to it; in their plain form.
const OUR_MARKS: [char; 6] = [':', '[', ']', '(', ')', '>'];

/// What looks like a colon and is none in plain form: those of Unicode's list of confusable characters
/// (UTS 39) and of scripts and notations beside it. Signs like the Burmese visarga, which every other
/// name of its script has, are not among them.
const LIKE_COLONS: [char; 28] = [
    '\u{2d0}',
    '\u{2f8}',
    '\u{589}',
    '\u{5c3}',
    '\u{703}',
    '\u{704}',
    '\u{903}',
    '\u{a83}',
    '\u{1361}',
    '\u{1365}',
    '\u{16ec}',
    '\u{1803}',
    '\u{1804}',
    '\u{1809}',
    '\u{205a}',
    '\u{2236}',
    '\u{2237}',
    '\u{2254}',
    '\u{2255}',
    '\u{2982}',
    '\u{a4fd}',
    '\u{a6f4}',
    '\u{a789}',
    '\u{fe30}',
    '\u{10af5}',
    '\u{10f88}',
    '\u{1d108}',
    '\u{1da8a}',
];

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
        let likeness = likeness(name);
        let of_another =
            |known: &&Known| known.likeness == likeness && known.fingerprint != fingerprint;
        let others = || self.0.iter().filter(of_another);
        let doubtful = others().next().is_some()
            || could_be_ours(name, &likeness)
            || (is_digits(&likeness) && !begins(fingerprint, &likeness))
            || (is_digits(&likeness) && self.has_other(fingerprint, &likeness));
        let shown = visible::name(name);
        if !doubtful {
            return shown;
        }
        let others = others().map(|known| known.fingerprint.as_str());
        format!("{shown} [{}]", visible::line(digits_apart(fingerprint, others)))
    }

    /// Whether the fingerprint of somebody else begins with these digits.
    fn has_other(&self, fingerprint: &str, digits: &str) -> bool {
        let begins = |known: &Known| begins(&known.fingerprint, digits);
        self.0.iter().any(|known| known.fingerprint != fingerprint && begins(known))
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
            || is_digits(&likeness);
        let shown = visible::name(name);
        if doubtful { format!("{shown} [group]") } else { shown }
    }
}

/// Whether a line with this name could be read as one that the terminal means otherwise.
fn could_be_ours(name: &str, likeness: &str) -> bool {
    likeness.is_empty()
        || likeness == OWN
        || likeness.contains(OUR_MARKS)
        || likeness.contains(LIKE_COLONS)
        // In plain form some are two dots beside each other.
        || name.contains(LIKE_COLONS)
}

/// Whether a name of this likeness could be taken for a fingerprint.
fn is_digits(likeness: &str) -> bool {
    likeness.len() >= NAME_DIGITS_LEAST && likeness.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn begins(fingerprint: &str, digits: &str) -> bool {
    fingerprint.get(..digits.len()).is_some_and(|start| start.eq_ignore_ascii_case(digits))
}

/// So much of a fingerprint's beginning that it differs from the others.
pub(crate) fn digits_apart<'a>(
    fingerprint: &'a str,
    others: impl Iterator<Item = &'a str>,
) -> &'a str {
    let told_apart = others.map(|other| common(fingerprint, other) + 1);
    let digits = told_apart.max().unwrap_or(0).max(DIGITS_LEAST);
    fingerprint.get(..digits).unwrap_or(fingerprint)
}

/// How many digits two fingerprints have in common at their beginning.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// What two names that look alike have in common: their characters in plain form (NFKC), without
/// case and blanks.
fn likeness(name: &str) -> String {
    let plain: String = name.nfkc().collect();
    // By way of capitals, since those bring together more: ß and SS, both small sigmas.
    let folded = plain.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.nfkc().filter(|&character| !visible::is_blank(character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "a11ce000a11ce000a11ce000";
    const BOB: &str = "b0b0b0b0b0b0b0b0b0b0b0b0";
    const EVE: &str = "e7e7e7e7e7e7e7e7e7e7e7e7";

    fn people(name_of_eve: &str) -> People {
        let mut people = People::default();
        people.insert("Alice", ALICE);
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
            "Alice (you)",
            "Alice \u{ff08}you)",
            "\u{ff22}ob",
            "B\u{1d428}b",
            "B\u{24de}\u{2060}b",
            "Al\u{2170}ce",
            "b0b0b0b0b0b0b0b0b0",
            "B0B0\u{ff22}0b0",
        ];
        for name in doubtful {
            let label = people(name).label(name, EVE);
            assert!(label.ends_with(" [e7e7e7e7e7e7e7e7]"), "{name:?}: {label}");
        }
        for colon in LIKE_COLONS {
            for name in [format!("Bob{colon} yes, send it"), format!("Bob{colon}")] {
                let label = people(&name).label(&name, EVE);
                assert!(label.ends_with(" [e7e7e7e7e7e7e7e7]"), "{name:?}: {label}");
                assert!(people("Eve").group_label(&name).ends_with(" [group]"), "{name:?}");
            }
        }
        for name in ["Bobby", "Eve", "e7e7e7e7", "E7E7e7e7e7", "meg"] {
            assert_eq!(people(name).label(name, EVE), name);
        }
        assert_eq!(people("bob").label("Bob", BOB), "Bob [b0b0b0b0b0b0b0b0]", "both of them");
        assert_eq!(people("Eve").label("Bob", BOB), "Bob");
    }

    #[test]
    fn so_many_digits_are_shown_that_those_who_look_alike_differ() {
        // spec: CLI-121
        let people = |name: &str, others: &[&str]| {
            let mut people = People::default();
            others.iter().for_each(|fingerprint| people.insert(name, fingerprint));
            people
        };
        // Found again by trying, as far as anybody gets, and further.
        let (near, nearer) = ("b0b0b0b0b0b0b0b1b0b0b0b0", "b0b0b0b0b0b0b0b0b0b0b1b0");
        let label = |others: &[&str]| people("Bob", others).label("bob", BOB);
        assert_eq!(label(&[BOB, near]), "bob [b0b0b0b0b0b0b0b0]");
        assert_eq!(label(&[BOB, near, nearer]), "bob [b0b0b0b0b0b0b0b0b0b0b0]");
        assert_eq!(
            people("Bob", &[BOB, near, nearer]).label("Bob", nearer),
            "Bob [b0b0b0b0b0b0b0b0b0b0b1]"
        );
        // Who is called by the digits that two have in common.
        assert_eq!(
            people("b0b0b0b0", &[BOB, nearer]).label("b0b0b0b0", nearer),
            "b0b0b0b0 [b0b0b0b0b0b0b0b0b0b0b1]"
        );
        assert_eq!(
            people("Bob", &[BOB]).label("b0b0b0b0", nearer),
            "b0b0b0b0 [b0b0b0b0b0b0b0b0]",
            "the beginning of Bob's"
        );
    }

    #[test]
    fn letters_that_differ_in_form_only_are_alike() {
        // spec: CLI-121
        for (one, other) in [
            ("Zo\u{eb}", "Zoe\u{308}"),
            ("STRASSE", "stra\u{df}e"),
            ("ΟΔΟΣ", "οδος"),
            ("ﬁn", "Fin"),
        ] {
            assert_eq!(likeness(one), likeness(other));
        }
        assert_ne!(likeness("Zo\u{eb}"), likeness("Zoe"));
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
