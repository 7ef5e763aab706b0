//! Receipts: what became of messages at their receiver (draft-mahy-mimi-message-status-01).
//!
//! A report is a list of (message id, status) pairs and travels as a part of an ordinary message,
//! so that the relay cannot tell it from one.

use super::{
    ContentError,
    cbor::{Reader, Writer},
    id::MessageId,
};

/// Pairs in one report (spec: CNT-030).
pub const STATUSES_MAX: usize = 1_024;

/// What became of a message at the report's sender. Numbers that this version does not know are
/// kept, and no news (spec: CNT-031).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(pub u8);

impl Status {
    /// Not read yet, or no longer.
    pub const UNREAD: Self = Self(0);
    /// One of the identity's devices has it.
    pub const DELIVERED: Self = Self(1);
    /// Its user has read it.
    pub const READ: Self = Self(2);
    /// It expired.
    pub const EXPIRED: Self = Self(3);
    /// It was deleted.
    pub const DELETED: Self = Self(4);
    /// It was hidden.
    pub const HIDDEN: Self = Self(5);
    /// It could not be received.
    pub const ERROR: Self = Self(6);
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageStatus {
    /// The message.
    pub message: MessageId,
    /// What became of it.
    pub status: Status,
}

/// A report on one message or more of the same room, each named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    statuses: Vec<MessageStatus>,
}

impl StatusReport {
    /// A report with these statuses, in this order.
    ///
    /// # Errors
    /// [`ContentError::BadStatusReport`] for none, more than [`STATUSES_MAX`], or a message that is
    /// named twice (spec: CNT-030).
    pub fn new(statuses: Vec<MessageStatus>) -> Result<Self, ContentError> {
        if statuses.is_empty() || statuses.len() > STATUSES_MAX {
            return Err(ContentError::BadStatusReport);
        }
        let mut named: Vec<_> = statuses.iter().map(|status| status.message).collect();
        named.sort_unstable();
        if named.iter().zip(named.iter().skip(1)).any(|(a, b)| a == b) {
            return Err(ContentError::BadStatusReport);
        }
        Ok(Self { statuses })
    }

    /// The same status for several messages: one batch of receipts.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn batch(
        status: Status,
        messages: impl IntoIterator<Item = MessageId>,
    ) -> Result<Self, ContentError> {
        let status = |message| MessageStatus { message, status };
        Self::new(messages.into_iter().take(STATUSES_MAX + 1).map(status).collect())
    }

    /// The statuses, in the sender's order.
    pub fn statuses(&self) -> &[MessageStatus] {
        &self.statuses
    }

    /// Reads `[* [message id, status]]`.
    ///
    /// # Errors
    /// [`ContentError`] (spec: CNT-002, CNT-013, CNT-030).
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let mut reader = Reader::new(bytes);
        let count = reader.array(STATUSES_MAX)?;
        let mut statuses = Vec::new();
        for _ in 0..count {
            reader.array_of(2)?;
            let message = MessageId::from_slice(reader.bytes(MessageId::LENGTH)?)?;
            statuses.push(MessageStatus { message, status: Status(reader.byte()?) });
        }
        reader.finish()?;
        Self::new(statuses)
    }

    /// The one encoding of this report.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(self.statuses.len());
        for entry in &self.statuses {
            writer.array(2).bytes(entry.message.as_bytes()).unsigned(u64::from(entry.status.0));
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::cbor::CborError;

    /// The example of the draft.
    const EXAMPLE: &str = "84825820017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f402\
        825820015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b2702\
        825820018d825adf9f6be00dcafc5704c4102f5022e74219d0b603e4ba7622654042af00\
        82582001e59db8173939facc2c8a4a0f0ae8d0c7a11a81239626630c9464a8d6717a0303";

    #[test]
    fn the_example_of_the_draft_round_trips() {
        // spec: CNT-030
        let bytes = hex::decode(EXAMPLE).unwrap();
        let report = StatusReport::decode(&bytes).unwrap();
        let statuses: Vec<_> = report.statuses().iter().map(|entry| entry.status).collect();
        assert_eq!(statuses, [Status::READ, Status::READ, Status::UNREAD, Status::EXPIRED]);
        assert_eq!(report.encode(), bytes);
    }

    #[test]
    fn unknown_statuses_are_kept() {
        // spec: CNT-031
        let entry = MessageStatus {
            message: MessageId::from_slice(&[1; 32]).unwrap(),
            status: Status(200),
        };
        let report = StatusReport::new(vec![entry]).unwrap();
        assert_eq!(StatusReport::decode(&report.encode()), Ok(report));
    }

    #[test]
    fn wrong_reports_are_refused() {
        // spec: CNT-030
        let id = format!("5820{}", "01".repeat(32));
        for (text, error) in [
            ("80".to_owned(), ContentError::BadStatusReport),
            (format!("8282{id}0182{id}02"), ContentError::BadStatusReport),
            (format!("8182{id}190100"), ContentError::Cbor(CborError::AboveBound)),
            (format!("8182{id}20"), ContentError::Cbor(CborError::UnexpectedType)),
            (format!("8182{id}1801"), ContentError::Cbor(CborError::NotShortest)),
            (format!("8183{id}0101"), ContentError::Cbor(CborError::UnexpectedType)),
            (format!("8182{id}01ff"), ContentError::Cbor(CborError::TrailingBytes)),
            (format!("8282{id}01"), ContentError::Cbor(CborError::Truncated)),
            (format!("9f82{id}01ff"), ContentError::Cbor(CborError::IndefiniteLength)),
            (format!("81825820{}01", "02".repeat(32)), ContentError::UnknownHash),
            (format!("8182581f{}01", "01".repeat(31)), ContentError::WrongLength),
            ("990401".to_owned(), ContentError::Cbor(CborError::AboveBound)),
        ] {
            let bytes = hex::decode(&text).unwrap();
            assert_eq!(StatusReport::decode(&bytes), Err(error), "{text}");
        }
    }

    #[test]
    fn a_batch_is_bounded() {
        // spec: CNT-030
        let id = |number: usize| {
            let mut bytes = [1; 32];
            bytes[24..].copy_from_slice(&number.to_be_bytes());
            MessageId::from_slice(&bytes).unwrap()
        };
        let batch = |count| StatusReport::batch(Status::READ, (0..count).map(id));
        assert!(batch(STATUSES_MAX).is_ok());
        assert_eq!(batch(STATUSES_MAX + 1), Err(ContentError::BadStatusReport));
        assert_eq!(batch(0), Err(ContentError::BadStatusReport));
        assert!(batch(STATUSES_MAX).unwrap().encode().len() < crate::content::CONTENT_BYTES_MAX);
    }
}
