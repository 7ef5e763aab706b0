//! Where a relay keeps what it was told to keep. One implementation so far: RocksDB.

pub mod rocks;
