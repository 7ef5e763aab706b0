use hushwire_protocol::{
    address::{Host, RelayAddress},
    group::RuleVersion,
    identity::DeviceListVersion,
};
use hushwire_wire::id::{RelayId, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::{memory::MemoryStore, profile, transaction::Transaction, work::Effects};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[test]
fn a_list_beyond_all_versions_is_not_taken_from_another_own_device() {
    // spec: IDN-082
    let (store, mut rng) = (MemoryStore::default(), ChaCha20Rng::seed_from_u64(1));
    let tx = Transaction::new(&store);
    let effects = Effects::default();
    let rules = RuleVersion::SUPPORTED;
    let mut work = Work { tx, rng: &mut rng, now: NOW, effects, rules };
    let relay = RelayId::from_bytes([1; 32]);
    let relay = RelayAddress::new(Host::parse("relay.example").unwrap(), 4433, relay).unwrap();
    profile::create(&mut work, "Alice", &relay.to_string()).unwrap();
    let identity = work.identity().unwrap().unwrap();
    let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
    let entries = device_list(&work).unwrap().devices().to_vec();
    let most = NOW.0 + CLOCK_OFF_MS;
    for (version, known) in [(u64::MAX, 1), (most + 1, 1), (most, most)] {
        let version = DeviceListVersion(version);
        let list = profile::sign_list(&work, &manager, &statement, version, entries.clone());
        take_list_of_other(&mut work, &list.unwrap().bytes).unwrap();
        assert_eq!(device_list(&work).unwrap().rank().version.0, known, "{version:?}");
    }
}
