//! The relay at its boundary: real QUIC, a real store, a real process where it has to die.

mod rows;
