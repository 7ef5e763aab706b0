//! Many readers, one of which stalls: the relay's memory stays bounded, and the one that stalled
//! catches up by reading.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hushwire_relay::dial::{Dialler, connect};
use hushwire_wire::message::{Answer, Follow, Request};

use crate::{
    client::{Channel, Client, endpoint},
    process::{Process, configure},
};

const READERS: usize = 5_000;
/// What one reader may cost the relay, QUIC and TLS included.
const READER_BYTES_MAX: u64 = 128 * 1024;
/// What the relay may use beside its readers: store, buffers, code.
const BASE_BYTES_MAX: u64 = 192 * 1024 * 1024;

const SETTINGS: &str = "[connections]
connections_per_source_max = 10000
[store]
disk_reserve_bytes = 0
cache_bytes = 8388608
write_buffer_bytes = 8388608
";

fn content(number: u32, bytes: usize) -> Bytes {
    let mut content = number.to_be_bytes().to_vec();
    content.resize(bytes, 0x5a);
    content.into()
}

/// Takes entries until the one with this number has come.
async fn follow_until(client: &mut Client, reading: hushwire_wire::message::RequestId, last: u32) {
    loop {
        let entries = client.entries(reading).await;
        if entries.iter().any(|(content, _)| content[..4] == last.to_be_bytes()) {
            return;
        }
    }
}

async fn reader(
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
    process: (std::net::SocketAddr, hushwire_wire::id::RelayId),
    channel: std::sync::Arc<Channel>,
) -> (Client, hushwire_wire::message::RequestId) {
    // All share one socket with a small buffer, so packets are lost; a client dials again.
    let mut dials = 1;
    let connection = loop {
        match connect(&endpoint, config.clone(), process.0).await {
            Ok(connection) => break connection,
            Err(error) if dials == 3 => panic!("no connection: {error}"),
            Err(error) => eprintln!("dialling again after: {error}"),
        }
        dials += 1;
    };
    let mut client = Client::greet(connection, process.1).await;
    let handle = client.open_channel(&channel).await;
    let reading = client.read(&channel, handle, Follow::Onward).await;
    (client, reading)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_among_five_thousand_costs_a_constant_amount_and_catches_up() {
    // spec: RLY-022
    let started = Instant::now();
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let process = Process::start(directory.path());
    let place = (process.address, process.relay);
    let mut writer = Client::connect(process.address, process.relay).await;
    let (channel, handle) = writer.create_channel().await;
    let channel = std::sync::Arc::new(channel);

    let endpoint = endpoint();
    let config =
        Dialler { window_bytes: 64 * 1024, ..Dialler::new(process.relay) }.config().unwrap();
    let small = Dialler { window_bytes: 4 * 1024, ..Dialler::new(process.relay) }.config().unwrap();
    let stalled = reader(endpoint.clone(), small, place, std::sync::Arc::clone(&channel)).await;
    let mut readers = Vec::with_capacity(READERS);
    // In waves: a client that floods its own socket measures the kernel's buffer.
    while readers.len() < READERS - 1 {
        let wave = (READERS - 1 - readers.len()).min(100);
        let connecting = (0..wave).map(|_| {
            let channel = std::sync::Arc::clone(&channel);
            tokio::spawn(reader(endpoint.clone(), config.clone(), place, channel))
        });
        for connected in connecting.collect::<Vec<_>>() {
            readers.push(connected.await.unwrap());
        }
        if readers.len() % 500 < 100 {
            eprintln!("{} readers after {:?}", readers.len(), started.elapsed());
        }
    }
    eprintln!("{READERS} readers after {:?}", started.elapsed());

    // All but the stalled one follow.
    const PUSHED: u32 = 10;
    let following: Vec<_> = readers
        .into_iter()
        .map(|(mut client, reading)| {
            tokio::spawn(async move {
                follow_until(&mut client, reading, PUSHED - 1).await;
                (client, reading)
            })
        })
        .collect();
    for number in 0..PUSHED {
        writer.append(&channel, handle, content(number, 1024)).await.unwrap();
    }
    let mut readers = Vec::new();
    for reader in following {
        readers.push(reader.await.unwrap());
    }
    let resident = process.resident_bytes();
    eprintln!("pushed after {:?}; resident {} MiB", started.elapsed(), resident >> 20);
    let bound = BASE_BYTES_MAX + READER_BYTES_MAX * READERS as u64;
    assert!(resident < bound, "resident {resident}, bound {bound}");

    // Far more than the stalled one may have in flight. The others leave, some unheard, and stall too
    // until their silence is noticed.
    drop(readers);
    const MORE: u32 = 1_000;
    for number in PUSHED..PUSHED + MORE {
        writer.append(&channel, handle, content(number, 32 * 1024)).await.unwrap();
    }
    let grown = process.resident_bytes().saturating_sub(resident);
    eprintln!("{MORE} more after {:?}; grown by {} MiB", started.elapsed(), grown >> 20);
    assert!(process.resident_bytes() < bound);
    let (mut client, reading) = stalled;
    let mut seen = 0;
    while seen < PUSHED + MORE {
        match tokio::time::timeout(Duration::from_secs(30), client.stream.answer_to(reading))
            .await
            .expect("the stalled reader catches up")
        {
            Answer::Entry(entry) => {
                assert_eq!(entry.sequence.0, u64::from(seen));
                seen += 1;
            }
            Answer::EpochEnd(_) | Answer::ReadEnd(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.ask(Request::Ping).await, Answer::Done);
    eprintln!("caught up after {:?}", started.elapsed());
}
