//! Who may do what, as a table: every right, every role, every change. No MLS: the judge sees what a
//! commit does, and nothing else.

use std::sync::LazyLock;

use hushwire_protocol::address::RelayAddress;
use hushwire_protocol::group::{
    Avatar, Change, GroupKind, GroupState, LeafIndex, Life, Rejection, Right, Role, RoleEntry,
    Roster, judge,
};
use hushwire_protocol::identity::{DeviceCredential, DeviceKey, Fingerprint};
use hushwire_protocol::succession::{NewPlace, Successor};
use hushwire_wire::address::Host;
use hushwire_wire::id::{ChannelId, RelayId, Timestamp};
use hushwire_wire::transcript::Cut;

use super::world::credential;

/// 1 and 6 are owners, 2 and 5 admins, 3 and 4 members; each at the leaf before its number.
const ROLES: [(u8, Role); 6] = [
    (1, Role::Owner),
    (2, Role::Admin),
    (3, Role::Member),
    (4, Role::Member),
    (5, Role::Admin),
    (6, Role::Owner),
];

/// One for each identity; making them anew for each case would take long.
fn device(root: u8) -> DeviceCredential {
    static DEVICES: LazyLock<Vec<DeviceCredential>> =
        LazyLock::new(|| (0..10).map(|root| credential(root, 1, 1).1).collect());
    DEVICES[usize::from(root)].clone()
}

fn person(root: u8) -> Fingerprint {
    device(root).identity()
}

/// Who commits for a role.
fn committer(role: Role) -> u8 {
    ROLES.iter().find(|(_, has)| *has == role).unwrap().0
}

fn group() -> GroupState {
    let mut state = GroupState::new(GroupKind::Group, person(1));
    for (root, role) in ROLES {
        state.set_role(person(root), role);
    }
    state
}

fn with_least(right: Right, least: Role) -> GroupState {
    let mut state = group();
    state.rights.grant(right, least);
    state
}

fn roster(state: GroupState) -> Roster {
    let leaves = ROLES.map(|(root, _)| (LeafIndex(u32::from(root) - 1), device(root)));
    Roster::new(leaves, state)
}

/// What a commit of `by` does to this state.
fn judged(by: u8, before: &GroupState, does: impl FnOnce(&mut Change)) -> Result<(), Rejection> {
    let committer = LeafIndex(u32::from(by) - 1);
    let (added, asked, removed, left) = (vec![], vec![], vec![], vec![]);
    let (state, cut) = (before.clone(), Cut::Cut);
    let mut change = Change { committer, added, asked, removed, left, state, cut };
    does(&mut change);
    judge(&roster(before.clone()), &change)
}

fn removing(root: u8) -> impl FnOnce(&mut Change) {
    move |change: &mut Change| {
        change.removed.push(LeafIndex(u32::from(root) - 1));
        change.state.set_role(person(root), Role::Member);
    }
}

fn granting(root: u8, role: Role) -> impl FnOnce(&mut Change) {
    move |change: &mut Change| change.state.set_role(person(root), role)
}

fn with_right(right: Right, least: Role) -> impl FnOnce(&mut Change) {
    move |change: &mut Change| change.state.rights.grant(right, least)
}

fn allowed(is: bool) -> Result<(), Rejection> {
    if is { Ok(()) } else { Err(Rejection::NoRight) }
}

#[test]
fn every_change_needs_its_right_and_no_other() {
    // spec: GRP-040, GRP-041, GRP-042
    type Doing = fn(&mut Change);
    let picture: Doing = |change| {
        change.state.avatar = Some(Avatar::new(b"\xff\xd8\xff".to_vec()).unwrap());
    };
    let changes: [(Right, Doing); 6] = [
        (Right::Add, |change| change.added.push(device(9))),
        (Right::Remove, |change| change.removed.push(LeafIndex(3))),
        (Right::Describe, |change| "climbs".clone_into(&mut change.state.name)),
        (Right::Describe, |change| "on rocks".clone_into(&mut change.state.description)),
        (Right::Describe, picture),
        (Right::ChangeRights, |change| change.state.rights.grant(Right::MentionAll, Role::Admin)),
    ];
    for (needed, does) in changes {
        for right in Right::ALL {
            for least in Role::ALL {
                for role in Role::ALL {
                    // Nothing else is in the way.
                    let mut before = group();
                    Right::ALL.iter().for_each(|right| before.rights.grant(*right, Role::Member));
                    before.rights.grant(right, least);
                    let beyond = needed == Right::ChangeRights && role == Role::Member;
                    // The change itself, where it would be none.
                    if needed == Right::ChangeRights && right == Right::MentionAll {
                        continue;
                    }
                    let expected = allowed((needed != right || role >= least) && !beyond);
                    let found = judged(committer(role), &before, does);
                    assert_eq!(found, expected, "{needed:?}: {right:?} {least:?} by {role:?}");
                }
            }
        }
    }
}

#[test]
fn nobody_moves_a_right_beyond_their_own_role() {
    // spec: GRP-045
    for may_change in [Role::Admin, Role::Owner] {
        for right in Right::ALL {
            for was in Role::ALL {
                for is in Role::ALL {
                    for role in Role::ALL {
                        let mut before = with_least(right, was);
                        before.rights.grant(Right::ChangeRights, may_change);
                        let was = before.rights.least(right);
                        let has = role >= may_change && role >= was.max(is);
                        let found = judged(committer(role), &before, with_right(right, is));
                        let expected = allowed(was == is || has);
                        assert_eq!(found, expected, "{right:?} {was:?} to {is:?} by {role:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn nobody_moves_a_role_beyond_their_own() {
    // spec: GRP-042, GRP-047
    for least in Role::ALL {
        let before = with_least(Right::ChangeRoles, least);
        for role in Role::ALL {
            for (target, was) in [(4, Role::Member), (5, Role::Admin), (6, Role::Owner)] {
                for is in Role::ALL {
                    let has = role >= least && role >= was.max(is);
                    let found = judged(committer(role), &before, granting(target, is));
                    assert_eq!(found, allowed(was == is || has), "{role:?}: {was:?} to {is:?}");
                }
            }
            // One's own: down without a right, up never.
            for is in Role::ALL {
                let found = judged(committer(role), &before, granting(committer(role), is));
                assert_eq!(found, allowed(is <= role), "{least:?}: {role:?} to {is:?}");
            }
        }
    }
}

#[test]
fn nobody_removes_who_stands_above_them() {
    // spec: GRP-041
    for least in Role::ALL {
        let before = with_least(Right::Remove, least);
        for role in Role::ALL {
            for (target, its) in [(4, Role::Member), (5, Role::Admin), (6, Role::Owner)] {
                let found = judged(committer(role), &before, removing(target));
                assert_eq!(found, allowed(role >= least && role >= its), "{role:?} {its:?}");
            }
        }
    }
}

#[test]
fn what_a_commit_gives_is_not_used_in_it() {
    // spec: GRP-042, GRP-045: rights and roles are those before the commit
    let before = group();
    let by_admin = |does: &dyn Fn(&mut Change)| judged(2, &before, |change| does(change));
    // An admin takes the right to change roles, and makes itself an owner.
    assert_eq!(
        by_admin(&|change| {
            change.state.rights.grant(Right::ChangeRoles, Role::Admin);
            change.state.set_role(person(2), Role::Owner);
        }),
        Err(Rejection::NoRight)
    );
    // An owner gives it to members and demotes all others: it is its right.
    assert_eq!(
        judged(1, &before, |change| {
            change.state.rights.grant(Right::Add, Role::Member);
            change.state.set_role(person(6), Role::Member);
        }),
        Ok(())
    );
    // A member adds by a right that the same commit gives.
    assert_eq!(
        judged(3, &before, |change| {
            change.state.rights.grant(Right::Add, Role::Member);
            change.added.push(device(9));
        }),
        Err(Rejection::NoRight)
    );
    // Rights change and removal in one commit, and several at once.
    assert_eq!(
        judged(1, &before, |change| {
            change.state.rights.grant(Right::Write, Role::Admin);
            removing(3)(change);
            removing(4)(change);
        }),
        Ok(())
    );
    // Who steps down in it still does what the role allowed.
    assert_eq!(
        judged(1, &before, |change| {
            change.state.set_role(person(1), Role::Member);
            change.state.set_role(person(3), Role::Admin);
        }),
        Ok(())
    );
}

#[test]
fn somebody_owns_a_group_after_every_commit() {
    // spec: GRP-044, GRP-047
    let mut before = group();
    before.set_role(person(6), Role::Member);
    assert_eq!(judged(1, &before, granting(1, Role::Admin)), Err(Rejection::LastOwner));
    let handed = |change: &mut Change| {
        change.state.set_role(person(3), Role::Owner);
        change.state.set_role(person(1), Role::Member);
    };
    assert_eq!(judged(1, &before, handed), Ok(()));
    let leaving = |change: &mut Change| {
        change.left.push(LeafIndex(0));
        change.state.set_role(person(1), Role::Member);
    };
    assert_eq!(judged(3, &before, leaving), Err(Rejection::LastOwner));
    assert_eq!(judged(3, &group(), leaving), Ok(()));
}

#[test]
fn nobody_changes_what_a_group_is_for_or_takes_the_place_of() {
    // spec: GRP-012, GRP-140
    let changes: [fn(&mut Change); 2] = [
        |change| change.state.kind = GroupKind::OwnDevices,
        |change| change.state.before = Some(Box::new(successor())),
    ];
    for role in Role::ALL {
        for does in changes {
            let found = judged(committer(role), &group(), does);
            assert_eq!(found, Err(Rejection::BadGroupState), "{role:?}");
        }
    }
}

fn successor() -> Successor {
    let relay = RelayId::from_bytes([7; 32]);
    let relay = RelayAddress::new(Host::parse("relay.example.org").unwrap(), 4433, relay).unwrap();
    let place = NewPlace { channel: ChannelId::from_bytes([2; 32]), relay };
    let device = DeviceKey::from_bytes(&[3; 32]);
    Successor::sign(ChannelId::from_bytes([1; 32]), place, Timestamp(1_000), Vec::new(), &device)
}

#[test]
fn only_an_owner_ends_a_group_and_by_nothing_else() {
    // spec: GRP-080
    let over = |change: &mut Change| change.state.life = Life::Dissolved;
    for role in Role::ALL {
        let found = judged(committer(role), &group(), over);
        assert_eq!(found, allowed(role == Role::Owner), "{role:?}");
        let uncut = |change: &mut Change| (over(change), change.cut = Cut::Through).1;
        assert_eq!(judged(committer(role), &group(), uncut), found);
    }
    let beside: [fn(&mut Change); 7] = [
        |change| change.added.push(device(9)),
        |change| removing(4)(change),
        |change| change.left.push(LeafIndex(3)),
        |change| "over".clone_into(&mut change.state.name),
        |change| change.state.set_role(person(3), Role::Admin),
        |change| change.state.rights.grant(Right::Add, Role::Member),
        |change| change.state.roles.push(RoleEntry { identity: person(9), role: Role::Admin }),
    ];
    for does in beside {
        let both = |change: &mut Change| (over(change), does(change)).1;
        assert_eq!(judged(1, &group(), both), Err(Rejection::BadGroupState));
    }
}

#[test]
fn nothing_follows_the_end_of_a_group() {
    // spec: GRP-081
    let over = GroupState { life: Life::Dissolved, ..group() };
    let changes: [fn(&mut Change); 4] = [
        |_| {},
        |change| change.state.life = Life::Open,
        |change| change.added.push(device(9)),
        |change| change.left.push(LeafIndex(3)),
    ];
    for role in Role::ALL {
        for does in changes {
            assert_eq!(judged(committer(role), &over, does), Err(Rejection::Dissolved));
        }
    }
}
