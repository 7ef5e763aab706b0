//! Points in time and lengths of time, as a person reads and writes them.

use core::time::Duration;

const SECONDS_A_DAY: u64 = 86_400;

/// `2026-11-21 09:41Z`: a time in milliseconds since the Unix epoch, in UTC. A time that its sender
/// made up to lie beyond the year 9999 is shown as such.
pub fn utc(at_ms: u64) -> String {
    let seconds = at_ms / 1000;
    let (days, rest) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
    let Some((year, month, day)) = civil(days) else { return "(far future)".to_owned() };
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}Z", rest / 3600, rest / 60 % 60)
}

/// Year, month and day of a number of days since 1970-01-01 (Gregorian calendar, counted in eras
/// of 400 years from 0000-03-01).
const fn civil(days: u64) -> Option<(u64, u64, u64)> {
    if days >= 2_932_897 {
        return None;
    }
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    Some((year, month, day))
}

/// The longest length that can be written, in days.
const DAYS_MAX: u64 = 3650;

/// Why a text is no length of time. Blame: caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthError {
    /// It has another form.
    #[error("write a number and one of s, m, h, d, w, as in 7d")]
    Form,
    /// It is nothing, or too much.
    #[error("write a length of time from 1s to {DAYS_MAX}d")]
    Range,
}

/// Reads `45s`, `30m`, `12h`, `7d` or `2w`.
///
/// # Errors
/// [`LengthError`] for anything else, zero and what is longer than 3650 days included.
pub fn parse_length(text: &str) -> Result<Duration, LengthError> {
    let unit = text.chars().last().ok_or(LengthError::Form)?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => SECONDS_A_DAY,
        'w' => 7 * SECONDS_A_DAY,
        _ => return Err(LengthError::Form),
    };
    let count = text.strip_suffix(unit).ok_or(LengthError::Form)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LengthError::Form);
    }
    let seconds = count.parse().ok().and_then(|count: u64| count.checked_mul(seconds_each));
    let seconds = seconds.filter(|seconds| (1..=DAYS_MAX * SECONDS_A_DAY).contains(seconds));
    let seconds = seconds.ok_or(LengthError::Range)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        let cases = [
            (0, "1970-01-01 00:00Z"),
            (951_782_400_000, "2000-02-29 00:00Z"),
            (1_795_254_060_000, "2026-11-21 09:41Z"),
            (253_402_300_799_999, "9999-12-31 23:59Z"),
            (253_402_300_800_000, "(far future)"),
            (u64::MAX, "(far future)"),
        ];
        for (at_ms, shown) in cases {
            assert_eq!(utc(at_ms), shown, "{at_ms}");
        }
    }

    #[test]
    fn lengths_need_a_number_and_a_unit() {
        let cases =
            [("45s", 45), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)];
        for (text, seconds) in cases {
            assert_eq!(parse_length(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "7", "d", "-1d", "+1d", "7 d", "7days", "7é"] {
            assert_eq!(parse_length(text), Err(LengthError::Form), "{text}");
        }
        for text in ["0h", "99999w", "99999999999999999999d"] {
            assert_eq!(parse_length(text), Err(LengthError::Range), "{text}");
        }
        assert_eq!(LengthError::Range.to_string(), "write a length of time from 1s to 3650d");
    }
}
