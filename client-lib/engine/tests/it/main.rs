//! The engine against the relay's real rules, on a virtual network with a clock turned by hand.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of stories fail as tests do: by panic, with what they found"
)]

mod anew;
mod backlog;
mod bulk;
mod capabilities;
mod chats;
mod clocks;
mod contests;
mod damaged;
mod devices;
mod disk;
mod doors;
mod edits;
mod files;
mod forgetting;
mod forks;
mod granted;
mod histories;
mod hostile;
mod impostors;
mod invitations;
mod liars;
mod links;
mod names;
mod outbox;
mod own_group;
mod put_back;
mod readmission;
mod refreshing;
mod rejoining;
mod replays;
mod revoking;
mod rights;
mod rule_versions;
mod sessions;
mod shelves;
mod stolen;
mod succession;
mod told;
mod world;
