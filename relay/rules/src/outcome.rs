//! What a write or a lookup came to: a result of the rules, a refusal, or a failure of the store.

use bytes::Bytes;
use hushwire_wire::{
    error::{Code, Refusal},
    id::{ChainHead, ChannelId, EntryId, EpochId, InboxId, ItemId, PublicKey, Sequence, SlotId},
    message::{PackageKind, PackageKindsPresent, Repeated},
};

use crate::store::StoreError;

/// Why a write, lookup or reading was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A rule refuses it. Blame: the client, or the state has moved on ([`Code::blame`]).
    #[error(transparent)]
    Rule(#[from] Refusal),
    /// The store cannot serve. Blame: the relay's machine.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self::Rule(code.into())
    }
}

impl Refused {
    /// What the client is told. A damaged row and a failed disk are one to it.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Rule(refusal) => refusal,
            Self::Store(StoreError::Conflict) => Code::Busy.into(),
            Self::Store(StoreError::Full) => Code::StorageFull.into(),
            Self::Store(StoreError::Damaged | StoreError::Failed) => Code::Internal.into(),
        }
    }
}

/// What a write or a lookup came to. Opaque: [`crate::Session::complete`] turns it into an answer.
#[derive(Debug)]
pub struct Outcome(pub(crate) Result<Effect, Refused>);

impl Outcome {
    /// The store's failure, if that is what it came to; for the operator.
    pub fn failure(&self) -> Option<StoreError> {
        match &self.0 {
            Err(Refused::Store(error)) => Some(*error),
            Ok(_) | Err(Refused::Rule(_)) => None,
        }
    }

    /// The relay could not try it, for example because a queue is full.
    pub fn not_tried(code: Code) -> Self {
        Self(Err(code.into()))
    }
}

/// What a write did, or a lookup found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Done, nothing to say.
    Done,
    /// The channel is open at an epoch.
    ChannelOpened {
        channel: ChannelId,
        epoch: EpochId,
        next: Sequence,
        head: ChainHead,
        candidates: Vec<EntryId>,
        siblings: Vec<EntryId>,
    },
    /// The entry stands in its epoch.
    Appended {
        channel: ChannelId,
        epoch: EpochId,
        entry: EntryId,
        sequence: Sequence,
        head: ChainHead,
        repeated: Repeated,
    },
    /// The session may open the inbox; the slot is to be touched next.
    InboxProven { inbox: InboxId, slot: SlotId, owner: PublicKey },
    /// The inbox is open.
    InboxOpened { inbox: InboxId, slot: SlotId, owner: PublicKey, cursor: Sequence, next: Sequence },
    /// The inbox has another owner key.
    InboxRotated { inbox: InboxId, before: PublicKey, owner: PublicKey },
    /// What is on a shelf.
    ShelfState { packages: u64, last_resort: PackageKindsPresent },
    /// The item is in the inbox.
    InboxSent { inbox: InboxId, item: ItemId, repeated: Repeated },
    /// The card of a capability, and the device list.
    Card { card: Bytes, device_list: Bytes },
    /// A key package was taken.
    KeyPackage { package: Bytes, kind: PackageKind },
    /// How much of a blob is stored.
    BlobState { size: u64, stored: u64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_of_the_store_has_its_code() {
        let cases = [
            (StoreError::Conflict, Code::Busy),
            (StoreError::Full, Code::StorageFull),
            (StoreError::Damaged, Code::Internal),
            (StoreError::Failed, Code::Internal),
        ];
        for (error, code) in cases {
            let outcome = Outcome(Err(error.into()));
            assert_eq!(outcome.failure(), Some(error));
            assert_eq!(Refused::from(error).refusal().code, code);
        }
        assert_eq!(Outcome::not_tried(Code::Busy).failure(), None);
    }
}
