//! What the members of a group have agreed on, and changes of it, as an app tells and is told.

use serde::{Deserialize, Serialize};

use super::{ChatNumber, MemberRole};

/// Something that the members of a group may do, all of them or only some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupRight {
    /// Add people.
    Add,
    /// Remove people of no higher role.
    Remove,
    /// Change name, description and picture.
    Describe,
    /// Make and unmake admins.
    ChangeRoles,
    /// Change who has which right, within one's own role.
    ChangeRights,
    /// Mention everybody in a message.
    MentionAll,
    /// Pin messages.
    Pin,
    /// Make links by which people ask to be added.
    Invite,
    /// Write. Not for everybody: the group is for announcements.
    Write,
}

impl GroupRight {
    /// Every right.
    pub const ALL: [Self; 9] = [
        Self::Add,
        Self::Remove,
        Self::Describe,
        Self::ChangeRoles,
        Self::ChangeRights,
        Self::MentionAll,
        Self::Pin,
        Self::Invite,
        Self::Write,
    ];
}

/// Who has a right: this role and those above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RightGrant {
    /// Which right.
    pub right: GroupRight,
    /// The least role that has it.
    pub least: MemberRole,
}

/// What a member is to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoleGrant {
    /// Whom, by the fingerprint that [`super::Reply::Members`] shows.
    pub member: String,
    /// What it is to be.
    pub role: MemberRole,
}

/// What is to become of a group's picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PictureChange {
    /// This one takes its place: PNG, JPEG or WebP, at most 8,192 bytes.
    Set(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It goes.
    Remove,
}

/// A change of a group, made by one commit: all of it happens, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GroupChange {
    /// These settings and members change.
    Edit(Box<GroupEdit>),
    /// The group ends, for all and for ever; owners only. What was said stays with who has it.
    Dissolve,
}

/// Settings and members that change together; what is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEdit {
    /// Its new name.
    pub name: Option<String>,
    /// Its new description; empty for none.
    pub description: Option<String>,
    /// What becomes of its picture.
    pub picture: Option<PictureChange>,
    /// Rights that change.
    pub rights: Vec<RightGrant>,
    /// Members whose roles change.
    pub roles: Vec<RoleGrant>,
    /// Members who go, with all devices, by the fingerprints that [`super::Reply::Members`] shows;
    /// they have no role any more, whatever `roles` says.
    pub remove: Vec<String>,
}

impl From<GroupEdit> for GroupChange {
    fn from(edit: GroupEdit) -> Self {
        Self::Edit(Box::new(edit))
    }
}

/// What the members of a group have agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Its chat.
    pub chat: ChatNumber,
    /// Its name.
    pub name: String,
    /// What it is about; may have several lines.
    pub description: String,
    /// Its picture.
    pub picture: Option<PictureInfo>,
    /// Every right, with the least role that has it.
    pub rights: Vec<RightGrant>,
    /// What this identity is there.
    pub role: MemberRole,
}

/// A picture.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureInfo {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: String,
    /// The file. Whoever set it chose its bytes: decode it with care.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Prints no content.
impl core::fmt::Debug for PictureInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PictureInfo").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}
