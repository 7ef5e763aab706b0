//! The engine: one profile's client, without sockets, clocks or files.
//!
//! # The one invariant
//! After [`Engine::handle_input`] or [`Engine::command`], drain [`Engine::poll_output`] until it is
//! empty, then call again no later than [`Engine::poll_timeout`] says.

mod channels;
mod doors;
mod fetches;
mod files;
mod inbox;
mod rendezvous;
mod sessions;
mod shelf;
mod watches;
mod wishes;

use std::collections::{BTreeMap, VecDeque};

use hushwire_protocol::group::RuleVersion;
use hushwire_wire::id::{ChannelId, Timestamp};
use rand_core::CryptoRng;

pub(crate) use self::watches::WatchKey;
use crate::{
    clock,
    command::{Command, CommandError, Reply},
    engine::{
        channels::ChannelLive,
        doors::DoorLive,
        fetches::FetchLive,
        files::TransferLive,
        inbox::InboxLive,
        rendezvous::RendezvousLive,
        watches::{WatchLive, Watches},
        wishes::WishLive,
    },
    io::{Deadline, Input, Output},
    newer_rules,
    record::{TransferNumber, WishNumber},
    refreshing,
    session::{Session, SessionNumber, State},
    store::{Store, StoreError},
    stuck::{self, Health},
    transaction::Transaction,
    work::{Effects, Work},
};

/// Whether each channel has a session of its own (spec: CLI-031).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// One session for the inbox, one for all channels of a relay.
    #[default]
    ByKind,
    /// One session for the inbox, one for each channel.
    ByChannel,
}

/// What an app may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether each channel has a session of its own.
    pub isolation: Isolation,
}

/// One profile's client.
pub struct Engine<S> {
    store: S,
    rng: Box<dyn CryptoRng + Send>,
    settings: Settings,
    /// The newest rules of groups that are judged by.
    rules: RuleVersion,
    now: Timestamp,
    sessions: BTreeMap<SessionNumber, Session>,
    last_session: u64,
    channels: BTreeMap<ChannelId, ChannelLive>,
    watches: Watches,
    doors: BTreeMap<ChannelId, DoorLive>,
    inbox: Option<InboxLive>,
    rendezvous: Option<RendezvousLive>,
    wishes: BTreeMap<WishNumber, WishLive>,
    transfers: BTreeMap<TransferNumber, TransferLive>,
    fetches: BTreeMap<WishNumber, FetchLive>,
    outputs: VecDeque<Output>,
    /// Something came that invitations may wait for: they are looked at again.
    held_due: bool,
    /// What is under way was forgotten and could not be taken from the store anew: when that is
    /// tried again at the latest.
    reload_due: Option<Timestamp>,
}

impl<S: Store> Engine<S> {
    /// Opens a profile: loads what is under way from the store.
    ///
    /// `rng` must be cryptographically secure; everything random comes from it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn open(
        store: S,
        rng: Box<dyn CryptoRng + Send>,
        settings: Settings,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Self::hazmat_open_supporting(store, rng, settings, now, RuleVersion::SUPPORTED)
    }

    /// The same, as a program that knows the rules of groups up to `rules`. An app that claims to
    /// know rules that it does not know parts its groups: this is for tests of programs of several
    /// ages (spec: GRP-102).
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn hazmat_open_supporting(
        store: S,
        rng: Box<dyn CryptoRng + Send>,
        settings: Settings,
        now: Timestamp,
        rules: RuleVersion,
    ) -> Result<Self, StoreError> {
        let mut engine = Self {
            store,
            rng,
            settings,
            rules,
            now,
            sessions: BTreeMap::new(),
            last_session: 0,
            channels: BTreeMap::new(),
            watches: Watches::new(),
            doors: BTreeMap::new(),
            inbox: None,
            rendezvous: None,
            wishes: BTreeMap::new(),
            transfers: BTreeMap::new(),
            fetches: BTreeMap::new(),
            outputs: VecDeque::new(),
            held_due: false,
            reload_due: None,
        };
        if let Err(error) = engine.load().and_then(|()| engine.pump()) {
            engine.find_damaged(error)?;
            engine.begin_again();
            engine.take_time(now)?;
            engine.pump()?;
        }
        Ok(engine)
    }

    /// Takes from the store what is under way.
    fn load(&mut self) -> Result<(), StoreError> {
        self.transact(clock::cut_times)?;
        self.transact(newer_rules::review)?;
        self.transact(refreshing::check_done)?;
        self.load_wishes()?;
        self.load_channels()?;
        self.load_doors()?;
        self.load_inbox()?;
        self.load_rendezvous()?;
        self.held_due = true;
        Ok(())
    }

    /// Does or answers what an app asks. When this returns, it is durable.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was changed.
    pub fn command(&mut self, now: Timestamp, command: Command) -> Result<Reply, CommandError> {
        let begun = self.take_time(now);
        if begun.is_err() {
            self.store_failed();
        }
        // What is stored can be read on a disk that takes nothing more (spec: CLI-138).
        if !command.only_reads() {
            begun?;
        }
        let reply = match self.answer(command.clone()) {
            Err(CommandError::StoreDamaged) => {
                // Where only a group is, that one is stuck from now on, and the rest works.
                self.find_damaged(StoreError::Damaged)?;
                self.answer(command)?
            }
            reply => reply?,
        };
        // The command is done; if the network's part fails now, the store says so on its own.
        if begun.is_ok() && self.pump().is_err() {
            self.store_failed();
        }
        Ok(reply)
    }

    fn answer(&mut self, command: Command) -> Result<Reply, CommandError> {
        match command {
            Command::Status => Ok(Reply::Status(self.status()?)),
            command => self.transact(|work| crate::dispatch::dispatch(work, command)),
        }
    }

    /// Something that is stored could not be read: where that is the state of groups, they are stuck,
    /// and all else goes on (spec: CLI-161).
    fn find_damaged(&mut self, error: StoreError) -> Result<(), StoreError> {
        match error {
            StoreError::Damaged if self.examine_groups()? == Health::Damaged => Ok(()),
            error => Err(error),
        }
    }

    /// Looks whether the state of each group can be read; those where it cannot are stuck.
    fn examine_groups(&mut self) -> Result<Health, StoreError> {
        let mut found = Health::Sound;
        for channel in self.transact(|work| crate::groups::channels(work))? {
            if self.transact(|work| stuck::examine(work, &channel))? == Health::Damaged {
                found = Health::Damaged;
            }
        }
        Ok(found)
    }

    /// Takes what the driver has to say.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed. Nothing was changed; every session is closed, and what
    /// they brought is read again once the store works.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) -> Result<(), StoreError> {
        let result = self.take_time(now).and_then(|()| self.take(input)).and_then(|()| self.pump());
        let Err(error) = result else { return Ok(()) };
        self.store_failed();
        self.find_damaged(error)
    }

    /// What the driver has to do next, if anything.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the engine wants [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Deadline {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        let wishes = self.wishes.values().filter_map(WishLive::deadline);
        let channels = self.channels.values().filter_map(ChannelLive::deadline);
        let watches = self.watches.values().filter_map(WatchLive::deadline);
        let rendezvous =
            self.rendezvous.iter().filter_map(|rendezvous| rendezvous.deadline(self.now));
        let doors = self.doors.values().filter_map(DoorLive::deadline);
        let inbox = self.inbox.iter().filter_map(InboxLive::deadline);
        let fetches = self.fetches.values().map(FetchLive::deadline);
        let reload = self.reload_due.into_iter();
        let all = sessions.chain(wishes).chain(channels).chain(rendezvous).chain(doors);
        let all = all.chain(inbox).chain(watches).chain(fetches).chain(reload);
        all.filter(|at| *at > self.now).min()
    }

    /// The store, to look after it while the engine does nothing.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, to be kept when the engine ends.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Takes the time. If the clock went back, every wait is by a clock that was wrong, those of
    /// sessions too (spec: CLI-136).
    fn take_time(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.now.ms_since(now) >= clock::CLOCK_BACK_MS {
            self.now = now;
            // A relay that showed another key stays out of use (spec: CLI-033).
            let outputs = &mut self.outputs;
            self.sessions.retain(|number, session| {
                let stays = session.state == State::KeyMismatch;
                if !stays {
                    outputs.push_back(Output::Close(*number));
                }
                stays
            });
            self.begin_again();
        }
        self.now = self.now.max(now);
        // Also when that failed before, whatever the clock says by now (spec: CLI-138).
        if self.reload_due.is_some() {
            self.load()?;
            self.reload_due = None;
        }
        Ok(())
    }

    /// Forgets all that is not durable, but for sessions: before anything else is done, it is taken
    /// from the store what is under way, as if the profile was opened then.
    pub(super) fn begin_again(&mut self) {
        self.reload_due = Some(self.now.plus_ms(clock::RELOAD_REST_MS));
        self.drop_transfers(|_| true);
        self.fetches.clear();
        self.wishes.clear();
        self.channels.clear();
        self.watches.clear();
        self.doors.clear();
        self.inbox = None;
        self.rendezvous = None;
        self.outputs.push_back(Output::StatusChanged);
    }

    fn take(&mut self, input: Input) -> Result<(), StoreError> {
        match input {
            Input::Connected(session) => self.connected(session),
            Input::Frame(session, frame) => return self.frame(session, frame),
            Input::Disconnected(session, why) => return self.disconnected(session, why),
            Input::FileOpened { transfer, length } => return self.file_opened(transfer, length),
            Input::FileRead { transfer, offset, content } => {
                return self.file_read(transfer, offset, content);
            }
            Input::FileWritten { transfer, offset } => return self.file_written(transfer, offset),
            Input::FileFinished { transfer } => return self.file_finished(transfer),
            Input::FileFailed { transfer, reason } => return self.file_failed(transfer, reason),
            Input::Timeout => {}
        }
        Ok(())
    }

    /// Does everything that can be done now: connects, opens, reads on, tries wishes.
    fn pump(&mut self) -> Result<(), StoreError> {
        self.pump_once()?;
        // A wish that came true may be what an invitation waited for.
        if self.held_due { self.pump_once() } else { Ok(()) }
    }

    fn pump_once(&mut self) -> Result<(), StoreError> {
        self.pump_held()?;
        self.pump_fetches()?;
        self.end_silent_sessions()?;
        self.pump_sessions();
        self.pump_inbox()?;
        self.pump_shelf();
        self.pump_rendezvous()?;
        self.pump_channels()?;
        self.pump_watches()?;
        self.pump_doors()?;
        self.pump_wishes()
    }

    /// Runs an operation in one transaction: its changes are stored, or nothing happened.
    pub(crate) fn transact<T, E: From<StoreError>>(
        &mut self,
        operation: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut work = Work {
            tx: Transaction::new(&self.store),
            rng: &mut *self.rng,
            now: self.now,
            effects: Effects::default(),
            rules: self.rules,
        };
        let result = operation(&mut work)?;
        let Work { tx, effects, .. } = work;
        let changes = tx.into_changes();
        if !changes.is_empty() {
            self.store.apply(changes)?;
        }
        self.absorb(effects)?;
        Ok(result)
    }

    fn absorb(&mut self, effects: Effects) -> Result<(), StoreError> {
        for wish in effects.wished {
            // One that is asked already goes on with its answer, and looks again then.
            if !self.wishes.get(&wish).is_some_and(|live| live.asked) {
                self.wishes.insert(wish, WishLive::default());
            }
        }
        for wish in &effects.settled {
            self.wish_settled(*wish);
            self.drop_fetch(*wish);
            // Who waits for everything to be settled looks again.
            self.outputs.push_back(Output::StatusChanged);
        }
        for channel in &effects.read_anew {
            self.leave_reading(channel);
        }
        for channel in &effects.channels {
            self.channel_moved(*channel)?;
        }
        for channel in effects.channels.union(&effects.doors) {
            self.door_moved(*channel)?;
        }
        for channel in &effects.doors_clearer {
            self.look_again_at_door(channel);
        }
        self.held_due |= effects.held_clearer;
        if let Some(inbox) = self.inbox.as_mut().filter(|_| effects.shelf) {
            inbox.shelf.look(self.now);
        }
        if effects.inbox {
            self.load_inbox()?;
        }
        if effects.linking {
            self.load_rendezvous()?;
        }
        self.outputs.extend(effects.outputs);
        self.drop_transfers(|live| effects.settled.contains(&live.wish));
        if effects.events {
            self.outputs.push_back(Output::Events);
        }
        Ok(())
    }
}
