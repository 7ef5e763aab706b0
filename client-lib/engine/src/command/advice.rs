//! What stays the same about a failure: a code for scripts, and what a person can do about it. The
//! advice names no command and no button; an app that has them says it better.

use super::{CommandError, FailureReason};

impl FailureReason {
    /// A stable name in small letters, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAMember => "not_a_member",
            Self::NoRight => "no_right",
            Self::LastOwner => "last_owner",
            Self::NoSuchMember => "no_such_member",
            Self::Dissolved => "dissolved",
            Self::LinkNotValid => "link_not_valid",
            Self::RelayKeyMismatch => "relay_key_mismatch",
            Self::IdentityNotProven => "identity_not_proven",
            Self::NotFresh => "not_fresh",
            Self::ClockWrong => "clock_wrong",
            Self::GroupFull => "group_full",
            Self::DevicesChanged => "devices_changed",
            Self::NoKeyPackage => "no_key_package",
            Self::FileChanged => "file_changed",
            Self::FileNotAccessible => "file_not_accessible",
            Self::FileExists => "file_exists",
            Self::FolderMissing => "folder_missing",
            Self::DiskFull => "disk_full",
            Self::TooLarge => "too_large",
            Self::Expired => "expired",
            Self::Damaged => "damaged",
            Self::Refused => "refused",
            Self::NotReachable => "not_reachable",
            Self::Declined => "declined",
            Self::NoAnswer => "no_answer",
            Self::AlreadyInGroup => "already_in_group",
            Self::Cancelled => "cancelled",
        }
    }

    /// What a person can do, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NotAMember => "Ask a member to add you again.",
            Self::NoRight => "Ask an owner or admin of the group.",
            Self::LastOwner => "Make somebody else an owner first.",
            Self::NoSuchMember => "Add the person again first.",
            Self::Dissolved => "Make a new group if you want to go on.",
            Self::LinkNotValid | Self::NotReachable => "Ask for a new link, and use that.",
            Self::RelayKeyMismatch => {
                "Do not go on. Ask who runs the relay whether it was set up anew."
            }
            Self::IdentityNotProven => {
                "Begin again; if it happens twice, somebody stands in between."
            }
            Self::NotFresh => "The other side has to come online, with its clock right.",
            Self::ClockWrong => "Set this device's clock, and try again.",
            Self::GroupFull => "Make a second group for those who do not fit.",
            Self::DevicesChanged => "Look at the list of devices, and begin again.",
            Self::NoKeyPackage => "Try again when the other side has been online.",
            Self::FileChanged => "Leave the file as it is until it is sent, and try again.",
            Self::FileNotAccessible => "Check the path and its permissions.",
            Self::FileExists => "Choose another name.",
            Self::FolderMissing => "Make the folder first, or choose another.",
            Self::DiskFull => "Make room on the disk and try again.",
            Self::TooLarge => "Send a smaller file, or parts of it.",
            Self::Expired | Self::Damaged => "Ask for it to be sent again.",
            Self::Refused => "Ask who runs the relay what it allows.",
            Self::Declined => "Ask a member of the group why.",
            Self::NoAnswer => "Ask a member of the group to let you in, and ask again.",
            Self::AlreadyInGroup => "There is nothing to do.",
            Self::Cancelled => "Begin again if you want it after all.",
        }
    }
}

impl CommandError {
    /// A stable name in small letters, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IdentityExists => "identity_exists",
            Self::NoIdentity => "no_identity",
            Self::NoSuchChat => "no_such_chat",
            Self::NoSuchMessage => "no_such_message",
            Self::NoSuchContact => "no_such_contact",
            Self::NoSuccessor => "no_successor",
            Self::NoSuchSuccessor => "no_such_successor",
            Self::SeveralSuccessors => "several_successors",
            Self::NoSuchLink => "no_such_link",
            Self::NoSuchDevice => "no_such_device",
            Self::DeviceRevoked => "device_revoked",
            Self::ThisDevice => "this_device",
            Self::NoSuchMember => "no_such_member",
            Self::NoSuchRequest => "no_such_request",
            Self::WrongChatKind => "wrong_chat_kind",
            Self::ChatClosed => "chat_closed",
            Self::NewerRules => "newer_rules",
            Self::NoRight => "no_right",
            Self::LastOwner => "last_owner",
            Self::TooManyRoles => "too_many_roles",
            Self::TooManyLeftOut { .. } => "too_many_left_out",
            Self::BadPicture => "bad_picture",
            Self::BadRelayAddress => "bad_relay_address",
            Self::LinkTruncated => "link_truncated",
            Self::NotALink => "not_a_link",
            Self::LinkingCode => "linking_code",
            Self::ContactLink => "contact_link",
            Self::NotAGroupLink => "not_a_group_link",
            Self::GroupLink => "group_link",
            Self::BadUses => "bad_uses",
            Self::TooManyLinks => "too_many_links",
            Self::TooManyAskings => "too_many_askings",
            Self::AlreadyInGroup => "already_in_group",
            Self::LinkTooNew => "link_too_new",
            Self::OwnLink => "own_link",
            Self::AlreadyAContact => "already_a_contact",
            Self::AlreadyAMember => "already_a_member",
            Self::GroupFull => "group_full",
            Self::BadText => "bad_text",
            Self::PhraseWord(_) => "phrase_word",
            Self::PhraseIncomplete => "phrase_incomplete",
            Self::PhraseOfAnother => "phrase_of_another",
            Self::NotAManager => "not_a_manager",
            Self::NotInYet => "not_in_yet",
            Self::NotLinking => "not_linking",
            Self::NotStuck => "not_stuck",
            Self::NothingAsked => "nothing_asked",
            Self::NotApplicable => "not_applicable",
            Self::BadPath => "bad_path",
            Self::EventsGone { .. } => "events_gone",
            Self::DiskFull => "disk_full",
            Self::StoreDamaged => "store_damaged",
            Self::DiskFailed => "disk_failed",
            Self::Internal => "internal",
        }
    }

    /// What a person can do, in one sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::IdentityExists => "Choose another profile to have a second identity.",
            Self::NoIdentity => "Make an identity first, or choose the profile that has it.",
            Self::NoSuchChat
            | Self::NoSuchMessage
            | Self::NoSuchContact
            | Self::NoSuccessor
            | Self::NoSuchSuccessor
            | Self::NoSuchLink
            | Self::NoSuchDevice
            | Self::NoSuchMember
            | Self::NoSuchRequest => "Look at what there is, and choose from that.",
            Self::SeveralSuccessors => "Say whom you follow.",
            Self::DeviceRevoked => {
                "Link it anew, as a new profile, from a device that was not revoked."
            }
            Self::ThisDevice => "Revoke it from another device of yours.",
            Self::WrongChatKind => "A direct chat has two people and keeps them; make a group.",
            Self::ChatClosed => {
                "Ask to be added again; for a direct chat, ask for a new link and add it."
            }
            Self::NoRight => "Ask an owner or admin of the group.",
            Self::LastOwner => "Make another member an owner, then try again.",
            Self::TooManyRoles => "Make plain members of some of them.",
            Self::TooManyLeftOut { .. } => {
                "Leave out fewer and remove the others afterwards, or make a new group."
            }
            Self::BadPicture => "Make it smaller, or save it in one of these formats.",
            Self::BadRelayAddress => "Ask who runs the relay for its whole address.",
            Self::LinkTruncated => "Copy it again, from its first to its last character.",
            Self::NotALink => "Look where it came from, and take it from there once more.",
            Self::LinkingCode => "Ask for a contact link to write to somebody.",
            Self::ContactLink => {
                "Begin to link a device on the old one, and take the code it shows."
            }
            Self::NotAGroupLink => "Add the person as a contact.",
            Self::GroupLink => "Join the group by it.",
            Self::BadUses => "Choose a number from 1 to 1,000.",
            Self::TooManyLinks => "Revoke a link that is not needed any more.",
            Self::TooManyAskings => "Leave a chat that has not let you in.",
            Self::AlreadyInGroup => "There is nothing to do.",
            Self::NewerRules | Self::LinkTooNew => "Update this program.",
            Self::OwnLink => "Give it to somebody else, and ask for theirs.",
            Self::AlreadyAContact => "Write to them in the chat that is there.",
            Self::AlreadyAMember | Self::NotStuck => "There is nothing to do.",
            Self::NothingAsked => "Wait until it asks, or look whom else it asked.",
            Self::GroupFull => "Add fewer people, or make a second group.",
            Self::BadText => {
                "A text has 1 to about 61,000 bytes; a name 1 to 128, without line breaks and hidden characters."
            }
            Self::PhraseWord(_) | Self::PhraseIncomplete => {
                "Compare each word with what you wrote down."
            }
            Self::PhraseOfAnother => "Look for the phrase of this identity.",
            Self::NotAManager => "Use a device that was linked to manage others.",
            Self::NotInYet => {
                "Keep the device that linked it online until your chats appear here, and try again."
            }
            Self::NotLinking => "Begin to link a device first.",
            Self::NotApplicable => {
                "A file can be saved, a message that failed be tried again, one that is stored be pinned."
            }
            Self::BadPath => "Choose a path where nothing is yet.",
            Self::EventsGone { .. } => {
                "Read the chats anew, and go on with events from that number on."
            }
            Self::DiskFull => "Make room and try again.",
            Self::StoreDamaged => {
                "Put back no old copy: revoke this device from another one, and link it anew."
            }
            Self::DiskFailed => "Check the disk, then try again.",
            Self::Internal => "Report this as a bug.",
        }
    }
}
