//! The other direction.

use super::{FALSE, Major, NULL, TRUE, number};

/// Writes deterministic CBOR. Order of map keys is the caller's.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts with nothing.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// How much was written, in bytes.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// An unsigned integer.
    pub fn unsigned(&mut self, value: u64) -> &mut Self {
        self.head(Major::Unsigned, value)
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(Major::Bytes, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(Major::Text, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// The head of an array of so many items.
    pub fn array(&mut self, items: usize) -> &mut Self {
        self.head(Major::Array, items as u64)
    }

    /// The head of a map of so many pairs.
    pub fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(Major::Map, pairs as u64)
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.bytes.push(NULL);
        self
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.bytes.push(if value { TRUE } else { FALSE });
        self
    }

    /// An item that is encoded already.
    pub fn encoded(&mut self, item: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(item);
        self
    }

    /// A head: type and argument, in the shortest form.
    pub fn head(&mut self, major: Major, argument: u64) -> &mut Self {
        let low = number::shortest_low(argument);
        self.bytes.push((major.bits() << 5) | low);
        let wide = argument.to_be_bytes();
        let skipped = match low {
            24 => 7,
            25 => 6,
            26 => 4,
            27 => 0,
            _ => 8,
        };
        self.bytes.extend(wide.iter().skip(skipped));
        self
    }
}
