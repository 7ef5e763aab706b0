//! Every bound of the wire and of the relay's rules, once; the table is `spec/limits.md`.

/// Bounds that both sides hold. A value of [`Limits::V1`] is part of version 1 unless the hello
/// announces another one; `spec/limits.md` says what happens at each (spec: WIRE-040).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest frame, without its length prefix.
    pub frame_bytes_max: u32,
    /// Longest envelope that stands in an entry itself; longer ones travel as a blob.
    pub entry_inline_bytes_max: u32,
    /// Longest envelope that may be named by an entry.
    pub entry_blob_bytes_max: u64,
    /// Commits that one epoch takes, the first and those that contest.
    pub candidates_max: u16,
    /// Age of an epoch before it takes its first commit, in milliseconds.
    pub epoch_age_min_ms: u64,
    /// Time between the first candidates of one epoch, in milliseconds; [`Self::gap_ms`] of later ones.
    pub candidate_gap_min_ms: u64,
    /// Notes that one epoch takes.
    pub notes_max: u16,
    /// Longest envelope of a note.
    pub note_bytes_max: u32,
    /// Time between the first notes of one epoch, in milliseconds; [`Self::gap_ms`] of later ones.
    pub note_gap_min_ms: u64,
    /// Candidates, or notes, of an epoch after which the time to the next one doubles.
    pub gap_step: u16,
    /// How long who was drawn has for its append, in milliseconds.
    pub turn_ms: u64,
    /// Handles open in one session.
    pub handles_max: u16,
    /// Requests of one session that have no answer yet.
    pub requests_in_flight_max: u16,
    /// Readings of one session that go on.
    pub readings_max: u16,
    /// Time for the first frame, in milliseconds.
    pub hello_wait_ms: u64,
    /// Longest inbox item.
    pub inbox_item_bytes_max: u32,
    /// Items that wait in one inbox.
    pub inbox_items_max: u32,
    /// Items of one capability that wait in its inbox.
    pub capability_items_max: u32,
    /// Capabilities of one inbox.
    pub capabilities_max: u32,
    /// Device slots of one inbox.
    pub slots_max: u16,
    /// Longest sealed card.
    pub card_bytes_max: u32,
    /// Longest sealed device list.
    pub device_list_bytes_max: u32,
    /// Longest sealed key package.
    pub key_package_bytes_max: u32,
    /// Key packages on one shelf, beside the last resort.
    pub shelf_packages_max: u16,
    /// Single-use key packages that one capability gets from one shelf within
    /// [`Self::shelf_takes_window_ms`].
    pub shelf_takes_max: u16,
    /// For how long the takes of a capability from a shelf are counted, in milliseconds.
    pub shelf_takes_window_ms: u64,
    /// Longest blob.
    pub blob_bytes_max: u64,
    /// Length of a blob's chunks, all but the last.
    pub blob_chunk_bytes: u32,
    /// How long the content of a message entry is kept, in milliseconds.
    pub message_retention_ms: u64,
    /// How long the content of a commit entry is kept, in milliseconds.
    pub commit_retention_ms: u64,
    /// How long an epoch's public key is kept after its last use, in milliseconds.
    pub epoch_retention_ms: u64,
    /// How long an inbox item is kept, in milliseconds.
    pub item_retention_ms: u64,
    /// How long a blob is kept that no entry holds, in milliseconds.
    pub blob_retention_ms: u64,
    /// After so long without its device, a slot's cursor no longer holds items, in milliseconds.
    pub slot_lapse_ms: u64,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Limits {
    /// The bounds of version 1.
    pub const V1: Self = Self {
        frame_bytes_max: 320 * 1024,
        entry_inline_bytes_max: 64 * 1024,
        entry_blob_bytes_max: 32 * 1024 * 1024,
        candidates_max: 64,
        epoch_age_min_ms: 1_000,
        candidate_gap_min_ms: 500,
        notes_max: 64,
        note_bytes_max: 1_024,
        note_gap_min_ms: 200,
        gap_step: 4,
        turn_ms: 1_000,
        handles_max: 1_024,
        requests_in_flight_max: 256,
        readings_max: 1_024,
        hello_wait_ms: 10_000,
        inbox_item_bytes_max: 256 * 1024,
        inbox_items_max: 10_000,
        capability_items_max: 1_000,
        capabilities_max: 10_000,
        slots_max: 64,
        card_bytes_max: 16 * 1024,
        device_list_bytes_max: 64 * 1024,
        key_package_bytes_max: 16 * 1024,
        shelf_packages_max: 100,
        shelf_takes_max: 10,
        shelf_takes_window_ms: DAY_MS,
        blob_bytes_max: 4 * 1024 * 1024 * 1024,
        blob_chunk_bytes: 256 * 1024,
        message_retention_ms: 90 * DAY_MS,
        commit_retention_ms: 365 * DAY_MS,
        epoch_retention_ms: 730 * DAY_MS,
        item_retention_ms: 90 * DAY_MS,
        blob_retention_ms: 120 * DAY_MS,
        slot_lapse_ms: 60 * DAY_MS,
    };

    /// The time until the next candidate, or note, of an epoch that has so many, from the time
    /// between the first ones; both in milliseconds (spec: CHN-035).
    pub fn gap_ms(&self, first_ms: u64, count: usize) -> u64 {
        let doublings = count / usize::from(self.gap_step).max(1);
        let factor = u32::try_from(doublings).ok().and_then(|by| 1_u64.checked_shl(by));
        factor.map_or(u64::MAX, |factor| first_ms.saturating_mul(factor))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::V1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_doubles_after_each_step() {
        // spec: CHN-035
        let limits = Limits::V1;
        let table = [(1, 500), (3, 500), (4, 1_000), (7, 1_000), (8, 2_000), (63, 500 << 15)];
        for (count, expected) in table {
            assert_eq!(limits.gap_ms(500, count), expected, "after {count}");
        }
        assert_eq!(limits.gap_ms(500, 4 * 64), u64::MAX);
        assert_eq!(Limits { gap_step: 0, ..limits }.gap_ms(200, 3), 1_600);
    }
}
