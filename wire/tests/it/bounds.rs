//! The tables of `spec/limits.md` that bind clients or one side only, against the constants of the
//! crates that hold them. Those crates depend on this one, so their sources are read as text.

use std::collections::BTreeMap;

use hushwire_wire::limit::Limits;

use crate::documents::{read, table};

/// Each limit with the file and the constant that hold it.
const BETWEEN_CLIENTS: &[(&str, &str, &str)] = &[
    ("content_bytes_max", "protocol/src/content.rs", "CONTENT_BYTES_MAX"),
    ("parts_max", "protocol/src/content/part.rs", "PARTS_MAX"),
    ("part_levels_max", "protocol/src/content/part.rs", "PART_LEVELS_MAX"),
    ("extensions_max", "protocol/src/content/extension.rs", "EXTENSIONS_MAX"),
    ("extension_levels_max", "protocol/src/content/extension.rs", "EXTENSION_LEVELS_MAX"),
    ("expiry_distance_seconds_max", "protocol/src/content.rs", "EXPIRY_DISTANCE_SECONDS_MAX"),
    ("statuses_max", "protocol/src/content/status.rs", "STATUSES_MAX"),
    ("control_entries_max", "protocol/src/content/control.rs", "CONTROL_ENTRIES_MAX"),
    ("file_name_bytes_max", "protocol/src/attachment/file_name.rs", "NAME_BYTES_MAX"),
    ("group_name_bytes_max", "protocol/src/group/state.rs", "NAME_BYTES_MAX"),
    ("group_description_bytes_max", "protocol/src/group/state.rs", "DESCRIPTION_BYTES_MAX"),
    ("group_avatar_bytes_max", "protocol/src/group/avatar.rs", "AVATAR_BYTES_MAX"),
    ("reaction_bytes_max", "protocol/src/group/message_rights.rs", "REACTION_BYTES_MAX"),
    ("door_keys_earlier_max", "protocol/src/door/notice.rs", "EARLIER_KEYS_MAX"),
    ("door_generation_step_max", "client-lib/engine/src/door.rs", "GENERATION_STEP_MAX"),
    ("door_generation_first_max", "client-lib/engine/src/door.rs", "GENERATION_FIRST_MAX"),
    ("inbox_generation_step_max", "client-lib/engine/src/inbox_keys.rs", "GENERATION_STEP_MAX"),
    ("pins_max", "client-lib/engine/src/pins.rs", "PINS_MAX"),
    ("left_out_max", "protocol/src/succession.rs", "LEFT_OUT_MAX"),
    ("roles_max", "protocol/src/group/state.rs", "ROLES_MAX"),
    ("contested_bytes_max", "protocol/src/group/binding.rs", "CONTESTED_BYTES_MAX"),
    ("unseen_messages_max", "protocol/src/group/profile.rs", "OUT_OF_ORDER_TOLERANCE"),
    ("forward_distance_max", "protocol/src/group/profile.rs", "FORWARD_DISTANCE_MAX"),
    ("profile_name_bytes_max", "protocol/src/profile.rs", "NAME_BYTES_MAX"),
    ("host_bytes_max", "wire/src/address.rs", "HOST_BYTES_MAX"),
    ("link_bytes_max", "protocol/src/link/text.rs", "LINK_BYTES_MAX"),
    (
        "snapshot_inline_bytes_max",
        "client-lib/engine/src/snapshots.rs",
        "SNAPSHOT_INLINE_BYTES_MAX",
    ),
    ("snapshot_bytes_max", "protocol/src/group/welcome.rs", "SNAPSHOT_BYTES_MAX"),
    ("group_people_max", "protocol/src/group/rights.rs", "PEOPLE_MAX"),
    ("group_devices_max", "protocol/src/group/rights.rs", "DEVICES_MAX"),
    ("own_group_bytes_max", "protocol/src/linking/grant.rs", "OWN_GROUP_BYTES_MAX"),
    ("devices_max", "protocol/src/identity/device_list.rs", "DEVICES_MAX"),
    ("list_ahead_max_ms", "protocol/src/identity/device_list.rs", "CLOCK_SKEW_MS"),
    ("linking_life_ms", "client-lib/engine/src/linking.rs", "LINKING_LIFE_MS"),
];

const OF_ONE_SIDE: &[(&str, &str, &str)] = &[
    ("epochs_watched_max", "relay/rules/src/reading/watch.rs", "EPOCHS_WATCHED_MAX"),
    ("waiting_sources_max", "relay/rules/src/waiting/queue.rs", "WAITING_SOURCES_MAX"),
    ("waiting_of_source_max", "relay/rules/src/waiting/queue.rs", "WAITING_OF_SOURCE_MAX"),
    ("waiting_max", "relay/rules/src/waiting.rs", "WAITING_MAX"),
    ("crowd_window_bytes", "relay/src/window.rs", "CROWD_WINDOW_BYTES"),
    ("flush_wait_ms", "relay/src/session.rs", "FLUSH_WAIT"),
    ("owner_keys_kept_max", "client-lib/engine/src/inbox/restoring.rs", "OWNER_KEYS_KEPT_MAX"),
    ("old_copy_span_ms", "client-lib/engine/src/inbox.rs", "OLD_COPY_SPAN_MS"),
    ("rejoin_first_wait_ms", "client-lib/engine/src/rejoin.rs", "ASK_WAIT_MS"),
    ("own_commit_wait_ms", "client-lib/engine/src/rejoin.rs", "OWN_COMMIT_WAIT_MS"),
    ("fork_watch_ms", "client-lib/engine/src/forks.rs", "FORK_WATCH_MS"),
    ("watch_gap_max_ms", "client-lib/engine/src/forks.rs", "WATCH_GAP_MAX_MS"),
    ("fork_wait_ms", "client-lib/engine/src/forks.rs", "FORK_WAIT_MS"),
    ("inviter_leads_ms", "client-lib/engine/src/forks/departing.rs", "INVITER_LEADS_MS"),
    ("branch_left_wait_ms", "client-lib/engine/src/forks/departing.rs", "SAY_WAIT_MS"),
    ("invited_kept_max", "client-lib/engine/src/forks/departing.rs", "INVITED_MAX"),
    ("fork_grace_ms", "client-lib/engine/src/forks.rs", "GRACE_MS"),
    ("fork_grace_max_ms", "client-lib/engine/src/forks.rs", "GRACE_MAX_MS"),
    ("statement_owner_wait_ms", "client-lib/engine/src/forks/speaking.rs", "OWNER_WAIT_MS"),
    ("statement_owner_wait_span_ms", "client-lib/engine/src/forks/speaking.rs", "OWNER_SPAN_MS"),
    ("statement_admin_wait_ms", "client-lib/engine/src/forks/speaking.rs", "ADMIN_WAIT_MS"),
    ("statement_admin_wait_span_ms", "client-lib/engine/src/forks/speaking.rs", "ADMIN_SPAN_MS"),
    ("statement_member_wait_ms", "client-lib/engine/src/forks/speaking.rs", "MEMBER_WAIT_MS"),
    ("statement_member_wait_span_ms", "client-lib/engine/src/forks/speaking.rs", "MEMBER_SPAN_MS"),
    ("watch_rest_ms", "client-lib/engine/src/engine/watches.rs", "CALM_REST_MS"),
    ("watch_rest_max_ms", "client-lib/engine/src/engine/watches.rs", "CALM_REST_MAX_MS"),
    ("watch_passed_rest_ms", "client-lib/engine/src/engine/watches.rs", "PASSED_REST_MS"),
    ("watch_pressing_rest_ms", "client-lib/engine/src/engine/watches.rs", "PRESSING_REST_MS"),
    (
        "watch_pressing_rest_max_ms",
        "client-lib/engine/src/engine/watches.rs",
        "PRESSING_REST_MAX_MS",
    ),
    ("watch_refused_rest_ms", "client-lib/engine/src/engine/watches.rs", "REFUSED_REST_MS"),
    ("readmission_look_ms", "client-lib/engine/src/readmission.rs", "LOOK_MS"),
    ("readmission_look_rest_ms", "client-lib/engine/src/readmission.rs", "LOOK_REST_MS"),
    ("contest_again_ms", "client-lib/engine/src/log.rs", "CONTEST_AGAIN_MS"),
    ("retry_least_ms", "client-lib/engine/src/backoff.rs", "LEAST_MS"),
    ("inbox_tend_ms", "client-lib/engine/src/engine/inbox.rs", "TEND_EVERY_MS"),
    ("door_rotation_own_wait_span_ms", "client-lib/engine/src/door.rs", "COMMITTER_SPAN_MS"),
    (
        "succession_gather_rest_ms",
        "client-lib/engine/src/succession/coming_in.rs",
        "GATHER_LOOK_MS",
    ),
    ("offer_rest_ms", "client-lib/engine/src/succession/offering.rs", "LOOK_MS"),
    ("own_group_rest_ms", "client-lib/engine/src/revoking.rs", "OWN_GROUP_REST_MS"),
    ("own_group_empty_rest_ms", "client-lib/engine/src/outbox.rs", "EMPTY_REST_MS"),
    ("forks_watched_max", "client-lib/engine/src/forks/watching.rs", "WATCHED_MAX"),
    ("let_in_wait_ms", "client-lib/engine/src/rejoin.rs", "LET_IN_WAIT_MS"),
    ("rejoin_told_rounds_max", "client-lib/engine/src/rejoin.rs", "TOLD_ROUNDS_MAX"),
    ("shelf_keys_kept_max", "client-lib/engine/src/revoking.rs", "SHELF_KEYS_KEPT_MAX"),
    ("shelf_key_keep_ms", "client-lib/engine/src/revoking.rs", "SHELF_KEY_KEEP_MS"),
    ("own_capabilities_kept_max", "client-lib/engine/src/capabilities.rs", "EARLIER_MAX"),
    ("rejoin_told_turn", "client-lib/engine/src/rejoin.rs", "TOLD_A_TURN"),
    ("rejoin_told_max", "client-lib/engine/src/rejoin.rs", "TOLD_MAX"),
    ("rejoin_wait_ms", "client-lib/engine/src/rejoin.rs", "ROUND_WAIT_MS"),
    ("rejoin_wait_max_ms", "client-lib/engine/src/rejoin.rs", "ROUND_WAIT_MAX_MS"),
    ("rejoin_rounds_max", "client-lib/engine/src/rejoin.rs", "ROUNDS_MAX"),
    ("rejoin_people_max", "client-lib/engine/src/rejoin.rs", "PEOPLE_A_ROUND"),
    ("rejoins_max", "client-lib/engine/src/rejoin.rs", "REJOINS_MAX"),
    ("rejoins_span_ms", "client-lib/engine/src/rejoin.rs", "REJOINS_SPAN_MS"),
    ("own_group_turn_ms", "client-lib/engine/src/own_group.rs", "TURN_MS"),
    ("own_group_gather_ms", "client-lib/engine/src/own_group.rs", "GATHER_MS"),
    ("own_group_step_ms", "client-lib/engine/src/own_group.rs", "MADE_AT_STEP_MS"),
    ("own_group_rounds", "client-lib/engine/src/own_group.rs", "ROUNDS"),
    ("readmission_wait_span_ms", "client-lib/engine/src/readmission.rs", "ANSWER_SPAN_MS"),
    ("readmission_rest_ms", "client-lib/engine/src/readmission.rs", "REST_MS"),
    ("rejoin_request_life_ms", "client-lib/engine/src/readmission.rs", "REQUEST_LIFE_MS"),
    ("rejoin_ahead_max_ms", "client-lib/engine/src/readmission.rs", "REQUEST_AHEAD_MS"),
    ("readmissions_asked_max", "client-lib/engine/src/readmission.rs", "ASKED_MAX"),
    ("receipt_people_max", "client-lib/engine/src/receipts.rs", "RECEIPT_PEOPLE_MAX"),
    ("receipts_owed_max", "client-lib/engine/src/receipts.rs", "RECEIPTS_OWED_MAX"),
    ("receipt_wait_ms", "client-lib/engine/src/receipts.rs", "WAIT_MS"),
    ("receipt_wait_span_ms", "client-lib/engine/src/receipts.rs", "WAIT_SPAN_MS"),
    ("contest_wait_ms", "client-lib/engine/src/log.rs", "CONTEST_WAIT_MS"),
    ("contest_wait_span_ms", "client-lib/engine/src/log.rs", "CONTEST_SPAN_MS"),
    ("leave_wait_span_ms", "client-lib/engine/src/leaving.rs", "COMMIT_SPAN_MS"),
    ("leaf_life_ms", "client-lib/engine/src/refreshing.rs", "LEAF_LIFE_MS"),
    ("leaf_gap_ms", "client-lib/engine/src/refreshing.rs", "LEAF_GAP_MS"),
    ("connect_wait_ms", "client-lib/engine/src/backoff.rs", "BASE_MS"),
    ("connect_wait_max_ms", "client-lib/engine/src/backoff.rs", "CAP_MS"),
    ("retry_after_max_ms", "client-lib/engine/src/backoff.rs", "RETRY_AFTER_MAX_MS"),
    ("clock_back_ms", "client-lib/engine/src/clock.rs", "CLOCK_BACK_MS"),
    ("reload_rest_ms", "client-lib/engine/src/clock.rs", "RELOAD_REST_MS"),
    ("clock_off_ms", "client-lib/engine/src/session.rs", "CLOCK_OFF_MS"),
    ("events_kept_max", "client-lib/engine/src/work.rs", "EVENTS_KEPT_MAX"),
    ("refused_rest_ms", "client-lib/engine/src/backoff.rs", "REFUSED_REST_MS"),
    ("rendezvous_rest_ms", "client-lib/engine/src/backoff.rs", "RENDEZVOUS_REST_MS"),
    ("rendezvous_wait_ms", "client-lib/engine/src/linking.rs", "RENDEZVOUS_WAIT_MS"),
    ("turn_rest_ms", "client-lib/engine/src/backoff.rs", "TURN_REST_MS"),
    ("pending_rest_ms", "client-lib/engine/src/backoff.rs", "PENDING_REST_MS"),
    ("gather_wait_ms", "client-lib/engine/src/additions.rs", "GATHER_WAIT_MS"),
    ("addition_bytes_max", "client-lib/engine/src/additions.rs", "ADDITION_BYTES_MAX"),
    ("requests_asked_max", "client-lib/engine/src/engine/wishes.rs", "UNDER_WAY_MAX"),
    ("snapshot_tries_max", "client-lib/engine/src/joining/waiting.rs", "TRIES_MAX"),
    (
        "snapshots_awaited_of_one_max",
        "client-lib/engine/src/joining/waiting.rs",
        "WAITING_OF_ONE_MAX",
    ),
    ("snapshots_fetched_max", "client-lib/engine/src/engine/fetches.rs", "FETCHES_MAX"),
    ("fetch_silence_max_ms", "client-lib/engine/src/engine/fetches.rs", "SILENCE_MAX_MS"),
    ("unjudged_rest_ms", "client-lib/engine/src/backoff.rs", "UNJUDGED_REST_MS"),
    ("device_list_life_ms", "client-lib/engine/src/profile.rs", "DEVICE_LIST_LIFE_MS"),
    ("device_list_backdate_ms", "client-lib/engine/src/profile.rs", "CLOCK_SKEW_MS"),
    ("device_list_renew_ms", "client-lib/engine/src/devices.rs", "LIST_RENEW_MS"),
    ("answer_wait_ms", "client-lib/engine/src/session.rs", "ANSWER_WAIT_MS"),
    ("blob_answer_wait_ms", "client-lib/engine/src/session.rs", "BLOB_ANSWER_WAIT_MS"),
    ("grant_wait_ms", "client-lib/engine/src/linking/granted.rs", "GRANT_WAIT_MS"),
    ("shelf_packages_put", "client-lib/engine/src/shelf.rs", "SHELF_PACKAGES"),
    ("shelf_packages_least", "client-lib/engine/src/shelf.rs", "SHELF_PACKAGES_LEAST"),
    ("shelf_wait_ms", "client-lib/engine/src/engine/shelf.rs", "SHELF_WAIT_MS"),
    ("packages_kept_max", "client-lib/engine/src/shelf.rs", "PACKAGES_MAX"),
    ("package_keep_ms", "client-lib/engine/src/shelf.rs", "KEEP_MS"),
    ("last_resort_life_ms", "client-lib/engine/src/shelf.rs", "LAST_RESORT_LIFE_MS"),
    ("last_resort_rest_ms", "client-lib/engine/src/shelf.rs", "LAST_RESORT_REST_MS"),
    ("capability_items", "client-lib/engine/src/capabilities.rs", "CAPABILITY_ITEMS"),
    ("capability_items_least", "client-lib/engine/src/capabilities.rs", "RENEW_ITEMS_LEFT"),
    ("capability_retire_ms", "client-lib/engine/src/capabilities.rs", "RETIRE_AFTER_MS"),
    ("refusals_max", "client-lib/engine/src/packages.rs", "REFUSALS_MAX"),
    (
        "other_content_max",
        "client-lib/engine/src/engine/channels/large_entry.rs",
        "OTHER_CONTENT_MAX",
    ),
    ("unsigned_max", "client-lib/engine/src/engine/channels/reading.rs", "UNSIGNED_MAX"),
    (
        "unsigned_bytes_max",
        "client-lib/engine/src/engine/channels/reading.rs",
        "UNSIGNED_BYTES_MAX",
    ),
    ("disputes_max", "client-lib/engine/src/engine/channels/reading.rs", "DISPUTES_MAX"),
    ("item_memory_ms", "client-lib/engine/src/handled.rs", "MEMORY_MS"),
    ("inbox_denied_ms", "client-lib/engine/src/inbox.rs", "DENIED_MS"),
    ("equal_warnings_max", "client-lib/engine/src/warnings.rs", "EQUAL_MAX"),
    ("equal_warnings_span_ms", "client-lib/engine/src/warnings.rs", "EQUAL_SPAN_MS"),
    ("invitations_held_of_one_max", "client-lib/engine/src/joining/held.rs", "HELD_OF_ONE_MAX"),
    ("invitations_held_max", "client-lib/engine/src/joining/held.rs", "HELD_MAX"),
    ("chat_rooms_max", "client-lib/engine/src/record/chat.rs", "CHAT_ROOMS_MAX"),
    ("direct_groups_max", "client-lib/engine/src/direct.rs", "DIRECT_GROUPS_MAX"),
    (
        "invitations_held_of_capability_max",
        "client-lib/engine/src/joining/held.rs",
        "HELD_OF_CAPABILITY_MAX",
    ),
    ("invitations_held_ms", "client-lib/engine/src/joining/held/row.rs", "HELD_LIFE_MS"),
    (
        "invitations_unread_of_one_max",
        "client-lib/engine/src/joining/unread.rs",
        "UNREAD_OF_ONE_MAX",
    ),
    ("invitations_unread_max", "client-lib/engine/src/joining/unread.rs", "UNREAD_MAX"),
    ("successor_read_ms", "client-lib/engine/src/succession/telling.rs", "READ_MS"),
    ("door_links_max", "client-lib/engine/src/door/links.rs", "LINKS_MAX"),
    ("former_life_ms", "client-lib/engine/src/succession/former.rs", "FORMER_LIFE_MS"),
    ("succession_settle_ms", "client-lib/engine/src/succession/word.rs", "SETTLE_MS"),
    ("succession_gather_ms", "client-lib/engine/src/succession/coming_in.rs", "GATHER_MS"),
    ("door_link_uses_max", "client-lib/engine/src/door/links.rs", "USES_MAX"),
    ("door_lost_ms", "client-lib/engine/src/door.rs", "LOST_AFTER_MS"),
    ("door_rotation_wait_span_ms", "client-lib/engine/src/door.rs", "ROTATION_SPAN_MS"),
    ("admission_wait_span_ms", "client-lib/engine/src/door/requests.rs", "ADMISSION_SPAN_MS"),
    ("requests_max", "client-lib/engine/src/door/knocks.rs", "REQUESTS_MAX"),
    ("requests_over_max", "client-lib/engine/src/door/requests.rs", "REQUESTS_OVER_MAX"),
    ("requests_of_link_max", "client-lib/engine/src/door/knocks.rs", "REQUESTS_OF_LINK_MAX"),
    ("request_rest_ms", "client-lib/engine/src/door/knocks.rs", "REQUEST_REST_MS"),
    ("request_memory_ms", "client-lib/engine/src/door/requests.rs", "REQUEST_MEMORY_MS"),
    ("declines_told_max", "client-lib/engine/src/door/requests.rs", "DECLINES_TOLD_MAX"),
    ("door_links_over_max", "client-lib/engine/src/door/links/told.rs", "LINKS_OVER_MAX"),
    ("approvals_needed_max", "client-lib/engine/src/door/approvals.rs", "NEEDED_MAX"),
    ("request_items", "client-lib/engine/src/capabilities.rs", "REQUEST_ITEMS"),
    ("request_life_ms", "client-lib/engine/src/asking.rs", "REQUEST_LIFE_MS"),
    ("askings_max", "client-lib/engine/src/asking.rs", "ASKINGS_MAX"),
    ("askings_over_max", "client-lib/engine/src/asking.rs", "OVER_MAX"),
    ("relays_brought_max", "client-lib/engine/src/joining/relays.rs", "RELAYS_MAX"),
    ("relays_brought_of_one_max", "client-lib/engine/src/joining/relays.rs", "RELAYS_OF_ONE_MAX"),
    ("frames_waiting_max", "client-lib/src/driver/connection.rs", "FRAMES_WAITING_MAX"),
    ("idle_wait_ms", "client-lib/src/driver.rs", "IDLE_WAIT"),
    ("transfer_chunks_max", "client-lib/engine/src/engine/files.rs", "WINDOW_CHUNKS"),
    ("transfers_max", "client-lib/engine/src/engine/files.rs", "TRANSFERS_MAX"),
    ("key_memory_kib_max", "client-lib/src/store/key.rs", "MEMORY_KIB_MAX"),
    ("key_passes_max", "client-lib/src/store/key.rs", "PASSES_MAX"),
    ("key_lanes_max", "client-lib/src/store/key.rs", "LANES_MAX"),
    ("stored_whole_bytes_max", "client-lib/src/store/chunks.rs", "WHOLE_BYTES_MAX"),
    ("idle_wait_ms", "client-lib/src/driver.rs", "IDLE_WAIT"),
    ("local_body_bytes_max", "client-lib/src/local/frame.rs", "BODY_BYTES_MAX"),
    ("local_connections_max", "client-lib/src/local/server.rs", "CONNECTIONS_MAX"),
    ("local_requests_max", "client-lib/src/local/server.rs", "REQUESTS_MAX"),
];

/// The value of an integer constant that is a product, or of a `Duration` in milliseconds.
fn constant(file: &str, name: &str) -> u64 {
    let source = read(file);
    let start = format!("const {name}: ");
    let line = source
        .lines()
        .find(|line| line.contains(&start))
        .unwrap_or_else(|| panic!("{file} has no {name}"));
    let expression = line.split_once(" = ").unwrap().1.trim_end_matches(';');
    let (expression, factor) = match expression.strip_prefix("Duration::from_secs(") {
        Some(seconds) => (seconds.trim_end_matches(')'), 1_000),
        None => (expression, 1),
    };
    let product: u64 = expression
        .split('*')
        .map(|part| part.trim().replace('_', "").parse::<u64>().unwrap())
        .product();
    product * factor
}

fn documented(heading: &str) -> BTreeMap<String, u64> {
    let rows = table(&read("spec/limits.md"), heading);
    let count = rows.len();
    let limits: BTreeMap<_, _> = rows
        .into_iter()
        .map(|row| (row[0].clone(), row[1].replace(',', "").parse().unwrap()))
        .collect();
    assert_eq!(limits.len(), count, "a limit stands twice under {heading}");
    limits
}

fn in_code(rows: &[(&str, &str, &str)]) -> BTreeMap<String, u64> {
    rows.iter().map(|(limit, file, name)| ((*limit).to_owned(), constant(file, name))).collect()
}

#[test]
fn limits_between_clients_are_the_documented_ones() {
    // spec: CNT-001, CNT-007, CNT-017, CNT-020, CNT-023, CNT-030, CNT-040, GRP-010, LNK-013
    // spec: LNK-024, LNK-046, IDN-031, IDN-034, IDN-051, IDN-053, ATT-005, ATT-014
    let mut code = in_code(BETWEEN_CLIENTS);
    let limits = Limits::V1;
    let chunk = u64::from(limits.blob_chunk_bytes);
    // What each chunk of the largest blob holds beside its tag.
    code.insert("file_bytes_max".to_owned(), limits.blob_bytes_max / chunk * (chunk - 16));
    // No constant: the lengths of a card's fields give it, and a test of the card.
    code.insert("link_card_bytes_max".to_owned(), 2_048);
    assert_eq!(documented("## Between clients"), code);
}

#[test]
fn limits_of_one_side_are_the_documented_ones() {
    // spec: CHN-027, CLI-015, CLI-032, CLI-049, CLI-053, CLI-054, CLI-067, CLI-084
    // spec: CLI-170, CLI-105, CLI-107, CLI-108, CLI-138, CLI-088, CLI-089, CLI-090, CLI-091, IDN-060, IDN-061, IDN-062
    let mut code = in_code(OF_ONE_SIDE);
    // A key is kept a while longer than the capabilities that were given with it.
    let spare = constant("client-lib/engine/src/revoking.rs", "OLD_KEY_SPARE_MS");
    code.insert("inbox_key_keep_ms".to_owned(), code["capability_retire_ms"] + spare);
    assert_eq!(documented("## Of one side"), code);
}
