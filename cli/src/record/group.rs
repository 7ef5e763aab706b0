//! What the members of a group have agreed on, as a flat object.

use hushwire::command::{GroupInfo, GroupRight, MemberRole};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::code::code_of;

/// What the members of a group have agreed on.
#[derive(Debug, Serialize)]
pub struct GroupRecord {
    /// Which chat.
    pub chat: u64,
    /// Its name.
    pub name: String,
    /// What it is called on the screen, safe to show.
    #[serde(skip)]
    pub label: String,
    /// What it is about.
    pub description: String,
    /// `image/png`, `image/jpeg` or `image/webp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture_type: Option<String>,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture_size: Option<u64>,
    /// What oneself is: owner, admin or member.
    pub role: String,
    /// Every right with the least role that has it.
    pub rights: RightsRecord,
}

/// Rights with the least role that has each.
#[derive(Debug)]
pub struct RightsRecord(Vec<(GroupRight, MemberRole)>);

impl RightsRecord {
    /// Each right, with the least role that has it.
    pub fn iter(&self) -> impl Iterator<Item = &(GroupRight, MemberRole)> {
        self.0.iter()
    }
}

impl Serialize for RightsRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (right, least) in &self.0 {
            map.serialize_entry(&code_of(right), &code_of(least))?;
        }
        map.end()
    }
}

impl GroupRecord {
    /// A group as the library tells it.
    pub fn new(info: GroupInfo, label: String) -> Self {
        let size = |bytes: &Vec<u8>| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self {
            chat: info.chat.0,
            name: info.name,
            label,
            description: info.description,
            picture_size: info.picture.as_ref().map(|picture| size(&picture.bytes)),
            picture_type: info.picture.map(|picture| picture.media_type),
            role: code_of(&info.role),
            rights: RightsRecord(
                info.rights.iter().map(|grant| (grant.right, grant.least)).collect(),
            ),
        }
    }
}
