//! Another implementation of MLS in one of our groups: a member by mls-rs, on suite 0x0003, through
//! our wire, relay rules and envelope.
//!
//! Not tried, as mls-rs cannot: the hybrid suite, and SelfRemove, which has the code point 0xF003
//! there and 0x000A in draft-ietf-mls-extensions. A member by mls-rs names 0x000A as a proposal of
//! its own kind, so that it may be in the group; a commit that refers to one it could not follow.

mod channel;
mod crypto;
mod ours;
mod theirs;

use hushwire_protocol::content::{Content, Piece, Salt, TextFormat};
use hushwire_protocol::group::{
    CommitIntent, GroupSnapshot, GroupState, LeafSelector, Right, Role,
};
use hushwire_protocol::identity::Fingerprint;
use hushwire_protocol::invitation::{
    GroupAddress, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode,
};
use hushwire_wire::transcript::{Cut, Operation, public_key};
use mls_rs::client_builder::MlsConfig;
use mls_rs::extension::ExtensionType;
use mls_rs::{Extension, MlsMessage};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use channel::{Entry, Relay};
use ours::Ours;
use theirs::{GROUP_STATE, Theirs};

/// Alice and Bob with our program, Carol with another.
struct World<C: MlsConfig> {
    relay: Relay,
    alice: Ours,
    bob: Ours,
    carol: Theirs<C>,
    carols: Fingerprint,
}

/// Alice has made the group and added both.
fn world() -> World<impl MlsConfig + use<>> {
    let mut relay = Relay::new();
    let (mut alice, mut bob) = (Ours::new(1), Ours::new(2));
    let (seed, credential) = ours::device(3);
    let mut carol = theirs::program(&seed, &credential);
    alice.create("walks");
    alice.set_epoch(relay.create(&alice.keys().signing));
    let packages = [bob.key_package(), carol.key_package()].map(|package| ours::verify(&package));
    let commit = alice.begin(CommitIntent { add: packages.to_vec(), ..CommitIntent::default() });
    let operation = ours::operation(&commit);
    relay.append(&alice.epoch, &alice.keys().signing, operation, &commit.envelope);
    let entry = relay.last(&alice.epoch, &alice.keys().signing);
    alice.confirm(&entry, commit.next_keys);
    let snapshot = alice.group().snapshot(commit.group_info).unwrap();
    bob.join(entry.opens(), &commit.welcomes[0].secrets, &snapshot);
    let secrets = commit.welcomes[1].secrets.clone();
    let invitation = invite(&alice, &entry, secrets, snapshot);
    let SnapshotPlace::Inline(snapshot) = &invitation.snapshot else { panic!("a small group") };
    carol.join(invitation.group.epoch, &invitation.secrets, snapshot);
    World { relay, alice, bob, carol, carols: credential.identity() }
}

/// An invitation of ours, as its receiver decodes it.
fn invite(alice: &Ours, entry: &Entry, secrets: Vec<u8>, snapshot: GroupSnapshot) -> Invitation {
    let sender = ours::card(&alice.credential);
    let group = GroupAddress {
        relay: sender.relay.clone(),
        channel: channel::CHANNEL,
        epoch: entry.opens(),
    };
    let invitation = Invitation {
        group,
        suite: SuiteCode(0x0003),
        purpose: Purpose::Group,
        secrets,
        snapshot: SnapshotPlace::Inline(snapshot),
        sender,
    };
    let sent = InboxContent::Invitation(Box::new(invitation)).to_bytes();
    match InboxContent::decode(&sent).unwrap() {
        InboxContent::Invitation(invitation) => *invitation,
        other => panic!("no invitation: {other:?}"),
    }
}

impl<C: MlsConfig> World<C> {
    /// All are in one epoch, with one view and the same keys.
    fn assert_agreement(&mut self) {
        let (alice, bob, carol) = (&mut self.alice, &mut self.bob, &mut self.carol);
        let expected = alice.group().epoch_authenticator().to_vec();
        assert_eq!(*bob.group().epoch_authenticator(), expected);
        assert_eq!(carol.group().epoch_authenticator().unwrap().as_bytes(), expected);
        assert_eq!((bob.epoch, carol.epoch), (alice.epoch, alice.epoch));
        assert_eq!(public_key(carol.epoch_key()), alice.keys().public_key());
        // The relay knows her key for the epoch's, and she reads there.
        assert!(self.relay.open(&self.carol.epoch, self.carol.epoch_key()).is_some());
    }

    fn alice_says(&mut self, text: &str) {
        let envelope = self.alice.seal_message(&content(text));
        let (epoch, key) = (self.alice.epoch, &self.alice.keys().signing);
        self.relay.append(&epoch, key, Operation::Message, &envelope);
        let entry = self.relay.last(&epoch, key);
        self.alice.pass(&entry);
        let ours::Read::Message(bobs) = self.bob.read(&entry) else { panic!("no message") };
        let theirs::Read::Message(carols) = self.carol.read(&entry) else { panic!("no message") };
        assert_eq!([bobs, carols].map(|bytes| shown(&bytes)), [text, text]);
    }

    fn carol_says(&mut self, text: &str) {
        let envelope = self.carol.seal_message(&content(text));
        let (epoch, key) = (self.carol.epoch, self.carol.epoch_key());
        self.relay.append(&epoch, key, Operation::Message, &envelope);
        let entry = self.relay.last(&epoch, key);
        self.carol.pass(&entry);
        for member in [&mut self.alice, &mut self.bob] {
            let ours::Read::Message(bytes) = member.read(&entry) else { panic!("no message") };
            assert_eq!(shown(&bytes), text);
        }
    }

    /// A commit of Alice's, through the relay; how Carol read it.
    fn alice_commits(&mut self, intent: CommitIntent) -> theirs::Read {
        let commit = self.alice.begin(intent);
        let (epoch, key) = (self.alice.epoch, &self.alice.keys().signing);
        self.relay.append(&epoch, key, ours::operation(&commit), &commit.envelope);
        let entry = self.relay.last(&epoch, key);
        self.alice.confirm(&entry, commit.next_keys);
        assert!(matches!(self.bob.read(&entry), ours::Read::Commit));
        self.carol.read(&entry)
    }

    /// A commit of Carol's, through the relay; what it opens, and its Welcomes.
    fn carol_commits(
        &mut self,
        cut: Cut,
        build: impl for<'a> FnOnce(
            mls_rs::group::CommitBuilder<'a, C>,
        ) -> mls_rs::group::CommitBuilder<'a, C>,
    ) -> (Entry, Vec<Vec<u8>>) {
        let (operation, envelope, welcomes) = self.carol.begin(cut, build);
        let (epoch, key) = (self.carol.epoch, self.carol.epoch_key());
        self.relay.append(&epoch, key, operation, &envelope);
        let entry = self.relay.last(&epoch, key);
        self.carol.confirm(&entry);
        for member in [&mut self.alice, &mut self.bob] {
            assert!(matches!(member.read(&entry), ours::Read::Commit));
        }
        (entry, welcomes)
    }

    fn state(&mut self) -> GroupState {
        self.alice.group().state().clone()
    }
}

fn content(text: &str) -> Vec<u8> {
    let salt = Salt::random(&mut ChaCha20Rng::from_seed([4; 32]));
    Content::text(salt, TextFormat::Plain, text).encode().unwrap().into_bytes()
}

fn shown(bytes: &[u8]) -> String {
    let content = Content::decode(bytes).unwrap();
    match content.shown().remove(0).piece {
        Piece::Text { text, .. } => text.to_owned(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn another_implementation_joins_by_our_invitation() {
    // spec: GRP-001, GRP-014, GRP-023, GRP-024, GRP-050, GRP-070
    let mut world = world();
    world.assert_agreement();
    let state = world.carol.group().context().extensions.clone();
    let stated = state.get(ExtensionType::new(GROUP_STATE)).unwrap();
    assert_eq!(stated.extension_data, world.state().to_bytes());
}

#[test]
fn messages_pass_in_both_directions() {
    // spec: ENV-001, ENV-003, ENV-004, GRP-034, GRP-051
    let mut world = world();
    for round in 1..=3 {
        world.alice_says(&format!("ours {round}"));
        world.carol_says(&format!("theirs {round} {}", "x".repeat(400 * round)));
        world.carol_says("again");
    }
    world.assert_agreement();
}

#[test]
fn own_leaf_commits_of_both_lead_all_on() {
    // spec: GRP-037, GRP-038, GRP-053
    let mut world = world();
    for _ in 0..3 {
        assert!(matches!(world.alice_commits(CommitIntent::default()), theirs::Read::Commit));
        world.assert_agreement();
        world.alice_says("before");
        world.carol_commits(Cut::Through, |builder| builder);
        world.assert_agreement();
        world.carol_says("after");
    }
}

#[test]
fn another_implementation_describes_and_adds_by_our_rules() {
    // spec: GRP-014, GRP-025, GRP-040, GRP-042, GRP-070
    let mut world = world();
    let mut state = world.state();
    state.set_role(world.carols, Role::Admin);
    state.rights.grant(Right::Describe, Role::Admin);
    let promotion = CommitIntent { set_state: Some(state.clone()), ..CommitIntent::default() };
    assert!(matches!(world.alice_commits(promotion), theirs::Read::Commit));
    world.assert_agreement();

    "longer walks".clone_into(&mut state.name);
    let mut extensions = world.carol.group().context().extensions.clone();
    extensions.set(Extension::new(ExtensionType::new(GROUP_STATE), state.to_bytes()));
    world.carol_commits(Cut::Through, |builder| builder.set_group_context_ext(extensions).unwrap());
    world.assert_agreement();
    assert_eq!(world.state().name, "longer walks");

    let mut dave = Ours::new(4);
    let package = [&[0, 1, 0, 5][..], &dave.key_package()].concat();
    let package = MlsMessage::from_bytes(&package).unwrap();
    let (entry, welcomes) =
        world.carol_commits(Cut::Through, |builder| builder.add_member(package).unwrap());
    let tree = world.carol.group().export_tree().to_bytes().unwrap();
    let [secrets, group_info] = theirs::take_apart(&welcomes[0]);
    dave.join(entry.opens(), &secrets, &GroupSnapshot { group_info, tree });
    world.assert_agreement();
    assert_eq!(dave.keys().public_key(), world.alice.keys().public_key());
    assert_eq!(world.alice.group().members().unwrap().len(), 4);
}

#[test]
fn who_is_removed_learns_it_and_reads_nothing_later() {
    // spec: GRP-033, GRP-041
    let mut world = world();
    world.carol_says("hello");
    let remove = vec![LeafSelector::Identity(world.carols)];
    let read = world.alice_commits(CommitIntent { remove, ..CommitIntent::default() });
    assert!(matches!(read, theirs::Read::Removed));
    let (epoch, key) = (world.alice.epoch, world.carol.epoch_key().clone());
    assert!(world.relay.open(&epoch, &key).is_none());
    assert_ne!(public_key(&key), world.alice.keys().public_key());
    assert_eq!(world.alice.group().members().unwrap().len(), 2);
}
