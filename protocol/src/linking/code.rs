//! The one-time code, and where the two devices meet.

use hushwire_wire::SigningKey;
use hushwire_wire::id::{CapabilitySecret, InboxId, PublicKey};
use zeroize::Zeroizing;

use crate::address::RelayAddress;
use crate::derive::derive;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::label::Label;
use crate::link::text::{LinkError, LinkKind, LinkText};
use crate::linking::VERSION;
use crate::sealed_box::{self, SealError};
use crate::secret::secret_bytes;

secret_bytes!(
    /// The secret in a linking code, from which the meeting places derive.
    LinkingSecret
);

/// The old device's word to use one nonce and no other: its labelled hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Commitment(pub(super) [u8; 32]);

impl Commitment {
    /// Commits to a nonce (spec: LNK-052).
    pub(super) fn to(nonce: &[u8; 32]) -> Self {
        Self(Label::LinkingCommitment.hash(nonce))
    }
}

/// What the old device shows, as text or QR code, and the new device reads.
pub struct LinkingCode {
    pub(super) relay: RelayAddress,
    pub(super) secret: LinkingSecret,
    pub(super) commitment: Commitment,
}

impl LinkingCode {
    /// Reads a code; white space around it does not matter.
    ///
    /// # Errors
    /// [`LinkError`] (spec: LNK-050).
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let link = LinkText::parse(text)?;
        if link.kind != LinkKind::Device {
            return Err(LinkError::OtherKind);
        }
        let mut reader = Reader::new(&link.body);
        let secret = reader.array().map_err(LinkError::Malformed)?;
        let commitment = reader.array().map_err(LinkError::Malformed)?;
        reader.finish().map_err(LinkError::Malformed)?;
        let secret = LinkingSecret::from_bytes(secret);
        Ok(Self { relay: link.relay, secret, commitment: Commitment(commitment) })
    }

    /// The code as text, at most 200 bytes.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] when the relay's host is too long for that.
    pub fn to_text(&self) -> Result<Zeroizing<String>, LinkError> {
        let body = Writer::with_capacity(64)
            .fixed(self.secret.expose())
            .fixed(self.commitment.0)
            .into_secret();
        LinkText { kind: LinkKind::Device, relay: self.relay.clone(), body }.to_text()
    }

    /// The relay where the devices meet.
    pub const fn relay(&self) -> &RelayAddress {
        &self.relay
    }

    /// The inbox that the old device reads and the new one writes to.
    pub fn toward_old(&self) -> Rendezvous {
        Rendezvous::derive(&self.secret, Side::Old)
    }

    /// The inbox that the new device reads and the old one writes to.
    pub fn toward_new(&self) -> Rendezvous {
        Rendezvous::derive(&self.secret, Side::New)
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for LinkingCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkingCode(..)")
    }
}

#[derive(Clone, Copy)]
enum Side {
    Old,
    New,
}

secret_bytes!(
    /// Seals what one device says to the other.
    RendezvousKey
);

/// The owner key of a meeting place.
pub struct RendezvousOwner(SigningKey);

impl RendezvousOwner {
    /// The key, for the wire's transcripts.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        hushwire_wire::transcript::public_key(&self.0)
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for RendezvousOwner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RendezvousOwner(..)")
    }
}

/// An inbox where one device of the two waits for the other (spec: LNK-051).
#[derive(Debug)]
pub struct Rendezvous {
    /// The inbox.
    pub inbox: InboxId,
    /// Its owner key, for the device that reads.
    pub owner: RendezvousOwner,
    /// Its one capability, for the device that writes.
    pub capability: CapabilitySecret,
    key: RendezvousKey,
}

/// Which message of the exchange; part of what seals it.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Request,
    Reveal,
    Grant,
}

impl Step {
    const fn code(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Reveal => 2,
            Self::Grant => 3,
        }
    }
}

impl Rendezvous {
    fn derive(secret: &LinkingSecret, side: Side) -> Self {
        let context = match side {
            Side::Old => [1],
            Side::New => [2],
        };
        let secret = secret.expose();
        let owner = derive(secret, Label::LinkingOwner, &context);
        let capability = *derive(secret, Label::LinkingCapability, &context);
        Self {
            inbox: InboxId::from_bytes(*derive(secret, Label::LinkingInbox, &context)),
            owner: RendezvousOwner(SigningKey::from_bytes(&owner)),
            capability: CapabilitySecret::from_bytes(capability),
            key: RendezvousKey::from_bytes(*derive(secret, Label::LinkingSealKey, &context)),
        }
    }

    /// Seals a message of a step (spec: LNK-053).
    pub(super) fn seal(
        &self,
        step: Step,
        content: &[u8],
        rng: &mut dyn rand_core::CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        sealed_box::seal(self.key.expose(), &place(step), content, rng)
    }

    /// Opens a message of a step.
    pub(super) fn open(&self, step: Step, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        sealed_box::open(self.key.expose(), &place(step), sealed)
    }
}

fn place(step: Step) -> Vec<u8> {
    Label::LinkingMessage.bind(&[step.code()])
}

/// The message with which the old device opens its commitment.
pub(super) fn reveal_bytes(nonce: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Writer::with_capacity(34).short(VERSION).fixed(nonce).into_secret()
}

/// Reads what [`reveal_bytes`] wrote.
pub(super) fn read_reveal(bytes: &[u8]) -> Result<[u8; 32], DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.version(VERSION)?;
    let nonce = reader.array()?;
    reader.finish()?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Host;

    fn code() -> LinkingCode {
        let relay = hushwire_wire::id::RelayId::from_bytes([1; 32]);
        LinkingCode {
            relay: RelayAddress::new(Host::parse("relay.example.org").unwrap(), 443, relay)
                .unwrap(),
            secret: LinkingSecret::from_bytes([2; 32]),
            commitment: Commitment::to(&[3; 32]),
        }
    }

    #[test]
    fn codes_come_back() {
        // spec: LNK-050
        let text = code().to_text().unwrap();
        let parsed = LinkingCode::parse(&text).unwrap();
        assert_eq!(parsed.relay, code().relay);
        assert_eq!(parsed.secret, code().secret);
        assert!(parsed.commitment == code().commitment);
        for length in 0..text.len() {
            assert!(LinkingCode::parse(&text[..length]).is_err(), "{length}");
        }
        let contact = crate::link::ContactLink::parse(&text);
        assert_eq!(contact.unwrap_err(), LinkError::OtherKind);
    }

    #[test]
    fn the_two_places_have_nothing_in_common() {
        // spec: LNK-051
        let (old, new) = (code().toward_old(), code().toward_new());
        assert_ne!(old.inbox, new.inbox);
        assert_ne!(old.owner.public(), new.owner.public());
        assert_ne!(old.capability, new.capability);
        assert_ne!(old.key, new.key);
        assert_eq!(old.inbox, code().toward_old().inbox);
    }

    #[test]
    fn a_message_is_of_one_step_and_one_direction() {
        // spec: LNK-053
        use rand_chacha::rand_core::SeedableRng as _;
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([4; 32]);
        let (old, new) = (code().toward_old(), code().toward_new());
        let sealed = old.seal(Step::Request, b"x", &mut rng).unwrap();
        assert!(old.open(Step::Request, &sealed).is_ok());
        assert_eq!(old.open(Step::Reveal, &sealed), Err(SealError::Unopened));
        assert_eq!(new.open(Step::Request, &sealed), Err(SealError::Unopened));
    }

    #[test]
    fn debug_prints_the_names_only() {
        // spec: IDN-005
        assert_eq!(format!("{:?}", code()), "LinkingCode(..)");
        assert_eq!(format!("{:?}", code().secret), "LinkingSecret(..)");
        assert_eq!(
            format!("{:?}", code().toward_old()),
            "Rendezvous { inbox: InboxId(..), owner: RendezvousOwner(..), \
             capability: CapabilitySecret(..), key: RendezvousKey(..) }"
        );
    }
}
