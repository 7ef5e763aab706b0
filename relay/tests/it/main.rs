//! The relay at its boundary: real QUIC, a real store, a real process where it has to die.

mod client;
mod crash;
mod fanout;
mod operation;
mod process;
mod refusal;
mod rows;
mod story;
