//! Inbox items: sealed to an inbox by HPKE, with the sender inside.
//!
//! ```text
//! uint16 version; opaque key id[32]; opaque encapsulated key[1120];
//! opaque ciphertext[..]: of { opaque credential[270]; opaque content<V>; opaque signature[64]; zeros }
//! ```
//!
//! The relay learns that an item came under a capability, and its size class. The recipient learns
//! the sender from the credential; the signature names the recipient's inbox and key, so an item
//! cannot be passed on as if it had been written to somebody else.

use core::fmt;

use hushwire_wire::id::{InboxId, Signature};
use hushwire_wire::transcript::content_hash;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::hpke::HpkeSuite;
use crate::identity::{CredentialError, DeviceCredential, DeviceKey, UnverifiedCredential};
use crate::label::Label;
use crate::padding::{check_sealed_length, check_zeros, pad};
use crate::sealed_box::{SealError, padding_room};
use crate::secret::secret_bytes;

const VERSION: u16 = 1;
/// Length of an X-Wing public key, in bytes (draft-connolly-cfrg-xwing-kem-06 section 5.1).
const PUBLIC_KEY_BYTES: usize = 1216;
const ENCAPSULATED_BYTES: usize = 1120;
const HEADER_BYTES: usize = 2 + 32 + ENCAPSULATED_BYTES;
const OVERHEAD_BYTES: usize = HEADER_BYTES + 16;

secret_bytes!(
    /// The seed of an inbox's HPKE key pair. All devices of the owner hold it.
    InboxKey
);

impl InboxKey {
    /// The public half (RFC 9180 `DeriveKeyPair`; spec: LNK-030).
    ///
    /// # Errors
    /// [`SealError::PublicKey`] when the library cannot derive; no seed does that.
    pub fn public(&self) -> Result<InboxPublicKey, SealError> {
        let (_, public_key) =
            HpkeSuite::INBOX.key_pair(self.expose()).map_err(|_| SealError::PublicKey)?;
        InboxPublicKey::from_slice(&public_key).map_err(SealError::Malformed)
    }
}

/// The public half of an [`InboxKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct InboxPublicKey(Box<[u8; PUBLIC_KEY_BYTES]>);

impl InboxPublicKey {
    /// Takes exactly 1216 bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DecodeError> {
        bytes.try_into().map(|bytes| Self(Box::new(bytes))).map_err(|_| DecodeError::Truncated)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array().map(|bytes| Self(Box::new(bytes)))
    }

    /// The key's name: a labelled hash (spec: LNK-030).
    pub fn id(&self) -> InboxKeyId {
        InboxKeyId(Label::InboxKeyId.hash(&self.0[..]))
    }
}

impl AsRef<[u8]> for InboxPublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0[..]
    }
}

/// Prints the type's name only: it names an inbox.
impl fmt::Debug for InboxPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxPublicKey(..)")
    }
}

/// Names an [`InboxPublicKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxKeyId([u8; 32]);

impl InboxKeyId {
    /// A key id that was stored or received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Prints the type's name only: it names an inbox.
impl fmt::Debug for InboxKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxKeyId(..)")
    }
}

/// Why an inbox item is refused. Peer's fault, but for the key that is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The item is no inbox item, or was not sealed for this inbox.
    #[error("the inbox item cannot be opened: {0}")]
    Seal(#[from] SealError),
    /// It was sealed to a key that is none of these: an old one, or never ours.
    #[error("the inbox item was sealed to another key")]
    OtherKey,
    /// The sender's credential is not valid.
    #[error("the sender's credential is not valid: {0}")]
    Credential(#[from] CredentialError),
    /// The sender did not sign it for this inbox and key.
    #[error("the sender did not sign the inbox item for this inbox")]
    BadSignature,
}

impl From<DecodeError> for ItemError {
    fn from(error: DecodeError) -> Self {
        Self::Seal(SealError::Malformed(error))
    }
}

/// A verified inbox item.
#[derive(Debug)]
pub struct InboxItem {
    /// Who wrote it.
    pub sender: DeviceCredential,
    /// What it says: [`crate::invitation::InboxContent`] in bytes.
    pub content: Zeroizing<Vec<u8>>,
}

/// Who writes an item.
#[derive(Clone, Copy, Debug)]
pub struct ItemSender<'sender> {
    /// The sender's credential.
    pub credential: &'sender DeviceCredential,
    /// The key it names.
    pub key: &'sender DeviceKey,
}

/// Seals an item for an inbox (spec: LNK-031, LNK-032).
///
/// # Errors
/// [`SealError::PublicKey`], [`SealError::Padding`].
pub fn seal_item(
    inbox: &InboxId,
    recipient: &InboxPublicKey,
    sender: ItemSender<'_>,
    content: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let key_id = recipient.id();
    let signed = signed_fields(inbox, &key_id, sender.credential, content);
    let signature = sender.key.sign(Label::InboxItemSender, &signed);
    let framed = Writer::with_capacity(padding_room(content.len()))
        .fixed(sender.credential.to_bytes())
        .variable(content)
        .fixed(signature);
    let plaintext = Zeroizing::new(pad(framed.into_bytes(), OVERHEAD_BYTES)?);
    let (encapsulated, ciphertext) = HpkeSuite::INBOX
        .seal(recipient.as_ref(), &info(inbox), &key_id.0, &plaintext, rng)
        .map_err(|_| SealError::PublicKey)?;
    let header = Writer::default().short(VERSION).fixed(key_id.0).fixed(encapsulated);
    Ok(header.fixed(ciphertext).into_bytes())
}

/// The key that an item was sealed to, so that its holder can look it up.
///
/// # Errors
/// [`ItemError::Seal`] for other lengths and versions.
pub fn item_key_id(item: &[u8]) -> Result<InboxKeyId, ItemError> {
    check_sealed_length(item).map_err(SealError::Padding)?;
    let mut reader = Reader::new(item);
    reader.version(VERSION)?;
    Ok(InboxKeyId(reader.array()?))
}

/// Opens an item and verifies who wrote it (spec: LNK-031, LNK-032, LNK-033).
///
/// # Errors
/// [`ItemError`].
pub fn open_item(inbox: &InboxId, key: &InboxKey, item: &[u8]) -> Result<InboxItem, ItemError> {
    let key_id = item_key_id(item)?;
    let (private_key, public_key) =
        HpkeSuite::INBOX.key_pair(key.expose()).map_err(|_| SealError::PublicKey)?;
    if InboxPublicKey::from_slice(&public_key)?.id() != key_id {
        return Err(ItemError::OtherKey);
    }
    let (header, ciphertext) = item.split_at_checked(HEADER_BYTES).ok_or(SealError::Unopened)?;
    let (_, encapsulated) = header.split_at_checked(2 + 32).ok_or(SealError::Unopened)?;
    let plaintext = HpkeSuite::INBOX
        .open(encapsulated, &private_key, &info(inbox), &key_id.0, ciphertext)
        .map_err(|_| SealError::Unopened)?;
    read_item(inbox, &key_id, &plaintext)
}

fn read_item(
    inbox: &InboxId,
    key_id: &InboxKeyId,
    plaintext: &[u8],
) -> Result<InboxItem, ItemError> {
    let mut reader = Reader::new(plaintext);
    let credential = reader.bytes(DeviceCredential::LENGTH)?;
    let content = reader.variable(plaintext.len())?;
    let signature = Signature::from_bytes(reader.array()?);
    check_zeros(reader.bytes(reader.remaining())?).map_err(SealError::Padding)?;
    let sender = UnverifiedCredential::parse(credential)?.verify()?;
    let signed = signed_fields(inbox, key_id, &sender, content);
    Label::InboxItemSender
        .verify(&sender.signature_key(), &signed, &signature)
        .map_err(|_| ItemError::BadSignature)?;
    Ok(InboxItem { sender, content: Zeroizing::new(content.to_vec()) })
}

/// What the sender signs: recipient, key, itself, and the content's hash (spec: LNK-032).
fn signed_fields(
    inbox: &InboxId,
    key_id: &InboxKeyId,
    sender: &DeviceCredential,
    content: &[u8],
) -> Vec<u8> {
    Writer::with_capacity(512)
        .fixed(inbox)
        .fixed(key_id.0)
        .fixed(sender.to_bytes())
        .fixed(content_hash(content))
        .into_bytes()
}

fn info(inbox: &InboxId) -> Vec<u8> {
    Label::InboxItem.bind(inbox.as_ref())
}

#[cfg(test)]
pub(crate) mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::identity::{DeviceId, DeviceSerial, ManagerCounter, ManagerKey, RootKey};

    const INBOX: InboxId = InboxId::from_bytes([1; 16]);

    /// A device of an identity, both made of one byte.
    pub(crate) fn device(root: u8, key: u8) -> (DeviceCredential, DeviceKey) {
        let manager = ManagerKey::from_bytes(&[root ^ 0x80; 32]);
        let root = RootKey::from_bytes(&[root; 32]);
        let statement = root.state_manager(manager.public(), ManagerCounter(0));
        let device_key = DeviceKey::from_bytes(&[key; 32]);
        let id = DeviceId::from_bytes([key; 16]);
        let certificate = manager.certify(&statement, id, device_key.public(), DeviceSerial(0));
        (DeviceCredential::new(statement, certificate).unwrap(), device_key)
    }

    fn seal(inbox: &InboxId, credential: &DeviceCredential, key: &DeviceKey) -> Vec<u8> {
        let recipient = InboxKey::from_bytes([2; 32]).public().unwrap();
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        seal_item(inbox, &recipient, ItemSender { credential, key }, b"content", &mut rng).unwrap()
    }

    fn open(item: &[u8]) -> Result<InboxItem, ItemError> {
        open_item(&INBOX, &InboxKey::from_bytes([2; 32]), item)
    }

    #[test]
    fn items_come_back_with_their_sender() {
        // spec: LNK-030, LNK-031, LNK-032
        let (credential, key) = device(4, 5);
        let item = seal(&INBOX, &credential, &key);
        assert_eq!(item.len(), 1536);
        let opened = open(&item).unwrap();
        assert_eq!(opened.sender, credential);
        assert_eq!(&opened.content[..], b"content");
        assert_eq!(item, seal(&INBOX, &credential, &key));
    }

    #[test]
    fn items_for_others_are_refused() {
        // spec: LNK-031
        let (credential, key) = device(4, 5);
        let other = seal(&InboxId::from_bytes([9; 16]), &credential, &key);
        assert_eq!(open(&other).unwrap_err(), SealError::Unopened.into());
        let item = seal(&INBOX, &credential, &key);
        let error = open_item(&INBOX, &InboxKey::from_bytes([9; 32]), &item).unwrap_err();
        assert_eq!(error, ItemError::OtherKey);
    }

    #[test]
    fn another_key_cannot_write_as_the_sender() {
        // spec: LNK-032
        let (credential, _) = device(4, 5);
        let (_, other) = device(4, 6);
        let error = open(&seal(&INBOX, &credential, &other)).unwrap_err();
        assert_eq!(error, ItemError::BadSignature);
    }

    #[test]
    fn an_item_cannot_be_passed_on() {
        // spec: LNK-032: the plaintext of an item for another inbox, sealed anew for this one
        let (credential, key) = device(4, 5);
        let recipient = InboxKey::from_bytes([2; 32]).public().unwrap();
        let signed = |inbox: &InboxId| {
            let fields = signed_fields(inbox, &recipient.id(), &credential, b"content");
            let signature = key.sign(Label::InboxItemSender, &fields);
            let writer = Writer::default().fixed(credential.to_bytes());
            writer.variable(b"content").fixed(signature).into_bytes()
        };
        assert!(read_item(&INBOX, &recipient.id(), &signed(&INBOX)).is_ok());
        let foreign = signed(&InboxId::from_bytes([9; 16]));
        let error = read_item(&INBOX, &recipient.id(), &foreign).unwrap_err();
        assert_eq!(error, ItemError::BadSignature);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: LNK-033
        let (credential, key) = device(4, 5);
        let item = seal(&INBOX, &credential, &key);
        for index in (0..item.len()).step_by(37).chain(0..40) {
            let mut changed = item.clone();
            changed[index] ^= 1;
            assert!(open(&changed).is_err(), "{index}");
            assert!(open(&item[..index]).is_err(), "{index}");
        }
    }

    #[test]
    fn debug_prints_the_name_only() {
        // spec: IDN-005
        let key = InboxKey::from_bytes([2; 32]);
        assert_eq!(format!("{key:?}"), "InboxKey(..)");
        assert_eq!(format!("{:?}", key.public().unwrap()), "InboxPublicKey(..)");
    }
}
