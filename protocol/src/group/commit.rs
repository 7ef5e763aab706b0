//! Our own commits: begun, sent, then confirmed or abandoned.

use hushwire_wire::id::{ChannelId, EntryId, EpochId};
use hushwire_wire::transcript::{CommitMark, Cut, Operation};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    LeafNodeParameters, MlsMessageOut, OpenMlsProvider as _, ProcessedMessageContent, Proposal,
    ProposalOrRefType, QueuedProposal, Sender, StagedCommit,
};

use super::Group;
use super::binding::{Binding, LogPlace};
use super::error::{GroupError, OpenError, Rejection};
use super::key_package::{VerifiedKeyPackage, credential_with_key, rejoined_channel, verify_added};
use super::members::{LeafIndex, LeafSelector, Member, Roster, Selected};
use super::profile::{agreed_state_of, context_extensions, state_after};
use super::receive::LeaveProposal;
use super::report::Report;
use super::rights::{Change, identities_after, judge, prune_roles};
use super::role::{Allowed, Right};
use super::state::GroupState;
use super::welcome::{JoinerWelcome, Parts, split};
use crate::envelope::{EnvelopeContent, EnvelopeKind, Place, seal};
use crate::epoch::{ENVELOPE_KEY_COMPONENT, EPOCH_KEY_COMPONENT, EpochKeys};
use crate::identity::{DeviceCredential, DeviceKey};
use crate::provider::{LeafSigner, Provider};

/// What a commit is to do. Every commit renews the committer's leaf; an empty intent does only
/// that.
#[derive(Clone, Debug, Default)]
pub struct CommitIntent {
    /// Devices to add.
    pub add: Vec<VerifiedKeyPackage>,
    /// Devices to remove.
    pub remove: Vec<LeafSelector>,
    /// Proposals of members who leave.
    pub leave: Vec<LeaveProposal>,
    /// The state to set; roles of identities that go are taken out.
    pub set_state: Option<GroupState>,
    /// A new credential for the own leaf, of the same device.
    pub credential: Option<DeviceCredential>,
    /// Whether a commit that removes nobody is cut as well, as cover.
    pub cover: Cover,
}

/// Whether a commit is cut although it need not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cover {
    /// Cut only when somebody goes.
    #[default]
    WhenNeeded,
    /// Cut in any case.
    Always,
}

/// What the author of a commit had read of the epoch when it made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitBasis {
    /// How far it had read; every member compares it with its own log.
    pub read: LogPlace,
    /// Every earlier candidate, in relay order; empty for a first candidate.
    pub contested: Vec<EntryId>,
    /// Why the last of them is not valid.
    pub report: Option<Report>,
}

impl CommitBasis {
    /// The basis of a first candidate.
    pub const fn first(read: LogPlace) -> Self {
        Self { read, contested: Vec::new(), report: None }
    }
}

/// A commit of our own that is not confirmed yet. Store it with the outbox row: the keys are
/// exported once.
#[derive(Debug)]
pub struct PendingCommit {
    /// The sealed entry.
    pub envelope: Vec<u8>,
    /// What stands beside it in the open.
    pub mark: CommitMark,
    /// One for each joiner; sent after the commit was confirmed.
    pub welcomes: Vec<JoinerWelcome>,
    /// The encrypted GroupInfo that all joiners need, for [`Group::snapshot`]; empty if there are
    /// none.
    pub group_info: Vec<u8>,
    /// The keys of the epoch that the commit opens.
    pub next_keys: EpochKeys,
}

impl Group {
    /// Makes a commit for the epoch and keeps it pending. `keys` are those of the epoch.
    ///
    /// # Errors
    /// [`GroupError`]; [`GroupError::WouldBeRejected`] when the members would refuse it.
    pub fn begin_commit(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        epoch: &EpochId,
        keys: &EpochKeys,
        intent: CommitIntent,
        basis: CommitBasis,
    ) -> Result<PendingCommit, GroupError> {
        self.make_commit(provider, device, epoch, keys, intent, basis, Scrutiny::AsMembers)
    }

    #[expect(clippy::too_many_arguments, reason = "those of a commit, and how it is looked at")]
    pub(crate) fn make_commit(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        epoch: &EpochId,
        keys: &EpochKeys,
        intent: CommitIntent,
        basis: CommitBasis,
        scrutiny: Scrutiny,
    ) -> Result<PendingCommit, GroupError> {
        self.check_own(device)?;
        if self.mls.pending_commit().is_some() {
            return Err(GroupError::CommitPending);
        }
        let plan = Plan::new(self, intent)?;
        if plan.wanted.rules > provider.supported() {
            return Err(GroupError::WouldBeRejected(Rejection::BadGroupState));
        }
        let leavers = self.queue_leaves(provider, epoch, &plan.leave)?;
        let state = plan.state_after(&leavers);
        let gone = !plan.remove.is_empty() || !leavers.is_empty();
        let needed = if gone || plan.cover == Cover::Always { Cut::Cut } else { Cut::Through };
        let cut = match scrutiny {
            Scrutiny::AsMembers => needed,
            #[cfg(feature = "insider")]
            Scrutiny::Nobody(cut) => cut,
        };
        let CommitBasis { read, contested, report } = basis;
        let binding = Binding::Commit { read, cut, contested: contested.clone() };
        self.mls.set_aad(binding.to_bytes(&self.channel, epoch));
        let proposals = plan.leave.iter().map(LeaveProposal::message).collect();
        let built = self.build_commit(provider, device, &plan, &state)?;
        let report =
            report.map(|report| report.sign(&self.channel, epoch, self.own_leaf(), device));
        if scrutiny == Scrutiny::AsMembers {
            self.judge_pending(&plan.roster, cut)?;
        }
        let next_keys = self.export_pending(provider)?;
        let mark = CommitMark { next_key: next_keys.public_key(), cut, contested };
        let operation = Operation::Commit(mark.clone());
        let place = Place { channel: &self.channel, epoch, operation: &operation };
        let content = EnvelopeContent {
            kind: EnvelopeKind::Commit,
            message: built.commit,
            proposals,
            report: report.unwrap_or_default(),
        };
        let envelope = seal(&keys.envelope, provider.draw(), place, &content)?;
        let Parts { joiners: welcomes, group_info } = built.welcome;
        Ok(PendingCommit { envelope, mark, welcomes, group_info, next_keys })
    }

    /// Whether every member would take a commit with this intent, as far as rights and the state
    /// decide. Nothing is made: a person who has not the right is told so before anything is stored.
    ///
    /// # Errors
    /// [`GroupError::WouldBeRejected`], [`GroupError::UnknownMember`],
    /// [`GroupError::CannotRemoveOwnLeaf`], [`GroupError::NotAMember`], [`GroupError::Store`].
    pub fn check_intent(&self, intent: CommitIntent) -> Result<(), GroupError> {
        self.check_member()?;
        let plan = Plan::new(self, intent)?;
        let state = plan.state_after(&[]);
        let state = GroupState::from_bytes_after(&state.to_bytes(), &self.state)
            .map_err(|_| GroupError::WouldBeRejected(Rejection::BadGroupState))?;
        let packages = plan.add.iter();
        let asking = packages
            .clone()
            .filter(|package| rejoined_channel(&package.package) == Some(self.channel));
        let credential = |package: &VerifiedKeyPackage| package.credential().clone();
        let change = Change {
            committer: self.own_leaf(),
            added: packages.map(credential).collect(),
            asked: asking.map(credential).collect(),
            removed: plan.remove,
            left: Vec::new(),
            state,
            cut: Cut::Cut,
        };
        judge(&plan.roster, &change).map_err(GroupError::WouldBeRejected)
    }

    /// Merges the pending commit: the relay stored it as the first valid candidate.
    ///
    /// # Errors
    /// [`GroupError::NoCommitPending`], [`GroupError::Store`].
    pub fn confirm_commit(&mut self, provider: &Provider<'_>) -> Result<(), GroupError> {
        if self.mls.pending_commit().is_none() {
            return Err(GroupError::NoCommitPending);
        }
        self.mls.merge_pending_commit(&provider.0).map_err(|_| GroupError::Mls)?;
        self.state = agreed_state_of(self.mls.extensions()).map_err(|_| GroupError::Mls)?;
        Ok(())
    }

    /// Forgets the pending commit: another candidate won.
    ///
    /// # Errors
    /// [`GroupError::Store`].
    pub fn abandon_commit(&mut self, provider: &Provider<'_>) -> Result<(), GroupError> {
        self.mls.clear_pending_commit(provider.0.storage())?;
        self.mls.clear_pending_proposals(provider.0.storage())?;
        Ok(())
    }

    /// What openmls is to refer to: the proposals of those who leave.
    fn queue_leaves(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        leaves: &[LeaveProposal],
    ) -> Result<Vec<LeafIndex>, GroupError> {
        self.mls.clear_pending_proposals(provider.0.storage())?;
        let mut leavers = Vec::new();
        for leave in leaves {
            let leaver =
                self.queue_leave(provider, epoch, &leave.message()).map_err(
                    |error| match error {
                        OpenError::Rejected(rejection) => GroupError::WouldBeRejected(rejection),
                        OpenError::Failed(error) => error,
                        // A leave has no state of a group.
                        OpenError::NewerRules(_) => {
                            GroupError::WouldBeRejected(Rejection::BadGroupState)
                        }
                    },
                )?;
            leavers.push(leaver);
        }
        Ok(leavers)
    }

    /// Takes a SelfRemove into the proposal store, for a commit that refers to it.
    pub(crate) fn queue_leave(
        &mut self,
        provider: &Provider<'_>,
        epoch: &EpochId,
        message: &[u8],
    ) -> Result<LeafIndex, OpenError> {
        let (leaver, content) = self.process_leave(provider, epoch, message)?;
        let ProcessedMessageContent::ProposalMessage(proposal) = content else {
            return Err(Rejection::WrongKind.into());
        };
        self.mls.store_pending_proposal(provider.0.storage(), *proposal)?;
        Ok(leaver)
    }

    fn build_commit(
        &mut self,
        provider: &Provider<'_>,
        device: &DeviceKey,
        plan: &Plan,
        state: &GroupState,
    ) -> Result<Built, GroupError> {
        let mut parameters = LeafNodeParameters::builder();
        if let Some(credential) = &plan.credential {
            parameters =
                parameters.with_credential_with_key(credential_with_key(device, credential)?);
        }
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(true)
            .force_self_update(true)
            .leaf_node_parameters(parameters.build())
            .propose_adds(plan.add.iter().map(|package| package.package.clone()))
            .propose_removals(plan.remove.iter().map(|leaf| leaf.to_mls()));
        if *state != plan.roster.state {
            builder = builder
                .propose_group_context_extensions(context_extensions(state)?)
                .map_err(|_| GroupError::Mls)?;
        }
        let mls = &provider.0;
        let (commit, welcome, _) = builder
            .load_psks(mls.storage())
            .map_err(|_| GroupError::Mls)?
            .build(mls.rand(), mls.crypto(), &LeafSigner(device), |_| true)
            .map_err(|_| GroupError::WouldBeRejected(Rejection::InvalidCommit))?
            .stage_commit(mls)
            .map_err(|_| GroupError::Mls)?
            .into_messages();
        let encode =
            |message: &MlsMessageOut| message.tls_serialize_detached().map_err(|_| GroupError::Mls);
        let welcome = match &welcome {
            Some(welcome) => split(&encode(welcome)?).map_err(|_| GroupError::Mls)?,
            None => Parts { joiners: Vec::new(), group_info: Vec::new() },
        };
        Ok(Built { commit: encode(&commit)?, welcome })
    }

    /// Judges our own commit as every member will.
    fn judge_pending(&self, roster: &Roster, cut: Cut) -> Result<(), GroupError> {
        let staged = self.mls.pending_commit().ok_or(GroupError::Mls)?;
        let change = read_change(staged, &self.channel, &self.state, self.own_leaf(), cut);
        change.and_then(|change| judge(roster, &change)).map_err(GroupError::WouldBeRejected)
    }

    fn export_pending(&mut self, provider: &Provider<'_>) -> Result<EpochKeys, GroupError> {
        let mut export = |component| {
            self.mls
                .safe_export_secret_from_pending(
                    provider.0.crypto(),
                    provider.0.storage(),
                    component,
                )
                .map(zeroize::Zeroizing::new)
                .map_err(|_| GroupError::AlreadyExported)
        };
        let epoch = export(EPOCH_KEY_COMPONENT)?;
        let envelope = export(ENVELOPE_KEY_COMPONENT)?;
        Ok(EpochKeys::derive(&epoch, &envelope))
    }
}

/// Who looks at a commit of our own before it leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrutiny {
    /// It is judged as every member will judge it.
    AsMembers,
    /// Nobody; it is marked as its author likes.
    #[cfg(feature = "insider")]
    Nobody(Cut),
}

struct Built {
    commit: Vec<u8>,
    welcome: Parts,
}

/// An intent, resolved against the members.
struct Plan {
    roster: Roster,
    add: Vec<VerifiedKeyPackage>,
    remove: Vec<LeafIndex>,
    leave: Vec<LeaveProposal>,
    wanted: GroupState,
    credential: Option<DeviceCredential>,
    cover: Cover,
}

impl Plan {
    fn new(group: &Group, intent: CommitIntent) -> Result<Self, GroupError> {
        let roster = group.roster()?;
        let mut remove = Vec::new();
        for selector in &intent.remove {
            let selected = roster
                .members
                .iter()
                .filter(|member| selector.selects(&member.credential) == Selected::Yes);
            let before = remove.len();
            remove.extend(selected.map(|member| member.leaf));
            if remove.len() == before {
                return Err(GroupError::UnknownMember);
            }
        }
        remove.sort_unstable();
        remove.dedup();
        if remove.contains(&group.own_leaf()) {
            return Err(GroupError::CannotRemoveOwnLeaf);
        }
        let CommitIntent { add, leave, set_state, credential, cover, .. } = intent;
        let mut wanted = set_state.unwrap_or_else(|| roster.state.clone());
        let me = roster.at(group.own_leaf()).map(Member::identity);
        let describes = me.is_some_and(|me| wanted.allows(&me, Right::Describe) == Allowed::Yes);
        if describes && !add.is_empty() {
            // Who joins would refuse them (spec: CLI-135).
            wanted.leave_out_refused();
        }
        Ok(Self { roster, add, remove, leave, wanted, credential, cover })
    }

    fn state_after(&self, leavers: &[LeafIndex]) -> GroupState {
        let gone: Vec<_> = self.remove.iter().chain(leavers).copied().collect();
        let added: Vec<_> = self.add.iter().map(|package| package.credential().clone()).collect();
        let mut state = self.wanted.clone();
        prune_roles(&mut state, &identities_after(&self.roster, &gone, &added));
        state
    }
}

/// What a staged commit does, if it does nothing else (spec: GRP-035). Looked at proposal by proposal,
/// in the order of the commit, each for its kind and then for its leaf; then at the state.
pub(crate) fn read_change(
    staged: &StagedCommit,
    channel: &ChannelId,
    before: &GroupState,
    committer: LeafIndex,
    cut: Cut,
) -> Result<Change, Rejection> {
    let (added, asked, removed, left) = (vec![], vec![], vec![], vec![]);
    let mut change = Change { committer, added, asked, removed, left, state: before.clone(), cut };
    for queued in staged.queued_proposals() {
        read_proposal(queued, channel, &mut change)?;
    }
    change.state = state_after(staged.group_context().extensions(), before)?;
    Ok(change)
}

fn read_proposal(
    queued: &QueuedProposal,
    channel: &ChannelId,
    change: &mut Change,
) -> Result<(), Rejection> {
    let Sender::Member(sender) = queued.sender() else {
        return Err(Rejection::UnknownSender);
    };
    let by_reference = queued.proposal_or_ref_type() == ProposalOrRefType::Reference;
    match queued.proposal() {
        Proposal::SelfRemove if by_reference => change.left.push((*sender).into()),
        _ if by_reference => return Err(Rejection::UnknownProposal),
        Proposal::Add(add) => {
            let added = verify_added(add.key_package())?;
            if rejoined_channel(add.key_package()) == Some(*channel) {
                change.asked.push(added.clone());
            }
            change.added.push(added);
        }
        Proposal::Remove(remove) => change.removed.push(remove.removed().into()),
        Proposal::GroupContextExtensions(_) => {}
        _ => return Err(Rejection::UnknownProposal),
    }
    Ok(())
}
