//! Durable appends: how many in a second, beside what the disk can sync alone.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hushwire_relay::dial::Dialler;
use quinn::Endpoint;

use crate::{disk, fault::Fault, member::Member, relay::Relay};

/// An entry, in bytes: a short message in the smallest padding class with its seals.
const ENTRY_BYTES: usize = 1_024;
/// Members that append at the same time, each to a channel of its own.
const MEMBERS: [usize; 4] = [1, 8, 64, 256];
const TIME: Duration = Duration::from_secs(4);

/// Measures and prints.
pub(crate) async fn measure(folder: &Path) -> Result<(), Fault> {
    let relay = Relay::start(folder, SETTINGS)?;
    println!("appends of {ENTRY_BYTES} bytes, each member waits for its receipt");
    println!("  members  appends/s  median ms  p99 ms   disk syncs/s  appends for each sync");
    let mut reader = None;
    for count in MEMBERS {
        let mut members = connect(&relay, count).await?;
        // Before and after, since the disk is shared too.
        let before = disk::syncs_per_second(folder, ENTRY_BYTES, TIME / 4)?;
        let run = append(&mut members).await?;
        let after = disk::syncs_per_second(folder, ENTRY_BYTES, TIME / 4)?;
        let syncs = f64::midpoint(before, after);
        println!(
            "  {count:>7}  {:>9.0}  {:>9.2}  {:>6.2}   {syncs:>12.0}  {:>21.1}",
            run.rate,
            run.latency(0.5),
            run.latency(0.99),
            run.rate / syncs,
        );
        if reader.is_none() {
            reader = members.pop();
        }
    }
    if let Some(mut member) = reader {
        let begun = Instant::now();
        let entries = member.read().await?;
        let rate = f64::from(entries) / begun.elapsed().as_secs_f64();
        println!("reading them again: {entries} entries, {rate:.0} each second");
    }
    Ok(())
}

/// All members come from one address here.
const SETTINGS: &str = "[store]\ndisk_reserve_bytes = 0\n";

async fn connect(relay: &Relay, count: usize) -> Result<Vec<Member>, Fault> {
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
    let config = Dialler::new(relay.id).config()?;
    let mut members = Vec::new();
    for _ in 0..count {
        members.push(Member::join(&endpoint, config.clone(), relay).await?);
    }
    Ok(members)
}

/// What came of it: rate in each second, latencies in milliseconds, sorted.
struct Run {
    rate: f64,
    latencies: Vec<f64>,
}

impl Run {
    fn latency(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list of some thousands"
        )]
        let place = (share * self.latencies.len() as f64) as usize;
        self.latencies.get(place).copied().unwrap_or(f64::NAN)
    }
}

async fn append(members: &mut Vec<Member>) -> Result<Run, Fault> {
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for mut member in members.drain(..) {
        let over = Arc::clone(&over);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                member.append(ENTRY_BYTES).await?;
                latencies.push(asked.elapsed().as_secs_f64() * 1_000.0);
            }
            Ok::<_, Fault>((member, latencies))
        }));
    }
    tokio::time::sleep(TIME).await;
    over.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        let (member, own) = task.await??;
        members.push(member);
        latencies.extend(own);
    }
    let seconds = begun.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let rate = latencies.len() as f64 / seconds;
    Ok(Run { rate, latencies })
}
