//! Messages.

mod expiries;
mod refusals;

use hushwire_protocol::content::{
    Action, Content, ContentError, MessageId, Piece, RoomUri, SenderUri, Shown,
};
use hushwire_wire::id::Timestamp;
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "content";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let bytes = input.bytes("message");
    let sender = SenderUri::parse(input.text("sender")).expect("a sender");
    let room = RoomUri::parse(input.text("room")).expect("a room");
    let content = match Content::decode(&bytes) {
        Ok(content) => content,
        Err(error) => return refused(Phase::Decode, error),
    };
    if let Err(error) = content.check_address(&sender, &room) {
        return refused(Phase::Authenticate, error);
    }
    if input.has("now_ms")
        && let Some(expiry) = content.expires
        && let Err(error) = expiry.check(Timestamp(input.integer("now_ms")))
    {
        return refused(Phase::Decode, error);
    }
    let encoded = content.encode().expect("what is decoded is encoded");
    assert_eq!(encoded.as_bytes(), bytes, "a message has one encoding");
    let id = encoded.message_id(&sender, &room);
    let (action, target) = describe(content.action());
    let shown: Vec<_> = content.shown().iter().map(piece).collect();
    Outcome::valid(json!({
        "id": hex::encode(id.as_bytes()),
        "action": action,
        "target": target.map(|target| hex::encode(target.as_bytes())),
        "shown": shown,
    }))
}

fn refused(phase: Phase, error: ContentError) -> Outcome {
    Outcome::refused(phase, error.name())
}

fn describe(action: Action) -> (&'static str, Option<MessageId>) {
    match action {
        Action::Post => ("post", None),
        Action::Reply(target) => ("reply", Some(target)),
        Action::React(target) => ("react", Some(target)),
        Action::Edit(target) => ("edit", Some(target)),
        Action::Delete(target) => ("delete", Some(target)),
    }
}

fn piece(shown: &Shown<'_>) -> Value {
    let piece = match &shown.piece {
        Piece::Text { .. } => "text",
        Piece::Attachment(_) => "attachment",
        Piece::Status(_) => "status",
        Piece::Control(_) => "control",
        _ => "unsupported",
    };
    entry(shown.index.0, shown.disposition.0, piece)
}

fn entry(index: u16, disposition: u8, piece: &str) -> Value {
    json!({ "index": index, "disposition": disposition, "piece": piece })
}

const SENDER: &str = "hush:identity/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ROOM: &str = "hush:channel/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const SALT: &str = "50000102030405060708090a0b0c0d0e0f";
const TARGET: &str = "0101010101010101010101010101010101010101010101010101010101010101";

fn input(message: &str) -> Value {
    json!({ "message": message.replace(' ', ""), "sender": SENDER, "room": ROOM })
}

fn text(text: &str) -> String {
    let length = u8::try_from(text.len()).expect("a short text");
    let head = if length < 24 { hex::encode([0x60 | length]) } else { format!("78{length:02x}") };
    head + &hex::encode(text)
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .group(taken())
        .group(refusals::encoding())
        .group(refusals::message())
        .group(refusals::extensions())
        .group(refusals::body())
        .group(refusals::address())
        .group(expiries::expiries())
}

/// A message that has to be accepted; its id was computed by another program, from the spec.
struct Sample {
    comment: &'static str,
    fields: String,
    body: String,
    action: &'static str,
    /// Disposition and piece; `None` for a deletion.
    shown: Option<(u8, &'static str)>,
    id: &'static str,
}

impl Sample {
    fn add_to(self, group: Group) -> Group {
        let Self { comment, fields, body, action, shown, id } = self;
        let shown = shown.map(|(disposition, piece)| entry(0, disposition, piece));
        let outputs = json!({
            "id": id,
            "action": action,
            "target": (action != "post").then_some(TARGET),
            "shown": shown.into_iter().collect::<Vec<_>>(),
        });
        group.valid(comment, input(&format!("87{SALT}{fields}{body}")), outputs)
    }
}

fn taken() -> Group {
    let rules = ["CNT-010", "CNT-012", "CNT-014", "CNT-018", "CNT-021", "CNT-024", "ATT-010"];
    posts()
        .into_iter()
        .chain(references())
        .fold(Group::new("messages", &rules), |group, sample| sample.add_to(group))
}

fn posts() -> [Sample; 4] {
    let plain = text("text/plain;charset=utf-8");
    let attachment = format!(
        "8f066002 {} {} 00 1903e8 19f4a1 5820{} 40 40 01 5820{} 60 {}",
        text("image/png"),
        text("hush:blob/AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
        "02".repeat(32),
        "03".repeat(32),
        text("a.png"),
    );
    let post = |comment, fields: &str, body, shown, id| Sample {
        comment,
        fields: fields.to_owned(),
        body,
        action: "post",
        shown: Some(shown),
        id,
    };
    [
        post(
            "text",
            "f6 40 f6 f6 a0",
            format!("85016001 {plain} 424869"),
            (1, "text"),
            "01e2bda3cb276c5542578a62af5c7dd2020735927e927974957649a287254a29",
        ),
        post(
            "attachment",
            "f6 40 f6 f6 a0",
            attachment,
            (6, "attachment"),
            "017feb30334afc25d6f2176869b4e00e9170973cf5f571cac0fb55622eae22d8",
        ),
        post(
            "unknown extensions, disposition and media type",
            "f6 40 f6 f6 a2190100820102 6178f5",
            format!("8518c86001 {} 4101", text("image/x-unknown")),
            (200, "unsupported"),
            "01c7d189c1969a01c82366330de0ff66b3bf98c3157e90067e2c63924d2d0b4c",
        ),
        post(
            "topic and expiry",
            "f6 4101 82f51864 f6 a0",
            format!("85016001 {plain} 4161"),
            (1, "text"),
            "01db83e240bde949f2de4297a868acdd85562bc39e4712190525bde607a23922",
        ),
    ]
}

fn references() -> [Sample; 4] {
    let plain = text("text/plain;charset=utf-8");
    let markdown = text("text/markdown;variant=GFM-MIMI");
    let answers = format!("f6 40 f6 5820{TARGET} a0");
    let replaces = format!("5820{TARGET} 40 f6 f6 a0");
    [
        Sample {
            comment: "reply",
            fields: answers.clone(),
            body: format!("85016001 {markdown} 442a48692a"),
            action: "reply",
            shown: Some((1, "text")),
            id: "01981ac1ef51527cc90d36f142d7b93fe1c3f51aeab14933559df0456afc0259",
        },
        Sample {
            comment: "reaction",
            fields: answers,
            body: format!("85026001 {plain} 43e29da4"),
            action: "react",
            shown: Some((2, "text")),
            id: "0156b94292bc9e6b41c744f72e3a266b996857121b897497d404f98b2618bf29",
        },
        Sample {
            comment: "edit",
            fields: replaces.clone(),
            body: format!("85016001 {plain} 42486f"),
            action: "edit",
            shown: Some((1, "text")),
            id: "01cf1a7e7aee0e6cc1b7e3bb98181f70dfb89fcbd9f3d9d491c49ce79dabf5a4",
        },
        Sample {
            comment: "deletion",
            fields: replaces,
            body: "83006000".to_owned(),
            action: "delete",
            shown: None,
            id: "01c981da1c2f9c4b5a951060f954f9e5ad309175e772dfb1b568345eb23171a4",
        },
    ]
}
