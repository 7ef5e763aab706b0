//! The database's tables, its version, and the way from older versions to this one.
//!
//! `application_id` says that a database is ours, `user_version` which schema it has. Each migration
//! leads from one version to the next, in one transaction with the new version number
//! (spec: CLI-056). A newer version is refused: its rules are not known here.

use hushwire_engine::store::Table;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{chunks, error::OpenError};

/// "Hush", in `application_id`.
const APPLICATION_ID: i32 = 0x4875_7368;
/// The schema this program writes.
pub(super) const VERSION: u32 = 3;

/// Leads from the version of its place in the list to the next one.
type Migration = fn(&Transaction<'_>) -> Result<(), OpenError>;

const MIGRATIONS: &[Migration] = &[from_0_whole_values, from_1_wishes_by_channel, from_2_intents];

/// Fills an empty database.
pub(super) fn create(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in Table::ALL {
        create_table(&transaction, table)?;
    }
    chunks::create_table(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Brings a database to this version.
///
/// # Errors
/// [`OpenError::Foreign`] if it is not ours, [`OpenError::Newer`] if a later program wrote it
/// (spec: CLI-057).
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    if integer(connection, "application_id")? != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign);
    }
    let found = integer(connection, "user_version")?;
    let found = u32::try_from(found).map_err(|_| OpenError::Damaged)?;
    if found > VERSION {
        return Err(OpenError::Newer { found, supported: VERSION });
    }
    for (version, migration) in (1..).zip(MIGRATIONS) {
        if version > found {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            migration(&transaction)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

fn integer(connection: &Connection, pragma: &str) -> Result<i64, OpenError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}

fn create_table(connection: &Connection, table: Table) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE {} (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT",
        table.name()
    ))
}

/// Version 0 kept openmls values whole, as they are; version 1 marks each row of that table as
/// whole or in chunks.
fn from_0_whole_values(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    chunks::create_table(transaction)?;
    let mut select = transaction.prepare("SELECT k FROM mls ORDER BY k")?;
    let keys: Vec<Vec<u8>> =
        select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for key in keys {
        let value = transaction
            .query_one("SELECT v FROM mls WHERE k = ?1", [&key], |row| row.get::<_, Vec<u8>>(0))?;
        // What stands there is no row of version 1 yet: remove it before it is read as one.
        transaction.execute("DELETE FROM mls WHERE k = ?1", [&key])?;
        chunks::write(transaction, &key, &zeroize::Zeroizing::new(value))?;
    }
    Ok(())
}

/// Version 2 says which wishes are about a channel. The engine fills the table when it opens: it
/// alone can read a wish.
fn from_1_wishes_by_channel(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    Ok(create_table(transaction, Table::ChannelWish)?)
}

/// Builds of versions 0 and 1 called wishes intents, the table too, and one that led to version 2
/// left the table's name as it was (spec: CLI-133). The fields of that name are read by the engine.
fn from_2_intents(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    if transaction.table_exists(None, "intent")? {
        transaction.execute_batch("ALTER TABLE intent RENAME TO wish")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_migration_for_each_older_version() {
        assert_eq!(MIGRATIONS.len(), VERSION as usize);
    }

    #[test]
    fn version_3_has_these_tables() {
        // A table more or less is another schema: raise VERSION and write a migration.
        let names: Vec<_> = Table::ALL.iter().map(|table| table.name()).collect();
        let expected = "profile mls groups epoch chat message message_place receipt contact link \
             wish channel_wish sealed transfer head event own_entry";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn version_0_is_brought_to_this_version_with_its_values() {
        // spec: CLI-056
        let mut connection = Connection::open_in_memory().unwrap();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::ChannelWish) {
            create_table(&connection, table).unwrap();
        }
        let large: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        // A whole value that begins like a row of version 1.
        let values = [(b"empty", &b""[..]), (b"looks", &[1, 2, 3]), (b"large", &large)];
        for (key, value) in values {
            connection
                .execute("INSERT INTO mls VALUES (?1, ?2)", rusqlite::params![&key[..], value])
                .unwrap();
        }
        connection.execute("INSERT INTO chat VALUES (x'01', x'02')", []).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();

        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();

        assert_eq!(integer(&connection, "user_version").unwrap(), i64::from(VERSION));
        connection.execute("INSERT INTO channel_wish VALUES (x'01', x'')", []).unwrap();
        for (key, value) in values {
            assert_eq!(**chunks::read(&connection, key).unwrap().unwrap(), *value);
        }
        let chat: Vec<u8> =
            connection.query_one("SELECT v FROM chat WHERE k = x'01'", [], |r| r.get(0)).unwrap();
        assert_eq!(chat, [2]);
    }

    /// A database as builds of version 1 made it: nothing here follows today's names.
    const VERSION_1: &str = "
        CREATE TABLE profile (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE mls (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE groups (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE epoch (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE chat (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE message (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE message_place (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)
            WITHOUT ROWID, STRICT;
        CREATE TABLE receipt (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE contact (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE link (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE intent (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE sealed (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE transfer (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE head (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE event (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE own_entry (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE mls_chunk (id INTEGER PRIMARY KEY, chunk BLOB NOT NULL) STRICT;
        INSERT INTO intent VALUES (x'0000000000000007', x'81a477697368ad5075744465766963654c697374');
        PRAGMA application_id = 0x48757368;
        PRAGMA user_version = 1;";

    #[test]
    fn wishes_that_a_build_of_version_1_left_are_wishes_still() {
        // spec: CLI-056, CLI-133
        // A build that knew version 2 led there and stopped, as it looked for another table.
        const LED_TO_2: &str = "
            CREATE TABLE channel_wish (k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL)
                WITHOUT ROWID, STRICT;
            PRAGMA user_version = 2;";
        for led_to_2 in ["", LED_TO_2] {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(VERSION_1).unwrap();
            connection.execute_batch(led_to_2).unwrap();

            migrate(&mut connection).unwrap();

            for table in Table::ALL {
                assert!(connection.table_exists(None, table.name()).unwrap(), "{table:?}");
            }
            let wish: Vec<u8> = connection
                .query_one("SELECT v FROM wish WHERE k = x'0000000000000007'", [], |r| r.get(0))
                .unwrap();
            assert!(wish.ends_with(b"PutDeviceList"));
            assert!(!connection.table_exists(None, "intent").unwrap());
        }
    }

    #[test]
    fn newer_and_foreign_databases_are_refused_unchanged() {
        // spec: CLI-057
        let mut connection = Connection::open_in_memory().unwrap();
        assert_eq!(migrate(&mut connection), Err(OpenError::Foreign));
        create(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", 4).unwrap();
        let refused = Err(OpenError::Newer { found: 4, supported: 3 });
        assert_eq!(migrate(&mut connection), refused);
        assert_eq!(integer(&connection, "user_version").unwrap(), 4);
    }
}
