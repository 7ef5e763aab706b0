//! The name somebody gives themselves, or a device.

use core::fmt;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::hidden::is_hidden;

/// The longest name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;
/// Stands for a stored name of which nothing can be shown.
const NOTHING_LEFT: &str = "?";

/// A name as its owner chose it: 1 to 128 bytes of UTF-8 without control and hidden characters. It proves
/// nothing; two people may have the same one (spec: LNK-024).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProfileName(String);

/// Text is no name: empty, too long, or with control or hidden characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 128 bytes and no control or hidden characters")]
pub struct NotAName;

impl ProfileName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`NotAName`].
    pub fn new(text: &str) -> Result<Self, NotAName> {
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        if fits && !text.chars().any(is_unprintable) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName)
        }
    }

    /// Takes a name that was taken before and stored since: what it has that no name may have by
    /// today's list is left out, so that it can be shown and sent (spec: CLI-134).
    pub fn from_stored(text: &str) -> Self {
        let mut name: String =
            text.chars().filter(|character| !is_unprintable(*character)).collect();
        name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
        if name.trim().is_empty() {
            NOTHING_LEFT.clone_into(&mut name);
        }
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn write(&self, writer: Writer) -> Writer {
        writer.variable(self.0.as_bytes())
    }

    /// Reads a name of a stored card (spec: CLI-134).
    pub(crate) fn read_stored(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_stored(reader.text(NAME_BYTES_MAX)?))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(reader.text(NAME_BYTES_MAX)?).map_err(|NotAName| DecodeError::UndefinedValue)
    }
}

/// Control characters, and those that hide or reorder the text around them on a screen.
fn is_unprintable(character: char) -> bool {
    character.is_control() || is_hidden(character)
}

/// Prints the type's name only: it names a person.
impl fmt::Debug for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProfileName(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_printable_text_is_a_name() {
        // spec: LNK-024
        for text in ["a", "Ana María", "李雷", &"x".repeat(128)] {
            let name = ProfileName::new(text).unwrap();
            let bytes = name.write(Writer::default()).into_bytes();
            assert_eq!(ProfileName::read(&mut Reader::new(&bytes)), Ok(name));
        }
        for text in
            ["", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{ad}b", "a\u{e0041}", &"x".repeat(129)]
        {
            assert_eq!(ProfileName::new(text), Err(NotAName));
        }
        assert_eq!(ProfileName::read(&mut Reader::new(&[0])), Err(DecodeError::UndefinedValue));
    }

    #[test]
    fn every_stored_text_gives_a_name() {
        // spec: CLI-134
        let long = format!("{}é", "x".repeat(127));
        for (stored, name) in [
            ("Ana", "Ana"),
            ("\u{5d0}\u{200f}", "\u{5d0}"),
            ("a\u{ad}b\n", "ab"),
            ("\u{202e}", "?"),
            (" \u{ad}", "?"),
            ("", "?"),
            (&long, &long[..127]),
        ] {
            let read = ProfileName::from_stored(stored);
            assert_eq!(read.as_str(), name, "{stored:?}");
            assert_eq!(ProfileName::new(read.as_str()), Ok(read));
        }
    }

    #[test]
    fn debug_prints_the_type_only() {
        assert_eq!(format!("{:?}", ProfileName::new("a").unwrap()), "ProfileName(..)");
    }
}
