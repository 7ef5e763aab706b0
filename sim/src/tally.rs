//! What a run, or many, came to: steps, and how often each kind of thing happened.

use core::fmt;
use std::collections::BTreeMap;

/// Counts by name, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// One more of this name.
    pub fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    /// Those of another run too.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// How many of this name.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (name, count) in &self.0 {
            let gap = if first { "" } else { ", " };
            write!(f, "{gap}{name} {count}")?;
            first = false;
        }
        Ok(())
    }
}

/// What a run, or many, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Things that happened: frames that arrived, timers, moves, starts.
    pub steps: u64,
    /// What people did, by name.
    pub deeds: Counts,
    /// What went wrong, by name.
    pub faults: Counts,
    /// Batches of clients that a fault of their disk came at, or their death.
    pub struck: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Texts that arrived on a device that did not write them.
    pub received: u64,
}

impl Tally {
    /// What another run came to, too.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.struck += other.struck;
        self.acknowledged += other.acknowledged;
        self.received += other.received;
        self.deeds.add(&other.deeds);
        self.faults.add(&other.faults);
    }
}
