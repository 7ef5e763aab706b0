//! The profile's encrypted store: the engine's sorted tables in one SQLCipher database.

mod chunks;
mod error;
mod key;
mod range;
mod schema;
mod sqlcipher;

pub use error::OpenError;
pub(crate) use key::DatabaseKey;
pub use key::{KeyCost, KeyKind, Passphrase, RawKey, StoreKey};
pub use sqlcipher::SqlcipherStore;
