//! A sound message of every kind, put together by hand from the tables of `spec/wire.md`.

use serde_json::{Map, Value, json};

use super::raw::{self, FieldLength, RawField};

/// Who reads the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The relay.
    ToRelay,
    /// The client.
    ToClient,
}

impl Side {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ToRelay => "to_relay",
            Self::ToClient => "to_client",
        }
    }
}

/// Which request ids a message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdRule {
    Zero,
    AboveZero,
    Either,
}

/// A message with what it means.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) side: Side,
    pub(super) id: u64,
    pub(super) id_rule: IdRule,
    pub(super) operation: Operation,
    pub(super) outputs: Value,
}

/// The operation, or a message within one.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) number: u32,
    pub(super) fields: Vec<RawField>,
}

impl Sample {
    pub(super) fn id_field(&self) -> Option<RawField> {
        (self.id != 0).then(|| RawField::integer(1, self.id))
    }

    pub(super) fn operation_field(&self) -> RawField {
        RawField::message(self.operation.number, self.operation.fields.clone())
    }

    pub(super) fn with(&self, operation: &Operation) -> Self {
        Self { operation: operation.clone(), ..self.clone() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let fields: Vec<_> = self.id_field().into_iter().chain([self.operation_field()]).collect();
        raw::encode(&fields)
    }
}

/// A field as it stands in the message, if it does, and in the outputs.
struct Named {
    name: &'static str,
    raw: Option<RawField>,
    output: Value,
}

fn integer(number: u32, name: &'static str, value: u64) -> Named {
    let raw = (value != 0).then(|| RawField::integer(number, value));
    Named { name, raw, output: json!(value.to_string()) }
}

fn flag(number: u32, name: &'static str, value: bool) -> Named {
    Named { name, raw: value.then(|| RawField::integer(number, 1)), output: json!(value) }
}

/// A field of a fixed length, filled with a byte.
fn fixed(number: u32, name: &'static str, length: usize, fill: u8) -> Named {
    let bytes = vec![fill; length];
    let raw = RawField::bytes(number, &bytes).of_length(FieldLength::Fixed);
    Named { name, raw: Some(raw), output: json!(hex::encode(bytes)) }
}

fn content(number: u32, name: &'static str, bytes: &[u8]) -> Named {
    let raw = (!bytes.is_empty()).then(|| RawField::bytes(number, bytes));
    Named { name, raw, output: json!(hex::encode(bytes)) }
}

/// So many ids, each filled with its place.
fn list(number: u32, name: &'static str, ids: u8) -> Named {
    let ids: Vec<_> = (1..=ids).map(|fill| vec![fill; 32]).collect();
    let raw = RawField::bytes(number, &ids.concat()).of_length(FieldLength::List);
    let output = ids.iter().map(hex::encode).collect::<Vec<_>>();
    Named { name, raw: (!ids.is_empty()).then_some(raw), output: json!(output) }
}

fn message(number: u32, name: &'static str, fields: Vec<Named>) -> Named {
    let (raw, output) = split(fields);
    Named { name, raw: Some(RawField::message(number, raw)), output }
}

fn split(fields: Vec<Named>) -> (Vec<RawField>, Value) {
    let mut outputs = Map::new();
    let mut raw = Vec::new();
    for field in fields {
        outputs.insert(field.name.to_owned(), field.output);
        raw.extend(field.raw);
    }
    (raw, Value::Object(outputs))
}

fn sample(side: Side, number: u32, operation: &str, variant: &str, fields: Vec<Named>) -> Sample {
    let (raw, fields) = split(fields);
    let hello = number == 8;
    let id = if hello { 0 } else { 7 };
    let error = side == Side::ToClient && number == 10;
    let id_rule = match (hello, error) {
        (true, _) => IdRule::Zero,
        (false, true) => IdRule::Either,
        (false, false) => IdRule::AboveZero,
    };
    let name =
        if variant.is_empty() { operation.to_owned() } else { format!("{operation}, {variant}") };
    let outputs = json!({ "request": id.to_string(), "operation": operation, "fields": fields });
    Sample { name, side, id, id_rule, operation: Operation { number, fields: raw }, outputs }
}

fn request(number: u32, operation: &str, fields: Vec<Named>) -> Sample {
    sample(Side::ToRelay, number, operation, "", fields)
}

fn answer(number: u32, operation: &str, variant: &str, fields: Vec<Named>) -> Sample {
    sample(Side::ToClient, number, operation, variant, fields)
}

/// Every message, in the order of the registry.
pub(super) fn all() -> Vec<Sample> {
    let mut all = session_requests();
    all.extend(channel_requests());
    all.extend(owner_requests());
    all.extend(sender_and_blob_requests());
    all.extend(session_answers());
    all.extend(channel_answers());
    all.extend(entry_answers());
    all.extend(inbox_and_blob_answers());
    all
}

fn session_requests() -> Vec<Sample> {
    vec![
        request(
            8,
            "hello",
            vec![
                integer(1, "version_min", 1),
                integer(2, "version_max", 3),
                fixed(3, "nonce", 32, 0x11),
                integer(4, "capabilities", 0),
            ],
        ),
        request(9, "ping", vec![]),
        request(10, "stop", vec![integer(1, "reading", 5)]),
    ]
}

fn blob_reference(number: u32) -> Named {
    message(
        number,
        "blob",
        vec![
            fixed(1, "blob", 32, 0xb1),
            fixed(2, "content_hash", 32, 0xb2),
            integer(3, "size", 1_015_808),
        ],
    )
}

fn commit_mark(number: u32, cut: bool, contested: u8) -> Named {
    message(
        number,
        "commit",
        vec![fixed(1, "next_key", 32, 0xc1), flag(2, "cut", cut), list(3, "contested", contested)],
    )
}

fn channel_requests() -> Vec<Sample> {
    let append = |variant, fields| sample(Side::ToRelay, 19, "append", variant, fields);
    vec![
        request(
            16,
            "channel_create",
            vec![
                fixed(1, "channel", 32, 0x21),
                fixed(2, "epoch_key", 32, 0x22),
                fixed(3, "nonce", 32, 0x23),
                fixed(4, "signature", 64, 0x24),
            ],
        ),
        request(
            17,
            "channel_open",
            vec![
                fixed(1, "channel", 32, 0x21),
                fixed(2, "epoch", 32, 0x25),
                fixed(3, "signature", 64, 0x24),
            ],
        ),
        request(18, "channel_close", vec![integer(1, "handle", 3)]),
        append("message", vec![integer(1, "handle", 3), content(2, "inline", b"sealed")]),
        append("message in a blob", vec![integer(1, "handle", 3), blob_reference(3)]),
        append(
            "first commit",
            vec![
                integer(1, "handle", 3),
                content(2, "inline", b"sealed"),
                commit_mark(4, false, 0),
            ],
        ),
        append(
            "contesting commit in a blob",
            vec![integer(1, "handle", 3), blob_reference(3), commit_mark(4, true, 3)],
        ),
        append(
            "note",
            vec![integer(1, "handle", 3), content(2, "inline", b"sealed"), flag(5, "note", true)],
        ),
        request(
            20,
            "channel_read",
            vec![
                integer(1, "handle", 3),
                fixed(2, "epoch", 32, 0x25),
                integer(3, "from_sequence", 300),
                flag(4, "follow", true),
            ],
        ),
    ]
}

fn owner_requests() -> Vec<Sample> {
    let handle = || integer(1, "handle", 3);
    vec![
        request(
            32,
            "inbox_create",
            vec![
                fixed(1, "inbox", 16, 0x31),
                fixed(2, "owner_key", 32, 0x32),
                fixed(3, "signature", 64, 0x33),
            ],
        ),
        request(
            33,
            "inbox_open",
            vec![
                fixed(1, "inbox", 16, 0x31),
                fixed(2, "slot", 16, 0x34),
                fixed(3, "signature", 64, 0x33),
            ],
        ),
        request(
            34,
            "inbox_rotate",
            vec![handle(), fixed(2, "next_owner_key", 32, 0x35), fixed(3, "signature", 64, 0x33)],
        ),
        request(
            35,
            "inbox_read",
            vec![handle(), integer(2, "from_sequence", 0), flag(3, "follow", false)],
        ),
        request(36, "inbox_advance", vec![handle(), integer(2, "cursor", 12)]),
        request(
            37,
            "capability_put",
            vec![
                handle(),
                fixed(2, "capability", 32, 0x36),
                integer(3, "items_max", 1),
                integer(4, "expires_at_ms", 1_800_000_000_000),
                content(5, "card", b"card"),
            ],
        ),
        request(38, "capability_revoke", vec![handle(), fixed(2, "capability", 32, 0x36)]),
        request(39, "slot_drop", vec![handle(), fixed(2, "slot", 16, 0x34)]),
        request(
            40,
            "shelf_put",
            vec![
                handle(),
                content(2, "package", b"package"),
                flag(3, "last_resort", true),
                flag(4, "clear", true),
            ],
        ),
        request(41, "shelf_status", vec![handle()]),
        request(42, "device_list_put", vec![handle(), content(2, "device_list", b"devices")]),
    ]
}

fn sender_and_blob_requests() -> Vec<Sample> {
    let inbox = || fixed(1, "inbox", 16, 0x31);
    let secret = || fixed(2, "secret", 32, 0x41);
    let key = || fixed(1, "upload_key", 32, 0x51);
    vec![
        request(48, "inbox_send", vec![inbox(), secret(), content(3, "item", b"sealed")]),
        request(49, "card_fetch", vec![inbox(), secret()]),
        request(50, "shelf_take", vec![inbox(), secret(), fixed(3, "slot", 16, 0x34)]),
        request(64, "blob_create", vec![key(), integer(2, "size", 4_294_967_296)]),
        request(
            65,
            "blob_write",
            vec![key(), integer(2, "offset", 262_144), content(3, "content", b"chunk")],
        ),
        request(66, "blob_stat", vec![fixed(1, "blob", 32, 0xb1)]),
        request(
            67,
            "blob_read",
            vec![
                fixed(1, "blob", 32, 0xb1),
                integer(2, "offset", 0),
                integer(3, "length", u64::MAX),
            ],
        ),
        request(68, "blob_delete", vec![key()]),
    ]
}

fn session_answers() -> Vec<Sample> {
    let known = || Named { name: "known", raw: None, output: json!(true) };
    vec![
        answer(
            8,
            "hello_reply",
            "",
            vec![
                integer(1, "version", 1),
                fixed(2, "relay_key", 32, 0x12),
                fixed(3, "nonce", 32, 0x13),
                integer(4, "capabilities", 0),
                integer(5, "time_ms", 1_800_000_000_000),
                integer(6, "entry_inline_bytes_max", 65_536),
                integer(7, "blob_bytes_max", 4_294_967_296),
                integer(8, "blob_chunk_bytes", 262_144),
                integer(9, "requests_in_flight_max", 256),
                integer(10, "message_retention_ms", 7_776_000_000),
            ],
        ),
        answer(9, "done", "", vec![]),
        answer(
            10,
            "error",
            "denied",
            vec![
                integer(1, "code", 20),
                integer(2, "retry_after_ms", 0),
                list(3, "candidates", 0),
                known(),
            ],
        ),
        answer(
            10,
            "error",
            "stale with two candidates",
            vec![
                integer(1, "code", 30),
                integer(2, "retry_after_ms", 0),
                list(3, "candidates", 2),
                known(),
            ],
        ),
    ]
}

fn channel_answers() -> Vec<Sample> {
    let epoch = || fixed(1, "epoch", 32, 0x25);
    vec![
        answer(
            16,
            "channel_opened",
            "",
            vec![
                integer(1, "handle", 3),
                fixed(2, "epoch", 32, 0x25),
                integer(3, "next_sequence", 9),
                fixed(4, "head", 32, 0x26),
                list(5, "candidates", 1),
                list(6, "siblings", 3),
            ],
        ),
        answer(
            17,
            "appended",
            "",
            vec![
                fixed(1, "entry", 32, 0x27),
                integer(2, "sequence", 8),
                fixed(3, "head", 32, 0x26),
                fixed(4, "signature", 64, 0x24),
                flag(5, "repeated", true),
            ],
        ),
        answer(
            19,
            "epoch_end",
            "with a receipt",
            vec![
                epoch(),
                integer(2, "next_sequence", 9),
                fixed(3, "head", 32, 0x26),
                fixed(4, "signature", 64, 0x24),
            ],
        ),
        answer(
            19,
            "epoch_end",
            "of an empty epoch",
            vec![epoch(), integer(2, "next_sequence", 0), fixed(3, "head", 32, 0x26)],
        ),
        answer(20, "read_end", "over", vec![flag(1, "following", false)]),
        answer(20, "read_end", "following", vec![flag(1, "following", true)]),
    ]
}

fn entry_answers() -> Vec<Sample> {
    let epoch = || fixed(1, "epoch", 32, 0x25);
    let sequence = || integer(2, "sequence", 8);
    let stored = || integer(7, "stored_at_ms", 1_800_000_000_000);
    vec![
        answer(
            18,
            "entry",
            "message",
            vec![epoch(), sequence(), content(3, "inline", b"sealed"), stored()],
        ),
        answer(
            18,
            "entry",
            "commit in a blob",
            vec![epoch(), sequence(), blob_reference(4), commit_mark(5, true, 3), stored()],
        ),
        answer(
            18,
            "entry",
            "note",
            vec![
                epoch(),
                sequence(),
                content(3, "inline", b"sealed"),
                stored(),
                flag(8, "note", true),
            ],
        ),
        answer(
            18,
            "entry",
            "expired",
            vec![epoch(), sequence(), fixed(6, "expired", 32, 0x27), stored()],
        ),
    ]
}

fn inbox_and_blob_answers() -> Vec<Sample> {
    vec![
        answer(
            32,
            "inbox_opened",
            "",
            vec![integer(1, "handle", 3), integer(2, "cursor", 4), integer(3, "next_sequence", 12)],
        ),
        answer(
            33,
            "inbox_item",
            "",
            vec![
                integer(1, "sequence", 11),
                content(2, "item", b"sealed"),
                fixed(3, "capability", 32, 0x36),
                integer(4, "stored_at_ms", 1_800_000_000_000),
            ],
        ),
        answer(
            34,
            "shelf_state",
            "",
            vec![integer(1, "packages", 20), flag(2, "last_resort", true)],
        ),
        answer(
            48,
            "inbox_sent",
            "",
            vec![
                fixed(1, "item", 32, 0x37),
                fixed(2, "signature", 64, 0x24),
                flag(3, "repeated", false),
            ],
        ),
        answer(
            49,
            "card",
            "",
            vec![content(1, "card", b"card"), content(2, "device_list", b"devices")],
        ),
        answer(49, "card", "empty", vec![content(1, "card", b""), content(2, "device_list", b"")]),
        answer(
            50,
            "key_package",
            "",
            vec![content(1, "package", b"package"), flag(2, "last_resort", false)],
        ),
        answer(64, "blob_state", "", vec![integer(1, "size", 10), integer(2, "stored", 0)]),
        answer(
            65,
            "blob_chunk",
            "",
            vec![integer(1, "offset", 262_144), content(2, "content", b"chunk")],
        ),
    ]
}
