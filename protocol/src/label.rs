//! Every domain-separation label of this crate; the registry is `spec/registries.md`.
//!
//! A label stands in front of whatever is signed, hashed or derived, after its own length in one
//! byte; bytes made for one use never pass for another (spec: IDN-002). The labels of the wire are
//! in `hushwire_wire::transcript`; none is in both. MLS signs content that begins with another
//! text (RFC 9420 section 5.1.2), so a leaf key may sign both.

use ed25519_dalek::{Signer as _, SigningKey};
use hushwire_wire::id::{PublicKey, Signature};
use hushwire_wire::transcript::{BadSignature, verify_strict};
use sha2::{Digest as _, Sha256};

macro_rules! labels {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// A use of a hash, a signature or a derivation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Label {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Label {
            /// Every label, in the order of the registry.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The label's bytes, ASCII.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

labels! {
    /// Hash that names an identity: its fingerprint.
    Identity = "hushwire/1 identity";
    /// Key: the root signing key, from the recovery phrase.
    RootKey = "hushwire/1 root key";
    /// Key: the id of the inbox where a recovered identity looks first.
    RecoveryInbox = "hushwire/1 recovery inbox";
    /// Key: the owner key of that inbox.
    RecoveryInboxOwner = "hushwire/1 recovery inbox owner";
    /// Key: the upload key, hence the place, of the backup.
    BackupUpload = "hushwire/1 backup upload";
    /// Key: what the backup is sealed with.
    BackupKey = "hushwire/1 backup key";
    /// Signature of the root: this key manages the devices.
    ManagerStatement = "hushwire/1 manager statement";
    /// Signature of the manager: this key is a device.
    DeviceCertificate = "hushwire/1 device certificate";
    /// Hash that names a certificate in a device list.
    CertificateHash = "hushwire/1 certificate hash";
    /// Signature of the manager: these are the devices.
    DeviceList = "hushwire/1 device list";
    /// Hash whose first bytes show a damaged contact link or linking code.
    LinkChecksum = "hushwire/1 link checksum";
    /// Key: the capability secret of a contact link.
    LinkCapability = "hushwire/1 link capability";
    /// Key: what the card of a contact link is sealed with.
    LinkCardKey = "hushwire/1 link card key";
    /// Key: what shows to the members of a group by which link somebody asks to be let in.
    JoinProof = "hushwire/1 join proof";
    /// Associated data of a sealed card.
    CardSeal = "hushwire/1 card seal";
    /// Signature of the manager: this card is of this inbox.
    Card = "hushwire/1 card";
    /// Signature of the manager: this card is of this group's door.
    DoorCard = "hushwire/1 door card";
    /// Associated data of a sealed key package.
    ShelfPackage = "hushwire/1 shelf package";
    /// Associated data of a sealed device list.
    ShelfDeviceList = "hushwire/1 shelf device list";
    /// Hash that names an inbox's HPKE key.
    InboxKeyId = "hushwire/1 inbox key id";
    /// HPKE `info` of an inbox item.
    InboxItem = "hushwire/1 inbox item";
    /// Signature of a device: it wrote this inbox item.
    InboxItemSender = "hushwire/1 inbox item sender";
    /// Signature of a device: add me again.
    RejoinRequest = "hushwire/1 rejoin request";
    /// Signature of a device's old leaf key under the same request.
    RejoinOldLeaf = "hushwire/1 rejoin old leaf";
    /// Key: an inbox where two devices meet to be linked.
    LinkingInbox = "hushwire/1 linking inbox";
    /// Key: the owner key of such an inbox.
    LinkingOwner = "hushwire/1 linking owner";
    /// Key: the capability secret of such an inbox.
    LinkingCapability = "hushwire/1 linking capability";
    /// Key: what is sealed toward one of the two devices.
    LinkingSealKey = "hushwire/1 linking seal key";
    /// Associated data of what two devices say to each other.
    LinkingMessage = "hushwire/1 linking message";
    /// Hash that commits the old device to its nonce.
    LinkingCommitment = "hushwire/1 linking commitment";
    /// Hash that gives the number two people's eyes compare.
    LinkingComparison = "hushwire/1 linking comparison";
    /// HPKE `info` of what the old device hands over.
    LinkingGrant = "hushwire/1 linking grant";
    /// Key: the digits of a safety number.
    SafetyNumber = "hushwire/1 safety number";
    /// Key: the digits that the members of a group compare.
    GroupCode = "hushwire/1 group code";
    /// Key: the signing key of an epoch.
    EpochKey = "hushwire/1 epoch key";
    /// Key: what the envelopes of an epoch are sealed with.
    EnvelopeKey = "hushwire/1 envelope key";
    /// Signature of a leaf: this candidate is not valid for me.
    CommitReport = "hushwire/1 commit report";
    /// Signature of a leaf: this candidate is the one that I applied.
    AppliedStatement = "hushwire/1 applied statement";
    /// Signature of a leaf: this group goes on there.
    Successor = "hushwire/1 successor";
    /// Signature of the same leaf: by this link members of the group before come in.
    SuccessorOffer = "hushwire/1 successor offer";
    /// Key: what the chunks of an attachment are sealed with.
    AttachmentKey = "hushwire/1 attachment key";
    /// Key: the beginning of the nonces of an attachment's chunks.
    AttachmentNonce = "hushwire/1 attachment nonce";
}

impl Label {
    /// The label's length in one byte, its text, then `fields` (spec: IDN-002).
    pub fn bind(self, fields: &[u8]) -> Vec<u8> {
        let text = self.text().as_bytes();
        let mut bytes = Vec::with_capacity(1 + text.len() + fields.len());
        // Labels are constants shorter than 256 bytes (checked by a test).
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(fields);
        bytes
    }

    /// SHA-256 of the bound fields.
    pub fn hash(self, fields: &[u8]) -> [u8; 32] {
        Sha256::digest(self.bind(fields)).into()
    }

    /// Signs the bound fields (Ed25519, RFC 8032).
    pub(crate) fn sign(self, key: &SigningKey, fields: &[u8]) -> Signature {
        Signature::from_bytes(key.sign(&self.bind(fields)).to_bytes())
    }

    /// Verifies a signature over the bound fields, strictly (spec: IDN-004).
    ///
    /// # Errors
    /// [`BadSignature`] for every way a key or signature can be wrong.
    pub fn verify(
        self,
        key: &PublicKey,
        fields: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        verify_strict(key, &self.bind(fields), signature)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn labels_are_short_distinct_and_not_the_wires() {
        // spec: IDN-002
        let wire = hushwire_wire::transcript::Label::ALL.iter().map(|label| label.text());
        let all: Vec<_> = Label::ALL.iter().map(|label| label.text()).chain(wire).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|text| text.starts_with("hushwire/1 ") && text.len() < 64));
    }

    #[test]
    fn a_signature_is_for_one_label() {
        // spec: IDN-002, IDN-004
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = hushwire_wire::transcript::public_key(&key);
        let signature = Label::Card.sign(&key, b"fields");
        assert_eq!(Label::Card.verify(&public, b"fields", &signature), Ok(()));
        for (label, fields) in [(Label::DeviceList, &b"fields"[..]), (Label::Card, b"field")] {
            assert_eq!(label.verify(&public, fields, &signature), Err(BadSignature));
        }
        let small_order = PublicKey::from_bytes([0; 32]);
        assert_eq!(Label::Card.verify(&small_order, b"fields", &signature), Err(BadSignature));
    }

    #[test]
    fn the_registry_lists_every_label() {
        // spec: IDN-002
        let registry = include_str!("../../spec/registries.md");
        let (_, section) = registry.split_once("## Labels of the protocol").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let listed: Vec<_> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(label, _)| label)
            .collect();
        let ours: Vec<_> = Label::ALL.iter().map(|label| label.text()).collect();
        assert_eq!(listed, ours);
    }
}
