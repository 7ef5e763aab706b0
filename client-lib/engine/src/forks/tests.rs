use hushwire_protocol::{
    address::{Host, RelayAddress},
    group::RuleVersion,
};
use hushwire_wire::{
    id::{PublicKey, RelayId, Sequence},
    transcript::{CommitMark, Cut},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::{memory::MemoryStore, profile, transaction::Transaction, work::Effects};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A profile whose own group this is.
fn with_group(test: impl FnOnce(&mut Work<'_>, &ChannelId)) {
    let (store, mut rng) = (MemoryStore::default(), ChaCha20Rng::seed_from_u64(1));
    let tx = Transaction::new(&store);
    let effects = Effects::default();
    let rules = RuleVersion::SUPPORTED;
    let mut work = Work { tx, rng: &mut rng, now: NOW, effects, rules };
    let relay = RelayId::from_bytes([1; 32]);
    let relay = RelayAddress::new(Host::parse("relay.example").unwrap(), 4433, relay).unwrap();
    profile::create(&mut work, "Alice", &relay.to_string()).unwrap();
    let channel = work.identity().unwrap().unwrap().own_group;
    test(&mut work, &channel);
}

#[test]
fn of_a_watched_epoch_no_more_candidates_are_kept_than_a_relay_stores() {
    // spec: CLI-209
    with_group(|work, channel| {
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
