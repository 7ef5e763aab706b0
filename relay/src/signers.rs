//! The relay's signature on answers, by as many threads as there are processors.

use std::sync::{Mutex, PoisonError, TryLockError};

use hushwire_relay_rules::{Reply, Signer};
use hushwire_wire::message::Answer;

use crate::key::RelayKey;

/// Signs off the writer's thread, after the sync.
pub(crate) struct Signers(Vec<Mutex<Signer>>);

impl Signers {
    /// One signer for each processor.
    pub(crate) fn new(key: &RelayKey) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let signer = || Mutex::new(Signer::new(key.signing().clone()));
        Self(std::iter::repeat_with(signer).take(count).collect())
    }

    /// The answer, signed if it has to be. `None` only if there were no signer at all.
    pub(crate) fn sign(&self, reply: Reply) -> Option<Answer> {
        for signer in &self.0 {
            match signer.try_lock() {
                Ok(mut signer) => return Some(signer.sign(reply)),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return Some(poisoned.into_inner().sign(reply));
                }
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let first = self.0.first()?;
        Some(first.lock().unwrap_or_else(PoisonError::into_inner).sign(reply))
    }
}
