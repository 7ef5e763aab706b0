//! What two people compare to know that they talk to each other: 60 digits, or a code to scan.
//!
//! It compares root keys, hence identities: whoever matches is talked to by every device that the
//! other's manager certified, now and later. It says nothing about which devices those are.

use core::fmt;

use data_encoding::BASE64URL_NOPAD;

use crate::derive::derive;
use crate::digits;
use crate::identity::Fingerprint;
use crate::label::Label;

/// What the scannable form begins with.
pub const SCHEME: &str = "hush-safety:";

const VERSION: u8 = 1;
const GROUPS: usize = 12;

/// The safety number of two identities.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    own: Fingerprint,
    their: Fingerprint,
}

/// Why a scanned code does not match. Nobody is to be trusted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// It is no safety number.
    #[error("not a safety number")]
    Foreign,
    /// It is of a version that this build does not know.
    #[error("the safety number is of a newer version")]
    UnknownVersion,
    /// It shows another identity for you: they talk to somebody else who claims to be you.
    #[error("the other side sees another identity in your place")]
    OwnDiffers,
    /// It shows another identity for them: you talk to somebody else who claims to be them.
    #[error("you see another identity in the other side's place")]
    TheirDiffers,
}

impl SafetyNumber {
    /// The number between the own and another identity.
    pub const fn between(own: Fingerprint, their: Fingerprint) -> Self {
        Self { own, their }
    }

    /// Twelve groups of five digits, with single spaces; the same for both (spec: IDN-040).
    pub fn digits(&self) -> String {
        let (low, high) = (self.own.min(self.their), self.own.max(self.their));
        let joined = [&low.as_bytes()[..], high.as_bytes()].concat();
        let bytes = derive::<{ GROUPS * 5 }>(&joined, Label::SafetyNumber, b"");
        digits::groups(&*bytes)
    }

    /// What this side shows to be scanned (spec: IDN-041).
    pub fn to_scannable(&self) -> String {
        let bytes = [&[VERSION][..], self.own.as_bytes(), self.their.as_bytes()].concat();
        format!("{SCHEME}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// Compares with what the other side shows: its own identity first, then this side's.
    ///
    /// # Errors
    /// [`ScanError`] (spec: IDN-041).
    pub fn check_scanned(&self, text: &str) -> Result<(), ScanError> {
        let encoded = text.trim().strip_prefix(SCHEME).ok_or(ScanError::Foreign)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| ScanError::Foreign)?;
        let (version, rest) = bytes.split_first().ok_or(ScanError::Foreign)?;
        if *version != VERSION {
            return Err(ScanError::UnknownVersion);
        }
        let (their, own) = rest.split_at_checked(Fingerprint::LENGTH).ok_or(ScanError::Foreign)?;
        if own.len() != Fingerprint::LENGTH {
            Err(ScanError::Foreign)
        } else if their != self.their.as_bytes() {
            Err(ScanError::TheirDiffers)
        } else if own != self.own.as_bytes() {
            Err(ScanError::OwnDiffers)
        } else {
            Ok(())
        }
    }
}

/// Prints the type's name only: it names two people.
impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyNumber(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(own: u8, their: u8) -> SafetyNumber {
        let fingerprint = |byte| Fingerprint::from_bytes([byte; 32]);
        SafetyNumber::between(fingerprint(own), fingerprint(their))
    }

    #[test]
    fn both_sides_see_the_same_digits() {
        // spec: IDN-040
        let digits = number(1, 2).digits();
        assert_eq!(digits, number(2, 1).digits());
        assert_ne!(digits, number(1, 3).digits());
        assert_eq!(digits.len(), 71);
        let groups: Vec<_> = digits.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|g| g.len() == 5 && g.bytes().all(|b| b.is_ascii_digit())));
    }

    #[test]
    fn a_scan_says_who_differs() {
        // spec: IDN-041
        let ours = number(1, 2);
        let cases = [
            (number(2, 1).to_scannable(), Ok(())),
            (number(3, 1).to_scannable(), Err(ScanError::TheirDiffers)),
            (number(2, 3).to_scannable(), Err(ScanError::OwnDiffers)),
            // one's own code, scanned back
            (ours.to_scannable(), Err(ScanError::TheirDiffers)),
            ("hush-safety:".to_owned(), Err(ScanError::Foreign)),
            ("hush-safety:AQ".to_owned(), Err(ScanError::Foreign)),
            ("hush-safety:Ag".to_owned(), Err(ScanError::UnknownVersion)),
            ("hush:AQ".to_owned(), Err(ScanError::Foreign)),
            (format!("{}A", number(2, 1).to_scannable()), Err(ScanError::Foreign)),
        ];
        for (text, verdict) in cases {
            assert_eq!(ours.check_scanned(&text), verdict, "{text}");
        }
    }
}
