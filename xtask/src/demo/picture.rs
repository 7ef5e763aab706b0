//! The last picture: what the relay's store holds, beside a group as a member has it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    fault::Fault,
    relay::Relay,
    screen::{Screen, size},
};

/// Number of the table with the sealed bytes of entries (spec: RLY-010).
const ENTRY_CONTENT: u64 = 3;
/// Bytes of an entry that are shown.
const SAMPLE_BYTES: usize = 12;
/// Entries that are shown.
const ENTRIES_MAX: usize = 14;

/// What the store holds of each kind of object.
#[derive(Default)]
struct Stored {
    objects: BTreeMap<String, u64>,
    rows: u64,
    bytes: u64,
}

/// Prints the store by kinds, then its fullest channel beside the group.
pub(super) fn show(relay: &Relay, screen: &Screen, group: &[String]) -> Result<(), Fault> {
    let mut kinds: BTreeMap<String, Stored> = BTreeMap::new();
    let mut channels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    relay.inspect(|row| {
        let (kind, id) = (text(row, "object"), text(row, "id"));
        let value = text(row, "value");
        let bytes = u64::try_from(value.len() / 2).unwrap_or(0);
        if row["family"] != "expiry" {
            let stored = kinds.entry(kind).or_default();
            *stored.objects.entry(id.clone()).or_default() += 1;
            stored.rows += 1;
            stored.bytes += bytes;
        }
        if row["table"] == ENTRY_CONTENT {
            let middle: String =
                value.chars().skip(value.len() / 2 / 2 * 2).take(SAMPLE_BYTES * 2).collect();
            channels.entry(id).or_default().push(format!("{:>8}  …{middle}…", size(bytes)));
        }
        Ok(())
    })?;
    for (kind, stored) in kinds {
        let (objects, rows) = (stored.objects.len(), stored.rows);
        screen.note(&format!(
            "{kind:<8} {objects:>4} objects {rows:>5} rows {:>9}",
            size(stored.bytes)
        ));
    }
    let fullest = channels.into_iter().max_by_key(|(_, entries)| entries.len());
    let Some((id, entries)) = fullest else { return Ok(()) };
    let short: String = id.chars().take(12).collect();
    screen
        .pair(&format!("channel {short}…, {} entries", entries.len()), "the group, as Bob has it");
    for row in 0..entries.len().max(group.len()).min(ENTRIES_MAX) {
        let left = entries.get(row).map_or("", String::as_str);
        screen.pair_row(left, group.get(row).map_or("", String::as_str));
    }
    screen.note("which entry is which message, the relay cannot tell; nor that it is this group");
    Ok(())
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}
