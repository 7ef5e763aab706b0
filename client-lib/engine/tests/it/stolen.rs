//! A device of a contact that somebody has stolen, who makes direct groups with low channel ids in its
//! person's name.

mod entered;

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{ChatNumber, Command, LinkUse, Reply, SecretText},
    event::{Event, Warning},
    memory::MemoryStore,
    store::Table,
};
use hushwire_protocol::content::{ControlEntry, ControlKind};
use hushwire_wire::{
    error::{Code, Refusal},
    id::ChannelId,
    message::{Answer, EntryBody},
    transcript::Operation,
};

use crate::{
    devices::{link, number_of},
    doors::house::DAY_MS,
    world::{Who, World},
};

/// Who is in the thief's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// Of Alice's devices, the stolen one.
    Alone,
    /// Also those that were not stolen, without having heard of it.
    Ghosts,
}

struct Theft {
    world: World,
    alice: Who,
    bob: Who,
    hers: ChatNumber,
    his: ChatNumber,
    /// Alice's phone.
    stolen: Who,
    /// What it had stored when it knew nobody.
    before: MemoryStore,
    /// A link of Bob's.
    link: SecretText,
    genuine: ChannelId,
}

fn theft() -> Theft {
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let stolen = link(&mut world, alice);
    let before = world.profile(stolen);
    let (hers, his) = world.befriend(alice, bob);
    world.pass(180_000);
    world.say(alice, hers, "one");
    world.say(bob, his, "two");
    world.pass(60_000);
    let of_bob = world.channels(bob);
    let genuine = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    let link = world.link(bob, LinkUse::Lasting);
    Theft { world, alice, bob, hers, his, stolen, before, link, genuine }
}

/// A channel id of this beginning.
fn id(beginning: [u8; 8]) -> ChannelId {
    let mut id = [7; 32];
    id[..8].copy_from_slice(&beginning);
    ChannelId::from_bytes(id)
}

impl Theft {
    /// The thief begins a direct chat with Bob, on a channel with an id of this beginning, and goes
    /// offline.
    fn lure(&mut self, beginning: [u8; 8], company: Company) -> ChatNumber {
        self.world.set_online(self.stolen, false);
        self.world.put_back(self.stolen, self.before.clone());
        let id = id(beginning);
        // Bob's key package, then that of Alice's other device: she does not hear of what it is for, as
        // the thief goes before the commit comes back.
        let packages = Rc::new(Cell::new(0));
        self.world.set_tamper(move |frame| {
            match &frame.answer {
                Answer::KeyPackage { .. } => {
                    packages.set(packages.get() + 1);
                    if packages.get() > 1 && company == Company::Alone {
                        return None;
                    }
                }
                Answer::Entry(entry) if packages.get() > 1 => {
                    let EntryBody::Whole { operation, .. } = &entry.body else {
                        return Some(frame);
                    };
                    if matches!(operation, Operation::Commit(_)) {
                        return None;
                    }
                }
                _ => {}
            }
            Some(frame)
        });
        self.world.load_dice(self.stolen, *id.as_bytes());
        let link = self.link.clone();
        self.world.ask(self.stolen, Command::AddContact { link });
        self.world.set_online(self.stolen, true);
        self.world.pass(20_000);
        let chat = self.world.chat(self.stolen, "Bob").number;
        self.world.say(self.stolen, chat, "from Alice");
        self.world.pass(20_000);
        self.world.set_online(self.stolen, false);
        self.world.set_tamper(Some);
        self.world.restart(self.bob);
        self.world.pass(20_000);
        chat
    }

    /// The same, but that the contact hears nothing of it.
    fn lure_silently(&mut self, beginning: [u8; 8]) {
        self.world.set_online(self.bob, false);
        self.world.set_online(self.stolen, false);
        self.world.put_back(self.stolen, self.before.clone());
        self.world.load_dice(self.stolen, *id(beginning).as_bytes());
        let link = self.link.clone();
        self.world.ask(self.stolen, Command::AddContact { link });
        self.world.set_online(self.stolen, true);
        self.world.pass(60_000);
        self.world.set_online(self.stolen, false);
    }

    /// From now on, the relay has no key package whenever it is asked for one for one of these times.
    fn without_packages(&mut self, missing: impl Fn(u32) -> bool + 'static) {
        let asked = Cell::new(0);
        self.world.set_tamper(move |mut frame| {
            if matches!(frame.answer, Answer::KeyPackage { .. }) {
                asked.set(asked.get() + 1);
                if missing(asked.get()) {
                    frame.answer = Answer::Refused(Refusal::from(Code::ShelfEmpty));
                }
            }
            Some(frame)
        });
    }

    /// The version of the list that Bob goes by for Alice.
    fn list_of_hers(&self, who: Who) -> u64 {
        #[derive(serde::Deserialize)]
        struct Listed {
            version: u64,
        }
        let rows = self.world.rows_of(who, Table::Profile);
        let row = rows.iter().find(|(key, _)| key.starts_with(b"listed "));
        row.map_or(0, |(_, value)| rmp_serde::from_slice::<Listed>(value).unwrap().version)
    }

    /// Whether Bob takes Alice's device for hers: she adds him to a group.
    fn is_invited_by_her(&mut self) -> bool {
        let new = Command::GroupNew { name: "Hers".to_owned() };
        let Reply::Chat(chat) = self.world.ask(self.alice, new) else { panic!() };
        self.world.settle();
        let Reply::Contacts(contacts) = self.world.ask(self.alice, Command::Contacts) else {
            panic!()
        };
        let contacts = contacts.iter().map(|contact| contact.number).collect();
        self.world.ask(self.alice, Command::GroupAddAll { chat: chat.number, contacts });
        self.world.pass(60_000);
        self.world.chats(self.bob).iter().any(|chat| chat.name == "Hers")
    }

    fn texts(&mut self, who: Who) -> Vec<String> {
        let chat = if who == self.alice { self.hers } else { self.his };
        self.world.texts(who, chat)
    }
}

#[test]
fn a_stolen_device_does_not_keep_the_chat_when_it_was_revoked() {
    // spec: LNK-110, LNK-111, LNK-112, LNK-114, LNK-058, CLI-016
    for company in [Company::Alone, Company::Ghosts] {
        let mut theft = theft();
        let mut there = ChatNumber(0);
        for number in (1..=5).rev() {
            there = theft.lure([0, 0, 0, 0, 0, 0, 1, number], company);
        }
        let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
        assert!(theft.world.channels(bob).contains(&theft.genuine), "{company:?}");
        let last = theft.world.texts(stolen, there);
        let of_stolen = number_of(&mut theft.world, alice, stolen);
        theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
        theft.world.pass(180_000);
        theft.world.say(bob, theft.his, "for Alice");
        theft.world.say(alice, theft.hers, "from her");
        theft.world.pass(60_000);
        assert_eq!(theft.texts(alice).last().unwrap(), "from her", "{company:?}");
        assert!(theft.texts(alice).contains(&"for Alice".to_owned()), "{company:?}");
        assert!(theft.texts(bob).contains(&"from her".to_owned()), "{company:?}");
        // What the thief says then nobody takes for hers, and the thief reads no more.
        theft.world.say(stolen, there, "still Alice");
        theft.world.set_online(stolen, true);
        theft.world.pass(60_000);
        theft.world.say(bob, theft.his, "as well");
        theft.world.pass(60_000);
        assert!(!theft.texts(bob).contains(&"still Alice".to_owned()), "{company:?}");
        let now = theft.world.texts(stolen, there);
        assert_eq!(now, [&last[..], &["still Alice".to_owned()]].concat(), "{company:?}");
        assert!(theft.texts(alice).contains(&"as well".to_owned()), "{company:?}");
        if company == Company::Alone {
            // Their own groups, and the one of the two.
            assert_eq!(theft.world.channels(bob).len(), 2);
        }
        // Nor does it begin again.
        let known = theft.world.channels(bob);
        theft.lure([0, 0, 0, 0, 0, 0, 0, 9], company);
        assert_eq!(theft.world.channels(bob), known, "{company:?}");
    }
}

#[test]
fn a_stolen_device_that_is_revoked_at_once_with_another_is_known_too() {
    // spec: LNK-110, LNK-111
    let mut theft = theft();
    let [laptop, tablet] = [(); 2].map(|()| link(&mut theft.world, theft.alice));
    theft.lure([0, 0, 0, 0, 0, 0, 1, 1], Company::Ghosts);
    let (alice, bob) = (theft.alice, theft.bob);
    for (revoking, revoked) in [(alice, tablet), (laptop, theft.stolen)] {
        theft.world.set_online(revoking, false);
        let number = number_of(&mut theft.world, revoking, revoked);
        theft.world.ask(revoking, Command::DeviceRevoke(number));
    }
    theft.world.set_online(alice, true);
    theft.world.pass(60_000);
    theft.world.set_online(laptop, true);
    theft.world.pass(180_000);
    theft.world.say(bob, theft.his, "for Alice");
    theft.world.pass(60_000);
    assert_eq!(theft.texts(alice).last().unwrap(), "for Alice");
}

#[test]
fn a_device_that_is_linked_later_does_not_come_into_the_groups_of_a_stolen_one() {
    // spec: LNK-112
    let mut theft = theft();
    theft.lure([0, 0, 0, 0, 0, 0, 1, 1], Company::Ghosts);
    let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
    let of_stolen = number_of(&mut theft.world, alice, stolen);
    theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
    theft.world.pass(180_000);
    let of_thief = id([0, 0, 0, 0, 0, 0, 1, 1]);
    let before = theft.world.next_place(bob, &of_thief);
    // He sends a new card to all with whom he has a direct chat.
    let laptop = link(&mut theft.world, bob);
    theft.world.pass(60_000);
    let chat = theft.world.chat(laptop, "Alice").number;
    theft.world.say(laptop, chat, "from the laptop");
    theft.world.pass(60_000);
    assert_eq!(theft.texts(alice).last().unwrap(), "from the laptop");
    assert_eq!(theft.world.next_place(bob, &of_thief), before);
}

#[test]
fn a_group_counts_again_when_a_device_that_was_not_stolen_is_heard_there() {
    // spec: LNK-112, CLI-016
    for with_laptop in [false, true] {
        let mut world = World::new(2);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 1);
        let stolen = link(&mut world, alice);
        let [to_alice, to_bob] = [alice, bob].map(|who| world.link(who, LinkUse::Lasting));
        for who in [alice, bob] {
            world.set_online(who, false);
        }
        // Each begins a group at the own relay; his comes first.
        let his_group = ChannelId::from_bytes([1; 32]);
        world.load_dice(bob, [1; 32]);
        world.ask(bob, Command::AddContact { link: to_alice });
        world.ask(alice, Command::AddContact { link: to_bob });
        for who in [alice, bob] {
            world.set_online(who, true);
        }
        world.pass(180_000);
        let hers = world.chat(alice, "Bob").number;
        let his = world.chat(bob, "Alice").number;
        assert!(world.channels(alice).contains(&his_group));
        assert_eq!(world.channels(alice).len(), 3);
        // The stolen device goes out of hers, and not yet of his.
        world.set_up(1, false);
        world.set_online(stolen, false);
        let of_stolen = number_of(&mut world, alice, stolen);
        world.ask(alice, Command::DeviceRevoke(of_stolen));
        world.pass(180_000);
        world.say(bob, his, "by her relay");
        world.pass(60_000);
        assert_eq!(world.texts(alice, hers), ["by her relay"]);
        world.set_online(alice, false);
        world.set_up(1, true);
        let laptop = with_laptop.then(|| link(&mut world, bob));
        assert!(laptop.is_none_or(|laptop| !world.channels(laptop).contains(&his_group)));
        world.set_online(alice, true);
        world.pass(180_000);
        assert!(laptop.is_none_or(|laptop| world.channels(laptop).contains(&his_group)));
        world.set_up(0, false);
        world.say(bob, his, "by his relay");
        world.pass(60_000);
        assert_eq!(world.texts(alice, hers), ["by her relay", "by his relay"]);
    }
}

/// The list of a thief, as their device tells it to the contact.
fn list_of(theft: &Theft, version: u64) -> Vec<ControlEntry> {
    let payload = theft.world.sign_list(theft.stolen, version);
    vec![ControlEntry { kind: ControlKind::Devices, payload }]
}

#[test]
fn a_contact_goes_by_the_list_of_who_revokes_whatever_the_stolen_device_told_before() {
    // spec: LNK-121, IDN-082
    let ahead = theft().world.now().0 + DAY_MS;
    for version in [100, ahead, u64::MAX] {
        let mut theft = theft();
        let (alice, bob, stolen) = (theft.alice, theft.bob, theft.stolen);
        let entries = list_of(&theft, version);
        let genuine = theft.genuine;
        theft.world.tell_in_group(stolen, &genuine, entries);
        theft.world.set_online(stolen, false);
        theft.world.pass(60_000);
        let of_stolen = number_of(&mut theft.world, alice, stolen);
        theft.world.ask(alice, Command::DeviceRevoke(of_stolen));
        theft.world.pass(180_000);
        // What is too far ahead for him is told again when it is not (spec: IDN-084).
        theft.world.pass(3 * DAY_MS);
        theft.world.say(alice, theft.hers, "from her");
        theft.world.pass(60_000);
        assert_eq!(theft.texts(bob).last().unwrap(), "from her", "{version}");
        assert!(theft.list_of_hers(bob) >= version || version == u64::MAX, "{version}");
        assert!(theft.is_invited_by_her(), "{version}");
    }
}

#[test]
fn a_device_that_is_gone_tells_no_list_where_its_leaf_still_stands() {
    // spec: LNK-121
    let mut world = World::new(2);
    let alice = world.person("Alice", 1);
    let bob = world.person("Bob", 0);
    let stolen = link(&mut world, alice);
    let before = world.profile(stolen);
    let [to_alice, link] = [alice, bob].map(|who| world.link(who, LinkUse::Lasting));
    for who in [alice, bob] {
        world.set_online(who, false);
    }
    // Each begins a group at the own relay; his comes first.
    let his_group = ChannelId::from_bytes([1; 32]);
    world.load_dice(bob, [1; 32]);
    world.ask(bob, Command::AddContact { link: to_alice });
    world.ask(alice, Command::AddContact { link: link.clone() });
    for who in [alice, bob] {
        world.set_online(who, true);
    }
    world.pass(180_000);
    let hers = world.chat(alice, "Bob").number;
    let his = world.chat(bob, "Alice").number;
    world.say(bob, his, "first");
    world.pass(60_000);
    // He hears of the theft in hers; in his she cannot remove the stolen device yet, and is heard.
    world.set_online(stolen, false);
    world.set_up(0, false);
    let of_stolen = number_of(&mut world, alice, stolen);
    world.ask(alice, Command::DeviceRevoke(of_stolen));
    world.pass(180_000);
    world.set_commits_refused(alice, true);
    world.say(alice, hers, "second");
    world.set_up(0, true);
    world.pass(60_000);
    assert_eq!(world.texts(bob, his), ["first", "second"]);
    let mut theft =
        Theft { world, alice, bob, hers, his, stolen, before, link, genuine: his_group };
    let entries = list_of(&theft, 100);
    theft.world.tell_in_group(stolen, &his_group, entries);
    theft.world.pass(60_000);
    theft.world.say(alice, hers, "third");
    theft.world.pass(60_000);
    assert_eq!(theft.texts(bob), ["first", "second", "third"]);
    theft.world.set_commits_refused(alice, false);
    assert!(theft.is_invited_by_her());
}

#[test]
fn a_channel_below_which_there_is_none_carries_no_direct_chat() {
    // spec: LNK-113
    let mut theft = theft();
    let known = theft.world.channels(theft.bob);
    theft.lure([0; 8], Company::Alone);
    assert_eq!(theft.world.channels(theft.bob), known);
    let code = "INVITATION_NOT_VALID".to_owned();
    let refused = Event::Warning(Warning::ItemRejected { code });
    assert!(theft.world.events(theft.bob).contains(&refused));
    theft.lure([0, 0, 0, 0, 0, 0, 0, 1], Company::Alone);
    assert_eq!(theft.world.channels(theft.bob).len(), known.len() + 1);
}
