//! Entries of others: opened, judged, and only then applied.
//!
//! ```text
//! entry ─▶ envelope ─▶ MLS ─▶ binding ─▶ next key ─▶ leaves ─▶ rights ─▶ StagedCandidate ─▶ apply
//! ```
//!
//! Opening moves ratchets in the store, also when the entry is then rejected. Every candidate is
//! judged from the same stored state (spec: GRP-036): after an error the caller discards its
//! transaction and loads the group again.

use std::collections::{BTreeMap, BTreeSet};

use hushwire_wire::id::{ChainHead, EpochId, Sequence};
use hushwire_wire::transcript::{CommitMark, Operation};
use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{
    LeafNode, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _, ProcessedMessage,
    ProcessedMessageContent, Proposal, ProtocolMessage, Sender, StagedCommit, WireFormat,
};
use openmls::treesync::LeafNodeSource;
use zeroize::Zeroizing;

use super::Group;
use super::binding::{Binding, LogPlace};
use super::commit::read_change;
use super::error::{GroupError, OpenError, Rejection};
use super::fault::classify;
use super::key_package::verify_leaf;
use super::members::{LeafIndex, Member, Roster, stored_credential};
use super::past::PastRoster;
use super::profile::{agreed_state_of, newer_rules, unlimited};
use super::report::{UnverifiedReport, VerifiedReport};
use super::rights::judge;
use super::role::Role;
use super::state::{GroupState, Life};
use super::statement::Note;
use crate::envelope::{EnvelopeContent, EnvelopeKind, Place, open};
use crate::epoch::{ENVELOPE_KEY_COMPONENT, EPOCH_KEY_COMPONENT, EpochKeys};
use crate::identity::DeviceCredential;
use crate::provider::Provider;

/// What an entry turned out to be.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time; a commit is the common large case")]
pub enum Opened {
    /// A message.
    Message(OpenedMessage),
    /// A valid candidate for the next epoch.
    Commit(StagedCandidate),
    /// Somebody wants to leave: put it into the next commit.
    Leave(OpenedLeave),
    /// What a member noted beside the candidates.
    Note(Note),
}

/// A message of a member.
pub struct OpenedMessage {
    /// Who wrote it.
    pub sender: Member,
    /// The content, for [`crate::content`].
    pub content: Zeroizing<Vec<u8>>,
    /// How far the sender had read.
    pub binding: LogPlace,
}

/// Prints no content.
impl core::fmt::Debug for OpenedMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OpenedMessage(..)")
    }
}

/// A member's wish to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedLeave {
    /// Who leaves.
    pub member: Member,
    /// For the commit that does it, in the same epoch.
    pub proposal: LeaveProposal,
}

/// A signed proposal by which a member leaves; good in its own epoch only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveProposal(Vec<u8>);

impl LeaveProposal {
    /// Takes up what was stored.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// A valid commit that is not applied yet.
pub struct StagedCandidate {
    staged: StagedCommit,
    outcome: Outcome,
    /// Who made it.
    pub committer: Member,
    read: LogPlace,
    /// What it contests with.
    pub report: Option<VerifiedReport>,
    added: Vec<DeviceCredential>,
    removed: Vec<Member>,
}

/// Prints the type's name only.
impl core::fmt::Debug for StagedCandidate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StagedCandidate(..)")
    }
}

/// What a commit means for this device.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time; boxing would leave copies of keys")]
pub enum Outcome {
    /// It stays, with the keys of the next epoch: store them, they are exported once.
    Stays(EpochKeys),
    /// It was removed.
    Removed,
    /// It was removed, and added again by the same commit: the Welcome leads back.
    Readmitted,
}

/// What changed when a commit was applied.
#[derive(Debug)]
pub struct Applied {
    /// Who made it.
    pub committer: Member,
    /// The devices that came.
    pub added: Vec<Member>,
    /// The devices that went.
    pub removed: Vec<Member>,
    /// The state before, if it changed.
    pub state_before: Option<GroupState>,
    /// What it means for this device.
    pub outcome: Outcome,
}

impl StagedCandidate {
    /// How far the commit's author had read.
    pub const fn read(&self) -> &LogPlace {
        &self.read
    }

    /// The last step of judging: what the author had read is what stands there in the caller's log
    /// (spec: GRP-053). `place` is the commit's own, `head` the caller's head at
    /// [`LogPlace::read_to`], if it has one there.
    ///
    /// # Errors
    /// [`Rejection::OtherHistory`].
    pub fn judge_history(&self, place: Sequence, head: Option<ChainHead>) -> Result<(), Rejection> {
        if self.read.read_to <= place && head == Some(self.read.head) {
            Ok(())
        } else {
            Err(Rejection::OtherHistory)
        }
    }

    /// Merges the commit into the group and stores it.
    ///
    /// # Errors
    /// [`GroupError::Store`]; discard the transaction.
    pub fn apply(self, group: &mut Group, provider: &Provider<'_>) -> Result<Applied, GroupError> {
        let before = group.state.clone();
        if group.mls.pending_commit().is_some() {
            return Err(GroupError::CommitPending);
        }
        group.mls.merge_staged_commit(&provider.0, self.staged).map_err(|_| GroupError::Mls)?;
        group.state = agreed_state_of(group.mls.extensions()).map_err(|_| GroupError::Mls)?;
        let roster = group.roster()?;
        let added: BTreeSet<Vec<u8>> = self.added.iter().map(DeviceCredential::to_bytes).collect();
        let came = |member: &Member| added.contains(&member.credential.to_bytes());
        Ok(Applied {
            committer: self.committer,
            added: roster.members.into_iter().filter(came).collect(),
            removed: self.removed,
            state_before: (before != group.state).then_some(before),
            outcome: self.outcome,
        })
    }
}

impl Group {
    /// Opens and judges an entry of the current epoch. Entries of our own are recognised by their
    /// entry id, before.
    ///
    /// # Errors
    /// [`OpenError::Rejected`] by the sender's fault, [`OpenError::NewerRules`] by nobody's; after
    /// every error discard the transaction and load the group again.
    pub fn open_entry(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        keys: &EpochKeys,
        operation: &Operation,
        envelope: &[u8],
    ) -> Result<Opened, OpenError> {
        self.check_member()?;
        if *operation == Operation::Note {
            let members = PastRoster::from(&self.roster()?);
            return Ok(Opened::Note(Note::open(keys, &self.channel, epoch, &members, envelope)?));
        }
        if self.state.rules > provider.supported() {
            return Err(OpenError::NewerRules(self.state.rules));
        }
        if self.state.life == Life::Dissolved {
            // spec: GRP-081
            return Err(Rejection::Dissolved.into());
        }
        let place = Place { channel: &self.channel, epoch, operation };
        let content = open(&keys.envelope, place, envelope)?;
        match (content.kind, operation) {
            (EnvelopeKind::Commit, Operation::Commit(mark)) => {
                self.open_commit(provider, epoch, mark, content).map(Opened::Commit)
            }
            _ if !content.proposals.is_empty() || !content.report.is_empty() => {
                Err(Rejection::MalformedEnvelope.into())
            }
            (EnvelopeKind::Message, Operation::Message) => {
                self.open_message(provider, epoch, &content.message).map(Opened::Message)
            }
            (EnvelopeKind::Leave, Operation::Message) => {
                self.open_leave(provider, epoch, content.message).map(Opened::Leave)
            }
            _ => Err(Rejection::WrongKind.into()),
        }
    }

    fn open_message(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        message: &[u8],
    ) -> Result<OpenedMessage, OpenError> {
        let message = protocol_message(message, WireFormat::PrivateMessage)?;
        let processed = self.process(provider, message)?;
        let sender = self.sender(&processed)?;
        let binding = Binding::read(processed.aad(), &self.channel, epoch)?;
        let Binding::Message(binding) = binding else {
            return Err(Rejection::WrongKind.into());
        };
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(content) => {
                let content = Zeroizing::new(content.into_bytes());
                Ok(OpenedMessage { sender, content, binding })
            }
            _ => Err(Rejection::WrongKind.into()),
        }
    }

    fn open_leave(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        message: Vec<u8>,
    ) -> Result<OpenedLeave, OpenError> {
        let (leaf, _) = self.process_leave(provider, epoch, &message)?;
        let member = self.roster()?.at(leaf).cloned().ok_or(Rejection::UnknownSender)?;
        Ok(OpenedLeave { member, proposal: LeaveProposal(message) })
    }

    /// A SelfRemove is the only PublicMessage that is taken (spec: GRP-034).
    pub(crate) fn process_leave(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        message: &[u8],
    ) -> Result<(LeafIndex, ProcessedMessageContent), OpenError> {
        let message = protocol_message(message, WireFormat::PublicMessage)?;
        let processed = self.process(provider, message)?;
        let Sender::Member(leaf) = *processed.sender() else {
            return Err(Rejection::UnknownSender.into());
        };
        if Binding::read(processed.aad(), &self.channel, epoch)? != Binding::Leave {
            return Err(Rejection::WrongKind.into());
        }
        let content = processed.into_content();
        match &content {
            ProcessedMessageContent::ProposalMessage(queued)
                if matches!(queued.proposal(), Proposal::SelfRemove) =>
            {
                Ok((leaf.into(), content))
            }
            _ => Err(Rejection::UnknownProposal.into()),
        }
    }

    fn open_commit(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        mark: &CommitMark,
        content: EnvelopeContent,
    ) -> Result<StagedCandidate, OpenError> {
        let roster = self.roster()?;
        let report = self.read_report(epoch, mark, &content.report, &roster)?;
        self.mls.clear_pending_proposals(provider.0.storage())?;
        for proposal in &content.proposals {
            self.queue_leave(provider, epoch, proposal)?;
        }
        let message = protocol_message(&content.message, WireFormat::PrivateMessage)?;
        let processed = self.process(provider, message)?;
        refuse_lifetimes(processed.content())?;
        let committer = self.sender(&processed)?;
        let binding = Binding::read(processed.aad(), &self.channel, epoch)?;
        let read = match binding {
            Binding::Commit { read, cut, contested }
                if cut == mark.cut && contested == mark.contested =>
            {
                read
            }
            Binding::Commit { .. } => return Err(Rejection::WrongBinding.into()),
            _ => return Err(Rejection::WrongKind.into()),
        };
        let mut staged = match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => *staged,
            ProcessedMessageContent::UnresolvedAppDataCommit(_) => {
                return Err(Rejection::UnknownProposal.into());
            }
            _ => return Err(Rejection::WrongKind.into()),
        };
        let outcome = derive_keys(provider, &mut staged, mark)?;
        verify_path(&staged, &committer)?;
        let after = staged.group_context().extensions();
        if let Some(rules) = newer_rules(after, self.state.rules) {
            judge_raise(&staged, &committer, &content.proposals)?;
            if rules > provider.supported() {
                return Err(match self.state.life {
                    Life::Open => OpenError::NewerRules(rules),
                    Life::Dissolved => Rejection::Dissolved.into(),
                });
            }
        }
        let change = read_change(&staged, &self.channel, &self.state, committer.leaf, mark.cut)?;
        if change.left.len() != content.proposals.len() {
            return Err(Rejection::UnreferencedProposal.into());
        }
        judge(&roster, &change)?;
        let gone = change.removed.iter().chain(&change.left);
        let members: BTreeMap<LeafIndex, &Member> =
            roster.members.iter().map(|member| (member.leaf, member)).collect();
        let removed = gone.filter_map(|leaf| members.get(leaf).copied().cloned()).collect();
        let added = change.added;
        let outcome = match outcome {
            Outcome::Removed if self.adds_own_device(&roster, &added) => Outcome::Readmitted,
            outcome => outcome,
        };
        Ok(StagedCandidate { staged, outcome, committer, read, report, added, removed })
    }

    fn adds_own_device(&self, roster: &Roster, added: &[DeviceCredential]) -> bool {
        roster.at(self.own_leaf()).is_some_and(|own| {
            added.iter().any(|it| it.identity() == own.identity() && it.device() == own.device())
        })
    }

    fn read_report(
        &self,
        epoch: &EpochId,
        mark: &CommitMark,
        bytes: &[u8],
        roster: &Roster,
    ) -> Result<Option<VerifiedReport>, Rejection> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let report = UnverifiedReport::parse(bytes).map_err(|_| Rejection::MalformedReport)?;
        let verified = report.verify(&self.channel, epoch, roster)?;
        if mark.contested.contains(&verified.report.candidate) {
            Ok(Some(verified))
        } else {
            Err(Rejection::UncontestedReport)
        }
    }

    fn process(
        &mut self,
        provider: &Provider<'_>,
        message: ProtocolMessage,
    ) -> Result<ProcessedMessage, OpenError> {
        if message.group_id().as_slice() != self.channel.as_bytes()
            || message.epoch() != self.mls.epoch()
        {
            return Err(Rejection::WrongEpoch.into());
        }
        let processed = self.mls.process_message(&provider.0, message).map_err(classify)?;
        match processed.content() {
            ProcessedMessageContent::OwnPrivateMessage => Err(Rejection::OwnLeaf.into()),
            _ => Ok(processed),
        }
    }

    fn sender(&self, processed: &ProcessedMessage) -> Result<Member, OpenError> {
        let Sender::Member(leaf) = *processed.sender() else {
            return Err(Rejection::UnknownSender.into());
        };
        let member = self.mls.member_at(leaf).ok_or(Rejection::UnknownSender)?;
        let credential = stored_credential(&member.credential)?;
        let role = self.state.role(&credential.identity());
        Ok(Member { leaf: leaf.into(), credential, role })
    }
}

/// Whether a KeyPackage in the commit has a limited lifetime. openmls may have found so by the clock
/// before: here, where it did not, so that what comes after has no say by one clock and another
/// verdict by the next (spec: GRP-023, GRP-150).
fn refuse_lifetimes(content: &ProcessedMessageContent) -> Result<(), Rejection> {
    let ProcessedMessageContent::StagedCommitMessage(staged) = content else { return Ok(()) };
    let limited = |leaf: &LeafNode| {
        matches!(leaf.leaf_node_source(), LeafNodeSource::KeyPackage(lifetime)
            if *lifetime != unlimited())
    };
    let mut added = staged.add_proposals();
    match added.any(|add| limited(add.add_proposal().key_package().leaf_node())) {
        true => Err(Rejection::LifetimeNotUnlimited),
        false => Ok(()),
    }
}

/// The keys that the commit gives, which have to be those it announces (spec: GRP-037). A removed
/// device cannot derive them and does not need to.
fn derive_keys(
    provider: &Provider<'_>,
    staged: &mut StagedCommit,
    mark: &CommitMark,
) -> Result<Outcome, OpenError> {
    if staged.self_removed() {
        return Ok(Outcome::Removed);
    }
    let mut export = |component| {
        staged
            .safe_export_secret(provider.0.crypto(), component)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Failed(GroupError::Mls))
    };
    let epoch = export(EPOCH_KEY_COMPONENT)?;
    let envelope = export(ENVELOPE_KEY_COMPONENT)?;
    let keys = EpochKeys::derive(&epoch, &envelope);
    if keys.public_key() == mark.next_key {
        Ok(Outcome::Stays(keys))
    } else {
        Err(Rejection::NextKeyMismatch.into())
    }
}

/// The committer's new leaf: there is one, of the same device (spec: GRP-025, GRP-038).
fn verify_path(staged: &StagedCommit, committer: &Member) -> Result<(), Rejection> {
    let leaf = staged.update_path_leaf_node().ok_or(Rejection::PathMissing)?;
    let credential = verify_leaf(leaf)?;
    if credential.identity() != committer.identity() || credential.device() != committer.device() {
        return Err(Rejection::IdentityChanged);
    }
    if credential.manager_counter() < committer.credential.manager_counter() {
        return Err(Rejection::StaleManager);
    }
    Ok(())
}

/// What can be said of a commit that raises the rules, whether this program knows them or not: it is
/// an owner's, and the state is all that it changes (spec: GRP-101, GRP-102).
fn judge_raise(
    staged: &StagedCommit,
    committer: &Member,
    leaves: &[Vec<u8>],
) -> Result<(), Rejection> {
    if committer.role != Role::Owner {
        return Err(Rejection::NoRight);
    }
    let mut proposals = staged.queued_proposals();
    let plain = proposals
        .all(|queued| matches!(queued.proposal(), Proposal::GroupContextExtensions(_)))
        && leaves.is_empty();
    if plain { Ok(()) } else { Err(Rejection::BadGroupState) }
}

fn protocol_message(bytes: &[u8], format: WireFormat) -> Result<ProtocolMessage, Rejection> {
    let message =
        MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Rejection::MalformedMessage)?;
    if message.wire_format() != format {
        return Err(Rejection::WrongWireFormat);
    }
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
        _ => Err(Rejection::WrongWireFormat),
    }
}
