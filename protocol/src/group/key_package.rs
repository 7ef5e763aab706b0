//! KeyPackages: our own for the shelf, and those of others, parsed and then proved.

use hushwire_wire::id::ChannelId;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, CredentialWithKey, Extension, Extensions, KeyPackage, KeyPackageIn,
    KeyPackageRef, LeafNode, OpenMlsProvider as _, ProtocolVersion, UnknownExtension,
};
use openmls::treesync::LeafNodeSource;
use openmls_traits::storage::StorageProvider as _;

use super::error::{GroupError, Rejection};
use super::fault::classify_key_package;
use super::members::verify_credential;
use super::profile::{capabilities, unlimited};
use super::state::EXTENSION_TYPE;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::{DeviceCredential, DeviceKey};
use crate::provider::{Crypto, LeafSigner, Provider, Suite};

/// Names a KeyPackage: MLS' KeyPackageRef (RFC 9420 section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPackageReference([u8; 32]);

impl KeyPackageReference {
    /// A reference that was stored or received.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_mls(reference: &KeyPackageRef) -> Option<Self> {
        reference.as_slice().try_into().ok().map(Self)
    }

    fn to_mls(self) -> Result<KeyPackageRef, GroupError> {
        let bytes = Writer::default().variable(&self.0).into_bytes();
        KeyPackageRef::tls_deserialize_exact(&bytes).map_err(|_| GroupError::Mls)
    }
}

/// Prints the type's name only: it links a device to a group.
impl core::fmt::Debug for KeyPackageReference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyPackageReference(..)")
    }
}

/// The version of what a KeyPackage says of a group.
const REJOIN_VERSION: u16 = 1;

/// Whether a KeyPackage is used once, or again when nothing else is left on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPackageUse {
    /// Its private part is deleted when a Welcome uses it.
    Once,
    /// Its private part stays until it is forgotten.
    LastResort,
    /// The device asks by it to be added again to the group of this channel; used once
    /// (spec: GRP-090).
    Rejoin(ChannelId),
}

/// A KeyPackage of this device; the private part is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeyPackage {
    /// By which the private part is found.
    pub reference: KeyPackageReference,
    /// The public part, for the shelf.
    pub bytes: Vec<u8>,
    /// How often it may be used.
    pub usage: KeyPackageUse,
}

impl OwnKeyPackage {
    /// Makes a KeyPackage and stores its private part (spec: GRP-023).
    ///
    /// # Errors
    /// [`GroupError::WrongDevice`] when key and credential do not belong together.
    pub fn generate(
        provider: &Provider<'_>,
        device: &DeviceKey,
        credential: &DeviceCredential,
        suite: Suite,
        usage: KeyPackageUse,
    ) -> Result<Self, GroupError> {
        let credential = credential_with_key(device, credential)?;
        let mut builder = KeyPackage::builder()
            .key_package_lifetime(unlimited())
            .leaf_node_capabilities(capabilities());
        builder = match usage {
            KeyPackageUse::Once => builder,
            KeyPackageUse::LastResort => builder.mark_as_last_resort(),
            KeyPackageUse::Rejoin(channel) => {
                builder.key_package_extensions(rejoin_extension(&channel)?)
            }
        };
        let bundle = builder
            .build(suite.ciphersuite(), &provider.0, &LeafSigner(device), credential)
            .map_err(|_| GroupError::Mls)?;
        let package = bundle.key_package();
        let reference = package.hash_ref(provider.0.crypto()).map_err(|_| GroupError::Mls)?;
        Ok(Self {
            reference: KeyPackageReference::of_mls(&reference).ok_or(GroupError::Mls)?,
            bytes: package.tls_serialize_detached().map_err(|_| GroupError::Mls)?,
            usage,
        })
    }

    /// Deletes the private part of a KeyPackage that left the shelf unused, or of a last resort
    /// that was replaced.
    ///
    /// # Errors
    /// [`GroupError::Store`].
    pub fn forget(
        provider: &Provider<'_>,
        reference: &KeyPackageReference,
    ) -> Result<(), GroupError> {
        Ok(provider.0.storage().delete_key_package(&reference.to_mls()?)?)
    }
}

/// A device's credential with its key, if they belong together.
pub(crate) fn credential_with_key(
    device: &DeviceKey,
    credential: &DeviceCredential,
) -> Result<CredentialWithKey, GroupError> {
    if credential.signature_key() != device.public() {
        return Err(GroupError::WrongDevice);
    }
    Ok(CredentialWithKey {
        credential: BasicCredential::new(credential.to_bytes()).into(),
        signature_key: device.public().as_bytes().to_vec().into(),
    })
}

/// The bytes of somebody's KeyPackage, well formed.
pub struct UnverifiedKeyPackage(KeyPackageIn);

impl UnverifiedKeyPackage {
    /// Reads a KeyPackage: one encoding, nothing after it.
    ///
    /// # Errors
    /// [`Rejection::MalformedMessage`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        KeyPackageIn::tls_deserialize_exact(bytes)
            .map(Self)
            .map_err(|_| Rejection::MalformedMessage)
    }

    /// Verifies signatures, credential, suite, lifetime and capabilities (spec: GRP-127). What needs a
    /// clock or a device list (freshness, revocation) is checked by the adder, beside this, and only
    /// by it.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn verify(self, suite: Suite) -> Result<VerifiedKeyPackage, Rejection> {
        let package = self.validate()?;
        if package.ciphersuite() != suite.ciphersuite() {
            return Err(Rejection::BadLeaf);
        }
        let credential = verify_added(&package)?;
        VerifiedKeyPackage::new(package, credential)
    }

    /// Takes what is well formed and has a credential, whatever MLS and members find of it: as an
    /// insider who adds it.
    ///
    /// # Errors
    /// [`Rejection`].
    #[cfg(feature = "insider")]
    pub fn verify_by_nobody(self) -> Result<VerifiedKeyPackage, Rejection> {
        // openmls makes one of the other only when it has looked at it; what it stores of both is the
        // same.
        let malformed = |_| Rejection::MalformedMessage;
        let stored = rmp_serde::to_vec_named(&self.0).map_err(|_| Rejection::MalformedMessage)?;
        let package: KeyPackage = rmp_serde::from_slice(&stored).map_err(malformed)?;
        let credential = verify_credential(package.leaf_node())?;
        VerifiedKeyPackage::new(package, credential)
    }

    fn validate(self) -> Result<KeyPackage, Rejection> {
        let package = self.0.validate(&Crypto::verifying(), ProtocolVersion::Mls10);
        package.map_err(|error| classify_key_package(&error))
    }
}

/// A KeyPackage that may be added.
#[derive(Clone, Debug)]
pub struct VerifiedKeyPackage {
    pub(crate) package: KeyPackage,
    credential: DeviceCredential,
    reference: KeyPackageReference,
}

impl VerifiedKeyPackage {
    fn new(package: KeyPackage, credential: DeviceCredential) -> Result<Self, Rejection> {
        let reference = package.hash_ref(&Crypto::verifying());
        let reference = reference.map_err(|_| Rejection::MalformedMessage)?;
        let reference =
            KeyPackageReference::of_mls(&reference).ok_or(Rejection::MalformedMessage)?;
        Ok(Self { package, credential, reference })
    }

    /// Whose it is.
    pub const fn credential(&self) -> &DeviceCredential {
        &self.credential
    }

    /// The channel to whose group the device asks by it to be added again, if it does
    /// (spec: GRP-090).
    pub fn rejoins(&self) -> Option<ChannelId> {
        rejoined_channel(&self.package)
    }

    /// Its name, as in the Welcome.
    pub const fn reference(&self) -> KeyPackageReference {
        self.reference
    }
}

fn rejoin_extension(channel: &ChannelId) -> Result<Extensions<KeyPackage>, GroupError> {
    let content = Writer::default().short(REJOIN_VERSION).fixed(channel).into_bytes();
    Extensions::from_vec(vec![Extension::Unknown(EXTENSION_TYPE, UnknownExtension(content))])
        .map_err(|_| GroupError::Mls)
}

/// The channel that a KeyPackage names as the one to whose group its device asks to be added again.
/// Its signature covers that (spec: GRP-090).
pub(crate) fn rejoined_channel(package: &KeyPackage) -> Option<ChannelId> {
    let content = &package.extensions().unknown(EXTENSION_TYPE)?.0;
    let read = |content: &[u8]| {
        let mut reader = Reader::new(content);
        reader.version(REJOIN_VERSION)?;
        let channel = ChannelId::from_bytes(reader.array()?);
        reader.finish()?;
        Ok::<ChannelId, DecodeError>(channel)
    };
    read(content).ok()
}

/// Verifies a KeyPackage behind what MLS asks of it: who adds it and all members who read the commit
/// judge it alike (spec: GRP-149).
pub(crate) fn verify_added(package: &KeyPackage) -> Result<DeviceCredential, Rejection> {
    let credential = verify_added_leaf(package.leaf_node())?;
    let mut extensions = package.extensions().iter();
    match (extensions.next(), extensions.next()) {
        (None | Some(Extension::LastResort(_) | Extension::Unknown(EXTENSION_TYPE, _)), None) => {
            Ok(credential)
        }
        _ => Err(Rejection::BadLeaf),
    }
}

/// Verifies a leaf that a KeyPackage brings (spec: GRP-020, GRP-023, GRP-024).
pub(crate) fn verify_added_leaf(leaf: &LeafNode) -> Result<DeviceCredential, Rejection> {
    match leaf.leaf_node_source() {
        LeafNodeSource::KeyPackage(lifetime) if *lifetime == unlimited() => verify_leaf(leaf),
        LeafNodeSource::KeyPackage(_) => Err(Rejection::LifetimeNotUnlimited),
        _ => Err(Rejection::BadLeaf),
    }
}

/// Verifies any leaf: credential, capabilities, no extensions (spec: GRP-020, GRP-024).
pub(crate) fn verify_leaf(leaf: &LeafNode) -> Result<DeviceCredential, Rejection> {
    if *leaf.capabilities() != capabilities() || leaf.extensions().iter().next().is_some() {
        return Err(Rejection::BadLeaf);
    }
    verify_credential(leaf)
}
