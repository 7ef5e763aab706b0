//! Commits that change the agreed state.

use hushwire_protocol::group::{GroupKind, GroupState, Rejection, Right, Role};
use hushwire_protocol::insider::Seals;
use hushwire_wire::transcript::Cut;

use super::{
    accepted,
    house::{ALICE, ALICES_CHAIN, Author, CAROL, CAROLS_CHAIN, Entry, House, State, identity},
    outputs_with, refused,
};
use crate::suite::Group;

/// The tests.
pub(super) fn tests() -> [Group; 3] {
    [taken(), given(), refusals()]
}

fn commit(house: &House, who: Author, change: impl FnOnce(&mut GroupState)) -> Entry {
    house.commit(who, house.setting(change), Cut::Through, Seals::Whole)
}

fn named(state: &mut GroupState) {
    "walks".clone_into(&mut state.name);
}

fn promoted(state: &mut GroupState) {
    state.set_role(identity(&CAROLS_CHAIN), Role::Admin);
}

fn opened(state: &mut GroupState) {
    state.rights.grant(Right::Describe, Role::Member);
}

/// As [`opened`] leaves them.
const OPENED: [u8; 9] = [1, 1, 0, 2, 2, 0, 1, 1, 0];

fn taken() -> Group {
    let house = House::new();
    let name = commit(&house, ALICE, named);
    let role = commit(&house, ALICE, promoted);
    let right = commit(&house, ALICE, opened);
    let out = |entry: &Entry, state: State| outputs_with(&state, entry, 0, &[], &[]);
    let agreed = State::agreed;
    let roles = vec![(ALICES_CHAIN, 2), (CAROLS_CHAIN, 1)];
    let taken = [
        ("the owner names the group", &name, out(&name, State { name: "walks", ..agreed() })),
        ("the owner makes an admin", &role, out(&role, State { roles, ..agreed() })),
        ("the owner gives a right", &right, out(&right, State { rights: OPENED, ..agreed() })),
    ];
    accepted(&house, "the state changes", &["GRP-010", "GRP-042", "GRP-045"], taken)
}

/// A plain member has the right.
fn given() -> Group {
    let house = House::agreeing(opened);
    let name = commit(&house, CAROL, named);
    let state = State { name: "walks", rights: OPENED, ..State::agreed() };
    let out = outputs_with(&state, &name, 2, &[], &[]);
    let taken = [("a member with the right names the group", &name, out)];
    accepted(&house, "by a right that members have", &["GRP-042"], taken)
}

fn refusals() -> Group {
    let house = House::new();
    let by_carol = |change: fn(&mut GroupState)| commit(&house, CAROL, change);
    let by_alice = |change: fn(&mut GroupState)| commit(&house, ALICE, change);
    let (right, state) = (Rejection::NoRight, Rejection::BadGroupState);
    let cases = vec![
        ("a member names the group", by_carol(named), right),
        ("a member makes itself an admin", by_carol(promoted), right),
        ("a member gives a right", by_carol(opened), right),
        (
            "a member gives itself a right and uses it",
            by_carol(|state| {
                opened(state);
                named(state);
            }),
            right,
        ),
        (
            "a member takes the owner's role",
            by_carol(|state| state.set_role(identity(&ALICES_CHAIN), Role::Member)),
            right,
        ),
        (
            "the owner makes the group a direct one",
            by_alice(|state| {
                state.kind = GroupKind::Direct;
                state.roles.clear();
            }),
            state,
        ),
        (
            "the owner names it with a hidden character",
            by_alice(|state| "walks\u{202e}".clone_into(&mut state.name)),
            state,
        ),
        (
            "the owner lets members change rights",
            by_alice(|state| state.rights.grant(Right::ChangeRights, Role::Member)),
            state,
        ),
        (
            "the last owner is one no more",
            by_alice(|state| state.set_role(identity(&ALICES_CHAIN), Role::Admin)),
            Rejection::LastOwner,
        ),
    ];
    let rules = ["GRP-010", "GRP-012", "GRP-042", "GRP-044", "GRP-045", "GRP-046"];
    refused(&house, "the state does not change", &rules, cases)
}
