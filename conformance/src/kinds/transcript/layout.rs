//! The table of transcripts as `spec/wire.md` has it, and bytes made from it by hand.

use serde_json::{Map, Value, json};

use crate::input::Input;

/// What becomes of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Hash,
    AssociatedData,
    Signature,
}

impl Use {
    pub(super) const fn comment(self) -> &'static str {
        match self {
            Self::Hash => "transcripts that are hashed",
            Self::AssociatedData => "transcripts that are associated data",
            Self::Signature => "transcripts that are signed",
        }
    }
}

/// How a field is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Fixed(usize),
    U16,
    U64,
    Operation,
}

/// A field of a transcript.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) form: Form,
}

/// A transcript.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) used: Use,
    pub(super) fields: &'static [Field],
}

const fn field(name: &'static str, form: Form) -> Field {
    Field { name, form }
}

const fn layout(name: &'static str, used: Use, fields: &'static [Field]) -> Layout {
    Layout { name, used, fields }
}

const RELAY: Field = field("relay_id", Form::Fixed(32));
const SESSION: Field = field("session_id", Form::Fixed(32));
const CHANNEL: Field = field("channel", Form::Fixed(32));
const EPOCH: Field = field("epoch", Form::Fixed(32));
const INBOX: Field = field("inbox", Form::Fixed(16));
const SEQUENCE: Field = field("sequence", Form::U64);
const HEAD: Field = field("head", Form::Fixed(32));
const OPERATION: Field = field("operation", Form::Operation);
const RELAY_KEY: Field = field("relay_key", Form::Fixed(32));
const CONTENT_HASH: Field = field("content_hash", Form::Fixed(32));

/// Every transcript of the wire, in the order of the registry.
pub(super) const ALL: &[Layout] = &[
    layout("relay id", Use::Hash, &[RELAY_KEY]),
    layout(
        "session id",
        Use::Hash,
        &[
            field("version", Form::U16),
            field("client_nonce", Form::Fixed(32)),
            field("relay_nonce", Form::Fixed(32)),
            RELAY_KEY,
        ],
    ),
    layout(
        "root epoch",
        Use::Hash,
        &[CHANNEL, field("epoch_key", Form::Fixed(32)), field("nonce", Form::Fixed(32))],
    ),
    layout("entry id", Use::Hash, &[CHANNEL, EPOCH, OPERATION, CONTENT_HASH]),
    layout("envelope binding", Use::AssociatedData, &[CHANNEL, EPOCH, OPERATION]),
    layout("chain start", Use::Hash, &[CHANNEL, EPOCH]),
    layout("chain next", Use::Hash, &[HEAD, SEQUENCE, field("entry", Form::Fixed(32))]),
    layout("capability id", Use::Hash, &[field("secret", Form::Fixed(32))]),
    layout("blob id", Use::Hash, &[field("upload_key", Form::Fixed(32))]),
    layout("item id", Use::Hash, &[INBOX, field("item_hash", Form::Fixed(32))]),
    layout("channel create", Use::Signature, &[RELAY, SESSION, CHANNEL, EPOCH]),
    layout("channel open", Use::Signature, &[RELAY, SESSION, CHANNEL, EPOCH]),
    layout(
        "inbox create",
        Use::Signature,
        &[RELAY, SESSION, INBOX, field("owner_key", Form::Fixed(32))],
    ),
    layout("inbox open", Use::Signature, &[RELAY, SESSION, INBOX, field("slot", Form::Fixed(16))]),
    layout(
        "inbox rotate",
        Use::Signature,
        &[RELAY, SESSION, INBOX, field("next_owner_key", Form::Fixed(32))],
    ),
    layout("entry receipt", Use::Signature, &[RELAY, CHANNEL, EPOCH, SEQUENCE, HEAD]),
    layout("item receipt", Use::Signature, &[RELAY, INBOX, field("item", Form::Fixed(32))]),
];

impl Layout {
    /// Inputs for it: one, or one for each kind of operation. Each with what is special.
    pub(super) fn inputs(&self) -> Vec<(&'static str, Value)> {
        let mut input = Map::from_iter([("transcript".to_owned(), json!(self.name))]);
        for (place, field) in (1_u8..).zip(self.fields) {
            let value = match field.form {
                // Each field has other bytes, and no byte twice in a row.
                Form::Fixed(length) => {
                    let bytes = (0_u8..).take(length).map(|at| place.wrapping_mul(32) ^ at);
                    json!(hex::encode(bytes.collect::<Vec<_>>()))
                }
                Form::U16 => json!("1"),
                Form::U64 => json!("4328719365"),
                Form::Operation => continue,
            };
            input.insert(field.name.to_owned(), value);
        }
        if !self.fields.iter().any(|field| field.form == Form::Operation) {
            return vec![("", Value::Object(input))];
        }
        operations()
            .into_iter()
            .map(|(variant, operation)| {
                let mut input = input.clone();
                input.insert("operation".to_owned(), operation);
                (variant, Value::Object(input))
            })
            .collect()
    }

    /// Label and fields.
    pub(super) fn encode(&self, input: &Value) -> Vec<u8> {
        [self.label(), self.encode_fields(input)].concat()
    }

    /// The fields of another layout under this one's label.
    pub(super) fn relabel(&self, other: &Self, input: &Value) -> Vec<u8> {
        [self.label(), other.encode_fields(input)].concat()
    }

    fn label(&self) -> Vec<u8> {
        let label = format!("hushwire/1 {}", self.name);
        [&[u8::try_from(label.len()).expect("labels are short")], label.as_bytes()].concat()
    }

    pub(super) fn encode_fields(&self, input: &Value) -> Vec<u8> {
        let input = Input(input);
        let parts = self.fields.iter().map(|field| match field.form {
            Form::Fixed(_) => input.bytes(field.name),
            Form::U16 => {
                u16::try_from(input.integer(field.name)).expect("a u16").to_be_bytes().to_vec()
            }
            Form::U64 => input.integer(field.name).to_be_bytes().to_vec(),
            Form::Operation => encode_operation(Input(input.field(field.name))),
        });
        parts.collect::<Vec<_>>().concat()
    }
}

fn operations() -> Vec<(&'static str, Value)> {
    let commit = |cut: &str, contested: &[[u8; 32]]| {
        json!({
            "kind": "commit",
            "next_key": hex::encode([0xa1; 32]),
            "cut": cut,
            "contested": contested.iter().map(hex::encode).collect::<Vec<_>>(),
        })
    };
    vec![
        (", message", json!({ "kind": "message" })),
        (", note", json!({ "kind": "note" })),
        (", commit", commit("through", &[])),
        (", cut commit", commit("cut", &[])),
        (", contesting commit", commit("through", &[[0xb1; 32]])),
        (", cut commit contesting two", commit("cut", &[[0xb1; 32], [0xb2; 32]])),
        (", the same two in the other order", commit("cut", &[[0xb2; 32], [0xb1; 32]])),
    ]
}

fn encode_operation(operation: Input<'_>) -> Vec<u8> {
    match operation.text("kind") {
        "message" => return vec![1],
        "note" => return vec![3],
        _ => {}
    }
    let contested = operation.list("contested").concat();
    let length = u32::try_from(contested.len()).expect("few ids").to_be_bytes();
    let cut = u8::from(operation.text("cut") == "cut");
    [&[2][..], &operation.bytes("next_key"), &[cut], &length, &contested].concat()
}

/// Makes a field another one.
pub(super) fn change(input: &mut Value, field: &Field) {
    let name = field.name;
    match field.form {
        Form::Fixed(_) => {
            let mut bytes = Input(input).bytes(name);
            bytes[0] ^= 1;
            input[name] = json!(hex::encode(bytes));
        }
        Form::U16 | Form::U64 => {
            input[name] = json!((Input(input).integer(name) + 1).to_string());
        }
        Form::Operation => input[name] = operations()[2].1.clone(),
    }
}
