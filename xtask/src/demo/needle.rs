//! What is looked for, and every form in which it could have been stored.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use super::fault::{Fault, expect};

/// Shortest form that is searched: shorter ones stand in random bytes by chance.
const PATTERN_BYTES_MIN: usize = 8;

/// What a needle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Text,
    Name,
    File,
    Identity,
    Secret,
    Canary,
}

impl About {
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Text => "message texts",
            Self::Name => "names of people, devices, groups, files",
            Self::File => "slices of the file's content",
            Self::Identity => "identity fingerprints",
            Self::Secret => "links, codes, phrases, passphrases",
            Self::Canary => "canary",
        }
    }
}

/// Something that the relay must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needle {
    pub(super) about: About,
    pub(super) bytes: Vec<u8>,
}

impl Needle {
    pub(super) fn text(about: About, text: &str) -> Self {
        Self { about, bytes: text.as_bytes().to_vec() }
    }

    /// Bytes that people write in hex.
    pub(super) fn hex(about: About, digits: &str) -> Result<Self, Fault> {
        let bytes = hex::decode(digits).map_err(|_| Fault::new("a fingerprint is not hex"))?;
        Ok(Self { about, bytes })
    }
}

/// One form of a needle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Its place in the list of needles.
    pub(super) needle: usize,
    pub(super) form: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Every form of every needle, each byte string once for each needle.
pub(super) fn patterns(needles: &[Needle]) -> Result<Vec<Pattern>, Fault> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for (number, needle) in needles.iter().enumerate() {
        let mut own: Vec<Pattern> = Vec::new();
        for (form, bytes) in forms(&needle.bytes) {
            expect(
                bytes.len() >= PATTERN_BYTES_MIN,
                "what is looked for is too long to be there by chance",
            )?;
            if own.iter().all(|known| known.bytes != bytes) {
                own.push(Pattern { needle: number, form, bytes });
            }
        }
        patterns.append(&mut own);
    }
    Ok(patterns)
}

fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("HEX", hex::encode_upper(bytes).into_bytes()),
    ];
    if let Ok(text) = std::str::from_utf8(bytes) {
        forms.push(("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        forms.push(("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect()));
    }
    for before in 0..3 {
        forms.push(("base64", base64_part(&STANDARD_NO_PAD, bytes, before)));
        forms.push(("base64url", base64_part(&URL_SAFE_NO_PAD, bytes, before)));
    }
    forms
}

/// The characters of a base64 text that depend on `bytes` alone, when `before` bytes (modulo 3)
/// stand before them and anything behind.
fn base64_part(engine: &impl base64::Engine, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut whole = vec![0; before];
    whole.extend_from_slice(bytes);
    // A character holds six bits; the first and last may be shared with neighbours.
    let first = (before * 8).div_ceil(6);
    let end = whole.len() * 8 / 6;
    let text = engine.encode(whole).into_bytes();
    text.into_iter().take(end).skip(first).collect()
}

/// A text that nobody else has, whose base64 needs the characters in which the alphabets differ.
pub(super) fn canary(unique: &str) -> String {
    format!("canary ???>>>???? {unique} ????>>>> küken 鸟")
}

/// A file that holds a canary in every form; made by other means than the patterns, so that a
/// mistake in those shows.
pub(super) fn nest(canary: &str) -> Vec<u8> {
    let bytes = canary.as_bytes();
    let mut nest = b"utf-8: ".to_vec();
    nest.extend_from_slice(bytes);
    nest.extend_from_slice(b"\nutf-16: ");
    for unit in canary.encode_utf16() {
        nest.extend_from_slice(&unit.to_le_bytes());
    }
    nest.push(b'\n');
    for unit in canary.encode_utf16() {
        nest.extend_from_slice(&unit.to_be_bytes());
    }
    nest.extend_from_slice(b"\nhex: ");
    for byte in bytes {
        nest.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
    nest.push(b'\n');
    for byte in bytes {
        nest.extend_from_slice(format!("{byte:02X}").as_bytes());
    }
    for before in ["", "x", "xy"] {
        let whole = [before.as_bytes(), bytes, b" and what follows"].concat();
        nest.extend_from_slice(format!("\n{}", STANDARD_NO_PAD.encode(&whole)).as_bytes());
        nest.extend_from_slice(format!("\n{}", URL_SAFE_NO_PAD.encode(&whole)).as_bytes());
    }
    nest.push(b'\n');
    nest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_stands_in_the_nest() {
        let canary = canary("0123456789abcdef");
        let patterns = patterns(&[Needle::text(About::Canary, &canary)]).unwrap();
        assert_eq!(patterns.len(), 11);
        let nest = nest(&canary);
        for pattern in patterns {
            let found = nest.windows(pattern.bytes.len()).any(|window| window == pattern.bytes);
            assert!(found, "{} {:?}", pattern.form, String::from_utf8_lossy(&pattern.bytes));
        }
    }

    #[test]
    fn base64_is_found_whatever_stands_around_it() {
        let secret = b"what was said?>";
        for before in 0..7 {
            for behind in 0..4 {
                let whole = [vec![0xA5; before], secret.to_vec(), vec![0x5A; behind]].concat();
                let text = STANDARD_NO_PAD.encode(whole).into_bytes();
                let part = base64_part(&STANDARD_NO_PAD, secret, before % 3);
                assert!(text.windows(part.len()).any(|window| window == part));
            }
        }
    }

    #[test]
    fn what_is_too_short_is_refused() {
        assert!(patterns(&[Needle::text(About::Name, "Bob")]).is_err());
    }
}
