//! Members who leave: a commit refers to the proposal by which they ask for it.

use hushwire_protocol::group::{CommitIntent, LeaveProposal, Rejection};
use hushwire_protocol::insider::Seals;
use hushwire_wire::transcript::Cut;

use super::{
    accepted,
    house::{ALICE, ALICES, Author, BOBS, CAROL, CAROLS, Entry, House, other_key},
    outputs,
    proposal::Proposal,
    refused,
};
use crate::suite::Group;

/// The tests.
pub(super) fn tests() -> [Group; 3] {
    let house = House::new();
    [taken(&house), unfit(&house), unheld(&house)]
}

/// A commit by which these leave.
fn commit(house: &House, who: Author, leaves: &[&[u8]], cut: Cut) -> Entry {
    let leave = leaves.iter().map(|leave| LeaveProposal::from_bytes(leave.to_vec())).collect();
    house.commit(who, CommitIntent { leave, ..CommitIntent::default() }, cut, Seals::Whole)
}

/// The same commit, with these beside it.
fn beside(house: &House, entry: &Entry, proposals: &[&[u8]]) -> Entry {
    house.resealed(entry, |_, content| {
        content.proposals = proposals.iter().map(|it| it.to_vec()).collect();
    })
}

fn carols() -> Proposal {
    Proposal::leave(2, CAROLS)
}

fn taken(house: &House) -> Group {
    let [carols, bobs] = [carols(), Proposal::leave(1, BOBS)].map(|it| it.bytes(house));
    let carol_out = commit(house, ALICE, &[&carols], Cut::Cut);
    let behind = house.behind(&carols, &carol_out);
    let bob_out = commit(house, CAROL, &[&bobs], Cut::Cut);
    let taken = [
        ("a member leaves", &carol_out, outputs(&carol_out, 0, &[], &[2])),
        ("so, and had asked for it before", &behind, outputs(&behind, 0, &[], &[2])),
        ("who reads it leaves, by a plain member", &bob_out, outputs(&bob_out, 2, &[], &[1])),
    ];
    accepted(house, "leaving", &["GRP-033", "GRP-034", "GRP-035", "GRP-041"], taken)
}

/// What stands beside the commit is no leave, whatever the commit is.
fn unfit(house: &House) -> Group {
    let whole = commit(house, ALICE, &[&carols().bytes(house)], Cut::Cut);
    let with = |proposal: Proposal| beside(house, &whole, &[&proposal.bytes(house)]);
    let bytes = carols().bytes(house);
    let last = bytes.len() - 1;
    let (kind, channel, epoch) = carols().place;
    let placed = |place| with(Proposal { place, ..carols() });
    // A Remove of Bob's leaf.
    let removal = Proposal { proposal: vec![0, 3, 0, 0, 0, 1], ..carols() };
    let tag = crate::kinds::chain::flipped(&bytes, last);
    let elsewhere =
        |proposal| house.resealed(&with(proposal), |mark, _| mark.next_key = other_key());
    let place = Rejection::WrongBinding;
    let cases = vec![
        ("signed by another member", with(Proposal::leave(2, ALICES)), Rejection::BadSignature),
        ("with another's leaf", with(Proposal::leave(0, CAROLS)), Rejection::BadSignature),
        ("with a leaf that nobody has", with(Proposal::leave(3, CAROLS)), Rejection::UnknownSender),
        (
            "the last byte of its tag changed",
            beside(house, &whole, &[&tag]),
            Rejection::BadSignature,
        ),
        (
            "of the epoch to come",
            with(Proposal { epoch_number: 2, ..carols() }),
            Rejection::WrongEpoch,
        ),
        ("signed for another channel", placed((kind, [0xC5; 32], epoch)), place),
        ("signed for another epoch id", placed((kind, channel, [0xE0; 32])), place),
        ("a Remove", with(removal.clone()), Rejection::UnknownProposal),
        ("so, and another next key", elsewhere(removal), Rejection::UnknownProposal),
        ("cut off", beside(house, &whole, &[&bytes[..last]]), Rejection::MalformedMessage),
    ];
    refused(house, "no leave", &["GRP-030", "GRP-034", "GRP-051", "GRP-150"], cases)
}

/// The commit does not go with the leaves that are there.
fn unheld(house: &House) -> Group {
    let [carols, bobs, alices] = [carols(), Proposal::leave(1, BOBS), Proposal::leave(0, ALICES)]
        .map(|proposal| proposal.bytes(house));
    let whole = commit(house, ALICE, &[&carols], Cut::Cut);
    let alone = beside(house, &whole, &[]);
    let invalid = Rejection::InvalidCommit;
    let cases = vec![
        ("the leave is not beside it", alone.clone(), invalid),
        ("so, but stood in the epoch before it", house.behind(&carols, &alone), invalid),
        ("another's leave is beside it", beside(house, &whole, &[&bobs]), invalid),
        (
            "another's leave is beside it too",
            beside(house, &whole, &[&carols, &bobs]),
            Rejection::UnreferencedProposal,
        ),
        (
            "it is beside it twice",
            beside(house, &whole, &[&carols, &carols]),
            Rejection::UnreferencedProposal,
        ),
        (
            "a leave that is not cut",
            commit(house, ALICE, &[&carols], Cut::Through),
            Rejection::RemovalWithoutCut,
        ),
        ("the last owner leaves", commit(house, CAROL, &[&alices], Cut::Cut), Rejection::LastOwner),
    ];
    let rules = ["GRP-033", "GRP-034", "GRP-035", "GRP-044", "GRP-150"];
    refused(house, "commits without their leaves", &rules, cases)
}
