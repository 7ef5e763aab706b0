//! Why something of a peer's is rejected, with codes that are the same for every member, and why
//! an operation of our own failed.

use super::state::RuleVersion;
use crate::envelope::EnvelopeError;
use crate::storage::MlsStoreError;

/// Where in the judgement an entry fell (spec: GRP-030).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// The bytes have no valid encoding.
    Decode = 1,
    /// A key or signature does not fit.
    Auth = 2,
    /// It does not fit the epoch's state.
    State = 3,
    /// It breaks a rule of the group.
    Policy = 4,
}

macro_rules! rejections {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal;)+) => {
        /// Why an entry is not valid. The numbers stand in reports and never change; the hundreds
        /// are the phase (spec: GRP-030).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum Rejection {
            $($(#[doc = $doc])+ #[error($text)] $name = $code,)+
        }

        impl Rejection {
            /// Every code, for the registry and its vectors.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable code.
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The code's name in the registry.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

rejections! {
    /// The envelope's length is not a padded length.
    BadLength = 101, "the envelope's length is not a padded length";
    /// The content of the envelope has no valid encoding.
    MalformedEnvelope = 102, "the envelope's content is malformed";
    /// The padding is not zero.
    BadPadding = 103, "the envelope's padding is not zero";
    /// The kind does not go with the operation.
    WrongKind = 104, "the envelope's kind does not go with the operation";
    /// The MLS message has no valid encoding.
    MalformedMessage = 105, "the MLS message is malformed";
    /// A message came in another MLS wire format than its kind has.
    WrongWireFormat = 106, "the MLS message has the wrong wire format";
    /// The authenticated data has no valid encoding.
    MalformedBinding = 107, "the authenticated data is malformed";
    /// The report has no valid encoding.
    MalformedReport = 108, "the report is malformed";
    /// The statement has no valid encoding.
    MalformedStatement = 109, "the statement is malformed";

    /// The envelope does not open with the epoch's key at its place.
    Undecryptable = 201, "the envelope does not open";
    /// MLS cannot decrypt the message.
    UndecryptableMessage = 202, "the MLS message does not open";
    /// The message key was used before, or is out of the ratchet's reach.
    KeyUnavailable = 203, "the message key was used before or is out of reach";
    /// A signature or tag of MLS is wrong.
    BadSignature = 204, "a signature or tag is wrong";
    /// It claims to come from this device's own leaf.
    OwnLeaf = 205, "the sender is this device's own leaf";
    /// A credential does not verify, or is not of its leaf's key.
    BadCredential = 206, "a credential is not valid";
    /// The report is not signed by the leaf it names.
    BadReport = 207, "the report is not signed by its leaf";
    /// The statement is not signed by the leaf it names.
    BadStatement = 208, "the statement is not signed by its leaf";

    /// The message is of another group or epoch of MLS.
    WrongEpoch = 301, "the MLS message is of another group or epoch";
    /// Channel, epoch id, cut or contested list differ from what was signed.
    WrongBinding = 302, "the signed place differs from the entry's";
    /// The announced next key is not the one that the commit gives.
    NextKeyMismatch = 303, "the next epoch key differs from the derived one";
    /// MLS refuses the commit in this state.
    InvalidCommit = 304, "the commit is not valid in this state";
    /// The commit has no path.
    PathMissing = 305, "the commit has no path";
    /// The sender is no member.
    UnknownSender = 306, "the sender is no member";
    /// A proposal came along that the commit does not refer to.
    UnreferencedProposal = 307, "the commit does not refer to a proposal beside it";
    /// The report is about no candidate that the commit contests.
    UncontestedReport = 308, "the report is about a candidate that is not contested";
    /// Its author had read another history of the epoch than its members have.
    OtherHistory = 309, "the author had read another history";

    /// A proposal of a kind that this version does not take.
    UnknownProposal = 401, "the commit has a proposal of a refused kind";
    /// A removal whose mark is not cut.
    RemovalWithoutCut = 402, "a removal is not cut";
    /// The committer, or the sender of a message, has not the right.
    NoRight = 403, "the sender has not the right";
    /// A KeyPackage's lifetime is limited.
    LifetimeNotUnlimited = 404, "a key package's lifetime is limited";
    /// A leaf has other capabilities or extensions than this version's.
    BadLeaf = 405, "a leaf has the wrong capabilities";
    /// The group state has no valid encoding, or changes what is fixed.
    BadGroupState = 406, "the group state is not valid";
    /// Nobody would be left who owns the group.
    LastOwner = 407, "the group would have no owner";
    /// More identities than the kind of group has.
    TooManyIdentities = 408, "the group would have too many identities";
    /// An added device stands on an older manager statement than one of its identity's leaves.
    StaleManager = 409, "a device's manager statement was superseded";
    /// The committer's new leaf is of another device.
    IdentityChanged = 410, "the committer's leaf changed its identity";
    /// A device would be in the group twice.
    DuplicateDevice = 411, "a device would be in the group twice";
    /// The group is dissolved: nothing follows.
    Dissolved = 412, "the group is dissolved";
    /// More devices than a group may have.
    TooManyDevices = 413, "the group would have too many devices";
}

/// For whom a verdict holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For every member alike.
    All,
    /// For this one; another one may find the commit valid.
    Own,
}

impl Rejection {
    /// The rejection with this code.
    pub fn of(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|rejection| rejection.code() == code)
    }

    /// Whether the code can be so for one member and not for another (spec: GRP-122).
    pub const fn scope(self) -> Scope {
        match self {
            Self::UndecryptableMessage
            | Self::KeyUnavailable
            | Self::OwnLeaf
            | Self::NextKeyMismatch
            | Self::InvalidCommit
            | Self::PathMissing
            | Self::OtherHistory => Scope::Own,
            _ => Scope::All,
        }
    }

    /// The phase that the code belongs to.
    pub const fn phase(self) -> Phase {
        match self.code() / 100 {
            1 => Phase::Decode,
            2 => Phase::Auth,
            3 => Phase::State,
            _ => Phase::Policy,
        }
    }
}

impl From<EnvelopeError> for Rejection {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::BadLength | EnvelopeError::TooLong => Self::BadLength,
            EnvelopeError::Undecryptable => Self::Undecryptable,
            EnvelopeError::Malformed(_) => Self::MalformedEnvelope,
            EnvelopeError::BadPadding => Self::BadPadding,
            EnvelopeError::WrongKind => Self::WrongKind,
        }
    }
}

/// Why an operation of our own failed. After every error the caller discards its transaction and
/// loads the group again: openmls changes memory before it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// Local: the store.
    #[error(transparent)]
    Store(#[from] MlsStoreError),
    /// Caller: this device has left the group or was removed.
    #[error("this device is no longer a member")]
    NotAMember,
    /// Caller: the device key is not that of the own leaf.
    #[error("the device key is not that of the own leaf")]
    WrongDevice,
    /// Caller: there is a pending commit; confirm or abandon it first.
    #[error("a commit is pending")]
    CommitPending,
    /// Caller: there is no pending commit.
    #[error("no commit is pending")]
    NoCommitPending,
    /// Caller: a selected device or identity is no member.
    #[error("a selected device is no member")]
    UnknownMember,
    /// Caller: a device cannot remove its own leaf; it asks to leave.
    #[error("a device cannot remove its own leaf")]
    CannotRemoveOwnLeaf,
    /// Caller: every member would reject it.
    #[error("every member would reject it: {0}")]
    WouldBeRejected(Rejection),
    /// Caller: the content is longer than an entry may be.
    #[error("the content is too long for an entry")]
    TooLong,
    /// Caller: no KeyPackage of this device is in the Welcome, or its private part is gone.
    #[error("no key package of this device is in the welcome")]
    UnknownKeyPackage,
    /// Caller: the epoch's keys were exported before and are stored by the caller.
    #[error("the epoch's keys were exported before")]
    AlreadyExported,
    /// Bug: openmls refused what its own state should allow.
    #[error("the MLS library failed")]
    Mls,
}

impl From<EnvelopeError> for GroupError {
    fn from(_: EnvelopeError) -> Self {
        Self::TooLong
    }
}

/// Why an entry was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Peer: the entry is not valid, for every member alike, unless the code is
    /// [`Rejection::UndecryptableMessage`], [`Rejection::KeyUnavailable`], [`Rejection::OwnLeaf`],
    /// [`Rejection::NextKeyMismatch`], [`Rejection::InvalidCommit`], [`Rejection::PathMissing`] or
    /// [`Rejection::OtherHistory`]: those may be so for some members only (spec: GRP-031).
    #[error("the entry is rejected: {0}")]
    Rejected(#[from] Rejection),
    /// Nobody: the group goes by rules that this program does not know. There is no verdict, and
    /// there is one once the program is newer (spec: GRP-102, GRP-104).
    #[error("the group has newer rules than this program knows")]
    NewerRules(RuleVersion),
    /// Local or caller.
    #[error(transparent)]
    Failed(#[from] GroupError),
}

impl From<MlsStoreError> for OpenError {
    fn from(error: MlsStoreError) -> Self {
        Self::Failed(GroupError::Store(error))
    }
}

impl From<EnvelopeError> for OpenError {
    fn from(error: EnvelopeError) -> Self {
        Self::Rejected(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_name_their_phase() {
        // spec: GRP-030
        let codes: HashSet<_> = Rejection::ALL.iter().map(|rejection| rejection.code()).collect();
        assert_eq!(codes.len(), Rejection::ALL.len());
        for rejection in Rejection::ALL {
            assert_eq!(rejection.code() / 100, rejection.phase() as u16);
            assert_eq!(Rejection::of(rejection.code()), Some(*rejection));
        }
        assert_eq!(Rejection::of(999), None);
    }

    #[test]
    fn some_codes_may_be_so_for_one_member_and_not_for_another() {
        // spec: GRP-032, GRP-122
        let all = Rejection::ALL.iter().filter(|rejection| rejection.scope() == Scope::Own);
        let own: Vec<_> = all.map(|rejection| rejection.code()).collect();
        assert_eq!(own, [202, 203, 205, 303, 304, 305, 309]);
    }
}
