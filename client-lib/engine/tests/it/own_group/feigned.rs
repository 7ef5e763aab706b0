//! Own groups that one device makes by hand and invites another one to.

use hushwire_engine::{event::InvitationRefusal, memory::MemoryStore, transaction::Transaction};
use hushwire_protocol::{
    group::{
        CommitBasis, CommitIntent, Created, Group, GroupKind, GroupState, LogPlace, PendingCommit,
    },
    invitation::{GroupAddress, InboxContent, Invitation, Purpose, SnapshotPlace, SuiteCode},
    provider::{Provider, Suite},
    succession::{NewPlace, Successor},
};
use hushwire_wire::{
    id::{ChannelId, EpochId, Nonce, Timestamp},
    message::Answer,
    transcript::{self, Operation},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{anew, home};
use crate::{
    invitations::{refusals, send},
    world::{Who, World, puppet::verified},
};

/// What the group says of the one before.
#[derive(Clone, Copy)]
struct Before {
    /// The channel that it names as its own.
    channel: ChannelId,
    made_at: Timestamp,
    /// The group whose place it takes; none: that of the device that makes it.
    replaces: Option<ChannelId>,
}

/// Invites one device to a group of own devices that another one made on this channel.
fn feign(world: &mut World, from: Who, to: Who, channel: ChannelId, before: Option<Before>) {
    let own_group = world.own_group(from);
    let device = world.puppet(from, &own_group);
    let capability = world.own_capability(from);
    let card = world.card(from, capability);
    let slot = world.slot(to);
    let Answer::KeyPackage { package, .. } = world.take_package(to, &card) else { panic!() };
    let package = card.shelf_key.open_package(&card.inbox, &slot, &package).unwrap();
    let successor = before.map(|before| {
        let place = NewPlace { channel: before.channel, relay: card.relay.clone() };
        let nobody = Vec::new();
        let replaced = before.replaces.unwrap_or(own_group);
        Box::new(Successor::sign(replaced, place, before.made_at, nobody, &device.key))
    });
    let own = GroupState::new(GroupKind::OwnDevices, device.credential.identity());
    let state = GroupState { before: successor, ..own };

    let store = MemoryStore::default();
    let tx = Transaction::new(&store);
    let mut rng = ChaCha20Rng::from_seed(*channel.as_bytes());
    let provider = Provider::new(&tx, &mut rng);
    let (key, credential, suite) = (&device.key, &device.credential, Suite::Hybrid);
    let created = Group::create(&provider, key, credential, &channel, suite, state);
    let Created { mut group, keys } = created.unwrap();
    let root = transcript::root_epoch_id(&channel, &keys.public_key(), &Nonce::from_bytes([0; 32]));
    let intent = CommitIntent { add: vec![verified(&package)], ..CommitIntent::default() };
    let basis = CommitBasis::first(LogPlace::start(&channel, &root));
    let pending = group.begin_commit(&provider, key, &root, &keys, intent, basis).unwrap();
    let PendingCommit { envelope, mark, welcomes, group_info, .. } = pending;
    group.confirm_commit(&provider).unwrap();
    let content = transcript::content_hash(&envelope);
    let entry = transcript::entry_id(&channel, &root, &Operation::Commit(mark), &content);
    let epoch = EpochId::from_bytes(*entry.as_bytes());
    let invitation = Invitation {
        group: GroupAddress { relay: card.relay.clone(), channel, epoch },
        suite: SuiteCode(suite.code()),
        purpose: Purpose::OwnDevices,
        secrets: welcomes[0].secrets.clone(),
        snapshot: SnapshotPlace::Inline(group.snapshot(group_info).unwrap()),
        sender: card,
    };
    send(world, from, to, InboxContent::Invitation(Box::new(invitation)));
    world.pass(10_000);
}

#[test]
fn a_group_that_takes_the_place_of_none_is_refused() {
    // spec: IDN-078, LNK-059, GRP-140
    let mut home = home(1);
    let [from, to] = home.devices[..] else { panic!() };
    let (channel, made_at) = (ChannelId::from_bytes([1; 32]), home.world.now());
    feign(&mut home.world, from, to, channel, None);
    assert_eq!(refusals(&mut home.world, to), [InvitationRefusal::OtherPurpose]);
    let channel = ChannelId::from_bytes([9; 32]);
    let elsewhere = Before { channel, made_at, replaces: None };
    feign(&mut home.world, from, to, ChannelId::from_bytes([2; 32]), Some(elsewhere));
    assert_eq!(refusals(&mut home.world, to), [InvitationRefusal::OtherPurpose; 2]);
    assert_eq!(home.world.own_group(to), home.channel);
    assert_eq!(home.count(to, anew), 0);
}

#[test]
fn a_group_of_lower_rank_is_passed_over_and_one_of_higher_followed() {
    // spec: IDN-078
    let mut home = home(1);
    let [from, to] = home.devices[..] else { panic!() };
    let now = home.world.now();
    // The channel, when it was made, and where the device is then.
    for (channel, later_ms, ends) in [(5, 1_000, 5), (6, 1_000, 5), (7, 999, 5), (4, 1_000, 4)] {
        let [channel, ends] = [channel, ends].map(|byte| ChannelId::from_bytes([byte; 32]));
        let made_at = now.plus_ms(later_ms);
        // Whoever reads it cannot go on there: no relay has it.
        let before = Before { channel, made_at, replaces: None };
        feign(&mut home.world, from, to, channel, Some(before));
        assert_eq!(home.world.own_group(to), ends, "{channel:?}");
        assert_eq!(refusals(&mut home.world, to), []);
    }
    assert_eq!(home.count(to, anew), 2);
}

/// How far behind the one before an own group is made at most.
const STEP_MS: u64 = 1 << 43;

#[test]
fn no_group_takes_all_the_room_above_it() {
    // spec: IDN-081
    let mut home = home(1);
    let [from, to] = home.devices[..] else { panic!() };
    let now = home.world.now();
    let (step, last) = (Timestamp(STEP_MS), Timestamp(u64::MAX));
    // The channel, when it was made, where the device is then, and how often it has refused one.
    for (channel, made_at, ends, refused) in [
        (1, last, None, 1),
        (2, step.plus_ms(1), None, 2),
        (3, step, Some(3), 2),
        (4, now, Some(3), 2),
        (5, step.plus_ms(STEP_MS + 1), Some(3), 3),
        (6, step.plus_ms(1), Some(6), 3),
    ] {
        let channel = ChannelId::from_bytes([channel; 32]);
        let ends = ends.map_or(home.channel, |byte| ChannelId::from_bytes([byte; 32]));
        feign(
            &mut home.world,
            from,
            to,
            channel,
            Some(Before { channel, made_at, replaces: None }),
        );
        assert_eq!(home.world.own_group(to), ends, "{channel:?}");
        let expected = vec![InvitationRefusal::OtherPurpose; refused];
        assert_eq!(refusals(&mut home.world, to), expected, "{channel:?}");
    }
}

#[test]
fn nobody_is_led_round_in_a_circle() {
    // spec: IDN-078: each takes the place of the one before it, the first that of the last
    let mut home = home(1);
    let [from, to] = home.devices[..] else { panic!() };
    let now = home.world.now();
    for (channel, later_ms, replaces) in [(1, 10, 3), (2, 5, 1), (3, 7, 2)] {
        let [channel, replaces] = [channel, replaces].map(|byte| ChannelId::from_bytes([byte; 32]));
        let before = Before { channel, made_at: now.plus_ms(later_ms), replaces: Some(replaces) };
        feign(&mut home.world, from, to, channel, Some(before));
        assert_eq!(home.world.own_group(to), ChannelId::from_bytes([1; 32]), "{channel:?}");
    }
    assert_eq!(home.count(to, anew), 1);
}
