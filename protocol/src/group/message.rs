//! Messages of our own: sealed in the current epoch.

use hushwire_wire::id::EpochId;
use hushwire_wire::transcript::Operation;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroupJoinConfig, OpenMlsProvider as _,
};

use super::Group;
use super::binding::{Binding, LogPlace};
use super::error::GroupError;
use super::profile::join_config;
use crate::envelope::{EnvelopeContent, EnvelopeKind, Place, seal};
use crate::epoch::EpochKeys;
use crate::identity::DeviceKey;
use crate::provider::{LeafSigner, Provider};

/// A message entry, ready to be stored and then sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMessage {
    /// The sealed entry; its operation is `Operation::Message`.
    pub envelope: Vec<u8>,
}

impl Group {
    /// Seals a message in the current epoch. The ratchet that moved is in the store when this
    /// returns: commit the transaction before the envelope leaves, together with its outbox row.
    ///
    /// # Errors
    /// [`GroupError`].
    pub fn seal_message(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        epoch: &EpochId,
        keys: &EpochKeys,
        content: &[u8],
        binding: LogPlace,
    ) -> Result<SealedMessage, GroupError> {
        self.check_own(device)?;
        // Those of a commit that waits: that holds them itself, and openmls seals no message while they
        // are queued.
        self.mls.clear_pending_proposals(provider.0.storage())?;
        self.mls.set_aad(Binding::Message(binding).to_bytes(&self.channel, epoch));
        let message = self
            .mls
            .create_message(&provider.0, &LeafSigner(device), content)
            .map_err(|_| GroupError::Mls)?
            .tls_serialize_detached()
            .map_err(|_| GroupError::Mls)?;
        self.seal_plain(provider, epoch, keys, EnvelopeKind::Message, message)
    }

    /// Seals the wish to leave: a SelfRemove proposal for the next commit of another member. Good
    /// in this epoch only; repeat it in the next one while still a member.
    ///
    /// # Errors
    /// [`GroupError`]; [`GroupError::CommitPending`] while a commit of our own is pending.
    pub fn seal_leave(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        epoch: &EpochId,
        keys: &EpochKeys,
    ) -> Result<SealedMessage, GroupError> {
        self.check_own(device)?;
        if self.mls.pending_commit().is_some() {
            return Err(GroupError::CommitPending);
        }
        let storage = provider.0.storage();
        self.mls.set_aad(Binding::Leave.to_bytes(&self.channel, epoch));
        // openmls makes a SelfRemove as PublicMessage only, and only under this policy.
        self.mls.set_configuration(storage, &plaintext_config())?;
        let proposal = self.mls.leave_group_via_self_remove(&provider.0, &LeafSigner(device));
        self.mls.set_configuration(storage, &join_config())?;
        self.mls.clear_pending_proposals(storage)?;
        let message = proposal
            .map_err(|_| GroupError::Mls)?
            .tls_serialize_detached()
            .map_err(|_| GroupError::Mls)?;
        self.seal_plain(provider, epoch, keys, EnvelopeKind::Leave, message)
    }

    fn seal_plain(
        &self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        keys: &EpochKeys,
        kind: EnvelopeKind,
        message: Vec<u8>,
    ) -> Result<SealedMessage, GroupError> {
        let operation = Operation::Message;
        let place = Place { channel: &self.channel, epoch, operation: &operation };
        let content = EnvelopeContent::plain(kind, message);
        let envelope = seal(&keys.envelope, provider.draw(), place, &content)?;
        Ok(SealedMessage { envelope })
    }
}

fn plaintext_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder().wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY).build()
}
