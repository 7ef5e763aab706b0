//! Sessions at a relay: scripts of hellos, request ids, and what a session has open.

use hushwire_wire::{
    SigningKey,
    error::Code,
    id::{ChannelId, InboxId, Nonce, SlotId},
    transcript,
};
use serde_json::{Value, json};

use crate::{
    relay::{self, script::Script},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "relay-session";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    relay::run(input)
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(hellos()).group(request_ids()).group(bounds()).group(handles())
}

const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
const NONCE: Nonce = Nonce::from_bytes([2; 32]);
const INBOX: InboxId = InboxId::from_bytes([3; 16]);
const SLOT: SlotId = SlotId::from_bytes([4; 16]);

fn script(limits: Value) -> Script {
    Script::new(limits)
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn done() -> Value {
    json!({ "done": {} })
}

/// A refusal that ends the session.
fn ends(code: Code) -> Value {
    json!({ "error": code.name(), "ended": true })
}

fn refusal(code: Code) -> Value {
    json!({ "error": code.name() })
}

/// A stream without a hello, in session `b`.
fn stream(script: &mut Script) {
    script.step("b", "stream", json!({ "relay_nonce": hex::encode([9; 32]) }), json!({}));
}

fn hello(min: u64, max: u64) -> Value {
    json!({
        "version_min": min.to_string(),
        "version_max": max.to_string(),
        "nonce": hex::encode([8; 32]),
    })
}

fn hello_reply(script: &Script) -> Value {
    json!({ "hello_reply": {
        "version": "1",
        "relay_key": hex::encode(transcript::public_key(script.relay_key())),
        "nonce": hex::encode([9; 32]),
        "capabilities": "0",
        "time_ms": script.now_ms().to_string(),
        "entry_inline_bytes_max": "65536",
        "blob_bytes_max": "4294967296",
        "blob_chunk_bytes": "262144",
        "requests_in_flight_max": "256",
        "message_retention_ms": "7776000000",
    } })
}

fn hellos() -> Group {
    let mut group = Group::new("hellos", &["WIRE-002", "WIRE-060", "WIRE-041"]);
    for (min, max) in [(1, 1), (0, 1), (1, 9), (0, u64::from(u32::MAX))] {
        let mut s = script(json!({}));
        stream(&mut s);
        let reply = hello_reply(&s);
        s.step("b", "hello", hello(min, max), reply);
        s.step("b", "ping", json!({}), done());
        group = s.into_test(group, &format!("versions {min} to {max}"));
    }
    for (min, max) in [(2, 9), (0, 0), (2, 1), (1, 0)] {
        let mut s = script(json!({}));
        stream(&mut s);
        s.step("b", "hello", hello(min, max), ends(Code::UnsupportedVersion));
        group = s.into_test(group, &format!("versions {min} to {max}"));
    }
    let mut s = script(json!({}));
    stream(&mut s);
    s.step("b", "ping", json!({}), ends(Code::HelloMisplaced));
    group = s.into_test(group, "another request first");
    let mut s = script(json!({}));
    s.step("a", "ping", json!({}), done());
    s.step("a", "hello", hello(1, 1), ends(Code::HelloMisplaced));
    group = s.into_test(group, "a second hello");
    let mut s = script(json!({}));
    stream(&mut s);
    s.step("b", "ping", json!({}), ends(Code::HelloMisplaced));
    s.step("a", "ping", json!({}), done());
    s.into_test(group, "another session does not end with it")
}

/// A creation of a blob, under a key of this number.
fn blob(number: u8) -> Value {
    json!({ "upload_key": hex::encode([number; 32]), "size": "10" })
}

fn blob_state() -> Value {
    json!({ "blob_state": { "size": "10", "stored": "0" } })
}

fn under(request: u64, mut fields: Value) -> Value {
    fields["request"] = request.to_string().into();
    fields
}

fn held(mut fields: Value) -> Value {
    fields["held"] = true.into();
    fields
}

fn waits() -> Value {
    json!({ "held": true })
}

/// Creates the channel of a number; its handle is named after it.
fn create_channel(script: &mut Script, number: u8) {
    let (fields, opened) = channel(script, number);
    script.step("a", "channel_create", fields, opened);
}

fn channel(script: &Script, number: u8) -> (Value, Value) {
    let channel = ChannelId::from_bytes([number; 32]);
    let epoch_key = transcript::public_key(&key(number));
    let epoch = transcript::root_epoch_id(&channel, &epoch_key, &NONCE);
    let proof = transcript::channel_create(&script.relay(), &script.session("a"), &channel, &epoch);
    let fields = json!({
        "channel": hex::encode(channel),
        "epoch_key": hex::encode(epoch_key),
        "nonce": hex::encode(NONCE),
        "signature": hex::encode(proof.sign(&key(number))),
        "as": format!("channel {number}"),
    });
    let opened = json!({ "channel_opened": {
        "epoch": hex::encode(epoch),
        "next_sequence": "0",
        "head": hex::encode(transcript::first_head(&channel, &epoch)),
        "candidates": [],
        "siblings": [],
    } });
    (fields, opened)
}

/// The fields of a reading of channel 1 that goes on.
fn following() -> Value {
    let epoch = transcript::root_epoch_id(&CHANNEL, &transcript::public_key(&key(1)), &NONCE);
    json!({
        "handle": "channel 1",
        "epoch": hex::encode(epoch),
        "from_sequence": "0",
        "follow": true,
    })
}

/// What it says of the empty epoch until there is news (CHN-015): its end, unsigned, and that more
/// may come.
fn caught_up() -> Value {
    let epoch = transcript::root_epoch_id(&CHANNEL, &transcript::public_key(&key(1)), &NONCE);
    json!({ "parts": [
        { "epoch_end": {
            "epoch": hex::encode(epoch),
            "next_sequence": "0",
            "head": hex::encode(transcript::first_head(&CHANNEL, &epoch)),
            "signature": "",
        } },
        { "read_end": { "following": true } },
    ] })
}

fn stopped(readings: &[&str]) -> Value {
    json!({ "done": {}, "readings_over": readings })
}

fn request_ids() -> Group {
    let mut group = Group::new("request ids", &["WIRE-061"]);
    let ping = || json!({});
    let mut s = script(json!({}));
    s.step("a", "ping", under(1, ping()), done());
    s.step("a", "ping", under(1, ping()), done());
    group = s.into_test(group, "of a request that was answered");

    let mut s = script(json!({}));
    for request in [5, 2, u64::MAX] {
        s.step("a", "ping", under(request, ping()), done());
    }
    group = s.into_test(group, "in any order");

    let mut s = script(json!({}));
    s.step("a", "blob_create", held(under(5, blob(1))), waits());
    s.step("a", "ping", under(5, ping()), ends(Code::RequestIdInUse));
    group = s.into_test(group, "of a request without an answer");

    let mut s = script(json!({}));
    s.step("a", "blob_create", held(under(5, blob(1))), waits());
    s.connect("b");
    s.step("b", "ping", under(5, ping()), done());
    s.step("a", "release", under(5, json!({})), blob_state());
    s.step("a", "ping", under(5, ping()), done());
    group = s.into_test(group, "in another session, and after the answer");

    let mut s = script(json!({}));
    create_channel(&mut s, 1);
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.step("a", "ping", under(7, ping()), ends(Code::RequestIdInUse));
    group = s.into_test(group, "of a reading that goes on");

    let mut s = script(json!({}));
    create_channel(&mut s, 1);
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.step("a", "stop", under(8, json!({ "reading": "7" })), stopped(&["7"]));
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.step("a", "channel_close", under(9, json!({ "handle": "channel 1" })), stopped(&["7"]));
    s.step("a", "ping", under(7, ping()), done());
    s.into_test(group, "of readings that ended, by stop and with their handle")
}

fn bounds() -> Group {
    let mut group = Group::new("bounds of a session", &["WIRE-062"]);
    let mut s = script(json!({ "requests_in_flight_max": "2" }));
    s.step("a", "blob_create", held(under(1, blob(1))), waits());
    s.step("a", "blob_create", held(under(2, blob(2))), waits());
    s.step("a", "blob_create", under(3, blob(3)), refusal(Code::LimitExceeded));
    group = s.into_test(group, "a request beyond those that wait");

    let mut s = script(json!({ "requests_in_flight_max": "2" }));
    s.step("a", "blob_create", held(under(1, blob(1))), waits());
    s.step("a", "blob_create", held(under(2, blob(2))), waits());
    s.step("a", "ping", under(3, json!({})), refusal(Code::LimitExceeded));
    s.step("a", "release", under(1, json!({})), blob_state());
    s.step("a", "ping", under(3, json!({})), done());
    s.step("a", "release", under(2, json!({})), blob_state());
    group = s.into_test(group, "room again after an answer");

    let mut s = script(json!({ "handles_max": "2" }));
    create_channel(&mut s, 1);
    create_channel(&mut s, 5);
    let (fields, _) = channel(&s, 6);
    s.refused("a", "channel_create", fields, Code::LimitExceeded);
    group = s.into_test(group, "a handle too many");

    let mut s = script(json!({ "handles_max": "2" }));
    create_channel(&mut s, 1);
    create_channel(&mut s, 5);
    s.step("a", "channel_close", json!({ "handle": "channel 1" }), done());
    create_channel(&mut s, 6);
    group = s.into_test(group, "room again after a handle was closed");

    let mut s = script(json!({ "handles_max": "1" }));
    let (fields, _) = channel(&s, 1);
    s.step("a", "channel_create", held(under(1, fields)), waits());
    let (fields, _) = channel(&s, 5);
    s.refused("a", "channel_create", under(2, fields), Code::LimitExceeded);
    group = s.into_test(group, "a handle counts from the request on");

    let mut s = script(json!({ "readings_max": "1" }));
    create_channel(&mut s, 1);
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.refused("a", "channel_read", under(8, following()), Code::LimitExceeded);
    group = s.into_test(group, "a reading too many");

    let mut s = script(json!({ "readings_max": "1", "requests_in_flight_max": "1" }));
    create_channel(&mut s, 1);
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.step("a", "stop", under(8, json!({ "reading": "7" })), stopped(&["7"]));
    s.step("a", "channel_read", under(8, following()), caught_up());
    s.step("a", "ping", under(9, json!({})), done());
    s.into_test(group, "room again after a stop; a reading is no request without an answer")
}

/// Creates the inbox and opens it.
fn open_inbox(script: &mut Script) {
    let (relay, session) = (script.relay(), script.session("a"));
    let owner = key(3);
    let owner_key = transcript::public_key(&owner);
    let proof = transcript::inbox_create(&relay, &session, &INBOX, &owner_key);
    let fields = json!({
        "inbox": hex::encode(INBOX),
        "owner_key": hex::encode(owner_key),
        "signature": hex::encode(proof.sign(&owner)),
    });
    script.step("a", "inbox_create", fields, done());
    let proof = transcript::inbox_open(&relay, &session, &INBOX, &SLOT);
    let fields = json!({
        "inbox": hex::encode(INBOX),
        "slot": hex::encode(SLOT),
        "signature": hex::encode(proof.sign(&owner)),
        "as": "inbox",
    });
    let opened = json!({ "inbox_opened": { "cursor": "0", "next_sequence": "0" } });
    script.step("a", "inbox_open", fields, opened);
}

fn handles() -> Group {
    let mut group = Group::new("handles and readings", &["WIRE-063"]);
    let unknown = Code::UnknownHandle;
    let append = |handle: &str| json!({ "handle": handle, "inline": hex::encode("sealed") });
    let advance = |handle: &str| json!({ "handle": handle, "cursor": "0" });
    let close = |handle: &str| json!({ "handle": handle });
    let mut s = script(json!({}));
    s.refused("a", "append", append("never"), unknown);
    group = s.into_test(group, "a handle that was never given");

    let mut s = script(json!({}));
    s.refused("a", "channel_close", close("never"), unknown);
    group = s.into_test(group, "closing such a handle");

    let mut s = script(json!({}));
    create_channel(&mut s, 1);
    s.step("a", "channel_close", close("channel 1"), done());
    s.refused("a", "append", append("channel 1"), unknown);
    group = s.into_test(group, "a handle that was closed");

    let mut s = script(json!({}));
    create_channel(&mut s, 1);
    s.refused("a", "inbox_advance", advance("channel 1"), unknown);
    group = s.into_test(group, "a channel's where an inbox's is needed");

    let mut s = script(json!({}));
    open_inbox(&mut s);
    s.refused("a", "append", append("inbox"), unknown);
    group = s.into_test(group, "an inbox's where a channel's is needed");

    let mut s = script(json!({}));
    open_inbox(&mut s);
    s.step("a", "channel_close", close("inbox"), done());
    s.refused("a", "inbox_advance", advance("inbox"), unknown);
    group = s.into_test(group, "an inbox's is closed by the same request");

    let mut s = script(json!({}));
    s.refused("a", "stop", json!({ "reading": "1" }), unknown);
    group = s.into_test(group, "stop of a request that was never made");

    let mut s = script(json!({}));
    create_channel(&mut s, 1);
    s.step("a", "channel_read", under(7, following()), caught_up());
    s.step("a", "stop", json!({ "reading": "7" }), stopped(&["7"]));
    s.refused("a", "stop", json!({ "reading": "7" }), unknown);
    s.step("a", "ping", json!({}), done());
    s.refused("a", "stop", json!({ "reading": "7" }), unknown);
    s.into_test(group, "stop of a reading that was stopped")
}
