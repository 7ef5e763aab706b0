//! Linking a new device to an identity by a one-time code.
//!
//! ```text
//! old device                         relay                          new device
//! LinkingOffer ── code, on a screen: relay, secret, commitment to a nonce ──▶ LinkingCode
//!     ◀───────── LinkRequest: nonce, device key, one-time HPKE key ───────────── LinkingJoin
//! OldConfirming ── LinkReveal: the nonce that was committed to ──────────▶ NewConfirming
//!     └──────────── both show six digits; the person compares them ────────────┘
//!     ─────────── LinkGrant: certificate and keys, sealed to the one-time key ──▶
//! ```
//!
//! Each state is a type that its step consumes, so no step can be left out, repeated or taken out of
//! order. Who photographs the code can join in, but would have to choose a request before it knows
//! the old device's nonce, so that the digits on the two screens differ but for a chance of one in
//! a million. And it cannot read the grant, which is sealed to a key that the digits cover.
//! Normative text: `spec/links.md`.

pub mod code;
pub mod grant;
pub mod new_device;
pub mod old_device;
pub mod request;
mod saved;

pub use code::{LinkingCode, LinkingSecret, Rendezvous, RendezvousOwner};
pub use grant::{GrantError, GrantedSecrets, InboxOwnerKey, LinkGrant, OwnGroup};
pub use new_device::{LinkingJoin, NewConfirmed, NewConfirming};
pub use old_device::{LinkingOffer, OldConfirming};
pub use request::{ComparisonCode, LinkRequest, RequestTerms};

use crate::encoding::DecodeError;
use crate::sealed_box::SealError;

pub(crate) const VERSION: u16 = 1;

/// Why a step of linking failed. Linking starts over with a new code, whatever the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkingError {
    /// Peer: the message was not sealed for this step, or not well.
    #[error("the linking message cannot be opened: {0}")]
    Seal(#[from] SealError),
    /// Peer: what was sealed is no message of this step.
    #[error("not the linking message of this step: {0}")]
    Malformed(#[from] DecodeError),
    /// Peer: the nonce is not the one that the code commits to. Somebody is in between.
    #[error("the other device does not hold to its code")]
    Commitment,
    /// Peer: the grant is not for this device, or its parts do not belong together.
    #[error("the grant is not for this device: {0}")]
    Grant(#[from] GrantError),
}

#[cfg(test)]
mod tests;
