//! openmls' storage trait over [`MlsStore`].

use openmls::group::GroupId as MlsGroupId;
use openmls_traits::storage::{CURRENT_VERSION, Entity as Value, StorageProvider, traits};
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::codec::{Entity, decode, encode, global_key, group_prefix};
use super::{MlsStore, MlsStoreError};

/// The state of MLS in the caller's store.
pub(crate) struct Storage<'store>(&'store dyn MlsStore);

type Result<T> = core::result::Result<T, MlsStoreError>;

impl<'store> Storage<'store> {
    pub(crate) const fn new(store: &'store dyn MlsStore) -> Self {
        Self(store)
    }

    fn put<V: Serialize + ?Sized>(&self, key: &[u8], value: &V) -> Result<()> {
        self.0.write(key, encode(value)?)
    }

    fn take<V: Value<CURRENT_VERSION>>(&self, key: &[u8]) -> Result<Option<V>> {
        self.0.read(key)?.map(|bytes| decode(&bytes)).transpose()
    }

    /// A list of encoded values; empty when nothing is stored.
    fn list(&self, key: &[u8]) -> Result<Vec<ByteBuf>> {
        self.0.read(key)?.map_or_else(|| Ok(Vec::new()), |bytes| decode(&bytes))
    }

    fn proposal_refs<R: Value<CURRENT_VERSION>>(&self, group: &impl Serialize) -> Result<Vec<R>> {
        let refs = self.list(&group_key(group, Entity::ProposalRefs)?)?;
        refs.iter().map(|bytes| decode(bytes)).collect()
    }
}

/// The bytes of a group id, out of its serde form: openmls hands over an opaque key.
fn group_key(group: &impl Serialize, entity: Entity) -> Result<Vec<u8>> {
    let group: MlsGroupId = decode(&encode(group)?)?;
    let mut key = group_prefix(group.as_slice());
    key.push(entity as u8);
    Ok(key)
}

fn proposal_key(group: &impl Serialize, reference: &[u8]) -> Result<Vec<u8>> {
    let mut key = group_key(group, Entity::Proposal)?;
    key.extend_from_slice(reference);
    Ok(key)
}

fn epoch_key(group: &impl Serialize, epoch: &impl Serialize, leaf: u32) -> Result<Vec<u8>> {
    let mut key = group_key(group, Entity::EpochKeyPairs)?;
    key.extend_from_slice(&leaf.to_be_bytes());
    key.extend_from_slice(&encode(epoch)?);
    Ok(key)
}

macro_rules! group_values {
    ($($entity:ident: $kind:ident, $write:ident, $read:ident, $delete:ident;)+) => { $(
        fn $write<G: traits::GroupId<CURRENT_VERSION>, V: traits::$kind<CURRENT_VERSION>>(
            &self,
            group: &G,
            value: &V,
        ) -> Result<()> {
            self.put(&group_key(group, Entity::$entity)?, value)
        }

        fn $read<G: traits::GroupId<CURRENT_VERSION>, V: traits::$kind<CURRENT_VERSION>>(
            &self,
            group: &G,
        ) -> Result<Option<V>> {
            self.take(&group_key(group, Entity::$entity)?)
        }

        fn $delete<G: traits::GroupId<CURRENT_VERSION>>(&self, group: &G) -> Result<()> {
            self.0.delete(&group_key(group, Entity::$entity)?)
        }
    )+ };
}

macro_rules! named_values {
    ($($entity:ident: $name:ident => $kind:ident, $write:ident, $delete:ident;)+) => { $(
        fn $write<K: traits::$name<CURRENT_VERSION>, V: traits::$kind<CURRENT_VERSION>>(
            &self,
            name: &K,
            value: &V,
        ) -> Result<()> {
            self.put(&global_key(Entity::$entity, name)?, value)
        }

        fn $delete<K: traits::$name<CURRENT_VERSION>>(&self, name: &K) -> Result<()> {
            self.0.delete(&global_key(Entity::$entity, name)?)
        }
    )+ };
}

/// openmls' list of resumption secrets, as it is with room for none.
#[derive(Default, Serialize)]
struct NoResumptionSecrets {
    max_number_of_secrets: usize,
    resumption_psk: [(); 0],
    cursor: usize,
}

impl StorageProvider<CURRENT_VERSION> for Storage<'_> {
    type Error = MlsStoreError;

    group_values! {
        JoinConfig: MlsGroupJoinConfig, write_mls_join_config, mls_group_join_config, delete_group_config;
        Tree: TreeSync, write_tree, tree, delete_tree;
        InterimTranscriptHash: InterimTranscriptHash, write_interim_transcript_hash,
            interim_transcript_hash, delete_interim_transcript_hash;
        GroupContext: GroupContext, write_context, group_context, delete_context;
        ConfirmationTag: ConfirmationTag, write_confirmation_tag, confirmation_tag,
            delete_confirmation_tag;
        MessageSecrets: MessageSecrets, write_message_secrets, message_secrets,
            delete_message_secrets;
        OwnLeafIndex: LeafNodeIndex, write_own_leaf_index, own_leaf_index, delete_own_leaf_index;
        EpochSecrets: GroupEpochSecrets, write_group_epoch_secrets, group_epoch_secrets,
            delete_group_epoch_secrets;
    }

    named_values! {
        SignatureKeyPair: SignaturePublicKey => SignatureKeyPair, write_signature_key_pair,
            delete_signature_key_pair;
        EncryptionKeyPair: EncryptionKey => HpkeKeyPair, write_encryption_key_pair,
            delete_encryption_key_pair;
        KeyPackage: HashReference => KeyPackage, write_key_package, delete_key_package;
        Psk: PskId => PskBundle, write_psk, delete_psk;
    }

    /// Writes an empty list. openmls keeps the secrets of 32 epochs for who has created a group, whatever
    /// number it is told; here none is used, so none is kept (spec: CLI-175).
    fn write_resumption_psk_store<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::ResumptionPskStore<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        _: &V,
    ) -> Result<()> {
        self.put(&group_key(group, Entity::ResumptionSecrets)?, &NoResumptionSecrets::default())
    }

    fn resumption_psk_store<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::ResumptionPskStore<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Option<V>> {
        self.take(&group_key(group, Entity::ResumptionSecrets)?)
    }

    fn delete_all_resumption_psk_secrets<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<()> {
        self.0.delete(&group_key(group, Entity::ResumptionSecrets)?)
    }

    fn write_group_state<
        V: traits::GroupState<CURRENT_VERSION>,
        G: traits::GroupId<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        value: &V,
    ) -> Result<()> {
        self.put(&group_key(group, Entity::GroupState)?, value)
    }

    fn group_state<V: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Option<V>> {
        self.take(&group_key(group, Entity::GroupState)?)
    }

    fn delete_group_state<G: traits::GroupId<CURRENT_VERSION>>(&self, group: &G) -> Result<()> {
        self.0.delete(&group_key(group, Entity::GroupState)?)
    }

    fn write_application_export_tree<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::ApplicationExportTree<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        value: &V,
    ) -> Result<()> {
        self.put(&group_key(group, Entity::ExportTree)?, value)
    }

    fn application_export_tree<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::ApplicationExportTree<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Option<V>> {
        self.take(&group_key(group, Entity::ExportTree)?)
    }

    fn delete_application_export_tree<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::ApplicationExportTree<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<()> {
        self.0.delete(&group_key(group, Entity::ExportTree)?)
    }

    fn append_own_leaf_node<
        G: traits::GroupId<CURRENT_VERSION>,
        V: traits::LeafNode<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        leaf_node: &V,
    ) -> Result<()> {
        let key = group_key(group, Entity::OwnLeafNodes)?;
        let mut nodes = self.list(&key)?;
        nodes.push(ByteBuf::from(encode(leaf_node)?.to_vec()));
        self.put(&key, &nodes)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, V: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        group: &G,
    ) -> Result<Vec<V>> {
        let nodes = self.list(&group_key(group, Entity::OwnLeafNodes)?)?;
        nodes.iter().map(|bytes| decode(bytes)).collect()
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>>(&self, group: &G) -> Result<()> {
        self.0.delete(&group_key(group, Entity::OwnLeafNodes)?)
    }

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &V,
    ) -> Result<()> {
        let key = group_key(group, Entity::ProposalRefs)?;
        let reference = encode(reference)?;
        let mut refs = self.list(&key)?;
        if !refs.iter().any(|known| known.as_ref() == reference.as_slice()) {
            refs.push(ByteBuf::from(reference.to_vec()));
            self.put(&key, &refs)?;
        }
        self.put(&proposal_key(group, &reference)?, proposal)
    }

    fn queued_proposal_refs<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<R>> {
        self.proposal_refs(group)
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        V: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<(R, V)>> {
        let refs: Vec<R> = self.proposal_refs(group)?;
        refs.into_iter()
            .map(|reference| {
                let key = proposal_key(group, &encode(&reference)?)?;
                let proposal = self.take(&key)?.ok_or(MlsStoreError::Malformed)?;
                Ok((reference, proposal))
            })
            .collect()
    }

    fn remove_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<()> {
        let key = group_key(group, Entity::ProposalRefs)?;
        let reference = encode(reference)?;
        let mut refs = self.list(&key)?;
        refs.retain(|known| known.as_ref() != reference.as_slice());
        self.put(&key, &refs)?;
        self.0.delete(&proposal_key(group, &reference)?)
    }

    fn clear_proposal_queue<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<()> {
        let key = group_key(group, Entity::ProposalRefs)?;
        for reference in self.list(&key)? {
            self.0.delete(&proposal_key(group, &reference)?)?;
        }
        self.0.delete(&key)
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
        key_pairs: &[V],
    ) -> Result<()> {
        self.put(&epoch_key(group, epoch, leaf_index)?, key_pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<V>> {
        let bytes = self.0.read(&epoch_key(group, epoch, leaf_index)?)?;
        bytes.map_or_else(|| Ok(Vec::new()), |bytes| decode(&bytes))
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<()> {
        self.0.delete(&epoch_key(group, epoch, leaf_index)?)
    }

    fn signature_key_pair<
        K: traits::SignaturePublicKey<CURRENT_VERSION>,
        V: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        name: &K,
    ) -> Result<Option<V>> {
        self.take(&global_key(Entity::SignatureKeyPair, name)?)
    }

    fn encryption_key_pair<
        V: traits::HpkeKeyPair<CURRENT_VERSION>,
        K: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        name: &K,
    ) -> Result<Option<V>> {
        self.take(&global_key(Entity::EncryptionKeyPair, name)?)
    }

    fn key_package<
        K: traits::HashReference<CURRENT_VERSION>,
        V: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        name: &K,
    ) -> Result<Option<V>> {
        self.take(&global_key(Entity::KeyPackage, name)?)
    }

    fn psk<V: traits::PskBundle<CURRENT_VERSION>, K: traits::PskId<CURRENT_VERSION>>(
        &self,
        name: &K,
    ) -> Result<Option<V>> {
        self.take(&global_key(Entity::Psk, name)?)
    }
}
