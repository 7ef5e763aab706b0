//! A member that does not keep to the program: what it has from its device's store, and the bytes
//! that it makes of that.

use std::collections::BTreeSet;

use hushwire_engine::{
    command::{ChatNumber, MessageNumber},
    store::{Order, Range, Store as _, Table},
};
use hushwire_protocol::{
    content::{Content, ControlEntry, ControlKind, ControlMessage, RoomUri, Salt, SenderUri},
    envelope::{self, EnvelopeContent, EnvelopeKind, Place},
    epoch::EpochKeys,
    group::{
        CommitBasis, CommitIntent, Group, GroupKind, GroupState, LeafSelector, LogPlace, Role,
    },
    identity::{DeviceKey, Fingerprint},
    insider::{Seals, seal_content},
    invitation::ContactCard,
    provider::Provider,
    storage::{MemoryMlsStore, MlsStore as _},
};
use hushwire_wire::{
    id::{ChainHead, ChannelId, EntryId, EpochId, PublicKey, Sequence, Timestamp},
    transcript::{CommitMark, Cut, Operation, first_head},
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, de::IgnoredAny};
use serde_bytes::ByteBuf;

use crate::store::SimStore;

/// Bytes of what nobody can open: a length that envelopes have.
const GARBAGE_BYTES: usize = 256;
/// Rows of one table that are taken at most.
const ROWS_MAX: usize = 100_000;

#[derive(Deserialize)]
struct IdentityRow {
    device_key: ByteBuf,
}

#[derive(Deserialize)]
struct GroupRow {
    relay: String,
    epoch: ByteBuf,
}

/// What a group is for, as a device has it.
#[derive(Deserialize)]
enum PurposeRow {
    Direct {
        chat: ChatNumber,
    },
    Group {
        chat: ChatNumber,
    },
    /// Its chat is carried by another one.
    Former {},
    OwnDevices,
}

#[derive(Deserialize)]
struct ChatRow {
    purpose: PurposeRow,
}

/// Whether a device is in a group.
#[derive(Deserialize)]
struct StateRow {
    state: String,
    /// Whether it does not know yet whether others went on with it.
    unsettled: Option<IgnoredAny>,
}

/// A group of a direct chat, as a device has it.
#[derive(Deserialize)]
struct DirectRow {
    state: String,
    epoch: ByteBuf,
    entered: Option<EnteredRow>,
}

/// When a device came into a group.
#[derive(Deserialize)]
struct EnteredRow {
    at_ms: u64,
}

/// A group as a device has it that was brought there by somebody.
#[derive(Deserialize)]
struct LedRow {
    inviter_left_ms: Option<u64>,
    entered: Option<BroughtRow>,
}

/// Who brought a device into a group.
#[derive(Deserialize)]
struct BroughtRow {
    by: ByteBuf,
}

/// Who was heard in a group of a direct chat.
#[derive(Deserialize)]
struct HeardRow {
    devices: Vec<IgnoredAny>,
    standing: String,
}

/// What a device has of a contact.
#[derive(Deserialize)]
struct ContactRow {
    card: Option<ByteBuf>,
}

#[derive(Deserialize)]
struct MessageRow {
    mimi_id: ByteBuf,
    content: ByteBuf,
}

#[derive(Deserialize)]
struct EpochRow {
    keys: ByteBuf,
    next: u64,
    head: ByteBuf,
}

/// A device's place in one group, as who has its open store has it.
pub(crate) struct Loot {
    pub(crate) channel: ChannelId,
    pub(crate) relay: String,
    pub(crate) epoch: EpochId,
    pub(crate) keys: EpochKeys,
    read: LogPlace,
    device: DeviceKey,
    mls: MemoryMlsStore,
}

/// An entry that an insider made.
pub(crate) struct Forgery {
    pub(crate) operation: Operation,
    pub(crate) envelope: Vec<u8>,
    /// The keys of the epoch that it opens, where they are known.
    pub(crate) next_keys: Option<EpochKeys>,
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn record<R: for<'de> Deserialize<'de>>(store: &SimStore, table: Table, key: &[u8]) -> Option<R> {
    let row = store.row(table, key).ok()??;
    rmp_serde::from_slice(&row).ok()
}

/// The channels of a device's groups.
pub(crate) fn channels(store: &SimStore) -> Vec<ChannelId> {
    let range = Range { prefix: &[], from: None, order: Order::Ascending, rows_max: ROWS_MAX };
    let rows = store.rows(Table::Group, range).unwrap_or_default();
    rows.iter().filter_map(|row| ChannelId::from_slice(&row.key).ok()).collect()
}

/// The chat that a channel carries on a device.
pub(crate) fn chat_of(store: &SimStore, channel: &ChannelId) -> Option<ChatNumber> {
    let row: ChatRow = record(store, Table::Group, channel.as_bytes())?;
    match row.purpose {
        PurposeRow::Direct { chat } | PurposeRow::Group { chat } => Some(chat),
        PurposeRow::Former {} | PurposeRow::OwnDevices => None,
    }
}

/// Whether a device left a group, or was removed from it.
pub(crate) fn is_out(store: &SimStore, channel: &ChannelId) -> bool {
    let row: Option<StateRow> = record(store, Table::Group, channel.as_bytes());
    row.is_some_and(|row| row.state == "Out")
}

/// Who brought a device into a group and has left its branch since, as they say (spec: CLI-185).
pub(crate) fn led_by(store: &SimStore, chat: ChatNumber) -> Option<Fingerprint> {
    channels(store).into_iter().find_map(|channel| {
        let row: LedRow = record(store, Table::Group, channel.as_bytes())?;
        let is_led = row.inviter_left_ms.is_some() && chat_of(store, &channel) == Some(chat);
        Fingerprint::try_from(&row.entered.filter(|_| is_led)?.by[..]).ok()
    })
}

/// How a device writes to a contact.
pub(crate) fn card_of(store: &SimStore, person: &Fingerprint) -> Option<ContactCard> {
    let row: ContactRow = record(store, Table::Contact, person.as_ref())?;
    ContactCard::decode_stored(&row.card?).ok()
}

/// Whether a device cannot go on in a group.
pub(crate) fn is_stuck(store: &SimStore, channel: &ChannelId) -> bool {
    let row: Option<StateRow> = record(store, Table::Group, channel.as_bytes());
    row.is_some_and(|row| row.state == "Stuck")
}

/// Whether a device does not know yet whether anybody went on with it in a group (spec: CLI-191).
pub(crate) fn is_unsettled(store: &SimStore, chat: ChatNumber) -> bool {
    channels(store).into_iter().any(|channel| {
        let row: Option<StateRow> = record(store, Table::Group, channel.as_bytes());
        row.is_some_and(|row| row.unsettled.is_some()) && chat_of(store, &channel) == Some(chat)
    })
}

/// Whether a device has asked to be out of a group.
pub(crate) fn is_leaving(store: &SimStore, channel: &ChannelId) -> bool {
    let row: Option<StateRow> = record(store, Table::Group, channel.as_bytes());
    row.is_some_and(|row| row.state == "Leaving")
}

/// Whether a device is in a group, and goes on there.
pub(crate) fn is_in(store: &SimStore, channel: &ChannelId) -> bool {
    let row: Option<StateRow> = record(store, Table::Group, channel.as_bytes());
    row.is_some_and(|row| row.state == "Member")
}

/// The channel that a wish is about, if it is about one.
fn channel_in(wish: &[u8]) -> Option<ChannelId> {
    /// As MessagePack writes the name of the field, and that 32 bytes follow.
    const FIELD: &[u8] = b"\xa7channel\xc4\x20";
    let begin = wish.windows(FIELD.len()).position(|part| part == FIELD)?;
    ChannelId::from_slice(wish.get(begin + FIELD.len()..)?.get(..32)?).ok()
}

/// What a device waits for: the kinds of its wishes, as its store names them, but for those about groups
/// that are `lost`.
pub(crate) fn wishes(store: &SimStore, lost: impl Fn(&ChannelId) -> bool) -> Vec<String> {
    let range = Range { prefix: &[], from: None, order: Order::Ascending, rows_max: ROWS_MAX };
    let mut rows = store.rows(Table::Wish, range).unwrap_or_default();
    rows.retain(|row| !channel_in(&row.value).is_some_and(|channel| lost(&channel)));
    let kind = |value: &[u8]| {
        let begin = value
            .windows(2)
            .position(|two| two[0].is_ascii_uppercase() && two[1].is_ascii_lowercase())?;
        let letters = value[begin..].iter().take_while(|byte| byte.is_ascii_alphabetic());
        Some(letters.map(|byte| char::from(*byte)).collect())
    };
    rows.iter().filter_map(|row| kind(&row.value)).collect()
}

/// What an id is called in the ledger.
pub(crate) fn digits(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many groups carry a chat on a device, or did.
pub(crate) fn groups_of(store: &SimStore, chat: ChatNumber) -> usize {
    channels(store).iter().filter(|channel| chat_of(store, channel) == Some(chat)).count()
}

/// When a device came into the groups of a direct chat, by its own clock; into one that it made, at the
/// beginning of time.
pub(crate) fn entered(store: &SimStore, chat: ChatNumber) -> Vec<(ChannelId, Timestamp)> {
    let all = channels(store).into_iter();
    all.filter(|channel| chat_of(store, channel) == Some(chat))
        .filter_map(|channel| {
            let group: DirectRow = record(store, Table::Group, channel.as_bytes())?;
            Some((channel, Timestamp(group.entered.map_or(0, |entered| entered.at_ms))))
        })
        .collect()
}

/// Whether a device is in a group of a direct chat, at this epoch, that it reads and puts behind another:
/// one to which an own device brought it, and in which it heard nobody yet (spec: LNK-120).
pub(crate) fn reads_unheard(store: &SimStore, chat: ChatNumber, epoch: &str) -> bool {
    channels(store).iter().filter(|channel| chat_of(store, channel) == Some(chat)).any(|channel| {
        let group: Option<DirectRow> = record(store, Table::Group, channel.as_bytes());
        let key = [b"heard ", &channel.as_bytes()[..]].concat();
        let heard: Option<HeardRow> = record(store, Table::Profile, &key);
        group.is_some_and(|group| group.state == "Member" && digits(&group.epoch) == epoch)
            && heard.is_some_and(|heard| heard.standing == "Unheard" && heard.devices.is_empty())
    })
}

/// The groups of a chat that a device is in.
pub(crate) fn groups_in(store: &SimStore, chat: ChatNumber) -> BTreeSet<ChannelId> {
    groups_with_state(store, chat, "Member")
}

/// The groups of a chat that a device left, or was removed from.
pub(crate) fn groups_given_up(store: &SimStore, chat: ChatNumber) -> BTreeSet<ChannelId> {
    groups_with_state(store, chat, "Out")
}

fn groups_with_state(store: &SimStore, chat: ChatNumber, state: &str) -> BTreeSet<ChannelId> {
    let has_it = |channel: &ChannelId| {
        let group: Option<DirectRow> = record(store, Table::Group, channel.as_bytes());
        group.is_some_and(|group| group.state == state)
    };
    let of_chat = |channel: &ChannelId| chat_of(store, channel) == Some(chat) && has_it(channel);
    channels(store).into_iter().filter(of_chat).collect()
}

/// The channel of a group's chat on a device.
pub(crate) fn channel_of(store: &SimStore, chat: ChatNumber) -> Option<ChannelId> {
    channels(store).into_iter().find(|channel| chat_of(store, channel) == Some(chat))
}

/// The channel in whose log a message stands that a device of this identity wrote: its id says it
/// (spec: CNT-012).
pub(crate) fn said_in(
    store: &SimStore,
    chat: ChatNumber,
    message: MessageNumber,
    by: &Fingerprint,
) -> Option<ChannelId> {
    let key = [chat.0.to_be_bytes(), message.0.to_be_bytes()].concat();
    let row: MessageRow = record(store, Table::Message, &key)?;
    let content = Content::decode(&row.content).ok()?.encode().ok()?;
    let sender = SenderUri::from_fingerprint(by.as_bytes());
    let id = |channel: &ChannelId| content.message_id(&sender, &RoomUri::from_channel(*channel));
    channels(store).into_iter().find(|channel| id(channel).as_bytes()[..] == row.mimi_id[..])
}

impl Loot {
    /// What a store has of a group.
    pub(crate) fn take(store: &SimStore, channel: ChannelId) -> Option<Self> {
        let identity: IdentityRow = record(store, Table::Profile, b"identity")?;
        let group: GroupRow = record(store, Table::Group, channel.as_bytes())?;
        let epoch = EpochId::from_slice(&group.epoch).ok()?;
        let key = [&channel.as_bytes()[..], &epoch.as_bytes()[..]].concat();
        let row: EpochRow = record(store, Table::Epoch, &key)?;
        let mls = MemoryMlsStore::default();
        let range = Range { prefix: &[], from: None, order: Order::Ascending, rows_max: ROWS_MAX };
        for row in store.rows(Table::Mls, range).ok()? {
            mls.write(&row.key, row.value).ok()?;
        }
        Some(Self {
            channel,
            relay: group.relay,
            epoch,
            keys: EpochKeys::from_secret_bytes(&fixed(&row.keys)?),
            read: LogPlace {
                read_to: Sequence(row.next),
                head: ChainHead::from_slice(&row.head).ok()?,
            },
            device: DeviceKey::from_bytes(&fixed(&identity.device_key)?),
            mls,
        })
    }

    fn group(&self, rng: &mut ChaCha20Rng) -> Option<Group> {
        Group::load(&Provider::new(&self.mls, rng), &self.channel).ok()?
    }

    /// What the members have agreed on, and who of others outranks or equals whom.
    pub(crate) fn state(&self, seed: u64) -> Option<GroupState> {
        Some(self.group(&mut ChaCha20Rng::seed_from_u64(seed))?.state().clone())
    }

    /// Whether there are several people with rights.
    pub(crate) fn is_group(&self, seed: u64) -> bool {
        self.state(seed).is_some_and(|state| state.kind == GroupKind::Group)
    }

    /// Identities of the group, but for this one.
    pub(crate) fn others(&self, me: &Fingerprint, seed: u64) -> Vec<Fingerprint> {
        let group = self.group(&mut ChaCha20Rng::seed_from_u64(seed));
        let members = group.and_then(|group| group.members().ok()).unwrap_or_default();
        let mut others: Vec<_> = members.iter().map(|leaf| leaf.identity()).collect();
        others.sort_unstable();
        others.dedup();
        others.retain(|one| one != me);
        others
    }

    /// This identity's role.
    pub(crate) fn role(&self, me: &Fingerprint, seed: u64) -> Option<Role> {
        Some(self.state(seed)?.role(me))
    }

    /// Bytes that mean nothing to anybody.
    pub(crate) fn garbage(operation: Operation, seed: u64) -> Forgery {
        let mut envelope = vec![0; GARBAGE_BYTES];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut envelope);
        Forgery { operation, envelope, next_keys: None }
    }

    /// The mark of a commit whose epoch nobody will follow.
    pub(crate) fn mark(cut: Cut, contested: Vec<EntryId>, seed: u64) -> CommitMark {
        CommitMark { next_key: strange_key(seed), cut, contested }
    }

    /// An envelope that opens, around bytes that are no message of MLS.
    pub(crate) fn nonsense(&self, seed: u64) -> Option<Forgery> {
        let mut message = vec![0; GARBAGE_BYTES];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut message);
        let content = EnvelopeContent::plain(EnvelopeKind::Message, message);
        self.seal(Operation::Message, &content, seed)
    }

    fn seal(&self, operation: Operation, content: &EnvelopeContent, seed: u64) -> Option<Forgery> {
        let mut nonce = [0; 24];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut nonce);
        let envelope =
            seal_content(&self.keys, &self.channel, &self.epoch, &operation, content, nonce)
                .ok()?;
        Some(Forgery { operation, envelope, next_keys: None })
    }

    /// Says that it leaves this branch for others, who parted from it in an epoch that nobody knows: whom
    /// it invited comes along (spec: CLI-185).
    pub(crate) fn departure(&self, seed: u64) -> Option<Forgery> {
        let mut bytes = [0; 32];
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.fill_bytes(&mut bytes);
        let salt = Salt::from_bytes(fixed(bytes.get(..16)?)?);
        let entry = ControlEntry { kind: ControlKind::BranchLeft, payload: bytes.to_vec() };
        let message = ControlMessage::new(vec![entry]).ok()?;
        let content = Content::control(salt, &message).encode().ok()?.into_bytes();
        let provider = Provider::new(&self.mls, &mut rng);
        let mut group = Group::load(&provider, &self.channel).ok()??;
        let sealed = group.seal_message(
            &provider,
            &self.device,
            &self.epoch,
            &self.keys,
            &content,
            self.read,
        );
        let envelope = sealed.ok()?.envelope;
        Some(Forgery { operation: Operation::Message, envelope, next_keys: None })
    }

    /// Somebody's entry of this epoch in another envelope: it is of the same author, and another entry.
    pub(crate) fn rewrapped(
        &self,
        operation: &Operation,
        envelope: &[u8],
        seed: u64,
    ) -> Option<Forgery> {
        let place = Place { channel: &self.channel, epoch: &self.epoch, operation };
        let content = envelope::open(&self.keys.envelope, place, envelope).ok()?;
        self.seal(operation.clone(), &content, seed)
    }

    /// Whether somebody's entry in another envelope says nothing new: who leaves may say so twice, and
    /// behind a commit that was applied none is looked at any more (spec: GRP-034, GRP-039).
    pub(crate) fn is_idle(&self, forgery: &Forgery) -> bool {
        let place =
            Place { channel: &self.channel, epoch: &self.epoch, operation: &forgery.operation };
        let content = envelope::open(&self.keys.envelope, place, &forgery.envelope);
        let kind = content.map(|content| content.kind);
        matches!(kind, Ok(EnvelopeKind::Leave | EnvelopeKind::Commit))
    }

    /// A commit that MLS makes and no rule of ours has looked at.
    pub(crate) fn commit(
        &self,
        intent: CommitIntent,
        contested: Vec<EntryId>,
        cut: Cut,
        seals: Seals,
        seed: u64,
    ) -> Option<Forgery> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let provider = Provider::sealing(&self.mls, &mut rng, seals);
        let mut group = Group::load(&provider, &self.channel).ok()??;
        let before = self.mls.snapshot();
        let basis = CommitBasis { read: self.read, contested, report: None };
        let made = group.begin_commit_unjudged(
            &provider,
            &self.device,
            &self.epoch,
            &self.keys,
            intent,
            basis,
            cut,
        );
        let Ok(pending) = made else {
            self.mls.roll_back(before);
            return None;
        };
        Some(Forgery {
            operation: Operation::Commit(pending.mark),
            envelope: pending.envelope,
            next_keys: Some(pending.next_keys),
        })
    }

    /// A valid commit, but for the key that it announces.
    pub(crate) fn with_strange_key(&self, forgery: Forgery, seed: u64) -> Option<Forgery> {
        let Operation::Commit(mark) = &forgery.operation else { return None };
        let place =
            Place { channel: &self.channel, epoch: &self.epoch, operation: &forgery.operation };
        let content = envelope::open(&self.keys.envelope, place, &forgery.envelope).ok()?;
        let mark = CommitMark { next_key: strange_key(seed), ..mark.clone() };
        self.seal(Operation::Commit(mark), &content, seed)
    }

    /// Goes on into the epoch that its own commit opened.
    pub(crate) fn follow(
        &mut self,
        entry: &EntryId,
        next_keys: EpochKeys,
        seed: u64,
    ) -> Option<()> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let provider = Provider::new(&self.mls, &mut rng);
        let mut group = Group::load(&provider, &self.channel).ok()??;
        group.confirm_commit(&provider).ok()?;
        self.epoch = EpochId::from_bytes(*entry.as_bytes());
        self.keys = next_keys;
        let head = first_head(&self.channel, &self.epoch);
        self.read = LogPlace { read_to: Sequence::FIRST, head };
        Some(())
    }
}

/// A key that no epoch has.
fn strange_key(seed: u64) -> PublicKey {
    let mut bytes = [0; 32];
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    EpochKeys::derive(&bytes, &bytes).public_key()
}

/// The removal of one identity.
pub(crate) fn removal(whom: Fingerprint) -> CommitIntent {
    CommitIntent { remove: vec![LeafSelector::Identity(whom)], ..CommitIntent::default() }
}
