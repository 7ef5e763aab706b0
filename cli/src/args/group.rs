//! `hush group`.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use hushwire::command::{GroupRight, MemberRole};

/// A right, by the name that is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RightName {
    /// Add people
    Add,
    /// Remove people of no higher role
    Remove,
    /// Change name, description and picture
    Describe,
    /// Make and unmake admins
    ChangeRoles,
    /// Change who may do what, within the own role
    ChangeRights,
    /// Mention everybody
    MentionAll,
    /// Pin messages
    Pin,
    /// Make links to the group
    Invite,
    /// Write
    Write,
}

impl From<RightName> for GroupRight {
    fn from(name: RightName) -> Self {
        match name {
            RightName::Add => Self::Add,
            RightName::Remove => Self::Remove,
            RightName::Describe => Self::Describe,
            RightName::ChangeRoles => Self::ChangeRoles,
            RightName::ChangeRights => Self::ChangeRights,
            RightName::MentionAll => Self::MentionAll,
            RightName::Pin => Self::Pin,
            RightName::Invite => Self::Invite,
            RightName::Write => Self::Write,
        }
    }
}

/// A role, by the name that is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Everybody
    Member,
    /// Admins and owners
    Admin,
    /// Owners only
    Owner,
}

impl From<RoleName> for MemberRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Member => Self::Member,
            RoleName::Admin => Self::Admin,
            RoleName::Owner => Self::Owner,
        }
    }
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is
    On,
    /// It is not
    Off,
}

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
    /// Remove members with all their devices, in one change
    ///
    /// JSON: for each member {"type":"done","done":"member_removed","chat","fingerprint"}.
    Remove {
        /// The group's number or the beginning of its name
        group: String,
        /// The beginnings of the members' names, or at least 8 digits of their fingerprints' beginnings
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Show name, description, picture and rights of a group
    ///
    /// JSON: {"type":"group","chat","name","description","picture_type","picture_size","role",
    /// "rights":{"add","remove","describe","change_roles","change_rights","mention_all","pin",
    /// "invite","write"}}; "role" is your own, each right has the least role that has it.
    Show {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Give a group another name
    ///
    /// JSON: {"type":"done","done":"group_renamed","chat"}.
    Rename {
        /// The group's number or the beginning of its name
        group: String,
        /// Its new name
        name: String,
    },
    /// Say what a group is about
    ///
    /// JSON: {"type":"done","done":"group_described","chat"}.
    Describe {
        /// The group's number or the beginning of its name
        group: String,
        /// The text; `-` reads it from standard input, an empty one takes it away
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Set, save or remove a group's picture
    ///
    /// JSON: {"type":"done","done":"picture_set","chat"}, or picture_removed, or picture_saved.
    Avatar {
        /// The group's number or the beginning of its name
        group: String,
        /// A PNG, JPEG or WebP file of at most 8,192 bytes
        #[arg(required_unless_present_any = ["remove", "save"])]
        file: Option<PathBuf>,
        /// Take the picture away
        #[arg(long, conflicts_with_all = ["file", "save"])]
        remove: bool,
        /// Write the picture to a new file
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        save: Option<PathBuf>,
    },
    /// Make a member an admin or owner
    ///
    /// JSON: {"type":"done","done":"role_changed","chat","fingerprint","role"}.
    Promote {
        /// The group's number or the beginning of its name
        group: String,
        /// The beginning of the member's name, or at least 8 digits of its fingerprint's beginning
        member: String,
        /// May do what the rights give to admins
        #[arg(long, required_unless_present = "owner", conflicts_with = "owner")]
        admin: bool,
        /// May do everything
        #[arg(long)]
        owner: bool,
    },
    /// Make an admin or owner a plain member
    ///
    /// Everybody may do this to themselves, but for the last owner.
    ///
    /// JSON: {"type":"done","done":"role_changed","chat","fingerprint","role"}.
    Demote {
        /// The group's number or the beginning of its name
        group: String,
        /// The beginning of the member's name, or at least 8 digits of its fingerprint's beginning
        member: String,
        /// Make an admin of an owner
        #[arg(long)]
        admin: bool,
    },
    /// Show who may do what, or change it
    ///
    /// JSON: a "group" object, as in `hush group show`; after a change
    /// {"type":"done","done":"right_changed","chat","right","role"}.
    Rights {
        /// The group's number or the beginning of its name
        group: String,
        /// Which right
        #[arg(requires = "role")]
        right: Option<RightName>,
        /// Who has it, with those above
        role: Option<RoleName>,
    },
    /// Let admins and owners write only, or everybody again
    ///
    /// JSON: {"type":"done","done":"right_changed","chat","right","role"}.
    Announce {
        /// The group's number or the beginning of its name
        group: String,
        /// Whether it is for announcements only
        only: Switch,
    },
    /// End a group for all its members; there is no way back
    ///
    /// What was said stays on the devices that have it.
    ///
    /// JSON: {"type":"done","done":"group_dissolved","chat"}.
    Dissolve {
        /// The group's number or the beginning of its name
        group: String,
        /// Yes, for all and for ever
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Make a link by which people ask to be let in
    ///
    /// Whoever has it comes in, or with --approval asks to. Everybody who may make links sees it and
    /// can revoke it.
    ///
    /// JSON: {"type":"group_link","chat","link","text","admission","uses","state","expires_at_ms",
    /// "maker"}; "admission" is open, approval or former (`hush group succeed`), "state" is pending, active, revoked or expired.
    Link {
        /// The group's number or the beginning of its name
        group: String,
        /// For so many requests [default: 1,000]
        #[arg(long, value_name = "N")]
        uses: Option<u64>,
        /// Stop working after this time, such as 3h or 2d
        #[arg(long, value_name = "TIME", value_parser = super::length)]
        expires: Option<Duration>,
        /// A member has to approve each request
        #[arg(long)]
        approval: bool,
    },
    /// List the links of a group
    ///
    /// JSON: "group_link" objects, as in `hush group link`.
    Links {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Revoke a link of a group
    ///
    /// JSON: {"type":"done","done":"group_link_revoked","chat","link"}.
    Unlink {
        /// The group's number or the beginning of its name
        group: String,
        /// The link's number
        link: u64,
    },
    /// List who asks to be let in
    ///
    /// JSON: {"type":"join_request","chat","request","name","fingerprint","link","asked_at_ms",
    /// "state"}; "state" is waiting or admitting.
    Requests {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Let somebody in who asks
    ///
    /// JSON: {"type":"done","done":"request_approved","chat"}.
    Approve {
        /// The group's number or the beginning of its name
        group: String,
        /// The request's number
        request: u64,
    },
    /// Do not let somebody in who asks
    ///
    /// They are told, and learn whose device said it.
    ///
    /// JSON: {"type":"done","done":"request_declined","chat"}.
    Decline {
        /// The group's number or the beginning of its name
        group: String,
        /// The request's number
        request: u64,
    },
    /// Leave a group
    ///
    /// It also takes back a request to be let in.
    ///
    /// JSON: {"type":"done","done":"group_left","chat"}.
    Leave {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Form a group anew, where it cannot go on
    ///
    /// For owners and admins. The group goes on at your relay, in the same chat, with its name and
    /// rights; who was in it comes along by itself: behind an owner at once, behind an admin with
    /// `hush group follow`, or where it has no other way on. The link that is shown is for those who
    /// hear of it by no other way. Who is left out comes in only if a member lets them.
    ///
    /// JSON: "group_link", as in `hush group link`; its "admission" is former.
    Succeed {
        /// The group's number or the beginning of its name
        group: String,
        /// Leave this member out: the beginning of its name, or at least 8 digits of its fingerprint's
        /// beginning; may be given several times: 256 at most, and 11 to 18 while changes of the group
        /// wait to be decided
        #[arg(long, value_name = "MEMBER")]
        without: Vec<String>,
        /// Yes, the group goes on elsewhere for all
        #[arg(long, required = true)]
        yes: bool,
    },
    /// List who has formed the group anew, and is not followed yet
    ///
    /// JSON: {"type":"successor","fingerprint","name"}.
    Successors {
        /// The group's number or the beginning of its name
        group: String,
    },
    /// Go along with somebody who has formed the group anew
    ///
    /// JSON: {"type":"done","done":"group_followed","chat"}.
    Follow {
        /// The group's number or the beginning of its name
        group: String,
        /// With whom, if more than one has: the beginning of its name, or at least 8 digits of its
        /// fingerprint's beginning
        #[arg(long, value_name = "MEMBER")]
        by: Option<String>,
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
    /// List the members and their roles
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
    ///
    /// JSON: "chat" objects, as in `hush chats`.
    List,
}
