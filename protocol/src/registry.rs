//! Every number that tells what follows has a row in `spec/registries.md`, and no row is without one.
//!
//! What is known is asked of what reads, for each number there could be: no list has to be kept.

use std::collections::BTreeSet;

use crate::door::Admission;
use crate::encoding::DecodeError;
use crate::envelope::EnvelopeKind;
use crate::group::{GroupKind, Role, is_note_kind};
use crate::identity::DeviceKind;
use crate::invitation::InboxContent;
use crate::link::text::LinkKind;

/// The numbers under `## Kinds` that stand there for `place` and are not reserved.
fn registered(place: &str) -> BTreeSet<u8> {
    let registry = include_str!("../../spec/registries.md");
    let rows = registry.lines().skip_while(|line| *line != "## Kinds").skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## "));
    let cells = rows.filter_map(|row| row.strip_prefix("| ")).map(|row| row.split(" | "));
    cells
        .filter_map(|mut cells| {
            let (named, number, kind) = (cells.next()?, cells.next()?, cells.next()?);
            let counts = named == place && !kind.starts_with("reserved");
            counts.then(|| number.parse().expect("a number"))
        })
        .collect()
}

fn known(is_known: impl Fn(u8) -> bool) -> BTreeSet<u8> {
    (0..=u8::MAX).filter(|code| is_known(*code)).collect()
}

#[test]
fn every_kind_is_registered() {
    // spec: LNK-011, LNK-041, ENV-005, GRP-010, GRP-120
    let item =
        |code| InboxContent::decode(&[0, 1, code]).err() != Some(DecodeError::UndefinedValue);
    let above_member = |code| code != Role::Member as u8 && Role::of(code).is_ok();
    for (place, known) in [
        ("link", known(|code| LinkKind::from_code(code).is_some())),
        ("inbox item", known(item)),
        ("admission", known(|code| Admission::of(code).is_ok())),
        ("group", known(|code| GroupKind::of(code).is_ok())),
        ("device", known(|code| DeviceKind::from_code(code).is_ok())),
        ("envelope", known(|code| EnvelopeKind::of(code).is_some())),
        ("statement", known(is_note_kind)),
        ("role", known(above_member)),
    ] {
        assert!(!known.is_empty(), "{place}");
        assert_eq!(registered(place), known, "{place}");
    }
}
