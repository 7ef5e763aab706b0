//! News from the writer to the lanes whose readings want it.
//!
//! Owns an index from objects to subscriptions, so that news costs what it wakes and nothing else.
//! A wake is a mark, not a queue: a subscription holds the first news and, when another comes,
//! forgets both and says that it lost some. What a reader that stalls costs is therefore constant
//! (spec: RLY-022). Entries are never held here; a reading pulls them from the store.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hushwire_relay_rules::{News, store::Object};
use hushwire_wire::message::RequestId;
use tokio::sync::Notify;

const SHARDS: usize = 16;

/// What came for a reading since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// One news, maybe several times.
    One(News),
    /// More than one; which is forgotten.
    Several,
}

/// Where a lane hears that some of its readings have news.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// Each reading stands here at most once: it is added when its mark goes up.
    due: Mutex<Vec<RequestId>>,
    notify: Notify,
}

impl Bell {
    /// Resolves when readings may be due.
    pub(crate) async fn rung(&self) {
        self.notify.notified().await;
    }

    /// The readings that are due.
    pub(crate) fn take_due(&self) -> Vec<RequestId> {
        mem::take(&mut *lock(&self.due))
    }
}

/// The index of subscriptions.
#[derive(Debug)]
pub(crate) struct Fanout {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    next: AtomicU64,
}

type Shard = HashMap<Object, HashMap<u64, Arc<Mark>>>;

#[derive(Debug)]
struct Mark {
    reading: RequestId,
    pending: Mutex<Pending>,
    bell: Arc<Bell>,
}

/// A reading's place in the index, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    fanout: Arc<Fanout>,
    object: Object,
    number: u64,
    mark: Arc<Mark>,
}

impl Fanout {
    /// An index without subscriptions.
    pub(crate) fn new() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, hasher: RandomState::new(), next: AtomicU64::new(0) }
    }

    /// Marks a reading of `object` from now on, and rings its lane's bell.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        object: Object,
        reading: RequestId,
        bell: &Arc<Bell>,
    ) -> Subscription {
        let mark = Arc::new(Mark {
            reading,
            pending: Mutex::new(Pending::Nothing),
            bell: Arc::clone(bell),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(mut shard) = self.shard(&object) {
            shard.entry(object).or_default().insert(number, Arc::clone(&mark));
        }
        Subscription { fanout: Arc::clone(self), object, number, mark }
    }

    /// Marks every reading that wants one of these news.
    pub(crate) fn publish(&self, news: &[News]) {
        for item in news {
            let Some(shard) = self.shard(&item.object()) else { continue };
            for mark in shard.get(&item.object()).into_iter().flat_map(HashMap::values) {
                mark.raise(item);
            }
        }
    }

    /// How many readings are subscribed.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).values().map(HashMap::len).sum::<usize>()).sum()
    }

    fn shard(&self, object: &Object) -> Option<MutexGuard<'_, Shard>> {
        let count = u64::try_from(SHARDS).ok()?;
        let place = usize::try_from(self.hasher.hash_one(object) % count).ok()?;
        self.shards.get(place).map(lock)
    }
}

impl Mark {
    fn raise(&self, news: &News) {
        let mut pending = lock(&self.pending);
        match *pending {
            Pending::Nothing => {
                *pending = Pending::One(*news);
                drop(pending);
                lock(&self.bell.due).push(self.reading);
                self.bell.notify.notify_one();
            }
            Pending::One(before) if before != *news => *pending = Pending::Several,
            Pending::One(_) | Pending::Several => {}
        }
    }
}

impl Subscription {
    /// What came since the last call.
    pub(crate) fn take(&self) -> Pending {
        mem::take(&mut *lock(&self.mark.pending))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(mut shard) = self.fanout.shard(&self.object) else { return };
        if let Some(marks) = shard.get_mut(&self.object) {
            marks.remove(&self.number);
            if marks.is_empty() {
                shard.remove(&self.object);
            }
        }
    }
}

/// Nothing here can be left half-changed by a panic, so a poisoned lock is taken as it is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use hushwire_wire::id::{ChannelId, EpochId, InboxId};

    use super::*;

    fn channel(epoch: u8) -> News {
        let epoch = EpochId::from_bytes([epoch; 32]);
        News::Channel { channel: ChannelId::from_bytes([1; 32]), epoch }
    }

    #[test]
    fn a_stalled_reader_holds_one_mark_however_much_comes() {
        // spec: RLY-022
        let fanout = Arc::new(Fanout::new());
        let bell = Arc::new(Bell::default());
        let subscription = fanout.subscribe(channel(1).object(), RequestId(7), &bell);
        fanout.publish(&[channel(1)]);
        fanout.publish(&[channel(1)]);
        assert_eq!(subscription.take(), Pending::One(channel(1)));
        for _ in 0..1000 {
            fanout.publish(&[channel(2), channel(3)]);
        }
        assert_eq!(bell.take_due(), [RequestId(7), RequestId(7)]);
        assert_eq!(subscription.take(), Pending::Several);
        assert_eq!(subscription.take(), Pending::Nothing);
    }

    #[test]
    fn only_subscribers_of_the_object_are_rung_and_none_after_they_left() {
        // spec: RLY-022
        let fanout = Arc::new(Fanout::new());
        let (bell, other) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        let inbox = News::Inbox(InboxId::from_bytes([2; 16]));
        let subscription = fanout.subscribe(channel(1).object(), RequestId(1), &bell);
        let _inbox = fanout.subscribe(inbox.object(), RequestId(1), &other);
        fanout.publish(&[inbox]);
        assert_eq!((bell.take_due().len(), other.take_due().len()), (0, 1));
        drop(subscription);
        fanout.publish(&[channel(1)]);
        assert!(bell.take_due().is_empty());
        assert_eq!(fanout.len(), 1);
    }
}
