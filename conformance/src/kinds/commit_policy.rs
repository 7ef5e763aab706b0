//! Who may change what: commits as MLS decoded them, judged against the group before them.

use hushwire_protocol::group::{Change, GroupState, LeafIndex, Rejection, Roster, judge};
use hushwire_protocol::identity::{DeviceCredential, UnverifiedCredential};
use hushwire_wire::transcript::Cut;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, public},
        envelope::rejected,
        successor::{leaving_out, successor},
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "commit-policy";

fn credential(bytes: &[u8]) -> DeviceCredential {
    UnverifiedCredential::parse(bytes).and_then(UnverifiedCredential::verify).expect("valid")
}

fn leaf(text: &str) -> LeafIndex {
    LeafIndex(text.parse().expect("a leaf"))
}

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    // The state before was agreed to.
    let before = GroupState::from_agreed(&input.bytes("state")).expect("agreed to");
    let Ok(after) = GroupState::from_bytes_after(&input.bytes("next_state"), &before) else {
        return rejected(Rejection::BadGroupState);
    };
    let members = input.field("members").as_array().expect("a list").iter().map(|member| {
        let member = Input(member);
        (leaf(member.text("leaf")), credential(&member.bytes("credential")))
    });
    let leaves = |name| {
        let list = input.field(name).as_array().expect("a list");
        list.iter().map(|item| leaf(item.as_str().expect("a leaf"))).collect()
    };
    let change = Change {
        committer: leaf(input.text("committer")),
        added: input.list("added").iter().map(|bytes| credential(bytes)).collect(),
        asked: input.list("asked").iter().map(|bytes| credential(bytes)).collect(),
        removed: leaves("removed"),
        left: leaves("left"),
        state: after,
        cut: if input.integer("cut") == 1 { Cut::Cut } else { Cut::Through },
    };
    match judge(&Roster::new(members, before), &change) {
        Ok(()) => Outcome::accepted(),
        Err(rejection) => rejected(rejection),
    }
}

/// An identity; its number is the seed of its root key.
fn chain(identity: u8) -> Chain {
    let manager = identity + 100;
    Chain { root: identity, root_signer: identity, manager, signer: manager, counter: 3 }
}

/// The agreed state, byte by byte.
#[derive(Clone)]
struct State {
    rules: u16,
    kind: u8,
    name: &'static str,
    description: &'static str,
    avatar: &'static [u8],
    dissolved: u8,
    /// Identities with the number of their role, as they stand; sorted where they are used.
    roles: Vec<(u8, u8)>,
    rights: [u8; 9],
    /// The successor by which it takes the place of another group.
    before: &'static [u8],
}

/// 1 owns the group, 2 is an admin, the others are members.
fn group() -> State {
    State {
        rules: 1,
        kind: 2,
        name: "walks",
        description: "",
        avatar: b"",
        dissolved: 0,
        roles: vec![(1, 2), (2, 1)],
        rights: [1, 1, 1, 2, 2, 0, 1, 1, 0],
        before: b"",
    }
}

fn kind(kind: u8) -> State {
    State { kind, roles: vec![], ..group() }
}

impl State {
    fn with_roles(self, roles: &[(u8, u8)]) -> Self {
        Self { roles: roles.to_vec(), ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut roles: Vec<_> =
            self.roles.iter().map(|(who, role)| (chain(*who).fingerprint(), *role)).collect();
        roles.sort_unstable();
        let roles: Vec<u8> =
            roles.iter().flat_map(|(who, role)| [&who[..], &[*role]].concat()).collect();
        [
            &[0, 1][..],
            &self.rules.to_be_bytes(),
            &[self.kind],
            &variable(self.name.as_bytes()),
            &variable(self.description.as_bytes()),
            &variable(self.avatar),
            &[self.dissolved],
            &variable(&roles),
            &variable(&self.rights),
            &variable(self.before),
        ]
        .concat()
    }
}

/// A field with its length before it.
fn variable(field: &[u8]) -> Vec<u8> {
    let length = u16::try_from(field.len()).expect("short");
    let length = match u8::try_from(length) {
        Ok(length) if length < 64 => vec![length],
        _ if length < 0x4000 => (0x4000 | length).to_be_bytes().to_vec(),
        _ => (0x8000_0000 | u32::from(length)).to_be_bytes().to_vec(),
    };
    [&length[..], field].concat()
}

/// A commit by leaf `committer` in a group of these (identity, device) at the leaves 0, 1, ...
#[derive(Clone)]
struct Case {
    members: Vec<(u8, u8)>,
    before: State,
    committer: u32,
    added: Vec<Vec<u8>>,
    /// Those of them that asked to be added again.
    asked: Vec<Vec<u8>>,
    removed: Vec<u32>,
    left: Vec<u32>,
    after: State,
    cut: u8,
}

impl Case {
    fn new(before: &State, committer: u32) -> Self {
        let members = vec![(1, 11), (2, 21), (3, 31), (4, 41)];
        let (before, after) = (before.clone(), before.clone());
        let (added, asked, removed, left) = (vec![], vec![], vec![], vec![]);
        Self { members, before, committer, added, asked, removed, left, after, cut: 0 }
    }

    fn add(mut self, identity: u8, device: u8) -> Self {
        self.added.push(chain(identity).credential(device));
        self
    }

    fn add_who_asked(mut self, identity: u8, device: u8) -> Self {
        self.asked.push(chain(identity).credential(device));
        self.add(identity, device)
    }

    fn remove(mut self, leaf: u32) -> Self {
        (self.cut, _) = (1, self.removed.push(leaf));
        self
    }

    fn leave(mut self, leaf: u32) -> Self {
        (self.cut, _) = (1, self.left.push(leaf));
        self
    }

    fn then(self, after: State) -> Self {
        Self { after, ..self }
    }

    fn input(&self) -> Value {
        let texts = |leaves: &[u32]| leaves.iter().map(u32::to_string).collect::<Vec<_>>();
        let members: Vec<_> = (0u32..)
            .zip(&self.members)
            .map(|(leaf, (identity, device))| {
                let credential = hex::encode(chain(*identity).credential(*device));
                json!({ "leaf": leaf.to_string(), "credential": credential })
            })
            .collect();
        json!({
            "members": members,
            "state": hex::encode(self.before.bytes()),
            "committer": self.committer.to_string(),
            "added": self.added.iter().map(hex::encode).collect::<Vec<_>>(),
            "asked": self.asked.iter().map(hex::encode).collect::<Vec<_>>(),
            "removed": texts(&self.removed),
            "left": texts(&self.left),
            "next_state": hex::encode(self.after.bytes()),
            "cut": self.cut.to_string(),
        })
    }
}

type Cases = Vec<(&'static str, Case, Option<Rejection>)>;

fn grouped(comment: &str, rules: &[&str], cases: Cases) -> Group {
    cases.into_iter().fold(Group::new(comment, rules), |group, (comment, case, rejection)| {
        let outcome = rejection.map_or_else(Outcome::accepted, rejected);
        group.test(comment, &[], case.input(), outcome)
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(grouped("adding", &["GRP-040", "GRP-021", "GRP-022"], additions()))
        .group(grouped(
            "removing",
            &["GRP-033", "GRP-041", "GRP-043", "GRP-044", "GRP-090"],
            removals(),
        ))
        .group(grouped(
            "changing the state",
            &["GRP-010", "GRP-011", "GRP-012", "GRP-042", "GRP-047"],
            changes(),
        ))
        .group(grouped("changing rights", &["GRP-045", "GRP-046"], rights()))
        .group(grouped("the picture", &["GRP-042", "GRP-048"], pictures()))
        .group(grouped("the group before", &["GRP-140"], before()))
        .group(grouped("newer rules", &["GRP-012", "GRP-101"], newer_rules()))
        .group(grouped("dissolving", &["GRP-046", "GRP-080", "GRP-081"], dissolving()))
        .group(grouped("texts that were agreed to", &["GRP-010", "CLI-135"], agreed_texts()))
        .group(grouped("kinds of groups", &["GRP-011", "GRP-013", "GRP-044"], kinds()))
        .group(grouped("the state before decides", &["GRP-040", "GRP-042"], at_once()))
}

fn additions() -> Cases {
    let by = |leaf| Case::new(&group(), leaf);
    let older = Chain { counter: 2, ..chain(3) }.credential(32);
    let stale = Case { added: vec![older], ..by(2) };
    vec![
        ("nothing but a new path", by(3), None),
        ("an admin adds an identity", by(1).add(5, 51), None),
        ("a member adds an identity", by(2).add(5, 51), Some(Rejection::NoRight)),
        ("a member adds an own device", by(2).add(3, 32), None),
        ("a member adds a device of another member", by(3).add(3, 32), None),
        ("a device twice", by(0).add(5, 51).add(5, 51), Some(Rejection::DuplicateDevice)),
        ("a device that is there", by(0).add(3, 31), Some(Rejection::DuplicateDevice)),
        ("a device under an older statement", stale, Some(Rejection::StaleManager)),
        ("an unknown committer", by(9), Some(Rejection::UnknownSender)),
    ]
}

fn removals() -> Cases {
    let by = |leaf| Case::new(&group(), leaf);
    let without_admin = group().with_roles(&[(1, 2)]);
    let two_devices = |leaf| {
        let members = vec![(1, 11), (2, 21), (3, 31), (3, 32)];
        Case { members, ..by(leaf) }
    };
    let uncut = |case: Case| Case { cut: 0, ..case };
    let readmitted = |leaf| by(leaf).remove(3).add_who_asked(4, 41);
    vec![
        ("an admin removes a member", by(1).remove(3), None),
        ("without cut", uncut(by(1).remove(3)), Some(Rejection::RemovalWithoutCut)),
        ("again without cut", uncut(readmitted(2)), Some(Rejection::RemovalWithoutCut)),
        ("a leave without cut", uncut(by(1).leave(3)), Some(Rejection::RemovalWithoutCut)),
        ("a member removes a member", by(2).remove(3), Some(Rejection::NoRight)),
        ("a member removes an own device", two_devices(2).remove(3), None),
        (
            "an admin removes the owner",
            by(1).remove(0).then(group().with_roles(&[(2, 1)])),
            Some(Rejection::NoRight),
        ),
        ("the owner removes an admin", by(0).remove(1).then(without_admin.clone()), None),
        ("and leaves the role", by(0).remove(1), Some(Rejection::BadGroupState)),
        ("a member adds a device again that asks for it", readmitted(2), None),
        (
            "a member adds a device again that did not ask",
            by(2).remove(3).add(4, 41),
            Some(Rejection::NoRight),
        ),
        ("an admin adds a device again that did not ask", by(1).remove(3).add(4, 41), None),
        (
            "another device in its place",
            by(2).remove(3).add_who_asked(4, 42),
            Some(Rejection::NoRight),
        ),
        ("another one went", by(2).remove(1).add_who_asked(4, 42), Some(Rejection::NoRight)),
        ("an admin leaves by a member's commit", by(2).leave(1).then(without_admin), None),
        (
            "the last owner leaves",
            by(2).leave(0).then(group().with_roles(&[(2, 1)])),
            Some(Rejection::LastOwner),
        ),
        ("a leaf that is not there", by(0).remove(7), Some(Rejection::InvalidCommit)),
    ]
}

fn changes() -> Cases {
    let by = |leaf| Case::new(&group(), leaf);
    let renamed = State { name: "climbs", ..group() };
    let roles = |roles: &[(u8, u8)]| group().with_roles(roles);
    let open = State { rights: [1, 1, 1, 1, 2, 0, 1, 1, 0], ..group() };
    let admin = |roles: &[(u8, u8)]| Case::new(&open, 1).then(open.clone().with_roles(roles));
    vec![
        ("an admin renames", by(1).then(renamed.clone()), None),
        ("a member renames", by(2).then(renamed), Some(Rejection::NoRight)),
        ("a description", by(1).then(State { description: "on Sundays", ..group() }), None),
        ("the owner makes an admin", by(0).then(roles(&[(1, 2), (2, 1), (3, 1)])), None),
        (
            "an admin makes an admin without the right",
            by(1).then(roles(&[(1, 2), (2, 1), (3, 1)])),
            Some(Rejection::NoRight),
        ),
        ("an admin makes an admin with the right", admin(&[(1, 2), (2, 1), (3, 1)]), None),
        ("an admin makes an owner", admin(&[(1, 2), (2, 1), (3, 2)]), Some(Rejection::NoRight)),
        ("an admin unmakes the owner", admin(&[(2, 1)]), Some(Rejection::NoRight)),
        ("the owner hands over", by(0).then(roles(&[(2, 1), (3, 2)])), None),
        ("an admin steps down", by(1).then(roles(&[(1, 2)])), None),
        (
            "an admin unmakes another without the right",
            Case::new(&roles(&[(1, 2), (2, 1), (3, 1)]), 1).then(roles(&[(1, 2), (2, 1)])),
            Some(Rejection::NoRight),
        ),
        ("the only owner steps down", by(0).then(roles(&[(2, 1)])), Some(Rejection::LastOwner)),
        (
            "a role for nobody",
            by(0).then(roles(&[(1, 2), (2, 1), (9, 1)])),
            Some(Rejection::BadGroupState),
        ),
        (
            "another kind",
            by(0).then(State { kind: 3, roles: vec![], ..group() }),
            Some(Rejection::BadGroupState),
        ),
        (
            "a name written backwards",
            by(1).then(State { name: "climbs\u{202e}", ..group() }),
            Some(Rejection::BadGroupState),
        ),
        (
            "a name with a soft hyphen",
            by(1).then(State { name: "cli\u{ad}mbs", ..group() }),
            Some(Rejection::BadGroupState),
        ),
        (
            "a name of two lines",
            by(1).then(State { name: "climbs\nwalks", ..group() }),
            Some(Rejection::BadGroupState),
        ),
        ("rules of number 0", by(0).then(State { rules: 0, ..group() }), bad()),
    ]
}

const fn bad() -> Option<Rejection> {
    Some(Rejection::BadGroupState)
}

/// What is refused also by who does not know the rules.
fn newer_rules() -> Cases {
    let newer = || State { rules: 2, ..group() };
    let by = |leaf| Case::new(&group(), leaf).then(newer());
    let uncut = Case { cut: 0, ..by(0).remove(3) };
    vec![
        ("an admin raises the rules", by(1), Some(Rejection::NoRight)),
        ("a member does", by(2), Some(Rejection::NoRight)),
        ("the owner does, and adds somebody", by(0).add(5, 51), bad()),
        ("the owner does, and removes somebody", by(0).remove(3), bad()),
        ("the same without cut", uncut, bad()),
    ]
}

/// The rights with one of them changed.
fn with_right(state: &State, right: usize, least: u8) -> State {
    let mut rights = state.rights;
    rights[right] = least;
    State { rights, ..state.clone() }
}

const DESCRIBE: usize = 2;
const CHANGE_ROLES: usize = 3;
const CHANGE_RIGHTS: usize = 4;
const MENTION_ALL: usize = 5;
const WRITE: usize = 8;

fn rights() -> Cases {
    let strict = group();
    let loose = with_right(&strict, CHANGE_RIGHTS, 1);
    let then = |by, before: &State, right, least| {
        Case::new(before, by).then(with_right(before, right, least))
    };
    let no_right = Some(Rejection::NoRight);
    let seized = with_right(&loose, WRITE, 1).with_roles(&[(1, 2), (2, 2)]);
    let none = Case::new(&strict, 0).then(State { rights: [3; 9], ..group() });
    vec![
        ("the owner makes it a group for announcements", then(0, &strict, WRITE, 1), None),
        ("an admin does", then(1, &strict, WRITE, 1), no_right),
        ("an admin does with the right", then(1, &loose, WRITE, 1), None),
        ("a member does where admins may", then(2, &loose, WRITE, 1), no_right),
        ("an admin gives a right of admins to members", then(1, &loose, DESCRIBE, 0), None),
        ("an admin keeps a right for owners", then(1, &loose, MENTION_ALL, 2), no_right),
        ("an admin takes a right of owners", then(1, &loose, CHANGE_ROLES, 1), no_right),
        (
            "an admin gives the right to change rights away",
            then(1, &loose, CHANGE_RIGHTS, 2),
            no_right,
        ),
        ("the owner takes it back", then(0, &loose, CHANGE_RIGHTS, 2), None),
        (
            "the owner lets members change rights",
            then(0, &strict, CHANGE_RIGHTS, 0),
            Some(Rejection::BadGroupState),
        ),
        ("an admin takes a role beside", Case::new(&loose, 1).then(seized), no_right),
        ("a role that is none", none, Some(Rejection::BadGroupState)),
        (
            "rights change and removal at once",
            Case::new(&strict, 0).remove(2).then(with_right(&strict, WRITE, 1)),
            None,
        ),
    ]
}

fn before() -> Cases {
    let whole: &'static [u8] = successor(public(31), 31).leak();
    let other: &'static [u8] = successor(public(32), 32).leak();
    let forged: &'static [u8] = successor(public(31), 32).leak();
    let with = |before: &'static [u8]| State { before, ..group() };
    let bad = Some(Rejection::BadGroupState);
    let direct = State { before: whole, ..kind(1) };
    let (formed, first) = (State { before: whole, ..kind(3) }, kind(3));
    let leaving: &'static [u8] = leaving_out(&[3; 32], public(31), 31).leak();
    let devices = |state: &State| Case { members: vec![(1, 11), (1, 12)], ..Case::new(state, 0) };
    vec![
        (
            "a name changes and it stays",
            Case::new(&with(whole), 0).then(State { name: "hikes", ..with(whole) }),
            None,
        ),
        ("the owner adds it", Case::new(&group(), 0).then(with(whole)), bad),
        ("the owner takes it away", Case::new(&with(whole), 0).then(group()), bad),
        ("the owner changes it", Case::new(&with(whole), 0).then(with(other)), bad),
        ("one that another key signed", Case::new(&group(), 0).then(with(forged)), bad),
        ("one that is cut off", Case::new(&group(), 0).then(with(&whole[..whole.len() - 1])), bad),
        ("in a direct group", Case::new(&kind(1), 0).then(direct), bad),
        ("own devices: one more, and it stays", devices(&formed).add(1, 13), None),
        (
            "somebody is left out, and it stays",
            Case::new(&with(leaving), 0).then(State { name: "hikes", ..with(leaving) }),
            None,
        ),
        ("another is left out", Case::new(&with(whole), 0).then(with(leaving)), bad),
        ("own devices: it is added", devices(&first).then(formed.clone()), bad),
        ("own devices: it is taken away", devices(&formed).then(first), bad),
    ]
}

const JPEG: &[u8] = b"\x02\xff\xd8\xff\xe0picture";

fn pictures() -> Cases {
    let with = |avatar: &'static [u8]| State { avatar, ..group() };
    let by = |leaf| Case::new(&group(), leaf);
    let bad = Some(Rejection::BadGroupState);
    let long: &'static [u8] = [JPEG, &[0; 8_192]].concat().leak();
    let whole: &'static [u8] = &long[..8_193];
    vec![
        ("an admin sets a JPEG", by(1).then(with(JPEG)), None),
        ("a PNG", by(1).then(with(b"\x01\x89PNG\r\n\x1a\npicture")), None),
        ("a WebP", by(1).then(with(b"\x03RIFF\x0c\0\0\0WEBPVP8 picture")), None),
        ("as long as it may be", by(1).then(with(whole)), None),
        ("too long", by(1).then(with(&long[..8_194])), bad),
        ("a member sets one", by(2).then(with(JPEG)), Some(Rejection::NoRight)),
        ("an admin takes it away", Case::new(&with(JPEG), 1).then(group()), None),
        (
            "a member takes it away",
            Case::new(&with(JPEG), 2).then(group()),
            Some(Rejection::NoRight),
        ),
        ("nothing behind the format", by(1).then(with(b"\x02")), bad),
        ("another format than it begins with", by(1).then(with(b"\x01\xff\xd8\xff")), bad),
        ("an unknown format", by(1).then(with(b"\x04GIF89a")), bad),
        ("no picture", by(1).then(with(b"\x02<html>")), bad),
    ]
}

fn dissolving() -> Cases {
    let over = State { dissolved: 1, ..group() };
    let by = |leaf| Case::new(&group(), leaf);
    let after = |leaf| Case::new(&over, leaf);
    let bad = Some(Rejection::BadGroupState);
    let gone = Some(Rejection::Dissolved);
    let pair = Case { members: vec![(1, 11), (2, 21)], ..Case::new(&kind(1), 0) };
    vec![
        ("the owner", by(0).then(over.clone()), None),
        ("an admin", by(1).then(over.clone()), Some(Rejection::NoRight)),
        ("a member", by(2).then(over.clone()), Some(Rejection::NoRight)),
        ("and renames", by(0).then(State { name: "over", ..over.clone() }), bad),
        ("and removes", by(0).remove(3).then(over.clone()), bad),
        ("and adds", by(0).add(5, 51).then(over.clone()), bad),
        ("and lets somebody leave", by(0).leave(3).then(over.clone()), bad),
        ("neither so nor so", by(0).then(State { dissolved: 2, ..group() }), bad),
        ("a group of two", pair.then(State { dissolved: 1, ..kind(1) }), bad),
        ("a new path afterwards", after(0), gone),
        ("taken back", after(0).then(group()), gone),
        ("somebody added afterwards", after(0).add(5, 51), gone),
        ("somebody leaves afterwards", after(2).leave(3), gone),
    ]
}

/// The name has a character that is refused where it comes in.
fn agreed_texts() -> Cases {
    let hidden = State { name: "walks\u{fff8}", ..group() };
    let by = |leaf| Case::new(&hidden, leaf);
    let admin = hidden.clone().with_roles(&[(1, 2), (2, 1), (3, 1)]);
    let described = State { description: "on Sundays", ..hidden.clone() };
    let mended = State { name: "walks", description: "on Sundays", ..group() };
    vec![
        ("nothing but a new path", by(2), None),
        ("another role", by(0).then(admin), None),
        ("another name", by(1).then(State { name: "climbs", ..group() }), None),
        ("another name and a description", by(1).then(mended), None),
        ("a description only", by(1).then(described), Some(Rejection::BadGroupState)),
        (
            "another such name",
            by(1).then(State { name: "\u{fff8}walks", ..group() }),
            Some(Rejection::BadGroupState),
        ),
    ]
}

fn at_once() -> Cases {
    let by = |leaf| Case::new(&group(), leaf).add(5, 51);
    let roles = |roles: &[(u8, u8)]| group().with_roles(roles);
    vec![
        ("the owner hands over and adds", by(0).then(roles(&[(2, 1), (3, 2)])), None),
        (
            "a member makes itself an admin and adds",
            by(2).then(roles(&[(1, 2), (2, 1), (3, 1)])),
            Some(Rejection::NoRight),
        ),
    ]
}

fn kinds() -> Cases {
    let (direct, own) = (kind(1), kind(3));
    let pair = |leaf| Case { members: vec![(1, 11), (2, 21)], ..Case::new(&direct, leaf) };
    let devices = |leaf| Case { members: vec![(1, 11), (1, 12)], ..Case::new(&own, leaf) };
    let alone = Case { members: vec![(1, 11)], ..Case::new(&direct, 0) };
    vec![
        ("direct: the second person", alone.add(2, 21), None),
        ("direct: a third", pair(1).add(3, 31), Some(Rejection::TooManyIdentities)),
        ("direct: another device", pair(1).add(1, 12), None),
        ("direct: one leaves", pair(1).leave(0), None),
        ("direct: one removes the other", pair(1).remove(0), None),
        ("own devices: one more", devices(1).add(1, 13), None),
        ("own devices: one goes", devices(1).remove(0), None),
        ("own devices: a stranger", devices(0).add(2, 21), Some(Rejection::TooManyIdentities)),
    ]
}
