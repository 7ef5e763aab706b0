//! Whether a change is allowed. Depends on the state before, the change, and nothing else: no
//! clock, no network, no version of the client (spec: GRP-031).

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use hushwire_wire::transcript::Cut;

use super::error::Rejection;
use super::members::{LeafIndex, Member, Roster};
use super::role::{Allowed, Right, Role};
use super::state::{GroupKind, GroupState, Life};
use crate::identity::{DeviceCredential, DeviceId, Fingerprint, ManagerCounter};

/// The most people that a group of several has (spec: GRP-073).
pub const PEOPLE_MAX: usize = 2_000;
/// The most devices that a group has (spec: GRP-073).
pub const DEVICES_MAX: usize = 5_000;

/// What a commit does, as MLS decoded it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose commit it is.
    pub committer: LeafIndex,
    /// The devices that come, by their verified credentials.
    pub added: Vec<DeviceCredential>,
    /// Those of them that asked to be added again to this group, by their KeyPackage
    /// (spec: GRP-090).
    pub asked: Vec<DeviceCredential>,
    /// The leaves that go by Remove proposals of the committer.
    pub removed: Vec<LeafIndex>,
    /// The leaves that go by their own SelfRemove proposals.
    pub left: Vec<LeafIndex>,
    /// The state after the commit.
    pub state: GroupState,
    /// The commit's mark.
    pub cut: Cut,
}

/// Judges a change against the state before it: the whole of what a group allows. Everything else
/// that makes a commit valid (MLS, envelope, keys, leaves) was checked before.
///
/// # Errors
/// [`Rejection`] of the policy phase, or [`Rejection::UnknownSender`] and
/// [`Rejection::InvalidCommit`] for leaves that are not there.
pub fn judge(before: &Roster, change: &Change) -> Result<(), Rejection> {
    let judge = Judge::new(before, change)?;
    judge.check_raise()?;
    judge.check_life()?;
    judge.check_cut()?;
    judge.check_fixed()?;
    judge.check_dissolving()?;
    judge.check_devices()?;
    judge.check_additions()?;
    judge.check_removals()?;
    judge.check_roles()?;
    judge.check_description()?;
    judge.check_rights()?;
    judge.check_outcome()
}

/// The roles that remain without a word from anybody: those of identities that stay
/// (spec: GRP-043).
pub(crate) fn prune_roles(state: &mut GroupState, staying: &BTreeSet<Fingerprint>) {
    state.roles.retain(|entry| staying.contains(&entry.identity));
}

/// Who has a device in the group after the change.
pub(crate) fn identities_after<'a>(
    before: &'a Roster,
    gone: &'a [LeafIndex],
    added: &'a [DeviceCredential],
) -> BTreeSet<Fingerprint> {
    let gone: BTreeSet<LeafIndex> = gone.iter().copied().collect();
    let staying = before.members.iter().filter(|member| !gone.contains(&member.leaf));
    staying.map(Member::identity).chain(added.iter().map(DeviceCredential::identity)).collect()
}

struct Judge<'a> {
    before: &'a Roster,
    change: &'a Change,
    committer: &'a Member,
    gone: BTreeSet<LeafIndex>,
    after: BTreeSet<Fingerprint>,
}

impl<'a> Judge<'a> {
    fn new(before: &'a Roster, change: &'a Change) -> Result<Self, Rejection> {
        let committer = before.at(change.committer).ok_or(Rejection::UnknownSender)?;
        let gone: Vec<_> = change.removed.iter().chain(&change.left).copied().collect();
        let after = identities_after(before, &gone, &change.added);
        Ok(Self { before, change, committer, gone: gone.into_iter().collect(), after })
    }

    /// Only owners of a `Group` are told apart; elsewhere everybody may.
    fn demand(&self, right: Right) -> Result<(), Rejection> {
        match self.before.state.allows(&self.committer.identity(), right) {
            Allowed::Yes => Ok(()),
            Allowed::No => Err(Rejection::NoRight),
        }
    }

    fn demand_role(&self, least: Role) -> Result<(), Rejection> {
        if self.committer.role >= least { Ok(()) } else { Err(Rejection::NoRight) }
    }

    /// spec: GRP-081
    fn check_life(&self) -> Result<(), Rejection> {
        match self.before.state.life {
            Life::Open => Ok(()),
            Life::Dissolved => Err(Rejection::Dissolved),
        }
    }

    /// An owner ends a group by a commit that does nothing else (spec: GRP-080).
    fn check_dissolving(&self) -> Result<(), Rejection> {
        if self.change.state.life == Life::Open {
            return Ok(());
        }
        self.demand_role(Role::Owner)?;
        let dissolved = GroupState { life: Life::Dissolved, ..self.before.state.clone() };
        let alone = self.change.added.is_empty() && self.gone.is_empty();
        if alone && self.change.state == dissolved { Ok(()) } else { Err(Rejection::BadGroupState) }
    }

    /// spec: GRP-033
    fn check_cut(&self) -> Result<(), Rejection> {
        let allowed = self.gone.is_empty() || self.change.cut == Cut::Cut;
        if allowed { Ok(()) } else { Err(Rejection::RemovalWithoutCut) }
    }

    /// The kind and the group before never change, and the rules rise only (spec: GRP-012, GRP-140).
    fn check_fixed(&self) -> Result<(), Rejection> {
        let (old, new) = (&self.before.state, &self.change.state);
        let raised = GroupState { rules: new.rules, ..old.clone() };
        let plain = new.rules == old.rules || raised == *new;
        let fixed = old.kind == new.kind && old.before == new.before && new.rules >= old.rules;
        if fixed && plain { Ok(()) } else { Err(Rejection::BadGroupState) }
    }

    /// An owner raises the rules, by a commit that does nothing else. This is what a program can say
    /// that does not know them, so it comes first; it is judged by the rules before
    /// (spec: GRP-101, GRP-103).
    fn check_raise(&self) -> Result<(), Rejection> {
        if self.change.state.rules <= self.before.state.rules {
            return Ok(());
        }
        self.demand_role(Role::Owner)?;
        let plain = self.change.added.is_empty() && self.gone.is_empty();
        if plain { Ok(()) } else { Err(Rejection::BadGroupState) }
    }

    /// Every device once; no device under a superseded manager (spec: GRP-021, GRP-022).
    fn check_devices(&self) -> Result<(), Rejection> {
        let staying = self.before.members.iter().filter(|member| !self.gone.contains(&member.leaf));
        let mut devices: BTreeSet<(Fingerprint, DeviceId)> =
            staying.map(|member| (member.identity(), member.device())).collect();
        let newest = self.newest_managers();
        for added in &self.change.added {
            if !devices.insert((added.identity(), added.device())) {
                return Err(Rejection::DuplicateDevice);
            }
            let newest = newest.get(&added.identity());
            if newest.is_some_and(|newest| *newest > added.manager_counter()) {
                return Err(Rejection::StaleManager);
            }
        }
        Ok(())
    }

    /// The newest manager statement of each identity that has a device in the group.
    fn newest_managers(&self) -> BTreeMap<Fingerprint, ManagerCounter> {
        let mut newest = BTreeMap::new();
        for member in &self.before.members {
            let counter = member.credential.manager_counter();
            let known = newest.entry(member.identity()).or_insert(counter);
            *known = counter.max(*known);
        }
        newest
    }

    /// A device of an identity that is in the group needs no right (spec: GRP-040).
    fn check_additions(&self) -> Result<(), Rejection> {
        let there: BTreeSet<Fingerprint> =
            self.before.members.iter().map(Member::identity).collect();
        let is_new = |added: &&DeviceCredential| !there.contains(&added.identity());
        match self.change.added.iter().find(is_new) {
            Some(_) => self.demand(Right::Add),
            None => Ok(()),
        }
    }

    /// Own devices, and devices that asked for it and that the same commit adds again, need no right
    /// (spec: GRP-041).
    fn check_removals(&self) -> Result<(), Rejection> {
        let members: BTreeMap<LeafIndex, &Member> =
            self.before.members.iter().map(|member| (member.leaf, member)).collect();
        let asked: BTreeSet<(Fingerprint, DeviceId)> =
            self.change.asked.iter().map(|added| (added.identity(), added.device())).collect();
        for leaf in &self.change.removed {
            let target = members.get(leaf).ok_or(Rejection::InvalidCommit)?;
            let own = target.identity() == self.committer.identity();
            let again = asked.contains(&(target.identity(), target.device()));
            if !own && !again {
                self.demand(Right::Remove)?;
                self.demand_role(target.role)?;
            }
        }
        Ok(())
    }

    /// Admins are made and unmade by who has the right, owners by owners (spec: GRP-042). Who steps
    /// down needs no right, as who leaves needs none (spec: GRP-047).
    fn check_roles(&self) -> Result<(), Rejection> {
        let (old, new) = (&self.before.state, &self.change.state);
        let mut expected = old.clone();
        prune_roles(&mut expected, &self.after);
        for entry in expected.roles.iter().chain(&new.roles) {
            let (was, is) = (expected.role(&entry.identity), new.role(&entry.identity));
            let own = entry.identity == self.committer.identity();
            match is.cmp(&was) {
                Ordering::Equal => {}
                // Who steps down needs no right.
                Ordering::Less if own => {}
                Ordering::Less | Ordering::Greater => {
                    self.demand(Right::ChangeRoles)?;
                    self.demand_role(was.max(is))?;
                }
            }
        }
        Ok(())
    }

    /// spec: GRP-042
    fn check_description(&self) -> Result<(), Rejection> {
        let (old, new) = (&self.before.state, &self.change.state);
        let texts = old.name == new.name && old.description == new.description;
        if texts && old.avatar == new.avatar { Ok(()) } else { self.demand(Right::Describe) }
    }

    /// Nobody gives or takes what is beyond the own role (spec: GRP-045).
    fn check_rights(&self) -> Result<(), Rejection> {
        let (old, new) = (&self.before.state.rights, &self.change.state.rights);
        for right in Right::ALL {
            let (was, is) = (old.least(right), new.least(right));
            if was != is {
                self.demand(Right::ChangeRights)?;
                self.demand_role(was.max(is))?;
            }
        }
        Ok(())
    }

    /// What has to hold after every commit (spec: GRP-013, GRP-044).
    fn check_outcome(&self) -> Result<(), Rejection> {
        let stay = self.before.members.len().saturating_sub(self.gone.len());
        let devices = stay.saturating_add(self.change.added.len());
        check_whole(&self.change.state, &self.after, devices)
    }
}

/// What has to hold in every epoch, for whoever joins in it (spec: GRP-013, GRP-021, GRP-044,
/// GRP-081).
pub(crate) fn check_joined(roster: &Roster) -> Result<(), Rejection> {
    if roster.state.life == Life::Dissolved {
        return Err(Rejection::Dissolved);
    }
    let mut devices = BTreeSet::new();
    for member in &roster.members {
        if !devices.insert((member.identity(), member.device())) {
            return Err(Rejection::DuplicateDevice);
        }
    }
    let identities = roster.members.iter().map(Member::identity).collect();
    check_whole(&roster.state, &identities, roster.members.len())
}

fn check_whole(
    state: &GroupState,
    identities: &BTreeSet<Fingerprint>,
    devices: usize,
) -> Result<(), Rejection> {
    let identities_max = match state.kind {
        GroupKind::OwnDevices => 1,
        GroupKind::Direct => 2,
        // spec: GRP-073
        GroupKind::Group => PEOPLE_MAX,
    };
    if identities.len() > identities_max {
        return Err(Rejection::TooManyIdentities);
    }
    // spec: GRP-073
    if devices > DEVICES_MAX {
        return Err(Rejection::TooManyDevices);
    }
    if state.roles.iter().any(|entry| !identities.contains(&entry.identity)) {
        return Err(Rejection::BadGroupState);
    }
    let owned = identities.iter().any(|identity| state.role(identity) == Role::Owner);
    if owned { Ok(()) } else { Err(Rejection::LastOwner) }
}
