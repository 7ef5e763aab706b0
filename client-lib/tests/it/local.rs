//! A profile's owner and a second process.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hushwire::{
    local::{EventStream, Handler, LocalClient, LocalError, LocalEvent, LocalSecret, LocalServer},
    lock::ProfileLock,
};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::broadcast,
    task::JoinHandle,
};
use zeroize::Zeroizing;

const SECRET: [u8; 32] = [7; 32];

fn secret() -> LocalSecret {
    LocalSecret::new(Zeroizing::new(SECRET))
}

fn bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

/// Proves the key as the specification says, without the library (spec: CLI-071).
async fn prove(stream: &mut UnixStream) {
    let mut challenge = [0; 45];
    stream.read_exact(&mut challenge).await.unwrap();
    assert_eq!(challenge[..13], [0, 0, 0, 41, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
    let nonces = [&challenge[13..], &[5; 32]].concat();
    let tag = |label: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
        mac.chain_update(label).chain_update(&nonces).finalize().into_bytes()
    };
    let head = [0, 0, 0, 73, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    let proof = [&head[..], &[5; 32], &tag(b"hushwire local second 1")].concat();
    stream.write_all(&proof).await.unwrap();
    let mut accepted = [0; 45];
    stream.read_exact(&mut accepted).await.unwrap();
    assert_eq!(accepted[4], 8);
    assert_eq!(accepted[13..], tag(b"hushwire local owner 1")[..]);
}

/// Answers with the request reversed; a request of `wait` is never answered, and behind one of `ended`
/// there is nobody any more.
struct Reversing(broadcast::Sender<Bytes>);

impl Handler for Reversing {
    fn respond(&self, request: Zeroizing<Vec<u8>>) -> BoxFuture<'_, Option<Zeroizing<Vec<u8>>>> {
        Box::pin(async move {
            if **request == *b"wait" {
                std::future::pending::<()>().await;
            }
            (**request != *b"ended")
                .then(|| Zeroizing::new(request.iter().rev().copied().collect()))
        })
    }

    fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.0.subscribe()
    }
}

struct Owner {
    _lock: ProfileLock,
    events: broadcast::Sender<Bytes>,
    task: JoinHandle<()>,
}

fn own(profile: &Path) -> Owner {
    let lock = ProfileLock::take(profile).unwrap();
    let server = LocalServer::bind(profile, &lock, Arc::new(secret())).unwrap();
    let (events, _) = broadcast::channel(4);
    let handler = Arc::new(Reversing(events.clone()));
    let task = tokio::spawn(async move { server.serve(handler).await });
    Owner { _lock: lock, events, task }
}

fn profile() -> (TempDir, PathBuf) {
    let base = tempfile::tempdir().unwrap();
    let profile = base.path().join("profile");
    (base, profile)
}

#[tokio::test]
async fn a_second_process_asks_and_hears() {
    // spec: CLI-062, CLI-067
    let (_base, profile) = profile();
    assert_eq!(LocalClient::connect(&profile, &secret()).await.unwrap_err(), LocalError::NoOwner);
    let owner = own(&profile);
    let mode = fs::metadata(profile.join("socket")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut client = LocalClient::connect(&profile, &secret()).await.unwrap();
    for text in ["abc", "", "x"] {
        let response = client.request(bytes(text)).await.unwrap();
        assert_eq!(response, bytes(&text.chars().rev().collect::<String>()));
    }
    let mut events = EventStream::subscribe(&profile, &secret()).await.unwrap();
    owner.events.send(Bytes::from_static(b"one")).unwrap();
    assert_eq!(events.next().await.unwrap(), LocalEvent::Event(Bytes::from_static(b"one")));

    owner.task.abort();
    assert!(owner.task.await.unwrap_err().is_cancelled());
    assert_eq!(events.next().await, Err(LocalError::Closed));
    let ended = client.request(bytes("")).await.unwrap_err();
    assert!(matches!(ended, LocalError::NotSent | LocalError::Closed), "{ended:?}");
    assert_eq!(LocalClient::connect(&profile, &secret()).await.unwrap_err(), LocalError::NoOwner);
}

#[tokio::test]
async fn an_owner_that_ends_closes_and_answers_nothing() {
    // spec: CLI-087
    let (_base, profile) = profile();
    let _owner = own(&profile);
    let mut client = LocalClient::connect(&profile, &secret()).await.unwrap();
    assert_eq!(client.request(bytes("ended")).await.unwrap_err(), LocalError::Closed);
}

#[tokio::test]
async fn who_does_not_hold_the_key_is_refused_and_not_served() {
    // spec: CLI-071
    let (_base, profile) = profile();
    let _owner = own(&profile);
    let other = LocalSecret::new(Zeroizing::new([8; 32]));
    let refused = LocalClient::connect(&profile, &other).await.unwrap_err();
    assert_eq!(refused, LocalError::NotProven);
    let refused = EventStream::subscribe(&profile, &other).await.unwrap_err();
    assert_eq!(refused, LocalError::NotProven);
    // Who asks before it has proven anything hears the challenge and an end.
    let mut stream = UnixStream::connect(profile.join("socket")).await.unwrap();
    stream.write_all(&[0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1]).await.unwrap();
    let mut heard = Vec::new();
    let _ended = stream.read_to_end(&mut heard).await;
    assert!(heard.len() <= 45, "{heard:?}");
    assert!(heard.get(4).is_none_or(|kind| *kind == 6), "{heard:?}");
}

#[tokio::test]
async fn the_next_owner_takes_over_the_socket_that_a_dead_one_left() {
    let (_base, profile) = profile();
    let first = own(&profile);
    first.task.abort();
    assert!(first.task.await.unwrap_err().is_cancelled());
    drop(first._lock);
    let _second = own(&profile);
    LocalClient::connect(&profile, &secret()).await.unwrap().request(bytes("")).await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_address_works() {
    let (_base, profile) = profile();
    let profile = profile.join("d".repeat(200));
    let _owner = own(&profile);
    let response =
        LocalClient::connect(&profile, &secret()).await.unwrap().request(bytes("ab")).await;
    assert_eq!(response.unwrap(), bytes("ba"));
}

#[tokio::test]
async fn a_slow_subscriber_is_told_what_it_missed() {
    // spec: CLI-067
    let (_base, profile) = profile();
    let owner = own(&profile);
    let mut events = EventStream::subscribe(&profile, &secret()).await.unwrap();
    // More than the socket's buffers and the channel hold.
    let event = Bytes::from(vec![0; 500_000]);
    let mut sent = 0_u64;
    for _ in 0..20 {
        owner.events.send(event.clone()).unwrap();
        sent += 1;
        tokio::task::yield_now().await;
    }
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < sent {
        match events.next().await.unwrap() {
            LocalEvent::Event(_) => heard += 1,
            LocalEvent::Missed(number) => missed += number,
        }
    }
    assert!(missed > 0 && heard > 0);
}

#[tokio::test]
async fn requests_in_flight_are_bounded_and_garbage_ends_the_connection() {
    // spec: CLI-067
    let (_base, profile) = profile();
    let _owner = own(&profile);
    let request = |id: u64, body: &[u8]| {
        let length = u32::try_from(9 + body.len()).unwrap();
        [&length.to_be_bytes()[..], &[1], &id.to_be_bytes(), body].concat()
    };
    let mut stream = UnixStream::connect(profile.join("socket")).await.unwrap();
    prove(&mut stream).await;
    for id in 1..=15 {
        stream.write_all(&request(id, b"wait")).await.unwrap();
    }
    // One more may be worked on, and is answered past those that wait.
    stream.write_all(&request(16, b"ab")).await.unwrap();
    let mut response = [0; 15];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(response[4..], [&[2][..], &16_u64.to_be_bytes(), b"ba"].concat());

    let mut stream = UnixStream::connect(profile.join("socket")).await.unwrap();
    prove(&mut stream).await;
    stream.write_all(&[0xff; 64]).await.unwrap();
    let mut rest = Vec::new();
    // Closed with bytes unread: an end or a reset.
    let _ended = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

const PROFILE: &str = "HUSHWIRE_TEST_LOCAL_PROFILE";

/// Runs only as the child of the next test, as another user.
#[tokio::test]
async fn child_of_another_user() {
    let Some(profile) = std::env::var_os(PROFILE).map(PathBuf::from) else { return };
    let error = match LocalClient::connect(&profile, &secret()).await {
        Ok(mut client) => client.request(bytes("ab")).await.unwrap_err(),
        Err(error) => error,
    };
    println!("refused: {error:?}");
    // A client that does not look who listens is not served either.
    let mut stream = UnixStream::connect(profile.join("socket")).await.unwrap();
    let _sent = stream.write_all(&[0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1]).await;
    let mut response = Vec::new();
    let _ended = stream.read_to_end(&mut response).await;
    println!("served: {response:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_even_when_the_directory_lets_it_in() {
    // spec: CLI-066
    let (base, profile) = profile();
    let _owner = own(&profile);
    for path in [base.path(), &profile, &profile.join("socket")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // The test's program lies where another user may not look.
    let program = base.path().join("it");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let run = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["--exact", "local::child_of_another_user", "--nocapture"])
        .env(PROFILE, &profile)
        .current_dir("/")
        .output();
    let Ok(output) = run else {
        eprintln!("SKIPPED: no setpriv; that another user is refused is not tested");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && said.is_empty() {
        eprintln!("SKIPPED: no right to become another user; that it is refused is not tested");
        return;
    }
    assert!(said.contains("refused: OtherUser") && said.contains("served: []"), "{said}");
}
