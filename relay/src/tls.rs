//! TLS 1.3 for QUIC: the relay's own key in a self-signed certificate, post-quantum key exchange.
//!
//! Clients pin the SHA-256 transcript of the key ([`hushwire_wire::transcript::relay_id`]); names
//! and dates in the certificate mean nothing. There is no 0-RTT, since a replayed request would
//! arrive with it, and no session ticket.

use std::sync::Arc;

use hushwire_wire::version::ALPN;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::NoServerSessionStorage,
};
use serde::{Deserialize, Serialize};

use crate::key::RelayKey;

/// Whether clients may agree on a key without the post-quantum part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassicalKeyExchange {
    /// X25519MLKEM768 only.
    #[default]
    Refuse,
    /// X25519 too, for clients that prefer it or have nothing better.
    Allow,
}

/// The TLS side cannot be set up. Blame: a bug, since the input is the relay's own key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate cannot be made.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The configuration is refused.
    #[error("TLS refuses the configuration: {0}")]
    Configuration(#[from] rustls::Error),
    /// QUIC finds no cipher suite for its first packets.
    #[error("QUIC refuses the configuration: {0}")]
    Quic(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// TLS 1.3, ALPN `hushwire/1`, the groups that `classical` says (spec: RLY-003).
///
/// # Errors
/// [`TlsError`] if the key or configuration is refused.
pub fn server_config(
    key: &RelayKey,
    classical: ClassicalKeyExchange,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(classical));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate(key)?], private_key(key))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn provider(classical: ClassicalKeyExchange) -> CryptoProvider {
    let mut groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    if classical == ClassicalKeyExchange::Allow {
        groups.push(aws_lc_rs::kx_group::X25519);
    }
    CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() }
}

fn private_key(key: &RelayKey) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()))
}

/// Carries the key and nothing about the machine it runs on.
fn certificate(key: &RelayKey) -> Result<CertificateDer<'static>, TlsError> {
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()),
        &rcgen::PKCS_ED25519,
    )?;
    let mut parameters = CertificateParams::new(vec!["relay.hushwire.invalid".to_owned()])?;
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters.self_signed(&pair)?.into())
}

#[cfg(test)]
mod tests {
    use hushwire_wire::SigningKey;
    use rustls::{
        ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, ServerConnection,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::SupportedKxGroup,
        pki_types::{ServerName, UnixTime},
    };

    use super::*;

    #[derive(Debug)]
    struct AnyCertificate;

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("no TLS 1.2".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            vec![rustls::SignatureScheme::ED25519]
        }
    }

    /// A handshake in memory; what both sides agreed on, or `None` when the relay refused.
    fn agreed(
        classical: ClassicalKeyExchange,
        groups: Vec<&'static dyn SupportedKxGroup>,
    ) -> Option<(NamedGroup, ProtocolVersion)> {
        let key = RelayKey::new(SigningKey::from_bytes(&[7; 32]));
        let server = server_config(&key, classical).unwrap();
        let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        client.alpn_protocols = vec![ALPN.to_vec()];
        let mut client =
            ClientConnection::new(Arc::new(client), "relay.example".try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().ok()?;
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            while !bytes.is_empty() {
                let taken = client.read_tls(&mut bytes.as_slice()).unwrap();
                bytes.drain(..taken);
                client.process_new_packets().ok()?;
            }
        }
        let group = client.negotiated_key_exchange_group().unwrap().name();
        Some((group, client.protocol_version().unwrap()))
    }

    #[test]
    fn the_key_exchange_is_post_quantum() {
        // spec: RLY-003
        let (hybrid, classical) =
            (aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519);
        let post_quantum = Some((NamedGroup::X25519MLKEM768, ProtocolVersion::TLSv1_3));
        for mode in [ClassicalKeyExchange::Refuse, ClassicalKeyExchange::Allow] {
            assert_eq!(agreed(mode, vec![hybrid]), post_quantum);
            assert_eq!(agreed(mode, vec![hybrid, classical]), post_quantum);
        }
        // Even a client that would rather not, and offers a share for X25519 only.
        let reluctant = vec![classical, hybrid];
        assert_eq!(agreed(ClassicalKeyExchange::Refuse, reluctant), post_quantum);
        assert_eq!(agreed(ClassicalKeyExchange::Refuse, vec![classical]), None);
        assert_eq!(
            agreed(ClassicalKeyExchange::Allow, vec![classical]),
            Some((NamedGroup::X25519, ProtocolVersion::TLSv1_3))
        );
    }
}
