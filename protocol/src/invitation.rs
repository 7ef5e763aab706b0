//! What inbox items say: an invitation to a group, a change of a contact's card, a request to be
//! added again. Sealing is in [`crate::seal`]; here are the bytes inside.

pub mod contact;
pub mod join;
pub mod rejoin;

use hushwire_wire::id::{BlobId, ChannelId, EpochId};
use zeroize::Zeroizing;

use crate::address::{self, RelayAddress};
use crate::attachment::{AttachmentError, BlobSeal};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::group::GroupSnapshot;
pub use contact::ContactCard;
pub use join::{JoinDecline, JoinRequest};
pub use rejoin::{RejoinEvidence, RejoinRequest};

const VERSION: u16 = 1;

/// The longest content of an inbox item, in bytes; the item's own bound is the wire's
/// `inbox_item_bytes_max`.
pub const CONTENT_BYTES_MAX: usize = 256 * 1024;

/// What an inbox item says (spec: LNK-040).
#[derive(Debug, PartialEq, Eq)]
pub enum InboxContent {
    /// Join a group.
    Invitation(Box<Invitation>),
    /// The sender is reached like this from now on.
    ContactCardUpdate(Box<ContactCard>),
    /// The sender lost its state of a group: add it again.
    RejoinRequest(Box<RejoinRequest>),
    /// At a group's door: let the sender in.
    JoinRequest(Box<JoinRequest>),
    /// The group to which the sender asked to be let in does not.
    JoinDecline(JoinDecline),
}

impl InboxContent {
    /// The one encoding: version, kind, and the kind's fields.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let start = |kind| Writer::with_capacity(4096).short(VERSION).byte(kind);
        match self {
            Self::Invitation(invitation) => invitation.write(start(1)),
            Self::ContactCardUpdate(card) => card.write(start(2)),
            Self::RejoinRequest(request) => request.write(start(3)),
            Self::JoinRequest(request) => request.write(start(4)),
            Self::JoinDecline(decline) => decline.write(start(5)),
        }
        .into_secret()
    }

    /// Reads content.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::UndefinedValue`] for a kind of a later version
    /// (spec: LNK-040, LNK-041).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let content = match reader.byte()? {
            1 => Self::Invitation(Box::new(Invitation::read(&mut reader)?)),
            2 => Self::ContactCardUpdate(Box::new(ContactCard::read(&mut reader)?)),
            3 => Self::RejoinRequest(Box::new(RejoinRequest::read(&mut reader)?)),
            4 => Self::JoinRequest(Box::new(JoinRequest::read(&mut reader)?)),
            5 => Self::JoinDecline(JoinDecline::read(&mut reader)?),
            _ => return Err(DecodeError::UndefinedValue),
        };
        reader.finish()?;
        Ok(content)
    }
}

/// What the group is for, as the inviter says; shown before joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Two people.
    Direct,
    /// Several people.
    Group,
    /// The devices of one identity.
    OwnDevices,
}

impl Purpose {
    const fn code(self) -> u8 {
        match self {
            Self::Direct => 1,
            Self::Group => 2,
            Self::OwnDevices => 3,
        }
    }

    const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Direct),
            2 => Ok(Self::Group),
            3 => Ok(Self::OwnDevices),
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// Where a group's channel is, and at which epoch the invited joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAddress {
    /// The channel's relay.
    pub relay: RelayAddress,
    /// The channel.
    pub channel: ChannelId,
    /// The epoch that the commit which adds the invited has opened.
    pub epoch: EpochId,
}

/// The group's MLS suite (RFC 9420 section 17.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SuiteCode(pub u16);

/// A group's snapshot that lies in a blob.
#[derive(Debug, PartialEq, Eq)]
pub struct SnapshotBlob {
    /// The blob, on the channel's relay.
    pub blob: BlobId,
    /// What opens it.
    pub seal: BlobSeal,
}

/// Where the snapshot is that every joiner of a commit needs (spec: LNK-046).
#[derive(Debug, PartialEq, Eq)]
pub enum SnapshotPlace {
    /// Here.
    Inline(GroupSnapshot),
    /// In a blob that all joiners share.
    Blob(SnapshotBlob),
}

impl SnapshotPlace {
    fn write(&self, writer: Writer) -> Writer {
        match self {
            Self::Inline(snapshot) => snapshot.write(writer.byte(1)),
            Self::Blob(at) => writer.byte(2).fixed(at.blob).fixed(&at.seal.to_bytes()[..]),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            1 => GroupSnapshot::read(reader, CONTENT_BYTES_MAX).map(Self::Inline),
            2 => {
                let blob = BlobId::from_bytes(reader.array()?);
                let seal = BlobSeal::from_slice(reader.bytes(BlobSeal::LENGTH)?);
                let seal = seal.map_err(|error| match error {
                    AttachmentError::TooLong => DecodeError::TooLong,
                    _ => DecodeError::Truncated,
                })?;
                Ok(Self::Blob(SnapshotBlob { blob, seal }))
            }
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// An invitation to join a group (spec: LNK-042).
#[derive(Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where the group is.
    pub group: GroupAddress,
    /// Its MLS suite.
    pub suite: SuiteCode,
    /// What it is for.
    pub purpose: Purpose,
    /// The joiner's own part of the MLS Welcome: its `EncryptedGroupSecrets`.
    pub secrets: Vec<u8>,
    /// The rest, which is the same for all joiners.
    pub snapshot: SnapshotPlace,
    /// How the invited writes back to the inviter.
    pub sender: ContactCard,
}

impl Invitation {
    fn write(&self, writer: Writer) -> Writer {
        let writer = address::write(&self.group.relay, writer)
            .fixed(self.group.channel)
            .fixed(self.group.epoch)
            .short(self.suite.0)
            .byte(self.purpose.code())
            .variable(&self.secrets);
        self.sender.write(self.snapshot.write(writer))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group: GroupAddress {
                relay: address::read(reader)?,
                channel: ChannelId::from_bytes(reader.array()?),
                epoch: EpochId::from_bytes(reader.array()?),
            },
            suite: SuiteCode(reader.short()?),
            purpose: Purpose::from_code(reader.byte()?)?,
            secrets: reader.variable(CONTENT_BYTES_MAX)?.to_vec(),
            snapshot: SnapshotPlace::read(reader)?,
            sender: ContactCard::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::contact::tests::contact_card;
    use super::rejoin::tests::request;
    use super::*;

    fn invitation(snapshot: SnapshotPlace) -> InboxContent {
        let card = contact_card(1);
        InboxContent::Invitation(Box::new(Invitation {
            group: GroupAddress {
                relay: card.relay.clone(),
                channel: ChannelId::from_bytes([1; 32]),
                epoch: EpochId::from_bytes([2; 32]),
            },
            suite: SuiteCode(0x004F),
            purpose: Purpose::Direct,
            secrets: b"secrets".to_vec(),
            snapshot,
            sender: card,
        }))
    }

    fn contents() -> [InboxContent; 6] {
        let here = GroupSnapshot { group_info: b"info".to_vec(), tree: b"tree".to_vec() };
        let seal = BlobSeal::from_slice(&[4; BlobSeal::LENGTH].map(|byte| byte % 4)).unwrap();
        let blob = SnapshotBlob { blob: BlobId::from_bytes([3; 32]), seal };
        [
            invitation(SnapshotPlace::Inline(here)),
            invitation(SnapshotPlace::Blob(blob)),
            InboxContent::ContactCardUpdate(Box::new(contact_card(1))),
            InboxContent::RejoinRequest(Box::new(request())),
            InboxContent::JoinRequest(Box::new(JoinRequest {
                proof: crate::link::JoinProof::from_bytes([8; 32]),
                card: contact_card(1),
            })),
            InboxContent::JoinDecline(JoinDecline { channel: ChannelId::from_bytes([1; 32]) }),
        ]
    }

    #[test]
    fn contents_come_back() {
        // spec: LNK-040, LNK-042
        for content in contents() {
            assert_eq!(InboxContent::decode(&content.to_bytes()), Ok(content));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        // spec: LNK-041, IDN-001
        for content in contents() {
            let bytes = content.to_bytes();
            for length in 0..bytes.len() {
                assert!(InboxContent::decode(&bytes[..length]).is_err(), "{length}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(InboxContent::decode(&longer), Err(DecodeError::TrailingBytes));
            let mut other = bytes.to_vec();
            other[2] = 6;
            assert_eq!(InboxContent::decode(&other), Err(DecodeError::UndefinedValue));
            other[1] = 2;
            assert_eq!(InboxContent::decode(&other), Err(DecodeError::UnknownVersion));
        }
    }

    #[test]
    fn debug_prints_no_secret() {
        // spec: IDN-005
        let snapshot = GroupSnapshot { group_info: vec![7; 32], tree: vec![7; 32] };
        assert_eq!(format!("{:?}", SnapshotPlace::Inline(snapshot)), "Inline(GroupSnapshot(..))");
        let seal = BlobSeal::from_slice(&[0; BlobSeal::LENGTH]).unwrap();
        assert_eq!(format!("{seal:?}"), "BlobSeal(..)");
    }

    #[test]
    fn a_forged_statement_is_refused() {
        // spec: LNK-043
        let bytes = contact_card(1).to_bytes();
        assert_eq!(ContactCard::decode(&bytes), Ok(contact_card(1)));
        let place = bytes.windows(32).position(|w| w == [3; 32]).unwrap() + 32 + 2;
        let mut forged = bytes.to_vec();
        forged[place] ^= 1;
        assert_eq!(ContactCard::decode(&forged), Err(DecodeError::BadSignature));
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(ContactCard::decode(&longer), Err(DecodeError::TrailingBytes));
    }
}
