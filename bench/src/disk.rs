//! The disk itself: what an append that is synced alone would cost, without any relay.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::fault::Fault;

/// Writes of `bytes` in a second, each synced before the next, at the end of a growing file.
pub(crate) fn syncs_per_second(folder: &Path, bytes: usize, time: Duration) -> Result<f64, Fault> {
    let path = folder.join("syncs");
    let mut file = File::create(&path)?;
    let block = vec![7; bytes];
    let begun = Instant::now();
    let mut count = 0_u32;
    while begun.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}
