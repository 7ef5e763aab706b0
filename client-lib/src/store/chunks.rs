//! Large values of the openmls table, kept as content-defined chunks.
//!
//! openmls rewrites a group's whole tree with every commit, and its message secrets with every
//! message; almost all of those bytes are the same as before. So a value above
//! [`WHOLE_BYTES_MAX`] is cut where its content says (FastCDC), and a write stores the chunks
//! that are new and deletes those that fell out (spec: CLI-054). A deleted chunk is overwritten
//! like every deleted row, so nothing of an old value outlives it.
//!
//! ```text
//! row of the table:  0 ‖ value                                     a whole value
//!                    1 ‖ length (8 bytes) ‖ id ‖ SHA-256 ‖ ...     each chunk, in order (8 + 32 bytes)
//! row of mls_chunk:  id → chunk
//! ```
//!
//! A chunk that stands in a value twice is kept once. A changed chunk takes the row of one that fell
//! out, and no chunk spans pages: so a small change writes one page for itself and two
//! or three for the row. Reading checks each chunk's hash and the length (spec: CLI-055).

use std::collections::{HashMap, HashSet};

use fastcdc::v2020::FastCDC;
use hushwire_engine::store::StoreError;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{error::store_error, sqlcipher::value};

/// Longest value that is kept whole, in bytes.
pub(super) const WHOLE_BYTES_MAX: usize = 4 * 1024;
/// Shortest, usual and longest chunk, in bytes. An encrypted page of 4,096 bytes holds rows of 4,008
/// bytes together: three of the longest. Measured for 0.4 MB with random content, in bytes written:
/// whole 519,000, a change in one place 8,300, an insertion 16,500, a commit's path 70,000.
const CHUNK_BYTES_MIN: u32 = 512;
const CHUNK_BYTES_USUAL: u32 = 1024;
const CHUNK_BYTES_MAX: u32 = 1300;

const WHOLE: u8 = 0;
const IN_CHUNKS: u8 = 1;
const PLACE_LENGTH: usize = 40;

type ChunkHash = [u8; 32];

/// Number of a row of the chunk table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ChunkId(i64);

/// A chunk as its value's row names it.
struct Place {
    id: ChunkId,
    hash: ChunkHash,
}

impl Place {
    fn parse(bytes: &[u8; PLACE_LENGTH]) -> Option<Self> {
        let (id, hash) = bytes.split_first_chunk()?;
        let hash = hash.first_chunk().filter(|_| hash.len() == 32)?;
        Some(Self { id: ChunkId(i64::from_be_bytes(*id)), hash: *hash })
    }

    fn write(&self, row: &mut Vec<u8>) {
        row.extend_from_slice(&self.id.0.to_be_bytes());
        row.extend_from_slice(&self.hash);
    }
}

/// What a row of the table says about its value.
enum Stored<'a> {
    Whole(&'a [u8]),
    InChunks { length: usize, places: Vec<Place> },
}

impl<'a> Stored<'a> {
    fn parse(row: &'a [u8]) -> Result<Self, StoreError> {
        let (kind, rest) = row.split_first().ok_or(StoreError::Damaged)?;
        match *kind {
            WHOLE => Ok(Self::Whole(rest)),
            IN_CHUNKS => Self::parse_places(rest).ok_or(StoreError::Damaged),
            _ => Err(StoreError::Damaged),
        }
    }

    fn parse_places(bytes: &[u8]) -> Option<Self> {
        let (length, bytes) = bytes.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (places, []) = bytes.as_chunks() else { return None };
        let places: Vec<_> = places.iter().map(Place::parse).collect::<Option<_>>()?;
        // Checked before memory is taken for the value.
        let possible = places.len().saturating_mul(CHUNK_BYTES_MAX as usize);
        (length <= possible).then_some(Self::InChunks { length, places })
    }
}

/// Creates the table of the chunks.
pub(super) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE mls_chunk (id INTEGER PRIMARY KEY, chunk BLOB NOT NULL) STRICT",
    )
}

/// Sets the value of a key, within the caller's transaction.
pub(super) fn write(connection: &Connection, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let before = stored_places(connection, key)?;
    let row = if value.len() <= WHOLE_BYTES_MAX {
        drop_chunks(connection, before.into_values())?;
        let mut row = Zeroizing::new(Vec::with_capacity(value.len().saturating_add(1)));
        row.push(WHOLE);
        row.extend_from_slice(value);
        row
    } else {
        write_chunks(connection, before, value)?
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO mls (k, v) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![key, &row[..]]))
        .map_err(store_error)?;
    Ok(())
}

/// Removes the value of a key, within the caller's transaction.
pub(super) fn remove(connection: &Connection, key: &[u8]) -> Result<(), StoreError> {
    drop_chunks(connection, stored_places(connection, key)?.into_values())?;
    connection
        .prepare_cached("DELETE FROM mls WHERE k = ?1")
        .and_then(|mut delete| delete.execute([key]))
        .map_err(store_error)?;
    Ok(())
}

/// The value of a key.
pub(super) fn read(
    connection: &Connection,
    key: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    stored_row(connection, key)?.map(|row| assemble(connection, &row)).transpose()
}

/// The value that a row of the table stands for.
pub(super) fn assemble(
    connection: &Connection,
    row: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (length, places) = match Stored::parse(row)? {
        Stored::Whole(value) => return Ok(Zeroizing::new(value.to_vec())),
        Stored::InChunks { length, places } => (length, places),
    };
    let mut value = Zeroizing::new(Vec::with_capacity(length));
    let mut select = connection
        .prepare_cached("SELECT chunk FROM mls_chunk WHERE id = ?1")
        .map_err(store_error)?;
    for place in places {
        let intact = select
            .query_row([place.id.0], |row| {
                let chunk = row.get_ref(0)?.as_blob()?;
                let fits = value.len().saturating_add(chunk.len()) <= length;
                let intact = fits && Sha256::digest(chunk)[..] == place.hash;
                if intact {
                    value.extend_from_slice(chunk);
                }
                Ok(intact)
            })
            .optional()
            .map_err(store_error)?;
        if intact != Some(true) {
            return Err(StoreError::Damaged);
        }
    }
    if value.len() == length { Ok(value) } else { Err(StoreError::Damaged) }
}

/// Stores the chunks of a value that are not among `before`, drops those of `before` that are not
/// among the value's, and returns the value's row.
fn write_chunks(
    connection: &Connection,
    before: HashMap<ChunkHash, ChunkId>,
    value: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let chunks = cut(value)?;
    let wanted: HashSet<_> = chunks.iter().map(|(hash, _)| *hash).collect();
    let (mut stored, fallen): (HashMap<_, _>, HashMap<_, _>) =
        before.into_iter().partition(|(hash, _)| wanted.contains(hash));
    let mut free = fallen.into_values();
    let length = u64::try_from(value.len()).map_err(|_| StoreError::Failed)?;
    let mut row = Zeroizing::new(vec![IN_CHUNKS]);
    row.extend_from_slice(&length.to_be_bytes());
    for (hash, chunk) in chunks {
        let id = match stored.get(&hash) {
            Some(id) => *id,
            None => put_chunk(connection, free.next(), chunk)?,
        };
        stored.insert(hash, id);
        Place { id, hash }.write(&mut row);
    }
    drop_chunks(connection, free)?;
    Ok(row)
}

fn cut(value: &[u8]) -> Result<Vec<(ChunkHash, &[u8])>, StoreError> {
    FastCDC::new(value, CHUNK_BYTES_MIN, CHUNK_BYTES_USUAL, CHUNK_BYTES_MAX)
        .map(|cut| {
            let chunk = value.get(cut.offset..).and_then(|rest| rest.get(..cut.length));
            chunk.map(|chunk| (Sha256::digest(chunk).into(), chunk)).ok_or(StoreError::Failed)
        })
        .collect()
}

/// Stores a chunk, in the row of one that is no longer needed if there is one.
fn put_chunk(
    connection: &Connection,
    free: Option<ChunkId>,
    chunk: &[u8],
) -> Result<ChunkId, StoreError> {
    if let Some(id) = free {
        let rows = connection
            .prepare_cached("UPDATE mls_chunk SET chunk = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.0, chunk]))
            .map_err(store_error)?;
        if rows == 1 {
            return Ok(id);
        }
        // The value's row named a chunk that is not there.
    }
    connection
        .prepare_cached("INSERT INTO mls_chunk (chunk) VALUES (?1)")
        .and_then(|mut insert| insert.insert([chunk]))
        .map(ChunkId)
        .map_err(store_error)
}

fn drop_chunks(
    connection: &Connection,
    ids: impl Iterator<Item = ChunkId>,
) -> Result<(), StoreError> {
    for id in ids {
        connection
            .prepare_cached("DELETE FROM mls_chunk WHERE id = ?1")
            .and_then(|mut delete| delete.execute([id.0]))
            .map_err(store_error)?;
    }
    Ok(())
}

fn stored_row(
    connection: &Connection,
    key: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    connection
        .prepare_cached("SELECT v FROM mls WHERE k = ?1")
        .and_then(|mut select| select.query_row([key], |row| value(row, 0)).optional())
        .map_err(store_error)
}

fn stored_places(
    connection: &Connection,
    key: &[u8],
) -> Result<HashMap<ChunkHash, ChunkId>, StoreError> {
    // A damaged row names no chunk that could be found; it can still be replaced or removed.
    match stored_row(connection, key)?.as_deref().map(|row| Stored::parse(row)) {
        Some(Ok(Stored::InChunks { places, .. })) => {
            Ok(places.into_iter().map(|place| (place.hash, place.id)).collect())
        }
        Some(Ok(Stored::Whole(_)) | Err(_)) | None => Ok(HashMap::new()),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{
        ChaCha20Rng,
        rand_core::{Rng as _, SeedableRng as _},
    };

    use super::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE mls (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")
            .unwrap();
        create_table(&connection).unwrap();
        connection
    }

    fn random_bytes(seed: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        ChaCha20Rng::from_seed([seed; 32]).fill_bytes(&mut bytes);
        bytes
    }

    fn chunks(connection: &Connection) -> usize {
        connection.query_one("SELECT count(*) FROM mls_chunk", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn values_of_every_length_come_back() {
        // spec: CLI-054
        let connection = connection();
        let lengths = [0, 1, WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 100_000, 5, 60_000, 60_000];
        for (seed, length) in (0..).zip(lengths) {
            let value = random_bytes(seed, length);
            write(&connection, b"key", &value).unwrap();
            assert_eq!(**read(&connection, b"key").unwrap().unwrap(), *value, "{length}");
            assert_eq!(chunks(&connection) > 0, length > WHOLE_BYTES_MAX, "{length}");
        }
        let zeros = vec![0; 300_000];
        write(&connection, b"key", &zeros).unwrap();
        assert!(chunks(&connection) < 4, "the same chunk is kept once");
        assert_eq!(**read(&connection, b"key").unwrap().unwrap(), zeros);
    }

    #[test]
    fn nothing_of_an_old_value_stays() {
        // spec: CLI-054
        let connection = connection();
        write(&connection, b"other", &random_bytes(1, 50_000)).unwrap();
        let others = chunks(&connection);
        write(&connection, b"key", &random_bytes(1, 100_000)).unwrap();
        write(&connection, b"key", &random_bytes(2, 10)).unwrap();
        assert_eq!(chunks(&connection), others);
        write(&connection, b"key", &random_bytes(3, 100_000)).unwrap();
        remove(&connection, b"key").unwrap();
        assert_eq!(chunks(&connection), others);
        assert!(read(&connection, b"key").unwrap().is_none());
        assert!(read(&connection, b"other").unwrap().is_some());
    }

    #[test]
    fn what_is_damaged_can_be_removed_and_replaced() {
        // spec: CLI-161
        let connection = connection();
        let value = random_bytes(3, 40_000);
        for damage in ["UPDATE mls SET v = x'0102'", "DELETE FROM mls_chunk"] {
            for next in [Some(random_bytes(4, 40_000)), None] {
                write(&connection, b"k", &value).unwrap();
                connection.execute(damage, []).unwrap();
                assert_eq!(read(&connection, b"k").unwrap_err(), StoreError::Damaged);
                match &next {
                    Some(next) => write(&connection, b"k", next).unwrap(),
                    None => remove(&connection, b"k").unwrap(),
                }
                assert_eq!(read(&connection, b"k").unwrap().map(|it| it.to_vec()), next);
            }
        }
    }

    #[test]
    fn a_damaged_row_or_chunk_is_noticed() {
        // spec: CLI-055
        let damages = [
            "UPDATE mls_chunk SET chunk = CAST(x'00' || substr(chunk, 2) AS BLOB)",
            "UPDATE mls_chunk SET chunk = substr(chunk, 2)",
            "UPDATE mls_chunk SET chunk = CAST(chunk || x'00' AS BLOB)",
            "DELETE FROM mls_chunk WHERE id = 2",
            "UPDATE mls SET v = x''",
            "UPDATE mls SET v = x'02'",
            "UPDATE mls SET v = substr(v, 1, 8)",
            "UPDATE mls SET v = substr(v, 1, length(v) - 1)",
            "UPDATE mls SET v = substr(v, 1, length(v) - 40)",
            "UPDATE mls SET v = CAST(x'01ffffffffffffffff' || substr(v, 10) AS BLOB)",
            "UPDATE mls SET v = CAST(x'010000000000000001' || substr(v, 10) AS BLOB)",
        ];
        for damage in damages {
            let connection = connection();
            let mut value = random_bytes(1, 50_000);
            value[0] = 7;
            write(&connection, b"key", &value).unwrap();
            assert!(connection.execute(damage, []).unwrap() > 0, "{damage}");
            assert_eq!(read(&connection, b"key"), Err(StoreError::Damaged), "{damage}");
        }
    }
}
