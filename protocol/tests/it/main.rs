//! Integration tests of the protocol crate, one module for each subject.

mod groups;
