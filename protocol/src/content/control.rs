//! What clients tell each other beside what people write: kind numbers with opaque bytes.
//!
//! This module knows which kinds there are and where each may stand; what the bytes mean is for the
//! modules that own them.

use core::fmt;

use super::{
    ContentError,
    cbor::{Reader, Writer},
};

/// Entries of one control message (spec: CNT-040).
pub const CONTROL_ENTRIES_MAX: usize = 64;

/// Where a kind of control entry may stand (spec: CNT-042).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlScope {
    /// In every group.
    AnyGroup,
    /// In the group of an identity's own devices only.
    OwnDevices,
}

/// What a control entry is about. Kinds that this version does not know are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlKind {
    /// The sender's card: how to reach and show it.
    ContactCard,
    /// A message is pinned, or not any more ([`super::Pin`]).
    Pin,
    /// The sender's device list ([`crate::identity::DeviceList`]).
    Devices,
    /// The sender leaves the branch that follows on the epoch which it names.
    BranchLeft,
    /// A contact was added or changed.
    ContactAdded,
    /// A link was made.
    LinkMade,
    /// A link was revoked.
    LinkRevoked,
    /// The sender is in this group; payload: its channel (LNK-124).
    GroupJoined,
    /// How far groups were read.
    ReadMarks,
    /// The inbox has new keys.
    InboxKeysRotated,
    /// The device list was signed anew.
    DevicesListed,
    /// What a device is called.
    DeviceNamed,
    /// A contact's safety number was compared.
    ContactVerified,
    /// A capability of the inbox was made.
    CapabilityMade,
    /// A device was revoked.
    DeviceRevoked,
    /// An own device asks to be let into a group, for all of them.
    GroupAsked,
    /// That asking is over.
    GroupAskingOver,
    /// The keys of the inbox that the group owns ([`crate::door::DoorKeys`]).
    Door,
    /// A link of the group was made ([`crate::door::DoorLink`]).
    DoorLinkMade,
    /// A link of the group was revoked.
    DoorLinkRevoked,
    /// Somebody who asked to be let in is not ([`crate::door::Declined`]).
    JoinDeclined,
    /// Somebody is let in only when a member says so.
    ApprovalNeeded,
    /// Where the group goes on ([`crate::succession::SuccessorOffer`]).
    Successor,
    /// A kind of a later version.
    Unknown(u32),
}

impl ControlKind {
    /// The kinds of this version.
    pub const ALL: [Self; 23] = [
        Self::ContactCard,
        Self::Pin,
        Self::Devices,
        Self::BranchLeft,
        Self::ContactAdded,
        Self::LinkMade,
        Self::LinkRevoked,
        Self::GroupJoined,
        Self::ReadMarks,
        Self::InboxKeysRotated,
        Self::DevicesListed,
        Self::DeviceNamed,
        Self::ContactVerified,
        Self::CapabilityMade,
        Self::DeviceRevoked,
        Self::GroupAsked,
        Self::GroupAskingOver,
        Self::Door,
        Self::DoorLinkMade,
        Self::DoorLinkRevoked,
        Self::JoinDeclined,
        Self::ApprovalNeeded,
        Self::Successor,
    ];

    /// The number in the encoding.
    pub const fn number(self) -> u32 {
        match self {
            Self::ContactCard => 1,
            Self::Pin => 2,
            Self::Devices => 3,
            Self::BranchLeft => 4,
            Self::ContactAdded => 16,
            Self::LinkMade => 17,
            Self::LinkRevoked => 18,
            Self::GroupJoined => 19,
            Self::ReadMarks => 20,
            Self::InboxKeysRotated => 21,
            Self::DevicesListed => 22,
            Self::DeviceNamed => 23,
            Self::ContactVerified => 24,
            Self::CapabilityMade => 25,
            Self::DeviceRevoked => 26,
            Self::GroupAsked => 27,
            Self::GroupAskingOver => 28,
            Self::Door => 32,
            Self::DoorLinkMade => 33,
            Self::DoorLinkRevoked => 34,
            Self::JoinDeclined => 35,
            Self::ApprovalNeeded => 36,
            Self::Successor => 48,
            Self::Unknown(number) => number,
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::ContactCard,
            2 => Self::Pin,
            3 => Self::Devices,
            4 => Self::BranchLeft,
            16 => Self::ContactAdded,
            17 => Self::LinkMade,
            18 => Self::LinkRevoked,
            19 => Self::GroupJoined,
            20 => Self::ReadMarks,
            21 => Self::InboxKeysRotated,
            22 => Self::DevicesListed,
            23 => Self::DeviceNamed,
            24 => Self::ContactVerified,
            25 => Self::CapabilityMade,
            26 => Self::DeviceRevoked,
            27 => Self::GroupAsked,
            28 => Self::GroupAskingOver,
            32 => Self::Door,
            33 => Self::DoorLinkMade,
            34 => Self::DoorLinkRevoked,
            35 => Self::JoinDeclined,
            36 => Self::ApprovalNeeded,
            48 => Self::Successor,
            other => Self::Unknown(other),
        }
    }

    /// Where it may stand. The range from 16 to 31 is of own devices, known or not (spec: CNT-042).
    pub const fn scope(self) -> ControlScope {
        match self.number() {
            16..=31 => ControlScope::OwnDevices,
            _ => ControlScope::AnyGroup,
        }
    }
}

/// One control entry.
#[derive(Clone, PartialEq, Eq)]
pub struct ControlEntry {
    /// What it is about.
    pub kind: ControlKind,
    /// Its bytes, in the layout that the kind's owner defines.
    pub payload: Vec<u8>,
}

impl fmt::Debug for ControlEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlEntry").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// One control entry or more, to be applied in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlMessage {
    entries: Vec<ControlEntry>,
}

impl ControlMessage {
    /// A message with these entries.
    ///
    /// # Errors
    /// [`ContentError::BadControl`] for none or more than [`CONTROL_ENTRIES_MAX`] (spec: CNT-040).
    pub fn new(entries: Vec<ControlEntry>) -> Result<Self, ContentError> {
        if entries.is_empty() || entries.len() > CONTROL_ENTRIES_MAX {
            return Err(ContentError::BadControl);
        }
        // A known kind has one representation, so that equal messages have equal bytes.
        let entries = entries
            .into_iter()
            .map(|entry| ControlEntry {
                kind: ControlKind::from_number(entry.kind.number()),
                payload: entry.payload,
            })
            .collect();
        Ok(Self { entries })
    }

    /// The entries, those of unknown kinds among them (spec: CNT-041).
    pub fn entries(&self) -> &[ControlEntry] {
        &self.entries
    }

    /// The entries that may stand in a group of this scope; others are to be ignored (spec: CNT-042).
    pub fn entries_in(&self, scope: ControlScope) -> impl Iterator<Item = &ControlEntry> {
        self.entries.iter().filter(move |entry| {
            scope == ControlScope::OwnDevices || entry.kind.scope() == ControlScope::AnyGroup
        })
    }

    /// Reads `[1* [kind, payload]]`.
    ///
    /// # Errors
    /// [`ContentError`] (spec: CNT-002, CNT-040).
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let mut reader = Reader::new(bytes);
        let count = reader.array(CONTROL_ENTRIES_MAX)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            reader.array_of(2)?;
            let number = reader.unsigned(u64::from(u32::MAX))?;
            let number = u32::try_from(number).map_err(|_| ContentError::BadControl)?;
            let payload = reader.bytes(usize::MAX)?.to_vec();
            entries.push(ControlEntry { kind: ControlKind::from_number(number), payload });
        }
        reader.finish()?;
        Self::new(entries)
    }

    /// The one encoding of this message.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(self.entries.len());
        for entry in &self.entries {
            writer.array(2).unsigned(u64::from(entry.kind.number())).bytes(&entry.payload);
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::cbor::CborError;

    fn entry(kind: ControlKind) -> ControlEntry {
        ControlEntry { kind, payload: vec![1, 2, 3] }
    }

    #[test]
    fn kinds_have_distinct_numbers() {
        // spec: CNT-041
        for kind in ControlKind::ALL {
            assert_eq!(ControlKind::from_number(kind.number()), kind);
        }
        assert_eq!(ControlKind::from_number(99), ControlKind::Unknown(99));
        let alias = ControlMessage::new(vec![entry(ControlKind::Unknown(1))]).unwrap();
        assert_eq!(alias.entries()[0].kind, ControlKind::ContactCard);
    }

    #[test]
    fn unknown_kinds_are_kept() {
        // spec: CNT-040, CNT-041
        let entries = vec![entry(ControlKind::ContactCard), entry(ControlKind::Unknown(u32::MAX))];
        let message = ControlMessage::new(entries).unwrap();
        assert_eq!(hex::encode(message.encode()), "82820143010203821affffffff43010203");
        assert_eq!(ControlMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn state_of_own_devices_counts_among_own_devices_only() {
        // spec: CNT-042
        let entries = vec![
            entry(ControlKind::ContactCard),
            entry(ControlKind::ReadMarks),
            entry(ControlKind::Unknown(31)),
        ];
        let message = ControlMessage::new(entries).unwrap();
        let kinds = |scope| message.entries_in(scope).map(|entry| entry.kind).collect::<Vec<_>>();
        assert_eq!(kinds(ControlScope::AnyGroup), [ControlKind::ContactCard]);
        assert_eq!(kinds(ControlScope::OwnDevices).len(), 3);
    }

    #[test]
    fn wrong_messages_are_refused() {
        // spec: CNT-040
        for (text, error) in [
            ("80", ContentError::BadControl),
            ("9841", ContentError::Cbor(CborError::AboveBound)),
            ("81820140ff", ContentError::Cbor(CborError::TrailingBytes)),
            ("8182180140", ContentError::Cbor(CborError::NotShortest)),
            ("81822040", ContentError::Cbor(CborError::UnexpectedType)),
            ("81821b000000010000000040", ContentError::Cbor(CborError::AboveBound)),
            ("81820160", ContentError::Cbor(CborError::UnexpectedType)),
            ("8183014040", ContentError::Cbor(CborError::UnexpectedType)),
            ("8182015affffffff", ContentError::Cbor(CborError::Truncated)),
        ] {
            let bytes = hex::decode(text).unwrap();
            assert_eq!(ControlMessage::decode(&bytes), Err(error), "{text}");
        }
        let many = vec![entry(ControlKind::ReadMarks); CONTROL_ENTRIES_MAX + 1];
        assert_eq!(ControlMessage::new(many), Err(ContentError::BadControl));
    }

    #[test]
    fn debug_hides_the_payload() {
        assert_eq!(
            format!("{:?}", entry(ControlKind::LinkMade)),
            "ControlEntry { kind: LinkMade, .. }"
        );
    }
}
