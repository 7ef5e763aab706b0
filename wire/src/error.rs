//! The error codes a relay answers with: one table, with who is to blame and what helps.
//!
//! The registry is `spec/registries.md`; numbers are never reused (spec: WIRE-050).

/// Who has to act so that the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client sent something that no state of the relay would accept.
    Client,
    /// The request was right for a state that has passed; the client reads on and tries anew.
    State,
    /// The relay cannot serve it now.
    Relay,
}

/// What a client does with the refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never with the same bytes.
    Never,
    /// After it has read what it lacks, or opened anew.
    AfterSync,
    /// The same bytes later: after `retry_after_ms`, or with back-off.
    Later,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal, $blame:ident, $retry:ident;)+) => {
        /// Why a relay refused a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The number on the wire.
            pub const fn number(self) -> u32 {
                match self { $(Self::$name => $code),+ }
            }

            /// The code with this number, if this version knows it.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($code => Some(Self::$name),)+ _ => None }
            }

            /// The stable name, as the registry and users see it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Who has to act.
            pub const fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame),+ }
            }

            /// What a client does with the refused request.
            pub const fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry),+ }
            }
        }
    };
}

codes! {
    /// The bytes are no frame of this version. The session ends.
    MalformedFrame = 1, "MALFORMED_FRAME", Client, Never;
    /// The length prefix is above the bound. The session ends.
    FrameTooLarge = 2, "FRAME_TOO_LARGE", Client, Never;
    /// No common version. The session ends.
    UnsupportedVersion = 3, "UNSUPPORTED_VERSION", Client, Never;
    /// The first frame was no hello, or a later one was. The session ends.
    HelloMisplaced = 4, "HELLO_MISPLACED", Client, Never;
    /// The operation or a reserved field is not part of the agreed version.
    Unsupported = 5, "UNSUPPORTED", Client, Never;
    /// More handles, readings or requests of a session, or more slots, capabilities or packages of an
    /// inbox, than there may be.
    LimitExceeded = 6, "LIMIT_EXCEEDED", Client, Later;
    /// The request id is already in use.
    RequestIdInUse = 7, "REQUEST_ID_IN_USE", Client, Never;
    /// The relay is overloaded.
    Busy = 8, "BUSY", Relay, Later;
    /// The relay failed; a write may have been stored or not.
    Internal = 9, "INTERNAL", Relay, Later;
    /// The relay is stopping.
    ShuttingDown = 10, "SHUTTING_DOWN", Relay, Later;
    /// The relay's disk is full; nothing was changed.
    StorageFull = 11, "STORAGE_FULL", Relay, Later;

    /// The object is unknown, or the proof for it is wrong. Which of them is not said.
    Denied = 20, "DENIED", Client, AfterSync;
    /// The handle or reading is not open in this session.
    UnknownHandle = 21, "UNKNOWN_HANDLE", Client, AfterSync;
    /// The id is taken by another object.
    AlreadyExists = 22, "ALREADY_EXISTS", Client, Never;

    /// The epoch has a first commit already; the candidates come along.
    Stale = 30, "STALE", State, AfterSync;
    /// The epoch, or its last candidate or note, is too young for another one, or it is somebody
    /// else's turn.
    TooEarly = 31, "TOO_EARLY", State, Later;
    /// The next epoch key was seen before.
    KeyReused = 32, "KEY_REUSED", Client, Never;
    /// The epoch takes no more candidates.
    CandidatesExhausted = 33, "CANDIDATES_EXHAUSTED", State, AfterSync;
    /// The epoch may not be read with this handle.
    NotReadable = 34, "NOT_READABLE", State, AfterSync;
    /// What was asked for is older than the relay keeps.
    Expired = 35, "EXPIRED", State, AfterSync;
    /// The content is above the bound.
    TooLarge = 36, "TOO_LARGE", Client, Never;
    /// The blob that the entry names is not there whole, or has another size or hash.
    BlobMissing = 37, "BLOB_MISSING", State, AfterSync;
    /// A sequence number lies beyond the end.
    BeyondEnd = 38, "BEYOND_END", Client, AfterSync;

    /// The capability has written as many items as it may.
    CapabilitySpent = 40, "CAPABILITY_SPENT", Client, Never;
    /// The inbox holds as many items as it may.
    InboxFull = 41, "INBOX_FULL", State, Later;
    /// No key package is left for this device.
    ShelfEmpty = 42, "SHELF_EMPTY", State, Later;

    /// The chunk does not start where the stored part ends, or has a wrong length.
    WrongOffset = 50, "WRONG_OFFSET", Client, AfterSync;
    /// The blob is not complete yet.
    BlobIncomplete = 51, "BLOB_INCOMPLETE", State, Later;
    /// An entry whose content is kept names the blob.
    BlobInUse = 52, "BLOB_IN_USE", State, Later;

    /// The epoch has no candidate that a note could be about.
    NoCandidates = 60, "NO_CANDIDATES", State, AfterSync;
    /// The epoch takes no more notes.
    NotesExhausted = 61, "NOTES_EXHAUSTED", State, AfterSync;
}

/// A refusal: what the relay answers instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", code.name())]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// When trying again may help, in milliseconds; 0 says nothing.
    pub retry_after_ms: u64,
    /// For [`Code::Stale`]: the epoch's candidates in relay order.
    pub candidates: Vec<crate::id::EntryId>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, retry_after_ms: 0, candidates: Vec::new() }
    }
}

impl Refusal {
    /// A refusal that names a time to wait, in milliseconds.
    pub const fn later(code: Code, retry_after_ms: u64) -> Self {
        Self { code, retry_after_ms, candidates: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_distinct_and_round_trip() {
        // spec: WIRE-050
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            for other in &Code::ALL[index + 1..] {
                assert_ne!(code.number(), other.number());
                assert_ne!(code.name(), other.name());
            }
        }
        assert_eq!(Code::from_number(0), None);
    }
}
