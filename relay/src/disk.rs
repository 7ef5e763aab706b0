//! Reads of the store from sessions: on threads that may block, so many at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::store::rocks::{RocksReader, RocksSnapshot};

/// The read side of the store for all sessions.
#[derive(Clone)]
pub(crate) struct Disk {
    reader: RocksReader,
    permits: Arc<Semaphore>,
}

impl Disk {
    /// Reads through `reader`, at most `reads_max` at once.
    pub(crate) fn new(reader: RocksReader, reads_max: u16) -> Self {
        Self { reader, permits: Arc::new(Semaphore::new(reads_max.into())) }
    }

    /// Runs `read` over the store as it is at one moment. `None` if the read died.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&RocksSnapshot<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let reader = self.reader.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&reader.snapshot())
        });
        reading.await.ok()
    }
}
