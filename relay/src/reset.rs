//! Stateless resets (RFC 9000 section 10.3): how clients learn at once that the relay was restarted.
//!
//! A relay that was killed knows nothing of its connections. With a reset key that outlives the
//! process, and connection ids that it does not refuse to look at, it can still tell a client that
//! goes on sending that the connection is gone; else the client would wait for its idle timeout
//! (spec: RLY-009).

use hmac::{Hmac, KeyInit as _, Mac as _};
use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig,
    crypto::{CryptoError, HmacKey},
};
use sha2::Sha256;
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

use crate::{key::RelayKey, random};

/// What the reset key is derived with.
const LABEL: &[u8] = b"hushwire/1 stateless reset";
/// Length of connection ids, in bytes.
const CONNECTION_ID_BYTES: usize = 8;

/// An endpoint whose resets are those of every run of this relay.
pub(crate) fn endpoint(key: &RelayKey) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(ResetKey::of(key)));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// HMAC-SHA256 under a key derived from the relay's own.
struct ResetKey(Zeroizing<[u8; 32]>);

impl ResetKey {
    fn of(key: &RelayKey) -> Self {
        Self(mac(key.signing().as_bytes(), LABEL))
    }
}

/// A short key stands for itself with zeros behind it (RFC 2104 section 2).
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

fn mac(key: &[u8; 32], data: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed(key);
    mac.update(data);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], out: &mut [u8]) {
        let tag = mac(&self.0, data);
        for (to, from) in out.iter_mut().zip(tag.iter()) {
            *to = *from;
        }
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut mac = keyed(&self.0);
        mac.update(data);
        mac.verify_slice(signature).map_err(|_| CryptoError)
    }
}

/// Connection ids that say nothing, and that a later run does not take for garbage.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        // Without randomness there is no handshake either; an id is not a secret.
        let bytes = random::secret_bytes().map_or([0; 32], |bytes| *bytes);
        ConnectionId::new(bytes.get(..CONNECTION_ID_BYTES).unwrap_or_default())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use hushwire_wire::SigningKey;

    use super::*;

    #[test]
    fn resets_outlive_the_process_and_differ_between_relays() {
        // spec: RLY-009
        let token = |seed| {
            let key = RelayKey::new(SigningKey::from_bytes(&[seed; 32]));
            let mut token = [0; 32];
            ResetKey::of(&key).sign(b"connection id", &mut token);
            assert!(ResetKey::of(&key).verify(b"connection id", &token).is_ok());
            token
        };
        assert_eq!(token(1), token(1));
        assert_ne!(token(1), token(2));
    }
}
