//! Channels: opening them at the current epoch, reading their logs, and when they can be written to.
//!
//! | phase | input | next |
//! |---|---|---|
//! | closed | session ready | opening |
//! | opening | opened | reading |
//! | opening | refused | waiting |
//! | opening | refused for want of room, a newer one is open | closed, the newer one waiting |
//! | reading | entry | reading; it is kept |
//! | reading | end of the epoch, signed for what was kept | reading, perhaps at a later epoch |
//! | reading | the same, a large entry among it | fetching |
//! | reading | the relay contradicts itself | waiting, from a place before |
//! | reading | caught up at a later epoch than the handle's | opening |
//! | fetching | whole | opening |
//! | any | session lost | closed |

mod large_entry;
mod reading;

use hushwire_protocol::group::RuleVersion;
use hushwire_wire::{
    error::Code,
    id::{ChannelId, EpochId, Timestamp},
    message::{Answer, ChannelOpened, Entry, Follow, Handle, Request, RequestId},
};

use self::large_entry::{Fetching, OtherContent};
use super::Engine;
use crate::{
    backoff::{self, ToldRest},
    command::{CatchUpInfo, ChatNumber},
    log,
    pending::Pending,
    record::{GroupRecord, GroupState, WishNumber},
    refreshing,
    session::{SessionKey, SessionNumber},
    store::{Store, StoreError},
    wish::ChannelView,
};

/// A channel as it is used now.
pub(super) struct ChannelLive {
    pub(super) key: SessionKey,
    origin: Origin,
    /// The chat that it carries; none: the own group.
    chat: Option<ChatNumber>,
    state: GroupState,
    epoch: EpochId,
    phase: Phase,
    append: Option<WishNumber>,
    /// What the relay said at the last opening.
    promise: Option<log::Promise>,
    contest_at: Option<Timestamp>,
    /// When this device's leaf is to have new keys.
    refresh_at: Option<Timestamp>,
    /// It goes by rules that this program does not know.
    held: bool,
    refusals: u32,
    other_content: Option<OtherContent>,
    catch_up: CatchUp,
    /// Entries that the relay has not signed for yet (spec: CLI-176).
    unsigned: Vec<Entry>,
    /// How often the relay contradicted itself since all was read.
    disputes: u32,
}

/// How far the reading is, since this device was behind.
#[derive(Clone, Copy, Default)]
struct CatchUp {
    read: u64,
    of: u64,
}

/// Whose doing it is that this device is in a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// Its own identity's.
    Own,
    /// Another identity's, which invited it.
    Others,
}

/// The place of a channel in the order of opening: the own group, what this identity made, what others
/// invited to; and the oldest chat first. How many chats others make does not count for one's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Age {
    origin: Origin,
    chat: Option<ChatNumber>,
    channel: ChannelId,
}

/// Whether a session has room for one channel more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// As far as is known it has none.
    #[default]
    None,
    /// Room was made.
    Made,
}

enum Phase {
    Closed,
    Opening,
    Reading(Reading),
    Fetching(Box<Fetching>),
    Waiting { until: Timestamp },
}

#[derive(Clone, Copy)]
struct Reading {
    session: SessionNumber,
    handle: Handle,
    /// The epoch whose key opened it.
    base: EpochId,
    request: RequestId,
    caught_up: bool,
}

impl ChannelLive {
    fn new(key: SessionKey, record: &GroupRecord, rules: RuleVersion) -> Self {
        let mut live = Self {
            key,
            origin: Origin::Own,
            chat: record.purpose.chat(),
            state: record.state,
            epoch: record.epoch,
            phase: Phase::Closed,
            append: None,
            promise: None,
            contest_at: None,
            refresh_at: None,
            held: false,
            refusals: 0,
            other_content: None,
            catch_up: CatchUp::default(),
            unsigned: Vec::new(),
            disputes: 0,
        };
        live.follow(record, rules);
        live
    }

    fn follow(&mut self, record: &GroupRecord, rules: RuleVersion) {
        self.origin = if record.invited_by.is_some() { Origin::Others } else { Origin::Own };
        self.chat = record.purpose.chat();
        self.state = record.state;
        self.epoch = record.epoch;
        self.contest_at = record.contest.as_ref().map(|contest| Timestamp(contest.at_ms));
        self.held = record.is_held(rules);
        let refresh = record.refresh.filter(|_| record.state == GroupState::Member && !self.held);
        self.refresh_at = refresh.map(|refresh| Timestamp(refresh.at_ms));
    }

    const fn age(&self, channel: &ChannelId) -> Age {
        Age { origin: self.origin, chat: self.chat, channel: *channel }
    }

    /// Whether nothing is missing, as far as the relay says.
    pub(super) fn is_current(&self) -> bool {
        match (&self.phase, self.state) {
            (_, GroupState::Creating | GroupState::Out | GroupState::Stuck) => true,
            _ if self.held => true,
            (Phase::Reading(reading), _) => reading.caught_up && reading.base == self.epoch,
            _ => false,
        }
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let rest = match self.phase {
            Phase::Waiting { until } => Some(until),
            _ => None,
        };
        rest.into_iter().chain(self.contest_at).chain(self.refresh_at).min()
    }

    /// Whether anything is to be done at its relay.
    pub(super) const fn wants_session(&self) -> bool {
        self.state.is_in() && !self.held
    }

    fn wants_reading(&self) -> bool {
        matches!(self.state, GroupState::Member | GroupState::Leaving) && !self.held
    }
}

impl<S: Store> Engine<S> {
    pub(super) fn load_channels(&mut self) -> Result<(), StoreError> {
        for channel in self.transact(|work| crate::groups::channels(work))? {
            self.channel_moved(channel)?;
        }
        Ok(())
    }

    /// A group came, moved on, or went.
    pub(super) fn channel_moved(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let found = self.transact(|work| crate::groups::with_relay(work, &channel))?;
        let Some(crate::groups::Placed { record, relay }) = found else {
            self.leave_reading(&channel);
            self.channels.remove(&channel);
            return self.watches_moved(channel);
        };
        let key = self.channel_key(&relay, &channel);
        if record.state == GroupState::Out {
            self.leave_reading(&channel);
            self.channels.remove(&channel);
            return self.watches_moved(channel);
        }
        let rules = self.rules;
        let new = || ChannelLive::new(key, &record, rules);
        let live = self.channels.entry(channel).or_insert_with(new);
        live.follow(&record, rules);
        if record.state == GroupState::Stuck || live.held {
            self.leave_reading(&channel);
        }
        self.free_appends(&channel);
        self.watches_moved(channel)
    }

    pub(super) fn pump_channels(&mut self) -> Result<(), StoreError> {
        // Who made a chat's channel chose its id: ids give no order (spec: CLI-113).
        let mut ages: Vec<Age> =
            self.channels.iter().map(|(channel, live)| live.age(channel)).collect();
        ages.sort_unstable();
        for age in ages {
            self.pump_channel(age.channel)?;
        }
        Ok(())
    }

    /// The relay has no room for one more on this session. The newest of those behind it gives way,
    /// if there is one (spec: CLI-113).
    fn take_place(&mut self, channel: &ChannelId) {
        let Some(live) = self.channels.get(channel) else { return };
        let age = live.age(channel);
        let Some(newest) = self.newest_open(&live.key).filter(|newest| *newest > age) else {
            return self.rest(channel, ToldRest::NONE);
        };
        self.rest(&newest.channel, ToldRest::NONE);
        self.close_channel(channel);
    }

    /// The last in order of the channels that are read on this session.
    fn newest_open(&self, key: &SessionKey) -> Option<Age> {
        let is_open =
            |live: &ChannelLive| live.key == *key && matches!(live.phase, Phase::Reading(_));
        let open = self.channels.iter().filter(|(_, live)| is_open(live));
        open.map(|(channel, live)| live.age(channel)).max()
    }

    /// The relay has no room on this session for a channel that is to be made. The newest that is open
    /// there gives way, if there is one (spec: CLI-142).
    pub(super) fn make_place(&mut self, key: &SessionKey) -> Place {
        let Some(newest) = self.newest_open(key) else { return Place::None };
        self.rest(&newest.channel, ToldRest::NONE);
        Place::Made
    }

    fn pump_channel(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let now = self.now();
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        if matches!(live.phase, Phase::Waiting { until } if until <= now) {
            live.phase = Phase::Closed;
        }
        let outdated = matches!(&live.phase, Phase::Reading(reading)
            if reading.caught_up && reading.base != live.epoch);
        let contest = live.contest_at.is_some_and(|at| at <= now) && live.is_current();
        if outdated {
            self.leave_reading(&channel);
        }
        if contest {
            if let Some(live) = self.channels.get_mut(&channel) {
                live.contest_at = None;
            }
            self.free_appends(&channel);
            self.transact(|work| log::contest(work, &channel))?;
        }
        self.refresh_leaf(channel)?;
        self.open_channel(channel)
    }

    /// This device's leaf gets new keys, if it is time and nothing is missing here (spec: CLI-170).
    fn refresh_leaf(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let now = self.now();
        let due = self.channels.get(&channel).is_some_and(|live| {
            let time = live.refresh_at.is_some_and(|at| at <= now);
            time && live.is_current() && matches!(live.phase, Phase::Reading(_))
        });
        if due { self.transact(|work| refreshing::due(work, &channel)) } else { Ok(()) }
    }

    fn open_channel(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get(&channel) else { return Ok(()) };
        if !live.wants_reading() || !matches!(live.phase, Phase::Closed) {
            return Ok(());
        }
        let (key, epoch) = (live.key.clone(), live.epoch);
        let Some(number) = self.ready(&key) else { return Ok(()) };
        let Some(id) = self.sessions.get(&number).and_then(|session| session.id) else {
            return Ok(());
        };
        let relay = key.relay.relay();
        let request =
            self.transact(|work| log::open_request(work, &relay, &id, &channel, &epoch))?;
        if let Some(live) = self.channels.get_mut(&channel) {
            live.phase = Phase::Opening;
        }
        self.send(number, request, Pending::OpenChannel { channel, epoch });
        Ok(())
    }

    pub(super) fn channel_answered(
        &mut self,
        session: SessionNumber,
        channel: ChannelId,
        epoch: EpochId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        match answer {
            Answer::ChannelOpened(opened) => self.begin_reading(session, channel, epoch, &opened),
            Answer::Refused(ref refusal) if refusal.code == Code::LimitExceeded => {
                self.take_place(&channel);
                Ok(())
            }
            Answer::Refused(ref refusal) if refusal.code == Code::Denied => {
                self.transact(|work| log::denied(work, &channel, &epoch))?;
                self.rest(&channel, ToldRest::of(&answer));
                Ok(())
            }
            _ => {
                self.rest(&channel, ToldRest::of(&answer));
                Ok(())
            }
        }
    }

    fn begin_reading(
        &mut self,
        number: SessionNumber,
        channel: ChannelId,
        epoch: EpochId,
        opened: &ChannelOpened,
    ) -> Result<(), StoreError> {
        let handle = opened.handle;
        let live = self.channels.get(&channel);
        if live.is_some_and(|live| !matches!(live.phase, Phase::Opening)) {
            // It was asked for anew since, or left alone.
            self.send(number, Request::ChannelClose(handle), Pending::Nothing);
            return Ok(());
        }
        if !live.is_some_and(|live| live.epoch == epoch && live.wants_reading()) {
            // The group moved on, or is over, while the answer was under way.
            self.send(number, Request::ChannelClose(handle), Pending::Nothing);
            self.close_channel(&channel);
            return Ok(());
        }
        let from = self.transact(|work| log::opened(work, &channel, &epoch, opened))?;
        let log::Opened::ReadFrom(from) = from else {
            self.send(number, Request::ChannelClose(handle), Pending::Nothing);
            return self.disputed(channel);
        };
        let read = Request::ChannelRead { handle, epoch, from, follow: Follow::Onward };
        let request =
            self.send_tracked(number, read, Pending::ReadChannel { channel, base: epoch });
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        live.promise = Some(log::Promise::of(opened));
        live.unsigned.clear();
        let there = opened.next.0.saturating_sub(from.0);
        live.catch_up.of = live.catch_up.read.saturating_add(there).max(live.catch_up.of);
        live.phase = match request {
            Some(request) => Phase::Reading(Reading {
                session: number,
                handle,
                base: epoch,
                request,
                caught_up: false,
            }),
            None => Phase::Closed,
        };
        Ok(())
    }

    /// Sends a request, and says under which number.
    pub(super) fn send_tracked(
        &mut self,
        number: SessionNumber,
        request: Request,
        pending: Pending,
    ) -> Option<RequestId> {
        self.send(number, request, pending);
        match self.outputs.back() {
            Some(crate::io::Output::Send { frame, .. }) => Some(frame.id),
            _ => None,
        }
    }

    /// Ends the reading, if there is one: the channel is opened anew when it is looked at again.
    pub(super) fn leave_reading(&mut self, channel: &ChannelId) {
        let Some(live) = self.channels.get_mut(channel) else { return };
        live.unsigned.clear();
        if let Phase::Reading(reading) = core::mem::replace(&mut live.phase, Phase::Closed) {
            self.send(reading.session, Request::ChannelClose(reading.handle), Pending::Nothing);
            if let Some(session) = self.sessions.get_mut(&reading.session) {
                session.settle(reading.request);
            }
        }
        self.free_appends(channel);
    }

    /// Forgets the reading: its session is gone.
    pub(super) fn close_channel(&mut self, channel: &ChannelId) {
        if let Some(live) = self.channels.get_mut(channel) {
            live.phase = Phase::Closed;
        }
        self.free_appends(channel);
    }

    fn rest(&mut self, channel: &ChannelId, told: ToldRest) {
        self.leave_reading(channel);
        let jitter = backoff::jitter_ms(backoff::REFUSED_REST_MS, &mut *self.rng);
        let now = self.now();
        if let Some(live) = self.channels.get_mut(channel) {
            live.refusals = live.refusals.saturating_add(1);
            let rest = told.or_at_least_ms(backoff::span_ms(live.refusals));
            live.phase = Phase::Waiting { until: now.plus_ms(rest).plus_ms(jitter) };
        }
    }

    /// The chats that are still being read (spec: CLI-166).
    pub(super) fn catching_up(&self) -> Vec<CatchUpInfo> {
        let behind = self.channels.values().filter(|live| !live.is_current());
        let reading = behind.filter(|live| live.catch_up.of > 0);
        let info = |live: &ChannelLive| {
            let CatchUp { read, of } = live.catch_up;
            CatchUpInfo { chat: live.chat, read, of: of.max(read) }
        };
        reading.map(info).collect()
    }

    /// Whether this device reads what it missed in a channel (spec: CLI-166).
    pub(super) fn is_behind(&self, channel: &ChannelId) -> bool {
        let phase = self.channels.get(channel).map(|live| &live.phase);
        !matches!(phase, Some(Phase::Reading(reading)) if reading.caught_up)
    }

    /// The session where a channel is read that has nothing more to read.
    pub(super) fn reading_session(&self, channel: &ChannelId) -> Option<SessionNumber> {
        let live = self.channels.get(channel)?;
        match &live.phase {
            Phase::Reading(reading) if live.is_current() => Some(reading.session),
            _ => None,
        }
    }

    /// Where an entry can be appended now (spec: CLI-011): the channel is caught up at its current epoch, and
    /// nothing else is under way there, so that entries of this device keep their order.
    pub(super) fn appendable(&self, channel: &ChannelId) -> Option<ChannelView> {
        let live = self.channels.get(channel)?;
        match &live.phase {
            Phase::Reading(reading) if live.is_current() && live.append.is_none() => {
                Some(ChannelView { handle: reading.handle, epoch: live.epoch })
            }
            _ => None,
        }
    }

    /// Notes what is under way in the channel: one append at a time.
    pub(super) fn appending(&mut self, channel: &ChannelId, wish: Option<WishNumber>) {
        if let Some(live) = self.channels.get_mut(channel) {
            live.append = wish;
        }
    }

    /// What was appended for a wish is settled: the next may go.
    pub(super) fn append_over(&mut self, channel: &ChannelId, wish: WishNumber) {
        if let Some(live) = self.channels.get_mut(channel).filter(|it| it.append == Some(wish)) {
            live.append = None;
        }
    }
}
