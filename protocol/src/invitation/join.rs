//! Asking to be let into a group, by a link of it; and being declined.

use hushwire_wire::id::ChannelId;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::invitation::ContactCard;
use crate::link::JoinProof;

/// What somebody writes to a group's door (spec: LNK-097).
#[derive(Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// By which link, as only its holders and the members can know.
    pub proof: JoinProof,
    /// How to reach the asker, by a capability made for this request only.
    pub card: ContactCard,
}

impl JoinRequest {
    pub(crate) fn write(&self, writer: Writer) -> Writer {
        self.card.write(writer.fixed(self.proof.expose()))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let proof = JoinProof::from_bytes(reader.array()?);
        Ok(Self { proof, card: ContactCard::read(reader)? })
    }
}

/// A request is not granted. It comes by the capability of the request, which only members of the
/// group know (spec: LNK-104).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinDecline {
    /// The group.
    pub channel: ChannelId,
}

impl JoinDecline {
    pub(crate) fn write(self, writer: Writer) -> Writer {
        writer.fixed(self.channel)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { channel: ChannelId::from_bytes(reader.array()?) })
    }
}
