//! Idle sessions: what each takes of the relay's memory, and what it costs to have it.

use std::{path::Path, time::Instant};

use hushwire_relay::dial::Dialler;
use quinn::Endpoint;

use crate::{fault::Fault, member::Member, relay::Relay};

/// Sessions, each with an open channel.
const SESSIONS: u32 = 2_000;
/// All of them come from this machine, which is more than one source's share.
const SETTINGS: &str =
    "[connections]\nconnections_per_source_max = 10000\n[store]\ndisk_reserve_bytes = 0\n";
/// Connections of one local port; each endpoint is one.
const STEP: u32 = 500;

/// Measures and prints.
pub(crate) async fn measure(folder: &Path) -> Result<(), Fault> {
    let relay = Relay::start(folder, SETTINGS)?;
    let config = Dialler::new(relay.id).config()?;
    let empty = relay.resident_bytes()?;
    println!("idle sessions, each with a channel that it made");
    println!("  sessions  KiB each  connected each second");
    let mut members = Vec::new();
    for step in 1..=SESSIONS / STEP {
        let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
        let begun = Instant::now();
        for _ in 0..STEP {
            members.push(Member::join(&endpoint, config.clone(), &relay).await?);
        }
        let rate = f64::from(STEP) / begun.elapsed().as_secs_f64();
        let count = step * STEP;
        let each = (relay.resident_bytes()? - empty) / f64::from(count) / 1024.0;
        println!("  {count:>8}  {each:>8.1}  {rate:>21.0}");
    }
    Ok(())
}
