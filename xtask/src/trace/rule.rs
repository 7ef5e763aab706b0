//! Rules in the documents.

use std::fmt;

use crate::checkout::Source;

use super::verdict::Finding;

/// The prefixes of `spec/conventions.md`.
const PREFIXES: [&str; 12] =
    ["WIRE", "CHN", "INB", "BLB", "ENV", "IDN", "LNK", "GRP", "CNT", "ATT", "CLI", "RLY"];

/// Name of a rule: a prefix and three digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleId(String);

impl RuleId {
    /// Takes an id that starts the text; gives back what follows it.
    pub(super) fn strip(text: &str) -> Option<(Self, &str)> {
        let prefix = PREFIXES.iter().find(|prefix| {
            text.strip_prefix(**prefix).is_some_and(|behind| behind.starts_with('-'))
        })?;
        let length = prefix.len().checked_add(4)?;
        let (id, behind) = text.split_at_checked(length)?;
        let digits = id.get(prefix.len().checked_add(1)?..)?;
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit())
            && !behind.starts_with(|next: char| next.is_ascii_alphanumeric());
        whole.then(|| (Self(id.to_owned()), behind))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a rule has to be kept and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
    /// It says MUST or MUST NOT.
    Obligatory,
    /// It says less.
    Advisory,
}

/// A rule with its place.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) force: Force,
    pub(super) place: String,
}

/// The rules of a document, and the lines that look like one and are none.
pub(super) fn read(document: &Source) -> (Vec<Rule>, Vec<Finding>) {
    let (mut rules, mut findings) = (Vec::new(), Vec::new());
    for (number, line) in (1_usize..).zip(document.text.lines()) {
        let Some(marked) = line.trim_start_matches(['-', ' ', '|', '>']).strip_prefix("**") else {
            continue;
        };
        let place = format!("spec/{}:{number}", document.path);
        match RuleId::strip(marked) {
            Some((id, behind)) if behind.starts_with("** ") && line.starts_with("**") => {
                let must =
                    behind.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == "MUST");
                let force = if must { Force::Obligatory } else { Force::Advisory };
                rules.push(Rule { id, force, place });
            }
            Some((id, _)) => findings.push(Finding::Misshapen { id, place }),
            None if looks_like_an_id(marked) => findings.push(Finding::UnknownPrefix { place }),
            None => {}
        }
    }
    (rules, findings)
}

/// Capitals, a dash and a digit: somebody meant a rule.
fn looks_like_an_id(text: &str) -> bool {
    let (capitals, behind) = text.split_at(text.bytes().take_while(u8::is_ascii_uppercase).count());
    capitals.len() >= 2
        && behind
            .strip_prefix('-')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Vec<Rule>, Vec<Finding>) {
        read(&Source { path: "wire.md".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn rules_are_lines_that_start_with_a_bold_id() {
        let (rules, findings) = read_text(
            "# The wire\n**WIRE-001** A relay MUST answer.\nsee WIRE-002\n**Bold** words\n\
             **CHN-010** A client SHOULD wait; MUSTARD is no word of ours.\n",
        );
        assert!(findings.is_empty());
        let read: Vec<_> = rules
            .iter()
            .map(|rule| (rule.id.to_string(), rule.force, rule.place.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("WIRE-001".to_owned(), Force::Obligatory, "spec/wire.md:2"),
                ("CHN-010".to_owned(), Force::Advisory, "spec/wire.md:5"),
            ]
        );
    }

    #[test]
    fn a_rule_in_another_form_is_a_finding() {
        for line in ["- **WIRE-001** A relay MUST.", "**WIRE-001**: MUST.", "**WIRE-0012** MUST."] {
            let (rules, findings) = read_text(line);
            assert!(rules.is_empty(), "{line}");
            assert_eq!(findings.len(), 1, "{line}");
        }
    }

    #[test]
    fn an_unknown_prefix_is_a_finding() {
        let (_, findings) = read_text("**XYZ-001** A relay MUST answer.");
        assert!(matches!(findings.as_slice(), [Finding::UnknownPrefix { .. }]));
    }
}
