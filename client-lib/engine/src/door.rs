//! A group's door: an inbox that the group owns, by which people ask to be let in.
//!
//! All members hold its keys: MLS has no part of a group. They are told in the group, so that whoever
//! is out of it hears of no later ones; what is told decides, whatever order it comes in. Keys are told
//! first, and whoever opens the door by an earlier one makes the relay take the present one: so no
//! member is needed for that who may be gone (spec: GRP-110, GRP-111).
//!
//! | state of the keys | input | next |
//! |---|---|---|
//! | none | this device makes a link | present, told |
//! | none, present | better keys are told | present: the told ones; those before are kept as earlier |
//! | present | somebody goes out of the group | stale |
//! | stale | newer keys are told | present |
//! | stale | the wait of this device is over | present: drawn by it, told |
//! | any | this device goes out of the group | none |

mod approvals;
pub(crate) mod knocks;
pub(crate) mod links;
pub(crate) mod opening;
pub(crate) mod requests;

use hushwire_protocol::{
    content::{ControlEntry, ControlKind},
    door::{DoorGeneration, DoorKeys, EARLIER_KEYS_MAX, OwnerKeySeed},
    group::{Allowed, Group, Member, Right},
    identity::Fingerprint,
    seal::InboxKey,
};
use hushwire_wire::id::{ChannelId, InboxId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    backoff,
    command::ChatNumber,
    control, groups, log,
    record::{GroupState, Record, SecretBytes, Wish, WishNumber, id},
    revoking,
    store::{StoreError, Table},
    succession,
    wish::Step,
    work::Work,
};

/// Span of the wait before a member draws new keys for a door, in milliseconds.
const ROTATION_SPAN_MS: u64 = 60_000;
/// The same for the one whose commit it was that somebody went by.
const COMMITTER_SPAN_MS: u64 = 1_000;
/// How long a door is denied until it counts as lost, in milliseconds.
const LOST_AFTER_MS: u64 = 10 * 60 * 1000;
/// How far above the generation that is known the one of keys may be.
const GENERATION_STEP_MAX: u64 = 1_024;
/// The highest generation of keys that is taken where none is known: two to the 32nd.
const GENERATION_FIRST_MAX: u64 = 4_294_967_296;
/// Control entries in one message.
const ENTRIES_PER_MESSAGE: usize = 32;

/// A group's door. Key: `door `, channel.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DoorRecord {
    #[serde(with = "id")]
    pub(crate) inbox: InboxId,
    generation: u64,
    owner_key: SecretBytes,
    pub(crate) seal_key: SecretBytes,
    /// Keys of before, the latest first.
    earlier: Vec<EarlierKeys>,
    /// The relay has the inbox, as far as this device knows.
    created: bool,
    /// Somebody knows the keys who is out of the group.
    stale: bool,
    /// Gets these keys out to the others, until that is done: the relay takes no key that nobody knows.
    telling: Option<WishNumber>,
    /// Since when the relay lets nobody open it by any of these keys.
    denied_since_ms: Option<u64>,
}

impl Record for DoorRecord {
    const TABLE: Table = Table::Profile;
}

/// Keys of a door that others have replaced.
#[derive(Clone, Serialize, Deserialize)]
struct EarlierKeys {
    owner_key: SecretBytes,
    seal_key: SecretBytes,
    /// What was sealed to it is opened until then.
    until_ms: u64,
}

/// Which channel a door is of, also when this device is out of its group. Key: `door place `, inbox.
#[derive(Serialize, Deserialize)]
struct PlaceRecord {
    #[serde(with = "id")]
    channel: ChannelId,
}

impl Record for PlaceRecord {
    const TABLE: Table = Table::Profile;
}

fn key(channel: &ChannelId) -> Vec<u8> {
    [b"door ", &channel.as_bytes()[..]].concat()
}

fn place_key(inbox: &InboxId) -> Vec<u8> {
    [b"door place ", &inbox.as_bytes()[..]].concat()
}

/// The door of a group, if it has one.
pub(crate) fn record(
    work: &Work<'_>,
    channel: &ChannelId,
) -> Result<Option<DoorRecord>, StoreError> {
    work.tx.load(&key(channel))
}

fn save(work: &mut Work<'_>, channel: &ChannelId, record: &DoorRecord) -> Result<(), StoreError> {
    work.effects.doors.insert(*channel);
    work.tx.save(&place_key(&record.inbox), &PlaceRecord { channel: *channel })?;
    work.tx.save(&key(channel), record)
}

/// The group that a door is of, as far as this device was ever told.
pub(crate) fn channel_of(
    work: &Work<'_>,
    inbox: &InboxId,
) -> Result<Option<ChannelId>, StoreError> {
    Ok(work.tx.load::<PlaceRecord>(&place_key(inbox))?.map(|record| record.channel))
}

/// Whether somebody may make links or let people in: they keep the door.
pub(crate) fn may_keep(group: &Group, who: &Fingerprint) -> bool {
    let allows = |right| group.state().allows(who, right) == Allowed::Yes;
    allows(Right::Invite) || allows(Right::Add)
}

/// The door that this device is to hold open: it is in the group, and may keep it.
pub(crate) fn kept(
    work: &mut Work<'_>,
    channel: &ChannelId,
) -> Result<Option<DoorRecord>, StoreError> {
    let Some(door) = record(work, channel)? else { return Ok(None) };
    // The door of a channel that is still to be created is made beside it.
    let is_here = |state| matches!(state, GroupState::Member | GroupState::Creating);
    let here = groups::record(work, channel)?.is_some_and(|it| is_here(it.state));
    let Some(me) = work.identity()?.filter(|me| here && !me.revoked) else { return Ok(None) };
    let group = log::load_group(work, channel)?;
    Ok(may_keep(&group, &me.fingerprint()).then_some(door))
}

/// The door of a group, made if it has none, or none that the relay lets anybody open: somebody who
/// knew its keys has changed them there (spec: GRP-114).
pub(crate) fn ensure(work: &mut Work<'_>, channel: &ChannelId) -> Result<DoorRecord, StoreError> {
    let generation = match record(work, channel)? {
        Some(door) => match door.generation.checked_add(1) {
            Some(next) if door.is_lost(work.now) => next,
            _ => return Ok(door),
        },
        None => 1,
    };
    let inbox = InboxId::from_bytes(work.random());
    let door = draw(work, channel, inbox, generation, Vec::new())?;
    links::door_changed(work, channel, &door)?;
    requests::forget_places(work, channel)?;
    let known = approvals::entries(work, channel)?;
    control::send_all(work, channel, &known, ENTRIES_PER_MESSAGE)?;
    Ok(door)
}

/// Draws keys and tells them.
fn draw(
    work: &mut Work<'_>,
    channel: &ChannelId,
    inbox: InboxId,
    generation: u64,
    earlier: Vec<EarlierKeys>,
) -> Result<DoorRecord, StoreError> {
    let mut door = DoorRecord {
        inbox,
        generation,
        owner_key: SecretBytes::new(&work.random::<32>()),
        seal_key: SecretBytes::new(InboxKey::generate(work.rng).expose()),
        created: !earlier.is_empty(),
        earlier,
        stale: false,
        telling: None,
        denied_since_ms: None,
    };
    let entry = told(&door)?;
    door.telling = control::send_one(work, channel, vec![entry])?;
    save(work, channel, &door)?;
    Ok(door)
}

/// The entry by which members tell each other the keys (spec: GRP-110).
fn told(door: &DoorRecord) -> Result<ControlEntry, StoreError> {
    let seed = |key: &SecretBytes| key.array::<32>().ok_or(StoreError::Damaged);
    let mut earlier = Vec::new();
    for keys in &door.earlier {
        earlier.push(hushwire_protocol::door::EarlierKeys {
            owner: OwnerKeySeed::from_bytes(seed(&keys.owner_key)?),
            inbox_key: InboxKey::from_bytes(seed(&keys.seal_key)?),
        });
    }
    let keys = DoorKeys {
        inbox: door.inbox,
        generation: DoorGeneration(door.generation),
        owner: OwnerKeySeed::from_bytes(seed(&door.owner_key)?),
        inbox_key: InboxKey::from_bytes(seed(&door.seal_key)?),
        earlier,
    };
    Ok(ControlEntry { kind: ControlKind::Door, payload: keys.to_bytes().to_vec() })
}

/// A member says something of the door. It counts only from who may keep it, or from an own device
/// (spec: GRP-112).
pub(crate) fn take(
    work: &mut Work<'_>,
    channel: &ChannelId,
    chat: ChatNumber,
    mls: &Group,
    sender: &Fingerprint,
    entry: &ControlEntry,
) -> Result<(), StoreError> {
    let me = work.me()?;
    if *sender != me && !may_keep(mls, sender) {
        return Ok(());
    }
    match entry.kind {
        ControlKind::Door => take_keys(work, channel, &entry.payload),
        ControlKind::DoorLinkMade => {
            links::take_made(work, channel, chat, mls, sender, &entry.payload)
        }
        ControlKind::DoorLinkRevoked => {
            links::take_revoked(work, channel, chat, sender, &entry.payload)
        }
        ControlKind::JoinDeclined => {
            requests::take_declined(work, channel, chat, mls, sender, &entry.payload)
        }
        ControlKind::ApprovalNeeded => approvals::take(work, channel, mls, &entry.payload),
        _ => Ok(()),
    }
}

/// Takes keys that are better than those which are known: all members come to the same, in whatever
/// order they hear of them.
fn take_keys(work: &mut Work<'_>, channel: &ChannelId, payload: &[u8]) -> Result<(), StoreError> {
    let Ok(keys) = DoorKeys::decode(payload) else { return Ok(()) };
    let known = record(work, channel)?;
    if keys.generation.0 > known.as_ref().map_or(GENERATION_FIRST_MAX, DoorRecord::reach) {
        return Ok(());
    }
    let until_ms = revoking::old_key_end(work.now).0;
    let mut door = DoorRecord {
        inbox: keys.inbox,
        generation: keys.generation.0,
        owner_key: SecretBytes::new(keys.owner.expose()),
        seal_key: SecretBytes::new(keys.inbox_key.expose()),
        earlier: keys
            .earlier
            .iter()
            .map(|keys| EarlierKeys {
                owner_key: SecretBytes::new(keys.owner.expose()),
                seal_key: SecretBytes::new(keys.inbox_key.expose()),
                until_ms,
            })
            .collect(),
        created: false,
        stale: false,
        telling: None,
        denied_since_ms: None,
    };
    let Some(mut known) = known else { return save(work, channel, &door) };
    if known.owner_key == door.owner_key {
        return Ok(());
    }
    if !door.is_better_than(&known) {
        // The relay may have taken it all the same, from whoever drew it.
        if known.inbox == door.inbox && known.generation == door.generation {
            known.keep_earlier(&door, until_ms);
            save(work, channel, &known)?;
        }
        return Ok(());
    }
    if known.inbox == door.inbox {
        door.created = known.created;
        door.stale = known.stale && door.generation == known.generation;
        let told = core::mem::take(&mut door.earlier);
        door.earlier = core::mem::take(&mut known.earlier);
        door.keep_earlier(&known, until_ms);
        for keys in told {
            door.add_earlier(keys);
        }
    } else {
        requests::forget_places(work, channel)?;
    }
    save(work, channel, &door)?;
    links::door_changed(work, channel, &door)
}

/// How a door is come by, with the owner key for it.
enum Way<'a> {
    Open(&'a SecretBytes),
    Make(&'a SecretBytes),
}

impl DoorRecord {
    /// Newer keys, then a lower inbox, then lower keys (spec: GRP-110).
    fn is_better_than(&self, other: &Self) -> bool {
        let place = |door: &Self| {
            let reversed = u64::MAX - door.generation;
            (reversed, *door.inbox.as_bytes(), door.owner_key.expose().to_vec())
        };
        place(self) < place(other)
    }

    /// The highest generation that may follow: nobody takes the numbers that others still need.
    const fn reach(&self) -> u64 {
        self.generation.saturating_add(GENERATION_STEP_MAX)
    }

    fn keep_earlier(&mut self, door: &Self, until_ms: u64) {
        let keys = EarlierKeys {
            owner_key: door.owner_key.clone(),
            seal_key: door.seal_key.clone(),
            until_ms,
        };
        self.earlier.retain(|known| known.owner_key != keys.owner_key);
        self.earlier.insert(0, keys);
        self.earlier.truncate(EARLIER_KEYS_MAX);
    }

    fn add_earlier(&mut self, keys: EarlierKeys) {
        let known = self.earlier.iter().any(|known| known.owner_key == keys.owner_key);
        if !known && keys.owner_key != self.owner_key && self.earlier.len() < EARLIER_KEYS_MAX {
            self.earlier.push(keys);
        }
    }

    /// Whether nobody could open it for so long that nobody will.
    fn is_lost(&self, now: Timestamp) -> bool {
        self.denied_since_ms.is_some_and(|since| now.ms_since(Timestamp(since)) >= LOST_AFTER_MS)
    }

    /// Which keys these are, to see when they have changed.
    pub(crate) const fn generation(&self) -> DoorGeneration {
        DoorGeneration(self.generation)
    }

    /// The keys that what comes may be sealed to.
    pub(crate) fn seal_keys(&self) -> impl Iterator<Item = &SecretBytes> {
        core::iter::once(&self.seal_key).chain(self.earlier.iter().map(|keys| &keys.seal_key))
    }

    /// What may let it be opened: the present key, those before, and the present one to make it anew.
    fn way(&self, attempt: usize) -> Option<Way<'_>> {
        match attempt.checked_sub(1) {
            None if self.created => Some(Way::Open(&self.owner_key)),
            None => Some(Way::Make(&self.owner_key)),
            Some(place) if place == self.earlier.len() => Some(Way::Make(&self.owner_key)),
            Some(place) => self.earlier.get(place).map(|keys| Way::Open(&keys.owner_key)),
        }
    }
}

// --- the group moves on ---------------------------------------------------------------------

/// Members came and went. Who comes is told of the door by the one who added them; when somebody is
/// out, the keys are stale (spec: GRP-111, GRP-112).
pub(crate) fn members_changed(
    work: &mut Work<'_>,
    channel: &ChannelId,
    mls: &Group,
    by: Committer,
    change: &Change<'_>,
) -> Result<(), StoreError> {
    requests::came(work, channel, change.came)?;
    requests::went(work, channel, change.went)?;
    let Some(mut door) = record(work, channel)? else { return Ok(()) };
    let me = work.me()?;
    links::makers_gone(work, channel, &me, change.went)?;
    let stays = |gone: &&Member| change.added.iter().any(|leaf| leaf.device() == gone.device());
    let out = change.removed.iter().any(|gone| !stays(&gone));
    if out {
        door.stale = true;
        save(work, channel, &door)?;
    }
    if out && may_keep(mls, &me) {
        let span = match by {
            Committer::ThisDevice => COMMITTER_SPAN_MS,
            Committer::Another => ROTATION_SPAN_MS,
        };
        let not_before_ms = work.now.plus_ms(backoff::jitter_ms(span, work.rng)).0;
        work.wish(Wish::RotateDoor { channel: *channel, not_before_ms })?;
    }
    if by == Committer::ThisDevice && !change.added.is_empty() {
        tell_everything(work, channel, &door)?;
    }
    Ok(())
}

/// Whose commit it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Committer {
    ThisDevice,
    Another,
}

/// Who came and went by a commit.
pub(crate) struct Change<'a> {
    pub(crate) added: &'a [Member],
    pub(crate) removed: &'a [Member],
    /// Identities that are new.
    pub(crate) came: &'a [Fingerprint],
    /// Identities that are out.
    pub(crate) went: &'a [Fingerprint],
}

/// Tells those who come in what they have to know.
fn tell_everything(
    work: &mut Work<'_>,
    channel: &ChannelId,
    door: &DoorRecord,
) -> Result<(), StoreError> {
    let mut entries = vec![told(door)?];
    entries.extend(links::entries(work, channel)?);
    entries.extend(approvals::entries(work, channel)?);
    control::send_all(work, channel, &entries, ENTRIES_PER_MESSAGE)
}

/// Draws new keys, unless somebody else did (spec: GRP-111).
pub(crate) fn rotate(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    not_before_ms: u64,
) -> Result<Step, StoreError> {
    let now = work.now;
    if !crate::clock::is_over(now, not_before_ms, ROTATION_SPAN_MS) {
        return Ok(Step::Later(Timestamp(not_before_ms)));
    }
    work.settle(number);
    let Some(door) = record(work, channel)?.filter(|door| door.stale) else {
        return Ok(Step::Settled);
    };
    let mut before = door.clone();
    before.keep_earlier(&door, revoking::old_key_end(now).0);
    let earlier = before.earlier;
    let Some(generation) = door.generation.checked_add(1) else { return Ok(Step::Settled) };
    let drawn = draw(work, channel, door.inbox, generation, earlier)?;
    links::door_changed(work, channel, &drawn)?;
    Ok(Step::Settled)
}

/// This device is out of the group: it keeps nothing of the door.
pub(crate) fn forget(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    work.tx.remove(Table::Profile, &key(channel));
    succession::forget_group(work, channel)?;
    links::forget(work, channel)?;
    requests::forget(work, channel)?;
    work.effects.doors.insert(*channel);
    Ok(())
}

/// Drops what is over by now.
pub(crate) fn tend(work: &mut Work<'_>) -> Result<(), StoreError> {
    for channel in groups::channels(work)? {
        let Some(mut door) = record(work, &channel)? else { continue };
        let held = door.earlier.len();
        door.earlier.retain(|keys| keys.until_ms > work.now.0);
        if door.earlier.len() < held {
            save(work, &channel, &door)?;
        }
        links::tend(work, &channel)?;
        requests::tend(work, &channel)?;
    }
    Ok(())
}

/// No earlier key ends later than one that is replaced now (spec: CLI-137).
pub(crate) fn cut_times(work: &mut Work<'_>, channel: &ChannelId) -> Result<(), StoreError> {
    let Some(mut door) = record(work, channel)? else { return Ok(()) };
    let latest_ms = revoking::old_key_end(work.now).0;
    if door.earlier.iter().all(|keys| keys.until_ms <= latest_ms) {
        return Ok(());
    }
    for keys in &mut door.earlier {
        keys.until_ms = keys.until_ms.min(latest_ms);
    }
    save(work, channel, &door)
}
