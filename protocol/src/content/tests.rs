use proptest::prelude::*;

use super::*;
use crate::attachment::{AttachmentError, FileKey, FileLength};

const SALT: Salt = Salt::from_bytes([9; 16]);

fn id(byte: u8) -> MessageId {
    let mut bytes = [byte; 32];
    bytes[0] = 1;
    MessageId::from_slice(&bytes).unwrap()
}

fn round_trip(content: &Content) {
    let encoded = content.encode().unwrap();
    assert!(Content::decode(encoded.as_bytes()).unwrap() == *content);
}

fn attachment() -> crate::attachment::Attachment {
    crate::attachment::Attachment {
        blob: hushwire_wire::id::BlobId::from_bytes([1; 32]),
        key: FileKey::from_bytes([2; 32]),
        length: FileLength::new(1_000).unwrap(),
        hash: hushwire_wire::id::ContentHash::from_bytes([3; 32]),
        media_type: MediaType::parse("image/png").unwrap(),
        file_name: "picture.png".to_owned(),
        description: String::new(),
    }
}

fn text(text: &str) -> Content {
    Content::text(SALT, TextFormat::Plain, text)
}

/// A message of which the fields are the given encodings.
fn message(fields: [&str; 7]) -> Vec<u8> {
    hex::decode(format!("87{}", fields.concat()).replace(' ', "")).unwrap()
}

const SALT_ITEM: &str = "5009090909090909090909090909090909";
const ID: &str = "58200101010101010101010101010101010101010101010101010101010101010101";
/// A text part "a" of a type that this version does not know.
const PART: &str = "85 01 60 01 6161 4161";

fn with_body(body: &str) -> Vec<u8> {
    message([SALT_ITEM, "f6", "40", "f6", "f6", "a0", body])
}

#[test]
fn what_is_composed_is_understood() {
    // spec: CNT-024
    let markdown = Content::text(SALT, TextFormat::Markdown, "*Hi*");
    let delivered = StatusReport::batch(Status::DELIVERED, [id(1), id(2)]).unwrap();
    let card = ControlEntry { kind: ControlKind::ContactCard, payload: vec![1] };
    let control = ControlMessage::new(vec![card]).unwrap();
    let topic = text("a").in_topic(b"topic".to_vec()).expiring(Expiration::AfterReading(60));
    for (content, action) in [
        (text("Hi"), Action::Post),
        (markdown, Action::Post),
        (topic, Action::Post),
        (text("Yes").replying_to(id(1)), Action::Reply(id(1))),
        (Content::reaction(SALT, id(2), "❤"), Action::React(id(2))),
        (text("No").editing(id(3)), Action::Edit(id(3))),
        (text("No").editing(id(3)).replying_to(id(1)), Action::Edit(id(3))),
        (Content::deletion(SALT, id(4)), Action::Delete(id(4))),
        (Content::attachment(SALT, &attachment()), Action::Post),
        (Content::status(SALT, &delivered), Action::Post),
        (Content::control(SALT, &control), Action::Post),
    ] {
        round_trip(&content);
        assert_eq!(content.action(), action);
        let is_known = |shown: &Shown<'_>| !matches!(shown.piece, Piece::Unsupported(_));
        assert!(content.shown().iter().all(is_known));
    }
    let captioned = Content::captioned_attachment(SALT, TextFormat::Plain, "Look", &attachment());
    round_trip(&captioned);
    let pieces: Vec<_> = captioned.shown().into_iter().map(|shown| shown.piece).collect();
    let caption = Piece::Text { format: TextFormat::Plain, text: "Look" };
    assert_eq!(pieces, [caption, Piece::Attachment(Box::new(attachment()))]);
}

#[test]
fn wrong_messages_are_refused() {
    use CborError as C;
    use ContentError as E;
    let salt = SALT_ITEM;
    let short_salt = "4f090909090909090909090909090909";
    let unknown_hash = ID.replacen("582001", "582002", 1);
    let short_id = format!("581f{}", "01".repeat(31));
    let plain = |bytes: &str| {
        format!("85 01 60 01 7818{} {bytes}", hex::encode("text/plain;charset=utf-8"))
    };
    for (name, bytes, error) in [
        // spec: CNT-010
        ("six fields", hex::decode("8640f6").unwrap(), E::Cbor(C::UnexpectedType)),
        ("map", hex::decode("a0").unwrap(), E::Cbor(C::UnexpectedType)),
        ("empty", Vec::new(), E::Cbor(C::Truncated)),
        // spec: CNT-011
        ("short salt", message([short_salt, "f6", "40", "f6", "f6", "a0", PART]), E::WrongLength),
        // spec: CNT-013
        ("hash", message([salt, &unknown_hash, "40", "f6", "f6", "a0", PART]), E::UnknownHash),
        (
            "reply hash",
            message([salt, "f6", "40", "f6", &unknown_hash, "a0", PART]),
            E::UnknownHash,
        ),
        ("short id", message([salt, &short_id, "40", "f6", "f6", "a0", PART]), E::WrongLength),
        (
            "text id",
            message([salt, "60", "40", "f6", "f6", "a0", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        (
            "undefined",
            message([salt, "f7", "40", "f6", "f6", "a0", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        // spec: CNT-010: types of the other fields
        ("topic", message([salt, "f6", "60", "f6", "f6", "a0", PART]), E::Cbor(C::UnexpectedType)),
        (
            "expires",
            message([salt, "f6", "40", "01", "f6", "a0", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        (
            "relative",
            message([salt, "f6", "40", "820101", "f6", "a0", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        (
            "time",
            message([salt, "f6", "40", "82f51b0000000100000000", "f6", "a0", PART]),
            E::Cbor(C::AboveBound),
        ),
        (
            "negative time",
            message([salt, "f6", "40", "82f520", "f6", "a0", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        (
            "extensions",
            message([salt, "f6", "40", "f6", "f6", "80", PART]),
            E::Cbor(C::UnexpectedType),
        ),
        // spec: CNT-020
        (
            "long topic",
            message([salt, "f6", &format!("591001{}", "00".repeat(4097)), "f6", "f6", "a0", PART]),
            E::Cbor(C::AboveBound),
        ),
        // spec: CNT-002, CNT-003
        ("trailing", [&with_body(PART)[..], &[0]].concat(), E::Cbor(C::TrailingBytes)),
        (
            "long head",
            message(["9807", "", "", "", "", "", ""])[1..].to_vec(),
            E::Cbor(C::NotShortest),
        ),
        ("indefinite", hex::decode("9f").unwrap(), E::Cbor(C::IndefiniteLength)),
        // spec: CNT-017
        ("two fields", with_body("820160"), E::BadPart),
        ("null with more", with_body("84016000f6"), E::BadPart),
        ("single with less", with_body("840160016161"), E::BadPart),
        ("external with less", with_body("85016002616161"), E::BadPart),
        ("multi with less", with_body("8401600301"), E::BadPart),
        ("cardinality", with_body("83016004"), E::UnknownCardinality),
        ("semantics", with_body(&format!("8501600303 82 {PART} {PART}")), E::UnknownSemantics),
        ("one part", with_body(&format!("8501600302 81 {PART}")), E::TooFewParts),
        ("no part", with_body("8501600302 80"), E::TooFewParts),
        ("disposition", with_body("85 190100 60 01 6161 4161"), E::Cbor(C::AboveBound)),
        // spec: CNT-004
        ("language", with_body("85 01 61ff 01 6161 4161"), E::Cbor(C::NotUtf8)),
        // spec: CNT-019
        ("empty body", with_body("83006000"), E::EmptyBody),
        // spec: CNT-020
        ("media type", with_body("85 01 60 01 610a 4161"), E::BadMediaType),
        (
            "long language",
            with_body(&format!("85 01 790100{} 01 6161 4161", "61".repeat(256))),
            E::Cbor(C::AboveBound),
        ),
        // spec: CNT-022
        ("text", with_body(&plain("41ff")), E::TextNotUtf8),
        (
            "status",
            with_body(&format!(
                "85 00 60 01 781f{} 4180",
                hex::encode("application/mimi-message-status")
            )),
            E::BadStatusReport,
        ),
        (
            "control",
            with_body(&format!(
                "85 00 60 01 7820{} 4180",
                hex::encode("application/vnd.hushwire.control")
            )),
            E::BadControl,
        ),
        // spec: ATT-011
        (
            "attachment",
            with_body("8f 06 60 02 60 60 00 00 19f4a1 40 40 40 00 40 60 60"),
            E::Attachment(AttachmentError::BadField),
        ),
    ] {
        assert_eq!(Content::decode(&bytes).unwrap_err(), error, "{name}");
    }
    assert!(Content::decode(&with_body(PART)).is_ok());
}

#[test]
fn long_messages_are_refused() {
    // spec: CNT-001
    let frame = text("").encode().unwrap().as_bytes().len() + 2;
    let longest = text(&"a".repeat(CONTENT_BYTES_MAX - frame));
    assert_eq!(longest.encode().unwrap().as_bytes().len(), CONTENT_BYTES_MAX);
    let longer = text(&"a".repeat(CONTENT_BYTES_MAX - frame + 1));
    assert_eq!(longer.encode().unwrap_err(), ContentError::TooLong);
}

fn nested(levels: u8) -> Part {
    match levels {
        1 => Part::single(Disposition::RENDER, KnownMediaType::PlainText, b"a".to_vec()),
        _ => Part::multi(PartSemantics::ProcessAll, vec![nested(levels - 1), nested(1)]),
    }
}

#[test]
fn parts_are_bounded_in_depth_and_number() {
    // spec: CNT-017
    round_trip(&Content::new(SALT, nested(4)));
    let deeper = Content::new(SALT, nested(5));
    assert_eq!(deeper.encode().unwrap_err(), ContentError::TooDeep);
    // Parts of 4 bytes each, so that the number is the bound and not the length.
    let parts = |count| {
        let all = Part::multi(PartSemantics::ProcessAll, vec![Part::null(); count]);
        Content::new(SALT, all).encode().map(drop)
    };
    assert_eq!(parts(PARTS_MAX - 1), Ok(()));
    assert_eq!(parts(PARTS_MAX), Err(ContentError::TooManyParts));
    assert_eq!(parts(PARTS_MAX + 1), Err(ContentError::Cbor(CborError::AboveBound)));
    // A depth that would exhaust the stack, were it followed.
    let bomb = with_body(&"8501600302 82".repeat(5_000));
    assert_eq!(Content::decode(&bomb).unwrap_err(), ContentError::TooDeep);
    let bomb =
        message([SALT_ITEM, "f6", "40", "f6", "f6", &format!("a103{}", "81".repeat(50_000)), ""]);
    assert_eq!(Content::decode(&bomb).unwrap_err(), ContentError::Cbor(CborError::TooDeep));
}

#[test]
fn unknown_things_are_kept_and_shown_as_unsupported() {
    // spec: CNT-018, CNT-021
    let unknown = Content::decode(&with_body("85 18c8 60 01 6161 4161")).unwrap();
    round_trip(&unknown);
    let shown = unknown.shown();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].disposition, Disposition(200));
    assert!(matches!(shown[0].piece, Piece::Unsupported(part) if *part == unknown.body));
    // An external part that is not ours.
    let foreign = with_body("8f 06 60 02 60 63613a62 00 00 01 40 40 40 00 40 60 60");
    let foreign = Content::decode(&foreign).unwrap();
    round_trip(&foreign);
    assert!(matches!(foreign.shown()[0].piece, Piece::Unsupported(_)));
}

#[test]
fn semantics_select_what_is_shown() {
    // spec: CNT-025
    let unsupported = || Part {
        disposition: Disposition::RENDER,
        language: String::new(),
        body: PartBody::Single(SinglePart {
            media_type: MediaType::parse("image/x-unknown").unwrap(),
            content: vec![1],
        }),
    };
    let plain = |text: &str| {
        Part::single(Disposition::RENDER, KnownMediaType::PlainText, text.as_bytes().to_vec())
    };
    let indices = |semantics, parts| {
        let content = Content::new(SALT, Part::multi(semantics, parts));
        let shown = content.shown();
        let index =
            |shown: &Shown<'_>| (shown.index.0, matches!(shown.piece, Piece::Unsupported(_)));
        shown.iter().map(index).collect::<Vec<_>>()
    };
    use PartSemantics::{ChooseOne, ProcessAll, SingleUnit};
    let parts = || vec![unsupported(), plain("a"), plain("b")];
    assert_eq!(indices(ChooseOne, parts()), [(2, false)]);
    assert_eq!(indices(ProcessAll, parts()), [(1, true), (2, false), (3, false)]);
    assert_eq!(indices(SingleUnit, parts()), [(0, true)]);
    assert_eq!(indices(SingleUnit, vec![plain("a"), plain("b")]), [(1, false), (2, false)]);
    assert_eq!(indices(ChooseOne, vec![unsupported(), unsupported()]), [(0, true)]);
    let inner = Part::multi(SingleUnit, vec![plain("a"), unsupported()]);
    assert_eq!(indices(ChooseOne, vec![inner, plain("b")]), [(4, false)]);
}

#[test]
fn addresses_in_a_message_must_agree() {
    // spec: CNT-015
    let extensions = "a2 01 6161 02 6162";
    let bytes = message([SALT_ITEM, "f6", "40", "f6", "f6", extensions, PART]);
    let content = Content::decode(&bytes).unwrap();
    let (a, b) = (SenderUri::parse("a").unwrap(), RoomUri::parse("b").unwrap());
    assert_eq!(content.check_address(&a, &b), Ok(()));
    let wrong = Err(ContentError::WrongAddress);
    assert_eq!(content.check_address(&SenderUri::parse("x").unwrap(), &b), wrong);
    assert_eq!(content.check_address(&a, &RoomUri::parse("x").unwrap()), wrong);
    assert_eq!(text("Hi").check_address(&a, &b), Ok(()));
}

#[test]
fn absurd_expiries_are_refused() {
    // spec: CNT-023
    let now = Timestamp(1_700_000_000_000);
    let year = 366 * 24 * 60 * 60;
    let too_far = Err(ContentError::ExpiryTooFar);
    for (expiration, result) in [
        (Expiration::AfterReading(0), Ok(())),
        (Expiration::AfterReading(year), Ok(())),
        (Expiration::AfterReading(year + 1), too_far),
        (Expiration::At(1_700_000_000), Ok(())),
        (Expiration::At(1_700_000_000 + year), Ok(())),
        (Expiration::At(1_700_000_001 + year), too_far),
        (Expiration::At(1_700_000_000 - year), Ok(())),
        (Expiration::At(1_699_999_999 - year), too_far),
        (Expiration::At(0), too_far),
    ] {
        assert_eq!(expiration.check(now), result, "{expiration:?}");
    }
}

#[test]
fn ids_depend_on_salt_sender_room_and_content() {
    // spec: CNT-012
    let (alice, room) = (SenderUri::parse("a").unwrap(), RoomUri::parse("b").unwrap());
    let id_of = |content: Content, sender: &str, room: &str| {
        let (sender, room) = (SenderUri::parse(sender).unwrap(), RoomUri::parse(room).unwrap());
        content.encode().unwrap().message_id(&sender, &room)
    };
    let id = text("Hi").encode().unwrap().message_id(&alice, &room);
    assert_eq!(id.as_bytes()[0], 1);
    assert_eq!(id, id_of(text("Hi"), "a", "b"));
    let other_salt = Content::text(Salt::from_bytes([8; 16]), TextFormat::Plain, "Hi");
    for other in [
        id_of(text("Ho"), "a", "b"),
        id_of(other_salt, "a", "b"),
        id_of(text("Hi"), "ab", "b"),
        id_of(text("Hi"), "a", "a"),
    ] {
        assert_ne!(id, other);
    }
}

#[test]
fn debug_prints_no_content() {
    let content = text("secret");
    let shown = format!("{content:?} {:?} {:?}", content.encode().unwrap(), content.body);
    assert_eq!(shown, "Content(..) EncodedContent(..) Part(..)");
}

fn parts() -> impl Strategy<Value = Part> {
    let single =
        (any::<u8>(), "[a-z,-]{0,9}", "[a-z/;=]{0,20}", prop::collection::vec(any::<u8>(), 0..40));
    let single = single.prop_map(|(disposition, language, media_type, content)| Part {
        disposition: Disposition(disposition),
        language,
        body: PartBody::Single(SinglePart {
            media_type: MediaType::parse(&media_type).unwrap(),
            content,
        }),
    });
    let text = ".{0,40}".prop_map(|text| {
        Part::single(Disposition::RENDER, KnownMediaType::Markdown, text.into_bytes())
    });
    prop_oneof![single, text, Just(attachment().to_part())].prop_recursive(3, 40, 5, |inner| {
        let semantics = prop_oneof![
            Just(PartSemantics::ChooseOne),
            Just(PartSemantics::SingleUnit),
            Just(PartSemantics::ProcessAll)
        ];
        (semantics, prop::collection::vec(inner, 2..5))
            .prop_map(|(semantics, parts)| Part::multi(semantics, parts))
    })
}

proptest! {
    #[test]
    fn messages_round_trip(
        salt in any::<[u8; 16]>(),
        topic in prop::collection::vec(any::<u8>(), 0..40),
        replaces in prop::option::of(any::<u8>()),
        in_reply_to in prop::option::of(any::<u8>()),
        expires in prop::option::of((any::<bool>(), any::<u32>())),
        body in parts(),
    ) {
        // spec: CNT-009, CNT-010
        let mut content = Content::new(Salt::from_bytes(salt), body).in_topic(topic);
        content.replaces = replaces.map(id);
        content.in_reply_to = in_reply_to.map(id);
        content.expires = expires.map(|(relative, time)| {
            if relative { Expiration::AfterReading(time) } else { Expiration::At(time) }
        });
        round_trip(&content);
        let _ = content.shown();
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Content::decode(&bytes);
        let _ = StatusReport::decode(&bytes);
        let _ = ControlMessage::decode(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic_and_have_one_encoding(at in any::<prop::sample::Index>(), to in any::<u8>(), body in parts()) {
        // spec: CNT-009
        let mut bytes = Content::new(SALT, body).encode().unwrap().into_bytes();
        *at.get_mut(&mut bytes) = to;
        if let Ok(content) = Content::decode(&bytes) {
            let _ = content.shown();
            prop_assert_eq!(content.encode().unwrap().into_bytes(), bytes);
        }
    }

    #[test]
    fn cut_messages_are_refused(body in parts(), keep in any::<prop::sample::Index>()) {
        let bytes = Content::new(SALT, body).encode().unwrap().into_bytes();
        prop_assert!(Content::decode(&bytes[..keep.index(bytes.len())]).is_err());
    }
}

/// The examples of the draft, read where continuous integration and developers have them.
mod upstream {
    use std::path::PathBuf;

    use super::*;

    fn folder() -> Option<PathBuf> {
        let folder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/mimi-content-08");
        folder.is_dir().then_some(folder)
    }

    /// The message id in the comment at the head of an example.
    fn expected_id(notation: &str) -> Option<String> {
        let rest = notation.split("message ID = h'").nth(1)?;
        let id: String = rest.chars().take_while(|&character| character != '\'').collect();
        Some(id.chars().filter(char::is_ascii_hexdigit).collect())
    }

    #[test]
    fn examples_decode_and_have_their_ids() {
        // spec: CNT-010, CNT-012
        let Some(folder) = folder() else {
            eprintln!("the upstream examples are not here");
            return;
        };
        let mut names: Vec<_> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cbor"))
            .collect();
        names.sort();
        assert_eq!(names.len(), 15);
        for path in names {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            if name == "implied-original" {
                // It is no message, but what a receiver derives from one.
                assert_eq!(
                    Content::decode(&bytes).unwrap_err(),
                    ContentError::Cbor(CborError::AboveBound)
                );
                continue;
            }
            let content = Content::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let encoded = content.encode().unwrap();
            assert_eq!(encoded.as_bytes(), bytes, "{name}");
            let sender = SenderUri::parse(content.extensions.sender_uri().unwrap()).unwrap();
            let room = RoomUri::parse(content.extensions.room_uri().unwrap()).unwrap();
            let notation = std::fs::read_to_string(path.with_extension("edn")).unwrap();
            let id = hex::encode(encoded.message_id(&sender, &room).as_bytes());
            assert_eq!(Some(id), expected_id(&notation), "{name}");
            assert!(!content.shown().is_empty() || matches!(content.action(), Action::Delete(_)));
        }
    }
}
