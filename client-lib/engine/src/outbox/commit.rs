//! Commits of this device: making one for the current epoch, and knowing it again in the log.

use std::collections::BTreeMap;

use hushwire_protocol::{
    epoch::EpochKeys,
    group::{
        CommitBasis, CommitIntent, Group, GroupError, JoinerWelcome, KeyPackageReference, LogPlace,
        VerifiedKeyPackage,
    },
    identity::Fingerprint,
};
use hushwire_wire::{
    id::{ChainHead, ChannelId, EntryId, PublicKey, Sequence},
    transcript::{CommitMark, Cut, Operation},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{append, forget, fresh, seal, sealed};
use crate::{
    additions, backoff, changing, groups,
    log::{self, epoch_state},
    record::{EpochRecord, Invitee, SealedRecord, SecretBytes, Wish, WishNumber, id},
    store::{StoreError, Table},
    succession,
    wish::{self, Desk, Step},
    work::Work,
};

/// What a sealed commit needs when it comes back in the log.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CommitRecord {
    #[serde(with = "id")]
    pub(crate) next_key: PublicKey,
    pub(crate) cut: bool,
    #[serde(with = "id::list")]
    pub(crate) contested: Vec<EntryId>,
    /// How far its epoch was read when it was made, and to which head; none: a build before made it.
    #[serde(default)]
    pub(crate) read_to: u64,
    #[serde(with = "id::option", default)]
    pub(crate) read_head: Option<ChainHead>,
    /// Keys of the epoch that it opens.
    pub(crate) next_keys: SecretBytes,
    /// What the devices that join need beside their secrets, as far as the commit gives it.
    #[serde(with = "serde_bytes", default)]
    pub(crate) group_info: Vec<u8>,
    /// The devices that join.
    pub(crate) invitees: Vec<Invitee>,
}

impl CommitRecord {
    /// Keys of the epoch that the commit opens.
    pub(crate) fn next_keys(&self) -> Result<EpochKeys, StoreError> {
        let bytes = self.next_keys.array().map(Zeroizing::new);
        Ok(EpochKeys::from_secret_bytes(&*bytes.ok_or(StoreError::Damaged)?))
    }

    pub(super) fn operation(&self) -> Operation {
        let cut = if self.cut { Cut::Cut } else { Cut::Through };
        let contested = self.contested.clone();
        Operation::Commit(CommitMark { next_key: self.next_key, cut, contested })
    }
}

/// Commits what a wish wants, unless it is true already.
pub(crate) fn send_commit(
    work: &mut Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: &Wish,
) -> Result<Step, StoreError> {
    let (Some(view), Some(channel)) = (desk.channel, wish.channel().copied()) else {
        return Ok(Step::Aim);
    };
    let (epoch, keys) = epoch_state(work, &channel, &view.epoch)?;
    let contested = epoch.candidate_ids();
    if let Some(sealed) = fresh(work, number, &channel, view.epoch)? {
        if contests(&sealed, &contested)? {
            return append(work, number, desk, sealed);
        }
        // Others came first, as the log shows: no relay takes it any more (spec: CHN-020).
        forget(work, &sealed);
    }
    if let Some(step) = before_commit(work, number, &channel, wish, &epoch)? {
        return Ok(step);
    }
    let device = crate::profile::device(work)?;
    let mut group = log::load_group(work, &channel)?;
    let intent = match groups::commit_intent(work, &group, wish)? {
        groups::Change::Commit(intent) => *intent,
        groups::Change::AlreadyTrue => {
            work.settle(number);
            return Ok(Step::Settled);
        }
        groups::Change::NotAllowed(reason) => {
            wish::fail(work, number, reason)?;
            return Ok(Step::Settled);
        }
    };
    let added = joiners(&intent);
    let basis = CommitBasis {
        read: LogPlace { read_to: Sequence(epoch.next), head: epoch.head },
        contested: contested.clone(),
        report: groups::report(work, &channel)?,
    };
    let provider = work.provider();
    group.abandon_commit(&provider).map_err(log::store_error)?;
    let begun = group.begin_commit(&provider, &device.key, &view.epoch, &keys, intent, basis);
    let pending = match begun {
        Ok(pending) => pending,
        Err(error) => return not_begun(work, number, wish, group, error),
    };
    let record = CommitRecord {
        next_key: pending.mark.next_key,
        cut: pending.mark.cut == Cut::Cut,
        contested,
        read_to: epoch.next,
        read_head: Some(epoch.head),
        next_keys: SecretBytes::new(&pending.next_keys.to_secret_bytes()[..]),
        group_info: pending.group_info,
        invitees: invitees(pending.welcomes, &added),
    };
    let operation = record.operation();
    let commit = Some(SecretBytes::new(&crate::record::encode(&record)?));
    let sealed = seal(work, number, &channel, view, &operation, pending.envelope, commit)?;
    append(work, number, desk, sealed)
}

/// What comes before a commit can be made; none if nothing does.
fn before_commit(
    work: &mut Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    wish: &Wish,
    epoch: &EpochRecord,
) -> Result<Option<Step>, StoreError> {
    let changes = matches!(wish, Wish::ChangeGroup { .. } | Wish::RefreshLeaf { .. });
    if changes && succession::is_former(work, channel)? {
        // What was under way there has lost, and nothing is changed there any more.
        work.settle(number);
        return Ok(Some(Step::Settled));
    }
    if epoch.candidates.iter().any(|known| !known.verdict.is_refusal()) {
        // A candidate that cannot be judged here is for others to contest.
        return Ok(Some(Step::Later(work.now.plus_ms(backoff::UNJUDGED_REST_MS))));
    }
    if !make_way(work, number, channel, &epoch.candidate_ids())? {
        return Ok(Some(Step::Later(work.now.plus_ms(backoff::PENDING_REST_MS))));
    }
    Ok(None)
}

/// The group code refuses a commit. What openmls changed before goes with this transaction's group:
/// abandoned.
fn not_begun(
    work: &mut Work<'_>,
    number: WishNumber,
    wish: &Wish,
    mut group: Group,
    error: GroupError,
) -> Result<Step, StoreError> {
    if let GroupError::Store(_) = error {
        return Err(log::store_error(error));
    }
    group.abandon_commit(&work.provider()).map_err(log::store_error)?;
    if let Wish::CommitAdditions { channel, most } = wish {
        return additions::refused(work, number, channel, *most);
    }
    wish::fail(work, number, changing::reason(error))?;
    Ok(Step::Settled)
}

/// Whether a sealed commit contests exactly these candidates.
fn contests(sealed: &SealedRecord, contested: &[EntryId]) -> Result<bool, StoreError> {
    let Some(commit) = &sealed.commit else { return Ok(false) };
    Ok(crate::record::decode::<CommitRecord>(commit.expose())?.contested == contested)
}

/// MLS has one pending commit in a group, and its bytes may be under way: another wish waits until
/// it is settled. One takes its place only when the log shows that others came before it.
pub(crate) fn make_way(
    work: &Work<'_>,
    number: WishNumber,
    channel: &ChannelId,
    contested: &[EntryId],
) -> Result<bool, StoreError> {
    for row in wish::of_channel(work, channel)? {
        if row.number == number {
            continue;
        }
        let Some(sealed) = sealed(work, row.number)?.filter(|row| row.commit.is_some()) else {
            continue;
        };
        if contests(&sealed, contested)? {
            return Ok(false);
        }
        forget(work, &sealed);
    }
    Ok(true)
}

/// A commit of this device that came back in the log.
pub(crate) struct OwnCommit {
    pub(crate) number: WishNumber,
    pub(crate) commit: CommitRecord,
}

/// The own commit with this entry id, if it is one.
pub(crate) fn own_commit(
    work: &Work<'_>,
    channel: &ChannelId,
    entry: &EntryId,
) -> Result<Option<OwnCommit>, StoreError> {
    let Some(pointer) = work.tx.row(Table::OwnEntry, entry.as_bytes())? else { return Ok(None) };
    let number = crate::record::number_of(&pointer).ok_or(StoreError::Damaged)?;
    let row = sealed(work, WishNumber(number))?;
    let row = row.filter(|row| row.entry == *entry && row.channel == *channel);
    let Some(commit) = row.as_ref().and_then(|row| row.commit.as_ref()) else { return Ok(None) };
    let commit = crate::record::decode(commit.expose())?;
    Ok(Some(OwnCommit { number: WishNumber(number), commit }))
}

/// For whom each of the Welcomes of a commit is.
fn invitees(welcomes: Vec<JoinerWelcome>, added: &Joiners) -> Vec<Invitee> {
    let invitee = |welcome: JoinerWelcome| {
        let person = *added.get(&welcome.joiner)?;
        Some(Invitee { person, secrets: welcome.secrets })
    };
    welcomes.into_iter().filter_map(invitee).collect()
}

/// Whose the key packages are that a commit adds.
type Joiners = BTreeMap<KeyPackageReference, Fingerprint>;

fn joiners(intent: &CommitIntent) -> Joiners {
    let joiner =
        |package: &VerifiedKeyPackage| (package.reference(), package.credential().identity());
    intent.add.iter().map(joiner).collect()
}
