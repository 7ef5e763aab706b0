//! The engine against the relay's real rules, on a virtual network with a clock turned by hand.
#![expect(missing_docs, reason = "a test crate")]

mod chats;
mod world;
