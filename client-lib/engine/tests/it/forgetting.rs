//! What a device has forgotten: nothing of an epoch that is over stands in its store.

use std::collections::BTreeSet;

use hushwire_engine::{
    command::{Command, LinkUse, Reply},
    store::Table,
};
use hushwire_wire::id::ChannelId;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::world::{Who, World};

/// What holds secrets of a group, by the byte behind the group's prefix in the key: message secrets,
/// resumption secrets, secrets of the epoch, the exporter's tree, private keys of leaf and path.
const SECRETS: [u8; 5] = [10, 11, 13, 14, 15];
/// A private key of a leaf and a key package, by the third byte of the key.
const PRIVATE_KEYS: [u8; 2] = [33, 34];
const GROUP_PREFIX_BYTES: usize = 35;

/// Every byte string of 32 bytes in a value, whatever the value is.
#[derive(Default)]
struct Strings(BTreeSet<Vec<u8>>);

impl Strings {
    fn take(&mut self, bytes: &[u8]) {
        // Flags and numbers are no secrets.
        if bytes.len() == 32 && bytes.iter().collect::<BTreeSet<_>>().len() > 8 {
            self.0.insert(bytes.to_vec());
        }
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = (Strings, Option<u8>);

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("anything")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let mut strings = Strings::default();
                strings.take(bytes);
                Ok((strings, None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let (mut strings, mut bytes) = (Strings::default(), Vec::new());
                while let Some(Any(part, byte)) = seq.next_element()? {
                    strings.0.extend(part.0);
                    bytes.extend(byte);
                }
                strings.take(&bytes);
                Ok((strings, None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut strings = Strings::default();
                while let Some((Any(key, _), Any(value, _))) = map.next_entry()? {
                    strings.0.extend(key.0.into_iter().chain(value.0));
                }
                Ok((strings, None))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok((Strings::default(), u8::try_from(number).ok()))
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Default::default())
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Default::default())
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Default::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Default::default())
            }
        }
        struct Any(Strings, Option<u8>);
        impl<'de> Deserialize<'de> for Any {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let (strings, byte) = deserializer.deserialize_any(All)?;
                Ok(Any(strings, byte))
            }
        }
        Any::deserialize(deserializer).map(|Any(strings, _)| strings)
    }
}

/// The secrets of a group that stand in a device's store, by what holds them.
fn secrets(world: &World, who: Who, channel: &ChannelId, of: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for (key, value) in world.rows_of(who, Table::Mls) {
        let here =
            key.len() > GROUP_PREFIX_BYTES && key[3..GROUP_PREFIX_BYTES] == *channel.as_bytes();
        if here && of.contains(&key[GROUP_PREFIX_BYTES]) {
            found.extend(rmp_serde::from_slice::<Strings>(&value).unwrap().0);
        }
    }
    found
}

/// Where bytes stand in a device's store, as they are or as a list of numbers: the row's table and
/// key.
fn places(world: &World, who: Who, secret: &[u8]) -> Vec<(Table, String)> {
    let mut places = Vec::new();
    for table in Table::ALL {
        for (key, value) in world.rows_of(who, table) {
            let decoded = rmp_serde::from_slice::<Strings>(&value);
            let raw = value.windows(secret.len()).any(|window| window == secret);
            if raw || decoded.is_ok_and(|strings| strings.0.contains(secret)) {
                places.push((table, hex::encode(key)));
            }
        }
    }
    places
}

fn stands(world: &World, who: Who, secret: &[u8]) -> bool {
    !places(world, who, secret).is_empty()
}

fn private_keys(world: &World, who: Who) -> usize {
    let rows = world.rows_of(who, Table::Mls);
    rows.iter().filter(|(key, _)| key[1] == b'k' && PRIVATE_KEYS.contains(&key[2])).count()
}

struct Pair {
    world: World,
    alice: Who,
    bob: Who,
    channel: ChannelId,
}

fn pair() -> Pair {
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let (hers, his) = world.befriend(alice, bob);
    for (who, chat) in [(alice, hers), (bob, his)] {
        world.say(who, chat, "so that ratchets have moved");
    }
    world.pass(5_000);
    let of_bob = world.channels(bob);
    let channel = world.channels(alice).into_iter().find(|id| of_bob.contains(id)).unwrap();
    Pair { world, alice, bob, channel }
}

fn renew(world: &mut World, who: Who) {
    world.ask(who, Command::RefreshKeys);
    world.pass(120_000);
}

#[test]
fn who_commits_keeps_nothing_of_the_epoch_before() {
    // spec: CLI-175
    let Pair { mut world, alice, channel, .. } = pair();
    let before = secrets(&world, alice, &channel, &SECRETS);
    // Message secrets, those of the epoch, the exporter's, the keys of leaf and path.
    assert!(before.len() > 10, "{}", before.len());
    for secret in &before {
        assert!(stands(&world, alice, secret));
    }
    renew(&mut world, alice);
    for secret in &before {
        assert_eq!(places(&world, alice, secret), []);
    }
}

#[test]
fn who_applies_a_commit_keeps_its_own_leaf_and_nothing_else() {
    // spec: CLI-175
    let Pair { mut world, alice, bob, channel } = pair();
    // His leaf and path are his own from now on.
    renew(&mut world, bob);
    let before = secrets(&world, bob, &channel, &SECRETS);
    let keys = secrets(&world, bob, &channel, &[15]);
    renew(&mut world, alice);
    let kept: Vec<_> = before.iter().filter(|secret| stands(&world, bob, secret)).collect();
    assert!(kept.len() == 1 && keys.contains(kept[0]), "{} of {}", kept.len(), before.len());
    renew(&mut world, bob);
    assert!(!before.iter().any(|secret| stands(&world, bob, secret)));
}

#[test]
fn the_two_keys_of_an_epoch_go_with_the_epoch_behind_it() {
    // spec: CLI-175
    let Pair { mut world, alice, bob, channel } = pair();
    let [hers, his] = [alice, bob].map(|who| world.steal(who, &channel).keys.to_secret_bytes());
    assert_eq!(hers, his);
    for who in [alice, bob] {
        assert!(stands(&world, who, &hers[..32]) && stands(&world, who, &hers[32..]));
    }
    renew(&mut world, bob);
    renew(&mut world, alice);
    for who in [alice, bob] {
        assert!(!stands(&world, who, &hers[..32]) && !stands(&world, who, &hers[32..]));
    }
}

#[test]
fn a_key_package_that_was_used_leaves_no_private_key() {
    // spec: CLI-175
    let mut world = World::new(1);
    let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
    let each = private_keys(&world, bob) / world.own_packages(bob);
    world.befriend(alice, bob);
    world.pass(120_000);
    assert_eq!(private_keys(&world, bob), each * world.own_packages(bob));
    let Reply::Link(link) =
        world.ask(bob, Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None })
    else {
        panic!()
    };
    let carol = world.person("Carol", 0);
    world.ask(carol, Command::AddContact { link: link.text });
    world.pass(120_000);
    assert_eq!(private_keys(&world, bob), each * world.own_packages(bob));
}

#[test]
fn nothing_is_on_the_shelf_without_its_private_key_at_any_step() {
    // spec: CLI-046, CLI-091, CLI-175
    for step in 1..20 {
        let mut world = World::new(1);
        let [alice, bob] = ["Alice", "Bob"].map(|name| world.person(name, 0));
        world.befriend(alice, bob);
        let before = world.own_packages(bob);
        world.crash_at(bob, step);
        world.ask(bob, Command::RefreshKeys);
        // Until the relay has said that the new ones are there, the old ones can be used.
        assert!(world.own_packages(bob) >= before, "{step}");
        world.pass(60_000);
        assert!(world.own_packages(bob) > before, "{step}");
    }
}
