//! Why something will not happen.

use serde::{Deserialize, Serialize};

/// Why something will not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// This identity is not in the group any more.
    #[error("you are no longer in this group")]
    NotAMember,
    /// The rights of the group do not allow it.
    #[error("your role in this group does not allow it")]
    NoRight,
    /// Nobody would own the group any more.
    #[error("the group would have no owner: somebody else has to be one first")]
    LastOwner,
    /// The person has left the group meanwhile.
    #[error("this person is not in the group any more")]
    NoSuchMember,
    /// An owner ended the group.
    #[error("an owner has dissolved the group")]
    Dissolved,
    /// The link was revoked, used up, or never valid.
    #[error("the link is not valid any more; ask for a new one")]
    LinkNotValid,
    /// The relay answered with another key than the one that was pinned.
    #[error("the relay has another key than expected; do not trust it, ask its operator")]
    RelayKeyMismatch,
    /// What came does not prove the identity that was expected.
    #[error("the other side could not prove its identity")]
    IdentityNotProven,
    /// What the other side signed is too old or from the future, and this device's clock agrees with
    /// the relay's.
    #[error("the other side's device list is too old, or its clock is wrong")]
    NotFresh,
    /// What the other side signed seems too old or from the future, and this device's clock is more
    /// than a day away from the relay's.
    #[error("this device's clock is wrong by more than a day, if the relay's is right")]
    ClockWrong,
    /// The group has as many people, or devices, as a group may have.
    #[error("the group has as many people or devices as a group can have")]
    GroupFull,
    /// The devices, or the keys that they share, were changed at the same time, here or by another own device.
    #[error("the devices or their keys were changed at the same time; begin again")]
    DevicesChanged,
    /// No key package of the person is left.
    #[error("the other side must come online before it can be added")]
    NoKeyPackage,
    /// The file is not there any more, or has changed.
    #[error("the file vanished or changed while it was read")]
    FileChanged,
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    FileNotAccessible,
    /// Something is there already under the name that the file is to have.
    #[error("something is there already under this name; choose another one")]
    FileExists,
    /// The folder that the file is to be in is not there.
    #[error("the folder for the file is missing")]
    FolderMissing,
    /// No space is left for the file.
    #[error("the disk is full")]
    DiskFull,
    /// The file is larger than the relay takes.
    #[error("the file is larger than the relay takes")]
    TooLarge,
    /// The relay no longer keeps it.
    #[error("the relay no longer keeps it")]
    Expired,
    /// The bytes are not what their sender described.
    #[error("the content does not match its description")]
    Damaged,
    /// The relay refuses in a way that will not change.
    #[error("the relay refused it")]
    Refused,
    /// The person's inbox takes nothing from this identity any more.
    #[error("the other side cannot be reached; ask for a new link")]
    NotReachable,
    /// A member of the group said no.
    #[error("the group did not let you in")]
    Declined,
    /// Nobody of the group answered in time.
    #[error("nobody of the group answered in time")]
    NoAnswer,
    /// This identity is in the group already.
    #[error("you are in this group already")]
    AlreadyInGroup,
    /// The person stopped it.
    #[error("stopped")]
    Cancelled,
}

/// Why a command was not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The profile has an identity already.
    #[error("this profile has an identity already")]
    IdentityExists,
    /// The profile has no identity yet.
    #[error("this profile has no identity yet")]
    NoIdentity,
    /// There is no such chat.
    #[error("there is no such chat")]
    NoSuchChat,
    /// There is no such message.
    #[error("there is no such message")]
    NoSuchMessage,
    /// There is no such contact.
    #[error("there is no such contact")]
    NoSuchContact,
    /// Nobody has formed this group anew, or who has is followed already.
    #[error("nobody has formed this group anew who is not followed already")]
    NoSuccessor,
    /// Not who was named has formed this group anew, or that one is followed already.
    #[error("who was named has not formed this group anew, or is followed already")]
    NoSuchSuccessor,
    /// More than one has formed this group anew.
    #[error("more than one has formed this group anew")]
    SeveralSuccessors,
    /// There is no such link.
    #[error("there is no such link")]
    NoSuchLink,
    /// There is no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// This device was revoked.
    #[error("this device was revoked: it can only read what it has")]
    DeviceRevoked,
    /// A device does not revoke itself.
    #[error("this is the device you are using; revoke it from another one")]
    ThisDevice,
    /// There is no such member.
    #[error("there is no such member")]
    NoSuchMember,
    /// There is no such request, or it is over.
    #[error("there is no such request to be let in")]
    NoSuchRequest,
    /// It works in groups only, or in direct chats only.
    #[error("this kind of chat does not allow it")]
    WrongChatKind,
    /// The chat is over.
    #[error("this chat is over, or could not be set up")]
    ChatClosed,
    /// The chat goes by rules that this program does not know.
    #[error("this chat needs a newer version of this program")]
    NewerRules,
    /// The rights of the group do not allow it.
    #[error("your role in this group does not allow it")]
    NoRight,
    /// The last owner cannot leave a group that has other members, or step down.
    #[error("you are the last owner: make somebody else an owner first")]
    LastOwner,
    /// More owners and admins than a group can have.
    #[error("a group has at most 256 owners and admins")]
    TooManyRoles,
    /// More people are to be left out of a group that is formed anew than can be said.
    #[error("more people are left out than can be said now: at most {most}")]
    TooManyLeftOut {
        /// How many can be: fewer while changes of the group before wait to be decided.
        most: u16,
    },
    /// The picture is longer than a group's may be, or of another format.
    #[error("a group's picture is a PNG, JPEG or WebP of at most 8,192 bytes")]
    BadPicture,
    /// The relay address is not of the form `host:port#id`.
    #[error("the relay address is not valid; it reads host:port#id")]
    BadRelayAddress,
    /// The link is not as it was made: characters are missing, or others.
    #[error("the link was cut off or altered")]
    LinkTruncated,
    /// The text is no link of this system.
    #[error("this is no link or code of Hushwire")]
    NotALink,
    /// A linking code where a contact link is expected.
    #[error("this is a linking code: it is for a new device of one's own, and for nobody else")]
    LinkingCode,
    /// A contact link where a linking code is expected.
    #[error("this is a contact link, and no linking code")]
    ContactLink,
    /// A link of a person where one of a group is expected.
    #[error("this is a link of a person, and of no group")]
    NotAGroupLink,
    /// A link of a group where one of a person is expected.
    #[error("this is a link of a group, and of no person")]
    GroupLink,
    /// A link is good for 1 to 1,000 requests.
    #[error("a link is good for 1 to 1,000 requests")]
    BadUses,
    /// The group has as many links as it may have.
    #[error("this group has as many links as a group can have")]
    TooManyLinks,
    /// This identity asks to be let into as many groups as it may.
    #[error("you are asking to be let into too many groups at once")]
    TooManyAskings,
    /// This identity is in the group already.
    #[error("you are in this group already")]
    AlreadyInGroup,
    /// The link is of a newer version.
    #[error("the link needs a newer version of this program")]
    LinkTooNew,
    /// The link is one's own.
    #[error("this is your own link")]
    OwnLink,
    /// The contact is there already.
    #[error("this person is a contact already")]
    AlreadyAContact,
    /// The person is in the group already.
    #[error("this person is in the group already")]
    AlreadyAMember,
    /// The group would have more people than a group may have.
    #[error("the group would have more people than a group can have")]
    GroupFull,
    /// The name or text is empty or too long, or a name has control or hidden characters.
    #[error("the text or name is empty, too long, or has characters that hide")]
    BadText,
    /// The recovery phrase has a word that is not in the list.
    #[error("word {0} of the phrase is not in the word list")]
    PhraseWord(u8),
    /// The recovery phrase does not have 24 words, or its check word is wrong.
    #[error("the phrase is incomplete or two words are swapped")]
    PhraseIncomplete,
    /// The recovery phrase belongs to another identity.
    #[error("the phrase belongs to another identity")]
    PhraseOfAnother,
    /// This device does not hold the manager key.
    #[error("this device may not link or revoke devices")]
    NotAManager,
    /// The other devices of this identity have not let this one in yet.
    #[error("your other devices have not let this one in yet")]
    NotInYet,
    /// No device is being linked.
    #[error("no device is being linked")]
    NotLinking,
    /// The chat is not one in which this device cannot go on.
    #[error("nothing has to be asked for in this chat")]
    NotStuck,
    /// No device of the member asks to be added again.
    #[error("no device of this member asks to be added again")]
    NothingAsked,
    /// The message has no file, or is not failed, or the file is here already.
    #[error("this does not apply to that message")]
    NotApplicable,
    /// The path is not absolute, or exists already.
    #[error("the path is not absolute, or something is there already")]
    BadPath,
    /// Events from this number on are not kept any more. An app reads its chats anew, and goes on
    /// with events from `oldest` on.
    #[error("events before number {} are not kept any more", .oldest.0)]
    EventsGone {
        /// The oldest that there is.
        oldest: crate::event::EventNumber,
    },
    /// The disk is full; nothing was changed.
    #[error("the disk is full; nothing was changed: make room and try again")]
    DiskFull,
    /// The store is damaged.
    #[error("the store is damaged: put back no old copy; revoke and link this device anew")]
    StoreDamaged,
    /// The disk failed; nothing was changed.
    #[error("the disk failed; nothing was changed")]
    DiskFailed,
    /// A fault of this program.
    #[error("a fault of this program; nothing was changed")]
    Internal,
}
