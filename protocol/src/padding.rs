//! Lengths on the relay: Padmé with a floor, so that a ciphertext's size tells a class only.
//!
//! Padmé is of Nikitin, Barman, Lueks, Underwood, Hubaux and Ford, "Reducing Metadata Leakage from
//! Encrypted Files and Communication with PURBs" (PoPETs 2019(4)), section 4: a length keeps as many
//! leading bits as its own length has bits, so that there are O(log log n) classes for each power of
//! two and never more than 12 % of overhead above the floor. Normative text: `spec/padding.md`.
//!
//! What is padded is the whole ciphertext that the relay stores. Padding itself stands inside the
//! AEAD, as zeros after the content, so that it is authenticated and looks like the rest.

/// The smallest padded length, in bytes (spec: ENV-011).
pub const PADDED_BYTES_MIN: u64 = 256;

/// Why padding was refused, or could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PaddingError {
    /// Peer: the ciphertext's length is not a padded length (spec: ENV-012).
    #[error("the length is not a padded length")]
    LengthOutsideSet,
    /// Peer: a byte after the content is not zero (spec: ENV-014).
    #[error("the padding is not zero")]
    NotZero,
    /// Peer: the content claims to be longer than what was padded.
    #[error("the content is longer than the padded bytes")]
    ContentTooLong,
    /// Caller: the length cannot be padded on this machine.
    #[error("the length is too large to pad")]
    TooLarge,
}

impl PaddingError {
    /// The stable name, as vectors have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LengthOutsideSet => "LENGTH_OUTSIDE_SET",
            Self::NotZero => "NOT_ZERO",
            Self::ContentTooLong => "CONTENT_TOO_LONG",
            Self::TooLarge => "TOO_LARGE",
        }
    }
}

/// The smallest padded length that is not below `length`, both in bytes; `None` past 2^64 - 1.
///
/// spec: ENV-010, ENV-011
pub const fn padded_length(length: u64) -> Option<u64> {
    if length <= PADDED_BYTES_MIN {
        return Some(PADDED_BYTES_MIN);
    }
    let exponent = length.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - kept_bits)) - 1;
    match length.checked_add(mask) {
        Some(raised) => Some(raised & !mask),
        None => None,
    }
}

/// Whether `length`, in bytes, is a length that padding gives.
///
/// spec: ENV-012
pub const fn is_padded_length(length: u64) -> bool {
    match padded_length(length) {
        Some(padded) => padded == length,
        None => false,
    }
}

/// Appends zeros to `content`, so that its length and `overhead` are together a padded length.
/// `overhead` is what sealing adds: nonce, encapsulated key, tag, in bytes.
///
/// # Errors
/// [`PaddingError::TooLarge`] when the length does not fit this machine.
///
/// spec: ENV-013
pub fn pad(mut content: Vec<u8>, overhead: usize) -> Result<Vec<u8>, PaddingError> {
    let sealed = content.len().checked_add(overhead).ok_or(PaddingError::TooLarge)?;
    let sealed = u64::try_from(sealed).map_err(|_| PaddingError::TooLarge)?;
    let padded = padded_length(sealed).ok_or(PaddingError::TooLarge)?;
    let padded = usize::try_from(padded).map_err(|_| PaddingError::TooLarge)?;
    content.resize(padded.saturating_sub(overhead), 0);
    Ok(content)
}

/// Checks a ciphertext's length before anything is spent on opening it.
///
/// # Errors
/// [`PaddingError::LengthOutsideSet`] (spec: ENV-012).
pub fn check_sealed_length(ciphertext: &[u8]) -> Result<(), PaddingError> {
    match u64::try_from(ciphertext.len()) {
        Ok(length) if is_padded_length(length) => Ok(()),
        _ => Err(PaddingError::LengthOutsideSet),
    }
}

/// Takes the padding off: the first `content_length` bytes of an opened plaintext, if everything
/// after them is zero. The content delimits itself; whoever parsed it knows its length, and hands
/// the rest to this function.
///
/// # Errors
/// [`PaddingError::LengthOutsideSet`] when plaintext and `overhead` are together no padded length
/// (spec: ENV-012), [`PaddingError::ContentTooLong`], [`PaddingError::NotZero`] (spec: ENV-014).
pub fn unpad(
    plaintext: &[u8],
    overhead: usize,
    content_length: usize,
) -> Result<&[u8], PaddingError> {
    let sealed = plaintext.len().checked_add(overhead).and_then(|sum| u64::try_from(sum).ok());
    if !sealed.is_some_and(is_padded_length) {
        return Err(PaddingError::LengthOutsideSet);
    }
    let (content, padding) =
        plaintext.split_at_checked(content_length).ok_or(PaddingError::ContentTooLong)?;
    check_zeros(padding)?;
    Ok(content)
}

/// Checks that what follows a self-delimiting content is zeros only.
///
/// # Errors
/// [`PaddingError::NotZero`] (spec: ENV-014).
pub fn check_zeros(padding: &[u8]) -> Result<(), PaddingError> {
    // One pass without an early exit: where the first wrong byte stands does not show in time.
    let seen = padding.iter().fold(0u8, |seen, byte| seen | byte);
    if seen == 0 { Ok(()) } else { Err(PaddingError::NotZero) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_lengths() {
        // spec: ENV-010, ENV-011; the values above the floor follow the paper's formula by hand
        for (length, padded) in [
            (0, 256),
            (1, 256),
            (255, 256),
            (256, 256),
            (257, 272),
            (272, 272),
            (273, 288),
            (511, 512),
            (513, 544),
            (1_000, 1_024),
            (1_025, 1_088),
            (65_535, 65_536),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (1 << 32, 1 << 32),
            ((1 << 32) + 1, (1 << 32) + (1 << 26)),
        ] {
            assert_eq!(padded_length(length), Some(padded), "{length}");
        }
        assert_eq!(padded_length(u64::MAX), None);
        assert_eq!(padded_length(1 << 63), Some(1 << 63));
    }

    #[test]
    fn other_lengths_are_refused() {
        // spec: ENV-012
        for length in [0, 1, 255, 257, 271, 273, 513, 1_025, u64::MAX] {
            assert!(!is_padded_length(length), "{length}");
        }
        assert_eq!(check_sealed_length(&[0; 257]), Err(PaddingError::LengthOutsideSet));
        assert_eq!(check_sealed_length(&[0; 272]), Ok(()));
        assert_eq!(unpad(&[0; 256], 1, 3), Err(PaddingError::LengthOutsideSet));
    }

    #[test]
    fn wrong_padding_is_refused() {
        // spec: ENV-013, ENV-014
        let padded = pad(b"content".to_vec(), 40).unwrap();
        assert_eq!(padded.len() + 40, 256);
        assert_eq!(unpad(&padded, 40, 7), Ok(&b"content"[..]));
        assert_eq!(unpad(&padded, 40, 6), Err(PaddingError::NotZero));
        assert_eq!(unpad(&padded, 40, 217), Err(PaddingError::ContentTooLong));
        let mut marked = padded;
        *marked.last_mut().unwrap() = 1;
        assert_eq!(unpad(&marked, 40, 7), Err(PaddingError::NotZero));
    }

    #[test]
    fn an_overhead_past_the_address_space_is_refused() {
        assert_eq!(pad(vec![0], usize::MAX), Err(PaddingError::TooLarge));
    }

    proptest! {
        #[test]
        fn padding_grows_by_less_than_an_eighth(length in 0u64..1 << 48) {
            // spec: ENV-010: the bound of the paper, 12 %, above the floor
            let padded = padded_length(length).unwrap();
            prop_assert!(padded >= length);
            prop_assert!(is_padded_length(padded));
            if length > PADDED_BYTES_MIN {
                prop_assert!((padded - length) * 100 < length * 12);
            }
        }

        #[test]
        fn padding_is_monotonous(a in any::<u64>(), b in any::<u64>()) {
            let (low, high) = (a.min(b), a.max(b));
            if let Some(high) = padded_length(high) {
                prop_assert!(padded_length(low).unwrap() <= high);
            }
        }

        #[test]
        fn unpad_undoes_pad(
            content in proptest::collection::vec(any::<u8>(), 0..2_000),
            overhead in 0usize..1_200,
        ) {
            // spec: ENV-013
            let padded = pad(content.clone(), overhead).unwrap();
            prop_assert!(is_padded_length((padded.len() + overhead) as u64));
            prop_assert_eq!(unpad(&padded, overhead, content.len()).unwrap(), &content[..]);
        }
    }
}
