//! The group of an identity's own devices where its relay leads nowhere any more.

mod feigned;

use std::{cell::RefCell, rc::Rc};

use hushwire_engine::{
    command::{ChatState, Command, CommandError, Reply, StuckCause, Verification},
    event::{Event, Warning},
};
use hushwire_protocol::invitation::InboxContent;
use hushwire_relay_rules::MemoryStore;
use hushwire_wire::{id::ChannelId, message::Answer};

use crate::{
    devices::{assert_reachable, devices, link, number_of},
    rejoining::crew,
    world::{Who, World, past::Damage},
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// No request to be added again is longer, and every invitation of three devices is.
const REQUEST_BYTES: usize = 8_192;

/// Devices of one person, up to date, in the order of their list.
struct Home {
    world: World,
    first: Who,
    devices: Vec<Who>,
    channel: ChannelId,
}

fn home(linked: usize) -> Home {
    let mut world = World::new(2);
    let first = world.person("Alice", 0);
    let mut devices = vec![first];
    for _ in 0..linked {
        devices.push(link(&mut world, first));
    }
    world.pass(MINUTE_MS);
    devices.sort_by_key(|who| world.device_id(*who));
    let channel = world.own_group(first);
    Home { world, first, devices, channel }
}

impl Home {
    /// A copy of what the relay has, while all go on into epochs that it does not have.
    fn outlive(&mut self) -> MemoryStore {
        let first = self.devices[0];
        let before = self.world.epoch_number(first, &self.channel);
        let copy = self.world.backup(0);
        self.world.pass(20 * DAY_MS);
        assert!(self.world.epoch_number(first, &self.channel) > before);
        copy
    }

    /// A contact whose chat another relay has.
    fn befriend(&mut self) {
        let bob = self.world.person("Bob", 1);
        self.world.befriend(bob, self.first);
        self.world.pass(MINUTE_MS);
    }

    /// A device tells the others that this contact was compared.
    fn tell(&mut self, who: Who) {
        let Reply::Contacts(contacts) = self.world.ask(who, Command::Contacts) else { panic!() };
        let (contact, verification) = (contacts[0].number, Verification::Verified);
        self.world.ask(who, Command::SetVerification { contact, verification });
    }

    /// What a device has of the group is lost; it finds that when it hears of another, and is back by
    /// a commit of that one.
    fn damage(&mut self, who: Who, other: Who) {
        self.world.damage(who, &self.channel, Damage::Lost);
        self.tell(other);
        self.world.pass(10 * MINUTE_MS);
    }

    fn count(&mut self, who: Who, wanted: fn(&Event) -> bool) -> usize {
        self.world.events(who).iter().filter(|event| wanted(event)).count()
    }

    /// All are in one group, which is not that of before, and hear each other.
    fn assert_together(&mut self, told: usize) {
        let channel = self.world.own_group(self.devices[0]);
        assert_ne!(channel, self.channel);
        let devices = self.devices.clone();
        for who in &devices {
            assert_eq!(self.world.own_group(*who), channel, "{who:?}");
            assert!(self.world.channels(*who).contains(&channel), "{who:?}");
            assert!(!self.world.channels(*who).contains(&self.channel), "{who:?}");
            assert!((1..=told).contains(&self.count(*who, anew)), "{who:?}");
        }
        assert_reachable(&mut self.world, &devices);
        for who in devices {
            let Reply::Status(status) = self.world.ask(who, Command::Status) else { panic!() };
            assert_eq!(status.waiting, 0, "{who:?}");
        }
    }
}

fn anew(event: &Event) -> bool {
    matches!(event, Event::OwnGroupFormedAnew)
}

fn stuck(event: &Event) -> bool {
    matches!(event, Event::GroupStuck { chat: None, .. })
}

fn back(event: &Event) -> bool {
    matches!(event, Event::GroupRejoined { chat: None, .. })
}

fn given_up(event: &Event) -> bool {
    matches!(event, Event::RejoinGivenUp { chat: None })
}

#[test]
fn devices_whose_group_is_lost_form_it_anew_and_lose_nothing() {
    // spec: IDN-077, IDN-078, IDN-079, CLI-208
    let mut home = home(2);
    let [one, two, _] = home.devices[..] else { panic!() };
    home.befriend();
    let copy = home.outlive();
    // What was on its way when the relay lost their group.
    home.world.set_online(two, false);
    home.tell(two);
    home.world.restore(0, copy);
    home.world.set_online(two, true);
    home.world.pass(10 * MINUTE_MS);
    for who in home.devices.clone() {
        assert_eq!(home.count(who, stuck), 1);
        let Reply::Contacts(contacts) = home.world.ask(who, Command::Contacts) else { panic!() };
        assert_eq!(contacts[0].verification, Verification::Verified, "{who:?}");
    }
    home.assert_together(1);
    // Who is linked from then on is a device like any other.
    let tablet = link(&mut home.world, one);
    home.devices.push(tablet);
    assert_eq!(devices(&mut home.world, tablet).len(), 4);
    assert_reachable(&mut home.world, &home.devices.clone());
}

#[test]
fn who_asks_for_new_keys_while_the_group_is_lost_leaves_no_device_outside() {
    // spec: IDN-075, IDN-079, IDN-086
    for place in 0..3 {
        let mut home = home(2);
        let copy = home.outlive();
        home.world.restore(0, copy);
        home.world.work();
        let one = home.devices[place];
        home.world.ask(one, Command::RefreshKeys);
        home.world.pass(2 * HOUR_MS);
        assert_eq!(home.count(one, |event| matches!(event, Event::KeysRefreshed)), 1, "{place}");
        // Who forms it first has no key packages of the one with new keys, which forms it once more.
        home.assert_together(2);
    }
}

#[test]
fn the_only_device_forms_its_group_anew_at_once() {
    // spec: CLI-167, CLI-208
    let mut home = home(0);
    let copy = home.outlive();
    home.world.restore(0, copy);
    home.world.pass(MINUTE_MS);
    home.assert_together(1);
    let laptop = link(&mut home.world, home.devices[0]);
    assert_eq!(devices(&mut home.world, laptop).len(), 2);
}

#[test]
fn a_device_that_was_linked_in_the_lost_time_comes_along() {
    // spec: IDN-077, IDN-079
    let mut home = home(1);
    let copy = home.world.backup(0);
    let tablet = link(&mut home.world, home.devices[0]);
    home.devices.push(tablet);
    home.world.restore(0, copy);
    home.world.pass(2 * HOUR_MS);
    home.assert_together(1);
    for who in home.devices.clone() {
        assert_eq!(devices(&mut home.world, who).len(), 3);
    }
}

#[test]
fn who_forms_and_who_follows_go_on_after_a_crash_at_any_step() {
    // spec: IDN-077, IDN-078, CLI-001
    for (place, steps) in [(0, 1..40), (1, 1..40)] {
        for step in steps.step_by(2) {
            let mut home = home(1);
            let copy = home.outlive();
            home.world.restore(0, copy);
            home.world.crash_at(home.devices[place], step);
            home.world.pass(20 * MINUTE_MS);
            let channel = home.world.own_group(home.devices[0]);
            assert_ne!(channel, home.channel, "{place} {step}");
            assert_eq!(home.world.own_group(home.devices[1]), channel, "{place} {step}");
            assert_reachable(&mut home.world, &home.devices.clone());
        }
    }
}

#[test]
fn of_two_that_are_formed_at_once_the_later_stays() {
    // spec: IDN-078
    let mut home = home(2);
    let [one, two, _] = home.devices[..] else { panic!() };
    let copy = home.outlive();
    home.world.restore(0, copy);
    // They hear each other asking, and nobody sees the invitation before the next one has done the same.
    home.world.set_tamper(|frame| {
        let hidden =
            matches!(&frame.answer, Answer::InboxItem(it) if it.item.len() > REQUEST_BYTES);
        (!hidden).then_some(frame)
    });
    while home.count(one, anew) == 0 {
        home.world.pass(1_000);
    }
    while home.count(two, anew) == 0 {
        home.world.pass(1_000);
    }
    let (first, second) = (home.world.own_group(one), home.world.own_group(two));
    assert_ne!(first, second);
    home.world.set_tamper(Some);
    for who in home.devices.clone() {
        home.world.restart(who);
    }
    home.world.pass(10 * MINUTE_MS);
    assert_ne!(home.world.own_group(one), first);
    home.assert_together(3);
}

#[test]
fn a_device_that_was_away_answers_or_follows() {
    // spec: IDN-077, IDN-078, LNK-090
    for back_ms in [MINUTE_MS, 2 * HOUR_MS] {
        let mut home = home(2);
        let [one, away, third] = home.devices[..] else { panic!() };
        home.befriend();
        home.world.set_online(away, false);
        let copy = home.world.backup(0);
        // It is added again, and the two go on into another epoch.
        home.damage(one, third);
        home.world.restore(0, copy);
        home.world.pass(back_ms);
        home.world.set_online(away, true);
        home.world.pass(HOUR_MS);
        assert_eq!(home.count(away, stuck), 0, "it knows an epoch that the relay has");
        if back_ms == MINUTE_MS {
            for who in home.devices.clone() {
                assert_eq!(home.world.own_group(who), home.channel);
                assert_eq!(home.count(who, anew), 0);
            }
            assert_reachable(&mut home.world, &home.devices.clone());
        } else {
            home.assert_together(1);
        }
    }
}

#[test]
fn who_was_away_when_the_keys_changed_finds_the_others_after_the_relay_was_put_back() {
    // spec: IDN-077, IDN-079
    let mut home = home(1);
    let other = home.devices.iter().copied().find(|who| *who != home.first).unwrap();
    home.world.set_online(other, false);
    let copy = home.world.backup(0);
    home.world.ask(home.first, Command::RefreshKeys);
    home.world.pass(5 * MINUTE_MS);
    home.world.restore(0, copy);
    home.world.pass(2 * HOUR_MS);
    assert_eq!(home.count(home.first, anew), 0, "it would shut the other out");
    home.world.set_online(other, true);
    home.world.pass(HOUR_MS);
    assert_eq!(home.world.inbox_keys(other), home.world.inbox_keys(home.first));
    assert_reachable(&mut home.world, &home.devices.clone());
}

#[test]
fn a_damaged_device_is_added_again_and_forms_nothing_while_another_is_well() {
    // spec: IDN-077, LNK-090
    let mut home = home(2);
    let [one, two, three] = home.devices[..] else { panic!() };
    home.befriend();
    home.damage(one, two);
    assert_eq!((home.count(one, stuck), home.count(one, back)), (1, 1));
    for who in [one, two, three] {
        assert_eq!(home.count(who, anew), 0);
        assert_eq!(home.world.own_group(who), home.channel);
    }
    // Nobody takes it for revoked, who has read that it went and came.
    assert_reachable(&mut home.world, &[one, two, three]);
    for who in [one, two, three] {
        assert_eq!(devices(&mut home.world, who).len(), 3);
    }
}

#[test]
fn a_relay_that_loses_each_group_is_given_few_of_them() {
    // spec: CLI-207
    for linked in [0, 1] {
        let mut home = home(linked);
        let copy = home.outlive();
        let first = home.devices[0];
        for _ in 0..20 {
            home.world.restore(0, copy.clone());
            home.world.pass(HOUR_MS);
        }
        for who in home.devices.clone() {
            assert_eq!(home.count(who, anew), 4, "in a day");
            assert!(home.count(who, given_up) >= 1);
        }
        // Left alone, it comes to rest.
        home.world.pass(2 * DAY_MS);
        let again = home.count(first, anew);
        assert!((5..=6).contains(&again), "{again}");
        home.assert_together(again);
    }
}

#[test]
fn a_revoked_device_forms_no_group_for_the_others() {
    // spec: IDN-077, IDN-078, LNK-058
    for rotates in [true, false] {
        let mut home = home(2);
        home.befriend();
        let first = home.first;
        let others: Vec<Who> = home.devices.iter().copied().filter(|who| *who != first).collect();
        let [revoked, third] = others[..] else { panic!() };
        home.world.set_online(revoked, false);
        home.world.set_online(third, false);
        let number = number_of(&mut home.world, first, revoked);
        home.world.ask(first, Command::DeviceRevoke(number));
        if rotates {
            home.world.pass(5 * MINUTE_MS);
        }
        home.world.set_online(first, false);
        // What it has of the group is gone: it cannot hear of its end there.
        home.world.damage(revoked, &home.channel, Damage::Lost);
        home.tell(revoked);
        home.world.set_online(revoked, true);
        home.world.pass(3 * HOUR_MS);
        home.world.set_online(third, true);
        home.world.set_online(first, true);
        home.world.pass(HOUR_MS);
        for who in [first, third] {
            assert_eq!(home.world.own_group(who), home.channel, "{rotates}");
            assert_eq!(home.count(who, anew), 0, "{rotates}");
            assert_eq!(devices(&mut home.world, who).len(), 2, "{rotates}");
        }
        assert_reachable(&mut home.world, &[first, third]);
    }
}

#[test]
fn a_revoked_device_that_reads_the_inbox_on_learns_no_new_keys_there() {
    // spec: IDN-080, LNK-088
    let mut home = home(2);
    let first = home.first;
    let others: Vec<Who> = home.devices.iter().copied().filter(|who| *who != first).collect();
    let [revoked, third] = others[..] else { panic!() };
    let items = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&items);
    home.world.set_tamper(move |frame| {
        if let Answer::InboxItem(it) = &frame.answer {
            seen.borrow_mut().push(it.item.to_vec());
        }
        Some(frame)
    });
    // It has nothing of the own group any more, and nobody is there to add it again, when it revokes.
    home.befriend();
    home.world.damage(first, &home.channel, Damage::Lost);
    home.tell(third);
    assert_eq!(home.count(first, stuck), 1);
    home.world.set_online(third, false);
    home.world.set_online(revoked, false);
    let number = number_of(&mut home.world, first, revoked);
    home.world.ask(first, Command::DeviceRevoke(number));
    home.world.pass(3 * MINUTE_MS);
    // Whoever opens the inbox still sees what is written there, by the owner key that stands.
    assert_eq!(home.world.inbox_keys(revoked)[0], home.world.inbox_keys(first)[0]);
    let capability = home.world.own_capability(first);
    let known = home.world.card(first, capability);
    let items = items.borrow().clone();
    let mut read = 0;
    for item in &items {
        let Some(content) = home.world.try_open_item(revoked, item) else { continue };
        let Ok(InboxContent::RejoinRequest(request)) = InboxContent::decode(&content) else {
            continue;
        };
        read += 1;
        let card = request.sender();
        assert_ne!(card.capability.expose(), known.capability.expose());
        assert_ne!(card.shelf_key.expose(), known.shelf_key.expose());
        assert_ne!(card.inbox, known.inbox);
    }
    assert!(read > 0);
}

#[test]
fn a_group_of_which_all_are_in_a_lost_epoch_is_told_and_formed_anew_by_its_owner() {
    // spec: CLI-160, CLI-187, CLI-188, CLI-200, CLI-202
    let mut crew = crew();
    let copy = crew.world.backup(0);
    crew.say(0, "before");
    crew.world.settle();
    // By hand of nobody in particular: keys are renewed from time to time.
    crew.world.pass(20 * DAY_MS);
    crew.world.restore(0, copy);
    crew.world.pass(HOUR_MS);
    for place in 0..3 {
        assert_eq!(crew.causes(place), [StuckCause::EpochGone]);
        assert_eq!(crew.state(place), ChatState::Stuck);
        let missed = |event: &Event| matches!(event, Event::Warning(Warning::MissedTooMuch { .. }));
        assert!(crew.events(place).iter().any(missed));
    }
    let (alice, chat) = (crew.people[0], crew.chats[0]);
    let refused = crew.world.try_ask(alice, Command::SendText { chat, text: "nowhere".into() });
    assert_ne!(refused.err(), Some(CommandError::Internal));
    let succeed = Command::GroupSucceed { chat, without: Vec::new() };
    crew.world.ask(alice, succeed);
    crew.world.pass(10 * MINUTE_MS);
    // Whether its owner is that still can be read nowhere: each person says so, once.
    for place in 1..3 {
        let offered = |event: &&Event| matches!(event, Event::SuccessorOffered { .. });
        assert_eq!(crew.events(place).iter().filter(offered).count(), 1, "{place}");
        assert_eq!(crew.state(place), ChatState::Stuck);
        let chat = crew.chats[place];
        crew.world.ask(crew.people[place], Command::GroupFollow { chat, by: None });
    }
    crew.world.pass(10 * MINUTE_MS);
    crew.say(0, "after");
    crew.world.pass(MINUTE_MS);
    for place in 0..3 {
        assert_eq!(crew.state(place), ChatState::Open, "{place}");
        let texts = crew.texts(place);
        assert!(texts.contains(&"before".to_owned()) && texts.contains(&"after".to_owned()));
    }
    // In a group that cannot be read nothing can be offered.
    let Reply::Status(status) = crew.world.ask(alice, Command::Status) else { panic!() };
    assert_eq!(status.waiting, 0);
}
