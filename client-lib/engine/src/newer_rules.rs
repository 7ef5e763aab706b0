//! Groups that go by rules which this program does not know: they are held where they are, until a
//! newer program opens the store (spec: CLI-173, CLI-174).

use hushwire_protocol::group::RuleVersion;
use hushwire_wire::id::ChannelId;

use crate::{
    chats,
    command::ChatState,
    event::{Event, Warning},
    groups,
    record::{GroupRecord, PurposeRecord},
    store::StoreError,
    work::Work,
};

/// A commit leads to newer rules, and what opening it changed is gone: the cursor stays before it.
/// Nothing is sealed here, and nothing contested, before there is a verdict.
pub(crate) fn hold(
    work: &mut Work<'_>,
    channel: &ChannelId,
    rules: RuleVersion,
) -> Result<(), StoreError> {
    let Some(mut group) = groups::record(work, channel)? else { return Ok(()) };
    group.rules = rules.0;
    group.contest = None;
    groups::save(work, channel, &group)?;
    work.effects.channels.insert(*channel);
    show(work, &group)
}

/// After opening: what this program can judge goes on by itself, what it cannot is held.
pub(crate) fn review(work: &mut Work<'_>) -> Result<(), StoreError> {
    for channel in groups::channels(work)? {
        if let Some(group) = groups::record(work, &channel)? {
            show(work, &group)?;
        }
    }
    Ok(())
}

/// Shows a person whether the chat goes on.
fn show(work: &mut Work<'_>, group: &GroupRecord) -> Result<(), StoreError> {
    let held = group.state.is_in() && group.is_held(work.rules);
    let Some(chat) = group.purpose.chat() else {
        // The devices of this identity have no chat.
        return if held { tell(work, group) } else { Ok(()) };
    };
    let state = chats::load(work, chat)?.map(|chat| chat.state);
    match state {
        Some(ChatState::Open | ChatState::Opening) if held => {
            chats::set_state(work, chat, ChatState::NewerRules)?;
            tell(work, group)
        }
        Some(ChatState::NewerRules) if !held => {
            let direct = matches!(group.purpose, PurposeRecord::Direct { .. });
            let waits = direct && !group.opened;
            let state = if waits { ChatState::Opening } else { ChatState::Open };
            chats::set_state(work, chat, state)
        }
        _ => Ok(()),
    }
}

fn tell(work: &mut Work<'_>, group: &GroupRecord) -> Result<(), StoreError> {
    work.event(Event::Warning(Warning::NewerRules { chat: group.purpose.chat() }))
}
