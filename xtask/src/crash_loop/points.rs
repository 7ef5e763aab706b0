//! The steps at which relay and clients can be told to die: all of them, which a test holds against
//! the programs' own lists. (This package links neither: it must build before they can.)

/// What has to happen for the relay to come to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Somebody sends a text.
    Text,
    /// Somebody sends a file.
    File,
    /// The relay is told to stop while somebody sends a text.
    Stop,
}

/// A step of the relay.
#[derive(Clone, Copy, Debug)]
pub(super) struct RelayPoint {
    pub(super) name: &'static str,
    pub(super) deed: Deed,
    /// How often one run of the relay comes by for certain.
    pub(super) passes: u64,
}

const fn point(name: &'static str, deed: Deed, passes: u64) -> RelayPoint {
    RelayPoint { name, deed, passes }
}

/// The relay's (spec: RLY-030).
pub(super) const RELAY: [RelayPoint; 9] = [
    point("relay.start.opened", Deed::Text, 1),
    point("relay.write.planned", Deed::Text, 2),
    point("relay.commit.before-sync", Deed::Text, 2),
    point("relay.commit.after-sync", Deed::Text, 2),
    point("relay.fanout.before-wake", Deed::Text, 2),
    point("relay.answer.before-send", Deed::Text, 1),
    // The blob's record, then its first chunk.
    point("relay.blob.chunk-stored", Deed::File, 2),
    point("relay.expire.before", Deed::Text, 2),
    point("relay.stop.begun", Deed::Stop, 1),
];

/// A client's (spec: CLI-070).
pub(super) const CLIENT: [&str; 5] = [
    "client.store.before-commit",
    "client.store.after-commit",
    "client.net.before-send",
    "client.net.after-send",
    "client.net.received",
];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::checkout;

    /// The names in a program's table of points, each with a variant of the type.
    fn names(file: &str) -> Vec<String> {
        let source = fs::read_to_string(checkout::root().join(file)).unwrap();
        let variants = source
            .lines()
            .skip_while(|line| !line.contains("enum Point {"))
            .skip(1)
            .take_while(|line| !line.starts_with('}'))
            .filter(|line| !line.trim_start().starts_with("///"));
        let names: Vec<_> = source
            .lines()
            .filter(|line| line.trim_start().starts_with("(Point::"))
            .filter_map(|line| line.split('"').nth(1).map(ToOwned::to_owned))
            .collect();
        assert_eq!(names.len(), variants.count(), "{file} has a point without a name");
        assert!(!names.is_empty());
        names
    }

    #[test]
    fn every_point_of_the_programs_is_visited() {
        // spec: RLY-030, CLI-070
        assert_eq!(RELAY.map(|point| point.name).to_vec(), names("relay/src/crash.rs"));
        assert_eq!(CLIENT.to_vec(), names("client-lib/src/crash.rs"));
    }
}
