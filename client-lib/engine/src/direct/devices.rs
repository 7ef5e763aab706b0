//! The devices of a contact in the direct chat with them: which of them their person has told of, and
//! which are gone.

use hushwire_protocol::{
    group::{Group, Member},
    identity::{
        CLOCK_SKEW_MS, CertificateHash, DeviceCredential, DeviceList, DeviceListRank,
        DeviceListVersion, Fingerprint, ManagerCounter,
    },
};
use hushwire_wire::id::ChannelId;
use serde::{Deserialize, Serialize};

use crate::{
    contacts, groups, log,
    record::{GroupRecord, PurposeRecord, Record, id},
    store::{StoreError, Table},
    work::Work,
};

/// What a contact's devices said of their list. Key: `listed `, fingerprint.
#[derive(Default, Serialize, Deserialize)]
struct ListedRecord {
    manager_counter: u64,
    version: u64,
    /// The certificates that it names; none in a row of a build before, which is passed over
    /// (spec: CLI-133).
    #[serde(with = "id::each::option", default)]
    certificates: Option<Vec<CertificateHash>>,
}

impl Record for ListedRecord {
    const TABLE: Table = Table::Profile;
}

fn listed_key(person: &Fingerprint) -> Vec<u8> {
    [b"listed ", &person.as_bytes()[..]].concat()
}

fn listed(work: &Work<'_>, person: &Fingerprint) -> Result<ListedRecord, StoreError> {
    let record = work.tx.load::<ListedRecord>(&listed_key(person))?;
    Ok(record.filter(|record| record.certificates.is_some()).unwrap_or_default())
}

/// Whether a device of a contact is none of theirs any more (spec: LNK-111).
pub(crate) fn is_gone(work: &Work<'_>, credential: &DeviceCredential) -> Result<bool, StoreError> {
    let record = listed(work, &credential.identity())?;
    let Some(named) = record.certificates else { return Ok(false) };
    let certificate = credential.certificate();
    // A device that is newer than the list has a certificate that is (spec: IDN-030, IDN-085).
    let serial = DeviceListVersion(certificate.serial().0);
    let certified = (credential.manager_counter().0, serial.0);
    let older = certified <= (record.manager_counter, record.version);
    // No list has such a version yet that could name it first (spec: IDN-082).
    let impossible = serial.is_beyond(work.now, CLOCK_SKEW_MS);
    Ok((older || impossible) && !named.contains(&certificate.hash()))
}

/// Whether a device speaks for its person in a group: one that is gone only where no other of theirs is
/// (spec: LNK-121).
pub(crate) fn speaks(work: &Work<'_>, mls: &Group, sender: &Member) -> Result<bool, StoreError> {
    if !is_gone(work, &sender.credential)? {
        return Ok(true);
    }
    for leaf in groups::members_of(mls)? {
        if leaf.identity() == sender.identity() && !is_gone(work, &leaf.credential)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes what a contact says of their devices, if it is the newest word on that (spec: LNK-111). Says which
/// groups it is about then.
pub(super) fn note_list(
    work: &mut Work<'_>,
    person: &Fingerprint,
    payload: &[u8],
) -> Result<Option<Vec<ChannelId>>, StoreError> {
    let Ok(list) = DeviceList::decode(payload, person) else { return Ok(None) };
    let before = listed(work, person)?;
    let rank = DeviceListRank {
        manager_counter: ManagerCounter(before.manager_counter),
        version: DeviceListVersion(before.version),
    };
    // spec: IDN-082
    if list.rank() <= rank || list.rank().version.is_beyond(work.now, CLOCK_SKEW_MS) {
        return Ok(None);
    }
    let groups = open_channels(work, person)?;
    let record = ListedRecord {
        manager_counter: list.rank().manager_counter.0,
        version: list.rank().version.0,
        certificates: Some(list.devices().iter().map(|entry| entry.certificate).collect()),
    };
    work.tx.save(&listed_key(person), &record)?;
    Ok(Some(groups))
}

/// The devices of somebody in a group.
pub(crate) fn credentials(
    work: &mut Work<'_>,
    channel: &ChannelId,
    person: &Fingerprint,
) -> Result<Vec<DeviceCredential>, StoreError> {
    let members = log::load_group(work, channel)?.members().map_err(log::store_error)?;
    let theirs = members.into_iter().filter(|member| member.identity() == *person);
    Ok(theirs.map(|member| member.credential).collect())
}

/// The channels of the direct chat with somebody that can carry it.
pub(crate) fn open_channels(
    work: &Work<'_>,
    person: &Fingerprint,
) -> Result<Vec<ChannelId>, StoreError> {
    let Some(number) = contacts::load(work, person)?.map(|contact| contact.number) else {
        return Ok(Vec::new());
    };
    let carries = |group: &GroupRecord| {
        group.opened
            && group.state.is_in()
            && matches!(group.purpose, PurposeRecord::Direct { contact, .. } if contact.0 == number)
    };
    Ok(groups::all_where(work, carries)?.into_iter().map(|(channel, _)| channel).collect())
}
