//! The one way this crate writes and reads bytes that are signed, hashed or sealed.
//!
//! TLS presentation language (RFC 8446 section 3) with the variable-length vectors of RFC 9420
//! section 2.1.2: integers big-endian, fixed arrays bare, vectors after a minimal varint length.
//! Reading is strict: a value has one encoding, and nothing may follow it (spec: IDN-001).

use tls_codec::vlen;
use zeroize::Zeroizing;

/// Why bytes are no value of their type. Peer's fault, always: the bytes came from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// Bytes follow the last field.
    #[error("bytes follow the last field")]
    TrailingBytes,
    /// A length prefix is not minimal, or past what this crate reads.
    #[error("a length is not encoded minimally, or too large")]
    BadLength,
    /// The version is not one that this crate reads.
    #[error("the version is not known")]
    UnknownVersion,
    /// An enumerated field has a value that this version does not define.
    #[error("a field has an undefined value")]
    UndefinedValue,
    /// A field is longer than its bound.
    #[error("a field is longer than its bound")]
    TooLong,
    /// Elements of a list are not in strictly ascending order.
    #[error("a list is not in order")]
    NotInOrder,
    /// A signature inside is not valid.
    #[error("a signature inside is not valid")]
    BadSignature,
    /// A text field is not UTF-8.
    #[error("a text field is not UTF-8")]
    NotText,
}

/// Writes fields in order. Its bytes are zeroized when dropped, as some hold secrets.
#[derive(Default)]
pub struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Starts with room for `capacity` bytes. Secrets want exact room: growing leaves copies behind.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    /// Adds an array whose length its type fixes.
    #[must_use]
    pub fn fixed(mut self, field: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(field.as_ref());
        self
    }

    /// Adds `uint8`.
    #[must_use]
    pub fn byte(self, value: u8) -> Self {
        self.fixed([value])
    }

    /// Adds `uint16`.
    #[must_use]
    pub fn short(self, value: u16) -> Self {
        self.fixed(value.to_be_bytes())
    }

    /// Adds `uint64`.
    #[must_use]
    pub fn integer(self, value: u64) -> Self {
        self.fixed(value.to_be_bytes())
    }

    /// Adds `opaque field<V>`.
    #[must_use]
    pub fn variable(mut self, field: &[u8]) -> Self {
        let mut prefix = Vec::with_capacity(8);
        // Writing to a vector cannot fail but for lengths of 2^30 and more, which no field of ours
        // reaches: every one is bounded where it is made.
        if vlen::write_length(&mut prefix, field.len()).is_ok() {
            self.0.extend_from_slice(&prefix);
            self.0.extend_from_slice(field);
        }
        self
    }

    /// The bytes.
    pub fn into_bytes(mut self) -> Vec<u8> {
        core::mem::take(&mut *self.0)
    }

    /// The bytes, zeroized when dropped.
    pub fn into_secret(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads fields in order; [`Reader::finish`] ends it.
pub struct Reader<'bytes>(&'bytes [u8]);

impl<'bytes> Reader<'bytes> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn bytes(&mut self, length: usize) -> Result<&'bytes [u8], DecodeError> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    /// Reads a fixed array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], DecodeError> {
        self.bytes(LENGTH)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    /// Reads `uint8`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Reads `uint16`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn short(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads `uint64`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn integer(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads `uint16 version`, which has to be `known`.
    ///
    /// # Errors
    /// [`DecodeError::UnknownVersion`], [`DecodeError::Truncated`].
    pub fn version(&mut self, known: u16) -> Result<(), DecodeError> {
        if self.short()? == known { Ok(()) } else { Err(DecodeError::UnknownVersion) }
    }

    /// Reads `opaque field<V>` of at most `length_max` bytes.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] for a length that is not minimal, [`DecodeError::TooLong`],
    /// [`DecodeError::Truncated`].
    pub fn variable(&mut self, length_max: usize) -> Result<&'bytes [u8], DecodeError> {
        let mut rest = self.0;
        let (length, _) = vlen::read_length(&mut rest).map_err(|error| match error {
            tls_codec::Error::EndOfStream => DecodeError::Truncated,
            _ => DecodeError::BadLength,
        })?;
        if length > length_max {
            return Err(DecodeError::TooLong);
        }
        self.0 = rest;
        self.bytes(length)
    }

    /// Reads a text field of at most `length_max` bytes.
    ///
    /// # Errors
    /// [`DecodeError::NotText`], and those of [`Reader::variable`].
    pub fn text(&mut self, length_max: usize) -> Result<&'bytes str, DecodeError> {
        core::str::from_utf8(self.variable(length_max)?).map_err(|_| DecodeError::NotText)
    }

    /// Whether every byte has been read; for the elements of a list.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        // spec: IDN-001
        let long = vec![7; 100];
        let bytes = Writer::default().short(1).byte(2).integer(3).fixed([4; 5]).variable(&long);
        let bytes = bytes.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.version(1), Ok(()));
        assert_eq!(reader.byte(), Ok(2));
        assert_eq!(reader.integer(), Ok(3));
        assert_eq!(reader.array::<5>(), Ok([4; 5]));
        assert_eq!(reader.variable(100), Ok(&long[..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn other_encodings_are_refused() {
        // spec: IDN-001
        assert_eq!(Reader::new(&[0x40, 0x01, 9]).variable(9), Err(DecodeError::BadLength));
        assert_eq!(Reader::new(&[0x80, 0, 0, 1, 9]).variable(9), Err(DecodeError::BadLength));
        assert_eq!(
            Reader::new(&[0xC0, 0, 0, 0, 0, 0, 0, 1, 9]).variable(9),
            Err(DecodeError::BadLength)
        );
        assert_eq!(Reader::new(&[0x02, 9]).variable(9), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[]).variable(9), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0x02, 9, 9]).variable(1), Err(DecodeError::TooLong));
        assert_eq!(Reader::new(&[0x01, 0xFF]).text(9), Err(DecodeError::NotText));
        assert_eq!(Reader::new(&[0, 2]).version(1), Err(DecodeError::UnknownVersion));
        assert_eq!(Reader::new(&[0]).finish(), Err(DecodeError::TrailingBytes));
    }
}
