//! Roles, and what the rights table gives to them (spec: GRP-010, GRP-046).

use crate::encoding::DecodeError;

/// What an identity is in a group; all its devices have its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Everybody who holds no other role.
    Member = 0,
    /// May do what the rights table gives to admins.
    Admin = 1,
    /// May do everything.
    Owner = 2,
}

impl Role {
    /// Every role, from the lowest.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    /// The role with this number.
    ///
    /// # Errors
    /// [`DecodeError::UndefinedValue`].
    pub const fn of(code: u8) -> Result<Self, DecodeError> {
        match code {
            0 => Ok(Self::Member),
            1 => Ok(Self::Admin),
            2 => Ok(Self::Owner),
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// What the rights table gives to roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Right {
    /// Add an identity.
    Add = 0,
    /// Remove devices of another identity, of no higher role.
    Remove = 1,
    /// Change name, description and avatar.
    Describe = 2,
    /// Give and take the role of admin.
    ChangeRoles = 3,
    /// Change who has which right, within the own role.
    ChangeRights = 4,
    /// Mention everybody.
    MentionAll = 5,
    /// Pin a message.
    Pin = 6,
    /// Make a link by which people ask to be added.
    Invite = 7,
    /// Write; above member the group is for announcements only.
    Write = 8,
}

impl Right {
    /// Every right, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Add,
        Self::Remove,
        Self::Describe,
        Self::ChangeRoles,
        Self::ChangeRights,
        Self::MentionAll,
        Self::Pin,
        Self::Invite,
        Self::Write,
    ];
}

/// The least role for each right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightsTable([Role; Right::ALL.len()]);

impl RightsTable {
    /// The least role that has this right.
    pub fn least(&self, right: Right) -> Role {
        self.0.get(right as usize).copied().unwrap_or(Role::Owner)
    }

    /// Gives the right to this role and those above.
    pub fn grant(&mut self, right: Right, least: Role) {
        if let Some(cell) = self.0.get_mut(right as usize) {
            *cell = least;
        }
    }

    /// One byte for each right, in the order of [`Right::ALL`].
    pub(crate) fn to_bytes(&self) -> [u8; Right::ALL.len()] {
        self.0.map(|role| role as u8)
    }

    /// Reads the table.
    ///
    /// # Errors
    /// [`DecodeError`]; a table that lets plain members change rights is none (spec: GRP-046).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes: [u8; Right::ALL.len()] = bytes.try_into().map_err(|_| DecodeError::BadLength)?;
        let mut table = Self::default();
        for (right, code) in Right::ALL.into_iter().zip(bytes) {
            table.grant(right, Role::of(code)?);
        }
        if table.least(Right::ChangeRights) == Role::Member {
            return Err(DecodeError::UndefinedValue);
        }
        Ok(table)
    }
}

impl Default for RightsTable {
    /// Members write and mention all; admins add, remove, describe, pin, invite; owners change roles
    /// and rights.
    fn default() -> Self {
        let mut table = Self([Role::Admin; Right::ALL.len()]);
        table.grant(Right::ChangeRoles, Role::Owner);
        table.grant(Right::ChangeRights, Role::Owner);
        table.grant(Right::MentionAll, Role::Member);
        table.grant(Right::Write, Role::Member);
        table
    }
}

/// Whether something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// It is.
    Yes,
    /// It is not.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_specification() {
        // spec: GRP-010
        assert_eq!(RightsTable::default().to_bytes(), [1, 1, 1, 2, 2, 0, 1, 1, 0]);
    }

    #[test]
    fn every_table_comes_back_but_one_that_lets_members_change_rights() {
        // spec: GRP-046
        for right in Right::ALL {
            for role in Role::ALL {
                let mut table = RightsTable::default();
                table.grant(right, role);
                let read = RightsTable::from_bytes(&table.to_bytes());
                if right == Right::ChangeRights && role == Role::Member {
                    assert_eq!(read, Err(DecodeError::UndefinedValue));
                } else {
                    assert_eq!(read, Ok(table));
                }
            }
        }
        let ten = [1; Right::ALL.len() + 1];
        assert_eq!(RightsTable::from_bytes(&ten), Err(DecodeError::BadLength));
        assert_eq!(RightsTable::from_bytes(&ten[2..]), Err(DecodeError::BadLength));
        let undefined = [3; Right::ALL.len()];
        assert_eq!(RightsTable::from_bytes(&undefined), Err(DecodeError::UndefinedValue));
    }
}
