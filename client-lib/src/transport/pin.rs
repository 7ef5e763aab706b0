//! The check of a relay's certificate: its key, and nothing else, is what counts.
//!
//! The Ed25519 key in the certificate must hash to the pinned relay id, and the handshake must be
//! signed with it. Names, dates and issuers mean nothing (spec: CLI-063).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hushwire_wire::{
    id::{PublicKey, RelayId},
    transcript,
};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 section 4); there is one encoding.
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Whether a certificate with another key was seen. QUIC passes on an alert only, so the reason is
/// told beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Mismatch(Arc<AtomicBool>);

impl Mismatch {
    pub(super) fn was_seen(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Takes the certificate of one relay.
#[derive(Debug)]
pub(super) struct PinnedRelay {
    relay: RelayId,
    algorithms: WebPkiSupportedAlgorithms,
    mismatch: Mismatch,
}

impl PinnedRelay {
    pub(super) const fn new(
        relay: RelayId,
        algorithms: WebPkiSupportedAlgorithms,
        mismatch: Mismatch,
    ) -> Self {
        Self { relay, algorithms, mismatch }
    }
}

/// The relay that a certificate belongs to.
fn relay_of(certificate: &CertificateDer<'_>) -> Option<RelayId> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let info = parsed.subject_public_key_info();
    let key = info.as_ref().strip_prefix(&ED25519_PREFIX)?;
    Some(transcript::relay_id(&PublicKey::from_slice(key).ok()?))
}

impl ServerCertVerifier for PinnedRelay {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if relay_of(end_entity) == Some(self.relay) {
            return Ok(ServerCertVerified::assertion());
        }
        self.mismatch.0.store(true, Ordering::SeqCst);
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

    use super::*;

    fn certificate(key: &KeyPair) -> CertificateDer<'static> {
        CertificateParams::new(vec!["anything.invalid".into()])
            .unwrap()
            .self_signed(key)
            .unwrap()
            .into()
    }

    fn verdict(pinned: RelayId, certificate: &CertificateDer<'_>) -> (bool, bool) {
        let mismatch = Mismatch::default();
        let algorithms =
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let taken = PinnedRelay::new(pinned, algorithms, mismatch.clone()).verify_server_cert(
            certificate,
            &[],
            &ServerName::try_from("other.invalid").unwrap(),
            &[],
            // Long after every date in it.
            UnixTime::since_unix_epoch(core::time::Duration::from_secs(1 << 40)),
        );
        (taken.is_ok(), mismatch.was_seen())
    }

    #[test]
    fn only_the_pinned_ed25519_key_is_taken() {
        // spec: CLI-063, CLI-064
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let pinned = transcript::relay_id(&PublicKey::from_slice(key.public_key_raw()).unwrap());
        assert_eq!(verdict(pinned, &certificate(&key)), (true, false));
        let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        assert_eq!(verdict(pinned, &certificate(&other)), (false, true));
        let other_kind = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        assert_eq!(verdict(pinned, &certificate(&other_kind)), (false, true));
        let broken = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert_eq!(verdict(pinned, &broken), (false, true));
    }
}
