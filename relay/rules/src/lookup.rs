//! A question to the store that changes nothing. It can be asked on any thread, of what is on disk.

use core::fmt;

use hushwire_wire::{
    error::Code,
    id::{
        BlobId, CapabilityId, ChannelId, EpochId, InboxId, PublicKey, Signature, SlotId, Timestamp,
    },
    transcript::Transcript,
};

use crate::{
    blob, channel, inbox,
    outcome::{Effect, Outcome, Refused},
    store::Read,
    write::InboxDoor,
};

/// A question that a session asks. Made by [`crate::Session::handle`] only.
#[derive(Debug)]
pub struct Lookup(pub(crate) Question);

/// What a lookup asks.
#[derive(Debug)]
pub(crate) enum Question {
    ChannelOpen { channel: ChannelId, epoch: EpochId, proof: Proof },
    InboxOpen { inbox: InboxId, slot: SlotId, proof: Proof },
    ShelfStatus(InboxDoor),
    CardFetch { inbox: InboxId, capability: CapabilityId },
    BlobStat(BlobId),
}

impl Lookup {
    /// Asks `view`, which shows what is on disk and nothing else.
    pub fn run(&self, view: &impl Read, now: Timestamp) -> Outcome {
        Outcome(self.0.ask(view, now))
    }
}

impl Question {
    fn ask(&self, view: &impl Read, now: Timestamp) -> Result<Effect, Refused> {
        match self {
            Self::ChannelOpen { channel, epoch, proof } => {
                channel::open::ask(view, now, channel, epoch, proof)
            }
            Self::InboxOpen { inbox, slot, proof } => {
                inbox::owner::ask_open(view, now, inbox, slot, proof)
            }
            Self::ShelfStatus(door) => inbox::shelf::ask_status(view, now, door),
            Self::CardFetch { inbox, capability } => {
                inbox::capability::ask_card(view, now, inbox, capability)
            }
            Self::BlobStat(blob) => blob::upload::ask_state(view, now, blob),
        }
    }
}

/// A signature over a transcript, by a key that only the store knows.
pub(crate) struct Proof {
    pub(crate) transcript: Transcript,
    pub(crate) signature: Signature,
}

/// The Ed25519 base point: a valid key that stands in for one that does not exist, so that an
/// unknown object costs the same verification as a wrong signature.
const NOBODY: PublicKey = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    PublicKey::from_bytes(key)
};

/// Prints the name only: a transcript holds ids.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

impl Proof {
    /// Whether the object exists and its key made the signature; which of them is wrong is not
    /// said, and takes the same time (spec: CHN-007, INB-002).
    pub(crate) fn check(&self, key: Option<PublicKey>) -> Result<PublicKey, Refused> {
        let verified = self.transcript.verify(&key.unwrap_or(NOBODY), &self.signature);
        match (key, verified) {
            (Some(key), Ok(())) => Ok(key),
            _ => Err(Code::Denied.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::{SigningKey, id::RelayId, id::SessionId, transcript};

    use super::*;

    fn proof(key: &SigningKey) -> Proof {
        let (relay, session) = (RelayId::from_bytes([1; 32]), SessionId::from_bytes([2; 32]));
        let (channel, epoch) = (ChannelId::from_bytes([3; 32]), EpochId::from_bytes([4; 32]));
        let transcript = transcript::channel_open(&relay, &session, &channel, &epoch);
        let signature = transcript.sign(key);
        Proof { transcript, signature }
    }

    #[test]
    fn who_does_not_exist_has_a_key_that_costs_a_verification() {
        // spec: CHN-007, INB-002
        let nobody = ed25519_dalek::VerifyingKey::from_bytes(NOBODY.as_bytes()).unwrap();
        assert!(!nobody.is_weak());
    }

    #[test]
    fn a_proof_prints_its_name_only() {
        assert_eq!(format!("{:?}", proof(&SigningKey::from_bytes(&[5; 32]))), "Proof(..)");
    }

    #[test]
    fn a_proof_needs_a_key_and_its_signature() {
        // spec: CHN-007, INB-002
        let (key, other) = (SigningKey::from_bytes(&[5; 32]), SigningKey::from_bytes(&[6; 32]));
        let public = transcript::public_key(&key);
        assert_eq!(proof(&key).check(Some(public)), Ok(public));
        for (proof, known) in [(proof(&key), None), (proof(&other), Some(public))] {
            assert_eq!(proof.check(known), Err(Code::Denied.into()));
        }
    }
}
