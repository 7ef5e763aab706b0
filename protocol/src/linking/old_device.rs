//! Linking as the device sees it that is already there.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::address::RelayAddress;
use crate::hpke::HpkeSuite;
use crate::linking::LinkingError;
use crate::linking::code::{Commitment, LinkingCode, LinkingSecret, Step, reveal_bytes};
use crate::linking::grant::{LinkGrant, grant_info, grant_plaintext};
use crate::linking::request::{ComparisonCode, Exchange, LinkRequest};
use crate::random::random_secret;
use crate::sealed_box::SealError;

/// A code is shown; the request of a new device is awaited.
pub struct LinkingOffer {
    pub(super) code: LinkingCode,
    pub(super) nonce: Zeroizing<[u8; 32]>,
}

/// A request came and was answered; the person compares digits.
pub struct OldConfirming {
    pub(super) code: LinkingCode,
    pub(super) request: LinkRequest,
    pub(super) exchange: Exchange,
}

impl LinkingOffer {
    /// Makes a code for one linking.
    pub fn new(relay: RelayAddress, rng: &mut dyn CryptoRng) -> Self {
        let nonce = random_secret(rng);
        let secret = LinkingSecret::generate(rng);
        let commitment = Commitment::to(&nonce);
        Self { code: LinkingCode { relay, secret, commitment }, nonce }
    }

    /// The code to show, and where to wait for the request.
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// Takes the first request; gives the sealed reveal, to be sent to
    /// [`LinkingCode::toward_new`]. The offer is used up, so the nonce is revealed to one request
    /// only (spec: LNK-052).
    ///
    /// # Errors
    /// [`LinkingError::Seal`], [`LinkingError::Malformed`]; linking starts over.
    pub fn handle_request(
        self,
        sealed: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(OldConfirming, Vec<u8>), LinkingError> {
        let Self { code, nonce } = self;
        let bytes = code.toward_old().open(Step::Request, sealed)?;
        let request = LinkRequest::decode(&bytes)?;
        let exchange = Exchange::new(&code, &request, &nonce);
        let reveal = code.toward_new().seal(Step::Reveal, &reveal_bytes(&nonce), rng)?;
        Ok((OldConfirming { code, request, exchange }, reveal))
    }
}

impl OldConfirming {
    /// The digits to show.
    pub fn comparison(&self) -> ComparisonCode {
        self.exchange.comparison()
    }

    /// What the new device asks with, for the certificate and for the person.
    pub const fn request(&self) -> &LinkRequest {
        &self.request
    }

    /// Where to send the grant.
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// The person says that the digits are the same: seals the grant to the request's one-time key.
    ///
    /// # Errors
    /// [`LinkingError::Seal`]; [`LinkingError::Grant`] when the grant is not for this request.
    pub fn confirm_and_grant(
        self,
        grant: &LinkGrant,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, LinkingError> {
        grant.check(&self.request.terms)?;
        let plaintext = grant_plaintext(grant)?;
        let info = grant_info(&self.exchange);
        let (encapsulated, ciphertext) = HpkeSuite::INBOX
            .seal(self.request.grant_key.as_ref(), &info, b"", &plaintext, rng)
            .map_err(|_| SealError::PublicKey)?;
        let message = [encapsulated, ciphertext].concat();
        Ok(self.code.toward_new().seal(Step::Grant, &message, rng)?)
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for LinkingOffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkingOffer(..)")
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for OldConfirming {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OldConfirming(..)")
    }
}
