//! What members note in the epoch that they have in common.

use hushwire_protocol::epoch::EpochKeys;
use hushwire_protocol::group::{
    CommitIntent, LeafIndex, Note, Opened, PastMember, PastRoster, Rank, Rejection, Role,
    Statement, VerifiedStatement,
};
use hushwire_protocol::provider::Suite;
use hushwire_wire::id::{ChannelId, EntryId};
use hushwire_wire::transcript::Operation;

use super::world::{CHANNEL, Device, Entry, group_of, spread};

const CANDIDATE: EntryId = EntryId::from_bytes([7; 32]);

/// Seals as a note of the device's epoch that this leaf applied the candidate.
fn noted(device: &mut Device, leaf: LeafIndex) -> Vec<u8> {
    let statement = Statement { candidate: CANDIDATE, leaf };
    let sealed = device.transact(|_, provider, key, epoch, keys| {
        statement.seal(provider, &CHANNEL, epoch, keys, key)
    });
    sealed.unwrap()
}

fn roster(device: &mut Device) -> PastRoster {
    PastRoster::of(&device.group()).unwrap()
}

#[test]
fn a_roster_of_the_past_is_that_of_the_group_at_that_time() {
    // spec: GRP-121
    let mut members = group_of(2, Suite::Classical);
    let expected = [(0, Role::Owner), (1, Role::Member)].map(|(index, role)| {
        let device = &mut members[index];
        PastMember {
            rank: Rank { role, leaf: device.group().own_leaf() },
            identity: device.identity(),
            signature_key: device.key.public(),
        }
    });
    assert_eq!(roster(&mut members[0]).members(), expected);
}

#[test]
fn a_note_is_read_where_its_writer_was_a_member() {
    // spec: ENV-001, GRP-120, GRP-121
    let mut members = group_of(3, Suite::Classical);
    let leaf = members[1].group().own_leaf();
    let note = noted(&mut members[1], leaf);
    let rank = Rank { role: Role::Member, leaf };
    let expected = Ok(Note::Applied(VerifiedStatement { candidate: CANDIDATE, rank }));
    let (operation, envelope) = (Operation::Note, note.clone());
    let entry = Entry { epoch: members[2].epoch, operation, envelope };
    let Ok(Opened::Note(opened)) = members[2].open(&entry) else { panic!("expected a note") };
    assert_eq!(Ok(opened), expected);

    let common = roster(&mut members[2]);
    let epoch = members[2].epoch;
    let keys = members[2].keys.as_ref().unwrap().to_secret_bytes();
    let keys = EpochKeys::from_secret_bytes(&keys);

    // The group goes on, where the writer is an admin: there it counts as what it was here.
    let promoted = members[1].identity();
    let mut state = members[0].group().state().clone();
    state.set_role(promoted, Role::Admin);
    let intent = CommitIntent { set_state: Some(state), ..CommitIntent::default() };
    let commit = members[0].begin(intent);
    spread(&mut members, 0, commit, &mut []);

    assert_eq!(Note::open(&keys, &CHANNEL, &epoch, &common, &note), expected);
    let elsewhere = ChannelId::from_bytes([8; 32]);
    let later = members[2].keys.as_ref().unwrap();
    for (keys, channel, epoch) in [
        (&keys, &elsewhere, &epoch),
        (&keys, &CHANNEL, &members[2].epoch),
        (later, &CHANNEL, &epoch),
        (later, &CHANNEL, &members[2].epoch),
    ] {
        let found = Note::open(keys, channel, epoch, &common, &note);
        assert_eq!(found, Err(Rejection::Undecryptable));
    }
}

#[test]
fn a_note_of_another_leaf_or_of_none_is_refused() {
    // spec: GRP-120
    let mut members = group_of(3, Suite::Classical);
    let common = roster(&mut members[0]);
    for leaf in [members[2].group().own_leaf(), LeafIndex(3)] {
        let note = noted(&mut members[1], leaf);
        let keys = members[0].keys.as_ref().unwrap();
        let found = Note::open(keys, &CHANNEL, &members[0].epoch, &common, &note);
        assert_eq!(found, Err(Rejection::BadStatement), "{leaf:?}");
    }
}
