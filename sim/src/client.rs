//! A device: its engine, what its disk has, and how its network and clock are.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_engine::{
    engine::{Engine, Settings},
    event::EventNumber,
    memory::MemoryStore,
    session::SessionNumber,
};
use hushwire_wire::id::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::{
    dice::Dice,
    disk::Disk,
    network::LinkId,
    store::{SimStore, Trigger},
    world::lies::Deception,
};

/// The stream of a device's seed that its network is drawn from.
const NETWORK: u64 = 3;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// Requests of a device within an hour: more than the busiest world gives cause for.
const REQUESTS_PER_HOUR_MAX: u32 = 10_000;

/// How far a device is in an identity's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits to be linked.
    Linking,
    /// It is one of its person's devices.
    In,
    /// It was revoked, or its linking failed.
    Out,
}

pub(crate) struct Client {
    /// Whose it is.
    pub(crate) person: usize,
    pub(crate) standing: Standing,
    /// None while it is dead.
    pub(crate) engine: Option<Engine<SimStore>>,
    /// What its disk has while it is dead.
    grave: MemoryStore,
    pub(crate) trigger: Trigger,
    pub(crate) disk: Disk,
    pub(crate) links: BTreeMap<SessionNumber, LinkId>,
    /// Sessions that its engine waits for to be connected.
    pub(crate) wanted: BTreeSet<SessionNumber>,
    pub(crate) skew_ms: i64,
    /// Whether its clock was ever wrong.
    pub(crate) skewed: bool,
    pub(crate) wake_at: Option<Timestamp>,
    /// It has no network before.
    pub(crate) whole_at: Timestamp,
    /// Its network is slow before.
    pub(crate) slow_until: Timestamp,
    /// The next event that its app wants; an app keeps that.
    pub(crate) next_event: EventNumber,
    /// How often it was opened.
    pub(crate) lives: u64,
    /// What its network draws: what happens to others changes nothing of it.
    pub(crate) dice: Dice,
    /// How relays lie to it.
    pub(crate) deception: Deception,
    pub(crate) asked: Asked,
    seed: u64,
}

/// What a device asked of relays within an hour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    hour: u64,
    times: u32,
}

impl Asked {
    /// Counts one more request, and says whether these are too many.
    pub(crate) fn is_too_often(&mut self, now: Timestamp) -> bool {
        let hour = now.0 / HOUR_MS;
        if self.hour != hour {
            *self = Self { hour, times: 0 };
        }
        self.times += 1;
        self.times > REQUESTS_PER_HOUR_MAX
    }
}

impl Client {
    pub(crate) fn new(person: usize, standing: Standing, seed: u64) -> Self {
        Self {
            person,
            standing,
            engine: None,
            grave: MemoryStore::default(),
            trigger: Trigger::default(),
            disk: Disk::default(),
            links: BTreeMap::new(),
            wanted: BTreeSet::new(),
            skew_ms: 0,
            skewed: false,
            wake_at: None,
            whole_at: Timestamp(0),
            slow_until: Timestamp(0),
            next_event: EventNumber(1),
            lives: 0,
            dice: Dice::new(seed, NETWORK),
            deception: Deception::default(),
            asked: Asked::default(),
            seed,
        }
    }

    /// What its clock shows.
    pub(crate) const fn time(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add_signed(self.skew_ms))
    }

    /// Opens it on what its disk has.
    pub(crate) fn open(
        &mut self,
        now: Timestamp,
    ) -> Result<(), hushwire_engine::store::StoreError> {
        self.lives += 1;
        let rng = ChaCha20Rng::seed_from_u64(self.seed.wrapping_add(self.lives << 40));
        let kept = core::mem::take(&mut self.grave);
        let store = SimStore::new(kept.clone(), self.trigger.clone());
        match Engine::open(store, Box::new(rng), Settings::default(), self.time(now)) {
            Ok(engine) => {
                self.engine = Some(engine);
                Ok(())
            }
            Err(error) => {
                // An opening may store some of what it does before it fails; none of it is counted on.
                self.grave = kept;
                Err(error)
            }
        }
    }

    /// Kills it: what it had in memory is gone.
    pub(crate) fn die(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.grave = engine.into_store().into_kept();
        }
        self.disk.close_all();
        self.wanted.clear();
        self.wake_at = None;
    }
}
