//! Who is in the group: leaves with verified credentials.

use openmls::prelude::{BasicCredential, Credential, LeafNode, LeafNodeIndex, MlsGroup};

use sha2::{Digest as _, Sha256};

use super::error::{GroupError, Rejection};
use super::role::Role;
use super::state::GroupState;
use crate::identity::{DeviceCredential, DeviceId, Fingerprint, UnverifiedCredential};
use crate::storage::MlsStoreError;

/// A leaf of the ratchet tree. A later member may get the index of a removed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(pub u32);

impl LeafIndex {
    pub(crate) fn to_mls(self) -> LeafNodeIndex {
        LeafNodeIndex::new(self.0)
    }
}

impl From<LeafNodeIndex> for LeafIndex {
    fn from(index: LeafNodeIndex) -> Self {
        Self(index.u32())
    }
}

/// Tells the leaves of a device apart: it has another one after each of its commits, and after it was
/// added again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafMark([u8; 32]);

impl LeafMark {
    /// A mark that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of the leaf's HPKE key.
    pub(crate) fn of(encryption_key: &[u8]) -> Self {
        Self(Sha256::digest(encryption_key).into())
    }
}

/// A device in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// Who it is.
    pub credential: DeviceCredential,
    /// The role of its identity.
    pub role: Role,
}

impl Member {
    /// The identity.
    pub fn identity(&self) -> Fingerprint {
        self.credential.identity()
    }

    /// The device.
    pub const fn device(&self) -> DeviceId {
        self.credential.device()
    }
}

/// Which leaves a commit removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafSelector {
    /// All devices of an identity.
    Identity(Fingerprint),
    /// One device of an identity.
    Device(Fingerprint, DeviceId),
}

impl LeafSelector {
    pub(crate) fn selects(&self, credential: &DeviceCredential) -> Selected {
        let selected = match self {
            Self::Identity(identity) => credential.identity() == *identity,
            Self::Device(identity, device) => {
                credential.identity() == *identity && credential.device() == *device
            }
        };
        if selected { Selected::Yes } else { Selected::No }
    }
}

/// Whether a selector means a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    Yes,
    No,
}

/// The members of a group in one epoch, with their state.
#[derive(Clone, Debug)]
pub struct Roster {
    pub(crate) members: Vec<Member>,
    pub(crate) state: GroupState,
}

impl Roster {
    /// Puts a roster together from leaves with verified credentials.
    pub fn new(
        leaves: impl IntoIterator<Item = (LeafIndex, DeviceCredential)>,
        state: GroupState,
    ) -> Self {
        let members = leaves
            .into_iter()
            .map(|(leaf, credential)| {
                let role = state.role(&credential.identity());
                Member { leaf, credential, role }
            })
            .collect();
        Self { members, state }
    }

    /// Reads the stored tree. Its credentials were verified when their leaves came in.
    pub(crate) fn read(mls: &MlsGroup, state: &GroupState) -> Result<Self, GroupError> {
        let leaves = mls
            .members()
            .map(|member| Ok((member.index.into(), stored_credential(&member.credential)?)))
            .collect::<Result<Vec<_>, GroupError>>()?;
        Ok(Self::new(leaves, state.clone()))
    }

    pub(crate) fn at(&self, leaf: LeafIndex) -> Option<&Member> {
        self.members.iter().find(|member| member.leaf == leaf)
    }
}

/// The credential of a stored leaf.
pub(crate) fn stored_credential(credential: &Credential) -> Result<DeviceCredential, GroupError> {
    let basic = BasicCredential::try_from(credential.clone())
        .map_err(|_| GroupError::Store(MlsStoreError::Malformed))?;
    UnverifiedCredential::parse(basic.identity())
        .map(UnverifiedCredential::assume_verified)
        .map_err(|_| GroupError::Store(MlsStoreError::Malformed))
}

/// Verifies the credential of a leaf that comes in (spec: GRP-020, IDN-025). One of another type its leaf
/// cannot name (spec: GRP-024).
pub(crate) fn verify_credential(leaf: &LeafNode) -> Result<DeviceCredential, Rejection> {
    let basic =
        BasicCredential::try_from(leaf.credential().clone()).map_err(|_| Rejection::BadLeaf)?;
    let credential = UnverifiedCredential::parse(basic.identity())
        .and_then(UnverifiedCredential::verify)
        .map_err(|_| Rejection::BadCredential)?;
    if credential.signature_key().as_bytes() != leaf.signature_key().as_slice() {
        return Err(Rejection::BadCredential);
    }
    Ok(credential)
}
