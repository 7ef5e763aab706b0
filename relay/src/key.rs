//! The relay's one long-lived secret: the Ed25519 key that clients pin by its hash.
//!
//! It signs receipts and authenticates the TLS handshake. It lies in a file of mode 0600 that is
//! written once, whole or not at all (spec: RLY-001).

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use hushwire_wire::{
    SigningKey,
    id::{PublicKey, RelayId, Signature},
    transcript::{self, Transcript},
};
use zeroize::Zeroizing;

use crate::{
    directory::DataDirectory,
    random::{self, NoRandomness},
    store::rocks,
};

const HEADING: &str = "hushwire relay key 1";
/// Heading, newline, 64 hex digits, newline; one byte more, so that a longer file shows.
const FILE_BYTES_MAX: u64 = 20 + 1 + 64 + 1 + 1;

/// Why the relay's key cannot be used. Blame: who runs the relay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Reading or writing the file failed.
    #[error(
        "the key file cannot be read or written: {0}; it must belong to the user that runs the relay"
    )]
    File(#[from] io::Error),
    /// Others than the owner may read the file.
    #[error(
        "the key file may be read by others; run `chmod 600` on it, and if they may have read it, make a new relay"
    )]
    Exposed,
    /// There is a store and no key: clients pin the key that it had.
    #[error(
        "the data directory holds a store and no relay.key; restore the key from a backup, or name another directory with --data: clients would refuse this store under a new key"
    )]
    Missing,
    /// The file is no relay key.
    #[error("the key file is damaged; restore it from a backup: clients pin this key")]
    Damaged,
    /// No randomness for a new key.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// The relay's signing key with the names that follow from it.
pub struct RelayKey {
    signing: SigningKey,
    public: PublicKey,
    id: RelayId,
}

impl core::fmt::Debug for RelayKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RelayKey(..)")
    }
}

impl RelayKey {
    /// Takes a signing key.
    pub fn new(signing: SigningKey) -> Self {
        let public = transcript::public_key(&signing);
        let id = transcript::relay_id(&public);
        Self { signing, public, id }
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The name that clients pin.
    pub const fn id(&self) -> &RelayId {
        &self.id
    }

    /// The signing key itself, for the rules that sign receipts.
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Signs a transcript.
    pub fn sign(&self, transcript: &Transcript) -> Signature {
        transcript.sign(&self.signing)
    }

    /// The private key as PKCS #8 (RFC 8410 section 7), for TLS.
    pub(crate) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        const PREFIX: [u8; 16] = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        let mut document = Zeroizing::new(Vec::with_capacity(PREFIX.len() + 32));
        document.extend_from_slice(&PREFIX);
        document.extend_from_slice(self.signing.as_bytes());
        document
    }
}

/// Whether a key was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was read.
    Kept,
    /// It was made just now: clients of an earlier relay do not know it.
    Made,
}

/// A data directory's key, and where it came from.
#[derive(Debug)]
pub struct Identity {
    /// The key.
    pub key: RelayKey,
    /// Whether it was there before.
    pub origin: Origin,
}

impl Identity {
    /// Reads the key file, or creates it with a fresh key where there is no store either. The
    /// directory is locked, so nobody else creates it meanwhile.
    ///
    /// # Errors
    /// [`KeyError`] if it cannot be read, created, or trusted, or is missing beside a store.
    pub fn load_or_make(directory: &DataDirectory) -> Result<Self, KeyError> {
        let path = directory.key();
        let (seed, origin) = match read(&path) {
            Err(KeyError::File(error)) if error.kind() == io::ErrorKind::NotFound => {
                // spec: RLY-045
                if rocks::is_at(&directory.store()) {
                    return Err(KeyError::Missing);
                }
                let seed = random::secret_bytes()?;
                write_once(&path, &seed)?;
                tracing::warn!(
                    data = %directory.path().display(),
                    "made a new relay identity; if a relay has run before, its data is elsewhere: see --data"
                );
                (seed, Origin::Made)
            }
            other => (other?, Origin::Kept),
        };
        Ok(Self { key: RelayKey::new(SigningKey::from_bytes(&seed)), origin })
    }
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let file = fs::File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Exposed);
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => KeyError::Damaged,
        _ => KeyError::File(error),
    })?;
    let digits = text
        .strip_prefix(HEADING)
        .and_then(|rest| rest.strip_prefix('\n'))
        .and_then(|rest| rest.strip_suffix('\n'))
        .ok_or(KeyError::Damaged)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut seed[..]).map_err(|_| KeyError::Damaged)?;
    Ok(seed)
}

/// Writes beside the place, syncs, then renames: the file is there whole or not at all.
fn write_once(path: &Path, seed: &[u8; 32]) -> Result<(), KeyError> {
    let fresh = path.with_extension("new");
    // Left by a start that died here; nothing has used it.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let digits = Zeroizing::new(hex::encode(seed));
    file.write_all(format!("{HEADING}\n").as_bytes())?;
    file.write_all(digits.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(directory) = path.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_created_once_and_only_for_its_owner() {
        // spec: RLY-001
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(folder.path()).unwrap();
        let path = directory.key();
        let first = Identity::load_or_make(&directory).unwrap();
        assert_eq!(first.origin, Origin::Made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = Identity::load_or_make(&directory).unwrap();
        assert_eq!((second.key.id(), second.origin), (first.key.id(), Origin::Kept));
        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn a_readable_or_damaged_file_is_refused_and_left_alone() {
        // spec: RLY-001
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(folder.path()).unwrap();
        let path = directory.key();
        Identity::load_or_make(&directory).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::load_or_make(&directory), Err(KeyError::Exposed)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for content in ["", "x", "hushwire relay key 1\n00\n"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(Identity::load_or_make(&directory), Err(KeyError::Damaged)));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn no_key_is_made_beside_a_store() {
        // spec: RLY-045
        let folder = tempfile::tempdir().unwrap();
        let directory = DataDirectory::open(folder.path()).unwrap();
        let bounds = rocks::Bounds::default();
        // An empty folder is no store: a disk of its own may be mounted there.
        fs::create_dir(directory.store()).unwrap();
        Identity::load_or_make(&directory).unwrap();
        drop(rocks::RocksStore::open(&directory.store(), &bounds).unwrap());
        fs::remove_file(directory.key()).unwrap();
        assert!(matches!(Identity::load_or_make(&directory), Err(KeyError::Missing)));
        assert!(!directory.key().exists());
    }

    #[test]
    fn debug_prints_the_name_only() {
        let key = RelayKey::new(SigningKey::from_bytes(&[7; 32]));
        assert_eq!(format!("{key:?}"), "RelayKey(..)");
    }
}
