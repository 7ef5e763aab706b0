//! Finding a chat, contact, device or member by what a person types.
//!
//! Digits are a number and never a name, so nobody can take over `send 7` by calling themselves
//! "7". Anything else is the beginning of a name, in any case of letters; it must fit one candidate
//! only, even if it is the whole name of one: otherwise a newcomer called "Bo" would silently get
//! what was meant for "Bob".

use core::fmt;

use crate::visible;

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it is called by number.
    pub number: u64,
    /// Its name, as others wrote it.
    pub name: String,
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
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Contact => "contact",
            Self::Device => "device",
            Self::Member => "member",
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

/// The number of the one candidate that `query` names.
///
/// # Errors
/// [`NameError`] if none or more than one fits.
pub fn resolve(query: &str, noun: Noun, candidates: &[Candidate]) -> Result<u64, NameError> {
    let no_match = || NameError::NoMatch { noun, query: query.to_owned() };
    if !query.is_empty() && query.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u64 = query.parse().map_err(|_| no_match())?;
        let found = candidates.iter().find(|candidate| candidate.number == number);
        return found.map(|candidate| candidate.number).ok_or_else(no_match);
    }
    let wanted = query.to_lowercase();
    let fitting: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| {
            !wanted.is_empty() && candidate.name.to_lowercase().starts_with(&wanted)
        })
        .collect();
    match fitting.as_slice() {
        [] => Err(no_match()),
        [one] => Ok(one.number),
        several => Err(NameError::Ambiguous {
            noun,
            query: query.to_owned(),
            candidates: several.iter().map(|candidate| (*candidate).clone()).collect(),
        }),
    }
}

fn listed(candidates: &[Candidate]) -> String {
    let each = |candidate: &Candidate| {
        format!("{} ({})", candidate.number, visible::name(&candidate.name))
    };
    candidates.iter().map(each).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        [(1, "Bob"), (2, "Bobby"), (3, "Élise"), (4, "7"), (5, "\u{202e}eve")]
            .map(|(number, name)| Candidate { number, name: name.into() })
            .into()
    }

    #[test]
    fn numbers_and_unique_beginnings_are_found() {
        let cases = [("1", 1), ("5", 5), ("bobb", 2), ("BOBBY", 2), ("él", 3), ("É", 3)];
        for (query, number) in cases {
            assert_eq!(resolve(query, Noun::Chat, &candidates()), Ok(number), "{query}");
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
}
