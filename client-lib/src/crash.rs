//! Named places where a test lets the process die.
//!
//! `HUSHWIRE_CRASH_AT=<name>` aborts the process when it reaches that point for the first time,
//! `HUSHWIRE_CRASH_AT=<name>:<n>` at the n-th time. Without the variable a point costs one load.
//! A name that does not exist aborts at the first point of any name: a test that misspells its
//! point must not pass (spec: CLI-070).

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The environment variable that arms a point.
pub const VARIABLE: &str = "HUSHWIRE_CRASH_AT";

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// A place where the process can be made to die.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Point {
            /// Every point.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name that arms it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

points! {
    /// A batch is in the transaction, the transaction not committed.
    StoreBeforeCommit = "client.store.before-commit";
    /// A batch is durable, its writer not told.
    StoreAfterCommit = "client.store.after-commit";
    /// A request is encoded, no byte of it handed to the network.
    NetBeforeSend = "client.net.before-send";
    /// A request is handed to the network, its sender not told.
    NetAfterSend = "client.net.after-send";
    /// An answer is decoded, its receiver not told.
    NetReceived = "client.net.received";
}

/// Dies here, if the environment says so.
pub(crate) fn reach(point: Point) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| {
        std::env::var_os(VARIABLE).map(|value| Armed::parse(&value.to_string_lossy()))
    });
    if armed.as_ref().is_some_and(|armed| armed.hit(point) == Outcome::Die) {
        std::process::abort();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Live,
    Die,
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
        let point = Point::ALL.iter().copied().find(|point| point.name() == name);
        match (point, count) {
            (Some(point), Some(count)) if count > 0 => {
                Self::At { point, left: AtomicU32::new(count) }
            }
            _ => Self::Misspelt,
        }
    }

    fn hit(&self, reached: Point) -> Outcome {
        match self {
            Self::Misspelt => Outcome::Die,
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
    fn names_are_distinct() {
        for (index, point) in Point::ALL.iter().enumerate() {
            assert!(Point::ALL[index + 1..].iter().all(|other| other.name() != point.name()));
        }
    }

    #[test]
    fn a_point_dies_at_its_count_and_a_misspelt_one_at_once() {
        // spec: CLI-070
        use Outcome::{Die, Live};
        let cases: [(&str, &[Outcome]); 6] = [
            ("client.net.received", &[Die]),
            ("client.net.received:1", &[Die]),
            ("client.net.received:3", &[Live, Live, Die]),
            ("client.net.recieved", &[Die]),
            ("client.net.received:0", &[Die]),
            ("client.net.received:x", &[Die]),
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
