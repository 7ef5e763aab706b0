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
    /// Time between two candidates of one epoch, in milliseconds.
    pub candidate_gap_min_ms: u64,
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
        candidates_max: 8,
        epoch_age_min_ms: 1_000,
        candidate_gap_min_ms: 500,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self::V1
    }
}
