//! Which version of the wire both sides speak (spec: WIRE-001, WIRE-002).

/// The only version so far.
pub const VERSION: u16 = 1;

/// The ALPN protocol id of QUIC (RFC 7301).
pub const ALPN: &[u8] = b"hushwire/1";

/// The versions one side speaks, from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// Lowest version.
    pub min: u32,
    /// Highest version.
    pub max: u32,
}

impl VersionRange {
    /// What this build speaks.
    pub const SUPPORTED: Self = Self { min: VERSION as u32, max: VERSION as u32 };

    /// The highest version that both ranges hold.
    pub fn agree(self, other: Self) -> Option<u16> {
        let highest = self.max.min(other.max);
        let lowest = self.min.max(other.min);
        let valid = self.min <= self.max && other.min <= other.max && lowest <= highest;
        u16::try_from(highest).ok().filter(|_| valid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_wins() {
        // spec: WIRE-002
        let ours = VersionRange { min: 1, max: 3 };
        let cases = [
            ((1, 1), Some(1)),
            ((2, 9), Some(3)),
            ((3, 3), Some(3)),
            ((4, 9), None),
            ((0, 0), None),
            ((3, 1), None),
        ];
        for ((min, max), expected) in cases {
            assert_eq!(ours.agree(VersionRange { min, max }), expected, "{min}..{max}");
        }
    }
}
