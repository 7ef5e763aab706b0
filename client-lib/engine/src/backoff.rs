//! How long to wait before trying again: exponential, with full jitter, so that many clients of a
//! relay that comes back do not come all at once (spec: CLI-032).

use hushwire_wire::message::Answer;
use rand_core::CryptoRng;

/// Shortest span the jitter is drawn from, in milliseconds.
const BASE_MS: u64 = 500;
/// Longest span the jitter is drawn from, in milliseconds.
const CAP_MS: u64 = 60_000;
/// No try follows another sooner, in milliseconds.
const LEAST_MS: u64 = 50;

/// The longest wait that a relay can ask for, in milliseconds (spec: CLI-111).
const RETRY_AFTER_MAX_MS: u64 = 600_000;

/// How long the own inbox rests after a refusal, in milliseconds; jitter up to the same is added, as
/// it is to the rest of a refused channel, which grows.
pub(crate) const REFUSED_REST_MS: u64 = 5_000;
/// How long a refused rendezvous rests, in milliseconds; jitter up to the same is added. A person is
/// waiting there.
pub(crate) const RENDEZVOUS_REST_MS: u64 = 2_000;
/// How long a transfer waits for another one to end before it looks again, in milliseconds.
pub(crate) const TURN_REST_MS: u64 = 250;
/// How long a commit waits for another one of this device, in milliseconds.
pub(crate) const PENDING_REST_MS: u64 = 200;
/// How long a commit waits beside a candidate that cannot be judged, in milliseconds.
pub(crate) const UNJUDGED_REST_MS: u64 = 30_000;

/// How long a relay said that what it did not grant is to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToldRest {
    ms: u64,
}

impl ToldRest {
    /// It said nothing of that.
    pub(crate) const NONE: Self = Self { ms: 0 };

    /// What it said in this answer; nothing, if that is no refusal.
    pub(crate) const fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Refused(refusal) => Self { ms: refusal.retry_after_ms },
            Answer::RefusedUnknown { retry_after_ms, .. } => Self { ms: *retry_after_ms },
            _ => Self::NONE,
        }
    }

    /// A rest that is no shorter than this either, in milliseconds.
    pub(crate) fn or_at_least_ms(self, least_ms: u64) -> u64 {
        rest_ms(least_ms, self.ms)
    }
}

/// The span that the wait after so many failed attempts is drawn from, in milliseconds.
pub(crate) fn span_ms(attempts: u32) -> u64 {
    let doubled = 1u64.checked_shl(attempts).and_then(|factor| BASE_MS.checked_mul(factor));
    doubled.map_or(CAP_MS, |span| span.min(CAP_MS))
}

/// A wait, in milliseconds.
pub(crate) fn wait_ms(attempts: u32, rng: &mut dyn CryptoRng) -> u64 {
    LEAST_MS + jitter_ms(span_ms(attempts), rng)
}

/// A rest that is at least as long as the relay asks for, as far as that can be asked
/// (spec: CLI-111).
pub(crate) fn rest_ms(least_ms: u64, retry_after_ms: u64) -> u64 {
    least_ms.max(retry_after_ms.min(RETRY_AFTER_MAX_MS))
}

/// The wait for a turn: what the relay says and no more, as far as it can be asked
/// (spec: CHN-039, CLI-111).
pub(crate) fn told_ms(retry_after_ms: u64) -> u64 {
    retry_after_ms.clamp(LEAST_MS, RETRY_AFTER_MAX_MS)
}

/// A number of milliseconds below `span_ms`. The bias of the remainder does not matter here.
pub(crate) fn jitter_ms(span_ms: u64, rng: &mut dyn CryptoRng) -> u64 {
    rng.next_u64() % span_ms.max(1)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn the_span_doubles_up_to_a_cap() {
        // spec: CLI-032
        let table = [(0, 500), (1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (63, 60_000)];
        for (attempts, span) in table {
            assert_eq!(span_ms(attempts), span, "after {attempts}");
        }
        assert_eq!(span_ms(u32::MAX), CAP_MS);
    }

    #[test]
    fn a_relay_cannot_ask_for_a_rest_without_end() {
        // spec: CLI-111
        let table = [(0, 5_000), (5_001, 5_001), (600_000, 600_000), (1 << 63, 600_000)];
        for (asked, rest) in table {
            assert_eq!(rest_ms(5_000, asked), rest, "{asked} asked");
        }
        assert_eq!(rest_ms(700_000, u64::MAX), 700_000);
    }

    #[test]
    fn a_turn_is_waited_for_as_long_as_the_relay_says() {
        // spec: CHN-039, CLI-111
        let table = [(1, 50), (50, 50), (1_000, 1_000), (600_001, 600_000), (1 << 63, 600_000)];
        for (told, waits) in table {
            assert_eq!(told_ms(told), waits, "{told} told");
        }
    }

    #[test]
    fn waits_stay_within_the_span() {
        // spec: CLI-032
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for attempts in 0..20 {
            for _ in 0..50 {
                let wait = wait_ms(attempts, &mut rng);
                assert!((LEAST_MS..LEAST_MS + span_ms(attempts)).contains(&wait));
            }
        }
    }
}
