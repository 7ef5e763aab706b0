//! Programs of several ages, and what stands in their stores of a group.

use hushwire_engine::{
    store::{Order, Range, Store as _, Table},
    transaction::Transaction,
};
use hushwire_protocol::{
    group::{CommitBasis, CommitIntent, Group, GroupState, LogPlace, RuleVersion},
    identity::DeviceKey,
    provider::Provider,
};
use hushwire_wire::{
    id::{ChainHead, ChannelId, Sequence},
    message::Answer,
    transcript::Operation,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{
    Who, World,
    insider::{StoredIdentity, array},
    thief::record,
};

/// Rules that the program of these tests does not know, unless a test says that it does.
pub(crate) const NEWER: RuleVersion = RuleVersion(2);

#[derive(serde::Deserialize)]
struct StoredPlace {
    next: u64,
    head: serde_bytes::ByteBuf,
}

impl World {
    /// Opens a device anew with a program that knows these rules.
    pub(crate) fn set_rules(&mut self, who: Who, rules: RuleVersion) {
        self.people[who.0].rules = rules;
        self.restart(who);
    }

    /// Looks at a group in a device's store.
    pub(crate) fn look<T>(
        &mut self,
        who: Who,
        channel: &ChannelId,
        look: impl FnOnce(&Group) -> T,
    ) -> T {
        let store = self.people[who.0].engine.as_ref().unwrap().store();
        let tx = Transaction::new(store);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        look(&Group::load(&Provider::new(&tx, &mut rng), channel).unwrap().unwrap())
    }

    /// A commit of a device that its program would not make, by what is in its store.
    pub(crate) fn commit_by_hand(
        &mut self,
        who: Who,
        channel: &ChannelId,
        change: impl FnOnce(&mut GroupState),
    ) -> Answer {
        let stolen = self.steal(who, channel);
        let (operation, envelope) = {
            let store = self.people[who.0].engine.as_ref().unwrap().store();
            let identity: StoredIdentity = record(store, Table::Profile, b"identity");
            let key = [&channel.as_bytes()[..], stolen.epoch.as_bytes()].concat();
            let place: StoredPlace = record(store, Table::Epoch, &key);
            let tx = Transaction::new(store);
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let provider = Provider::new(&tx, &mut rng).supporting(NEWER);
            let mut group = Group::load(&provider, channel).unwrap().unwrap();
            let mut state = group.state().clone();
            change(&mut state);
            let intent = CommitIntent { set_state: Some(state), ..CommitIntent::default() };
            let head = ChainHead::from_slice(&place.head).unwrap();
            let basis = CommitBasis::first(LogPlace { read_to: Sequence(place.next), head });
            let device = DeviceKey::from_bytes(&array(&identity.device_key));
            let commit = group
                .begin_commit(&provider, &device, &stolen.epoch, &stolen.keys, intent, basis)
                .unwrap();
            (Operation::Commit(commit.mark), commit.envelope)
        };
        self.inject(0, &stolen, operation, &envelope)
    }

    /// The rows of a table.
    pub(crate) fn rows_of(&self, who: Who, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
        let range =
            Range { prefix: &[], from: None, order: Order::Ascending, rows_max: usize::MAX };
        let store = self.people[who.0].engine.as_ref().unwrap().store();
        let rows = store.rows(table, range).unwrap();
        rows.into_iter().map(|row| (row.key, row.value.to_vec())).collect()
    }
}
