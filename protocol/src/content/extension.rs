//! The extensions of a message: a sorted map, of which everything is kept.

use core::fmt;

use super::{
    ContentError,
    cbor::{KeyOrder, Major, Reader, Writer},
};

/// Levels of arrays, maps and tags in extensions; the map itself is the first (spec: CNT-007).
pub(super) const EXTENSION_LEVELS_MAX: u8 = 4;
/// Extensions of one message (spec: CNT-020).
pub(super) const EXTENSIONS_MAX: usize = 64;
/// Longest name of an extension, in bytes.
pub(super) const EXTENSION_NAME_BYTES_MAX: usize = 255;

const SENDER_URI: ExtensionKey = ExtensionKey::Number(1);
const ROOM_URI: ExtensionKey = ExtensionKey::Number(2);
/// Says that a message is for the eyes of everybody in the room (spec: CNT-044).
const MENTION_ALL: &str = "hushwire.mention-all";
/// CBOR's `true`.
const TRUE: &[u8] = &[0xf5];

/// Whom a message mentions, beside those whom its text links to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mentions {
    /// Nobody.
    Nobody,
    /// Everybody in the room.
    All,
}

/// The name of an extension.
#[derive(Clone, PartialEq, Eq)]
pub enum ExtensionKey {
    /// Registered, or private when negative; at most 53 bits.
    Number(i64),
    /// Private, 1 to 255 bytes.
    Name(String),
}

/// One extension: its key, and its value as encoded CBOR.
#[derive(Clone, PartialEq, Eq)]
pub struct Extension {
    key: ExtensionKey,
    value: Vec<u8>,
}

impl Extension {
    /// The key.
    pub const fn key(&self) -> &ExtensionKey {
        &self.key
    }

    /// The value, as deterministic CBOR.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// The extensions of a message, in the order of their encoded keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    entries: Vec<Extension>,
}

impl Extensions {
    /// None.
    pub const fn none() -> Self {
        Self { entries: Vec::new() }
    }

    /// All, in the order of their encoded keys, those unknown to this version among them.
    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.entries.iter()
    }

    /// The sender's URI, if the sender put it in.
    pub fn sender_uri(&self) -> Option<&str> {
        self.text(&SENDER_URI)
    }

    /// The room's URI, if the sender put it in.
    pub fn room_uri(&self) -> Option<&str> {
        self.text(&ROOM_URI)
    }

    /// Whether the message mentions everybody (spec: CNT-044).
    pub fn mentions(&self) -> Mentions {
        let all = self.entries.iter().any(|extension| extension.key.is_mention_all());
        if all { Mentions::All } else { Mentions::Nobody }
    }

    /// The same with everybody mentioned.
    #[must_use]
    pub(super) fn mentioning_all(mut self) -> Self {
        if self.mentions() == Mentions::Nobody {
            let key = ExtensionKey::Name(MENTION_ALL.to_owned());
            self.entries.push(Extension { key, value: TRUE.to_vec() });
            self.entries.sort_by_cached_key(|extension| extension.key.encoded());
        }
        self
    }

    fn text(&self, key: &ExtensionKey) -> Option<&str> {
        let extension = self.entries.iter().find(|extension| extension.key == *key)?;
        Reader::new(&extension.value).text(usize::MAX).ok()
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let pairs = reader.map(EXTENSIONS_MAX)?;
        let mut entries = Vec::new();
        let mut order = KeyOrder::default();
        for _ in 0..pairs {
            let encoded = reader.key()?;
            order.next(encoded)?;
            let key = ExtensionKey::read(encoded)?;
            let value = reader.any(EXTENSION_LEVELS_MAX.saturating_sub(1))?;
            // spec: CNT-016
            let is_uri = key == SENDER_URI || key == ROOM_URI;
            if is_uri && Reader::new(value).peek()? != Major::Text {
                return Err(ContentError::BadExtension);
            }
            // spec: CNT-044
            if key.is_mention_all() && value != TRUE {
                return Err(ContentError::BadExtension);
            }
            entries.push(Extension { key, value: value.to_vec() });
        }
        Ok(Self { entries })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.map(self.entries.len());
        for extension in &self.entries {
            extension.key.write(writer);
            writer.encoded(&extension.value);
        }
    }
}

impl ExtensionKey {
    fn is_mention_all(&self) -> bool {
        matches!(self, Self::Name(name) if name == MENTION_ALL)
    }

    fn encoded(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    fn read(encoded: &[u8]) -> Result<Self, ContentError> {
        let mut reader = Reader::new(encoded);
        match reader.peek()? {
            Major::Unsigned => {
                let value = reader.unsigned(u64::MAX)?;
                i64::try_from(value).map(Self::Number).map_err(|_| ContentError::BadExtension)
            }
            Major::Negative => {
                let value = i64::try_from(reader.negative()?);
                value.map(|value| Self::Number(-1 - value)).map_err(|_| ContentError::BadExtension)
            }
            Major::Text => match reader.text(EXTENSION_NAME_BYTES_MAX)? {
                "" => Err(ContentError::BadExtension),
                name => Ok(Self::Name(name.to_owned())),
            },
            _ => Err(ContentError::BadExtension),
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Number(number @ 0..) => writer.head(Major::Unsigned, number.unsigned_abs()),
            Self::Number(number) => writer.head(Major::Negative, (-1 - number).unsigned_abs()),
            Self::Name(name) => writer.text(name),
        };
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Extensions(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::cbor::CborError;

    fn read(text: &str) -> Result<Extensions, ContentError> {
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        let mut reader = Reader::new(&bytes);
        let extensions = Extensions::read(&mut reader)?;
        reader.finish()?;
        let mut writer = Writer::new();
        extensions.write(&mut writer);
        assert_eq!(writer.finish(), bytes);
        Ok(extensions)
    }

    #[test]
    fn unknown_extensions_are_kept() {
        // spec: CNT-016
        let extensions = read("a4 01 6161 03 a0 20 f6 6178 8101").unwrap();
        assert_eq!(extensions.sender_uri(), Some("a"));
        assert_eq!(extensions.room_uri(), None);
        let keys: Vec<_> = extensions.iter().map(Extension::key).cloned().collect();
        let expected = [1, 3, -1].map(ExtensionKey::Number);
        assert!(keys[..3] == expected && keys[3] == ExtensionKey::Name("x".into()));
        assert_eq!(extensions.iter().last().unwrap().value(), [0x81, 0x01]);
    }

    #[test]
    fn wrong_extensions_are_refused() {
        for (text, error) in [
            // spec: CNT-005
            ("a2 02 6161 01 6161", ContentError::Cbor(CborError::KeyOrder)),
            ("a2 01 6161 01 6161", ContentError::Cbor(CborError::KeyOrder)),
            // spec: CNT-016
            ("a1 60 00", ContentError::BadExtension),
            ("a1 4101 00", ContentError::BadExtension),
            ("a1 01 00", ContentError::BadExtension),
            ("a1 02 f6", ContentError::BadExtension),
            // spec: CNT-006
            ("a1 f5 00", ContentError::Cbor(CborError::KeyType)),
            ("a1 03 a1 80 00", ContentError::Cbor(CborError::KeyType)),
            // spec: CNT-020
            ("b841", ContentError::Cbor(CborError::AboveBound)),
        ] {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
        let long = format!("a1 7901 00 {} 00", "61".repeat(256)).replace("7901 00", "790100");
        assert_eq!(read(&long).unwrap_err(), ContentError::Cbor(CborError::AboveBound));
    }

    #[test]
    fn everybody_is_mentioned_in_one_way() {
        // spec: CNT-044
        let of = |value: &str| {
            let name = hex::encode(MENTION_ALL);
            format!("a1 74 {name} {value}").replace(' ', "")
        };
        assert_eq!(MENTION_ALL.len(), 0x14);
        assert_eq!(read(&of("f5")).unwrap().mentions(), Mentions::All);
        for value in ["f4", "01", "f6", "63616c6c"] {
            assert_eq!(read(&of(value)).unwrap_err(), ContentError::BadExtension, "{value}");
        }
        let plain = read("a4 01 6161 03 a0 20 f6 6178 8101").unwrap();
        assert_eq!(plain.mentions(), Mentions::Nobody);
        let mut writer = Writer::new();
        plain.mentioning_all().mentioning_all().write(&mut writer);
        let bytes = hex::encode(writer.finish());
        assert_eq!(read(&bytes).unwrap().iter().count(), 5);
        assert_eq!(read(&bytes).unwrap().mentions(), Mentions::All);
    }

    #[test]
    fn depth_is_counted_as_in_the_draft() {
        // spec: CNT-007: the example of the draft has four levels, one more is refused
        read("a1 190100 81 81 d820 6161").unwrap();
        let error = read("a1 190100 81 81 81 80").unwrap_err();
        assert_eq!(error, ContentError::Cbor(CborError::TooDeep));
    }
}
