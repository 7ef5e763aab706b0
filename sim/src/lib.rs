//! A whole world in one process: people with real client engines, relays with the real rules, a
//! network, disks, and one clock that nobody waits for. All of it follows from one seed.
//!
//! ```text
//! seed ─▶ plan (moves: what people do, what breaks) ─▶ world ─▶ checks ─▶ outcome
//!           ▲                                                               │ violation
//!           └────────────── shrink: the same with fewer moves ◀─────────────┘
//! ```
//!
//! A plan is a list of moves that mean something in whatever state the world is: leaving one out
//! leaves the others as they are, so that a failing run can be made small. Everything else that is
//! random, such as how long a frame is under way, comes from a stream of its own.
//!
//! What a run proves is in [`check`]: members agree, no acknowledged message is lost or doubled or
//! out of order, who was removed reads nothing later, the relay holds no plaintext, and once the
//! network is whole everything that waited is done.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a world that is not as it must be ends its run, and the run shows why"
)]

mod agenda;
pub mod check;
mod client;
mod deed;
mod dice;
mod disk;
mod insider;
pub mod ledger;
pub mod many;
mod network;
pub mod plan;
mod relay;
pub mod run;
pub mod shrink;
mod store;
pub mod tally;
mod world;
