//! Chance from a seed, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A stream of chance.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of this name under a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Anything.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below a bound, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// Between two bounds, both inclusive.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in so many of a thousand cases.
    pub(crate) fn happens(&mut self, in_thousand: u64) -> bool {
        self.below(1_000) < in_thousand
    }
}
