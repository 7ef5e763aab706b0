//! Licences and sources of everything we link: what `deny.toml` says, for who has no cargo-deny.

use std::collections::BTreeSet;

use crate::dependencies::METADATA;

/// Licences that a dependency may be under. Kept equal to `deny.toml` by a test.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Zlib",
];

/// Whether a licence expression (SPDX, or the older form with slashes) can be met with [`ALLOWED`].
fn is_allowed(expression: &str) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<_> = text.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest) && rest.is_empty()
}

fn any_of(rest: &mut &[&str]) -> bool {
    let mut met = all_of(rest);
    while let [first, behind @ ..] = *rest
        && *first == "OR"
    {
        *rest = behind;
        let other = all_of(rest);
        met = met || other;
    }
    met
}

fn all_of(rest: &mut &[&str]) -> bool {
    let mut met = one(rest);
    while let [first, behind @ ..] = *rest
        && *first == "AND"
    {
        *rest = behind;
        let other = one(rest);
        met = met && other;
    }
    met
}

fn one(rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", behind @ ..] => {
            *rest = behind;
            let met = any_of(rest);
            let [")", behind @ ..] = *rest else {
                return false;
            };
            *rest = behind;
            met
        }
        [licence, "WITH", exception, behind @ ..] => {
            *rest = behind;
            ALLOWED.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, behind @ ..] => {
            *rest = behind;
            ALLOWED.contains(licence)
        }
        [] => false,
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let mut refused = BTreeSet::new();
    for package in &METADATA.packages {
        let licence = package.license.as_deref().unwrap_or("none");
        if !is_allowed(licence) {
            refused.insert(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn every_dependency_comes_from_the_registry() {
    let members: BTreeSet<_> = METADATA.workspace_members.iter().collect();
    for package in &METADATA.packages {
        let from_registry = package.source.as_ref().is_some_and(|source| source.is_crates_io());
        let ours = package.source.is_none() && members.contains(&package.id);
        assert!(from_registry || ours, "{} comes from {:?}", package.name, package.source);
    }
}

#[test]
fn deny_toml_allows_the_same() {
    let text = include_str!("../../../deny.toml");
    let list = text.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
    let allowed: BTreeSet<_> = list.split('"').skip(1).step_by(2).collect();
    let ours: BTreeSet<_> =
        ALLOWED.into_iter().map(|licence| licence.split(" WITH ").next().unwrap()).collect();
    let theirs: BTreeSet<_> =
        allowed.into_iter().map(|licence| licence.split(" WITH ").next().unwrap()).collect();
    assert_eq!(theirs, ours);
}

#[test]
fn expressions_are_read_right() {
    let cases = [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR GPL-3.0-only", true),
        ("GPL-3.0-only OR AGPL-3.0-only", false),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-2.0-only) AND ISC", true),
        ("(MIT OR GPL-2.0-only) AND GPL-3.0-only", false),
        ("ISC AND (Apache-2.0 OR ISC) AND OpenSSL", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0-only WITH LLVM-exception", false),
        ("none", false),
        ("", false),
        ("(MIT", false),
    ];
    for (expression, expected) in cases {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}
