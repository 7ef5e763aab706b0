//! Deterministic CBOR (RFC 8949 section 4.2.1), as a reader that refuses everything else.
//!
//! The reader walks a slice it was given and hands out parts of it; it never allocates, so that no
//! declared length costs memory (spec: CNT-008), and it recurses only to a bound that its caller
//! names. The writer makes the shortest heads, so what it writes is what the reader takes.

mod error;
mod number;
mod writer;

pub use error::CborError;
pub use writer::Writer;

/// The eight types of RFC 8949 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    /// Type 0.
    Unsigned,
    /// Type 1.
    Negative,
    /// Type 2.
    Bytes,
    /// Type 3.
    Text,
    /// Type 4.
    Array,
    /// Type 5.
    Map,
    /// Type 6.
    Tag,
    /// Type 7.
    Simple,
}

impl Major {
    const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Unsigned,
            1 => Self::Negative,
            2 => Self::Bytes,
            3 => Self::Text,
            4 => Self::Array,
            5 => Self::Map,
            6 => Self::Tag,
            _ => Self::Simple,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Unsigned => 0,
            Self::Negative => 1,
            Self::Bytes => 2,
            Self::Text => 3,
            Self::Array => 4,
            Self::Map => 5,
            Self::Tag => 6,
            Self::Simple => 7,
        }
    }
}

/// A head: type, the five low bits, and the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    major: Major,
    low: u8,
    argument: u64,
}

/// `null` or what stands in its place.
const NULL: u8 = 0xf6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// Reads deterministic CBOR from a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that were not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`CborError::TrailingBytes`] when something is left (spec: CNT-003).
    pub const fn finish(self) -> Result<(), CborError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CborError::TrailingBytes) }
    }

    /// An unsigned integer of at most `maximum`.
    ///
    /// # Errors
    /// [`CborError`], as for every method of this reader.
    pub fn unsigned(&mut self, maximum: u64) -> Result<u64, CborError> {
        let value = self.expect(Major::Unsigned)?.argument;
        if value > maximum { Err(CborError::AboveBound) } else { Ok(value) }
    }

    /// A negative integer, as its argument: -1 less the value.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn negative(&mut self) -> Result<u64, CborError> {
        Ok(self.expect(Major::Negative)?.argument)
    }

    /// An unsigned integer that fits a byte.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn byte(&mut self) -> Result<u8, CborError> {
        u8::try_from(self.unsigned(u64::MAX)?).map_err(|_| CborError::AboveBound)
    }

    /// A byte string of at most `maximum` bytes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn bytes(&mut self, maximum: usize) -> Result<&'a [u8], CborError> {
        let head = self.expect(Major::Bytes)?;
        self.string(head, maximum)
    }

    /// A text string of at most `maximum` bytes.
    ///
    /// # Errors
    /// [`CborError`]; [`CborError::NotUtf8`] (spec: CNT-004).
    pub fn text(&mut self, maximum: usize) -> Result<&'a str, CborError> {
        let head = self.expect(Major::Text)?;
        core::str::from_utf8(self.string(head, maximum)?).map_err(|_| CborError::NotUtf8)
    }

    /// The head of an array of at most `maximum` items, which the caller reads next.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn array(&mut self, maximum: usize) -> Result<usize, CborError> {
        let head = self.expect(Major::Array)?;
        Self::count(head, maximum)
    }

    /// The head of an array of exactly `length` items.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn array_of(&mut self, length: usize) -> Result<(), CborError> {
        if self.array(usize::MAX)? == length { Ok(()) } else { Err(CborError::UnexpectedType) }
    }

    /// The head of a map of at most `maximum` pairs. The caller reads the pairs and checks the order.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn map(&mut self, maximum: usize) -> Result<usize, CborError> {
        let head = self.expect(Major::Map)?;
        Self::count(head, maximum)
    }

    /// Reads `null`, if it stands here.
    pub fn null(&mut self) -> bool {
        match self.rest.split_first() {
            Some((&NULL, rest)) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn boolean(&mut self) -> Result<bool, CborError> {
        match self.rest.split_first() {
            Some((&FALSE, rest)) => {
                self.rest = rest;
                Ok(false)
            }
            Some((&TRUE, rest)) => {
                self.rest = rest;
                Ok(true)
            }
            Some(_) => Err(CborError::UnexpectedType),
            None => Err(CborError::Truncated),
        }
    }

    /// The type of the next item.
    ///
    /// # Errors
    /// [`CborError::Truncated`] at the end.
    pub fn peek(&self) -> Result<Major, CborError> {
        self.rest.first().map(|byte| Major::from_bits(byte >> 5)).ok_or(CborError::Truncated)
    }

    /// Any one item with at most `levels` levels of arrays, maps and tags, as its bytes.
    ///
    /// # Errors
    /// [`CborError`]; the rules of any nested item hold (spec: CNT-002, CNT-005, CNT-006).
    pub fn any(&mut self, levels: u8) -> Result<&'a [u8], CborError> {
        let before = self.rest;
        self.skip(levels)?;
        let length = before.len().saturating_sub(self.rest.len());
        before.get(..length).ok_or(CborError::Truncated)
    }

    fn skip(&mut self, levels: u8) -> Result<(), CborError> {
        let head = self.head()?;
        match head.major {
            Major::Unsigned | Major::Negative => Ok(()),
            Major::Bytes => self.string(head, usize::MAX).map(drop),
            Major::Text => {
                let text = self.string(head, usize::MAX)?;
                core::str::from_utf8(text).map(drop).map_err(|_| CborError::NotUtf8)
            }
            Major::Simple => number::check_simple(head.low, head.argument),
            Major::Array => {
                let below = levels.checked_sub(1).ok_or(CborError::TooDeep)?;
                (0..head.argument).try_for_each(|_| self.skip(below))
            }
            Major::Tag => {
                let below = levels.checked_sub(1).ok_or(CborError::TooDeep)?;
                self.check_big_integer(head.argument)?;
                self.skip(below)
            }
            Major::Map => {
                let below = levels.checked_sub(1).ok_or(CborError::TooDeep)?;
                self.skip_map(head.argument, below)
            }
        }
    }

    fn skip_map(&mut self, pairs: u64, levels: u8) -> Result<(), CborError> {
        let mut order = KeyOrder::default();
        for _ in 0..pairs {
            order.next(self.key()?)?;
            self.skip(levels)?;
        }
        Ok(())
    }

    /// A map's key: an integer of 53 bits, a text or a byte string, as its encoded bytes.
    ///
    /// # Errors
    /// [`CborError`]; [`CborError::KeyType`] for another type or a larger integer (spec: CNT-006).
    pub fn key(&mut self) -> Result<&'a [u8], CborError> {
        const INTEGER_MAX: u64 = (1 << 53) - 1;
        let mut ahead = self.clone();
        let head = ahead.head()?;
        match head.major {
            Major::Unsigned if head.argument > INTEGER_MAX => Err(CborError::KeyType),
            // -1 - argument, so the least is -(2^53 - 1).
            Major::Negative if head.argument >= INTEGER_MAX => Err(CborError::KeyType),
            Major::Unsigned | Major::Negative | Major::Text | Major::Bytes => self.any(0),
            Major::Array | Major::Map | Major::Tag | Major::Simple => Err(CborError::KeyType),
        }
    }

    /// A big integer that would fit a plain one, or that has leading zeros, is not the shortest form.
    fn check_big_integer(&self, tag: u64) -> Result<(), CborError> {
        if tag != 2 && tag != 3 {
            return Ok(());
        }
        let magnitude = self.clone().bytes(usize::MAX)?;
        if magnitude.len() <= 8 || magnitude.first() == Some(&0) {
            return Err(CborError::NotShortest);
        }
        Ok(())
    }

    fn expect(&mut self, major: Major) -> Result<Head, CborError> {
        let head = self.head()?;
        if head.major == major { Ok(head) } else { Err(CborError::UnexpectedType) }
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let (&first, rest) = self.rest.split_first().ok_or(CborError::Truncated)?;
        self.rest = rest;
        let major = Major::from_bits(first >> 5);
        let low = first & 0x1f;
        let argument = match low {
            0..=23 => u64::from(low),
            24 => u64::from_be_bytes(self.argument::<1>()?),
            25 => u64::from_be_bytes(self.argument::<2>()?),
            26 => u64::from_be_bytes(self.argument::<4>()?),
            27 => u64::from_be_bytes(self.argument::<8>()?),
            31 => return Err(CborError::IndefiniteLength),
            _ => return Err(CborError::Malformed),
        };
        // A float's bits are no length: its shortest form is checked apart.
        if major != Major::Simple && number::shortest_low(argument) != low {
            return Err(CborError::NotShortest);
        }
        Ok(Head { major, low, argument })
    }

    fn argument<const N: usize>(&mut self) -> Result<[u8; 8], CborError> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(CborError::Truncated)?;
        self.rest = rest;
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().rev().zip(bytes.iter().rev()) {
            *to = *from;
        }
        Ok(wide)
    }

    fn string(&mut self, head: Head, maximum: usize) -> Result<&'a [u8], CborError> {
        let length = Self::count(head, maximum)?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(string)
    }

    fn count(head: Head, maximum: usize) -> Result<usize, CborError> {
        match usize::try_from(head.argument) {
            Ok(count) if count <= maximum => Ok(count),
            _ => Err(CborError::AboveBound),
        }
    }
}

/// Checks that encoded map keys come in bytewise order, each once (RFC 8949 section 4.2.1, third
/// rule).
#[derive(Debug, Default)]
pub struct KeyOrder<'a> {
    last: Option<&'a [u8]>,
}

impl<'a> KeyOrder<'a> {
    /// Takes the next key, encoded.
    ///
    /// # Errors
    /// [`CborError::KeyOrder`] (spec: CNT-005).
    pub fn next(&mut self, key: &'a [u8]) -> Result<(), CborError> {
        if self.last.is_some_and(|last| last >= key) {
            return Err(CborError::KeyOrder);
        }
        self.last = Some(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
