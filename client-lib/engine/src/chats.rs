//! Chats: what a person sees of groups.

use hushwire_protocol::profile::ProfileName;
use hushwire_wire::id::ChannelId;

use crate::{
    command::{
        ChatInfo, ChatKind, ChatNumber, ChatState, CommandError, ContactNumber, MessageNumber,
        Pinned,
    },
    event::Event,
    record::{ChatRecord, GroupRecord, by_number, number_of},
    store::StoreError,
    work::Work,
};

/// A name that a person gave, without the blanks around it: what others would refuse in a card is
/// refused here, before it is stored (spec: LNK-024).
pub(crate) fn check_name(name: &str) -> Result<String, CommandError> {
    let name = ProfileName::new(name.trim()).map_err(|_| CommandError::BadText)?;
    Ok(name.as_str().to_owned())
}

/// Adds a chat.
pub(crate) fn add(
    work: &mut Work<'_>,
    name: String,
    kind: ChatKind,
    state: ChatState,
    channel: Option<ChannelId>,
    contact: Option<ContactNumber>,
) -> Result<ChatNumber, StoreError> {
    let number = work.count(|counters| &mut counters.chat)?;
    let record = ChatRecord {
        name,
        kind,
        state,
        channel,
        rooms: channel.into_iter().collect(),
        contact,
        last: 0,
        read_upto: 0,
        unread: 0,
        active_ms: work.now.0,
        pinned: Vec::new(),
    };
    work.tx.save(&by_number(number), &record)?;
    work.event(Event::ChatAdded(ChatNumber(number)))?;
    Ok(ChatNumber(number))
}

pub(crate) fn load(work: &Work<'_>, chat: ChatNumber) -> Result<Option<ChatRecord>, StoreError> {
    work.tx.load(&by_number(chat.0))
}

pub(crate) fn save(
    work: &Work<'_>,
    chat: ChatNumber,
    record: &ChatRecord,
) -> Result<(), StoreError> {
    work.tx.save(&by_number(chat.0), record)
}

/// A chat that a command names.
pub(crate) fn named(work: &Work<'_>, chat: ChatNumber) -> Result<ChatRecord, CommandError> {
    load(work, chat)?.ok_or(CommandError::NoSuchChat)
}

/// A chat that a command names, and that can be written to.
pub(crate) fn writable(work: &Work<'_>, chat: ChatNumber) -> Result<ChatRecord, CommandError> {
    let record = named(work, chat)?;
    match record.state {
        ChatState::Open | ChatState::Opening => Ok(record),
        ChatState::Left
        | ChatState::Removed
        | ChatState::Elsewhere
        | ChatState::Dissolved
        | ChatState::Stuck
        | ChatState::Asked
        | ChatState::NotAdmitted => Err(CommandError::ChatClosed),
        ChatState::NewerRules => Err(CommandError::NewerRules),
    }
}

/// Notes which group carries a chat.
pub(crate) fn set_channel(
    work: &Work<'_>,
    chat: ChatNumber,
    channel: &ChannelId,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, chat)? else { return Ok(()) };
    record.carry(*channel);
    save(work, chat, &record)
}

/// Changes a chat and says so, if it is another one now.
pub(crate) fn set_state(
    work: &mut Work<'_>,
    chat: ChatNumber,
    state: ChatState,
) -> Result<(), StoreError> {
    let Some(mut record) = load(work, chat)? else { return Ok(()) };
    if record.state == state {
        return Ok(());
    }
    record.state = state;
    save(work, chat, &record)?;
    // What waited for the chat to open can go on.
    work.effects.channels.extend(record.channel);
    work.event(Event::ChatChanged(chat))
}

/// The chats, most recent first.
pub(crate) fn list(work: &Work<'_>) -> Result<Vec<ChatInfo>, StoreError> {
    let mut rows = work.tx.list::<ChatRecord>(&[], usize::MAX)?;
    rows.sort_by_key(|row| core::cmp::Reverse(row.record.active_ms));
    rows.into_iter()
        .map(|row| {
            let number = number_of(&row.key).map(ChatNumber).ok_or(StoreError::Damaged)?;
            info(work, number, &row.record)
        })
        .collect()
}

/// A chat as an app sees it.
pub(crate) fn info(
    work: &Work<'_>,
    number: ChatNumber,
    record: &ChatRecord,
) -> Result<ChatInfo, StoreError> {
    let group: Option<GroupRecord> = match &record.channel {
        Some(channel) => work.tx.load(channel.as_bytes())?,
        None => None,
    };
    Ok(ChatInfo {
        number,
        name: record.name.clone(),
        kind: record.kind,
        state: record.state,
        contact: record.contact,
        unread: record.unread,
        last: MessageNumber(record.last),
        stuck: group.as_ref().and_then(|group| group.stuck).map(|stuck| stuck.cause),
        relay: group.map(|group| group.relay).unwrap_or_default(),
        pinned: record.pinned.clone(),
    })
}

/// Whether a message of a chat is pinned.
pub(crate) fn pinned(record: &ChatRecord, message: MessageNumber) -> Pinned {
    if record.pinned.contains(&message) { Pinned::Yes } else { Pinned::No }
}

/// Everything up to this message was seen.
pub(crate) fn mark_read(
    work: &mut Work<'_>,
    chat: ChatNumber,
    upto: MessageNumber,
) -> Result<(), CommandError> {
    let mut record = named(work, chat)?;
    if upto.0 > record.last {
        return Err(CommandError::NoSuchMessage);
    }
    if upto.0 <= record.read_upto {
        return Ok(());
    }
    let unseen = crate::messages::count_received(work, chat, upto.next(), record.last)?;
    record.read_upto = upto.0;
    record.unread = unseen;
    save(work, chat, &record)?;
    work.event(Event::ChatChanged(chat))?;
    Ok(())
}

impl MessageNumber {
    /// The one after this.
    pub(crate) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::DiskFull,
            StoreError::Damaged => Self::StoreDamaged,
            StoreError::Failed => Self::DiskFailed,
        }
    }
}
