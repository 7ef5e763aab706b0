//! `hush group`.

use clap::Subcommand;

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Create a group, with yourself as its owner
    ///
    /// JSON: a "chat" object, as in `hush chats`.
    New {
        /// Its name; only members see it
        name: String,
    },
    /// Add contacts, with all their devices
    ///
    /// JSON: for each contact {"type":"done","done":"member_added","chat","contact"}.
    Add {
        /// The group's number or the beginning of its name
        group: String,
        /// The contacts' numbers or the beginnings of their names
        #[arg(required = true)]
        contacts: Vec<String>,
    },
    /// Remove a member with all devices
    ///
    /// JSON: {"type":"done","done":"member_removed","chat","fingerprint"}.
    Remove {
        /// The group's number or the beginning of its name
        group: String,
        /// The beginning of the member's name, or at least 8 digits of its fingerprint's beginning
        member: String,
    },
    /// Leave a group
    ///
    /// JSON: {"type":"done","done":"group_left","chat"}.
    Leave {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Ask the others once more to add this device again, to a chat in which it is stuck
    ///
    /// It asks by itself when it gets stuck, and comes back as soon as one of them is online. The
    /// history stays; what was said meanwhile cannot be read here.
    ///
    /// JSON: {"type":"done","done":"rejoin_asked","chat"}.
    Rejoin {
        /// The chat's number or the beginning of its name
        chat: String,
    },
    /// Add devices of a member again that ask for it and did not prove that they were in before
    ///
    /// Ask the member first, by voice or in person, whether it is theirs.
    ///
    /// JSON: {"type":"done","done":"member_readmitted","chat","fingerprint"}.
    Readmit {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The beginning of the member's name, or at least 8 digits of its fingerprint's beginning
        member: String,
    },
    /// List the members
    ///
    /// JSON: {"type":"member","fingerprint","name","role","devices","whose","asking"}; "role" is
    /// owner, admin or member, "whose" is mine or others, "asking" counts devices that ask to be
    /// added again (`hush group readmit`).
    Members {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Show the digits that members compare
    ///
    /// Members who compare them, by voice or in person, know that they see the same members and the
    /// same history. They change with every change of the group: compare them when nothing moves.
    ///
    /// JSON: {"type":"group_code","chat","name","epoch","digits"}.
    Code {
        /// The chat's number or the beginning of its name; direct chats have one too
        chat: String,
    },
    /// List the groups
    List,
}
