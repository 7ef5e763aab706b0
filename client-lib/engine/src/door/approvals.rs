//! Who is let into a group by a member's word only: who went, whom a member declined, and whom a member
//! names (spec: LNK-102, GRP-146).

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    group::Group,
    identity::Fingerprint,
};
use hushwire_wire::id::ChannelId;
use serde::{Deserialize, Serialize};

use super::requests;
use crate::{
    log,
    record::Record,
    store::{StoreError, Table},
    work::Work,
};

/// People of whom it is remembered that a member has to approve them.
const NEEDED_MAX: usize = 1_024;

/// Somebody whom a member has to approve. Key: `approval `, channel, fingerprint.
#[derive(Serialize, Deserialize)]
struct NeededRecord {
    #[serde(default)]
    source: Source,
    #[serde(default)]
    since_ms: u64,
}

/// How it is known that somebody has to be approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Source {
    /// A member said so.
    Told,
    /// They went out of the group, or were declined here, as this device saw.
    #[default]
    Seen,
}

impl Record for NeededRecord {
    const TABLE: Table = Table::Profile;
}

fn prefix(channel: &ChannelId) -> Vec<u8> {
    [b"approval ", &channel.as_bytes()[..]].concat()
}

fn key(channel: &ChannelId, person: &Fingerprint) -> Vec<u8> {
    [&prefix(channel)[..], person.as_bytes()].concat()
}

/// Somebody is let in by a member's word only from here on. What a member says takes the place of
/// nothing; what this device saw takes that of what was told first.
pub(super) fn need(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
    source: Source,
) -> Result<(), StoreError> {
    let key = key(channel, person);
    let record = NeededRecord { source, since_ms: work.now.0 };
    if let Some(known) = work.tx.load::<NeededRecord>(&key)? {
        return if source > known.source { work.tx.save(&key, &record) } else { Ok(()) };
    }
    let known = work.tx.list::<NeededRecord>(&prefix(channel), usize::MAX)?;
    if known.len() < NEEDED_MAX {
        return work.tx.save(&key, &record);
    }
    let told = known.iter().filter(|row| row.record.source == Source::Told);
    match told.min_by_key(|row| row.record.since_ms) {
        Some(first) if source == Source::Seen => {
            work.tx.remove(Table::Profile, &first.key);
            work.tx.save(&key, &record)
        }
        // It is one of everybody, or not believed.
        _ => Ok(()),
    }
}

/// Whether somebody is let in by a member's word only: everybody, once this device saw more people go
/// than it can remember.
pub(super) fn needs(
    work: &Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<bool, StoreError> {
    if work.tx.load::<NeededRecord>(&key(channel, person))?.is_some() {
        return Ok(true);
    }
    let known = work.tx.list::<NeededRecord>(&prefix(channel), usize::MAX)?;
    Ok(known.iter().filter(|row| row.record.source == Source::Seen).count() >= NEEDED_MAX)
}

/// Somebody is in the group: a member's word was given.
pub(super) fn over(work: &Work<'_>, channel: &ChannelId, person: &Fingerprint) {
    work.tx.remove(Table::Profile, &key(channel, person));
}

/// A member says that somebody is let in by a member's word only. Of who is in the group it says
/// nothing: once they are out, this device has seen that.
pub(super) fn take(
    work: &Work<'_>,
    channel: &ChannelId,
    mls: &Group,
    payload: &[u8],
) -> Result<(), StoreError> {
    let Ok(person) = Fingerprint::try_from(payload) else { return Ok(()) };
    let members = mls.members().map_err(log::store_error)?;
    if members.iter().any(|leaf| leaf.identity() == person) {
        return Ok(());
    }
    need(work, channel, &person, Source::Told)
}

/// What somebody who comes in has to know of this.
pub(super) fn entries(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Vec<ControlEntry>, StoreError> {
    let prefix = prefix(channel);
    let rows = work.tx.list::<NeededRecord>(&prefix, usize::MAX)?;
    let entry = |key: &[u8]| {
        let payload = requests::person_in(key, &prefix)?.as_bytes().to_vec();
        Ok(ControlEntry { kind: ControlKind::ApprovalNeeded, payload })
    };
    rows.iter().map(|row| entry(&row.key)).collect()
}

/// This device is out of the group.
pub(super) fn forget(work: &Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    for row in work.tx.list::<NeededRecord>(&prefix(channel), usize::MAX)? {
        work.tx.remove(Table::Profile, &row.key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::trial::with_work;

    fn somebody(number: usize) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
        Fingerprint::from_bytes(bytes)
    }

    #[test]
    fn who_went_first_is_not_let_in_because_many_went_after() {
        // spec: GRP-146
        with_work(|work| {
            let here = ChannelId::from_bytes([1; 32]);
            let all_need = |people: core::ops::Range<usize>| {
                people.into_iter().all(|number| needs(work, &here, &somebody(number)).unwrap())
            };
            need(work, &here, &somebody(5_000), Source::Told).unwrap();
            for number in 0..NEEDED_MAX - 1 {
                need(work, &here, &somebody(number), Source::Seen).unwrap();
            }
            assert!(!needs(work, &here, &somebody(4_000)).unwrap(), "it went nowhere");
            // What was told gives way to what was seen, not the other way round.
            need(work, &here, &somebody(6_000), Source::Told).unwrap();
            need(work, &here, &somebody(NEEDED_MAX - 1), Source::Seen).unwrap();
            need(work, &here, &somebody(NEEDED_MAX), Source::Seen).unwrap();
            assert_eq!(entries(work, &here).unwrap().len(), NEEDED_MAX);
            assert!(all_need(0..NEEDED_MAX + 1));
            assert!(needs(work, &here, &somebody(4_000)).unwrap(), "nobody can tell any more");
            let elsewhere = ChannelId::from_bytes([2; 32]);
            assert!(!needs(work, &elsewhere, &somebody(0)).unwrap());
        });
    }
}
