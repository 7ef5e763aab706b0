//! What the members have agreed on: the GroupContext extension of this protocol (spec: GRP-010).

use super::avatar::{AVATAR_BYTES_MAX, Avatar};
use super::role::{Allowed, Right, RightsTable, Role};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::hidden::is_hidden;
use crate::identity::Fingerprint;
use crate::succession::{SUCCESSOR_BYTES_MAX, Successor, SuccessorError};

/// Type of the GroupContext extension; private use (RFC 9420 section 17.3).
pub(crate) const EXTENSION_TYPE: u16 = 0xF4A1;

const VERSION: u16 = 1;

/// Longest name of a group, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest description of a group, in bytes of UTF-8.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;
/// Most identities that hold a role above member.
pub const ROLES_MAX: usize = 256;

/// Which rules judge commits; part of the agreed state, so that clients of several versions agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleVersion(pub u16);

impl RuleVersion {
    /// The rules of `spec/groups.md`.
    pub const V1: Self = Self(1);
    /// The newest that this program judges by (spec: GRP-100).
    pub const SUPPORTED: Self = Self::V1;

    /// By which rules a state in bytes is to be judged: of every layout, version and rules come
    /// first, and nothing else is looked at (spec: GRP-100).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn of_state(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.short()?;
        reader.short().map(Self)
    }
}

/// What a group is for. Fixed at its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GroupKind {
    /// Two people; both own it.
    Direct = 1,
    /// Many people, with roles.
    Group = 2,
    /// The devices of one identity.
    OwnDevices = 3,
}

impl GroupKind {
    pub(crate) const fn of(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Direct),
            2 => Ok(Self::Group),
            3 => Ok(Self::OwnDevices),
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// Whether a group goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Life {
    /// It does.
    Open = 0,
    /// An owner has ended it: nothing follows (spec: GRP-081).
    Dissolved = 1,
}

/// An identity with a role above member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleEntry {
    /// Who.
    pub identity: Fingerprint,
    /// Admin or owner.
    pub role: Role,
}

/// The agreed state of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupState {
    /// Which rules judge commits.
    pub rules: RuleVersion,
    /// What the group is for.
    pub kind: GroupKind,
    /// What people call it, without control and hidden characters (spec: GRP-010); empty for groups
    /// that show their members instead.
    pub name: String,
    /// What it is about: the same, but for line feeds and tabs.
    pub description: String,
    /// Its picture.
    pub avatar: Option<Avatar>,
    /// Whether it goes on; only groups of kind `Group` are dissolved (spec: GRP-046).
    pub life: Life,
    /// Owners and admins, in ascending order of identity; empty unless the kind is `Group`.
    pub roles: Vec<RoleEntry>,
    /// Who may do what; without effect unless the kind is `Group`.
    pub rights: RightsTable,
    /// The group that this one takes the place of, by the word of a member of that one. Fixed at its
    /// creation (spec: GRP-140).
    pub before: Option<Box<Successor>>,
}

impl GroupState {
    /// The state of a new group with its creator as only owner.
    pub fn new(kind: GroupKind, creator: Fingerprint) -> Self {
        let roles = match kind {
            GroupKind::Group => vec![RoleEntry { identity: creator, role: Role::Owner }],
            GroupKind::Direct | GroupKind::OwnDevices => Vec::new(),
        };
        Self {
            rules: RuleVersion::V1,
            kind,
            name: String::new(),
            description: String::new(),
            avatar: None,
            life: Life::Open,
            roles,
            rights: RightsTable::default(),
            before: None,
        }
    }

    /// The role of an identity. In groups of two, and of own devices, everybody is an owner
    /// (spec: GRP-011).
    pub fn role(&self, identity: &Fingerprint) -> Role {
        match self.kind {
            GroupKind::Direct | GroupKind::OwnDevices => Role::Owner,
            GroupKind::Group => self
                .roles
                .iter()
                .find(|entry| entry.identity == *identity)
                .map_or(Role::Member, |entry| entry.role),
        }
    }

    /// Leaves out of the texts what is refused in them where they come in (spec: CLI-135).
    pub(crate) fn leave_out_refused(&mut self) {
        let named = !self.name.is_empty();
        self.name.retain(|character| !is_unprintable(character));
        if named && self.name.is_empty() {
            "?".clone_into(&mut self.name);
        }
        self.description.retain(|character| !is_no_text(character));
    }

    /// Whether an identity has a right.
    pub fn allows(&self, identity: &Fingerprint, right: Right) -> Allowed {
        if self.role(identity) >= self.rights.least(right) { Allowed::Yes } else { Allowed::No }
    }

    /// Gives an identity a role, in place of what it had.
    pub fn set_role(&mut self, identity: Fingerprint, role: Role) {
        self.roles.retain(|entry| entry.identity != identity);
        if role > Role::Member {
            self.roles.push(RoleEntry { identity, role });
            self.roles.sort_by_key(|entry| entry.identity);
        }
    }

    /// The one encoding (spec: GRP-010).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut roles = Writer::default();
        for entry in &self.roles {
            roles = roles.fixed(entry.identity).byte(entry.role as u8);
        }
        Writer::default()
            .short(VERSION)
            .short(self.rules.0)
            .byte(self.kind as u8)
            .variable(self.name.as_bytes())
            .variable(self.description.as_bytes())
            .variable(&Avatar::to_field(self.avatar.as_ref()))
            .byte(self.life as u8)
            .variable(roles.as_bytes())
            .variable(&self.rights.to_bytes())
            .variable(&self.before.as_ref().map(|before| before.to_bytes()).unwrap_or_default())
            .into_bytes()
    }

    /// Reads a state: one encoding, nothing after it (spec: GRP-010).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let state = Self::from_agreed(bytes)?;
        if state.name.contains(is_unprintable) || state.description.contains(is_no_text) {
            return Err(DecodeError::UndefinedValue);
        }
        Ok(state)
    }

    /// Reads the state that a commit leads to. Texts that it leaves as they are were agreed to before,
    /// so no member refuses a commit for them (spec: GRP-010, CLI-135).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes_after(bytes: &[u8], before: &Self) -> Result<Self, DecodeError> {
        let state = Self::from_agreed(bytes)?;
        if state.name == before.name && state.description == before.description {
            return Ok(state);
        }
        Self::from_bytes(bytes)
    }

    /// Reads a state that this member agreed to before, whatever characters its texts have: the list
    /// of those that are refused grows (spec: CLI-134). Whether this program judges by its rules is
    /// for the caller to ask ([`RuleVersion::of_state`]).
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_agreed(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let rules = RuleVersion(reader.short()?);
        if rules < RuleVersion::V1 {
            return Err(DecodeError::UnknownVersion);
        }
        let kind = GroupKind::of(reader.byte()?)?;
        let name = reader.text(NAME_BYTES_MAX)?.to_owned();
        let description = reader.text(DESCRIPTION_BYTES_MAX)?.to_owned();
        // One byte before the picture names its format.
        let avatar = Avatar::of_field(reader.variable(1 + AVATAR_BYTES_MAX)?)?;
        let life = match reader.byte()? {
            0 => Life::Open,
            1 => Life::Dissolved,
            _ => return Err(DecodeError::UndefinedValue),
        };
        let roles = read_roles(reader.variable(ROLES_MAX * (Fingerprint::LENGTH + 1))?)?;
        let rights = RightsTable::from_bytes(reader.variable(Right::ALL.len())?)?;
        let before = read_before(reader.variable(SUCCESSOR_BYTES_MAX)?)?;
        reader.finish()?;
        let plain = roles.is_empty() && life == Life::Open;
        let (of_several, direct) = (kind == GroupKind::Group, kind == GroupKind::Direct);
        // spec: GRP-140, GRP-145
        let leaves_out = before.as_ref().is_some_and(|before| !before.left_out.is_empty());
        if (!of_several && (!plain || leaves_out)) || (direct && before.is_some()) {
            return Err(DecodeError::UndefinedValue);
        }
        Ok(Self { rules, kind, name, description, avatar, life, roles, rights, before })
    }
}

/// Whether a group may be called this (spec: GRP-010).
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && !text.chars().any(is_unprintable)
}

/// What could make a name look like another: decided by a fixed list, so that all members agree.
fn is_unprintable(character: char) -> bool {
    character.is_control() || is_hidden(character)
}

/// The same for a text of several lines.
fn is_no_text(character: char) -> bool {
    !matches!(character, '\n' | '\t') && is_unprintable(character)
}

/// What a group takes the place of, signed by who says so (spec: GRP-140).
fn read_before(bytes: &[u8]) -> Result<Option<Box<Successor>>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match Successor::from_bytes(bytes) {
        Ok(before) => Ok(Some(Box::new(before))),
        Err(SuccessorError::Malformed(error)) => Err(error),
        Err(SuccessorError::BadSignature) => Err(DecodeError::UndefinedValue),
    }
}

fn read_roles(bytes: &[u8]) -> Result<Vec<RoleEntry>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut roles: Vec<RoleEntry> = Vec::new();
    while !reader.is_empty() {
        let identity = Fingerprint::from_bytes(reader.array()?);
        let role = match Role::of(reader.byte()?)? {
            Role::Member => return Err(DecodeError::UndefinedValue),
            role => role,
        };
        if roles.last().is_some_and(|last| last.identity >= identity) {
            return Err(DecodeError::NotInOrder);
        }
        roles.push(RoleEntry { identity, role });
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes([byte; 32])
    }

    fn state() -> GroupState {
        let mut state = GroupState::new(GroupKind::Group, identity(2));
        state.set_role(identity(1), Role::Admin);
        "walks".clone_into(&mut state.name);
        state.avatar = Some(Avatar::new(b"\xff\xd8\xff picture".to_vec()).unwrap());
        state
    }

    #[test]
    fn a_state_comes_back_and_every_truncation_is_refused() {
        // spec: GRP-010
        let bytes = state().to_bytes();
        assert_eq!(GroupState::from_bytes(&bytes).unwrap(), state());
        for length in 0..bytes.len() {
            assert!(GroupState::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(GroupState::from_bytes(&longer), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn the_largest_state_comes_back() {
        // spec: GRP-010, GRP-048
        let mut largest = state();
        largest.name = "x".repeat(NAME_BYTES_MAX);
        largest.description = "x".repeat(DESCRIPTION_BYTES_MAX);
        let picture = [&b"\xff\xd8\xff"[..], &[7; AVATAR_BYTES_MAX - 3]].concat();
        largest.avatar = Some(Avatar::new(picture).unwrap());
        for number in 3..=u8::MAX {
            largest.set_role(identity(number), Role::Admin);
        }
        largest.set_role(identity(0), Role::Owner);
        assert_eq!(largest.roles.len(), ROLES_MAX);
        assert_eq!(GroupState::from_bytes(&largest.to_bytes()), Ok(largest.clone()));
        largest.set_role(
            Fingerprint::from_bytes([[7; 16], [8; 16]].concat().try_into().unwrap()),
            Role::Admin,
        );
        assert_eq!(GroupState::from_bytes(&largest.to_bytes()), Err(DecodeError::TooLong));
    }

    #[test]
    fn what_joiners_would_refuse_is_left_out() {
        // spec: CLI-135
        let cases = [
            ("walks", "on\n\tSundays", "walks", "on\n\tSundays"),
            ("wa\u{202e}lks\n", "on\u{1b} Sundays", "walks", "on Sundays"),
            ("\u{202e}\n", "\u{202e}", "?", ""),
            ("", "", "", ""),
        ];
        for (name, description, left_name, left_description) in cases {
            let mut state =
                GroupState { name: name.into(), description: description.into(), ..state() };
            state.leave_out_refused();
            assert_eq!((&*state.name, &*state.description), (left_name, left_description));
            assert_eq!(GroupState::from_bytes(&state.to_bytes()), Ok(state));
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        // spec: GRP-010
        let mut unsorted = state();
        unsorted.roles.reverse();
        assert_eq!(GroupState::from_bytes(&unsorted.to_bytes()), Err(DecodeError::NotInOrder));
        let mut member = state();
        member.roles.push(RoleEntry { identity: identity(9), role: Role::Member });
        assert_eq!(GroupState::from_bytes(&member.to_bytes()), Err(DecodeError::UndefinedValue));
        let mut direct = state();
        direct.kind = GroupKind::Direct;
        assert_eq!(GroupState::from_bytes(&direct.to_bytes()), Err(DecodeError::UndefinedValue));
        // spec: GRP-046
        let mut over = GroupState::new(GroupKind::Direct, identity(1));
        assert!(GroupState::from_bytes(&over.to_bytes()).is_ok());
        over.life = Life::Dissolved;
        assert_eq!(GroupState::from_bytes(&over.to_bytes()), Err(DecodeError::UndefinedValue));
        let mut rules = state();
        rules.rules = RuleVersion(0);
        assert_eq!(GroupState::from_bytes(&rules.to_bytes()), Err(DecodeError::UnknownVersion));
        let mut long = state();
        long.name = "x".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(GroupState::from_bytes(&long.to_bytes()), Err(DecodeError::TooLong));
    }

    #[test]
    fn by_which_rules_a_state_is_judged_stands_in_front_of_every_layout() {
        // spec: GRP-100
        let newer = [&[0, 9, 0, 2][..], b"a layout of another time"].concat();
        assert_eq!(RuleVersion::of_state(&newer), Ok(RuleVersion(2)));
        assert_eq!(RuleVersion::of_state(&state().to_bytes()), Ok(RuleVersion::V1));
        assert!(RuleVersion::of_state(&[0, 1, 0]).is_err());
    }

    #[test]
    fn a_name_or_description_that_could_deceive_is_refused() {
        // spec: GRP-010
        let with = |name: &str, description: &str| {
            let state =
                GroupState { name: name.into(), description: description.into(), ..state() };
            GroupState::from_bytes(&state.to_bytes()).map(|read| assert_eq!(read, state))
        };
        for text in ["", "Übung 文 👩\u{200d}💻", "a: b"] {
            assert_eq!(with(text, text), Ok(()), "{text:?}");
        }
        assert_eq!(with("a", "one\n\ttwo"), Ok(()));
        for character in
            ['\n', '\t', '\u{1b}', '\u{9b}', '\u{ad}', '\u{202e}', '\u{2066}', '\u{e0041}']
        {
            let text = format!("a{character}b");
            assert_eq!(with(&text, ""), Err(DecodeError::UndefinedValue), "{text:?}");
            let described = if matches!(character, '\n' | '\t') {
                Ok(())
            } else {
                Err(DecodeError::UndefinedValue)
            };
            assert_eq!(with("a", &text), described, "{text:?}");
            // What was agreed to before is read all the same (spec: CLI-134).
            let state = GroupState { name: text.clone(), description: text, ..state() };
            assert_eq!(GroupState::from_agreed(&state.to_bytes()), Ok(state));
        }
    }

    #[test]
    fn roles_decide_rights_in_groups_only() {
        // spec: GRP-011
        let state = state();
        assert_eq!(state.allows(&identity(1), Right::Add), Allowed::Yes);
        assert_eq!(state.allows(&identity(1), Right::ChangeRoles), Allowed::No);
        assert_eq!(state.allows(&identity(3), Right::Add), Allowed::No);
        assert_eq!(state.allows(&identity(3), Right::Pin), Allowed::No);
        assert_eq!(state.allows(&identity(3), Right::Write), Allowed::Yes);
        let direct = GroupState::new(GroupKind::Direct, identity(1));
        assert_eq!(direct.role(&identity(7)), Role::Owner);
    }
}
