//! Files as blobs, and what opens a sealed blob. Byte `i` of every file is `i` modulo 251.

use hushwire_protocol::attachment::{
    AttachmentError, BlobSeal, ChunkCipher, ChunkIndex, FileKey, FileLength, Sealer, open_blob,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "attachment";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let outcome = match input.text("operation") {
        "seal" => seal(input),
        "open" => open(input),
        "open-blob" => open_whole(input),
        other => panic!("{other} is no operation"),
    };
    outcome.unwrap_or_else(|error| Outcome::refused(phase(error), error.name()))
}

fn phase(error: AttachmentError) -> Phase {
    match error {
        AttachmentError::NotAuthentic | AttachmentError::WrongHash => Phase::Authenticate,
        _ => Phase::Decode,
    }
}

fn key(input: Input<'_>) -> FileKey {
    FileKey::from_bytes(input.bytes("file_key").try_into().expect("a key"))
}

fn file(offset: u64, length: u32) -> Vec<u8> {
    (offset..offset + u64::from(length)).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
}

fn seal(input: Input<'_>) -> Result<Outcome, AttachmentError> {
    let mut sealer = Sealer::new(&key(input), FileLength::new(input.integer("file_length"))?);
    let layout = *sealer.layout();
    let mut hash = Sha256::new();
    while let Some(range) = sealer.next_range() {
        let mut buffer = file(range.offset, range.length);
        sealer.seal_next(&mut buffer)?;
        hash.update(&buffer);
    }
    let sha256 = hash.finalize();
    assert_eq!(sealer.finish()?.as_bytes()[..], sha256[..]);
    Ok(Outcome::valid(json!({
        "blob_length": layout.sealed_length().to_string(),
        "chunk_count": layout.chunks().0.to_string(),
        "blob_sha256": hex::encode(sha256),
    })))
}

fn open(input: Input<'_>) -> Result<Outcome, AttachmentError> {
    let cipher = ChunkCipher::new(&key(input), FileLength::new(input.integer("file_length"))?);
    let mut buffer =
        if input.has("sealed_chunk") { input.bytes("sealed_chunk") } else { sealed_as(input)? };
    cipher.open(index(input), &mut buffer)?;
    Ok(Outcome::valid(json!({ "file_bytes_sha256": hex::encode(Sha256::digest(&buffer)) })))
}

fn index(input: Input<'_>) -> ChunkIndex {
    ChunkIndex(u32::try_from(input.integer("chunk_index")).expect("an index"))
}

fn sealed_as(input: Input<'_>) -> Result<Vec<u8>, AttachmentError> {
    let there = Input(input.field("sealed_chunk_of"));
    let cipher = ChunkCipher::new(&key(input), FileLength::new(there.integer("file_length"))?);
    let range = cipher.layout().file_range(index(there))?;
    let mut buffer = file(range.offset, range.length);
    cipher.seal(index(there), &mut buffer)?;
    Ok(buffer)
}

fn open_whole(input: Input<'_>) -> Result<Outcome, AttachmentError> {
    let seal = BlobSeal::from_slice(&input.bytes("blob_seal"))?;
    let content = open_blob(&seal, &input.bytes("blob"))?;
    Ok(Outcome::valid(json!({ "content": hex::encode(content) })))
}

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The tests. Hashes and chunks were made by another program, from the spec.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .note("Reordered", "A chunk of the same file in another's place.")
        .note("Truncated", "The blob ends with an earlier chunk.")
        .note("Padding", "A byte after the file is not zero.")
        .group(blobs())
        .group(small_chunks())
        .group(misplaced())
        .group(sealed_blobs())
}

fn blobs() -> Group {
    let table = [
        (0, 256, 1, "c9b33c339f1d26a0d42139bb6168709210dded1dd2acf6166ab44793b3df960f"),
        (1, 256, 1, "05f02e9d98e1c4c87a93180124366313c708a849f0470aadca0db0901ad58628"),
        (240, 256, 1, "c2d82baa3d9a2aa8c162f3b0c341a672cc6155f4e826e7fc73652789bbcf5441"),
        (241, 272, 1, "36f6d71cfe552f9809cd102712c03755939e396043c4543564bd157b64ce8453"),
        (1_000, 1_024, 1, "a1b5a5d007de515dca490804e664448f60dd8a7bf0c5357379552607c2abb601"),
        (262_127, 262_144, 1, "df5a90f8904efdc7b28e15d4da2e4f57caa6ca94bd0d3fb49f3850f7c9dd6375"),
        (262_128, 262_144, 1, "8e77d63522348a1e0af3c646ed89f23deddd8940cb2f51a7d8b0738035733aad"),
        (262_129, 270_336, 2, "67194a96a9d71a7de79e7bb35a0d2e5fd3556a64c90bc795b16d13c34578bdb8"),
        (600_000, 606_208, 3, "aac3e6598e2649386e26011d71953ec72fcc768dade72f4cda151248d4d53764"),
        (
            1_000_000,
            1_015_808,
            4,
            "e60de7b8d154e1e0b4744e0046b67d2c2affb7d0d13e253e80e7f238a5060c72",
        ),
    ];
    let rules = ["ATT-002", "ATT-003", "ATT-004", "ATT-005", "ATT-009"];
    let mut group = Group::new("whole files", &rules);
    let input = |length: u64| json!({ "operation": "seal", "file_key": KEY, "file_length": length.to_string() });
    for (length, blob_length, chunks, sha256) in table {
        let outputs = json!({
            "blob_length": u64::to_string(&blob_length),
            "chunk_count": u32::to_string(&chunks),
            "blob_sha256": sha256,
        });
        group = group.valid(&format!("{length} bytes"), input(length), outputs);
    }
    group.invalid("a byte too much", input(4_294_705_153), Phase::Decode, "TOO_LONG")
}

/// The one chunk of the file of ten bytes.
const CHUNK: &str = include_str!("attachment/chunk.hex");
/// The same, with the last byte of the padding 1.
const MARKED: &str = include_str!("attachment/marked.hex");
/// The same, sealed as if it were not the last.
const INNER: &str = include_str!("attachment/inner.hex");

fn small_chunks() -> Group {
    let input = |key: &str, length: u64, chunk: &str| {
        json!({
            "operation": "open",
            "file_key": key,
            "file_length": length.to_string(),
            "chunk_index": "0",
            "sealed_chunk": chunk.trim(),
        })
    };
    let chunk = CHUNK.trim();
    let flipped = |at: usize| {
        let mut bytes = hex::decode(chunk).expect("hexadecimal");
        bytes[at] ^= 0x80;
        hex::encode(bytes)
    };
    let not_authentic = |group: Group, comment: &str, input| {
        group.invalid(comment, input, Phase::Authenticate, "NOT_AUTHENTIC")
    };
    let ten = "1f825aa2f0020ef7cf91dfa30da4668d791c5d4824fc8e41354b89ec05795ab3";
    let group = Group::new("one chunk", &["ATT-002", "ATT-006", "ATT-007", "ATT-008"])
        .valid("ten bytes", input(KEY, 10, chunk), json!({ "file_bytes_sha256": ten }))
        .invalid("cut", input(KEY, 10, &chunk[2..]), Phase::Decode, "WRONG_LENGTH")
        .invalid("longer", input(KEY, 10, &format!("{chunk}00")), Phase::Decode, "WRONG_LENGTH")
        .invalid("empty", input(KEY, 10, ""), Phase::Decode, "WRONG_LENGTH")
        .test(
            "marked padding",
            &["Padding"],
            input(KEY, 10, MARKED),
            Outcome::refused(Phase::Decode, "BAD_PADDING"),
        );
    let other_key = KEY.replacen("00", "01", 1);
    let group = not_authentic(group, "another key", input(&other_key, 10, chunk));
    let group = not_authentic(group, "a byte less", input(KEY, 9, chunk));
    let group = not_authentic(group, "a byte more", input(KEY, 11, chunk));
    let group = not_authentic(group, "not marked as the last", input(KEY, 10, INNER));
    let group = not_authentic(group, "first bit", input(KEY, 10, &flipped(0)));
    let group = not_authentic(group, "a bit of the padding", input(KEY, 10, &flipped(100)));
    not_authentic(group, "a bit of the tag", input(KEY, 10, &flipped(255)))
}

fn misplaced() -> Group {
    let input = |length: u64, index: u32, there_length: u64, there_index: u32| {
        json!({
            "operation": "open",
            "file_key": KEY,
            "file_length": length.to_string(),
            "chunk_index": index.to_string(),
            "sealed_chunk_of": {
                "file_length": there_length.to_string(),
                "chunk_index": there_index.to_string(),
            },
        })
    };
    let refused = Outcome::refused(Phase::Authenticate, "NOT_AUTHENTIC");
    Group::new("chunks of 600,000 bytes", &["ATT-002", "ATT-006", "ATT-007"])
        .test("second for first", &["Reordered"], input(600_000, 0, 600_000, 1), refused.clone())
        .test("first for second", &["Reordered"], input(600_000, 1, 600_000, 0), refused.clone())
        .test(
            "cut after the second",
            &["Truncated"],
            input(524_256, 1, 600_000, 1),
            refused.clone(),
        )
        .test("extended", &["Truncated"], input(600_000, 1, 524_256, 1), refused)
        .invalid("last for second", input(600_000, 1, 600_000, 2), Phase::Decode, "WRONG_LENGTH")
        .invalid("after the last", input(600_000, 3, 600_000, 2), Phase::Decode, "OUT_OF_ORDER")
}

/// What opens the blob of the file of ten bytes, with another length or hash as asked.
fn blob_seal(key: &str, length: u64, blob: &str) -> Vec<u8> {
    let key = hex::decode(key).expect("hexadecimal");
    let hash = Sha256::digest(hex::decode(blob.trim()).expect("hexadecimal"));
    [&key[..], &length.to_be_bytes(), &hash[..]].concat()
}

fn sealed_blobs() -> Group {
    let input = |seal: &[u8], blob: &str| json!({ "operation": "open-blob", "blob_seal": hex::encode(seal), "blob": blob.trim() });
    let seal = |length, blob: &str| blob_seal(KEY, length, blob);
    let chunk = CHUNK.trim();
    let right = seal(10, chunk);
    let other_key = blob_seal(&KEY.replacen("00", "01", 1), 10, chunk);
    let longer = [&right[..], &[0]].concat();
    let last = if chunk.ends_with('0') { "1" } else { "0" };
    let changed = format!("{}{last}", &chunk[..chunk.len() - 1]);
    let group = Group::new(
        "sealed blobs",
        &["ATT-004", "ATT-005", "ATT-006", "ATT-008", "ATT-015"],
    )
    .valid("ten bytes", input(&right, chunk), json!({ "content": hex::encode(file(0, 10)) }));
    [
        ("no seal", input(&[], chunk), Phase::Decode, "BAD_FIELD"),
        ("seal cut off", input(&right[..71], chunk), Phase::Decode, "BAD_FIELD"),
        ("a byte after the seal", input(&longer, chunk), Phase::Decode, "BAD_FIELD"),
        (
            "length of a file that is too long",
            input(&seal(4_294_705_153, chunk), chunk),
            Phase::Decode,
            "TOO_LONG",
        ),
        ("cut off", input(&right, &chunk[2..]), Phase::Decode, "WRONG_LENGTH"),
        ("nothing", input(&right, ""), Phase::Decode, "WRONG_LENGTH"),
        (
            "of the length of a longer file",
            input(&seal(241, chunk), chunk),
            Phase::Decode,
            "WRONG_LENGTH",
        ),
        ("a bit of the tag", input(&right, &changed), Phase::Authenticate, "WRONG_HASH"),
        ("another blob's hash", input(&seal(10, INNER), chunk), Phase::Authenticate, "WRONG_HASH"),
        ("another key", input(&other_key, chunk), Phase::Authenticate, "NOT_AUTHENTIC"),
        (
            "another length of the same class",
            input(&seal(9, chunk), chunk),
            Phase::Authenticate,
            "NOT_AUTHENTIC",
        ),
        (
            "not marked as the last chunk",
            input(&seal(10, INNER), INNER),
            Phase::Authenticate,
            "NOT_AUTHENTIC",
        ),
        ("marked padding", input(&seal(10, MARKED), MARKED), Phase::Decode, "BAD_PADDING"),
    ]
    .into_iter()
    .fold(group, |group, (comment, input, phase, name)| group.invalid(comment, input, phase, name))
}
