//! A proposal as it stands beside a commit: a `PublicMessage` (RFC 9420, section 6.2), byte by byte.

use super::house::{CHANNEL, EPOCH, House};
use crate::kinds::{
    chain::hmac,
    mls::{package::sign, schedule::derive_secret},
    sealed_box::variable,
};

/// A proposal of a member, and who makes it.
#[derive(Clone)]
pub(super) struct Proposal {
    /// Of MLS.
    pub(super) epoch_number: u64,
    /// The leaf that it claims to come from.
    pub(super) leaf: u32,
    /// Seed of the key that signs it.
    pub(super) signer: u8,
    /// Type and content.
    pub(super) proposal: Vec<u8>,
    /// What the sender signs of the place: kind, channel and epoch (GRP-051).
    pub(super) place: (u8, [u8; 32], [u8; 32]),
}

impl Proposal {
    /// The wish of this leaf to leave, signed by the key of this seed.
    pub(super) fn leave(leaf: u32, signer: u8) -> Self {
        let place = (3, *CHANNEL.as_bytes(), *EPOCH.as_bytes());
        // `self_remove`, which has no content.
        Self { epoch_number: 1, leaf, signer, proposal: vec![0x00, 0x0A], place }
    }

    /// The bytes; whoever makes them is a member, and has the key of the membership tag.
    pub(super) fn bytes(&self, house: &House) -> Vec<u8> {
        let epoch = house.secrets();
        let (kind, channel, epoch_id) = &self.place;
        let authenticated = [&[0, 1, *kind][..], channel, epoch_id].concat();
        // MLS 1.0, a PublicMessage; the sender is a member; a proposal.
        let content = [
            &[0, 1, 0, 1][..],
            &variable(CHANNEL.as_bytes()),
            &self.epoch_number.to_be_bytes(),
            &[1],
            &self.leaf.to_be_bytes(),
            &variable(&authenticated),
            &[2],
            &self.proposal,
        ]
        .concat();
        let signed = [&content[..], &epoch.context].concat();
        let signature = variable(&sign(self.signer, "FramedContentTBS", &signed));
        let key = derive_secret(&epoch.epoch_secret, "membership");
        let tag = hmac(&key, &[&signed[..], &signature].concat());
        [content, signature, variable(&tag)].concat()
    }
}
