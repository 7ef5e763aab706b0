//! Links of groups, and who asks to be let in by them, as an app tells and is told.

use serde::{Deserialize, Serialize};

use super::{ChatNumber, LinkState, SecretText};

/// A link of a group on this device. Local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupLinkNumber(pub u64);

/// A request to be let into a group, on this device. Local; a later request has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestNumber(pub u64);

/// Whether who asks by a link is let in without a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LinkAdmission {
    /// Whoever asks is let in, but for those who were removed or declined before.
    Open,
    /// A member has to say so.
    Approval,
    /// Who was in the group that this one takes the place of; of others a member has to say so.
    Former,
}

/// A link of a group, as it is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupLinkTerms {
    /// Whether who asks is let in without a person's word.
    pub admission: LinkAdmission,
    /// How many requests it is good for; none: a thousand.
    pub uses: Option<u64>,
    /// Milliseconds from now; none: until it is revoked.
    pub expires_in_ms: Option<u64>,
}

/// A link of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLinkInfo {
    /// Which group.
    pub chat: ChatNumber,
    /// Its number on this device.
    pub number: GroupLinkNumber,
    /// Its text: whoever has it can ask to be let in.
    pub text: SecretText,
    /// Whether who asks is let in without a person's word.
    pub admission: LinkAdmission,
    /// How many requests it is good for; none: a thousand.
    pub uses: Option<u64>,
    /// What has become of it.
    pub state: LinkState,
    /// When it stops working by itself, by this device's clock; milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// Who made it, fingerprint in hex.
    pub maker: String,
}

/// Somebody asks to be let into a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestInfo {
    /// Which group.
    pub chat: ChatNumber,
    /// Its number on this device.
    pub number: RequestNumber,
    /// What they call themselves. It proves nothing.
    pub name: String,
    /// Who they are, in hex.
    pub fingerprint: String,
    /// By which link.
    pub link: Option<GroupLinkNumber>,
    /// When it reached the relay, milliseconds since the Unix epoch.
    pub asked_at_ms: u64,
    /// How far it is.
    pub state: RequestState,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestState {
    /// A member has to say yes or no.
    Waiting,
    /// They are being added.
    Admitting,
}

/// What a member says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestAnswer {
    /// Let them in.
    Approve,
    /// Do not.
    Decline,
}
