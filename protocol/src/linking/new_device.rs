//! Linking as the device sees it that is to be linked.

use rand_core::CryptoRng;

use crate::hpke::HpkeSuite;
use crate::linking::LinkingError;
use crate::linking::code::{Commitment, LinkingCode, Step, read_reveal};
use crate::linking::grant::{LinkGrant, grant_info};
use crate::linking::request::{ComparisonCode, Exchange, LinkRequest, RequestTerms};
use crate::random::random_array;
use crate::seal::InboxKey;
use crate::sealed_box::SealError;

/// Length of an X-Wing encapsulated key, in bytes.
const ENCAPSULATED_BYTES: usize = 1120;

/// The request is made; the reveal is awaited.
pub struct LinkingJoin {
    pub(super) code: LinkingCode,
    pub(super) request: LinkRequest,
    pub(super) grant_key: InboxKey,
}

/// The old device held to its code; the person compares digits.
pub struct NewConfirming {
    pub(super) join: LinkingJoin,
    pub(super) exchange: Exchange,
}

/// The person said that the digits are the same; the grant is awaited.
pub struct NewConfirmed(pub(super) NewConfirming);

impl LinkingJoin {
    /// Answers a code; gives the sealed request, to be sent to [`LinkingCode::toward_old`].
    ///
    /// # Errors
    /// [`LinkingError::Seal`].
    pub fn new(
        code: LinkingCode,
        terms: RequestTerms,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<u8>), LinkingError> {
        let grant_key = InboxKey::generate(rng);
        let nonce = random_array(rng);
        let request = LinkRequest { nonce, grant_key: grant_key.public()?, terms };
        let sealed = code.toward_old().seal(Step::Request, &request.to_bytes(), rng)?;
        Ok((Self { code, request, grant_key }, sealed))
    }

    /// The code, which says where to wait for reveal and grant.
    pub const fn code(&self) -> &LinkingCode {
        &self.code
    }

    /// Takes the old device's nonce, if it is the one that the code commits to (spec: LNK-052).
    ///
    /// # Errors
    /// [`LinkingError::Commitment`], [`LinkingError::Seal`], [`LinkingError::Malformed`]; linking
    /// starts over.
    pub fn handle_reveal(self, sealed: &[u8]) -> Result<NewConfirming, LinkingError> {
        let bytes = self.code.toward_new().open(Step::Reveal, sealed)?;
        let nonce = read_reveal(&bytes)?;
        if Commitment::to(&nonce) != self.code.commitment {
            return Err(LinkingError::Commitment);
        }
        let exchange = Exchange::new(&self.code, &self.request, &nonce);
        Ok(NewConfirming { join: self, exchange })
    }
}

impl NewConfirming {
    /// The digits to show.
    pub fn comparison(&self) -> ComparisonCode {
        self.exchange.comparison()
    }

    /// The person says that the digits are the same (spec: LNK-056).
    pub const fn confirm(self) -> NewConfirmed {
        NewConfirmed(self)
    }
}

impl NewConfirmed {
    /// The code, which says where to wait for the grant.
    pub const fn code(&self) -> &LinkingCode {
        &self.0.join.code
    }

    /// Takes the grant, if it is for this device and its parts belong together (spec: LNK-057).
    ///
    /// # Errors
    /// [`LinkingError::Grant`], [`LinkingError::Seal`], [`LinkingError::Malformed`]; linking starts
    /// over.
    pub fn handle_grant(self, sealed: &[u8]) -> Result<LinkGrant, LinkingError> {
        let NewConfirming { join, exchange } = self.0;
        let message = join.code.toward_new().open(Step::Grant, sealed)?;
        let (encapsulated, ciphertext) =
            message.split_at_checked(ENCAPSULATED_BYTES).ok_or(SealError::Unopened)?;
        let suite = HpkeSuite::INBOX;
        let (private_key, _) =
            suite.key_pair(join.grant_key.expose()).map_err(|_| SealError::PublicKey)?;
        let plaintext = suite
            .open(encapsulated, &private_key, &grant_info(&exchange), b"", ciphertext)
            .map_err(|_| SealError::Unopened)?;
        let grant = LinkGrant::decode(&plaintext)?;
        grant.check(&join.request.terms)?;
        Ok(grant)
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for LinkingJoin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkingJoin(..)")
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for NewConfirming {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NewConfirming(..)")
    }
}

/// Prints the type's name only.
impl core::fmt::Debug for NewConfirmed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NewConfirmed(..)")
    }
}
