use hushwire_wire::{
    id::{PublicKey, Sequence},
    transcript::{CommitMark, Cut},
};

use super::*;
use crate::work::trial::{NOW, with_profile};

#[test]
fn of_a_watched_epoch_no_more_candidates_are_kept_than_a_relay_stores() {
    // spec: CLI-209
    with_profile(|work, channel| {
        let group = groups::record(work, channel).unwrap().unwrap();
        let mls = log::load_group(work, channel).unwrap();
        let roster = PastRoster::of(&mls).unwrap();
        let leaving = Leaving { roster, own_leaf: LeafIndex(0) };
        let applied = EntryId::from_bytes([1; 32]);
        leave(work, channel, &group, &applied, &leaving, &[]).unwrap();
        let (before, _) = log::epoch_state(work, channel, &group.epoch).unwrap();
        let many = 2 * u64::from(Limits::V1.candidates_max);
        for place in 0..many {
            let mark = CommitMark {
                next_key: PublicKey::from_bytes([7; 32]),
                cut: Cut::Cut,
                contested: Vec::new(),
            };
            let content = Content::Inline(place.to_be_bytes().to_vec().into());
            let operation = Operation::Commit(mark);
            let entry = Entry {
                epoch: group.epoch,
                sequence: Sequence(before.next + place),
                stored_at: NOW,
                body: EntryBody::Whole { operation, content },
            };
            assert_eq!(take(work, channel, &entry).unwrap(), log::Taken::Next);
        }
        let (kept, _) = log::epoch_state(work, channel, &group.epoch).unwrap();
        assert_eq!(kept.next, before.next + many, "it is read on");
        assert_eq!(kept.candidates.len(), usize::from(Limits::V1.candidates_max));
    });
}
