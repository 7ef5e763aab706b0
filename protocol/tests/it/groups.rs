//! Groups on a log in memory: every device has a store of its own, and every operation is one
//! transaction, which is rolled back when it fails.

mod candidates;
mod joining;
mod leaving;
mod life;
mod notes;
mod replay;
mod rights;
mod rule_versions;
mod rules;
mod world;
