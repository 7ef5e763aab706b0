//! Whole commits, as a member reads them: opened, judged and applied.

mod departures;
mod house;
mod proposal;
mod returns;
mod states;

use hushwire_protocol::envelope::EnvelopeContent;
use hushwire_protocol::group::{
    CommitIntent, GroupSnapshot, LeafSelector, Member, OpenError, Opened, Outcome as Meaning,
    Rejection,
};
use hushwire_protocol::insider::Seals;
use hushwire_protocol::provider::Provider;
use hushwire_protocol::storage::MemoryMlsStore;
use hushwire_wire::transcript::{CommitMark, Cut, Operation};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use serde_json::{Value, json};

use self::house::{ALICE, CAROL, DAVE, DAVES, Entry, House, State, identity, judge};
use self::proposal::Proposal;
use crate::{
    input::Input,
    kinds::{
        chain::{Chain, flipped},
        envelope::rejected,
        mls::{
            CLASSICAL,
            package::{CAPABILITIES, Package},
        },
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "commit-entry";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let (store, mut rng) = (MemoryMlsStore::default(), ChaCha20Rng::from_seed([0; 32]));
    let snapshot =
        GroupSnapshot { group_info: input.bytes("group_info"), tree: input.bytes("tree") };
    let mut joined = judge(&store, &mut rng, input, &snapshot);
    let cut = if input.integer("cut") == 1 { Cut::Cut } else { Cut::Through };
    let contested = input.list("contested");
    let contested = contested.iter().map(|id| id.as_slice().try_into().expect("an id")).collect();
    let mark = CommitMark { next_key: input.id("next_key"), cut, contested };
    let operation = Operation::Commit(mark);
    let provider = Provider::new(&store, &mut rng);
    let (epoch, envelope) = (input.id("epoch"), input.bytes("envelope"));
    for earlier in input.list("earlier") {
        let place = Operation::Message;
        joined
            .group
            .open_entry(&provider, &epoch, &joined.keys, &place, &earlier)
            .expect("nothing is wrong with what stands before");
    }
    let opened = joined.group.open_entry(&provider, &epoch, &joined.keys, &operation, &envelope);
    let candidate = match opened {
        Ok(Opened::Commit(candidate)) => candidate,
        Err(OpenError::Rejected(rejection)) => return rejected(rejection),
        other => panic!("neither taken nor refused: {other:?}"),
    };
    let applied = candidate.apply(&mut joined.group, &provider).expect("it is valid");
    let leaves = |members: &[Member]| {
        members.iter().map(|member| member.leaf.0.to_string()).collect::<Vec<_>>()
    };
    let mut outputs = json!({
        "committer": applied.committer.leaf.0.to_string(),
        "added": leaves(&applied.added),
        "removed": leaves(&applied.removed),
    });
    if let Meaning::Stays(keys) = &applied.outcome {
        outputs["epoch_key"] = json!(hex::encode(keys.public_key()));
        outputs["state"] = json!(hex::encode(joined.group.state().to_bytes()));
    }
    Outcome::valid(outputs)
}

/// The tests.
pub fn suite() -> Suite {
    let before = [taken(), bytes(), places(), packages(), rights()];
    let groups = before.into_iter().chain(returns::tests());
    let groups = groups.chain(departures::tests()).chain(states::tests());
    groups.fold(Suite::new(NAME), Suite::group)
}

/// What comes of a commit by that leaf that changes no state, after which these came and went.
fn outputs(entry: &Entry, committer: u32, added: &[u32], removed: &[u32]) -> Value {
    outputs_with(&State::agreed(), entry, committer, added, removed)
}

/// The same, and this is the state then.
fn outputs_with(
    state: &State,
    entry: &Entry,
    committer: u32,
    added: &[u32],
    removed: &[u32],
) -> Value {
    let texts = |leaves: &[u32]| leaves.iter().map(u32::to_string).collect::<Vec<_>>();
    let mut outputs = json!({
        "committer": committer.to_string(),
        "added": texts(added),
        "removed": texts(removed),
    });
    // Bob has the leaf 1.
    if !removed.contains(&1) {
        outputs["epoch_key"] = json!(hex::encode(entry.mark.next_key));
        outputs["state"] = json!(hex::encode(state.bytes()));
    }
    outputs
}

fn adding(package: &Package) -> CommitIntent {
    CommitIntent { add: vec![house::passed(package)], ..CommitIntent::default() }
}

fn dave() -> Package {
    house::package(&DAVE, DAVES)
}

fn removing(who: &Chain) -> CommitIntent {
    let remove = vec![LeafSelector::Identity(identity(who))];
    CommitIntent { remove, ..CommitIntent::default() }
}

fn taken() -> Group {
    let house = House::new();
    let renewal = house.commit(CAROL, CommitIntent::default(), Cut::Through, Seals::Whole);
    let added = house.commit(ALICE, adding(&dave()), Cut::Through, Seals::Whole);
    let carol_out = house.commit(ALICE, removing(&house::CAROLS_CHAIN), Cut::Cut, Seals::Whole);
    let bob_out = house.commit(ALICE, removing(&house::BOBS_CHAIN), Cut::Cut, Seals::Whole);
    // Who is out derives no key, and looks at none.
    let other_key = house.resealed(&bob_out, |mark, _| mark.next_key = house::other_key());
    let taken = [
        ("a new path by a plain member", &renewal, outputs(&renewal, 2, &[], &[])),
        ("the owner adds somebody", &added, outputs(&added, 0, &[3], &[])),
        ("the owner removes somebody", &carol_out, outputs(&carol_out, 0, &[], &[2])),
        ("the owner removes who reads it", &bob_out, outputs(&bob_out, 0, &[], &[1])),
        ("so, with a next key of nothing", &other_key, outputs(&other_key, 0, &[], &[1])),
    ];
    accepted(&house, "taken", &["GRP-031", "GRP-037", "GRP-051"], taken)
}

type Taken<'a, const N: usize> = [(&'static str, &'a Entry, Value); N];

fn accepted<const N: usize>(
    house: &House,
    comment: &str,
    rules: &[&str],
    taken: Taken<'_, N>,
) -> Group {
    taken.into_iter().fold(Group::new(comment, rules), |group, (comment, entry, out)| {
        group.valid(comment, house.input(entry), out)
    })
}

type Cases = Vec<(&'static str, Entry, Rejection)>;

fn refused(house: &House, comment: &str, rules: &[&str], cases: Cases) -> Group {
    cases.into_iter().fold(Group::new(comment, rules), |group, (comment, entry, rejection)| {
        group.test(comment, &[], house.input(&entry), rejected(rejection))
    })
}

fn bytes() -> Group {
    let house = House::new();
    let renewal = house.commit(CAROL, CommitIntent::default(), Cut::Through, Seals::Whole);
    let with = |change: &dyn Fn(&mut EnvelopeContent)| {
        house.resealed(&renewal, |_, content| change(content))
    };
    let leave = Proposal::leave(2, house::CAROLS).bytes(&house);
    let cases: Cases = vec![
        ("a byte follows the message", with(&|it| it.message.push(0)), Rejection::MalformedMessage),
        ("no message", with(&|it| it.message.clear()), Rejection::MalformedMessage),
        (
            "a leave in the place of a commit",
            with(&|it| it.message.clone_from(&leave)),
            Rejection::WrongWireFormat,
        ),
        (
            "the last byte of the ciphertext changed",
            with(&|it| it.message = flipped(&it.message, it.message.len() - 1)),
            Rejection::UndecryptableMessage,
        ),
        (
            "the commit that led here",
            with(&|it| it.message.clone_from(&house.first_message)),
            Rejection::WrongEpoch,
        ),
        ("a path that does not open for this member", house.spoiled(), Rejection::InvalidCommit),
        (
            "a leave beside it that it does not refer to",
            with(&|it| it.proposals.push(leave.clone())),
            Rejection::UnreferencedProposal,
        ),
    ];
    refused(&house, "what MLS finds", &["GRP-030", "GRP-035", "GRP-150"], cases)
}

fn places() -> Group {
    let house = House::new();
    let renewal = house.commit(CAROL, CommitIntent::default(), Cut::Through, Seals::Whole);
    let with = |change: &dyn Fn(&mut CommitMark)| house.resealed(&renewal, |mark, _| change(mark));
    let contested = [0x77; 32].as_slice().try_into().expect("an id");
    let cases: Cases = vec![
        ("marked as cut", with(&|mark| mark.cut = Cut::Cut), Rejection::WrongBinding),
        (
            "contests something",
            with(&|mark| mark.contested = vec![contested]),
            Rejection::WrongBinding,
        ),
        (
            "another next key",
            with(&|mark| mark.next_key = house::other_key()),
            Rejection::NextKeyMismatch,
        ),
    ];
    refused(&house, "what stands beside it", &["GRP-037", "GRP-051"], cases)
}

/// Faults of what is added, each also where the next key is another one: what MLS finds, and a lifetime,
/// come before that, what is looked at with the leaves comes behind.
fn packages() -> Group {
    let house = House::new();
    let mut capabilities = CAPABILITIES;
    capabilities[2] = &[0xF4A1, 0x000A, 0xF4A2];
    let more = Package { capabilities, ..dave() };
    capabilities = CAPABILITIES;
    capabilities[1] = &[CLASSICAL];
    let fewer = Package { capabilities, ..dave() };
    let capable = Package { leaf_extensions: vec![(0xF4A1, vec![])], ..dave() };
    let both = Package { extensions: vec![(0x000A, vec![]), (0xF4A1, vec![0, 1])], ..dave() };
    let unnamed = Package { extensions: vec![(0xF4A2, vec![])], ..dave() };
    let signed = |signers| Package { signers, ..dave() };
    let limited = Package { lifetime: [0, u64::MAX - 1], ..dave() };
    let limited_and = Package { lifetime: limited.lifetime, ..capable.clone() };
    let (lifetime, signature) = (Rejection::LifetimeNotUnlimited, Rejection::BadSignature);
    let (leaf, next_key) = (Rejection::BadLeaf, Rejection::NextKeyMismatch);
    let faults = [
        ("a limited lifetime", limited, lifetime, lifetime),
        ("a limited lifetime, an extension in the leaf", limited_and, lifetime, lifetime),
        ("of last resort, and asks", both, leaf, next_key),
        ("an extension in the leaf", capable, leaf, next_key),
        ("a leaf that can do more", more, leaf, next_key),
        ("a leaf that can do less", fewer, leaf, next_key),
        ("an extension that the leaf does not name", unnamed, leaf, leaf),
        ("a leaf that another key signed", signed([DAVES + 1, DAVES]), signature, signature),
        ("signed by another key", signed([DAVES, DAVES + 1]), signature, signature),
    ];
    let rules = ["GRP-023", "GRP-024", "GRP-031", "GRP-037", "GRP-149", "GRP-150"];
    faults.into_iter().fold(
        Group::new("key packages", &rules),
        |group, (comment, package, alone, with_key)| {
            let entry = house.commit(ALICE, adding(&package), Cut::Through, Seals::Whole);
            let other = house.resealed(&entry, |mark, _| mark.next_key = house::other_key());
            let both = format!("{comment}, and another next key");
            group.test(comment, &[], house.input(&entry), rejected(alone)).test(
                &both,
                &[],
                house.input(&other),
                rejected(with_key),
            )
        },
    )
}

fn rights() -> Group {
    let house = House::new();
    let commit = |who, intent, cut| house.commit(who, intent, cut, Seals::Whole);
    let carols = || removing(&house::CAROLS_CHAIN);
    let cases: Cases = vec![
        (
            "a removal that is not cut",
            commit(ALICE, carols(), Cut::Through),
            Rejection::RemovalWithoutCut,
        ),
        (
            "a member adds somebody",
            commit(CAROL, adding(&dave()), Cut::Through),
            Rejection::NoRight,
        ),
        (
            "a member removes somebody",
            commit(CAROL, removing(&house::BOBS_CHAIN), Cut::Cut),
            Rejection::NoRight,
        ),
    ];
    refused(&house, "rights", &["GRP-033", "GRP-040", "GRP-041"], cases)
}
