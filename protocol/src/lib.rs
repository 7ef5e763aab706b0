//! x

pub mod padding;
