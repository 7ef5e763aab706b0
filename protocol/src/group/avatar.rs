//! The picture of a group. It stands in the agreed state itself, so that all members have the same
//! one and it never expires (spec: GRP-048).

use crate::encoding::DecodeError;

/// Longest picture of a group, in bytes.
pub const AVATAR_BYTES_MAX: usize = 8_192;

const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG_START: &[u8] = b"\xff\xd8\xff";

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PictureFormat {
    /// `image/png`.
    Png = 1,
    /// `image/jpeg`.
    Jpeg = 2,
    /// `image/webp`.
    Webp = 3,
}

impl PictureFormat {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    const fn of(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Png),
            2 => Ok(Self::Jpeg),
            3 => Ok(Self::Webp),
            _ => Err(DecodeError::UndefinedValue),
        }
    }

    /// What a picture is by its first bytes.
    fn begun_by(picture: &[u8]) -> Option<Self> {
        let is_riff = picture.starts_with(b"RIFF");
        if picture.starts_with(PNG_START) {
            Some(Self::Png)
        } else if picture.starts_with(JPEG_START) {
            Some(Self::Jpeg)
        } else if is_riff && picture.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }
}

/// A picture that begins as its format does. What follows is for a decoder that mistrusts it.
#[derive(Clone, PartialEq, Eq)]
pub struct Avatar {
    format: PictureFormat,
    picture: Vec<u8>,
}

/// Prints the type's name only: it is content.
impl core::fmt::Debug for Avatar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Avatar(..)")
    }
}

impl Avatar {
    /// Takes a picture of at most [`AVATAR_BYTES_MAX`] bytes; its format is known by its first bytes.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`], [`DecodeError::UndefinedValue`] for another format.
    pub fn new(picture: Vec<u8>) -> Result<Self, DecodeError> {
        if picture.len() > AVATAR_BYTES_MAX {
            return Err(DecodeError::TooLong);
        }
        let format = PictureFormat::begun_by(&picture).ok_or(DecodeError::UndefinedValue)?;
        Ok(Self { format, picture })
    }

    /// How it is encoded.
    pub const fn format(&self) -> PictureFormat {
        self.format
    }

    /// The encoded picture.
    pub fn picture(&self) -> &[u8] {
        &self.picture
    }

    /// The field of the agreed state: empty for none.
    pub(crate) fn to_field(avatar: Option<&Self>) -> Vec<u8> {
        avatar.map_or_else(Vec::new, |avatar| [&[avatar.format as u8], avatar.picture()].concat())
    }

    /// Reads the field of the agreed state.
    ///
    /// # Errors
    /// [`DecodeError`] (spec: GRP-048).
    pub(crate) fn of_field(field: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((code, picture)) = field.split_first() else { return Ok(None) };
        let avatar = Self::new(picture.to_vec())?;
        if avatar.format == PictureFormat::of(*code)? {
            Ok(Some(avatar))
        } else {
            Err(DecodeError::UndefinedValue)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_begins_as_its_format_does() {
        // spec: GRP-048
        let webp: &[u8] = b"RIFF\x04\0\0\0WEBPVP8 ";
        let pictures =
            [(1, PNG_START, "image/png"), (2, JPEG_START, "image/jpeg"), (3, webp, "image/webp")];
        for (code, picture, media_type) in pictures {
            for claimed in 0..=4 {
                let field = [&[claimed], picture].concat();
                let read = Avatar::of_field(&field);
                if claimed == code {
                    let avatar = read.unwrap().unwrap();
                    assert_eq!((avatar.format() as u8, avatar.picture()), (code, picture));
                    assert_eq!(Avatar::to_field(Some(&avatar)), field);
                    assert_eq!(avatar.format().media_type(), media_type);
                } else {
                    assert_eq!(read, Err(DecodeError::UndefinedValue), "{claimed} {code}");
                }
            }
        }
        assert_eq!(Avatar::of_field(&[]), Ok(None));
        for field in [&b"\x01"[..], b"\x01<html>", b"\x03RIFF\x04\0\0\0WAVE", b"\x02\xff\xd8"] {
            assert_eq!(Avatar::of_field(field), Err(DecodeError::UndefinedValue), "{field:?}");
        }
    }

    #[test]
    fn a_picture_has_a_bound() {
        // spec: GRP-048
        let of = |length: usize| Avatar::new([JPEG_START, &vec![0; length - 3]].concat());
        let largest = of(AVATAR_BYTES_MAX).unwrap();
        assert_eq!(format!("{largest:?}"), "Avatar(..)");
        assert_eq!(of(AVATAR_BYTES_MAX + 1), Err(DecodeError::TooLong));
    }
}
