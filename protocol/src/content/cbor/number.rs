//! The shortest forms of integers and floats (RFC 8949 section 4.2.1, first rule).

use super::CborError;

/// The five low bits of a head whose argument is `argument`.
pub(super) const fn shortest_low(argument: u64) -> u8 {
    match argument {
        0..=23 => argument.to_le_bytes()[0],
        24..=0xff => 24,
        0x100..=0xffff => 25,
        0x1_0000..=0xffff_ffff => 26,
        _ => 27,
    }
}

/// The one NaN: half width, quiet (spec: CNT-002).
const NAN_HALF: u64 = 0x7e00;

/// Checks an item of type 7: a simple value in its one form, or a float that no narrower one equals.
pub(super) fn check_simple(low: u8, argument: u64) -> Result<(), CborError> {
    match low {
        0..=23 => Ok(()),
        24 if argument < 32 => Err(CborError::Malformed),
        24 => Ok(()),
        25 => check_half(argument),
        26 => {
            let bits = u32::try_from(argument).map_err(|_| CborError::Malformed)?;
            if fits_half(bits) { Err(CborError::NotShortest) } else { Ok(()) }
        }
        27 if fits_single(argument) => Err(CborError::NotShortest),
        27 => Ok(()),
        _ => Err(CborError::Malformed),
    }
}

fn check_half(bits: u64) -> Result<(), CborError> {
    let is_nan = bits & 0x7c00 == 0x7c00 && bits & 0x03ff != 0;
    if is_nan && bits != NAN_HALF { Err(CborError::NotShortest) } else { Ok(()) }
}

/// Whether a single-width float has an equal of half width. Every NaN has: the one that is allowed.
const fn fits_half(bits: u32) -> bool {
    let exponent = (bits >> 23) & 0xff;
    let fraction = bits & 0x007f_ffff;
    match exponent {
        // Infinity, NaN.
        0xff => true,
        // Zero; a subnormal single is far below the least half.
        0 => fraction == 0,
        // Normal halves: exponents -14 to 15, ten bits of fraction.
        113..=142 => fraction & 0x1fff == 0,
        // Subnormal halves: multiples of 2^-24, down to 2^-24 itself.
        103..=112 => ((1 << 23) | fraction).trailing_zeros() >= 126 - exponent,
        _ => false,
    }
}

/// Whether a double-width float has an equal of single width. Every NaN has.
const fn fits_single(bits: u64) -> bool {
    let exponent = (bits >> 52) & 0x7ff;
    let fraction = bits & 0x000f_ffff_ffff_ffff;
    match exponent {
        0x7ff => true,
        0 => fraction == 0,
        // Normal singles: exponents -126 to 127, 23 bits of fraction.
        897..=1150 => fraction & 0x1fff_ffff == 0,
        // Subnormal singles: multiples of 2^-149, down to 2^-149 itself.
        874..=896 => ((1 << 52) | fraction).trailing_zeros() as u64 >= 926 - exponent,
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "widths are what is tested")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The value of a half, by RFC 8949 appendix D.
    fn half_value(bits: u16) -> f64 {
        let exponent = i32::from((bits >> 10) & 0x1f);
        let fraction = f64::from(bits & 0x3ff);
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
        };
        if bits & 0x8000 == 0 { magnitude } else { -magnitude }
    }

    #[test]
    fn each_half_is_recognised_in_wider_forms() {
        // spec: CNT-002
        for bits in 0..=u16::MAX {
            let value = half_value(bits);
            let single = value as f32;
            assert!(fits_half(single.to_bits()), "{bits:04x}");
            assert!(fits_single(value.to_bits()), "{bits:04x}");
            let allowed = !value.is_nan() || bits == 0x7e00;
            assert_eq!(check_simple(25, u64::from(bits)).is_ok(), allowed, "{bits:04x}");
        }
    }

    #[test]
    fn the_edges_of_single_width_are_right() {
        // spec: CNT-002
        for value in [f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::from_bits(0x007f_ffff)] {
            assert!(fits_single(f64::from(value).to_bits()));
            assert!(!fits_half(value.to_bits()));
        }
        for value in [2f64.powi(-150), 2f64.powi(128), 0.1, f64::MIN_POSITIVE, f64::from_bits(1)] {
            assert!(!fits_single(value.to_bits()), "{value}");
        }
        assert!(!fits_half(2f32.powi(-25).to_bits()));
        assert!(!fits_half(65_536f32.to_bits()));
        assert!(!fits_half(0.1f32.to_bits()));
    }

    proptest! {
        #[test]
        fn fits_single_agrees_with_a_cast(bits in any::<u64>(), single in any::<u32>()) {
            let value = f64::from_bits(bits);
            let same = value.is_nan() || f64::from(value as f32) == value;
            prop_assert_eq!(fits_single(bits), same);
            let widened = f64::from(f32::from_bits(single));
            prop_assert!(fits_single(widened.to_bits()));
        }
    }
}
