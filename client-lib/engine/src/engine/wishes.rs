//! Wishes: which can be tried now, and what their answers do to them.

use hushwire_protocol::address::RelayAddress;
use hushwire_wire::{
    error::Code,
    id::Timestamp,
    message::{Answer, Request},
};

use super::{Engine, channels::Place};
use crate::{
    backoff,
    command::FailureReason,
    io::Output,
    pending::Pending,
    record::WishNumber,
    session::{Purpose, SessionKey, SessionNumber},
    store::{Store, StoreError},
    wish::{self, Ask, Desk, Progress, Step, Target},
};

/// Requests of a session without an answer beside which no other is asked for what is at other
/// people's inboxes or in blobs: many people are reached one after the other.
const UNDER_WAY_MAX: usize = 64;

/// A wish as it is tried now.
#[derive(Default)]
pub(super) struct WishLive {
    /// What it needs next; `None`: to be found out.
    target: Option<Target>,
    /// The session that it needs, so that it is kept open.
    pub(super) session: Option<SessionKey>,
    /// A request or a transfer is under way.
    pub(super) asked: bool,
    /// The relay has what this device can do about it: it waits for another person's device.
    pub(super) with_others: bool,
    not_before: Timestamp,
    /// Until when the relay said that it is too early for a place in the epoch.
    early_until: Option<Timestamp>,
    attempts: u32,
    /// Whether room was made for what it asks, since it was refused for another reason.
    place: Place,
}

impl WishLive {
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        (!self.asked).then_some(self.not_before)
    }
}

impl<S: Store> Engine<S> {
    pub(super) fn load_wishes(&mut self) -> Result<(), StoreError> {
        let numbers = self.transact(|work| wish::open(work))?;
        self.wishes = numbers.into_iter().map(|number| (number, WishLive::default())).collect();
        Ok(())
    }

    pub(super) fn pump_wishes(&mut self) -> Result<(), StoreError> {
        // A settled wish can make another one possible, so go on until nothing moves.
        loop {
            let mut moved = false;
            let numbers: Vec<WishNumber> = self.wishes.keys().copied().collect();
            for number in numbers {
                moved |= self.try_wish(number)?;
            }
            if !moved {
                return Ok(());
            }
            self.pump_sessions();
            self.pump_channels()?;
        }
    }

    /// Tries one wish. Says whether anything happened that can matter to others.
    fn try_wish(&mut self, number: WishNumber) -> Result<bool, StoreError> {
        let now = self.now();
        let Some(live) = self.wishes.get(&number) else { return Ok(false) };
        if live.asked || live.not_before > now {
            return Ok(false);
        }
        let target = match live.target.clone() {
            Some(target) => target,
            None => self.aim(number)?,
        };
        let Some(desk) = self.desk(&target) else { return Ok(false) };
        let session = self.sessions.get(&desk.number);
        if session.is_some_and(|session| session.under_way() >= UNDER_WAY_MAX)
            && matches!(target, Target::Relay(_) | Target::Blobs { .. })
        {
            return Ok(false);
        }
        let step = self.transact(|work| wish::step(work, number, &desk))?;
        self.do_step(number, &desk, step)
    }

    /// Whether a wish that is not settled needs this session.
    pub(super) fn is_wanted(&self, key: &SessionKey) -> bool {
        self.wishes.values().filter(|live| !live.with_others).any(|live| match &live.target {
            Some(Target::Channel { channel }) => {
                self.channels.get(channel).is_some_and(|channel| channel.key == *key)
            }
            Some(Target::Door { channel }) => {
                self.doors.get(channel).is_some_and(|door| door.key == *key)
            }
            Some(Target::Inbox) => self.inbox.as_ref().is_some_and(|inbox| inbox.key == *key),
            _ => live.session.as_ref() == Some(key),
        })
    }

    /// Finds out what a wish needs next.
    fn aim(&mut self, number: WishNumber) -> Result<Target, StoreError> {
        let target = self.transact(|work| wish::target(work, number))?;
        let session = match &target {
            // The channel and the inbox keep their sessions themselves.
            Target::Channel { .. } | Target::Inbox | Target::Door { .. } | Target::Nothing => None,
            Target::NewChannel { channel, relay } | Target::Blobs { channel, relay } => {
                Some(self.channel_key(relay, channel))
            }
            Target::Relay(relay) => {
                Some(SessionKey { relay: relay.clone(), purpose: Purpose::Channels })
            }
            Target::Rendezvous(relay) => {
                Some(SessionKey { relay: relay.clone(), purpose: Purpose::Rendezvous })
            }
        };
        if let Some(live) = self.wishes.get_mut(&number) {
            live.target = Some(target.clone());
            live.session = session;
        }
        if self.wishes.get(&number).is_some_and(|live| live.session.is_some()) {
            self.pump_sessions();
        }
        Ok(target)
    }

    /// Where the wish can be asked, if that is possible now.
    fn desk(&self, target: &Target) -> Option<Desk> {
        match target {
            Target::Channel { channel, .. } => {
                let view = self.appendable(channel)?;
                let key = &self.channels.get(channel)?.key;
                Some(Desk { channel: Some(view), ..self.desk_at(self.ready(key)?)? })
            }
            Target::Inbox => {
                let inbox = self.inbox.as_ref()?;
                let handle = inbox.handle()?;
                Some(Desk { inbox: Some(handle), ..self.desk_at(self.ready(&inbox.key)?)? })
            }
            Target::Door { channel } => {
                let door = self.doors.get(channel)?;
                let handle = door.handle()?;
                Some(Desk { inbox: Some(handle), ..self.desk_at(self.ready(&door.key)?)? })
            }
            Target::NewChannel { channel, relay } | Target::Blobs { channel, relay } => {
                self.desk_at(self.ready(&self.channel_key(relay, channel))?)
            }
            Target::Relay(relay) => {
                let key = SessionKey { relay: relay.clone(), purpose: Purpose::Channels };
                self.desk_at(self.ready(&key)?)
            }
            Target::Rendezvous(relay) => {
                let key = SessionKey { relay: relay.clone(), purpose: Purpose::Rendezvous };
                self.desk_at(self.ready(&key)?)
            }
            Target::Nothing => None,
        }
    }

    fn desk_at(&self, number: SessionNumber) -> Option<Desk> {
        let session = self.sessions.get(&number)?;
        Some(Desk {
            number,
            session: session.id?,
            relay: session.relay(),
            relay_key: session.relay_key?,
            limits: session.limits,
            clock_off_ms: session.clock_off_ms,
            channel: None,
            inbox: None,
        })
    }

    fn do_step(&mut self, number: WishNumber, desk: &Desk, step: Step) -> Result<bool, StoreError> {
        match step {
            Step::Ask(Ask::Transfer(transfer)) => {
                self.begin_transfer(number, transfer, desk)?;
                Ok(false)
            }
            Step::Ask(Ask::Snapshot(wanted)) => {
                self.begin_fetch(number, desk.number, wanted);
                Ok(false)
            }
            Step::Ask(ask) => {
                self.ask(number, desk, ask);
                Ok(false)
            }
            Step::Later(until) => {
                self.again(number, until);
                Ok(false)
            }
            Step::Others { until } => {
                self.again(number, until);
                if let Some(live) = self.wishes.get_mut(&number) {
                    live.with_others = true;
                }
                self.outputs.push_back(Output::StatusChanged);
                Ok(true)
            }
            Step::AwaitLog => {
                self.progressed(number, Progress::AwaitLog);
                Ok(false)
            }
            Step::AwaitOthers => {
                self.progressed(number, Progress::AwaitOthers);
                Ok(false)
            }
            Step::Aim => {
                if let Some(live) = self.wishes.get_mut(&number) {
                    live.target = None;
                }
                Ok(true)
            }
            Step::Settled => Ok(true),
        }
    }

    fn ask(&mut self, number: WishNumber, desk: &Desk, ask: Ask) {
        if let Some(live) = self.wishes.get_mut(&number) {
            live.asked = true;
        }
        match ask {
            Ask::Request(request) => {
                self.send(desk.number, request, Pending::Wish { wish: number });
            }
            Ask::Append { channel, request } => {
                self.appending(&channel, Some(number));
                self.send(desk.number, request, Pending::Wish { wish: number });
            }
            // Begun before.
            Ask::Transfer(_) | Ask::Snapshot(_) => {}
        }
    }

    pub(super) fn again(&mut self, number: WishNumber, until: Timestamp) {
        if let Some(live) = self.wishes.get_mut(&number) {
            live.asked = false;
            live.with_others = false;
            live.target = None;
            live.not_before = until;
        }
    }

    /// A wish is over. The log may have said so before the relay's answer, which finds no wish then.
    pub(super) fn wish_settled(&mut self, number: WishNumber) {
        if let Some(Target::Channel { channel }) =
            self.wishes.remove(&number).and_then(|live| live.target)
        {
            self.append_over(&channel, number);
        }
    }

    /// What was asked for a wish got lost with its session.
    pub(super) fn unasked(&mut self, number: WishNumber) {
        let now = self.now();
        self.again(number, now);
    }

    /// The channel moved on or is opened anew: its wishes are aimed and asked again, and answers to
    /// what was asked before are not waited for.
    pub(super) fn free_appends(&mut self, channel: &hushwire_wire::id::ChannelId) {
        let now = self.now();
        self.appending(channel, None);
        for (number, live) in &mut self.wishes {
            match &live.target {
                Some(Target::Channel { channel: own }) if own == channel => {
                    live.asked = false;
                    live.with_others = false;
                    live.target = None;
                    // The place that it waited for may be taken: who comes late to wait for the
                    // next one is not drawn (spec: CHN-036).
                    if live.early_until.take() == Some(live.not_before) {
                        live.not_before = now;
                    }
                    for session in self.sessions.values_mut() {
                        session.forget_wish(*number);
                    }
                }
                Some(Target::Nothing) => live.target = None,
                _ => {}
            }
        }
    }

    pub(super) fn wish_answered(
        &mut self,
        session: SessionNumber,
        number: WishNumber,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.wishes.get(&number) else { return Ok(()) };
        let target = live.target.clone();
        let Some(desk) = self.desk_at(session) else {
            self.unasked(number);
            return Ok(());
        };
        if let Some(Target::NewChannel { channel, relay }) = &target
            && self.creation_answered(session, number, &self.channel_key(relay, channel), &answer)
                == Place::Made
        {
            return Ok(());
        }
        let denied = matches!(&answer, Answer::Refused(refusal) if refusal.code == Code::Denied);
        let progress = self.transact(|work| wish::answered(work, number, &desk, answer))?;
        // The handle is of an earlier owner key: nothing was done by it (spec: CLI-092).
        if denied && target == Some(Target::Inbox) {
            self.leave_inbox_handle();
        }
        if let (true, Some(Target::Door { channel })) = (denied, &target) {
            self.leave_door(channel);
        }
        // While the log decides, nothing else is appended there.
        let waits = matches!(progress, Progress::AwaitLog | Progress::AwaitOthers);
        if let (Some(Target::Channel { channel }), false) = (&target, waits) {
            self.appending(channel, None);
        }
        self.progressed(number, progress);
        match progress {
            Progress::Fault(fault) => self.relay_fault(session, fault),
            _ => Ok(()),
        }
    }

    /// The handle that a creation gives is closed, since the channel is opened like any other. Where
    /// the session had no room for it, that is made, once, and the wish is asked again
    /// (spec: CLI-142).
    fn creation_answered(
        &mut self,
        session: SessionNumber,
        number: WishNumber,
        key: &SessionKey,
        answer: &Answer,
    ) -> Place {
        match answer {
            Answer::ChannelOpened(opened) => {
                self.send(session, Request::ChannelClose(opened.handle), Pending::Nothing);
                Place::None
            }
            Answer::Refused(refusal) if refusal.code == Code::LimitExceeded => {
                let before = self.wishes.get(&number).map(|live| live.place);
                let place = match before {
                    Some(Place::None) => self.make_place(key),
                    Some(Place::Made) | None => Place::None,
                };
                if place == Place::Made {
                    self.unasked(number);
                }
                if let Some(live) = self.wishes.get_mut(&number) {
                    live.place = place;
                }
                place
            }
            _ => Place::None,
        }
    }

    pub(super) fn progressed(&mut self, number: WishNumber, progress: Progress) {
        let now = self.now();
        match progress {
            Progress::Settled => {}
            Progress::Next | Progress::Uploading => {
                self.again(number, now);
                if let Some(live) = self.wishes.get_mut(&number)
                    && progress == Progress::Next
                {
                    live.attempts = 0;
                }
                self.outputs.push_back(Output::StatusChanged);
            }
            Progress::Refused { retry_after_ms } => self.refused(number, retry_after_ms),
            Progress::TooEarly { retry_after_ms } => {
                let until = now.plus_ms(backoff::told_ms(retry_after_ms));
                if let Some(live) = self.wishes.get_mut(&number) {
                    live.asked = false;
                    live.not_before = until;
                    live.early_until = Some(until);
                }
            }
            Progress::Fault(_) => self.refused(number, 0),
            // The log will say; until then the wish is not asked again.
            Progress::AwaitLog | Progress::AwaitOthers => {
                if let Some(live) = self.wishes.get_mut(&number) {
                    live.asked = true;
                    live.with_others = progress == Progress::AwaitOthers;
                }
                self.outputs.push_back(Output::StatusChanged);
            }
        }
    }

    fn refused(&mut self, number: WishNumber, retry_after_ms: u64) {
        let attempts = self.wishes.get(&number).map_or(0, |live| live.attempts);
        let wait = backoff::rest_ms(backoff::wait_ms(attempts, &mut *self.rng), retry_after_ms);
        self.again(number, self.now().plus_ms(wait));
        if let Some(live) = self.wishes.get_mut(&number) {
            live.attempts = live.attempts.saturating_add(1);
        }
    }

    /// Wishes that need this relay, and nothing else, cannot come true: those that a person waits for
    /// fail, the others wait (spec: CLI-093).
    pub(super) fn fail_wishes_for(&mut self, relay: &RelayAddress) -> Result<(), StoreError> {
        let numbers: Vec<WishNumber> = self
            .wishes
            .iter()
            .filter(|(_, live)| {
                matches!(&live.target,
                Some(Target::Relay(own) | Target::Blobs { relay: own, .. }) if own == relay)
            })
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.transact(|work| {
                if wish::ends_with_relay(work, number)? {
                    wish::fail(work, number, FailureReason::RelayKeyMismatch)?;
                }
                Ok::<(), StoreError>(())
            })?;
        }
        Ok(())
    }
}
