//! Rules and citations held against each other.

use std::{collections::BTreeMap, fmt};

use super::{
    citation::{Citation, Place},
    rule::{Force, Rule, RuleId},
};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A line that starts with an id, but not in the form of a rule.
    Misshapen { id: RuleId, place: String },
    /// A line that starts like a rule, with a prefix that is not registered.
    UnknownPrefix { place: String },
    /// Two rules bear the same id.
    Twice { id: RuleId, places: [String; 2] },
    /// A rule with MUST that no code cites.
    NoCode { id: RuleId, place: String },
    /// A rule with MUST that no test and no vector cites.
    NoTest { id: RuleId, place: String },
    /// A citation of an id that no rule bears.
    NoRule { id: RuleId, at: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misshapen { id, place } => {
                write!(f, "{place}: {id} is not in the form `**{id}** A relay MUST ...`")
            }
            Self::UnknownPrefix { place } => write!(f, "{place}: the prefix is not registered"),
            Self::Twice { id, places: [first, second] } => {
                write!(f, "{second}: {id} is the id of {first} already")
            }
            Self::NoCode { id, place } => write!(f, "{place}: {id} is cited by no code"),
            Self::NoTest { id, place } => write!(f, "{place}: {id} is cited by no test or vector"),
            Self::NoRule { id, at } => write!(f, "{at}: there is no rule {id}"),
        }
    }
}

/// A rule with who cites it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    id: RuleId,
    force: Force,
    code: Vec<String>,
    tests: Vec<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let force = if self.force == Force::Obligatory { "MUST" } else { "-" };
        write!(f, "{:<9} {force:<4}  code: {}", self.id, list(&self.code))?;
        write!(f, "  tests: {}", list(&self.tests))
    }
}

fn list(places: &[String]) -> String {
    if places.is_empty() { "none".to_owned() } else { places.join(", ") }
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    pub(super) rows: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    pub(super) rules: usize,
    pub(super) obligatory: usize,
    pub(super) citations: usize,
}

pub(super) fn judge(rules: &[Rule], citations: &[Citation]) -> Traced {
    let mut findings = Vec::new();
    let mut by_id: BTreeMap<&RuleId, &Rule> = BTreeMap::new();
    for rule in rules {
        if let Some(first) = by_id.insert(&rule.id, rule) {
            let places = [first.place.clone(), rule.place.clone()];
            findings.push(Finding::Twice { id: rule.id.clone(), places });
        }
    }
    for citation in citations.iter().filter(|citation| !by_id.contains_key(&citation.id)) {
        findings.push(Finding::NoRule { id: citation.id.clone(), at: citation.at.clone() });
    }
    let rows: Vec<_> = by_id.values().map(|rule| row(rule, citations)).collect();
    for (rule, row) in by_id.values().zip(&rows) {
        if rule.force == Force::Advisory {
            continue;
        }
        let (id, place) = (rule.id.clone(), rule.place.clone());
        if row.code.is_empty() {
            findings.push(Finding::NoCode { id: id.clone(), place: place.clone() });
        }
        if row.tests.is_empty() {
            findings.push(Finding::NoTest { id, place });
        }
    }
    let obligatory = by_id.values().filter(|rule| rule.force == Force::Obligatory).count();
    Traced { rows, findings, rules: by_id.len(), obligatory, citations: citations.len() }
}

fn row(rule: &Rule, citations: &[Citation]) -> Row {
    let cited = |place| {
        let here = citations.iter().filter(|one| one.id == rule.id && one.place == place);
        here.map(|one| one.at.clone()).collect::<Vec<_>>()
    };
    Row {
        id: rule.id.clone(),
        force: rule.force,
        code: cited(Place::Code),
        tests: cited(Place::Test),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RuleId {
        RuleId::strip(text).unwrap().0
    }

    fn rule(text: &str, force: Force) -> Rule {
        Rule { id: id(text), force, place: "spec/wire.md:1".to_owned() }
    }

    fn citation(text: &str, place: Place) -> Citation {
        Citation { id: id(text), place, at: "wire/src/id.rs:1".to_owned() }
    }

    fn findings(rules: &[Rule], citations: &[Citation]) -> Vec<Finding> {
        judge(rules, citations).findings
    }

    #[test]
    fn a_rule_that_is_kept_and_shown_is_no_finding() {
        let rules = [rule("WIRE-001", Force::Obligatory), rule("WIRE-002", Force::Advisory)];
        let citations = [citation("WIRE-001", Place::Code), citation("WIRE-001", Place::Test)];
        assert_eq!(findings(&rules, &citations), []);
    }

    #[test]
    fn a_must_without_code_or_test_is_a_finding() {
        let rules = [rule("WIRE-001", Force::Obligatory)];
        let place = || "spec/wire.md:1".to_owned();
        assert_eq!(
            findings(&rules, &[citation("WIRE-001", Place::Test)]),
            [Finding::NoCode { id: id("WIRE-001"), place: place() }]
        );
        assert_eq!(
            findings(&rules, &[citation("WIRE-001", Place::Code)]),
            [Finding::NoTest { id: id("WIRE-001"), place: place() }]
        );
        assert_eq!(findings(&rules, &[]).len(), 2);
    }

    #[test]
    fn a_citation_without_rule_is_a_finding() {
        assert_eq!(
            findings(&[], &[citation("WIRE-001", Place::Code)]),
            [Finding::NoRule { id: id("WIRE-001"), at: "wire/src/id.rs:1".to_owned() }]
        );
    }

    #[test]
    fn an_id_given_twice_is_a_finding() {
        let rules = [rule("WIRE-001", Force::Advisory), rule("WIRE-001", Force::Advisory)];
        assert!(matches!(findings(&rules, &[]).as_slice(), [Finding::Twice { .. }]));
    }

    #[test]
    fn rows_name_who_cites() {
        let rules = [rule("WIRE-001", Force::Obligatory)];
        let traced = judge(&rules, &[citation("WIRE-001", Place::Code)]);
        assert_eq!(
            traced.rows[0].to_string(),
            "WIRE-001  MUST  code: wire/src/id.rs:1  tests: none"
        );
    }
}
