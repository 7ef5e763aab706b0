//! An event as a flat object.

use hushwire::{
    command::{ChatNumber, FailureReason, MessageNumber, SecretText},
    event::{Event, NumberedEvent, Warning},
};
use serde::Serialize;

use super::MessageRecord;
use crate::code::code_of;

/// An event.
#[derive(Debug, Default, Serialize)]
pub struct EventRecord {
    /// Its place; the next one has this plus one.
    pub number: u64,
    /// When this device noted it.
    pub at_ms: u64,
    /// What happened.
    pub event: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<u64>,
    /// Which message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_number: Option<u64>,
    /// Which contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<u64>,
    /// Which link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<u64>,
    /// Which request to be let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Who did it, a fingerprint in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who did it, as they are called on the screen, safe to show.
    #[serde(skip)]
    pub by_label: Option<String>,
    /// What of the group: name, description, picture, rights, roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Vec<String>>,
    /// Who, fingerprints in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
    /// The digits to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<SecretText>,
    /// Why something will not happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The address of the relay concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
    /// A code that says more about the warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why this device cannot go on in a chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// From when on nothing can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Up to when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// The message as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageRecord>,
}

impl From<NumberedEvent> for EventRecord {
    fn from(numbered: NumberedEvent) -> Self {
        let mut record = Self {
            number: numbered.number.0,
            at_ms: numbered.at_ms,
            event: code_of(&numbered.event),
            ..Self::default()
        };
        record.put(numbered.event);
        record
    }
}

impl EventRecord {
    fn put(&mut self, event: Event) {
        match event {
            Event::MessageAdded { chat, message }
            | Event::MessageStateChanged { chat, message }
            | Event::EverybodyMentioned { chat, message }
            | Event::TransferEnded { chat, message } => self.put_message(chat, message),
            Event::ChatAdded(chat)
            | Event::ChatChanged(chat)
            | Event::HistoryReadAnew(chat)
            | Event::RemovedFromChat(chat) => {
                self.chat = Some(chat.0);
            }
            Event::MessagePinned { chat, message, by }
            | Event::MessageUnpinned { chat, message, by } => {
                self.put_message(chat, message);
                self.by = Some(by);
            }
            Event::GroupChanged { chat, by, changed, members } => {
                self.chat = Some(chat.0);
                self.by = Some(by);
                self.changed = Some(changed.iter().map(code_of).collect());
                self.members = Some(members).filter(|members| !members.is_empty());
            }
            Event::GroupDissolved { chat, by }
            | Event::GroupSucceeded { chat, by }
            | Event::SuccessorOffered { chat, by } => {
                self.chat = Some(chat.0);
                self.by = Some(by);
            }
            Event::MembersAdded { chat, members } | Event::MembersRemoved { chat, members } => {
                self.chat = Some(chat.0);
                self.members = Some(members);
            }
            Event::GroupStuck { chat, cause } => {
                self.chat = chat.map(|chat| chat.0);
                self.stuck = Some(code_of(&cause));
            }
            Event::GroupRejoined { chat, from_ms, to_ms } => {
                self.chat = chat.map(|chat| chat.0);
                self.from_ms = Some(from_ms);
                self.to_ms = Some(to_ms);
            }
            Event::RejoinGivenUp { chat }
            | Event::GroupUnsettled { chat }
            | Event::GroupSettled { chat } => self.chat = chat.map(|chat| chat.0),
            Event::ReadmissionAsked { chat, member } | Event::MemberReadmitted { chat, member } => {
                self.chat = Some(chat.0);
                self.members = Some(vec![member]);
            }
            Event::ContactAdded(contact) | Event::ContactChanged(contact) => {
                self.contact = Some(contact.0);
            }
            Event::GroupLinksChanged(chat) | Event::JoinRequestsChanged(chat) => {
                self.chat = Some(chat.0);
            }
            Event::JoinRequested { chat, request } => {
                self.chat = Some(chat.0);
                self.request = Some(request.0);
            }
            Event::ContactFailed { chat, reason }
            | Event::GroupChangeFailed { chat, reason }
            | Event::JoinFailed { chat, reason } => {
                self.chat = Some(chat.0);
                self.put_failure(reason);
            }
            Event::AdditionFailed { chat, member, reason } => {
                self.chat = Some(chat.0);
                self.members = Some(vec![member]);
                self.put_failure(reason);
            }
            Event::LinkChanged(link) => self.link = Some(link.0),
            Event::DeviceCompare { code } => self.code = Some(code),
            Event::DeviceLinkFailed(reason) => self.put_failure(reason),
            Event::Warning(warning) => self.put_warning(warning),
            // What has no fields, and what a newer library adds, is told by its name.
            _ => {}
        }
    }

    fn put_message(&mut self, chat: ChatNumber, message: MessageNumber) {
        self.chat = Some(chat.0);
        self.message_number = Some(message.0);
    }

    fn put_failure(&mut self, reason: FailureReason) {
        self.failure = Some(code_of(&reason));
    }

    fn put_warning(&mut self, warning: Warning) {
        self.warning = Some(code_of(&warning));
        match warning {
            Warning::RelayKeyMismatch { relay }
            | Warning::InboxRolledBack { relay }
            | Warning::ClockDiffers { relay }
            | Warning::InboxDenied { relay } => {
                self.relay = Some(relay);
            }
            Warning::RelayFault { relay, fault } => {
                self.relay = Some(relay);
                self.detail = Some(code_of(&fault));
            }
            Warning::RelayRolledBack { chat }
            | Warning::HistoryDiffers { chat }
            | Warning::MemberContradicts { chat }
            | Warning::InviterLeft { chat }
            | Warning::OwnCommitUnknown { chat }
            | Warning::DoorDenied { chat }
            | Warning::EpochFull { chat }
            | Warning::MissedTooMuch { chat } => self.chat = Some(chat.0),
            Warning::EntryRejected { chat, code } | Warning::CommitRejected { chat, code } => {
                self.chat = Some(chat.0);
                self.detail = Some(code);
            }
            Warning::NewerRules { chat } => self.chat = chat.map(|chat| chat.0),
            Warning::ItemRejected { code } => self.detail = Some(code),
            Warning::InvitationRefused { reason } => self.detail = Some(code_of(&reason)),
            _ => {}
        }
    }
}
