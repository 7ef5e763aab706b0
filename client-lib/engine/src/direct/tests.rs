use super::*;
use crate::{
    profile, record,
    work::trial::{with_profile, with_work},
};

#[test]
fn each_lower_channel_leaves_most_of_the_room_below() {
    // spec: LNK-113, LNK-115
    with_work(|work| {
        let head = |channel: &ChannelId| {
            u64::from_be_bytes(*channel.as_bytes().first_chunk::<LOWER_BYTES>().unwrap())
        };
        let mut last = channel_before(work, None);
        for step in 0..1_000 {
            let next = channel_before(work, Some(last));
            let bound = head(&last);
            assert!(next < last && head(&next) < bound, "{step}");
            assert!(head(&next) >= bound - bound / 16 - 1, "{step}");
            last = next;
        }
        assert!(!is_last(&last), "a thousand times");
        // At the end of the room none is drawn that nobody would take.
        for end in [1, 2, 3] {
            let mut id = [7; 32];
            id[..LOWER_BYTES].copy_from_slice(&u64::to_be_bytes(end));
            assert!(!is_last(&channel_before(work, Some(ChannelId::from_bytes(id)))), "{end}");
        }
    });
}

#[test]
fn a_doubtful_group_that_is_given_up_takes_no_room_from_the_ids_below() {
    // spec: LNK-070, LNK-112
    with_work(|work| {
        let [doubtful, plain, next] = [1, 2, 3].map(|byte| ChannelId::from_bytes([byte; 32]));
        standing::doubt(work, &doubtful).unwrap();
        for channel in [doubtful, plain] {
            let_go(work, &channel, &next).unwrap();
        }
        assert_eq!(standing::of(work, &doubtful), Ok(Standing::Doubtful));
        assert_eq!(standing::of(work, &plain), Ok(Standing::Plain));
    });
}

#[test]
fn a_list_that_a_build_before_noted_says_of_nobody_that_they_are_gone() {
    // spec: CLI-133, LNK-111
    #[derive(serde::Serialize)]
    struct Before {
        manager_counter: u64,
        version: u64,
        gone: Vec<serde_bytes::ByteArray<16>>,
    }
    with_profile(|work, _| {
        let there = profile::device(work).unwrap().credential;
        let before = Before { manager_counter: u64::MAX, version: u64::MAX, gone: Vec::new() };
        let key = [b"listed ", &there.identity().as_bytes()[..]].concat();
        work.tx.put(Table::Profile, &key, record::encode(&before).unwrap());
        assert_eq!(devices::is_gone(work, &there), Ok(false));
    });
}
