//! Fixed-length names of the things a relay stores, as types.
//!
//! Each id is a newtype over an array, so that a channel id cannot be passed for an epoch id, and
//! a slice of another length is refused where it enters (spec: WIRE-010).

use core::fmt;

/// A byte string that has not the length its type fixes (spec: WIRE-010).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes, got {actual}")]
pub struct WrongLength {
    /// The length the type fixes, in bytes.
    pub expected: usize,
    /// The length that was given, in bytes.
    pub actual: usize,
}

macro_rules! fixed_id {
    ($(#[$meta:meta])* $name:ident, $length:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Takes exactly [`Self::LENGTH`] bytes.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly [`Self::LENGTH`] bytes.
            ///
            /// # Errors
            /// [`WrongLength`] for any other length (spec: WIRE-010).
            pub fn from_slice(bytes: &[u8]) -> Result<Self, WrongLength> {
                bytes
                    .try_into()
                    .map(Self)
                    .map_err(|_| WrongLength { expected: $length, actual: bytes.len() })
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// The bytes, owned, as a frame field.
            pub fn to_field(&self) -> bytes::Bytes {
                bytes::Bytes::copy_from_slice(&self.0)
            }
        }

        /// Prints the type's name only: ids link people, so logs never carry them (spec: WIRE-011).
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                Self::from_slice(bytes)
            }
        }
    };
}

fixed_id!(
    /// A channel: one for each group, drawn at random by its creator.
    ChannelId,
    32
);
fixed_id!(
    /// An epoch of a channel: the id of the entry that opened it, or [`crate::transcript::root_epoch_id`].
    EpochId,
    32
);
fixed_id!(
    /// An entry of a channel: the hash of its content and place ([`crate::transcript::entry_id`]).
    EntryId,
    32
);
fixed_id!(
    /// The head of an epoch's hash chain after some entry ([`crate::transcript::next_head`]).
    ChainHead,
    32
);
fixed_id!(
    /// An inbox, drawn at random by its owner. 16 bytes, so that a contact link stays short.
    InboxId,
    16
);
fixed_id!(
    /// A device's place in an inbox: its cursor and its shelf of key packages. Drawn at random.
    SlotId,
    16
);
fixed_id!(
    /// An item of an inbox: the hash of its content and inbox ([`crate::transcript::item_id`]).
    ItemId,
    32
);
fixed_id!(
    /// The name of a write capability at the relay: the hash of its secret
    /// ([`crate::transcript::capability_id`]).
    CapabilityId,
    32
);
fixed_id!(
    /// A blob: the hash of the key that may upload it ([`crate::transcript::blob_id`]).
    BlobId,
    32
);
fixed_id!(
    /// A relay: the hash of its public key ([`crate::transcript::relay_id`]). Pinned by clients.
    RelayId,
    32
);
fixed_id!(
    /// A session between a client and a relay ([`crate::transcript::session_id`]).
    SessionId,
    32
);
fixed_id!(
    /// A fresh random value from one side of a session or object.
    Nonce,
    32
);
fixed_id!(
    /// SHA-256 of some bytes, such as the content of a blob that an entry names.
    ContentHash,
    32
);
fixed_id!(
    /// An Ed25519 public key that a relay stores: of an epoch, of an inbox's owner, or its own.
    PublicKey,
    32
);
fixed_id!(
    /// An Ed25519 signature (RFC 8032), verified strictly.
    Signature,
    64
);

macro_rules! bearer_secret {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = 32;

            /// Takes exactly 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly 32 bytes.
            ///
            /// # Errors
            /// [`WrongLength`] for any other length (spec: WIRE-010).
            pub fn from_slice(bytes: &[u8]) -> Result<Self, WrongLength> {
                bytes
                    .try_into()
                    .map(Self)
                    .map_err(|_| WrongLength { expected: 32, actual: bytes.len() })
            }

            /// The secret bytes; for hashing, sealing and sending to the relay it is meant for.
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                Self::from_slice(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
            }
        }

        impl Eq for $name {}
    };
}

bearer_secret!(
    /// The secret behind a [`CapabilityId`]: who knows it may write to the inbox.
    CapabilitySecret
);
bearer_secret!(
    /// The secret behind a [`BlobId`]: who knows it may upload and delete the blob.
    UploadKey
);

/// The place of an entry in its epoch, or of an item in its inbox; the first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first place.
    pub const FIRST: Self = Self(0);

    /// The place after this one. Saturates: 2^64 entries cannot be stored.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Milliseconds since the Unix epoch by the clock of the side that wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time and so many milliseconds more. Saturates.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this time; 0 if it is not earlier.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lengths_are_refused() {
        // spec: WIRE-010
        assert!(ChannelId::from_slice(&[0; 32]).is_ok());
        for length in [0, 16, 31, 33, 64] {
            let error = ChannelId::from_slice(&vec![0; length]).unwrap_err();
            assert_eq!(error, WrongLength { expected: 32, actual: length });
        }
    }

    #[test]
    fn debug_prints_the_name_only() {
        // spec: WIRE-011
        assert_eq!(format!("{:?}", ChannelId::from_bytes([7; 32])), "ChannelId(..)");
        assert_eq!(format!("{:?}", UploadKey::from_bytes([7; 32])), "UploadKey(..)");
    }
}
