//! Devices that are added again: one commit takes the old leaf out and brings the new one.

use hushwire_protocol::group::{CommitIntent, LeafSelector, Rejection};
use hushwire_protocol::identity::DeviceId;
use hushwire_protocol::insider::Seals;
use hushwire_wire::transcript::Cut;

use super::{
    accepted,
    house::{
        self, ALICE, ALICES, ALICES_CHAIN, Author, BOBS, BOBS_CHAIN, CAROL, CAROLS, CAROLS_CHAIN,
        CHANNEL, Entry, House,
    },
    outputs, refused,
};
use crate::{
    kinds::{
        chain::{Chain, public},
        mls::{CLASSICAL, package::Package},
    },
    suite::Group,
};

/// The tests.
pub(super) fn tests() -> [Group; 2] {
    let house = House::new();
    [taken(&house), others(&house)]
}

/// The extension by which a KeyPackage asks (GRP-090).
fn asking(version: u8, channel: [u8; 32]) -> Vec<(u16, Vec<u8>)> {
    vec![(0xF4A1, [&[0, version][..], &channel].concat())]
}

/// A new KeyPackage of a member's device, which asks for it.
fn fresh(chain: &Chain, device: u8) -> Package {
    let extensions = asking(1, *CHANNEL.as_bytes());
    let package = Package { credential: chain.credential(device), ..Package::of(device) };
    Package { seeds: [0x71, 0x72], extensions, ..package }.with_suite(CLASSICAL)
}

/// The same of a device that has another signature key by now.
fn with_key(chain: &Chain, device: u8, key: u8) -> Package {
    let (serial, counter) = (8_u64.to_be_bytes(), chain.counter.to_be_bytes());
    let fields = [&[0, 1][..], &[device; 16], &public(key), &serial, &counter].concat();
    let certificate = chain.signed("device certificate", &[], &fields);
    let credential = [&[0, 1][..], &chain.statement(), &certificate].concat();
    Package { credential, key, signers: [key; 2], ..fresh(chain, device) }
}

/// A commit that takes this device out and adds it again.
fn again(package: &Package, chain: &Chain, device: u8) -> CommitIntent {
    let device = DeviceId::from_bytes([device; 16]);
    let remove = vec![LeafSelector::Device(house::identity(chain), device)];
    CommitIntent { remove, ..super::adding(package) }
}

fn commit(house: &House, who: Author, intent: CommitIntent) -> Entry {
    house.commit(who, intent, Cut::Cut, Seals::Whole)
}

fn taken(house: &House) -> Group {
    let carols = again(&fresh(&CAROLS_CHAIN, CAROLS), &CAROLS_CHAIN, CAROLS);
    let alices = || again(&fresh(&ALICES_CHAIN, ALICES), &ALICES_CHAIN, ALICES);
    let bobs = again(&fresh(&BOBS_CHAIN, BOBS), &BOBS_CHAIN, BOBS);
    let unasked = Package { extensions: vec![], ..fresh(&CAROLS_CHAIN, CAROLS) };
    let unasked = again(&unasked, &CAROLS_CHAIN, CAROLS);
    let rekeyed = again(&with_key(&ALICES_CHAIN, ALICES, 0x1B), &ALICES_CHAIN, ALICES);
    let by_owner = commit(house, ALICE, carols);
    let by_member = commit(house, CAROL, alices());
    let rekeyed = commit(house, CAROL, rekeyed);
    let reader = commit(house, CAROL, bobs);
    let unasked = commit(house, ALICE, unasked);
    let rules = ["GRP-021", "GRP-033", "GRP-040", "GRP-041", "GRP-043", "GRP-044", "GRP-090"];
    let taken = [
        ("the owner adds a member's device again", &by_owner, outputs(&by_owner, 0, &[2], &[2])),
        ("a member adds the owner's again", &by_member, outputs(&by_member, 2, &[0], &[0])),
        ("which has another key", &rekeyed, outputs(&rekeyed, 2, &[0], &[0])),
        ("a member adds again who reads it", &reader, outputs(&reader, 2, &[1], &[1])),
        ("the owner does so with who did not ask", &unasked, outputs(&unasked, 0, &[2], &[2])),
    ];
    accepted(house, "added again", &rules, taken)
}

fn others(house: &House) -> Group {
    let alices = |extensions| {
        let package = Package { extensions, ..fresh(&ALICES_CHAIN, ALICES) };
        commit(house, CAROL, again(&package, &ALICES_CHAIN, ALICES))
    };
    let through = again(&fresh(&ALICES_CHAIN, ALICES), &ALICES_CHAIN, ALICES);
    let stays = super::adding(&with_key(&ALICES_CHAIN, ALICES, 0x1B));
    let older = Chain { counter: 2, ..BOBS_CHAIN };
    let older = again(&fresh(&older, BOBS), &BOBS_CHAIN, BOBS);
    let (right, twice) = (Rejection::NoRight, Rejection::DuplicateDevice);
    let longer = vec![(0xF4A1, [&[0, 1][..], CHANNEL.as_bytes(), &[0]].concat())];
    let cases = vec![
        ("its KeyPackage does not ask", alices(vec![]), right),
        ("it asks for another group", alices(asking(1, [0xC5; 32])), right),
        ("it asks by another version", alices(asking(2, *CHANNEL.as_bytes())), right),
        ("it asks with a byte too many", alices(longer), right),
        ("it is one of last resort", alices(vec![(0x000A, vec![])]), right),
        (
            "not cut",
            house.commit(CAROL, through, Cut::Through, Seals::Whole),
            Rejection::RemovalWithoutCut,
        ),
        ("with another key, and its old leaf stays", commit(house, ALICE, stays), twice),
        ("on an older manager statement", commit(house, ALICE, older), Rejection::StaleManager),
    ];
    let rules = ["GRP-021", "GRP-022", "GRP-033", "GRP-041", "GRP-090"];
    refused(house, "not added again", &rules, cases)
}
