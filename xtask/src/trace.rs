//! `cargo trace`: every rule is kept by code and shown by a test, and every citation has its rule.
//!
//! A rule is a line of `spec/` that starts with its id in bold. A citation is `spec: ` and ids in a
//! comment; a vector's `rules` cite too, as tests (`spec/conventions.md`).

mod citation;
mod rule;
mod verdict;

use std::{fs, io, path::Path, process::ExitCode};

use crate::checkout;

use self::{
    citation::Citation,
    rule::Rule,
    verdict::{Finding, Traced, judge},
};

/// Folders whose Rust files do not count: these texts are about citations.
const NOT_CITING: [&str; 1] = ["xtask/"];

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let table = match arguments {
        [] => Table::Findings,
        [argument] if argument == "--table" => Table::All,
        [other, ..] => return crate::unknown_argument("trace", other),
    };
    match read(&checkout::root()) {
        Ok(input) => report(&judge(&input.rules, &input.citations), input.findings, table),
        Err(error) => {
            eprintln!("cannot read the checkout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is printed beside the findings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Findings,
    All,
}

/// All that was read, with what was wrong already in the reading.
struct Input {
    rules: Vec<Rule>,
    citations: Vec<Citation>,
    findings: Vec<Finding>,
}

fn read(root: &Path) -> io::Result<Input> {
    let mut input = Input { rules: Vec::new(), citations: Vec::new(), findings: Vec::new() };
    for document in checkout::sources(&root.join("spec"), &["md"])? {
        // The page about rules shows one.
        if document.path != "conventions.md" {
            let (rules, findings) = rule::read(&document);
            input.rules.extend(rules);
            input.findings.extend(findings);
        }
    }
    for source in checkout::sources(root, &["rs", "proto"])? {
        if !NOT_CITING.iter().any(|folder| source.path.starts_with(folder)) {
            input.citations.extend(citation::read(&source));
        }
    }
    let manifest = root.join("test-vectors/MANIFEST.json");
    if manifest.exists() {
        let manifest = fs::read_to_string(manifest)?;
        input.citations.extend(citation::read_manifest(&manifest)?);
    }
    Ok(input)
}

fn report(traced: &Traced, mut findings: Vec<Finding>, table: Table) -> ExitCode {
    findings.extend(traced.findings.iter().cloned());
    if table == Table::All {
        for row in &traced.rows {
            println!("{row}");
        }
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    println!(
        "{} rules, {} of them with MUST, {} citations, {} findings",
        traced.rules,
        traced.obligatory,
        traced.citations,
        findings.len()
    );
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
