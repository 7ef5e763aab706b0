//! The members of an epoch that a device has left: as much of them as it takes to judge what they
//! note there afterwards (spec: GRP-121).

use hushwire_wire::id::PublicKey;

use super::Group;
use super::error::GroupError;
use super::members::{LeafIndex, Roster};
use super::role::Role;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::Fingerprint;

/// What a member's word weighs at a fork: its role, then the lower leaf (spec: GRP-123).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The role of its identity in the common epoch.
    pub role: Role,
    /// Its leaf there.
    pub leaf: LeafIndex,
}

impl Ord for Rank {
    /// The greater one weighs more.
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.role.cmp(&other.role).then(other.leaf.cmp(&self.leaf))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A member of an epoch, without what only MLS needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMember {
    /// Its leaf and role.
    pub rank: Rank,
    /// Its identity.
    pub identity: Fingerprint,
    /// The key that its leaf signed with.
    pub signature_key: PublicKey,
}

/// The members of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRoster(Vec<PastMember>);

impl PastRoster {
    /// Puts one together.
    pub fn new(members: Vec<PastMember>) -> Self {
        Self(members)
    }

    /// Those of the epoch that a group is in now.
    ///
    /// # Errors
    /// [`GroupError::Store`] when a stored credential cannot be read.
    pub fn of(group: &Group) -> Result<Self, GroupError> {
        Ok(Self::from(&group.roster()?))
    }

    /// All of them.
    pub fn members(&self) -> &[PastMember] {
        &self.0
    }

    /// The one at this leaf.
    pub fn at(&self, leaf: LeafIndex) -> Option<&PastMember> {
        self.0.iter().find(|member| member.rank.leaf == leaf)
    }

    /// How many of them rank above this one.
    pub fn above(&self, rank: Rank) -> usize {
        self.0.iter().filter(|member| member.rank > rank).count()
    }

    /// The stored form: 69 bytes for each member.
    pub fn to_bytes(&self) -> Vec<u8> {
        let add = |writer: Writer, member: &PastMember| {
            writer
                .fixed(member.rank.leaf.0.to_be_bytes())
                .byte(member.rank.role as u8)
                .fixed(member.identity)
                .fixed(member.signature_key)
        };
        self.0.iter().fold(Writer::default(), add).into_bytes()
    }

    /// Takes up what was stored.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut members = Vec::new();
        while !reader.is_empty() {
            let leaf = LeafIndex(u32::from_be_bytes(reader.array()?));
            let rank = Rank { role: Role::of(reader.byte()?)?, leaf };
            let identity = Fingerprint::from_bytes(reader.array()?);
            let signature_key = PublicKey::from_bytes(reader.array()?);
            members.push(PastMember { rank, identity, signature_key });
        }
        Ok(Self(members))
    }
}

impl From<&Roster> for PastRoster {
    fn from(roster: &Roster) -> Self {
        let past = |member: &super::members::Member| PastMember {
            rank: Rank { role: member.role, leaf: member.leaf },
            identity: member.identity(),
            signature_key: member.credential.signature_key(),
        };
        Self(roster.members.iter().map(past).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(leaf: u32, role: Role) -> PastMember {
        PastMember {
            rank: Rank { role, leaf: LeafIndex(leaf) },
            identity: Fingerprint::from_bytes([1; 32]),
            signature_key: PublicKey::from_bytes([2; 32]),
        }
    }

    #[test]
    fn a_role_weighs_more_than_a_leaf_and_a_low_leaf_more_than_a_high_one() {
        // spec: GRP-123
        let rank = |leaf, role| Rank { role, leaf: LeafIndex(leaf) };
        assert!(rank(9, Role::Owner) > rank(0, Role::Admin));
        assert!(rank(9, Role::Admin) > rank(0, Role::Member));
        assert!(rank(1, Role::Member) > rank(2, Role::Member));
        let members = [(0, Role::Member), (1, Role::Owner), (2, Role::Admin), (3, Role::Owner)];
        let roster = PastRoster::new(members.map(|(leaf, role)| member(leaf, role)).to_vec());
        assert_eq!(
            [1, 3, 2, 0].map(|leaf| roster.above(roster.at(LeafIndex(leaf)).unwrap().rank)),
            [0, 1, 2, 3]
        );
    }

    #[test]
    fn a_roster_of_a_thousand_takes_69_kilobytes_and_comes_back() {
        let roster = PastRoster::new((0..1_000).map(|leaf| member(leaf, Role::Admin)).collect());
        let bytes = roster.to_bytes();
        assert_eq!(bytes.len(), 69_000);
        assert_eq!(PastRoster::from_bytes(&bytes), Ok(roster));
        assert_eq!(PastRoster::from_bytes(&bytes[..70]), Err(DecodeError::Truncated));
        let mut of_no_role = bytes;
        of_no_role[4] = 3;
        assert_eq!(PastRoster::from_bytes(&of_no_role), Err(DecodeError::UndefinedValue));
    }
}
