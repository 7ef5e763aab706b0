//! How a 32-byte secret of this crate is held: zeroized when dropped, compared in constant time,
//! never cloned and never printed (spec: IDN-005).

macro_rules! secret_bytes {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes exactly 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The secret bytes; for sealing, deriving and storing under another key.
            pub const fn expose(&self) -> &[u8; 32] {
                &self.0
            }

            /// Draws a new one.
            pub fn generate(rng: &mut dyn rand_core::CryptoRng) -> Self {
                Self(*crate::random::random_secret(rng))
            }
        }

        /// Prints the type's name only.
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
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

macro_rules! signing_key {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        pub struct $name(ed25519_dalek::SigningKey);

        impl $name {
            /// Draws a new key.
            pub fn generate(rng: &mut dyn rand_core::CryptoRng) -> Self {
                Self::from_bytes(&crate::random::random_secret(rng))
            }

            /// The key of this Ed25519 seed (RFC 8032 section 5.1.5).
            pub fn from_bytes(seed: &[u8; 32]) -> Self {
                Self(ed25519_dalek::SigningKey::from_bytes(seed))
            }

            /// The seed, to be stored sealed.
            pub fn to_secret_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
                zeroize::Zeroizing::new(self.0.to_bytes())
            }

            /// The public half.
            pub fn public(&self) -> hushwire_wire::id::PublicKey {
                hushwire_wire::transcript::public_key(&self.0)
            }
        }

        /// Prints the type's name only.
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

pub(crate) use {secret_bytes, signing_key};
