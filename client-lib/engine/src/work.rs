//! One operation under way: its transaction, the time, randomness, and what shall follow once it
//! is stored.
//!
//! Whatever leaves the engine is collected in [`Effects`] and released only after the transaction
//! was applied: persist before you speak (spec: CLI-002).

#[cfg(test)]
pub(crate) mod trial;

use std::collections::BTreeSet;

use hushwire_protocol::{group::RuleVersion, identity::Fingerprint, provider::Provider};
use hushwire_wire::id::{ChannelId, Timestamp};
use rand_core::CryptoRng;

use crate::{
    additions,
    event::{Event, EventNumber, NumberedEvent},
    io::Output,
    joining,
    record::{
        Counters, IdentityRecord, InboxRecord, Record, Wish, WishNumber, WishRecord,
        by_channel_wish, by_number,
    },
    store::{StoreError, Table},
    transaction::Transaction,
    uploads,
    warnings::{self, Telling},
};

/// An event in the store. Key: number.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct EventRecord(pub(crate) NumberedEvent);

impl Record for EventRecord {
    const TABLE: Table = Table::Event;
}

/// What shall follow once the transaction is stored.
#[derive(Default)]
pub(crate) struct Effects {
    /// To the driver, in order.
    pub(crate) outputs: Vec<Output>,
    /// Wishes that were added.
    pub(crate) wished: Vec<WishNumber>,
    /// Wishes that are no more.
    pub(crate) settled: Vec<WishNumber>,
    /// Groups of which the door, its links or its requests changed.
    pub(crate) doors: BTreeSet<ChannelId>,
    /// Channels that are opened and read anew, though they seem to be read to their end.
    pub(crate) read_anew: BTreeSet<ChannelId>,
    /// Groups of whose door items can be judged now that could not be: more of its links is known, or
    /// there is room for requests.
    pub(crate) doors_clearer: BTreeSet<ChannelId>,
    /// Channels whose group moved on, came, or went.
    pub(crate) channels: BTreeSet<ChannelId>,
    /// A linking began, or is over.
    pub(crate) linking: bool,
    /// The inbox is new or has other keys.
    pub(crate) inbox: bool,
    /// Invitations that wait can be judged now that could not be.
    pub(crate) held_clearer: bool,
    /// The shelf may need key packages.
    pub(crate) shelf: bool,
    /// Events were added.
    pub(crate) events: bool,
}

/// One operation under way.
pub(crate) struct Work<'a> {
    pub(crate) tx: Transaction<'a>,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(crate) now: Timestamp,
    pub(crate) effects: Effects,
    /// The newest rules of groups that this program knows.
    pub(crate) rules: RuleVersion,
}

/// The newest events that are kept; with what they take in a store, some ten million bytes.
pub(crate) const EVENTS_KEPT_MAX: u64 = 100_000;

impl Work<'_> {
    /// Notes an event; the oldest one goes when there are too many (spec: CLI-107).
    pub(crate) fn event(&mut self, event: Event) -> Result<(), StoreError> {
        if let Event::Warning(warning) = &event
            && warnings::count(self, warning)? == Telling::PassOver
        {
            return Ok(());
        }
        let number = self.count(|counters| &mut counters.event)?;
        let record =
            EventRecord(NumberedEvent { number: EventNumber(number), at_ms: self.now.0, event });
        self.tx.save(&by_number(number), &record)?;
        if let Some(gone) = number.checked_sub(EVENTS_KEPT_MAX) {
            self.tx.remove(Table::Event, &by_number(gone));
        }
        self.effects.events = true;
        Ok(())
    }

    /// The oldest event that is kept, or the first one to come.
    pub(crate) fn oldest_event(&self) -> Result<EventNumber, StoreError> {
        let last = self.tx.load::<Counters>(Counters::KEY)?.unwrap_or_default().event;
        Ok(EventNumber(last.saturating_sub(EVENTS_KEPT_MAX).saturating_add(1)))
    }

    /// Adds a wish.
    pub(crate) fn wish(&mut self, wish: Wish) -> Result<WishNumber, StoreError> {
        let number = self.count(|counters| &mut counters.wish)?;
        self.file_wish(WishNumber(number), &wish)?;
        self.tx.save(&by_number(number), &WishRecord { wish })?;
        self.effects.wished.push(WishNumber(number));
        Ok(WishNumber(number))
    }

    /// Notes which channel a wish is about, and what there it is.
    pub(crate) fn file_wish(&self, number: WishNumber, wish: &Wish) -> Result<(), StoreError> {
        self.file_gathering(number, wish)?;
        if let Wish::JoinGroup { channel, .. } = wish {
            let key = joining::waiting_key(channel, number);
            self.tx.put(Table::Profile, &key, zeroize::Zeroizing::default());
        }
        let Some(channel) = wish.channel() else { return Ok(()) };
        let key = by_channel_wish(channel, number);
        if self.tx.row(Table::ChannelWish, &key)?.is_none() {
            self.tx.put(Table::ChannelWish, &key, zeroize::Zeroizing::default());
        }
        Ok(())
    }

    /// Notes whether an addition waits for key packages, from when on and for how long it is waited
    /// for.
    fn file_gathering(&self, number: WishNumber, wish: &Wish) -> Result<(), StoreError> {
        let (Some(packages), Some(channel)) = (wish.addition(), wish.channel()) else {
            return Ok(());
        };
        let key = [&additions::gathering_prefix(channel)[..], &by_number(number.0)].concat();
        if packages.are_complete() {
            self.tx.remove(Table::Profile, &key);
        } else if self.tx.row(Table::Profile, &key)?.is_none() {
            let until = self.now.plus_ms(additions::GATHER_WAIT_MS).0;
            let value = zeroize::Zeroizing::new(by_number(until).to_vec());
            self.tx.put(Table::Profile, &key, value);
        }
        Ok(())
    }

    /// Writes a wish's new state; it stays about the same channel.
    pub(crate) fn update_wish(&self, number: WishNumber, wish: Wish) -> Result<(), StoreError> {
        self.file_gathering(number, &wish)?;
        self.tx.save(&by_number(number.0), &WishRecord { wish })
    }

    /// A wish came true, or will not.
    pub(crate) fn settle(&mut self, number: WishNumber) {
        // What cannot be read now is passed over where wishes of a channel are looked for.
        if let Ok(Some(record)) = self.tx.load::<WishRecord>(&by_number(number.0)) {
            self.unfile_wish(number, &record.wish);
        }
        self.tx.remove(Table::Wish, &by_number(number.0));
        self.tx.remove(Table::Sealed, &by_number(number.0));
        uploads::forget_progress(self, number);
        self.effects.settled.push(number);
    }

    /// Forgets what was noted of a wish beside itself.
    fn unfile_wish(&self, number: WishNumber, wish: &Wish) {
        if let Wish::JoinGroup { channel, .. } = wish {
            self.tx.remove(Table::Profile, &joining::waiting_key(channel, number));
        }
        let Some(channel) = wish.channel() else { return };
        self.tx.remove(Table::ChannelWish, &by_channel_wish(channel, number));
        if wish.addition().is_some() {
            let key = [&additions::gathering_prefix(channel)[..], &by_number(number.0)].concat();
            self.tx.remove(Table::Profile, &key);
        }
    }

    /// Gives out the next number of a kind; the first is 1.
    pub(crate) fn count(
        &self,
        which: impl FnOnce(&mut Counters) -> &mut u64,
    ) -> Result<u64, StoreError> {
        let mut counters: Counters = self.tx.load(Counters::KEY)?.unwrap_or_default();
        let counter = which(&mut counters);
        *counter = counter.checked_add(1).ok_or(StoreError::Damaged)?;
        let number = *counter;
        self.tx.save(Counters::KEY, &counters)?;
        Ok(number)
    }

    /// The identity, if the profile has one.
    pub(crate) fn identity(&self) -> Result<Option<IdentityRecord>, StoreError> {
        self.tx.load(IdentityRecord::KEY)
    }

    /// The fingerprint of this identity. One is there, or nothing would ask.
    pub(crate) fn me(&self) -> Result<Fingerprint, StoreError> {
        Ok(self.identity()?.ok_or(StoreError::Damaged)?.fingerprint())
    }

    /// The inbox, if the profile has one.
    pub(crate) fn inbox(&self) -> Result<Option<InboxRecord>, StoreError> {
        self.tx.load(InboxRecord::KEY)
    }

    /// What the group code needs for one operation of this transaction.
    pub(crate) fn provider(&mut self) -> Provider<'_> {
        Provider::new(&self.tx, self.rng).supporting(self.rules)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
