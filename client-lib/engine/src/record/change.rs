//! What a wish is to change of a group's agreed state and members.

use hushwire_protocol::identity::Fingerprint;
use serde::{Deserialize, Serialize};

use super::id;
use crate::command::{MemberRole, RightGrant};

/// A change that one commit makes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum ChangeRecord {
    Edit(EditRecord),
    Dissolve,
}

/// Settings and members that change together.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct EditRecord {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// The picture that takes the place of the one before; empty: none.
    pub(crate) picture: Option<serde_bytes::ByteBuf>,
    pub(crate) rights: Vec<RightGrant>,
    pub(crate) roles: Vec<RoleRecord>,
    #[serde(with = "id::list")]
    pub(crate) remove: Vec<Fingerprint>,
}

/// What somebody is to be.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RoleRecord {
    #[serde(with = "id")]
    pub(crate) person: Fingerprint,
    pub(crate) role: MemberRole,
}
