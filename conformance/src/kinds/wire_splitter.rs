//! A stream into frames.

use hushwire_wire::{
    frame::{FrameError, Splitter},
    limit::Limits,
};
use serde_json::{Value, json};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "wire-splitter";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let frame_bytes_max = u32::try_from(input.integer("frame_bytes_max")).expect("a u32");
    let mut splitter = Splitter::new(&Limits { frame_bytes_max, ..Limits::V1 });
    let mut frames = Vec::new();
    let mut error = None;
    for chunk in input.list("chunks") {
        splitter.feed(&chunk);
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => frames.push(hex::encode(frame)),
                Ok(None) => break,
                Err(refused) => {
                    error = Some(refused);
                    break;
                }
            }
        }
    }
    if input.text("end") == "closed" {
        error = error.or(splitter.finish().err());
    }
    error.map_or_else(Outcome::accepted, refused).with_outputs(json!({ "frames": frames }))
}

fn refused(error: FrameError) -> Outcome {
    Outcome::refused(Phase::Decode, error.code().name())
}

fn input(frame_bytes_max: u32, chunks: &[&[u8]], end: &str) -> Value {
    json!({
        "frame_bytes_max": frame_bytes_max.to_string(),
        "chunks": chunks.iter().map(hex::encode).collect::<Vec<_>>(),
        "end": end,
    })
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .note("TooLarge", "A length prefix above the bound is refused at its fourth byte.")
        .note("Empty", "A frame has at least one byte.")
        .note("Cut", "The stream ends inside a frame.")
        .group(whole())
        .group(refused_prefixes())
        .group(cut_streams())
}

fn whole() -> Group {
    let frames = |frames: &[&str]| json!({ "frames": frames });
    let stream: &[u8] = &[0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9];
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    let largest = [&[0, 0, 0, 9][..], &[5; 9]].concat();
    Group::new("frames, however the stream is cut", &["WIRE-003"])
        .valid("nothing", input(9, &[], "closed"), frames(&[]))
        .valid("two frames at once", input(9, &[stream], "closed"), frames(&["0708", "09"]))
        .valid("a byte at a time", input(9, &bytes, "closed"), frames(&["0708", "09"]))
        .valid(
            "cut in a prefix",
            input(9, &[&stream[..8], &stream[8..]], "closed"),
            frames(&["0708", "09"]),
        )
        .valid(
            "cut between frames",
            input(9, &[&stream[..6], &stream[6..]], "closed"),
            frames(&["0708", "09"]),
        )
        .valid(
            "as long as the bound",
            input(9, &[&largest], "closed"),
            frames(&["050505050505050505"]),
        )
        .valid("half a frame of an open stream", input(9, &[&stream[..5]], "open"), frames(&[]))
        .valid(
            "half a prefix of an open stream",
            input(9, &[&stream[..8]], "open"),
            frames(&["0708"]),
        )
}

fn refused_prefixes() -> Group {
    let mut group = Group::new("prefixes that are refused", &["WIRE-003", "WIRE-007"]);
    let cases: [(&str, &[u8], &str, &str); 6] = [
        ("one above the bound", &[0, 0, 0, 10], "TooLarge", "FRAME_TOO_LARGE"),
        ("the largest there is", &[255, 255, 255, 255], "TooLarge", "FRAME_TOO_LARGE"),
        ("2^31", &[128, 0, 0, 0], "TooLarge", "FRAME_TOO_LARGE"),
        ("little-endian", &[2, 0, 0, 0, 7, 8], "TooLarge", "FRAME_TOO_LARGE"),
        ("0", &[0, 0, 0, 0], "Empty", "MALFORMED_FRAME"),
        ("0 before a sound frame", &[0, 0, 0, 0, 0, 0, 0, 1, 7], "Empty", "MALFORMED_FRAME"),
    ];
    for (comment, stream, flag, code) in cases {
        let none = Outcome::refused(Phase::Decode, code).with_outputs(json!({ "frames": [] }));
        group = group.test(comment, &[flag], input(9, &[stream], "open"), none);
        let behind = [&[0, 0, 0, 1, 3][..], stream].concat();
        let one = Outcome::refused(Phase::Decode, code).with_outputs(json!({ "frames": ["03"] }));
        let comment = format!("{comment}, behind a sound frame");
        group = group.test(&comment, &[flag], input(9, &[&behind], "open"), one);
    }
    group
}

fn cut_streams() -> Group {
    let mut group = Group::new("streams that end inside a frame", &["WIRE-003", "WIRE-016"]);
    let stream: &[u8] = &[0, 0, 0, 3, 7, 8, 9];
    for length in 1..stream.len() {
        let comment = format!("after {length} of {} bytes", stream.len());
        let outcome = Outcome::refused(Phase::Decode, "MALFORMED_FRAME")
            .with_outputs(json!({ "frames": [] }));
        group = group.test(&comment, &["Cut"], input(9, &[&stream[..length]], "closed"), outcome);
    }
    group
}
