//! The root key of an identity, and what else comes out of the recovery phrase.

use hushwire_wire::SigningKey;
use hushwire_wire::id::{InboxId, PublicKey, UploadKey};

use crate::derive::derive;
use crate::identity::fingerprint::Fingerprint;
use crate::identity::manager::{ManagerCounter, ManagerStatement};
use crate::identity::phrase::RecoveryPhrase;
use crate::label::Label;
use crate::secret::{secret_bytes, signing_key};

signing_key!(
    /// The key whose fingerprint is the identity. Made from the recovery phrase when it is needed,
    /// and dropped again; stored on no device (spec: IDN-011).
    RootKey
);

impl RootKey {
    /// The root key of this phrase (spec: IDN-013).
    pub fn from_phrase(phrase: &RecoveryPhrase) -> Self {
        Self::from_bytes(&derive(phrase.root_seed(), Label::RootKey, b""))
    }

    /// The identity.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.public())
    }

    /// States that `manager` manages this identity's devices from now on, until a statement with a
    /// higher counter.
    pub fn state_manager(&self, manager: PublicKey, counter: ManagerCounter) -> ManagerStatement {
        ManagerStatement::sign(&self.0, manager, counter)
    }
}

secret_bytes!(
    /// What a backup is sealed with.
    BackupKey
);

/// Where a person who has nothing but the phrase looks first, and what they need there
/// (spec: IDN-014).
#[derive(Debug)]
pub struct Recovery {
    /// The identity's inbox of last resort.
    pub inbox: InboxId,
    /// Its owner key.
    pub inbox_owner: RecoveryInboxOwner,
    /// The upload key of the backup; the blob's id is its hash (spec: BLB-001).
    pub backup_upload: UploadKey,
    /// What the backup is sealed with.
    pub backup_key: BackupKey,
}

/// The owner key of the inbox of last resort.
pub struct RecoveryInboxOwner(SigningKey);

impl RecoveryInboxOwner {
    /// The key, for the wire's transcripts.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for RecoveryInboxOwner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RecoveryInboxOwner(..)")
    }
}

impl Recovery {
    /// What this phrase leads to.
    pub fn from_phrase(phrase: &RecoveryPhrase) -> Self {
        let seed = phrase.root_seed();
        Self {
            inbox: InboxId::from_bytes(*derive(seed, Label::RecoveryInbox, b"")),
            inbox_owner: RecoveryInboxOwner(SigningKey::from_bytes(&derive(
                seed,
                Label::RecoveryInboxOwner,
                b"",
            ))),
            backup_upload: UploadKey::from_bytes(*derive(seed, Label::BackupUpload, b"")),
            backup_key: BackupKey::from_bytes(*derive(seed, Label::BackupKey, b"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_derives_from_the_phrase() {
        // spec: IDN-013, IDN-014
        let phrase = RecoveryPhrase::parse(&format!("{}art", "abandon ".repeat(23))).unwrap();
        let recovery = Recovery::from_phrase(&phrase);
        let again = Recovery::from_phrase(&phrase);
        assert_eq!(recovery.inbox, again.inbox);
        assert_eq!(recovery.backup_key, again.backup_key);
        assert_ne!(recovery.backup_key.expose(), recovery.backup_upload.expose());
        assert_ne!(&recovery.inbox_owner.signing_key().to_bytes(), recovery.backup_key.expose());
        let root = RootKey::from_phrase(&phrase);
        assert_eq!(root.public(), RootKey::from_phrase(&phrase).public());
        assert_eq!(root.fingerprint(), Fingerprint::of(&root.public()));
    }

    #[test]
    fn debug_prints_the_names_only() {
        // spec: IDN-005
        let root = RootKey::from_bytes(&[7; 32]);
        assert_eq!(format!("{root:?}"), "RootKey(..)");
        assert_eq!(format!("{:?}", BackupKey::from_bytes([7; 32])), "BackupKey(..)");
        let owner = RecoveryInboxOwner(SigningKey::from_bytes(&[7; 32]));
        assert_eq!(format!("{owner:?}"), "RecoveryInboxOwner(..)");
    }
}
