//! A device that lost its state of a group asks to be added again.

use hushwire_wire::id::{ChannelId, EpochId, PublicKey, Signature, Timestamp};
use hushwire_wire::transcript::BadSignature;

use super::contact::ContactCard;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceCredential, DeviceId, DeviceKey, Fingerprint};
use crate::label::Label;

/// The longest KeyPackage in a request, in bytes: as on a shelf.
const KEY_PACKAGE_BYTES_MAX: usize = 16 * 1024;

/// A request to be added again, signed by the device, and by its old leaf key if it still has that
/// (spec: LNK-044). It brings all that whoever answers it needs (spec: LNK-088).
#[derive(Debug, PartialEq, Eq)]
pub struct RejoinRequest {
    identity: Fingerprint,
    device: DeviceId,
    channel: ChannelId,
    epoch: EpochId,
    asked_at: Timestamp,
    key_package: Vec<u8>,
    signature: Signature,
    old_leaf: Option<OldLeaf>,
    sender: ContactCard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OldLeaf {
    key: PublicKey,
    signature: Signature,
}

/// What a verified request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejoinEvidence {
    /// The device asks, with the key of its certificate only: a person has to confirm.
    DeviceOnly,
    /// The device asks, and so does whoever holds this leaf key. If it is the key of the device's
    /// leaf in the group, no person needs to confirm.
    OldLeafKey(PublicKey),
}

/// Where and when a device asks to be added again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejoinTerms {
    /// The group's channel.
    pub channel: ChannelId,
    /// The last epoch that the device knows of.
    pub epoch: EpochId,
    /// When it asks, by its clock.
    pub asked_at: Timestamp,
}

impl RejoinRequest {
    /// Signs a request. `key_package` is a fresh one, by which the device comes back; `sender` says
    /// how to write back to it.
    pub fn sign(
        credential: &DeviceCredential,
        key: &DeviceKey,
        terms: RejoinTerms,
        key_package: Vec<u8>,
        old_leaf: Option<&DeviceKey>,
        sender: ContactCard,
    ) -> Self {
        let mut request = Self {
            identity: credential.identity(),
            device: credential.device(),
            channel: terms.channel,
            epoch: terms.epoch,
            asked_at: terms.asked_at,
            key_package,
            signature: Signature::from_bytes([0; 64]),
            old_leaf: None,
            sender,
        };
        let fields = request.fields(Writer::default()).into_bytes();
        request.signature = key.sign(Label::RejoinRequest, &fields);
        request.old_leaf = old_leaf.map(|old| OldLeaf {
            key: old.public(),
            signature: old.sign(Label::RejoinOldLeaf, &fields),
        });
        request
    }

    /// Verifies that `sender` asks, and says what else is proved.
    ///
    /// # Errors
    /// [`BadSignature`] when another device signed, or the old leaf's signature is wrong.
    pub fn verify(&self, sender: &DeviceCredential) -> Result<RejoinEvidence, BadSignature> {
        if self.identity != sender.identity() || self.device != sender.device() {
            return Err(BadSignature);
        }
        let fields = self.fields(Writer::default()).into_bytes();
        Label::RejoinRequest.verify(&sender.signature_key(), &fields, &self.signature)?;
        let Some(old) = &self.old_leaf else { return Ok(RejoinEvidence::DeviceOnly) };
        Label::RejoinOldLeaf.verify(&old.key, &fields, &old.signature)?;
        Ok(RejoinEvidence::OldLeafKey(old.key))
    }

    /// Where and when the device asks.
    pub const fn terms(&self) -> RejoinTerms {
        RejoinTerms { channel: self.channel, epoch: self.epoch, asked_at: self.asked_at }
    }

    /// The KeyPackage by which the device comes back; not verified.
    pub fn key_package(&self) -> &[u8] {
        &self.key_package
    }

    /// How to write back to the device's identity; as good as the item that brought it.
    pub const fn sender(&self) -> &ContactCard {
        &self.sender
    }

    fn fields(&self, writer: Writer) -> Writer {
        writer
            .fixed(self.identity)
            .fixed(self.device)
            .fixed(self.channel)
            .fixed(self.epoch)
            .integer(self.asked_at.0)
            .variable(&self.key_package)
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        let writer = self.fields(writer).fixed(self.signature);
        let writer = match &self.old_leaf {
            None => writer.byte(0),
            Some(old) => writer.byte(1).fixed(old.key).fixed(old.signature),
        };
        self.sender.write(writer)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            identity: Fingerprint::from_bytes(reader.array()?),
            device: DeviceId::from_bytes(reader.array()?),
            channel: ChannelId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            asked_at: Timestamp(reader.integer()?),
            key_package: reader.variable(KEY_PACKAGE_BYTES_MAX)?.to_vec(),
            signature: Signature::from_bytes(reader.array()?),
            old_leaf: match reader.byte()? {
                0 => None,
                1 => Some(OldLeaf {
                    key: PublicKey::from_bytes(reader.array()?),
                    signature: Signature::from_bytes(reader.array()?),
                }),
                _ => return Err(DecodeError::UndefinedValue),
            },
            sender: ContactCard::read(reader)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::invitation::contact::tests::contact_card;
    use crate::seal::tests::device;

    fn terms(epoch: u8) -> RejoinTerms {
        RejoinTerms {
            channel: ChannelId::from_bytes([1; 32]),
            epoch: EpochId::from_bytes([epoch; 32]),
            asked_at: Timestamp(3),
        }
    }

    fn sign(epoch: u8, old_leaf: Option<&DeviceKey>) -> RejoinRequest {
        let (credential, key) = device(4, 5);
        let package = b"key package".to_vec();
        RejoinRequest::sign(&credential, &key, terms(epoch), package, old_leaf, contact_card(4))
    }

    /// A request with an old leaf.
    pub(crate) fn request() -> RejoinRequest {
        sign(2, Some(&DeviceKey::from_bytes(&[6; 32])))
    }

    #[test]
    fn a_request_says_what_it_proves() {
        // spec: LNK-044, LNK-088
        let (credential, _) = device(4, 5);
        let old = DeviceKey::from_bytes(&[6; 32]).public();
        assert_eq!(request().verify(&credential), Ok(RejoinEvidence::OldLeafKey(old)));
        let alone = sign(2, None);
        assert_eq!(alone.verify(&credential), Ok(RejoinEvidence::DeviceOnly));
        assert_eq!(alone.terms(), terms(2));
        assert_eq!(alone.key_package(), b"key package");
        assert!(alone.sender().is_of(&credential.identity()));
    }

    #[test]
    fn a_request_is_of_one_device_for_one_epoch() {
        // spec: LNK-044
        let (credential, _) = device(4, 5);
        for other in [device(4, 7), device(8, 5)] {
            assert_eq!(request().verify(&other.0), Err(BadSignature));
        }
        let mut moved = request();
        moved.epoch = EpochId::from_bytes([9; 32]);
        assert_eq!(moved.verify(&credential), Err(BadSignature));
        let mut repacked = request();
        repacked.key_package = b"another package".to_vec();
        assert_eq!(repacked.verify(&credential), Err(BadSignature));
        // the old leaf's signature of another request
        let mut mixed = sign(9, None);
        mixed.old_leaf = request().old_leaf;
        assert_eq!(mixed.verify(&credential), Err(BadSignature));
        // the device's own signature under the other label
        let mut relabelled = sign(2, None);
        let (key, signature) = (credential.signature_key(), relabelled.signature);
        relabelled.old_leaf = Some(OldLeaf { key, signature });
        assert_eq!(relabelled.verify(&credential), Err(BadSignature));
    }
}
