//! Stores as builds of the past left them.

use hushwire_engine::store::{Change, Order, Range, Store as _, Table};
use hushwire_protocol::{identity::Fingerprint, storage::group_prefix};
use hushwire_wire::id::ChannelId;
use zeroize::Zeroizing;

use super::{Who, World};

/// What happens to what is stored of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Nothing of it can be read.
    Garbled,
    /// It is gone.
    Lost,
    /// The keys of its epoch are gone.
    WithoutKeys,
    /// What it keeps of those who were there before is gone.
    WithoutPast,
    /// Who was in it cannot be read.
    GarbledRoster,
    /// A contact who is in it cannot be read.
    GarbledContact(Fingerprint),
}

impl World {
    /// Damages what a device has stored of a group, and opens it again.
    pub(crate) fn damage(&mut self, who: Who, channel: &ChannelId, damage: Damage) {
        self.crash_links(who);
        let mut store = self.people[who.0].engine.take().unwrap().into_store();
        let (table, prefix) = match damage {
            Damage::Garbled | Damage::Lost => (Table::Mls, group_prefix(channel)),
            Damage::WithoutKeys => (Table::Epoch, channel.as_bytes().to_vec()),
            Damage::WithoutPast => {
                (Table::Profile, [b"fork roster ", &channel.as_bytes()[..]].concat())
            }
            Damage::GarbledRoster => {
                (Table::Profile, [b"roster ", &channel.as_bytes()[..]].concat())
            }
            Damage::GarbledContact(person) => (Table::Contact, person.as_bytes().to_vec()),
        };
        let range =
            Range { prefix: &prefix, from: None, order: Order::Ascending, rows_max: usize::MAX };
        let garbled =
            matches!(damage, Damage::Garbled | Damage::GarbledRoster | Damage::GarbledContact(_));
        let value = garbled.then(|| Zeroizing::new(vec![0xc1]));
        let rows = store.rows(table, range).unwrap().into_iter();
        let changes: Vec<Change> =
            rows.map(|row| Change { table, key: row.key, value: value.clone() }).collect();
        assert!(!changes.is_empty());
        store.apply(changes).unwrap();
        let now = self.time_of(who);
        self.people[who.0].open(store, now);
        self.work();
    }

    /// Puts one text in the place of another wherever a device has stored it, and opens it again.
    /// Both are equally long, so that what stands around them is as it was.
    pub(crate) fn amend(&mut self, who: Who, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        self.crash_links(who);
        let mut store = self.people[who.0].engine.take().unwrap().into_store();
        let mut changes = Vec::new();
        for table in Table::ALL {
            let range =
                Range { prefix: &[], from: None, order: Order::Ascending, rows_max: usize::MAX };
            for row in store.rows(table, range).unwrap() {
                let mut value = row.value.to_vec();
                if replace(&mut value, from.as_bytes(), to.as_bytes()) {
                    let value = Some(Zeroizing::new(value));
                    changes.push(Change { table, key: row.key, value });
                }
            }
        }
        assert!(!changes.is_empty());
        store.apply(changes).unwrap();
        let now = self.time_of(who);
        self.people[who.0].open(store, now);
        self.work();
    }
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) -> bool {
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(place, _)| place)
        .collect();
    for place in &places {
        bytes[*place..place + to.len()].copy_from_slice(to);
    }
    !places.is_empty()
}
