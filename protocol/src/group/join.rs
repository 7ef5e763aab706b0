//! Joining by a Welcome: everything in the group is verified before the group exists.

use hushwire_wire::id::ChannelId;
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    LeafNode, MlsMessageBodyIn, MlsMessageIn, ProcessedWelcome, RatchetTreeIn, StagedWelcome,
    Welcome, WelcomeError,
};
use openmls::treesync::LeafNodeSource;

use super::error::{GroupError, OpenError, Rejection};
use super::key_package::{KeyPackageReference, verify_added_leaf, verify_leaf};
use super::members::{LeafIndex, Member};
use super::profile::{join_config, newer_rules, state_of};
use super::rights::check_joined;
use super::welcome::{GroupSnapshot, assemble, joiner_of};
use super::{Group, export_current};
use crate::epoch::EpochKeys;
use crate::identity::DeviceKey;
use crate::provider::{Provider, Suite};
use crate::storage::MlsStoreError;

/// A group just joined.
#[derive(Debug)]
pub struct Joined {
    /// The group.
    pub group: Group,
    /// The keys of the epoch that the Welcome leads to; store them, they are exported once. That
    /// the relay lets their holder open the named epoch proves that the epoch id is right.
    pub keys: EpochKeys,
    /// Who added this device.
    pub inviter: Member,
    /// The KeyPackage of this device that was used.
    pub package: KeyPackageReference,
}

/// What a joiner has in its hands: its own secrets, and the snapshot that is the same for all.
#[derive(Clone, Copy, Debug)]
pub struct Welcomed<'a> {
    /// The group's suite.
    pub suite: Suite,
    /// This device's `EncryptedGroupSecrets`.
    pub secrets: &'a [u8],
    /// The group as the commit left it.
    pub snapshot: &'a GroupSnapshot,
}

impl Group {
    /// Joins the group of `channel` by this device's secrets and the group's snapshot; in place of
    /// an older state of the same group, if there is one (spec: GRP-071).
    ///
    /// # Errors
    /// [`OpenError`]; discard the transaction, so that the KeyPackage is kept: also for
    /// [`OpenError::NewerRules`], by which the invitation says nothing yet (spec: GRP-104).
    pub fn join(
        provider: &Provider<'_>,
        device: &DeviceKey,
        channel: &ChannelId,
        welcomed: Welcomed<'_>,
    ) -> Result<Joined, OpenError> {
        if let Some(mut old) = Self::load(provider, channel)? {
            old.delete(provider)?;
        }
        let Welcomed { suite, secrets, snapshot } = welcomed;
        let package = joiner_of(secrets).map_err(|_| Rejection::MalformedMessage)?;
        let welcome = parse_welcome(&assemble(suite, secrets, &snapshot.group_info))?;
        let staged = stage(provider, channel, welcome, &snapshot.tree)?;
        let inviter = LeafIndex::from(staged.welcome_sender_index());
        let mls = staged.into_group(&provider.0).map_err(classify)?;
        if let Some(rules) = newer_rules(mls.extensions(), provider.supported()) {
            return Err(OpenError::NewerRules(rules));
        }
        let state = state_of(mls.extensions())?;
        for leaf in mls.export_ratchet_tree().leaves() {
            verify_joined_leaf(leaf)?;
        }
        let mut group = Self { channel: *channel, mls, state };
        group.check_own(device)?;
        let roster = group.roster()?;
        check_joined(&roster)?;
        let inviter = roster.at(inviter).cloned().ok_or(Rejection::UnknownSender)?;
        let keys = export_current(&mut group.mls, provider)?;
        Ok(Joined { group, keys, inviter, package })
    }
}

fn parse_welcome(welcome: &[u8]) -> Result<Welcome, OpenError> {
    let message =
        MlsMessageIn::tls_deserialize_exact(welcome).map_err(|_| Rejection::MalformedMessage)?;
    let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
        return Err(Rejection::WrongWireFormat.into());
    };
    Ok(welcome)
}

fn stage(
    provider: &Provider<'_>,
    channel: &ChannelId,
    welcome: Welcome,
    ratchet_tree: &[u8],
) -> Result<StagedWelcome, OpenError> {
    let tree = RatchetTreeIn::tls_deserialize_exact(ratchet_tree)
        .map_err(|_| Rejection::MalformedMessage)?;
    let processed = ProcessedWelcome::new_from_welcome(&provider.0, &join_config(), welcome)
        .map_err(classify)?;
    let info = processed.unverified_group_info();
    if info.group_id().as_slice() != channel.as_bytes() || info.extensions().iter().next().is_some()
    {
        return Err(Rejection::WrongEpoch.into());
    }
    openmls::group::JoinBuilder::new(&provider.0, processed)
        .with_ratchet_tree(tree)
        .skip_lifetime_validation()
        .build()
        .map_err(classify)
}

/// A leaf that never committed still has its KeyPackage's lifetime.
fn verify_joined_leaf(leaf: &LeafNode) -> Result<(), Rejection> {
    match leaf.leaf_node_source() {
        LeafNodeSource::KeyPackage(_) => verify_added_leaf(leaf)?,
        LeafNodeSource::Update | LeafNodeSource::Commit(_) => verify_leaf(leaf)?,
    };
    Ok(())
}

fn classify(error: WelcomeError<MlsStoreError>) -> OpenError {
    match error {
        WelcomeError::StorageError(error) => error.into(),
        WelcomeError::NoMatchingKeyPackage
        | WelcomeError::NoMatchingEncryptionKey
        | WelcomeError::JoinerSecretNotFound => GroupError::UnknownKeyPackage.into(),
        WelcomeError::UnableToDecrypt | WelcomeError::GroupSecrets(_) => {
            Rejection::UndecryptableMessage.into()
        }
        _ => Rejection::InvalidCommit.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_welcome_is_told_apart_from_what_is_wrong_here() {
        // spec: GRP-030, GRP-071
        let damaged = MlsStoreError::Malformed;
        let cases = [
            (WelcomeError::StorageError(damaged), OpenError::from(damaged)),
            (WelcomeError::NoMatchingKeyPackage, GroupError::UnknownKeyPackage.into()),
            (WelcomeError::NoMatchingEncryptionKey, GroupError::UnknownKeyPackage.into()),
            (WelcomeError::JoinerSecretNotFound, GroupError::UnknownKeyPackage.into()),
            (WelcomeError::UnableToDecrypt, Rejection::UndecryptableMessage.into()),
            (WelcomeError::ConfirmationTagMismatch, Rejection::InvalidCommit.into()),
        ];
        for (error, expected) in cases {
            assert_eq!(classify(error), expected);
        }
    }
}
