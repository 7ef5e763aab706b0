//! The states of a linking as secret bytes, so that it outlives a restart. Nothing here leaves the
//! device: the bytes are as secret as the keys in them, and each state reads only its own.

use zeroize::Zeroizing;

use crate::address;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::linking::code::{Commitment, LinkingCode, LinkingSecret};
use crate::linking::new_device::{LinkingJoin, NewConfirmed, NewConfirming};
use crate::linking::old_device::{LinkingOffer, OldConfirming};
use crate::linking::request::{Exchange, LinkRequest};
use crate::seal::InboxKey;

/// Longest request, in bytes: an X-Wing public key, names and ids.
const REQUEST_BYTES_MAX: usize = 4096;

/// Which state the bytes are of.
#[derive(Clone, Copy)]
enum State {
    Offer = 1,
    OldConfirming = 2,
    Join = 3,
    NewConfirming = 4,
}

fn begin(state: State, code: &LinkingCode) -> Writer {
    address::write(&code.relay, Writer::with_capacity(4096).byte(state as u8))
        .fixed(code.secret.expose())
        .fixed(code.commitment.0)
}

fn read_code(state: State, reader: &mut Reader<'_>) -> Result<LinkingCode, DecodeError> {
    if reader.byte()? != state as u8 {
        return Err(DecodeError::UndefinedValue);
    }
    Ok(LinkingCode {
        relay: address::read(reader)?,
        secret: LinkingSecret::from_bytes(reader.array()?),
        commitment: Commitment(reader.array()?),
    })
}

fn read_request(reader: &mut Reader<'_>) -> Result<LinkRequest, DecodeError> {
    LinkRequest::decode(reader.variable(REQUEST_BYTES_MAX)?)
}

impl LinkingOffer {
    /// The state, to be stored where keys are stored.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        begin(State::Offer, &self.code).fixed(&self.nonce[..]).into_secret()
    }

    /// Reads what [`Self::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; the bytes are damaged or of another state.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let code = read_code(State::Offer, &mut reader)?;
        let nonce = Zeroizing::new(reader.array()?);
        reader.finish()?;
        Ok(Self { code, nonce })
    }
}

impl OldConfirming {
    /// The state, to be stored where keys are stored.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        begin(State::OldConfirming, &self.code)
            .variable(&self.request.to_bytes())
            .fixed(self.exchange.as_bytes())
            .into_secret()
    }

    /// Reads what [`Self::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; the bytes are damaged or of another state.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let code = read_code(State::OldConfirming, &mut reader)?;
        let request = read_request(&mut reader)?;
        let exchange = Exchange::stored(reader.array()?);
        reader.finish()?;
        Ok(Self { code, request, exchange })
    }
}

impl LinkingJoin {
    fn write(&self, state: State) -> Writer {
        begin(state, &self.code).variable(&self.request.to_bytes()).fixed(self.grant_key.expose())
    }

    fn read(state: State, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: read_code(state, reader)?,
            request: read_request(reader)?,
            grant_key: InboxKey::from_bytes(reader.array()?),
        })
    }

    /// The state, to be stored where keys are stored.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.write(State::Join).into_secret()
    }

    /// Reads what [`Self::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; the bytes are damaged or of another state.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let join = Self::read(State::Join, &mut reader)?;
        reader.finish()?;
        Ok(join)
    }
}

impl NewConfirming {
    /// The state, to be stored where keys are stored. Whether the person has confirmed is for the
    /// caller to store beside it: what is read back confirms anew to become a [`NewConfirmed`].
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.join.write(State::NewConfirming).fixed(self.exchange.as_bytes()).into_secret()
    }

    /// Reads what [`Self::to_secret_bytes`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; the bytes are damaged or of another state.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let join = LinkingJoin::read(State::NewConfirming, &mut reader)?;
        let exchange = Exchange::stored(reader.array()?);
        reader.finish()?;
        Ok(Self { join, exchange })
    }
}

impl NewConfirmed {
    /// What this device asked with.
    pub const fn request(&self) -> &LinkRequest {
        &self.0.join.request
    }
}
