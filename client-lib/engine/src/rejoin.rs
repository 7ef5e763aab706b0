//! Asking to be added again: what a device does that cannot go on in a group by itself.
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | member | stuck for a cause | asking | the wish, with its first wait |
//! | member | own commit that this store did not make | doubting | the same, the group is read on |
//! | doubting | another candidate was applied | member | the wish is settled |
//! | doubting | the wait is over | asking | stuck |
//! | asking | the wait is over | asking | a request to a few more, with a fresh key package |
//! | member | not sure that others are where it is (`forks`) | asking beside | the wish, the group is read on |
//! | asking beside | another is heard there | member | the wish is settled |
//! | asking, asking beside | an invitation is followed | member | the wish is settled, the gap told |
//! | asking | too many rounds | given up | said once |
//! | asking | all own devices ask for their group | – | it is formed anew (`own_group`) |
//! | linked | not let in for too long | asking | its own devices are asked: the invitation may be lost |
//! | linked, asking | too many rounds | asking | every six hours, until it is in |
//! | told of a group | not invited for too long | asking | its own devices are asked, the same |
//! | told of a group, asking | a few rounds | – | it is let be, without a word |
//! | given up | the person asks | asking | from the beginning |
//!
//! `spec/links.md` has the request, `readmission` the other side.

use hushwire_protocol::{
    identity::{DeviceKey, Fingerprint},
    invitation::{InboxContent, RejoinRequest, rejoin::RejoinTerms},
};
use hushwire_wire::id::{ChannelId, EpochId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    backoff, chats, clock,
    command::{ChatNumber, ChatState, CommandError, StuckCause},
    contacts, devices,
    event::Event,
    groups, invitations, log,
    own_group::{self, Turn},
    packages, profile,
    record::{GroupRecord, GroupState, PurposeRecord, Record, Verdict, Wish, WishNumber, id},
    shelf,
    store::{StoreError, Table},
    stuck,
    wish::{self, Step},
    work::Work,
};

/// Least wait before the first request, and span that is drawn from and added, in milliseconds.
const ASK_WAIT_MS: u64 = 30_000;
/// How long a commit in this device's name that this store did not make is waited beside, in
/// milliseconds.
const OWN_COMMIT_WAIT_MS: u64 = 60_000;
/// How long a device that was linked waits to be let into its own group before it asks, and one that heard
/// of a group by another own device for an invitation to it, in milliseconds.
const LET_IN_WAIT_MS: u64 = 10 * 60 * 1000;
/// Rounds for a group that this device was never in, but for its own (spec: LNK-125).
const TOLD_ROUNDS_MAX: u32 = 4;
/// Such groups that are waited for at a time, and how many of them begin to ask together.
const TOLD_MAX: usize = 1024;
const TOLD_A_TURN: usize = 16;
/// The wait after the first round, in milliseconds; it doubles with each one, up to the longest.
const ROUND_WAIT_MS: u64 = 60_000;
const ROUND_WAIT_MAX_MS: u64 = 6 * 60 * 60 * 1000;
/// Rounds before it is given up (spec: CLI-162).
const ROUNDS_MAX: u32 = 12;
/// Contacts that are asked in a round.
const PEOPLE_A_ROUND: usize = 3;
/// How often a group is come back to in `REJOINS_SPAN_MS` without a person's asking (spec: CLI-162).
const REJOINS_MAX: usize = 4;
const REJOINS_SPAN_MS: u64 = 24 * 60 * 60 * 1000;

/// What a device names that knows of no epoch of the group (spec: LNK-123, LNK-125).
pub(crate) const NO_EPOCH: EpochId = EpochId::from_bytes([0; 32]);

/// The groups that this device waits to be invited to, since another own device is there.
#[derive(Default, Serialize, Deserialize)]
struct ToldRecord {
    #[serde(with = "id::list")]
    channels: Vec<ChannelId>,
}

impl Record for ToldRecord {
    const TABLE: Table = Table::Profile;
}

impl ToldRecord {
    const KEY: &'static [u8] = b"told groups";
}

fn told(work: &Work<'_>) -> Result<ToldRecord, StoreError> {
    Ok(work.tx.load(ToldRecord::KEY)?.unwrap_or_default())
}

/// A group is stuck: this device will ask to be added again, unless it was too often.
pub(crate) fn begin(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if wish_of(work, channel)?.is_some() {
        return Ok(());
    }
    let Some(group) = groups::record(work, channel)? else { return Ok(()) };
    if is_too_often(work, &group) {
        work.event(Event::RejoinGivenUp { chat: group.purpose.chat() })?;
        // No person asks for that of the own devices: it goes on by itself, later (spec: CLI-207).
        return match group.purpose {
            PurposeRecord::OwnDevices => wish_in(work, channel, ROUND_WAIT_MAX_MS),
            _ => Ok(()),
        };
    }
    let wait = ASK_WAIT_MS + backoff::jitter_ms(ASK_WAIT_MS, work.rng);
    wish_in(work, channel, wait)
}

/// Whether a group was come back to so often that it rests (spec: CLI-162, CLI-207).
pub(crate) fn is_too_often(work: &Work<'_>, group: &GroupRecord) -> bool {
    let ends = group.rejoined_ms.iter().map(|at_ms| at_ms.saturating_add(REJOINS_SPAN_MS));
    // What a clock noted that was far ahead says nothing.
    let last_ms = work.now.plus_ms(2 * REJOINS_SPAN_MS).0;
    ends.filter(|end| *end > work.now.0 && *end <= last_ms).count() >= REJOINS_MAX
}

/// When a group was come back to lately, now the last of them.
pub(crate) fn counted(work: &Work<'_>, group: &GroupRecord) -> Vec<u64> {
    let now_ms = work.now.0;
    let mut rejoined_ms = group.rejoined_ms.clone();
    rejoined_ms.retain(|at_ms| at_ms.saturating_add(REJOINS_SPAN_MS) > now_ms && *at_ms <= now_ms);
    rejoined_ms.push(now_ms);
    rejoined_ms
}

/// Something changed that the asking may have waited for.
pub(crate) fn look(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    if let Some(wish::Numbered { number, .. }) = wish_of(work, channel)? {
        work.effects.wished.push(number);
    }
    Ok(())
}

/// A commit in this device's name stands in the log that its store does not know of: its keys are in
/// other hands, or the store is a copy. Others contest a forged one; where nobody does, this device
/// has no way on (spec: CLI-160).
pub(crate) fn doubt(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    match wish_of(work, channel)? {
        Some(_) => Ok(()),
        None => wish_in(work, channel, OWN_COMMIT_WAIT_MS),
    }
}

/// This device was linked: the others let it into their group. It asks when that takes long, for the
/// invitation may be lost (spec: LNK-123).
pub(crate) fn wait_to_be_let_in(
    work: &mut Work<'_>,
    own_group: &ChannelId,
) -> Result<(), StoreError> {
    wish_in(work, own_group, LET_IN_WAIT_MS)
}

/// Another own device is in a group. This one is invited too, if it was not before; it asks when that takes
/// long, for the invitation may be lost (spec: LNK-125).
pub(crate) fn wait_to_be_invited(
    work: &mut Work<'_>,
    channel: &ChannelId,
) -> Result<(), StoreError> {
    let mut told = told(work)?;
    let is_known = groups::record(work, channel)?.is_some() || told.channels.contains(channel);
    if is_known || told.channels.len() >= TOLD_MAX {
        return Ok(());
    }
    // Who was linked hears of all of them at once.
    let turn = u64::try_from(told.channels.len() / TOLD_A_TURN).unwrap_or(u64::MAX);
    told.channels.push(*channel);
    work.tx.save(ToldRecord::KEY, &told)?;
    wish_in(work, channel, LET_IN_WAIT_MS.saturating_add(turn.saturating_mul(ROUND_WAIT_MS)))
}

fn wish_in(work: &mut Work<'_>, channel: &ChannelId, wait_ms: u64) -> Result<(), StoreError> {
    work.wish(Wish::Rejoin {
        channel: *channel,
        rounds: 0,
        next_ms: work.now.plus_ms(wait_ms).0,
        asked: Vec::new(),
        items: Vec::new(),
    })?;
    Ok(())
}

/// A person asks for it: from the beginning, and at once.
pub(crate) fn ask(work: &mut Work<'_>, chat: ChatNumber) -> Result<(), CommandError> {
    let record = chats::named(work, chat)?;
    let channel = record.channel.ok_or(CommandError::NotStuck)?;
    let mut group = groups::record(work, &channel)?.ok_or(CommandError::NotStuck)?;
    if record.state != ChatState::Stuck || group.state != GroupState::Stuck {
        return Err(CommandError::NotStuck);
    }
    end(work, &channel)?;
    group.rejoined_ms.clear();
    groups::save(work, &channel, &group)?;
    wish_in(work, &channel, 0)?;
    Ok(())
}

/// Nothing more is asked for: the group was come back to, or given up for good.
pub(crate) fn end(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(wish::Numbered { number, wish }) = wish_of(work, channel)? else { return Ok(()) };
    settle(work, number, &wish);
    let mut told = told(work)?;
    let before = told.channels.len();
    told.channels.retain(|waited| waited != channel);
    if told.channels.len() < before { work.tx.save(ToldRecord::KEY, &told) } else { Ok(()) }
}

/// What was not sent yet goes with the wish: a request that arrives later would only disturb.
fn settle(work: &mut Work<'_>, number: WishNumber, wish: &Wish) {
    if let Wish::Rejoin { items, .. } = wish {
        for item in items {
            work.settle(*item);
        }
    }
    work.settle(number);
}

fn wish_of(work: &Work<'_>, channel: &ChannelId) -> Result<Option<wish::Numbered>, StoreError> {
    let rows = wish::of_channel(work, channel)?;
    Ok(rows.into_iter().find(|row| matches!(row.wish, Wish::Rejoin { .. })))
}

/// Whether there is nothing to ask for.
pub(crate) fn is_over(work: &Work<'_>, channel: &ChannelId) -> Result<bool, StoreError> {
    let Some(group) = groups::record(work, channel)? else {
        // It was never there, and heard of it by its own devices (spec: LNK-123, LNK-125).
        return Ok(false);
    };
    Ok(match group.state {
        GroupState::Stuck => false,
        GroupState::Member | GroupState::Leaving => {
            !group.asks_beside() && !is_blocked(work, channel, &group)?
        }
        GroupState::Creating | GroupState::Out => true,
    })
}

/// Whether a commit in this device's name that it cannot judge is all that leads on.
fn is_blocked(
    work: &Work<'_>,
    channel: &ChannelId,
    group: &GroupRecord,
) -> Result<bool, StoreError> {
    let (epoch, _) = log::epoch_state(work, channel, &group.epoch)?;
    Ok(epoch.candidates.iter().any(|candidate| candidate.verdict == Verdict::Unjudged))
}

/// Asks a few more, when it is time (spec: CLI-162).
pub(crate) fn step(
    work: &mut Work<'_>,
    number: WishNumber,
    wish: Wish,
) -> Result<Step, StoreError> {
    let Wish::Rejoin { channel, rounds, next_ms, .. } = wish else {
        return Ok(Step::Aim);
    };
    if is_over(work, &channel)? {
        end(work, &channel)?;
        return Ok(Step::Settled);
    }
    let mut until = Timestamp(next_ms);
    let is_due = clock::is_over(work.now, next_ms, ROUND_WAIT_MAX_MS);
    let Some(group) = groups::record(work, &channel)? else {
        if !is_due {
            return Ok(Step::Others { until });
        }
        return never_in(work, number, wish);
    };
    // Until the wait is over the last round may still be answered.
    match own_group::turn(work, &group, if is_due { rounds } else { 0 })? {
        Turn::Now => {
            own_group::form_anew(work)?;
            return Ok(Step::Settled);
        }
        Turn::At(at) => until = until.min(at),
        Turn::Nobody => {}
    }
    if !is_due {
        return Ok(Step::Others { until });
    }
    if group.purpose == PurposeRecord::OwnDevices && is_too_often(work, &group) {
        let until = work.now.plus_ms(ROUND_WAIT_MAX_MS);
        let mut wish = wish;
        if let Wish::Rejoin { next_ms, .. } = &mut wish {
            *next_ms = until.0;
        }
        work.update_wish(number, wish)?;
        return Ok(Step::Others { until });
    }
    if group.state.is_in() && !group.asks_beside() {
        stuck::stick(work, &channel, StuckCause::OwnCommit)?;
        // Who was leaving is out now.
        if is_over(work, &channel)? {
            end(work, &channel)?;
            return Ok(Step::Settled);
        }
    }
    next_round(work, number, wish, Place::of(&group))
}

/// Asks for a group that this device was never in. What it heard of by another own device may be over.
fn never_in(work: &mut Work<'_>, number: WishNumber, wish: Wish) -> Result<Step, StoreError> {
    let Wish::Rejoin { channel, rounds, .. } = wish else { return Ok(Step::Aim) };
    let is_own = work.identity()?.ok_or(StoreError::Damaged)?.own_group == channel;
    if !is_own && rounds >= TOLD_ROUNDS_MAX {
        end(work, &channel)?;
        return Ok(Step::Settled);
    }
    next_round(work, number, wish, Place::NEVER_IN)
}

/// What is known of the group that is asked for.
struct Place {
    purpose: PurposeRecord,
    epoch: EpochId,
}

impl Place {
    /// Of a group that this device was never in: only its own devices are asked (spec: LNK-123, LNK-125).
    const NEVER_IN: Self = Self { purpose: PurposeRecord::OwnDevices, epoch: NO_EPOCH };

    /// Of an epoch that others are not in they know nothing.
    fn of(group: &GroupRecord) -> Self {
        let epoch = group.unsettled.map_or(group.epoch, |unsettled| unsettled.epoch);
        Self { purpose: group.purpose, epoch }
    }
}

/// Asks a few more, unless these were too many rounds.
fn next_round(
    work: &mut Work<'_>,
    number: WishNumber,
    wish: Wish,
    place: Place,
) -> Result<Step, StoreError> {
    let Wish::Rejoin { channel, rounds, asked, items, .. } = wish else { return Ok(Step::Aim) };
    // Who was never in its own group has no other way there (spec: LNK-123).
    if rounds >= ROUNDS_MAX && place.epoch != NO_EPOCH {
        end(work, &channel)?;
        work.event(Event::RejoinGivenUp { chat: place.purpose.chat() })?;
        return Ok(Step::Settled);
    }
    // What a round before could not send is sent anew by this one.
    for item in &items {
        work.settle(*item);
    }
    let mut asked = asked;
    let people = choose(work, &channel, place.purpose, &mut asked)?;
    let items = send(work, &channel, place.epoch, &people)?;
    let doubled = ROUND_WAIT_MS.checked_shl(rounds).unwrap_or(ROUND_WAIT_MAX_MS);
    let next = work.now.plus_ms(doubled.min(ROUND_WAIT_MAX_MS));
    let rounds = rounds.saturating_add(1).min(ROUNDS_MAX);
    work.update_wish(number, Wish::Rejoin { channel, rounds, next_ms: next.0, asked, items })?;
    Ok(Step::Others { until: next })
}

/// Who is asked in this round: own devices, and a few contacts that were in the group, each once
/// before any is asked again, in an order drawn at random.
fn choose(
    work: &mut Work<'_>,
    channel: &ChannelId,
    purpose: PurposeRecord,
    asked: &mut Vec<Fingerprint>,
) -> Result<Vec<Fingerprint>, StoreError> {
    let me = work.me()?;
    let mut reachable = Vec::new();
    for person in stuck::roster(work, channel)? {
        if person != me && contacts::is_contact(work, &person)? {
            reachable.push(person);
        }
    }
    if reachable.iter().all(|person| asked.contains(person)) {
        asked.clear();
    }
    reachable.retain(|person| !asked.contains(person));
    let mut people = Vec::new();
    while people.len() < PEOPLE_A_ROUND && !reachable.is_empty() {
        let drawn = backoff::jitter_ms(u64::try_from(reachable.len()).unwrap_or(1), work.rng);
        people.push(reachable.swap_remove(usize::try_from(drawn).unwrap_or(0)));
    }
    asked.extend(people.iter().copied());
    // Of devices that were linked after a copy was made this one knows nothing.
    let own = purpose == PurposeRecord::OwnDevices;
    if own || devices::device_list(work)?.devices().len() > 1 {
        people.push(me);
    }
    Ok(people)
}

/// Writes a request with a fresh key package to each of these people; its private part is stored with
/// it (spec: LNK-089).
fn send(
    work: &mut Work<'_>,
    channel: &ChannelId,
    epoch: EpochId,
    people: &[Fingerprint],
) -> Result<Vec<WishNumber>, StoreError> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let package = packages::generate_rejoin(work, channel)?;
    shelf::keep_off(work, &package.reference)?;
    let device = profile::device(work)?;
    let terms = RejoinTerms { channel: *channel, epoch, asked_at: work.now };
    // The leaf of a device is signed by its device key, always.
    let old_leaf: Option<&DeviceKey> = Some(&device.key);
    let mut items = Vec::new();
    for person in people {
        let card = invitations::own_card(work, person)?;
        let package = package.bytes.clone();
        let request =
            RejoinRequest::sign(&device.credential, &device.key, terms, package, old_leaf, card);
        let content = InboxContent::RejoinRequest(Box::new(request));
        items.extend(invitations::write(work, person, &content)?);
    }
    Ok(items)
}

/// The group was come back to: nothing is asked for any more, and the person is told from when to when
/// nothing can be read (spec: CLI-163).
pub(crate) fn came_back(
    work: &mut Work<'_>,
    channel: &ChannelId,
    known: &GroupRecord,
    read_ms: u64,
) -> Result<Vec<u64>, StoreError> {
    end(work, channel)?;
    let (from_ms, to_ms) = (read_ms.min(work.now.0), work.now.0);
    work.event(Event::GroupRejoined { chat: known.purpose.chat(), from_ms, to_ms })?;
    Ok(counted(work, known))
}
