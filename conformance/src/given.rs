//! Randomness that a vector gives: the bytes that a run draws, in order.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// Hands out bytes in order, and stops the run when more are drawn than were given.
#[derive(Debug)]
pub struct Given(std::vec::IntoIter<u8>);

impl Given {
    /// These bytes, one part after the other.
    pub fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat().into_iter())
    }
}

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.0.next().expect("the vector gives as many bytes as are drawn"));
        Ok(())
    }
}

impl TryCryptoRng for Given {}
