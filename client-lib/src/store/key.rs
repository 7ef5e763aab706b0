//! How a store is locked: a random database key, sealed by a passphrase or by the app's key.
//!
//! The database key never changes with the passphrase, so another passphrase or a higher cost
//! rewrites the header only, in one atomic step. The header says by itself whether it is ours, whole
//! and of a known version, and its seal whether the passphrase is right: four errors that a
//! database key derived straight from the passphrase could not tell apart (spec: CLI-052).
//!
//! ```text
//! offset length
//!      0     16  magic "hushwire store\0\n"
//!     16      2  version, 1
//!     18      1  kind: 1 passphrase (Argon2id, RFC 9106), 2 raw key
//!     19      4  memory in KiB   \
//!     23      4  passes           } 0 for a raw key
//!     27      4  lanes           /
//!     31     16  salt, random
//!     47     24  nonce, random
//!     71     48  the database key, XChaCha20-Poly1305 with bytes 0..71 as associated data
//!    119     32  SHA-256 of bytes 0..119
//! ```
//!
//! Integers are big-endian (spec: CLI-051).

use core::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::OpenError;
use crate::local::LocalSecret;

const MAGIC: &[u8; 16] = b"hushwire store\0\n";
const HEADER_VERSION: u16 = 1;
const KIND_PASSPHRASE: u8 = 1;
const KIND_RAW: u8 = 2;
const SALT_LENGTH: usize = 16;
const NONCE_LENGTH: usize = 24;
const SEALED_LENGTH: usize = 48;
const BOUND_LENGTH: usize = 71;
const CHECKED_LENGTH: usize = 119;
pub(super) const HEADER_LENGTH: usize = 151;
const LOCAL_SECRET_LABEL: &[u8] = b"hushwire local key 1";

/// Which kind of key locks a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// [`StoreKey::Passphrase`].
    Passphrase,
    /// [`StoreKey::Raw`].
    Raw,
}

/// What opens a store.
pub enum StoreKey {
    /// Something a person remembers; stretched with Argon2id.
    Passphrase(Passphrase),
    /// 32 uniformly random bytes that the app keeps, such as in the system's key store.
    Raw(RawKey),
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// A passphrase, taken as its UTF-8 bytes without any normalisation.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes what a person typed.
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A key of 32 uniformly random bytes.
pub struct RawKey(Zeroizing<[u8; 32]>);

impl RawKey {
    /// Takes the bytes.
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawKey(..)")
    }
}

/// What Argon2id costs to run once (RFC 9106 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KeyCost {
    /// The second recommended option of RFC 9106 section 4: 64 MiB, 3 passes, 4 lanes.
    pub const RECOMMENDED: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// The least that Argon2id allows. For tests only: it protects no passphrase.
    pub const DANGEROUS_MINIMUM: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    /// Most memory that a header may ask for, in KiB.
    const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    const PASSES_MAX: u32 = 64;
    const LANES_MAX: u32 = 16;

    /// Whether a guess costs less with this than with `other`: in memory or in work.
    const fn is_below(self, other: Self) -> bool {
        let work = self.memory_kib as u64 * self.passes as u64;
        let other_work = other.memory_kib as u64 * other.passes as u64;
        self.memory_kib < other.memory_kib || work < other_work
    }

    /// The bounds keep a damaged or planted header from taking the machine's memory
    /// (spec: CLI-053).
    fn params(self) -> Result<Params, OpenError> {
        let bounded = self.memory_kib <= Self::MEMORY_KIB_MAX
            && self.passes <= Self::PASSES_MAX
            && self.lanes <= Self::LANES_MAX;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        params.ok().filter(|_| bounded).ok_or(OpenError::CostOutOfBounds)
    }
}

/// The key of the database itself.
pub(crate) struct DatabaseKey(Zeroizing<[u8; 32]>);

impl DatabaseKey {
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut bytes[..]);
        Self(bytes)
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the processes of this profile prove to each other (spec: CLI-071).
    pub(crate) fn local_secret(&self) -> Result<LocalSecret, OpenError> {
        // HMAC takes keys of every length.
        let mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.0[..])
            .map_err(|_| OpenError::Failed)?;
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&mac.chain_update(LOCAL_SECRET_LABEL).finalize().into_bytes());
        Ok(LocalSecret::new(bytes))
    }
}

/// The file beside the database: how its key is sealed.
pub(super) struct Header {
    lock: Lock,
    salt: [u8; SALT_LENGTH],
    nonce: [u8; NONCE_LENGTH],
    sealed: [u8; SEALED_LENGTH],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    Passphrase(KeyCost),
    Raw,
}

impl Header {
    /// Seals `database_key` so that `key` opens it. `cost` counts for a passphrase only.
    pub(super) fn seal(
        database_key: &DatabaseKey,
        key: &StoreKey,
        cost: KeyCost,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, OpenError> {
        let lock = match key {
            StoreKey::Passphrase(_) => Lock::Passphrase(cost),
            StoreKey::Raw(_) => Lock::Raw,
        };
        let (mut salt, mut nonce) = ([0; SALT_LENGTH], [0; NONCE_LENGTH]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut nonce);
        let mut header = Self { lock, salt, nonce, sealed: [0; SEALED_LENGTH] };
        let bound = header.bound_bytes();
        let payload = Payload { msg: &database_key.expose()[..], aad: &bound };
        let sealed = header
            .cipher(key)?
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| OpenError::Failed)?;
        header.sealed = sealed.try_into().map_err(|_| OpenError::Failed)?;
        Ok(header)
    }

    /// Opens the database key.
    pub(super) fn open(&self, key: &StoreKey) -> Result<DatabaseKey, OpenError> {
        let wrong = match (self.lock, key) {
            (Lock::Passphrase(_), StoreKey::Passphrase(_)) => OpenError::WrongPassphrase,
            (Lock::Raw, StoreKey::Raw(_)) => OpenError::WrongKey,
            (Lock::Passphrase(_), StoreKey::Raw(_)) => return Err(OpenError::PassphraseNeeded),
            (Lock::Raw, StoreKey::Passphrase(_)) => return Err(OpenError::RawKeyNeeded),
        };
        let bound = self.bound_bytes();
        let payload = Payload { msg: &self.sealed[..], aad: &bound };
        let opened = self.cipher(key)?.decrypt(XNonce::from_slice(&self.nonce), payload);
        let opened = Zeroizing::new(opened.map_err(|_| wrong)?);
        let mut bytes = Zeroizing::new([0; 32]);
        if opened.len() != bytes.len() {
            return Err(OpenError::Damaged);
        }
        bytes.copy_from_slice(&opened);
        Ok(DatabaseKey(bytes))
    }

    /// Which kind of key opens it.
    pub(super) const fn key_kind(&self) -> KeyKind {
        match self.lock {
            Lock::Passphrase(_) => KeyKind::Passphrase,
            Lock::Raw => KeyKind::Raw,
        }
    }

    /// Whether guessing the passphrase costs less than it would with `wanted`.
    pub(super) fn is_cheaper_than(&self, wanted: KeyCost) -> bool {
        match self.lock {
            Lock::Passphrase(cost) => cost.is_below(wanted),
            Lock::Raw => false,
        }
    }

    /// The bytes of the file (spec: CLI-051).
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.bound_bytes();
        bytes.extend_from_slice(&self.sealed);
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`OpenError::Foreign`] without our magic, [`OpenError::Newer`] for a later version,
    /// [`OpenError::Damaged`] for any other deviation (spec: CLI-052).
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, OpenError> {
        let mut reader = Reader(bytes);
        if reader.take::<16>().is_none_or(|magic| magic != *MAGIC) {
            return Err(OpenError::Foreign);
        }
        let version = reader.take().map(u16::from_be_bytes).ok_or(OpenError::Damaged)?;
        if version > HEADER_VERSION {
            let supported = u32::from(HEADER_VERSION);
            return Err(OpenError::Newer { found: u32::from(version), supported });
        }
        let checksum = bytes.get(CHECKED_LENGTH..).ok_or(OpenError::Damaged)?;
        let checked = bytes.get(..CHECKED_LENGTH).ok_or(OpenError::Damaged)?;
        let whole = bytes.len() == HEADER_LENGTH && Sha256::digest(checked)[..] == *checksum;
        if !whole || version != HEADER_VERSION {
            return Err(OpenError::Damaged);
        }
        Self::parse_fields(&mut reader).ok_or(OpenError::Damaged)
    }

    fn parse_fields(reader: &mut Reader<'_>) -> Option<Self> {
        let [kind] = reader.take()?;
        let cost = KeyCost {
            memory_kib: u32::from_be_bytes(reader.take()?),
            passes: u32::from_be_bytes(reader.take()?),
            lanes: u32::from_be_bytes(reader.take()?),
        };
        let lock = match kind {
            KIND_PASSPHRASE => Lock::Passphrase(cost),
            KIND_RAW if cost == KeyCost { memory_kib: 0, passes: 0, lanes: 0 } => Lock::Raw,
            _ => return None,
        };
        Some(Self { lock, salt: reader.take()?, nonce: reader.take()?, sealed: reader.take()? })
    }

    /// Everything before the sealed key.
    fn bound_bytes(&self) -> Vec<u8> {
        let (kind, cost) = match self.lock {
            Lock::Passphrase(cost) => (KIND_PASSPHRASE, cost),
            Lock::Raw => (KIND_RAW, KeyCost { memory_kib: 0, passes: 0, lanes: 0 }),
        };
        let mut bytes = Vec::with_capacity(HEADER_LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&HEADER_VERSION.to_be_bytes());
        bytes.push(kind);
        for field in [cost.memory_kib, cost.passes, cost.lanes] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        debug_assert_eq!(bytes.len(), BOUND_LENGTH);
        bytes
    }

    fn cipher(&self, key: &StoreKey) -> Result<XChaCha20Poly1305, OpenError> {
        let sealing_key = match (key, self.lock) {
            (StoreKey::Passphrase(passphrase), Lock::Passphrase(cost)) => {
                stretch(passphrase, &self.salt, cost)?
            }
            (StoreKey::Raw(raw), _) => raw.0.clone(),
            (StoreKey::Passphrase(_), Lock::Raw) => return Err(OpenError::RawKeyNeeded),
        };
        Ok(XChaCha20Poly1305::new((&*sealing_key).into()))
    }
}

/// Argon2id (RFC 9106), version 0x13, without secret and associated data.
fn stretch(
    passphrase: &Passphrase,
    salt: &[u8; SALT_LENGTH],
    cost: KeyCost,
) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let params = cost.params()?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| OpenError::OutOfMemory)?;
    memory.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase.0.as_bytes(), salt, &mut key[..], &mut memory);
    memory.iter_mut().for_each(Block::zeroize);
    stretched.map_err(|_| OpenError::Failed)?;
    Ok(key)
}

/// Takes fixed lengths off the front of some bytes.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;

    fn passphrase(text: &str) -> StoreKey {
        StoreKey::Passphrase(Passphrase::new(Zeroizing::new(text.into())))
    }

    fn raw(byte: u8) -> StoreKey {
        StoreKey::Raw(RawKey::new(Zeroizing::new([byte; 32])))
    }

    fn sealed(key: &StoreKey) -> (Header, DatabaseKey) {
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        let database_key = DatabaseKey::random(&mut rng);
        let header =
            Header::seal(&database_key, key, KeyCost::DANGEROUS_MINIMUM, &mut rng).unwrap();
        (header, database_key)
    }

    #[test]
    fn the_right_key_opens_and_every_other_has_its_error() {
        // spec: CLI-052
        let cases = [
            (passphrase("right"), passphrase("right"), None),
            (passphrase("right"), passphrase("wrong"), Some(OpenError::WrongPassphrase)),
            (passphrase("right"), raw(1), Some(OpenError::PassphraseNeeded)),
            (raw(1), raw(1), None),
            (raw(1), raw(2), Some(OpenError::WrongKey)),
            (raw(1), passphrase("right"), Some(OpenError::RawKeyNeeded)),
        ];
        for (lock, key, expected) in cases {
            let (header, database_key) = sealed(&lock);
            let parsed = Header::parse(&header.to_bytes()).unwrap();
            match (parsed.open(&key), expected) {
                (Ok(opened), None) => assert_eq!(opened.expose(), database_key.expose()),
                (Err(error), Some(expected)) => assert_eq!(error, expected),
                (opened, expected) => panic!("{:?} {expected:?}", opened.err()),
            }
        }
    }

    #[test]
    fn every_changed_byte_is_noticed_before_the_passphrase_is_tried() {
        // spec: CLI-051, CLI-052
        let bytes = sealed(&passphrase("right")).0.to_bytes();
        assert_eq!(bytes.len(), HEADER_LENGTH);
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let expected = match index {
                0..16 => OpenError::Foreign,
                16 => OpenError::Newer { found: 257, supported: 1 },
                _ => OpenError::Damaged,
            };
            assert_eq!(Header::parse(&changed).err(), Some(expected), "byte {index}");
        }
        for length in 0..bytes.len() {
            let expected = if length < 16 { OpenError::Foreign } else { OpenError::Damaged };
            assert_eq!(Header::parse(&bytes[..length]).err(), Some(expected), "length {length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Header::parse(&longer).err(), Some(OpenError::Damaged));
    }

    #[test]
    fn a_header_cannot_ask_for_more_than_the_bounds() {
        // spec: CLI-053
        let fair = KeyCost::DANGEROUS_MINIMUM;
        let cases = [
            KeyCost { memory_kib: 1024 * 1024 + 1, ..fair },
            KeyCost { passes: 65, ..fair },
            KeyCost { lanes: 17, memory_kib: 1024, ..fair },
            KeyCost { memory_kib: 7, ..fair },
            KeyCost { passes: 0, ..fair },
            KeyCost { lanes: 0, ..fair },
        ];
        for cost in cases {
            let (mut header, _) = sealed(&passphrase("right"));
            header.lock = Lock::Passphrase(cost);
            let parsed = Header::parse(&header.to_bytes()).unwrap();
            let error = parsed.open(&passphrase("right")).err();
            assert_eq!(error, Some(OpenError::CostOutOfBounds), "{cost:?}");
        }
    }

    #[test]
    fn debug_prints_names_only() {
        assert_eq!(format!("{:?}", passphrase("secret")), "StoreKey(..)");
        assert_eq!(format!("{:?}", RawKey::new(Zeroizing::new([7; 32]))), "RawKey(..)");
        let passphrase = Passphrase::new(Zeroizing::new("secret".into()));
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
    }
}
