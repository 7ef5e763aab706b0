//! # What the blind relay decides
//!
//! Three kinds of objects, channels, inboxes and blobs, and the rules by which they change and are
//! read. Nothing here knows a person, a group or a content; nothing here opens a socket, a file or
//! a clock. A driver carries the inputs and outputs:
//!
//! ```text
//! Request ─▶ Session::handle ─▶ Step ┬▶ Reply ──────────────────────────────┬▶ sign ─▶ Answer
//!                                    ├▶ Lookup ─▶ run(store) ──▶ Outcome ─┐ │
//!                                    ├▶ Write ─▶ Group::plan, Group::commit ─▶ Outcome ─▶ Session::complete
//!                                    └▶ Reading ─▶ next(store, budget) ─▶ Replies     ▲
//!                                                     ▲                               │
//!                                                     └────────── News ◀──────────────┘
//! ```
//!
//! Invariants:
//! - An [`Outcome`] of a write leaves a [`Group`] only through [`Group::commit`], after the store
//!   said that everything the outcome rests on is on disk (spec: CHN-012, INB-006, BLB-004).
//! - A write is planned against the store and all writes planned before it in the same group, and
//!   changes one object; an entry that names a blob also prolongs the blob, which is stored first.
//! - A reading is a cursor of bounded size. It pulls from the store when its client has room; a
//!   client that stalls costs no queue.
//! - All state that outlives a session is in the store: a new process continues where one stopped. Only
//!   who waits for a turn is in memory ([`WaitingRoom`]), and asks again.

mod blob;
mod channel;
pub mod group;
mod inbox;
pub mod lookup;
pub mod memory;
pub mod news;
pub mod outcome;
mod overlay;
pub mod reading;
pub mod receipt;
mod row;
pub mod session;
pub mod store;
pub mod waiting;
pub mod write;

pub use group::{Group, Stored};
pub use lookup::Lookup;
pub use memory::MemoryStore;
pub use news::News;
pub use outcome::{Outcome, Refused};
pub use reading::{Progress, ReadStep, Reading, Wake};
pub use receipt::{Reply, Signer};
pub use session::{Session, Step};
pub use waiting::{Source, WaitingRoom};
pub use write::Write;
