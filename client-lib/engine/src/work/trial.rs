//! An operation under way, for tests of the parts that do it.

use hushwire_protocol::{
    address::{Host, RelayAddress},
    group::RuleVersion,
};
use hushwire_wire::id::{ChannelId, RelayId, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{Effects, Work};
use crate::{memory::MemoryStore, profile, transaction::Transaction};

/// When it begins.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Runs a test with an empty store.
pub(crate) fn with_work(test: impl FnOnce(&mut Work<'_>)) {
    let (store, mut rng) = (MemoryStore::default(), ChaCha20Rng::seed_from_u64(1));
    let tx = Transaction::new(&store);
    let (effects, rules) = (Effects::default(), RuleVersion::SUPPORTED);
    test(&mut Work { tx, rng: &mut rng, now: NOW, effects, rules });
}

/// Runs a test with somebody's store, and the channel of their own group.
pub(crate) fn with_profile(test: impl FnOnce(&mut Work<'_>, &ChannelId)) {
    with_work(|work| {
        let host = Host::parse("relay.example").unwrap();
        let relay = RelayAddress::new(host, 4433, RelayId::from_bytes([1; 32])).unwrap();
        profile::create(work, "Alice", &relay.to_string()).unwrap();
        let channel = work.identity().unwrap().unwrap().own_group;
        test(work, &channel);
    });
}
