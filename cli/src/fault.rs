//! What went wrong, what a person can do about it, and the exit code.

use core::time::Duration;
use std::{io, path::PathBuf};

use hushwire::{
    command::{CommandError, FailureReason},
    words,
};

use crate::{
    names::{NameError, Noun},
    visible,
};

/// What the process ends with. The table stands in `hush --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nothing is broken, but a person must act first.
    NeedsAction = 3,
    /// Accepted and durable, but the network was not reached in time.
    Queued = 4,
    /// Done, but what came of it could not be written.
    Unwritten = 5,
}

impl Exit {
    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Why a profile did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct OpenFault {
    /// Stable name.
    pub code: &'static str,
    /// What happened.
    pub what: String,
    /// What to do.
    pub advice: String,
    /// [`Exit::NeedsAction`] for a wrong passphrase and a busy profile, else [`Exit::Failed`].
    pub exit: Exit,
}

/// Why the client did not answer a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientFault {
    /// The command was refused; nothing was changed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The client, or the process that owns the profile, is gone.
    #[error("the process that owns this profile has ended")]
    Gone,
    /// The process that owned the profile ended before it answered: the command may be done.
    #[error("the process that owns this profile ended before it answered")]
    Unanswered,
    /// The process that owns the profile speaks another version. Blame: caller.
    #[error("the process that owns this profile is of another version")]
    OtherVersion,
}

/// Why a command of the terminal failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The command line is wrong. Blame: caller.
    #[error("{0}")]
    Usage(String),
    /// The profile did not open.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// The client did not answer or refused.
    #[error(transparent)]
    Client(#[from] ClientFault),
    /// A chat, contact, device or member was not found. Blame: caller.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The reply does not fit the command. Blame: bug.
    #[error("a fault of this program: the reply does not fit the command")]
    UnexpectedReply,
    /// What was asked for was tried and will not happen.
    #[error("{0}")]
    Refused(FailureReason),
    /// It is durable, but the network was not reached in time.
    #[error("{} for the network after {} s", still_waiting(*waiting), .patience.as_secs())]
    StillWaiting {
        /// How many wishes are not settled.
        waiting: u64,
        /// How long it was waited for.
        patience: Duration,
    },
    /// A relay shows another key than the one that its address names.
    #[error("{} shows another key than the one it is known by; nothing goes there", host(relay))]
    RelayKeyMismatch {
        /// The relay's address.
        relay: String,
    },
    /// The two passphrases are not the same. Blame: caller.
    #[error("the two passphrases are not the same")]
    PassphrasesDiffer,
    /// The passphrase is empty. Blame: caller.
    #[error("the passphrase is empty")]
    PassphraseEmpty,
    /// There is nobody to ask. Blame: caller.
    #[error("a passphrase is needed, and there is no terminal to ask at")]
    NobodyToAsk,
    /// A passphrase was given for a profile that has none. Blame: caller.
    #[error("this profile has no passphrase: its key is in a file beside it")]
    PassphraseUnused,
    /// A profile with a passphrase is to have none. Blame: caller.
    #[error("a profile with a passphrase is here already")]
    PassphraseNeeded,
    /// The comparison codes are not the same.
    #[error("the digits are not the same: the devices are not linked")]
    CodesDiffer,
    /// Nobody used the linking code in time.
    #[error("linking did not finish in time")]
    LinkingTimedOut,
    /// A file of the command line cannot be used. Blame: caller.
    #[error("{}: {}", visible::line(&path.to_string_lossy()), words::of_io(*kind))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file is not saved over what is there. Blame: caller.
    #[error("{}: something is there already under this name", visible::line(&.0.to_string_lossy()))]
    FileExists(PathBuf),
    /// There is no folder to save a file in. Blame: caller.
    #[error("{}: the folder for it is missing", visible::line(&.0.to_string_lossy()))]
    FolderMissing(PathBuf),
    /// Standard input or the terminal cannot be used.
    #[error("the terminal cannot be used: {}", words::of_io(*.0))]
    Terminal(io::ErrorKind),
    /// Something was asked, and standard input has ended. Blame: caller.
    #[error("an answer is needed, and standard input has ended")]
    NoAnswer,
    /// The reader of standard output is gone; nobody wants to hear more.
    #[error("nobody reads the output")]
    OutputClosed,
    /// Standard output takes no more.
    #[error("the output cannot be written: {}{}", words::of_io(*kind), all_the_same(outcome.as_deref()))]
    Output {
        /// Why.
        kind: io::ErrorKind,
        /// What was done, and could not be said.
        outcome: Option<String>,
    },
    /// The text to send is not UTF-8. Blame: caller.
    #[error("the text is not UTF-8")]
    NotText,
    /// A person is in the group already. Blame: caller.
    #[error("{0} is in the group already")]
    InGroupAlready(String),
    /// Somebody is to remove themselves. Blame: caller.
    #[error("this is you")]
    Oneself,
    /// The system has no place for application data. Blame: caller.
    #[error("this system names no folder for application data")]
    NoDataFolder,
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        Self::Client(ClientFault::Command(error))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            io::ErrorKind::UnexpectedEof => Self::NoAnswer,
            kind => Self::Terminal(kind),
        }
    }
}

impl Fault {
    /// What came of writing to standard output, after `outcome`.
    pub(crate) fn of_output(error: &io::Error, outcome: Option<String>) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            kind => Self::Output { kind, outcome },
        }
    }

    /// The exit code.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Open(fault) => fault.exit,
            Self::Usage(_) | Self::Name(_) | Self::NotText | Self::Oneself => Exit::Usage,
            Self::RelayKeyMismatch { .. }
            | Self::Refused(FailureReason::RelayKeyMismatch)
            | Self::NobodyToAsk
            | Self::NoAnswer
            | Self::PassphrasesDiffer
            | Self::PassphraseEmpty
            | Self::PassphraseUnused
            | Self::PassphraseNeeded => Exit::NeedsAction,
            Self::StillWaiting { .. } => Exit::Queued,
            Self::OutputClosed => Exit::Done,
            Self::Output { outcome: Some(_), .. } => Exit::Unwritten,
            Self::Output { outcome: None, .. }
            | Self::InGroupAlready(_)
            | Self::Client(_)
            | Self::UnexpectedReply
            | Self::Refused(_)
            | Self::CodesDiffer
            | Self::LinkingTimedOut
            | Self::File { .. }
            | Self::FileExists(_)
            | Self::FolderMissing(_)
            | Self::Terminal(_)
            | Self::NoDataFolder => Exit::Failed,
        }
    }

    /// A name that stays the same, for scripts. The table stands in `docs/user.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(fault) => fault.code,
            Self::Client(ClientFault::Command(error)) => error.code(),
            Self::Refused(reason) => reason.code(),
            Self::Usage(_) => "usage",
            Self::Client(ClientFault::Gone) => "owner_gone",
            Self::Client(ClientFault::Unanswered) => "unanswered",
            Self::Client(ClientFault::OtherVersion) => "owner_of_other_version",
            Self::Name(NameError::NoMatch { .. }) => "no_match",
            Self::Name(NameError::Ambiguous { .. }) => "ambiguous",
            Self::UnexpectedReply => "unexpected_reply",
            Self::StillWaiting { .. } => "still_waiting",
            Self::PassphrasesDiffer => "passphrases_differ",
            Self::PassphraseEmpty => "passphrase_empty",
            Self::PassphraseUnused => "passphrase_unused",
            Self::PassphraseNeeded => "passphrase_needed",
            Self::NobodyToAsk => "nobody_to_ask",
            Self::NoAnswer => "no_answer",
            Self::CodesDiffer => "codes_differ",
            Self::LinkingTimedOut => "linking_timed_out",
            Self::File { .. } => "file",
            Self::FileExists(_) => "file_exists",
            Self::FolderMissing(_) => "folder_missing",
            Self::Terminal(_) => "terminal",
            Self::RelayKeyMismatch { .. } => "relay_key_mismatch",
            Self::OutputClosed => "output_closed",
            Self::Output { .. } => "output_not_written",
            Self::InGroupAlready(_) => "already_a_member",
            Self::Oneself => "oneself",
            Self::NotText => "not_text",
            Self::NoDataFolder => "no_data_folder",
        }
    }

    /// What a person can do, in one line.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Open(fault) => return fault.advice.clone(),
            Self::Usage(_) => "Run the command with --help.",
            Self::Client(ClientFault::Command(error)) => command_advice(*error),
            Self::Client(ClientFault::Gone) => "Run the command again.",
            Self::Client(ClientFault::Unanswered) => {
                "It may be done already: look with `hush read` or `hush status` before you run it again."
            }
            Self::Client(ClientFault::OtherVersion) => {
                "End the other process, or use the same version of this program."
            }
            Self::Name(NameError::NoMatch { noun, .. }) => match noun {
                Noun::Chat => "Run `hush chats` to see what there is.",
                Noun::Contact => "Run `hush contacts` to see who there is.",
                Noun::Device => "Run `hush device list` to see what there is.",
                Noun::Successor => "Run `hush group successors` to see who there is.",
                Noun::Member => {
                    "Run `hush group members` to see who there is; to go yourself: `hush group leave`."
                }
            },
            Self::Name(NameError::Ambiguous { noun: Noun::Member | Noun::Successor, .. }) => {
                "Type the digits in brackets instead of the name."
            }
            Self::Name(NameError::Ambiguous { .. }) => "Type more of the name, or the number.",
            Self::UnexpectedReply => "Report this as a bug.",
            Self::Refused(reason) => failure_advice(*reason),
            Self::StillWaiting { .. } => {
                "Nothing is lost: it goes out with the next command that reaches the relay; see `hush status`."
            }
            Self::RelayKeyMismatch { .. } => {
                "Do not go on. Ask who runs the relay whether it was set up anew; what is for it waits here."
            }
            Self::PassphrasesDiffer => "Run the command again and type the same passphrase twice.",
            Self::PassphraseEmpty => {
                "Choose a passphrase, or say --no-passphrase to go without on purpose."
            }
            Self::NobodyToAsk => {
                "Use --passphrase-file or HUSH_PASSPHRASE in scripts; `hush init --no-passphrase` makes a profile without."
            }
            Self::PassphraseUnused => {
                "Leave the passphrase out (--passphrase-file, HUSH_PASSPHRASE), or choose another --profile."
            }
            Self::PassphraseNeeded => "Give its passphrase, or choose another --profile.",
            Self::NoAnswer => "Run it at a terminal, or give the answer on standard input.",
            Self::CodesDiffer => {
                "Answer n on the other device too, and begin again on both; if the other one lists a new device all the same, revoke it there."
            }
            Self::LinkingTimedOut => {
                "Stop it on the other device too (Ctrl-C), and begin again on both, both with the network."
            }
            Self::File { .. } => "Check the path and its permissions.",
            Self::FileExists(_) => "Choose another name: hush save CHAT MESSAGE PATH.",
            Self::FolderMissing(_) => "Make the folder first, or choose another.",
            Self::Terminal(_) => "Check how this program was started.",
            Self::OutputClosed => "Nothing needs to be done.",
            Self::Output { outcome: Some(_), .. } => {
                "Make room, and look with `hush status` or `hush read` before you run it again."
            }
            Self::Output { outcome: None, .. } => "Make room, or choose another place for it.",
            Self::NotText => "Send it as a file: `hush send-file`.",
            Self::InGroupAlready(_) => "Run `hush group members` to see who is there.",
            Self::Oneself => "To go yourself: `hush group leave`.",
            Self::NoDataFolder => "Say --profile DIR.",
        };
        advice.to_owned()
    }
}

/// A relay's host and port, safe to show.
fn host(relay: &str) -> String {
    visible::line(relay.split('#').next().unwrap_or_default())
}

fn all_the_same(outcome: Option<&str>) -> String {
    outcome.map_or_else(String::new, |outcome| format!("; it is done all the same: {outcome}"))
}

fn still_waiting(waiting: u64) -> String {
    match waiting {
        1 => "one change still waits".into(),
        more => format!("{more} changes still wait"),
    }
}

/// What a person can do with `hush` about a refused command.
const fn command_advice(error: CommandError) -> &'static str {
    match error {
        CommandError::IdentityExists => "Choose another --profile to have a second identity.",
        CommandError::NoIdentity => "Run `hush init`, or check --profile.",
        CommandError::NoSuchChat => "Run `hush chats`.",
        CommandError::NoSuchMessage => "Run `hush read`.",
        CommandError::NoSuchContact => "Run `hush contacts`.",
        CommandError::NoSuchLink => "Run `hush link list`.",
        CommandError::NoSuchDevice => "Run `hush device list`.",
        CommandError::NoSuchMember => "Run `hush group members`.",
        CommandError::NoSuccessor | CommandError::NoSuchSuccessor => {
            "Run `hush group successors` to see who there is."
        }
        CommandError::WrongChatKind => {
            "A direct chat has two people and keeps them; `hush group new` makes a group."
        }
        CommandError::SeveralSuccessors => {
            "Run `hush group successors`, and say whom you follow: `hush group follow GROUP --by WHO`."
        }
        CommandError::DeviceRevoked => {
            "Run `hush device link` on another device, and `hush init --link` here with another --profile."
        }
        CommandError::LastOwner => {
            "Make another member an owner first: `hush group promote GROUP MEMBER --owner`."
        }
        CommandError::TooManyRoles => "Make plain members of some: `hush group demote`.",
        CommandError::BadRelayAddress => {
            "Ask the relay's operator for the whole address, as `hush-relay init` prints it."
        }
        CommandError::NotALink => {
            "`hush link` shows a contact link, for `hush add`; `hush device link` a linking code, for `hush init`."
        }
        CommandError::LinkingCode => {
            "For a new device of yours: `hush init --link -` there. To write to somebody, ask for what `hush link` shows."
        }
        CommandError::ContactLink => {
            "`hush device link`, on a device that you have, shows a linking code; a contact link is for `hush add`."
        }
        CommandError::NotAGroupLink => "Add the person: `hush add`.",
        CommandError::GroupLink => "Ask to be let in: `hush join`.",
        CommandError::NoSuchRequest => "Run `hush group requests`.",
        CommandError::TooManyLinks => "Run `hush group links`, and `hush group unlink`.",
        CommandError::AlreadyAContact => "Run `hush chats` and write to them.",
        CommandError::AlreadyAMember => "Run `hush group members` to see who is there.",
        CommandError::PhraseOfAnother => "Look for the phrase of this identity; see `hush status`.",
        CommandError::NotLinking => "Run `hush device link` first.",
        CommandError::NotApplicable => {
            "`hush save` is for files, `hush retry` for messages that failed, `hush pin` for those that are stored; see `hush read`."
        }
        other => other.advice(),
    }
}

/// What a person can do with `hush` about what was tried and will not happen.
const fn failure_advice(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::FileExists => "Choose another name: hush save CHAT MESSAGE PATH.",
        FailureReason::FolderMissing => "Make the folder first: mkdir -p FOLDER.",
        FailureReason::FileChanged => {
            "Leave the file as it is until it is sent: hush retry CHAT MESSAGE."
        }
        FailureReason::NoKeyPackage => {
            "Try again when the other side has been online; see `hush contacts`."
        }
        FailureReason::LastOwner => {
            "Make another member an owner first: `hush group promote GROUP MEMBER --owner`."
        }
        FailureReason::NoSuchMember => "Run `hush group members`.",
        FailureReason::DevicesChanged => "Run `hush device list`, and begin again.",
        other => other.advice(),
    }
}
