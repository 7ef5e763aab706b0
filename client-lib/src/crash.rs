//! Named places where a test lets the process die.
//!
//! With the feature `crash-points`, `HUSHWIRE_CRASH_AT=<name>` aborts the process when it reaches
//! that point for the first time, `HUSHWIRE_CRASH_AT=<name>:<n>` at the n-th time; without the
//! variable a point costs one load. A name that does not exist is said, and aborts at the first
//! point of any name: a test that misspells its point must not pass (spec: CLI-070). Without the
//! feature there are no points: an app does not ship a variable that kills it (spec: CLI-132).

/// A place where the process can be made to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A batch is in the transaction, the transaction not committed.
    StoreBeforeCommit,
    /// A batch is durable, its writer not told.
    StoreAfterCommit,
    /// A request is encoded, no byte of it handed to the network.
    NetBeforeSend,
    /// A request is handed to the network, its sender not told.
    NetAfterSend,
    /// An answer is decoded, its receiver not told.
    NetReceived,
}

#[cfg(feature = "crash-points")]
pub(crate) use armed::reach;

/// Nothing happens here.
#[cfg(not(feature = "crash-points"))]
pub(crate) const fn reach(_: Point) {}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use super::Point;

    /// The environment variable that arms a point.
    const VARIABLE: &str = "HUSHWIRE_CRASH_AT";

    /// Every point with its name; the table stands in `spec/client-store.md`.
    const POINTS: [(Point, &str); 5] = [
        (Point::StoreBeforeCommit, "client.store.before-commit"),
        (Point::StoreAfterCommit, "client.store.after-commit"),
        (Point::NetBeforeSend, "client.net.before-send"),
        (Point::NetAfterSend, "client.net.after-send"),
        (Point::NetReceived, "client.net.received"),
    ];

    /// Dies here, if the environment says so.
    pub(crate) fn reach(point: Point) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let armed = ARMED.get_or_init(|| {
            std::env::var_os(VARIABLE).map(|value| Armed::parse(&value.to_string_lossy()))
        });
        match armed.as_ref().map(|armed| armed.hit(point)) {
            Some(Outcome::Die) => std::process::abort(),
            Some(Outcome::Complain) => {
                complain();
                std::process::abort()
            }
            Some(Outcome::Live) | None => {}
        }
    }

    #[expect(clippy::print_stderr, reason = "whoever set the variable looks there")]
    fn complain() {
        eprintln!("{VARIABLE} names no crash point; the names stand in spec/client-store.md");
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Outcome {
        Live,
        Die,
        /// Says what is wrong, and dies.
        Complain,
    }

    /// What the variable asked for.
    enum Armed {
        /// The n-th time this point is reached, counting down.
        At { point: Point, left: AtomicU32 },
        /// No such point, or no such count.
        Misspelt,
    }

    impl Armed {
        fn parse(text: &str) -> Self {
            let (name, count) = match text.split_once(':') {
                Some((name, count)) => (name, count.parse().ok()),
                None => (text, Some(1)),
            };
            let point = POINTS.iter().find(|(_, known)| *known == name).map(|(point, _)| *point);
            match (point, count) {
                (Some(point), Some(count)) if count > 0 => {
                    Self::At { point, left: AtomicU32::new(count) }
                }
                _ => Self::Misspelt,
            }
        }

        fn hit(&self, reached: Point) -> Outcome {
            match self {
                Self::Misspelt => Outcome::Complain,
                Self::At { point, .. } if *point != reached => Outcome::Live,
                // The process dies when the count reaches 0, so it never wraps.
                Self::At { left, .. } => match left.fetch_sub(1, Ordering::SeqCst) {
                    1 => Outcome::Die,
                    _ => Outcome::Live,
                },
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_are_distinct_and_stand_in_the_spec() {
            let spec = include_str!("../../spec/client-store.md");
            for (index, (point, name)) in POINTS.iter().enumerate() {
                assert!(spec.contains(&format!("| `{name}` |")), "{name}");
                let (before, _) = POINTS.split_at(index);
                assert!(before.iter().all(|(other, taken)| other != point && taken != name));
            }
        }

        #[test]
        fn a_point_dies_at_its_count_and_a_misspelt_one_at_once() {
            // spec: CLI-070
            use Outcome::{Complain, Die, Live};
            let cases: [(&str, &[Outcome]); 6] = [
                ("client.net.received", &[Die]),
                ("client.net.received:1", &[Die]),
                ("client.net.received:3", &[Live, Live, Die]),
                ("client.net.recieved", &[Complain]),
                ("client.net.received:0", &[Complain]),
                ("client.net.received:x", &[Complain]),
            ];
            for (text, expected) in cases {
                let armed = Armed::parse(text);
                for outcome in expected {
                    assert_eq!(armed.hit(Point::NetReceived), *outcome, "{text}");
                }
            }
            let other = Armed::parse("client.store.before-commit:1");
            assert_eq!(other.hit(Point::NetReceived), Live);
            assert_eq!(other.hit(Point::StoreBeforeCommit), Die);
        }
    }
}
