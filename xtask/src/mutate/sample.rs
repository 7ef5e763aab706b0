//! How many mutants of a change are tried, and which.

use std::fmt;

/// A part of mutants that are numbered through: every so-and-so-many-th of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Nothing,
    All { mutants: usize },
    Part { mutants: usize, part: usize, parts: usize },
}

impl Sample {
    /// At most `mutants_max` of so many mutants; a change that is tried again has the same ones.
    pub(super) fn of(mutants: usize, mutants_max: usize, commit: &str) -> Self {
        let parts = mutants.div_ceil(mutants_max);
        match parts {
            0 => Self::Nothing,
            1 => Self::All { mutants },
            _ => {
                let seed =
                    commit.get(..8).and_then(|digits| usize::from_str_radix(digits, 16).ok());
                Self::Part { mutants, part: seed.unwrap_or_default() % parts, parts }
            }
        }
    }

    /// The part as cargo-mutants names it: counted from 0.
    pub(super) fn shard(self) -> String {
        match self {
            Self::Nothing | Self::All { .. } => "0/1".to_owned(),
            Self::Part { part, parts, .. } => format!("{part}/{parts}"),
        }
    }

    /// Mutants that are tried.
    fn tried(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::All { mutants } => mutants,
            Self::Part { mutants, part, parts } => mutants.saturating_sub(part).div_ceil(parts),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(formatter, "what differs has no mutants"),
            Self::All { mutants } => write!(formatter, "all {mutants} mutants of what differs"),
            Self::Part { mutants, part, parts } => {
                let tried = self.tried();
                let left = mutants.saturating_sub(tried);
                write!(formatter, "{tried} of {mutants} mutants of what differs (part {part} of ")?;
                write!(formatter, "0 to {}, by the commit's id); ", parts.saturating_sub(1))?;
                write!(formatter, "{left} are left out")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_and_the_same_for_the_same_commit() {
        let commit = "0d8d7cef00";
        assert_eq!(Sample::of(0, 40, commit), Sample::Nothing);
        assert_eq!(Sample::of(40, 40, commit), Sample::All { mutants: 40 });
        for mutants in [41, 80, 81, 1_123] {
            let sample = Sample::of(mutants, 40, commit);
            assert_eq!(sample, Sample::of(mutants, 40, commit));
            assert!((1..=40).contains(&sample.tried()), "{sample}");
        }
    }

    #[test]
    fn the_parts_together_are_all() {
        let tried = (0..3).map(|part| Sample::Part { mutants: 100, part, parts: 3 }.tried());
        assert_eq!(tried.collect::<Vec<_>>(), [34, 33, 33]);
        let sample = Sample::of(100, 40, "00000001");
        assert_eq!((sample.shard().as_str(), sample.tried()), ("1/3", 33));
        let said = "33 of 100 mutants of what differs (part 1 of 0 to 2, by the commit's id); \
                    67 are left out";
        assert_eq!(sample.to_string(), said);
    }
}
