//! The kinds of vectors. A new one is a file beside the others and a line in [`ALL`].

pub mod attachment;
pub mod blob;
pub mod card;
pub mod chain;
pub mod channel;
pub mod commit_entry;
pub mod commit_policy;
pub mod commit_report;
pub mod content;
pub mod control;
pub mod control_payload;
pub mod credential;
pub mod device_list;
pub mod door;
pub mod ed25519;
pub mod envelope;
pub mod epoch_keys;
pub mod followed_candidate;
pub mod group_binding;
pub mod group_code;
pub mod identity;
pub mod inbox;
pub mod inbox_content;
pub mod key_package;
pub mod link;
pub mod linking;
pub mod message_policy;
pub mod message_status;
pub mod mls;
pub mod padding;
pub mod safe_export;
pub mod safety_number;
pub mod seal;
pub mod sealed_box;
pub mod session;
pub mod statement;
pub mod successor;
pub mod transcript;
pub mod welcome;
pub mod wire_frame;
pub mod wire_splitter;

use serde_json::Value;

use crate::suite::{Outcome, Suite};

/// A kind of vectors.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name, also the file's: `v1/<name>.json`.
    pub name: &'static str,
    /// What its tests are.
    pub suite: fn() -> Suite,
    /// Runs one input against the library.
    pub run: fn(&Value) -> Outcome,
}

/// Every kind, in the order of the manifest.
pub const ALL: &[Kind] = &[
    Kind { name: wire_splitter::NAME, suite: wire_splitter::suite, run: wire_splitter::run },
    Kind { name: wire_frame::NAME, suite: wire_frame::suite, run: wire_frame::run },
    Kind { name: transcript::NAME, suite: transcript::suite, run: transcript::run },
    Kind { name: ed25519::NAME, suite: ed25519::suite, run: ed25519::run },
    Kind { name: session::NAME, suite: session::suite, run: session::run },
    Kind { name: channel::NAME, suite: channel::suite, run: channel::run },
    Kind { name: inbox::NAME, suite: inbox::suite, run: inbox::run },
    Kind { name: blob::NAME, suite: blob::suite, run: blob::run },
    Kind { name: padding::NAME, suite: padding::suite, run: padding::run },
    Kind { name: envelope::NAME, suite: envelope::suite, run: envelope::run },
    Kind { name: epoch_keys::NAME, suite: epoch_keys::suite, run: epoch_keys::run },
    Kind { name: safe_export::NAME, suite: safe_export::suite, run: safe_export::run },
    Kind { name: key_package::NAME, suite: key_package::suite, run: key_package::run },
    Kind { name: welcome::NAME, suite: welcome::suite, run: welcome::run },
    Kind { name: commit_entry::NAME, suite: commit_entry::suite, run: commit_entry::run },
    Kind { name: commit_policy::NAME, suite: commit_policy::suite, run: commit_policy::run },
    Kind { name: message_policy::NAME, suite: message_policy::suite, run: message_policy::run },
    Kind { name: group_binding::NAME, suite: group_binding::suite, run: group_binding::run },
    Kind { name: commit_report::NAME, suite: commit_report::suite, run: commit_report::run },
    Kind { name: statement::NAME, suite: statement::suite, run: statement::run },
    Kind {
        name: followed_candidate::NAME,
        suite: followed_candidate::suite,
        run: followed_candidate::run,
    },
    Kind { name: successor::NAME, suite: successor::suite, run: successor::run },
    Kind { name: content::NAME, suite: content::suite, run: content::run },
    Kind { name: message_status::NAME, suite: message_status::suite, run: message_status::run },
    Kind { name: control::NAME, suite: control::suite, run: control::run },
    Kind { name: control_payload::NAME, suite: control_payload::suite, run: control_payload::run },
    Kind { name: attachment::NAME, suite: attachment::suite, run: attachment::run },
    Kind { name: identity::NAME, suite: identity::suite, run: identity::run },
    Kind { name: credential::NAME, suite: credential::suite, run: credential::run },
    Kind { name: device_list::NAME, suite: device_list::suite, run: device_list::run },
    Kind { name: link::NAME, suite: link::suite, run: link::run },
    Kind { name: card::NAME, suite: card::suite, run: card::run },
    Kind { name: door::NAME, suite: door::suite, run: door::run },
    Kind { name: seal::NAME, suite: seal::suite, run: seal::run },
    Kind { name: inbox_content::NAME, suite: inbox_content::suite, run: inbox_content::run },
    Kind { name: linking::NAME, suite: linking::suite, run: linking::run },
    Kind { name: group_code::NAME, suite: group_code::suite, run: group_code::run },
    Kind { name: safety_number::NAME, suite: safety_number::suite, run: safety_number::run },
];

/// The kind with this name.
pub fn by_name(name: &str) -> Option<Kind> {
    ALL.iter().find(|kind| kind.name == name).copied()
}
