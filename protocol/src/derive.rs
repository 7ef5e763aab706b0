//! The one function that derives keys: HKDF-SHA256 (RFC 5869) with a label for each use.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::label::Label;

/// The longest output of HKDF-SHA256, in bytes (RFC 5869 section 2.3).
const DERIVED_BYTES_MAX: usize = 255 * 32;

/// Derives `LENGTH` bytes: extract without a salt, then expand with `info` = label and context,
/// bound as [`Label::bind`] says (spec: IDN-003). `secret` has full entropy already.
pub fn derive<const LENGTH: usize>(
    secret: &[u8],
    label: Label,
    context: &[u8],
) -> Zeroizing<[u8; LENGTH]> {
    const { assert!(LENGTH <= DERIVED_BYTES_MAX) };
    let mut output = Zeroizing::new([0; LENGTH]);
    #[expect(clippy::expect_used, reason = "fails for lengths past the bound asserted above only")]
    Hkdf::<Sha256>::new(None, secret)
        .expand(&label.bind(context), &mut *output)
        .expect("the length is within HKDF's bound");
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_contexts_separate() {
        // spec: IDN-003
        let one = derive::<32>(&[1; 32], Label::LinkCapability, b"");
        assert_eq!(one, derive::<32>(&[1; 32], Label::LinkCapability, b""));
        assert_ne!(one, derive::<32>(&[1; 32], Label::LinkCardKey, b""));
        assert_ne!(one, derive::<32>(&[1; 32], Label::LinkCapability, b"x"));
        assert_ne!(one, derive::<32>(&[2; 32], Label::LinkCapability, b""));
    }
}
