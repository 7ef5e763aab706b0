//! Digits that people read to each other.

/// Groups of five digits with single spaces: each five bytes, as an integer, big-endian, modulo
/// 100,000 (spec: IDN-040, GRP-054).
pub(crate) fn groups(bytes: &[u8]) -> String {
    let group = |bytes: &[u8]| {
        let value = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        format!("{:05}", value % 100_000)
    };
    bytes.chunks_exact(5).map(group).collect::<Vec<_>>().join(" ")
}
