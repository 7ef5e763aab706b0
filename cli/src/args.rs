//! The command line.

use core::time::Duration;
use std::{ffi::OsString, path::PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::moment;

mod device;
mod group;
mod link;

pub use device::DeviceCommand;
pub use group::{GroupCommand, RightName, RoleName, Switch};
pub use link::{LinkArgs, LinkCommand};

const AFTER_HELP: &str = "\
NAMES
  Chats, contacts and devices are named by number, or by the beginning of their name, in any case
  of letters. Digits are always a number. A beginning that fits several is an error, also when it
  is the whole name of one. Members are named by the beginning of their name or fingerprint.

EXIT CODES
  0  done
  1  failed
  2  the command line is wrong, or a name fits nothing or too much
  3  a person must act: wrong passphrase, profile in use, nobody to ask, a relay with another key
  4  accepted and durable, but the network was not reached in time
  5  done, but the output could not be written: do not run it again

JSON
  With --json each line of output is one object; its \"type\" says which: identity, link, contact,
  chat, message, member, group, group_link, join_request, successor, group_code, device,
  device_code, comparison, safety_number, status, saved, done, event.
  Numbers of chats, messages, contacts, links and devices count on this device only. Times are
  milliseconds since 1970 in UTC, with names that end in _at_ms. A field that does not apply is left
  out. A \"done\" has a \"state\": settled, or queued after --no-network. Errors and notes go to
  standard error: {\"type\":\"error\",\"code\",\"error\",\"advice\",\"exit\"} and
  {\"type\":\"note\",\"note\"}. Each command's --help names its fields; new fields may be added.
  docs/user.md has the table of all values of \"code\", \"failure\" and \"transfer_failure\".

SCRIPTS
  HUSH_PROFILE     the profile's folder, as --profile
  HUSH_PASSPHRASE  the passphrase; for scripts: other programs of the same user may see it
  HUSH_LOG         what to log to standard error, such as info or hushwire=debug; by default nothing
  NO_COLOR         no colours";

/// Chat in a terminal, end to end encrypted, through a relay that knows nobody.
#[derive(Debug, Parser)]
#[command(name = "hush", version, after_long_help = AFTER_HELP, max_term_width = 100)]
#[command(propagate_version = false, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: HushCommand,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// The profile's folder [default: hushwire/default in the user's data folder; env: HUSH_PROFILE]
    #[arg(long, global = true, value_name = "DIR")]
    pub profile: Option<PathBuf>,
    /// One JSON object a line, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// Read the passphrase from the first line of a file [env: HUSH_PASSPHRASE has the passphrase]
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Do not wait for the network; what is to be sent stays queued
    #[arg(long, global = true, conflicts_with = "wait")]
    pub no_network: bool,
    /// How long to wait for the network before saying what still waits
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub wait: Duration,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub enum HushCommand {
    /// Create an identity, or join one as a new device
    ///
    /// With --name and --relay a new identity is created, and its recovery phrase is shown once.
    /// With --link this device joins an identity: run `hush device link` on a device of it, give its
    /// code here, and compare the six digits that both then show.
    ///
    /// JSON: {"type":"identity","name","fingerprint","relay","device","phrase"}; when joining first
    /// {"type":"comparison","code"}, then the identity without a phrase.
    Init(InitArgs),
    /// Make a contact link, or list and revoke those given out
    ///
    /// Whoever has the link can write to you, so give it to one person over a way you trust. By
    /// default it works once.
    ///
    /// JSON: {"type":"link","link","text","usage","state","expires_at_ms"}; "usage" is single or
    /// lasting, "state" is pending, active, used, revoked or expired.
    Link(LinkArgs),
    /// Add the person behind a contact link
    ///
    /// JSON: a "chat" object, as in `hush chats`.
    Add {
        /// `-` asks for the link or reads it from standard input; the link itself as an argument can
        /// be seen by other users of this computer
        #[arg(default_value = "-")]
        link: String,
    },
    /// Ask to be let into a group by a link of it
    ///
    /// JSON: a "chat" object, as in `hush chats`; its "state" is asked until you are in.
    Join {
        /// `-` asks for the link or reads it from standard input; the link itself as an argument can
        /// be seen by other users of this computer
        #[arg(default_value = "-")]
        link: String,
    },
    /// List the contacts
    ///
    /// JSON: {"type":"contact","contact","name","fingerprint","verification","chat"};
    /// "verification" is verified or unverified.
    Contacts,
    /// List the chats, most recent first
    ///
    /// JSON: {"type":"chat","chat","name","kind","state","contact","unread","last","relay","pinned",
    /// "stuck"}; "kind" is direct or group; "state" is opening, open, asked, not_admitted, left,
    /// removed, elsewhere (goes on in another chat), dissolved, stuck or newer_rules; "last" is the
    /// number of the last message, or 0; "stuck" says why this device cannot go on.
    Chats,
    /// Send a text
    ///
    /// JSON: a "message" object, as in `hush read`.
    Send {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The text (Markdown); `-` reads it from standard input
        #[arg(allow_hyphen_values = true)]
        text: String,
        /// Mention everybody in the chat
        #[arg(long)]
        mention_all: bool,
    },
    /// Send a file
    ///
    /// JSON: a "message" object, as in `hush read`.
    SendFile {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The file
        path: PathBuf,
        /// Its media type, such as image/png [default: by the file's extension]
        #[arg(long, value_name = "TYPE/SUBTYPE")]
        media_type: Option<String>,
    },
    /// Save the file of a message
    ///
    /// JSON: {"type":"saved","chat","message","path"}.
    Save {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The message's number
        #[arg(value_parser = number)]
        message: u64,
        /// A new file, or a folder [default: the file's own name in the current folder]
        path: Option<PathBuf>,
    },
    /// Show messages of a chat, and mark them as seen
    ///
    /// JSON: {"type":"message","chat","message","sender","sender_name","sender_fingerprint","body",
    /// "text","file_name","file_size","media_type","transfer","transfer_done","transfer_of",
    /// "transfer_failure","state","delivered_to","delivered_of","failure","sent_at_ms","mentioned",
    /// "pinned"}. "sender" is me or other; "body" is text, file or not_supported; "state" is received,
    /// pending, stored, delivered or failed; "mentioned" is all; "pinned" is yes.
    Read {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The first message to show [default: so that the last COUNT are shown]
        #[arg(long, value_name = "NUMBER", value_parser = number)]
        from: Option<u64>,
        /// At most so many
        #[arg(long, default_value = "20", value_name = "COUNT", value_parser = count)]
        count: u32,
        /// Do not mark them as seen
        #[arg(long)]
        keep_unread: bool,
    },
    /// Print events as JSON lines until interrupted, with the message inside
    ///
    /// Each line is {"type":"event","number","at_ms","event","chat","message_number","contact",
    /// "link","request","by","changed","members","code","failure","warning","relay","detail",
    /// "stuck","from_ms","to_ms","message"}. "event" is one of message_added,
    /// message_state_changed, everybody_mentioned, message_pinned, message_unpinned, chat_added,
    /// chat_changed, history_read_anew, group_changed, group_dissolved, members_added,
    /// members_removed, removed_from_chat, group_stuck, group_unsettled, group_settled,
    /// group_rejoined, rejoin_given_up, readmission_asked, member_readmitted, group_succeeded,
    /// successor_offered, contact_added, contact_changed, contact_failed, addition_failed,
    /// group_change_failed, group_links_changed, join_requested, join_requests_changed,
    /// join_failed, link_changed, transfer_ended, device_compare, device_linked,
    /// device_link_failed, devices_changed, this_device_revoked, keys_refreshed,
    /// own_group_formed_anew, warning. "message" is the message as it is now, as in `hush read`. To
    /// miss nothing and see nothing twice, keep the last "number" and go on with --from that number
    /// plus one.
    Follow {
        /// The first event to print; 1 prints all [default: what happens from now on]
        #[arg(long, value_name = "NUMBER", value_parser = number)]
        from: Option<u64>,
    },
    /// Talk in a chat: type lines, see what comes
    ///
    /// /file PATH sends a file, /help lists what can be typed, /quit ends.
    Chat {
        /// The chat's number or the beginning of its name
        chat: String,
    },
    /// Pin a message for all in the chat
    ///
    /// JSON: {"type":"done","done":"message_pinned","chat","message"}.
    Pin {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The message's number
        #[arg(value_parser = number)]
        message: u64,
    },
    /// Take the pin of a message away
    ///
    /// JSON: {"type":"done","done":"message_unpinned","chat","message"}.
    Unpin {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The message's number
        #[arg(value_parser = number)]
        message: u64,
    },
    /// Create and change groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Link and revoke devices of this identity
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Show a contact's safety number, to compare it by voice or in person
    ///
    /// JSON: {"type":"safety_number","contact","name","digits","verification"}; "verification" is
    /// verified or unverified.
    Verify {
        /// The contact's number or the beginning of its name
        contact: String,
        /// The numbers are equal: note that
        #[arg(long, conflicts_with = "reset")]
        confirm: bool,
        /// Forget that they were compared
        #[arg(long)]
        reset: bool,
    },
    /// Check that you have the recovery phrase
    ///
    /// The phrase was shown once, when the identity was created, and is kept on no device: this
    /// program cannot show it again. It can check what you wrote down; it asks without showing what
    /// you type, and keeps nothing. JSON: {"type":"done","done":"phrase_checked"}.
    Phrase,
    /// Show who this profile is, what still waits, and how the relays are
    ///
    /// JSON: {"type":"status","name","fingerprint","relay","device","waiting","refreshing",
    /// "relays":[{"address","state"}],"catching_up":[{"chat","read","of"}]}; the "state" of a relay is
    /// current, sending, catching_up, connecting, offline or key_mismatch; where "chat" is left out it
    /// is the group of your own devices that is read.
    Status,
    /// Try a failed message again
    ///
    /// JSON: a "message" object, as in `hush read`.
    Retry {
        /// The chat's number or the beginning of its name
        chat: String,
        /// The message's number
        #[arg(value_parser = number)]
        message: u64,
    },
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// A folder to write all pages to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Arguments of `hush init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Your name, as contacts will see it
    #[arg(long, required_unless_present = "link")]
    pub name: Option<String>,
    /// The relay's address, host:port#id, as its operator gave it
    #[arg(long, required_unless_present = "link", value_name = "ADDRESS")]
    pub relay: Option<String>,
    /// `-`: asks for the code that `hush device link` shows, or reads it from standard input; the code
    /// itself as an argument can be seen by other users of this computer
    #[arg(long, value_name = "CODE", conflicts_with_all = ["name", "relay"], requires = "device_name")]
    pub link: Option<String>,
    /// A name for this device
    #[arg(long, requires = "link", value_name = "NAME")]
    #[arg(conflicts_with_all = ["name", "relay"])]
    pub device_name: Option<String>,
    /// For scripts: join only if the digits are these; `-` reads them from standard input when they
    /// are needed
    #[arg(long, value_name = "DIGITS", requires = "link", value_parser = digits)]
    pub yes_if: Option<String>,
    /// Keep the key in a file beside the store: whoever can read the profile can open it
    #[arg(long, conflicts_with = "passphrase_file")]
    pub no_passphrase: bool,
}

impl Arguments {
    /// Reads a command line, with the program's name first.
    ///
    /// # Errors
    /// What `clap` says to the person: a mistake, or a help text.
    pub fn read(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(line)
    }

    /// The description of the command line, for completions and manual pages.
    pub fn description() -> clap::Command {
        Self::command()
    }
}

/// Longest wait, in seconds.
const WAIT_SECONDS_MAX: u64 = 86_400;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if seconds <= WAIT_SECONDS_MAX => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("write a number of seconds, 0 to {WAIT_SECONDS_MAX}")),
    }
}

/// A length of time such as 7d.
fn length(text: &str) -> Result<Duration, moment::LengthError> {
    moment::parse_length(text)
}

/// A number that a list shows.
fn number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "write a number, as the lists show it")
}

/// How many.
fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("write a number, 0 to {}", u32::MAX))
}

/// Digits that one of two devices shows.
const COMPARISON_DIGITS: usize = 6;

/// The digits of a comparison, or `-`.
fn digits(text: &str) -> Result<String, &'static str> {
    let digits = text.chars().filter(|character| !character.is_whitespace());
    let are_six = digits.clone().count() == COMPARISON_DIGITS
        && digits.clone().all(|character| character.is_ascii_digit());
    if are_six || text == "-" {
        Ok(text.to_owned())
    } else {
        Err("write the six digits that the other device shows, or - to be asked")
    }
}
