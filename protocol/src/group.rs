//! A group: its members agree, epoch by epoch, on who is in it and what it is called.
//!
//! ```text
//! create / join / load ─▶ Group ─┬─ seal_message, seal_leave ─▶ envelope
//!                                ├─ begin_commit ─▶ PendingCommit ─▶ confirm_commit | abandon_commit
//!                                └─ open_entry ─▶ Message | Leave | StagedCandidate ─▶ apply
//! ```
//!
//! This is the only place that knows MLS (RFC 9420, by openmls). It must never see a clock, a
//! socket or a file. One call is one transaction of the caller's store: **after any error, discard
//! the transaction and load the group again** — openmls changes memory before it writes, and opening
//! an entry moves ratchets even when the entry is then rejected. Normative text: `spec/groups.md`.

use hushwire_wire::id::ChannelId;
use openmls::group::{GroupEpoch, GroupId, MlsGroup};
use openmls::prelude::OpenMlsProvider as _;
use openmls::prelude::tls_codec::Serialize as _;
use openmls_traits::storage::StorageProvider as _;
use zeroize::Zeroizing;

mod avatar;
mod binding;
mod commit;
mod error;
mod fault;
mod join;
mod key_package;
mod members;
mod message;
mod message_rights;
mod past;
mod profile;
mod receive;
mod report;
mod rights;
mod role;
mod state;
mod statement;
mod welcome;

pub use avatar::{AVATAR_BYTES_MAX, Avatar, PictureFormat};
pub use binding::{Binding, LogPlace};
#[cfg(feature = "insider")]
pub(crate) use commit::Scrutiny;
pub use commit::{CommitBasis, CommitIntent, Cover, PendingCommit};
pub use error::{GroupError, OpenError, Phase, Rejection, Scope};
pub use join::{Joined, Welcomed};
pub use key_package::{
    KeyPackageReference, KeyPackageUse, OwnKeyPackage, UnverifiedKeyPackage, VerifiedKeyPackage,
};
pub use members::{LeafIndex, LeafMark, LeafSelector, Member, Roster};
pub use message::SealedMessage;
pub use message_rights::{REACTION_BYTES_MAX, judge_content};
pub use past::{PastMember, PastRoster, Rank};
pub use receive::{
    Applied, LeaveProposal, Opened, OpenedLeave, OpenedMessage, Outcome, StagedCandidate,
};
pub use report::{Report, UnverifiedReport, VerifiedReport};
pub use rights::{Change, DEVICES_MAX, PEOPLE_MAX, judge};
pub use role::{Allowed, Right, RightsTable, Role};
pub(crate) use state::is_name;
pub use state::{
    DESCRIPTION_BYTES_MAX, GroupKind, GroupState, Life, NAME_BYTES_MAX, ROLES_MAX, RoleEntry,
    RuleVersion,
};
#[cfg(test)]
pub(crate) use statement::is_note_kind;
pub use statement::{
    Note, Standpoint, Statement, Unsaid, UnverifiedStatement, VerifiedStatement, fits_note,
    note_left_out_max, seal_offer,
};
pub use welcome::{GroupSnapshot, JoinerWelcome, SNAPSHOT_BYTES_MAX, joiner_of};

use crate::epoch::{ENVELOPE_KEY_COMPONENT, EPOCH_KEY_COMPONENT, EpochKeys};
use crate::identity::{DeviceCredential, DeviceId, DeviceKey, Fingerprint};
use crate::provider::{Provider, Suite};

/// A group in its current epoch, as this device sees it.
pub struct Group {
    channel: ChannelId,
    mls: MlsGroup,
    state: GroupState,
}

/// Prints the type's name only.
impl core::fmt::Debug for Group {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Group(..)")
    }
}

/// A group just created.
#[derive(Debug)]
pub struct Created {
    /// The group.
    pub group: Group,
    /// The keys of its first epoch; store them, they are exported once.
    pub keys: EpochKeys,
}

impl Group {
    /// Creates the group of a channel, with this device as its only member and `state` agreed.
    ///
    /// # Errors
    /// [`GroupError::WrongDevice`], [`GroupError::WouldBeRejected`] for a state that is not valid
    /// with this one member, [`GroupError::Store`].
    pub fn create(
        provider: &Provider<'_>,
        device: &DeviceKey,
        credential: &DeviceCredential,
        channel: &ChannelId,
        suite: Suite,
        state: GroupState,
    ) -> Result<Created, GroupError> {
        let read = GroupState::from_bytes(&state.to_bytes());
        if read.is_err() || state.rules > provider.supported() {
            return Err(GroupError::WouldBeRejected(Rejection::BadGroupState));
        }
        let mls = MlsGroup::new_with_group_id(
            &provider.0,
            &crate::provider::LeafSigner(device),
            &profile::create_config(suite, &state)?,
            mls_group_id(channel),
            key_package::credential_with_key(device, credential)?,
        )
        .map_err(|_| GroupError::Mls)?;
        let mut group = Self { channel: *channel, mls, state };
        rights::check_joined(&group.roster()?).map_err(GroupError::WouldBeRejected)?;
        let keys = export_current(&mut group.mls, provider)?;
        Ok(Created { group, keys })
    }

    /// Loads the stored group of a channel.
    ///
    /// # Errors
    /// [`GroupError::Store`].
    pub fn load(provider: &Provider<'_>, channel: &ChannelId) -> Result<Option<Self>, GroupError> {
        let Some(mls) = MlsGroup::load(provider.0.storage(), &mls_group_id(channel))? else {
            return Ok(None);
        };
        let state = profile::agreed_state_of(mls.extensions())
            .map_err(|_| GroupError::Store(crate::storage::MlsStoreError::Malformed))?;
        Ok(Some(Self { channel: *channel, mls, state }))
    }

    /// Deletes all that is stored of the group.
    ///
    /// # Errors
    /// [`GroupError::Store`].
    pub fn delete(&mut self, provider: &Provider<'_>) -> Result<(), GroupError> {
        let storage = provider.0.storage();
        if self.membership() == Membership::Removed {
            // A removed leaf's keys are still those of the epoch before; openmls looks in this one.
            let last = GroupEpoch::from(self.epoch_number().saturating_sub(1));
            let (id, leaf) = (self.mls.group_id(), self.own_leaf().0);
            storage.delete_encryption_epoch_key_pairs(id, &last, leaf)?;
        }
        Ok(self.mls.delete(storage)?)
    }

    /// The channel.
    pub const fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// The agreed state.
    pub const fn state(&self) -> &GroupState {
        &self.state
    }

    /// The cipher suite.
    ///
    /// # Errors
    /// [`GroupError::Mls`]: never for a group of ours.
    pub fn suite(&self) -> Result<Suite, GroupError> {
        profile::suite_of(&self.mls)
    }

    /// How many commits the group has seen.
    pub fn epoch_number(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// Who is in the group, by leaf.
    ///
    /// # Errors
    /// [`GroupError::Store`] when a stored credential cannot be read.
    pub fn members(&self) -> Result<Vec<Member>, GroupError> {
        Ok(self.roster()?.members)
    }

    /// The mark of the leaf that a device has now, if it has one.
    ///
    /// # Errors
    /// [`GroupError::Store`] when a stored credential cannot be read.
    pub fn leaf_mark(
        &self,
        identity: &Fingerprint,
        device: &DeviceId,
    ) -> Result<Option<LeafMark>, GroupError> {
        for member in self.mls.members() {
            let credential = members::stored_credential(&member.credential)?;
            if credential.identity() == *identity && credential.device() == *device {
                return Ok(Some(LeafMark::of(&member.encryption_key)));
            }
        }
        Ok(None)
    }

    /// This device's leaf.
    pub fn own_leaf(&self) -> LeafIndex {
        self.mls.own_leaf_index().into()
    }

    /// Whether this device is still a member.
    pub fn membership(&self) -> Membership {
        if self.mls.is_active() { Membership::Member } else { Membership::Removed }
    }

    /// Equal for members in the same epoch with the same view; to be compared out of band
    /// (RFC 9420 section 8.7).
    pub fn epoch_authenticator(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.mls.epoch_authenticator().as_slice().to_vec())
    }

    /// What the joiners of the commit that led here need beside their secrets; made after it was
    /// confirmed, from its [`PendingCommit::group_info`] (spec: GRP-072).
    ///
    /// # Errors
    /// [`GroupError::Mls`].
    pub fn snapshot(&self, group_info: Vec<u8>) -> Result<GroupSnapshot, GroupError> {
        let tree = self.mls.export_ratchet_tree().tls_serialize_detached();
        Ok(GroupSnapshot { group_info, tree: tree.map_err(|_| GroupError::Mls)? })
    }

    fn roster(&self) -> Result<Roster, GroupError> {
        Roster::read(&self.mls, &self.state)
    }

    fn check_member(&self) -> Result<(), GroupError> {
        match self.membership() {
            Membership::Member => Ok(()),
            Membership::Removed => Err(GroupError::NotAMember),
        }
    }

    fn check_own(&self, device: &DeviceKey) -> Result<(), GroupError> {
        self.check_member()?;
        let leaf = self.mls.own_leaf_node().ok_or(GroupError::NotAMember)?;
        let own = leaf.signature_key().as_slice() == device.public().as_bytes();
        if own { Ok(()) } else { Err(GroupError::WrongDevice) }
    }
}

/// Whether a device is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is.
    Member,
    /// It was removed or has left; what is stored can only be deleted.
    Removed,
}

fn mls_group_id(channel: &ChannelId) -> GroupId {
    GroupId::from_slice(channel.as_bytes())
}

/// The keys of the current epoch, once.
fn export_current(mls: &mut MlsGroup, provider: &Provider<'_>) -> Result<EpochKeys, GroupError> {
    let mut export = |component| {
        mls.safe_export_secret(provider.0.crypto(), provider.0.storage(), component)
            .map(Zeroizing::new)
            .map_err(|_| GroupError::AlreadyExported)
    };
    let epoch = export(EPOCH_KEY_COMPONENT)?;
    let envelope = export(ENVELOPE_KEY_COMPONENT)?;
    Ok(EpochKeys::derive(&epoch, &envelope))
}

#[cfg(test)]
mod tests;
