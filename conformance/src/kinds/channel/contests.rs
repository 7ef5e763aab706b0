//! Scripts of epochs with candidates: what members note beside them, and whose turn it is.

use hushwire_wire::{
    error::Code,
    transcript::{Cut, Operation},
};
use serde_json::{Value, json};

use super::{
    log::{Log, commit, open_fields},
    readings::{over, read},
};
use crate::{relay::script::Script, suite::Group};

fn script() -> Script {
    Script::new(json!({}))
}

/// A first epoch with a first candidate.
fn contested(script: &mut Script) -> Log {
    let mut log = Log::create(script, 1);
    log.commit(script, 2, Cut::Cut);
    log
}

pub(super) fn notes() -> Group {
    let rules = ["CHN-003", "CHN-032", "CHN-033", "CHN-034", "CHN-035"];
    let mut group = Group::new("notes", &rules);
    let mut s = script();
    let mut log = contested(&mut s);
    log.append(&mut s, "note", &Operation::Note);
    let parts = vec![
        log.entry(&s, 0, "commit 2", &commit(2, Cut::Cut, &[])),
        log.entry(&s, 1, "note", &Operation::Note),
        log.end(&s),
        over(),
    ];
    read(&mut s, &log, &log.epoch, 0, parts);
    group = s.into_test(group, "beside a candidate, read as a note");

    let mut s = script();
    let mut log = contested(&mut s);
    log.append(&mut s, "note", &Operation::Note);
    s.wait_ms(500);
    log.commit(&mut s, 3, Cut::Through);
    log.append(&mut s, "another note", &Operation::Note);
    group = s.into_test(group, "no candidate: the next commit does not contest it");

    let mut s = script();
    let mut log = contested(&mut s);
    let mut said = log.append(&mut s, "note", &Operation::Note);
    said["appended"]["repeated"] = true.into();
    let fields = log.fields("note", &Operation::Note);
    s.step("a", "append", fields, said);
    group = s.into_test(group, "the same again at once");

    let mut s = script();
    let log = Log::create(&mut s, 1);
    log.refused(&mut s, &Operation::Note, Code::NoCandidates);
    group = s.into_test(group, "where nobody has committed");

    let mut s = Script::new(json!({ "note_bytes_max": "4" }));
    let mut log = contested(&mut s);
    log.append(&mut s, "four", &Operation::Note);
    let fields = log.fields("fives", &Operation::Note);
    s.refused("a", "append", fields, Code::TooLarge);
    group = s.into_test(group, "longer than the bound");

    let mut s = Script::new(json!({ "notes_max": "2" }));
    let mut log = contested(&mut s);
    log.append(&mut s, "one", &Operation::Note);
    s.wait_ms(200);
    log.append(&mut s, "two", &Operation::Note);
    s.wait_ms(200);
    log.refused(&mut s, &Operation::Note, Code::NotesExhausted);
    group = s.into_test(group, "one more than an epoch takes");
    gaps(group)
}

fn gaps(mut group: Group) -> Group {
    let mut s = script();
    let mut log = contested(&mut s);
    log.append(&mut s, "note", &Operation::Note);
    s.wait_ms(150);
    log.early(&mut s, &Operation::Note, 50);
    group = s.into_test(group, "too soon after another one");

    let mut s = Script::new(json!({ "gap_step": "2" }));
    let mut log = contested(&mut s);
    for (content, wait_ms) in [("one", 200), ("two", 400), ("three", 400), ("four", 799)] {
        log.append(&mut s, content, &Operation::Note);
        s.wait_ms(wait_ms);
    }
    log.early(&mut s, &Operation::Note, 1);
    group = s.into_test(group, "the time between them doubles with every second one");

    let mut s = Script::new(json!({ "gap_step": "2" }));
    let mut log = Log::create(&mut s, 1);
    for (key, wait_ms) in [(2, 500), (3, 1_000), (4, 1_000), (5, 1_999)] {
        log.commit(&mut s, key, Cut::Cut);
        s.wait_ms(wait_ms);
    }
    let operation = commit(6, Cut::Cut, &log.candidates);
    log.early(&mut s, &operation, 1);
    s.into_test(group, "and so does that between candidates")
}

/// A second session, at the same epoch.
fn join(script: &mut Script, log: &Log) {
    script.connect("b");
    let mut fields = open_fields(script, "b", &log.epoch, log.key);
    fields["as"] = "of b".into();
    script.step("b", "channel_open", fields, log.opened());
}

/// A commit of the second session, refused for so long.
fn push(script: &mut Script, log: &Log, wait_ms: u64) {
    let said = json!({ "error": "TOO_EARLY", "retry_after_ms": wait_ms.to_string() });
    let fields = pushed(log);
    script.step("b", "append", fields, said);
}

fn pushed(log: &Log) -> Value {
    let mut fields = log.fields("commit 9", &commit(9, Cut::Cut, &log.candidates));
    fields["handle"] = "of b".into();
    fields
}

pub(super) fn turns() -> Group {
    let mut group = Group::new("those who wait", &["CHN-036", "CHN-037"]);
    // An epoch where session a waits, and session b comes only when the time has passed.
    let waiting = || {
        let mut s = script();
        let log = contested(&mut s);
        join(&mut s, &log);
        let operation = commit(3, Cut::Through, &log.candidates);
        log.early(&mut s, &operation, 500);
        s.wait_ms(500);
        push(&mut s, &log, 1_000);
        (s, log)
    };
    let (mut s, mut log) = waiting();
    s.wait_ms(999);
    log.commit(&mut s, 3, Cut::Through);
    group = s.into_test(group, "who waits goes before who comes when the time has passed");

    let (mut s, log) = waiting();
    s.wait_ms(999);
    push(&mut s, &log, 1);
    group = s.into_test(group, "until its turn is over");

    let (mut s, mut log) = waiting();
    s.wait_ms(1_000);
    let (operation, fields) = (commit(9, Cut::Cut, &log.candidates), pushed(&log));
    log.append_in(&mut s, "b", "commit 9", &operation, fields);
    group = s.into_test(group, "and no longer");

    let mut s = script();
    let mut log = contested(&mut s);
    join(&mut s, &log);
    let operation = commit(3, Cut::Through, &log.candidates);
    log.early(&mut s, &operation, 500);
    s.wait_ms(1_500);
    let (operation, fields) = (commit(9, Cut::Cut, &log.candidates), pushed(&log));
    log.append_in(&mut s, "b", "commit 9", &operation, fields);
    s.into_test(group, "who does not come when it was told waits no longer")
}
