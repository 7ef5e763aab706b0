//! Readings of a store that changes while a step reads it.

use bytes::Bytes;
use hushwire_relay_rules::{
    MemoryStore, Signer, Step,
    store::{Object, Read, ReadLimit, Revision, Row, StoreError, Table},
};
use hushwire_wire::{
    SigningKey,
    id::{Sequence, Timestamp},
    message::{Answer, Follow, Request},
};

use crate::{
    inboxes::{inbox, send},
    world::{PLENTY, Relay, created, message, read, root, short},
};

/// Single rows are read before a write, ranges after it: the worst order within one step.
struct Meanwhile {
    before: MemoryStore,
    after: MemoryStore,
}

impl Read for Meanwhile {
    fn revision(&self, object: &Object) -> Result<Revision, StoreError> {
        self.before.revision(object)
    }

    fn row(
        &self,
        object: &Object,
        table: Table,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Bytes>, StoreError> {
        self.before.row(object, table, key, now)
    }

    fn rows(
        &self,
        object: &Object,
        table: Table,
        prefix: &[u8],
        from: &[u8],
        limit: ReadLimit,
        now: Timestamp,
    ) -> Result<Vec<Row>, StoreError> {
        self.after.rows(object, table, prefix, from, limit, now)
    }
}

/// What one step of a reading says of a store where `write` happens within the step.
fn said(
    relay: &mut Relay,
    request: Request,
    client: &mut crate::world::Client,
    write: Request,
) -> String {
    let id = client.new_id();
    let Step::Read(mut reading) = client.session.handle(relay.now, id, request) else {
        panic!("no reading")
    };
    let before = relay.store.clone();
    relay.ask(client, write);
    let view = Meanwhile { before, after: relay.store.clone() };
    let mut signer = Signer::new(SigningKey::from_bytes(&[200; 32]));
    let step = reading.next(&view, relay.now, PLENTY);
    let answers: Vec<Answer> = step.replies.into_iter().map(|reply| signer.sign(reply)).collect();
    short(&answers)
}

#[test]
fn an_epoch_ends_where_its_head_says_whatever_was_appended_meanwhile() {
    // spec: CHN-015
    let mut relay = Relay::default();
    let mut client = relay.connect();
    let handle = created(&mut relay, &mut client).handle;
    relay.ask(&mut client, message(handle, "one"));
    let request = read(handle, root(1), 0, Follow::Onward);
    let said = said(&mut relay, request, &mut client, message(handle, "two"));
    assert_eq!(said, "one |1 .");
}

#[test]
fn an_inbox_ends_where_it_ended_when_the_step_began() {
    // spec: INB-013
    let mut relay = Relay::default();
    let (mut owner, handle) = inbox(&mut relay);
    relay.ask(&mut owner, send("one"));
    let request = Request::InboxRead { handle, from: Sequence(0), follow: Follow::Onward };
    assert_eq!(said(&mut relay, request, &mut owner, send("two")), "one .");
}
