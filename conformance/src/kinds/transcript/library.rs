//! The same transcripts by the library's own functions.

use hushwire_wire::{
    id::{CapabilitySecret, EntryId, PublicKey, Sequence, UploadKey},
    transcript::{self, CommitMark, Cut, Label, Operation, Transcript},
};

use crate::input::Input;

/// What the library makes of an input.
pub(super) enum Built {
    /// A hash, with the transcript it should be of.
    Hash { hash: [u8; 32], transcript: Transcript },
    /// Associated data.
    AssociatedData(Vec<u8>),
    /// What is signed.
    ToSign(Transcript),
}

pub(super) fn build(input: Input<'_>) -> Built {
    match input.text("transcript") {
        "envelope binding" => Built::AssociatedData(transcript::envelope_binding(
            &input.id("channel"),
            &input.id("epoch"),
            &operation(Input(input.field("operation"))),
        )),
        "channel create" => Built::ToSign(transcript::channel_create(
            &input.id("relay_id"),
            &input.id("session_id"),
            &input.id("channel"),
            &input.id("epoch"),
        )),
        "channel open" => Built::ToSign(transcript::channel_open(
            &input.id("relay_id"),
            &input.id("session_id"),
            &input.id("channel"),
            &input.id("epoch"),
        )),
        "inbox create" => Built::ToSign(transcript::inbox_create(
            &input.id("relay_id"),
            &input.id("session_id"),
            &input.id("inbox"),
            &input.id("owner_key"),
        )),
        "inbox open" => Built::ToSign(transcript::inbox_open(
            &input.id("relay_id"),
            &input.id("session_id"),
            &input.id("inbox"),
            &input.id("slot"),
        )),
        "inbox rotate" => Built::ToSign(transcript::inbox_rotate(
            &input.id("relay_id"),
            &input.id("session_id"),
            &input.id("inbox"),
            &input.id("next_owner_key"),
        )),
        "entry receipt" => Built::ToSign(transcript::entry_receipt(
            &input.id("relay_id"),
            &input.id("channel"),
            &input.id("epoch"),
            Sequence(input.integer("sequence")),
            &input.id("head"),
        )),
        "item receipt" => Built::ToSign(transcript::item_receipt(
            &input.id("relay_id"),
            &input.id("inbox"),
            &input.id("item"),
        )),
        name => hashed(name, input),
    }
}

fn hashed(name: &str, input: Input<'_>) -> Built {
    let version = || u16::try_from(input.integer("version")).expect("a u16");
    let (label, hash, fields): (_, [u8; 32], &[&str]) = match name {
        "relay id" => {
            let key: PublicKey = input.id("relay_key");
            (Label::RelayId, *transcript::relay_id(&key).as_bytes(), &["relay_key"])
        }
        "session id" => {
            let (client, relay) = (input.id("client_nonce"), input.id("relay_nonce"));
            let id = transcript::session_id(version(), &client, &relay, &input.id("relay_key"));
            (Label::SessionId, *id.as_bytes(), &["client_nonce", "relay_nonce", "relay_key"])
        }
        "root epoch" => {
            let (channel, key) = (input.id("channel"), input.id("epoch_key"));
            let id = transcript::root_epoch_id(&channel, &key, &input.id("nonce"));
            (Label::RootEpoch, *id.as_bytes(), &["channel", "epoch_key", "nonce"])
        }
        "entry id" => return entry_id(input),
        "chain start" => {
            let head = transcript::first_head(&input.id("channel"), &input.id("epoch"));
            (Label::ChainStart, *head.as_bytes(), &["channel", "epoch"])
        }
        "chain next" => return next_head(input),
        "capability id" => {
            let secret: CapabilitySecret = input.id("secret");
            (Label::CapabilityId, *transcript::capability_id(&secret).as_bytes(), &["secret"])
        }
        "blob id" => {
            let key: UploadKey = input.id("upload_key");
            (Label::BlobId, *transcript::blob_id(&key).as_bytes(), &["upload_key"])
        }
        "item id" => {
            // The library hashes the item itself; the layout takes the hash.
            let transcript =
                fields_of(Transcript::new(Label::ItemId), input, &["inbox", "item_hash"]);
            return Built::Hash { hash: transcript.hash(), transcript };
        }
        other => panic!("{other} is no transcript"),
    };
    let start = match label {
        Label::SessionId => Transcript::new(label).fixed(version().to_be_bytes()),
        _ => Transcript::new(label),
    };
    Built::Hash { hash, transcript: fields_of(start, input, fields) }
}

fn fields_of(transcript: Transcript, input: Input<'_>, names: &[&str]) -> Transcript {
    names.iter().fold(transcript, |transcript, name| transcript.fixed(input.bytes(name)))
}

fn next_head(input: Input<'_>) -> Built {
    let (head, entry) = (input.id("head"), input.id("entry"));
    let sequence = Sequence(input.integer("sequence"));
    let next = transcript::next_head(&head, sequence, &entry);
    let transcript = Transcript::new(Label::ChainNext).fixed(head).integer(sequence.0).fixed(entry);
    Built::Hash { hash: *next.as_bytes(), transcript }
}

fn entry_id(input: Input<'_>) -> Built {
    let (channel, epoch) = (input.id("channel"), input.id("epoch"));
    let operation = operation(Input(input.field("operation")));
    let id = transcript::entry_id(&channel, &epoch, &operation, &input.id("content_hash"));
    let transcript = Transcript::new(Label::EntryId).fixed(channel).fixed(epoch);
    let transcript = match &operation {
        Operation::Message => transcript.byte(1),
        Operation::Commit(mark) => {
            let contested: Vec<_> = mark.contested.iter().flat_map(|id| *id.as_bytes()).collect();
            transcript.byte(2).fixed(mark.next_key).byte(mark.cut.code()).variable(&contested)
        }
        Operation::Note => transcript.byte(3),
    };
    let transcript = transcript.fixed(input.bytes("content_hash"));
    Built::Hash { hash: *id.as_bytes(), transcript }
}

fn operation(input: Input<'_>) -> Operation {
    match input.text("kind") {
        "message" => return Operation::Message,
        "note" => return Operation::Note,
        _ => {}
    }
    let contested = input.list("contested");
    Operation::Commit(CommitMark {
        next_key: input.id("next_key"),
        cut: if input.text("cut") == "cut" { Cut::Cut } else { Cut::Through },
        contested: contested.iter().map(|id| EntryId::from_slice(id).expect("32 bytes")).collect(),
    })
}
