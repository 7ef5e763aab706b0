//! Finding a chat, contact, device or member by what a person types.
//!
//! Digits are a number and never a name, so nobody can take over `send 7` by calling themselves
//! "7". Anything else is the beginning of a name, in any case of letters; it must fit one candidate
//! only, even if it is the whole name of one: otherwise a newcomer called "Bo" would silently get
//! what was meant for "Bob". Who has no number, as the members of a group, is also named by the
//! beginning of the fingerprint.

use core::fmt;

use crate::{people::digits_apart, visible};

/// The fewest digits of a fingerprint that name somebody.
const DIGITS_LEAST: usize = 8;

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    handle: Handle,
    /// Its name, as others wrote it.
    name: String,
}

/// What tells a candidate from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Handle {
    Number(u64),
    /// In hex, whole.
    Fingerprint(String),
}

impl Candidate {
    /// Something that has a number on this device.
    pub fn numbered(number: u64, name: &str) -> Self {
        Self { handle: Handle::Number(number), name: name.to_owned() }
    }

    /// Somebody who has none.
    pub fn unnumbered(name: &str, fingerprint: &str) -> Self {
        Self { handle: Handle::Fingerprint(fingerprint.to_owned()), name: name.to_owned() }
    }

    fn fits(&self, query: &str) -> bool {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let begins_name =
            || !is_digits(query) && self.name.to_lowercase().starts_with(&query.to_lowercase());
        match &self.handle {
            Handle::Number(number) if is_digits(query) => query.parse() == Ok(*number),
            Handle::Number(_) => begins_name(),
            Handle::Fingerprint(fingerprint) => {
                let digits = fingerprint.get(..query.len());
                let enough = query.len() >= DIGITS_LEAST || query.len() == fingerprint.len();
                (enough && digits.is_some_and(|digits| digits.eq_ignore_ascii_case(query)))
                    || begins_name()
            }
        }
    }
}

/// What is looked for; for the words of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// A chat.
    Chat,
    /// A contact.
    Contact,
    /// A device.
    Device,
    /// A member of a group.
    Member,
    /// Somebody who has formed a group anew.
    Successor,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Contact => "contact",
            Self::Device => "device",
            Self::Member => "member",
            Self::Successor => "successor",
        })
    }
}

/// Why nothing was chosen. Blame: caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No candidate has the number, or a name that begins so.
    #[error("there is no {noun} \"{}\"", visible::line(query))]
    NoMatch {
        /// What was looked for.
        noun: Noun,
        /// What was typed.
        query: String,
    },
    /// Several names begin so.
    #[error("\"{}\" fits more than one {noun}: {}", visible::line(query), listed(candidates))]
    Ambiguous {
        /// What was looked for.
        noun: Noun,
        /// What was typed.
        query: String,
        /// What it fits.
        candidates: Vec<Candidate>,
    },
}

/// The place of the one candidate that `query` names.
///
/// # Errors
/// [`NameError`] if none or more than one fits.
pub fn resolve(query: &str, noun: Noun, candidates: &[Candidate]) -> Result<usize, NameError> {
    let fits = |candidate: &Candidate| !query.is_empty() && candidate.fits(query);
    let mut fitting = (0..).zip(candidates).filter(|(_, candidate)| fits(candidate));
    match (fitting.next(), fitting.next()) {
        (Some((place, _)), None) => Ok(place),
        (None, _) => Err(NameError::NoMatch { noun, query: query.to_owned() }),
        (Some(_), Some(_)) => Err(NameError::Ambiguous {
            noun,
            query: query.to_owned(),
            candidates: candidates.iter().filter(|it| fits(it)).cloned().collect(),
        }),
    }
}

/// Each with what can be typed for it.
fn listed(candidates: &[Candidate]) -> String {
    let each = |candidate: &Candidate| {
        let name = visible::name(&candidate.name);
        match &candidate.handle {
            Handle::Number(number) => format!("{number} ({name})"),
            Handle::Fingerprint(fingerprint) => {
                let others = candidates.iter().filter_map(|other| match &other.handle {
                    Handle::Fingerprint(other) if other != fingerprint => Some(other.as_str()),
                    _ => None,
                });
                format!("{name} [{}]", visible::line(digits_apart(fingerprint, others)))
            }
        }
    };
    candidates.iter().map(each).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        [(1, "Bob"), (2, "Bobby"), (3, "Élise"), (4, "7"), (5, "\u{202e}eve")]
            .map(|(number, name)| Candidate::numbered(number, name))
            .into()
    }

    #[test]
    fn numbers_and_unique_beginnings_are_found() {
        let cases = [("1", 0), ("5", 4), ("bobb", 1), ("BOBBY", 1), ("él", 2), ("É", 2)];
        for (query, place) in cases {
            assert_eq!(resolve(query, Noun::Chat, &candidates()), Ok(place), "{query}");
        }
    }

    #[test]
    fn digits_are_never_a_name_and_nothing_is_no_beginning() {
        for query in ["7", "99999999999999999999999", "", "carol"] {
            let error = resolve(query, Noun::Contact, &candidates()).unwrap_err();
            assert!(matches!(error, NameError::NoMatch { .. }), "{query}: {error}");
        }
    }

    #[test]
    fn a_whole_name_that_begins_another_is_ambiguous() {
        let error = resolve("bob", Noun::Contact, &candidates()).unwrap_err();
        assert_eq!(error.to_string(), "\"bob\" fits more than one contact: 1 (Bob), 2 (Bobby)");
    }

    #[test]
    fn who_has_no_number_is_named_by_the_fingerprint() {
        let (one, other, third) =
            ("b0b0b0b0b0b0b0b0b0b0b0b0", "b0b0b0b0b0b0b0b0b0e7b0b0", "1234567812345678");
        let members = [("Frank", one), ("frank", other), ("12345678", third)]
            .map(|(name, fingerprint)| Candidate::unnumbered(name, fingerprint));
        let find = |query| resolve(query, Noun::Member, &members);
        assert_eq!(find(one), Ok(0));
        assert_eq!(find("B0B0B0B0B0B0B0B0B0E"), Ok(1));
        assert_eq!(find("12345678"), Ok(2), "by the fingerprint");
        for number in ["1", "2", "3", "1234567", "b0b0b0b"] {
            assert!(matches!(find(number), Err(NameError::NoMatch { .. })), "{number}");
        }
        for query in ["fr", "FRANK", "b0b0b0b0"] {
            let expected = format!(
                "\"{query}\" fits more than one member: Frank [b0b0b0b0b0b0b0b0b0b], frank [b0b0b0b0b0b0b0b0b0e]"
            );
            assert_eq!(find(query).unwrap_err().to_string(), expected);
        }
    }
}
