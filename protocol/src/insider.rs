//! What a member can do that does not keep to the program, for simulators and tests.
//!
//! Only with the feature `insider`, which no app sets. Everything here makes bytes that an honest
//! member must refuse, or survive; it weakens nothing of how they are judged.

use hushwire_wire::id::{ChannelId, EpochId};
use hushwire_wire::transcript::{Cut, Operation};
use openmls::prelude::{KeyPackage, KeyPackageBundle, OpenMlsProvider as _};
use openmls_traits::storage::StorageProvider as _;
use openmls_traits::types::HpkePrivateKey;
use rand_core::CryptoRng;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::envelope::{EnvelopeContent, EnvelopeError, Place, seal};
use crate::epoch::EpochKeys;
use crate::group::{
    CommitBasis, CommitIntent, Group, GroupError, KeyPackageReference, OwnKeyPackage,
    PendingCommit, Scrutiny, UnverifiedKeyPackage,
};
use crate::identity::DeviceKey;
use crate::provider::{Provider, Suite};
use crate::storage::{MlsStore, MlsStoreError};

/// How an operation seals secrets to others: in the path of a commit, and in a Welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seals {
    /// As the program does.
    Whole,
    /// Half of the keys get what does not open (RFC 9420 section 16.12).
    Half,
}

impl Seals {
    /// What is sent to a key in place of what was sealed to it.
    pub(crate) fn spoil<T: AsMut<[u8]>>(self, key: &[u8], mut ciphertext: T) -> T {
        let is_spoiled = Sha256::digest(key).first().is_some_and(|byte| byte % 2 == 1);
        if self == Self::Half
            && is_spoiled
            && let Some(byte) = ciphertext.as_mut().first_mut()
        {
            *byte ^= 1;
        }
        ciphertext
    }
}

impl<'store> Provider<'store> {
    /// As [`Provider::new`], but sealing as an insider likes.
    pub fn sealing(store: &'store dyn MlsStore, rng: &mut dyn CryptoRng, seals: Seals) -> Self {
        let mut provider = Self::new(store, rng);
        provider.0.set_seals(seals);
        provider
    }
}

impl Group {
    /// As [`Group::begin_commit`], but nobody judges the commit before it leaves, and it is marked
    /// as its author likes.
    ///
    /// # Errors
    /// [`GroupError`], when MLS cannot make it.
    #[expect(clippy::too_many_arguments, reason = "those of a commit, and its mark")]
    pub fn begin_commit_unjudged(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        epoch: &EpochId,
        keys: &EpochKeys,
        intent: CommitIntent,
        basis: CommitBasis,
        cut: Cut,
    ) -> Result<PendingCommit, GroupError> {
        self.make_commit(provider, device, epoch, keys, intent, basis, Scrutiny::Nobody(cut))
    }
}

impl OwnKeyPackage {
    /// Stores a KeyPackage that was made elsewhere, with its private parts: of its init key, and of its
    /// leaf's encryption key. So a test joins with keys that stand in it.
    ///
    /// # Errors
    /// [`GroupError::WouldBeRejected`] for one that nobody would add, [`GroupError::Store`].
    pub fn import(
        provider: &Provider<'_>,
        suite: Suite,
        bytes: &[u8],
        init_key: &[u8],
        leaf_key: &[u8],
    ) -> Result<KeyPackageReference, GroupError> {
        let package = UnverifiedKeyPackage::parse(bytes).and_then(|package| package.verify(suite));
        let package = package.map_err(GroupError::WouldBeRejected)?;
        let stored = StoredKeyPackage {
            key_package: &package.package,
            private_init_key: init_key.to_vec().into(),
            private_encryption_key: StoredKey { key: leaf_key.to_vec().into() },
        };
        // openmls gives no other way to one than through what it stores.
        let malformed = |_| GroupError::Store(MlsStoreError::Malformed);
        let stored = Zeroizing::new(rmp_serde::to_vec_named(&stored).map_err(|_| GroupError::Mls)?);
        let bundle: KeyPackageBundle = rmp_serde::from_slice(&stored).map_err(malformed)?;
        let reference =
            package.package.hash_ref(provider.0.crypto()).map_err(|_| GroupError::Mls)?;
        provider.0.storage().write_key_package(&reference, &bundle)?;
        Ok(package.reference())
    }
}

/// What openmls stores of an own KeyPackage.
#[derive(Serialize)]
struct StoredKeyPackage<'a> {
    key_package: &'a KeyPackage,
    private_init_key: HpkePrivateKey,
    private_encryption_key: StoredKey,
}

#[derive(Serialize)]
struct StoredKey {
    key: HpkePrivateKey,
}

/// Seals any content for any place of an epoch, as every member of it can.
///
/// # Errors
/// [`EnvelopeError`], as of any sealing.
pub fn seal_content(
    keys: &EpochKeys,
    channel: &ChannelId,
    epoch: &EpochId,
    operation: &Operation,
    content: &EnvelopeContent,
    nonce: [u8; 24],
) -> Result<Vec<u8>, EnvelopeError> {
    seal(&keys.envelope, nonce, Place { channel, epoch, operation }, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_keys_get_what_does_not_open() {
        let keys: Vec<[u8; 1]> = (0..64).map(|key| [key]).collect();
        let spoiled = |seals: Seals| {
            keys.iter().filter(|key| seals.spoil(&key[..], vec![7_u8]) != [7]).count()
        };
        assert_eq!(spoiled(Seals::Whole), 0);
        let half = spoiled(Seals::Half);
        assert!((16..48).contains(&half), "{half}");
    }
}
