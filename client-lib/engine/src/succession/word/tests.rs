use super::*;
use crate::work::trial::with_work;

fn rank(role: Role, person: u8, made_at: u64) -> SuccessorRank {
    SuccessorRank {
        role,
        identity: Fingerprint::from_bytes([person; 32]),
        made_at: Timestamp(made_at),
        channel: ChannelId::from_bytes([person; 32]),
    }
}

fn record(rank: SuccessorRank, stage: Stage, left_out: &[u8]) -> SuccessionRecord {
    let left_out: Vec<Fingerprint> =
        left_out.iter().map(|byte| Fingerprint::from_bytes([*byte; 32])).collect();
    SuccessionRecord {
        offer: None,
        role: rank.role as u8,
        identity: rank.identity,
        made_at_ms: rank.made_at.0,
        channel: rank.channel,
        stage,
        since_ms: 0,
        left_out,
        roster: None,
        was_there: false,
    }
}

#[test]
fn who_was_there_before_it_knew_the_old_group_is_moved_by_no_word_of_that() {
    // spec: CLI-219
    with_work(|work| {
        let rank = |role, made_at| rank(role, 1, made_at);
        let mut known = record(rank(Role::Owner, 5), Stage::Followed, &[]);
        assert!(!stays(work, &known, &rank(Role::Owner, 9)), "a later word of the same identity");
        known.was_there = true;
        assert!(stays(work, &known, &rank(Role::Owner, 9)));
    });
}

#[test]
fn nobody_leaves_out_who_is_above_them() {
    // spec: GRP-144, GRP-145
    for (role, other, left_out) in [
        (Role::Admin, Role::Admin, true),
        (Role::Admin, Role::Owner, false),
        (Role::Owner, Role::Owner, true),
        (Role::Owner, Role::Admin, true),
    ] {
        let followed = record(rank(role, 1, 1), Stage::Followed, &[2, 3]);
        assert_eq!(followed.leaves_out(&rank(other, 2, 2)), left_out, "{role:?} {other:?}");
        assert!(!followed.leaves_out(&rank(other, 4, 2)), "not named");
    }
}

#[test]
fn a_word_from_the_future_is_behind_one_of_the_same_identity_until_it_is_followed() {
    // spec: CLI-210
    let now = Timestamp(1_800_000_000_000);
    let (here, ahead) = (now.0 + CLOCK_OFF_MS, now.0 + CLOCK_OFF_MS + 1);
    for (known, stage, said, above) in [
        (rank(Role::Owner, 1, ahead), Stage::Offered, rank(Role::Owner, 1, here), false),
        (rank(Role::Owner, 1, ahead), Stage::Asking, rank(Role::Owner, 1, here), false),
        (rank(Role::Owner, 1, ahead), Stage::Followed, rank(Role::Owner, 1, here), true),
        (rank(Role::Owner, 1, here), Stage::Offered, rank(Role::Owner, 1, ahead), true),
        (rank(Role::Owner, 1, here), Stage::Offered, rank(Role::Owner, 1, here - 1), true),
        (rank(Role::Owner, 1, ahead), Stage::Offered, rank(Role::Owner, 1, ahead + 1), false),
        // Of others the role counts, and the fingerprint.
        (rank(Role::Owner, 1, ahead), Stage::Offered, rank(Role::Owner, 2, here), true),
        (rank(Role::Admin, 1, here), Stage::Offered, rank(Role::Owner, 2, ahead), false),
    ] {
        let is_above = record(known, stage, &[]).is_above(&said, now).unwrap();
        assert_eq!(is_above, above, "{known:?} {stage:?} {said:?}");
    }
}
