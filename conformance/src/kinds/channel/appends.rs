//! Scripts of creating, opening and appending.

use hushwire_wire::{
    error::Code,
    id::{EntryId, EpochId},
    transcript::{self, Cut, Operation},
};
use serde_json::json;

use super::log::{Log, commit, create_fields, open_fields};
use crate::{relay::script::Script, suite::Group};

fn script() -> Script {
    Script::new(json!({}))
}

pub(super) fn creations() -> Group {
    let mut group = Group::new("creating a channel", &["CHN-001", "CHN-008", "CHN-013"]);
    let mut s = script();
    let log = Log::create(&mut s, 1);
    let fields = create_fields(&s, "a", 1, 1);
    s.step("a", "channel_create", fields, log.opened());
    group = s.into_test(group, "twice with the same first epoch");

    let mut s = script();
    Log::create(&mut s, 1);
    let fields = create_fields(&s, "a", 2, 2);
    s.refused("a", "channel_create", fields, Code::AlreadyExists);
    group = s.into_test(group, "with another first epoch");

    let mut s = script();
    let fields = create_fields(&s, "a", 1, 2);
    s.refused("a", "channel_create", fields, Code::Denied);
    group = s.into_test(group, "signed by another key");

    let mut s = script();
    s.connect("b");
    let fields = create_fields(&s, "b", 1, 1);
    s.refused("a", "channel_create", fields, Code::Denied);
    group = s.into_test(group, "signed for another session");

    let mut s = script();
    let mut fields = create_fields(&s, "a", 1, 1);
    fields["nonce"] = hex::encode([3; 32]).into();
    s.refused("a", "channel_create", fields, Code::Denied);
    s.into_test(group, "signed for another first epoch")
}

pub(super) fn openings() -> Group {
    let mut group = Group::new("opening a channel", &["CHN-002", "CHN-007", "CHN-029"]);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    log.message(&mut s, "one");
    log.open(&mut s);
    s.restart();
    log.open(&mut s);
    group = s.into_test(group, "also after a restart");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    let fields = open_fields(&s, "a", &log.epoch, 2);
    s.refused("a", "channel_open", fields, Code::Denied);
    group = s.into_test(group, "with another key");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    s.connect("b");
    let fields = open_fields(&s, "b", &log.epoch, 1);
    s.refused("a", "channel_open", fields, Code::Denied);
    group = s.into_test(group, "signed for another session");

    let mut s = script();
    Log::create(&mut s, 1);
    let fields = open_fields(&s, "a", &EpochId::from_bytes([9; 32]), 1);
    s.refused("a", "channel_open", fields, Code::Denied);
    group = s.into_test(group, "at an epoch that is not there");

    let mut s = script();
    let epoch = EpochId::from_bytes([9; 32]);
    let fields = open_fields(&s, "a", &epoch, 1);
    s.refused("a", "channel_open", fields, Code::Denied);
    s.into_test(group, "that is not there")
}

pub(super) fn messages() -> Group {
    let rules = ["CHN-003", "CHN-006", "CHN-012", "CHN-018", "CHN-019"];
    let mut group = Group::new("messages", &rules);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    for content in ["one", "two", "three"] {
        log.message(&mut s, content);
    }
    group = s.into_test(group, "three in a row");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let mut one = log.message(&mut s, "one");
    log.message(&mut s, "two");
    log.commit(&mut s, 2, Cut::Through);
    one["appended"]["repeated"] = true.into();
    let fields = log.fields("one", &Operation::Message);
    s.step("a", "append", fields, one);
    group = s.into_test(group, "one again, after the first commit");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    log.commit(&mut s, 2, Cut::Through);
    log.stale(&mut s, &Operation::Message);
    group = s.into_test(group, "after the first commit");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    s.restart();
    log.refused(&mut s, &Operation::Message, Code::UnknownHandle);
    s.into_test(group, "with a handle of an earlier session")
}

pub(super) fn commits() -> Group {
    let rules = ["CHN-011", "CHN-020", "CHN-021", "CHN-022"];
    let mut group = Group::new("commits", &rules);
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let mut child = log.child(&mut s, 2, Cut::Through);
    child.message(&mut s, "in the child");
    group = s.into_test(group, "opens a child with its key and id");

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    log.commit(&mut s, 2, Cut::Cut);
    s.wait_ms(500);
    let mut other = log.child(&mut s, 3, Cut::Through);
    other.message(&mut s, "in the second child");
    group = s.into_test(group, "contests the first candidate");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    log.stale(&mut s, &commit(2, Cut::Through, &[EntryId::from_bytes([9; 32])]));
    group = s.into_test(group, "contests what is not there");

    for (comment, order) in
        [("lists nobody", &[][..]), ("lists one of two", &[0]), ("lists backwards", &[1, 0])]
    {
        let mut s = script();
        let mut log = Log::create(&mut s, 1);
        log.commit(&mut s, 2, Cut::Through);
        s.wait_ms(500);
        log.commit(&mut s, 3, Cut::Through);
        s.wait_ms(500);
        let contested: Vec<_> = order.iter().map(|at| log.candidates[*at]).collect();
        log.stale(&mut s, &commit(4, Cut::Through, &contested));
        group = s.into_test(group, comment);
    }

    let mut s = Script::new(json!({ "candidates_max": "2" }));
    let mut log = Log::create(&mut s, 1);
    log.commit(&mut s, 2, Cut::Through);
    s.wait_ms(500);
    log.commit(&mut s, 3, Cut::Through);
    s.wait_ms(500);
    let operation = commit(4, Cut::Through, &log.candidates);
    log.refused(&mut s, &operation, Code::CandidatesExhausted);
    group = s.into_test(group, "one more than an epoch takes");

    for (comment, next_key) in [("its own epoch's key", 2), ("the key of the epoch above", 1)] {
        let mut s = script();
        let mut log = Log::create(&mut s, 1);
        let child = log.child(&mut s, 2, Cut::Cut);
        s.wait_ms(1_000);
        child.refused(&mut s, &commit(next_key, Cut::Cut, &[]), Code::KeyReused);
        group = s.into_test(group, comment);
    }

    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    log.commit(&mut s, 2, Cut::Through);
    s.wait_ms(500);
    let operation = commit(2, Cut::Cut, &log.candidates);
    log.refused(&mut s, &operation, Code::KeyReused);
    s.into_test(group, "the key of the candidate that it contests")
}

pub(super) fn waits() -> Group {
    let mut group = Group::new("commits that have to wait", &["CHN-023", "CHN-024"]);
    for (wait_ms, left_ms) in [(0, 1_000), (999, 1)] {
        let mut s = script();
        let mut log = Log::create(&mut s, 1);
        let child = log.child(&mut s, 2, Cut::Through);
        s.wait_ms(wait_ms);
        child.early(&mut s, &commit(3, Cut::Through, &[]), left_ms);
        group = s.into_test(group, &format!("in an epoch that is {wait_ms} ms old"));

        let mut s = script();
        let mut log = Log::create(&mut s, 1);
        log.commit(&mut s, 2, Cut::Through);
        let wait_ms = wait_ms / 2;
        s.wait_ms(wait_ms);
        let operation = commit(3, Cut::Through, &log.candidates);
        log.early(&mut s, &operation, 500 - wait_ms);
        group = s.into_test(group, &format!("{wait_ms} ms after the last candidate"));
    }
    let mut s = script();
    let mut log = Log::create(&mut s, 1);
    let mut child = log.child(&mut s, 2, Cut::Through);
    s.wait_ms(1_000);
    child.commit(&mut s, 3, Cut::Through);
    s.wait_ms(500);
    child.commit(&mut s, 4, Cut::Through);
    s.into_test(group, "taken when the time has come")
}

pub(super) fn bounds() -> Group {
    let mut group = Group::new("contents", &["CHN-009", "CHN-010"]);
    let limits = || json!({ "entry_inline_bytes_max": "4", "entry_blob_bytes_max": "8" });
    let mut s = Script::new(limits());
    let mut log = Log::create(&mut s, 1);
    log.message(&mut s, "four");
    let fields = log.fields("fives", &Operation::Message);
    s.refused("a", "append", fields, Code::TooLarge);
    group = s.into_test(group, "longer than the bound");

    let upload = hushwire_wire::id::UploadKey::from_bytes([7; 32]);
    let blob = |size: u64| {
        json!({ "handle": "of 1", "blob": {
            "blob": hex::encode(transcript::blob_id(&upload)),
            "content_hash": hex::encode(transcript::content_hash(b"sealed")),
            "size": size.to_string(),
        } })
    };
    for (comment, size, code) in [
        ("a blob above the bound", 9, Code::TooLarge),
        ("a blob that is not there", 6, Code::BlobMissing),
    ] {
        let mut s = Script::new(limits());
        Log::create(&mut s, 1);
        s.refused("a", "append", blob(size), code);
        group = s.into_test(group, comment);
    }
    group
}

pub(super) fn expired() -> Group {
    let rules = ["CHN-007", "CHN-008", "CHN-017", "CHN-030"];
    let mut group = Group::new("a first epoch whose time came before its child's", &rules);
    let late = || {
        let mut s = Script::new(json!({ "epoch_retention_ms": "6400" }));
        let mut log = Log::create(&mut s, 1);
        let mut child = log.child(&mut s, 2, Cut::Cut);
        s.wait_ms(6_000);
        child.message(&mut s, "still used");
        s.wait_ms(6_000);
        (s, log, child)
    };
    let (mut s, _, child) = late();
    let fields = create_fields(&s, "a", 1, 1);
    s.refused("a", "channel_create", fields, Code::AlreadyExists);
    child.open(&mut s);
    group = s.into_test(group, "is not created again");

    let (mut s, log, _) = late();
    let fields = open_fields(&s, "a", &log.epoch, 1);
    s.refused("a", "channel_open", fields, Code::Denied);
    group = s.into_test(group, "is not opened");

    let (mut s, log, _) = late();
    s.refused("a", "append", log.fields("late", &Operation::Message), Code::Expired);
    group = s.into_test(group, "takes no entry by a handle of its");

    let (mut s, log, _) = late();
    s.refused("a", "channel_read", log.read_fields(&log.epoch, 0), Code::Expired);
    s.into_test(group, "is not read by a handle of its")
}
