//! A message as a flat object.

use hushwire::command::{
    FailureReason, Mentioned, MessageBody, MessageInfo, MessageState, Pinned, Sender, TransferState,
};
use serde::Serialize;

use crate::{code::code_of, people::People};

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageRecord {
    /// Which chat.
    pub chat: u64,
    /// Its number there.
    pub message: u64,
    /// me or other.
    pub sender: &'static str,
    /// The name known for the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<String>,
    /// What the other is called on the screen, safe to show.
    #[serde(skip)]
    pub sender_label: Option<String>,
    /// The other's identity, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_fingerprint: Option<String>,
    /// text, file or not_supported.
    pub body: &'static str,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A safe file name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// `type/subtype`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// remote, moving, complete or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// Bytes moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_done: Option<u64>,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_of: Option<u64>,
    /// Why the transfer failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_failure: Option<String>,
    /// received, pending, stored, delivered or failed.
    pub state: String,
    /// People who have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_to: Option<u32>,
    /// The other people in the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_of: Option<u32>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When the relay stored it, by its clock; for an own message, when this device took it.
    pub sent_at_ms: u64,
    /// all, if it mentions everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentioned: Option<&'static str>,
    /// yes, if it is pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<&'static str>,
    /// Why it or its transfer failed, for a person.
    #[serde(skip)]
    pub failure_words: Option<FailureReason>,
}

impl MessageRecord {
    /// A message of somebody among others.
    pub fn new(info: MessageInfo, people: &People) -> Self {
        let mut record = Self {
            chat: info.chat.0,
            message: info.number.0,
            sender: "me",
            state: code_of(&info.state),
            sent_at_ms: info.sent_at_ms,
            mentioned: (info.mentioned == Mentioned::All).then_some("all"),
            pinned: (info.pinned == Pinned::Yes).then_some("yes"),
            ..Self::default()
        };
        if let Sender::Other { fingerprint, name } = info.sender {
            record.sender = "other";
            record.sender_label = Some(people.label(&name, &fingerprint));
            record.sender_name = Some(name);
            record.sender_fingerprint = Some(fingerprint);
        }
        record.put_body(info.body);
        record.put_state(&info.state);
        record
    }

    fn put_body(&mut self, body: MessageBody) {
        match body {
            MessageBody::Text(text) => {
                self.body = "text";
                self.text = Some(text);
            }
            MessageBody::File { name, size, media_type, transfer } => {
                self.body = "file";
                self.file_name = Some(name);
                self.file_size = Some(size);
                self.media_type = Some(media_type);
                self.put_transfer(&transfer);
            }
            MessageBody::NotSupported { media_type } => {
                self.body = "not_supported";
                self.media_type = Some(media_type);
            }
            _ => self.body = "not_supported",
        }
    }

    fn put_transfer(&mut self, transfer: &TransferState) {
        self.transfer = Some(code_of(transfer));
        match transfer {
            TransferState::Remote | TransferState::Complete => {}
            TransferState::Moving { done, of } => {
                self.transfer_done = Some(*done);
                self.transfer_of = Some(*of);
            }
            TransferState::Failed(reason) => {
                self.transfer_failure = Some(code_of(reason));
                self.failure_words = Some(*reason);
            }
        }
    }

    fn put_state(&mut self, state: &MessageState) {
        match state {
            MessageState::Received | MessageState::Pending | MessageState::Stored => {}
            MessageState::Delivered { people, of } => {
                self.delivered_to = Some(*people);
                self.delivered_of = Some(*of);
            }
            MessageState::Failed(reason) => {
                self.failure = Some(code_of(reason));
                self.failure_words = Some(*reason);
            }
        }
    }
}
