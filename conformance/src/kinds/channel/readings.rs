//! Scripts of reading.

use hushwire_wire::{
    error::Code,
    id::EpochId,
    transcript::{self, Cut, Operation},
};
use serde_json::{Value, json};

use super::log::{CHANNEL, Log, commit};
use crate::{relay::script::Script, suite::Group};

fn script() -> Script {
    Script::new(json!({}))
}

pub(super) fn over() -> Value {
    json!({ "read_end": { "following": false } })
}

pub(super) fn read(script: &mut Script, log: &Log, epoch: &EpochId, from: u64, parts: Vec<Value>) {
    let fields = log.read_fields(epoch, from);
    script.step("a", "channel_read", fields, json!({ "parts": parts }));
}

pub(super) fn trees() -> Group {
    let rules = ["CHN-004", "CHN-005", "CHN-014", "CHN-015"];
    let mut group = Group::new("epochs and their children", &rules);
    let mut s = script();
    let log = Log::create(&mut s, 1);
    let parts = vec![log.end(&s), over()];
    read(&mut s, &log, &log.epoch, 0, parts);
    group = s.into_test(group, "an empty epoch");

    for cut in [Cut::Through, Cut::Cut] {
        let mut s = script();
        let mut log = Log::create(&mut s, 1);
        log.message(&mut s, "one");
        let mut child = log.child(&mut s, 2, cut);
        child.message(&mut s, "two");
        let mut parts = vec![
            log.entry(&s, 0, "one", &Operation::Message),
            log.entry(&s, 1, "commit 2", &commit(2, cut, &[])),
            log.end(&s),
        ];
        if cut == Cut::Through {
            parts.extend([child.entry(&s, 0, "two", &Operation::Message), child.end(&s)]);
        }
        parts.push(over());
        read(&mut s, &log, &log.epoch, 0, parts);
        let comment = match cut {
            Cut::Through => "a child that was opened without cut",
            Cut::Cut => "a child that was opened with cut",
        };
        group = s.into_test(group, comment);
    }

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let first = log.child(&mut s, 2, Cut::Through);
    s.wait_ms(500);
    let mut second = log.commit(&mut s, 3, Cut::Cut);
    s.wait_ms(500);
    let third = log.child(&mut s, 4, Cut::Through);
    let parts = vec![log.end(&s), first.end(&s), third.end(&s), over()];
    read(&mut s, &log, &log.epoch, 3, parts);
    second.siblings.push(log.candidates[2]);
    second.open(&mut s);
    group = s.into_test(group, "three candidates, the second cut, from the end of their epoch");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let mut child = log.child(&mut s, 2, Cut::Through);
    child.message(&mut s, "below");
    let parts = vec![child.entry(&s, 0, "below", &Operation::Message), child.end(&s), over()];
    read(&mut s, &log, &child.epoch, 0, parts);
    s.into_test(group, "a child with the handle of its parent")
}

pub(super) fn refusals() -> Group {
    let mut group = Group::new("what is not read", &["CHN-005", "CHN-025", "CHN-028"]);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let child = log.commit(&mut s, 2, Cut::Cut);
    s.refused("a", "channel_read", log.read_fields(&child.epoch, 0), Code::NotReadable);
    group = s.into_test(group, "a cut child with the handle of its parent");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let child = log.child(&mut s, 2, Cut::Through);
    s.refused("a", "channel_read", child.read_fields(&log.epoch, 0), Code::NotReadable);
    group = s.into_test(group, "a parent with the handle of its child");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    let unknown = EpochId::from_bytes([9; 32]);
    s.refused("a", "channel_read", log.read_fields(&unknown, 0), Code::NotReadable);
    group = s.into_test(group, "an epoch that is not there");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    log.message(&mut s, "one");
    s.refused("a", "channel_read", log.read_fields(&log.epoch, 2), Code::BeyondEnd);
    s.into_test(group, "from a place after the end")
}

pub(super) fn kept() -> Group {
    let group = Group::new("what is kept of entries", &["CHN-016", "CHN-017"]);
    let mut s = Script::new(json!({ "message_retention_ms": "5000" }));
    let mut log = Log::create(&mut s, 1);
    log.message(&mut s, "one");
    let stored_at_ms = s.now_ms();
    log.commit(&mut s, 2, Cut::Cut);
    let kept = log.entry(&s, 1, "commit 2", &commit(2, Cut::Cut, &[]));
    let whole = log.entry(&s, 0, "one", &Operation::Message);
    let hash = transcript::content_hash(b"one");
    let id = transcript::entry_id(&CHANNEL, &log.epoch, &Operation::Message, &hash);
    let expired = json!({ "entry": {
        "epoch": hex::encode(log.epoch),
        "sequence": "0",
        "stored_at_ms": stored_at_ms.to_string(),
        "expired": hex::encode(id),
    } });
    for (wait_ms, first) in [(4_999, whole), (1, expired)] {
        s.wait_ms(wait_ms);
        let parts = vec![first, kept.clone(), log.end(&s), over()];
        read(&mut s, &log, &log.epoch, 0, parts);
    }
    s.into_test(group, "a message's content goes, its id and the commit stay")
}
