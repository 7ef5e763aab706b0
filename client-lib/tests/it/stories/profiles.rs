//! Stories of two processes on one profile: keys, who owns it, and what happens when the owner ends.

use std::{fs, path::Path, time::Duration};

use hushwire::{
    client::{Client, Create, KeyFileError, OpenError, StoreKeySource},
    command::{Command, LinkUse, Reply},
    event::{Event, EventNumber},
    store,
};
use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_wire::id::RelayId;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::{PATIENCE, anywhere, befriend, messages, options, person, relay, say, until};

async fn refusal(profile: &Path, create: Create, passphrase: &str) -> OpenError {
    Client::open(options(profile, create).passphrase(passphrase)).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_needs_the_key_and_makes_no_profile_anew() {
    // spec: CLI-071
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("Alice");
    let owner = Client::open(options(&profile, Create::New)).await.unwrap();
    let wrong = refusal(&profile, Create::OpenExisting, "wrong horse").await;
    assert_eq!(wrong, OpenError::Store(store::OpenError::WrongPassphrase));
    assert_eq!(wrong.code(), "wrong_passphrase");
    let key = StoreKeySource::Raw(Zeroizing::new([1; 32]));
    let other_kind = Client::open(options(&profile, Create::OpenExisting).key(key)).await;
    assert_eq!(other_kind.unwrap_err(), OpenError::Store(store::OpenError::PassphraseNeeded));
    let anew = refusal(&profile, Create::New, "correct horse").await;
    assert_eq!(anew, OpenError::Store(store::OpenError::Exists));
    assert_eq!(anew.code(), "profile_exists");
    let second = Client::open(options(&profile, Create::OpenExisting)).await.unwrap();
    second.close().await;
    owner.close().await;
    assert_eq!(refusal(&profile, Create::New, "correct horse").await, anew);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_owner_ends_the_second_process_goes_on_without_a_gap() {
    // spec: CLI-087
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let bob = person(folder.path(), "Bob", &running).await;
    let (hers, his) = befriend(&alice, &bob).await;
    let profile = folder.path().join("Alice");
    let existing = || options(&profile, Create::OpenExisting);
    let second = Client::open(existing()).await.unwrap();
    let third = Client::open(existing()).await.unwrap();
    let before = second.events(EventNumber(1)).await.unwrap();
    let next = EventNumber(before.last().unwrap().number.0 + 1);
    // They wait when the owner ends, and nobody asks them for anything.
    let waiting = [&second, &third].map(|client| client.next_events(next));
    let story = async {
        alice.close().await;
        say(&bob, his, "to whoever is there").await;
    };
    let (heard, ()) = tokio::join!(timeout(PATIENCE, futures::future::join_all(waiting)), story);
    for events in heard.unwrap() {
        assert_eq!(events.unwrap()[0].number, next);
    }
    for client in [&second, &third] {
        let come = async || messages(client, hers).await.0 == ["to whoever is there"];
        until(client, "the message", come).await;
        let events = client.events(EventNumber(1)).await.unwrap();
        let numbers: Vec<u64> = events.iter().map(|event| event.number.0).collect();
        assert!(numbers.iter().copied().eq(1..=u64::try_from(numbers.len()).unwrap()));
        assert_eq!(events[..before.len()], before[..]);
    }
    // One of the two owns the profile now, and when it ends the other one does.
    second.close().await;
    say(&third, hers, "still here").await;
    until(&bob, "the answer", async || messages(&bob, his).await.0.len() == 2).await;
    third.close().await;
    bob.close().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_hears_of_a_change_without_asking() {
    // spec: CLI-087
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let existing = options(&folder.path().join("Alice"), Create::OpenExisting);
    let second = Client::open(existing).await.unwrap();
    let events = second.events(EventNumber(1)).await.unwrap();
    let next = EventNumber(events.last().map_or(0, |event| event.number.0) + 1);
    let mut waiting = Box::pin(second.next_events(next));
    // Nothing happens, so nothing is heard.
    assert!(timeout(Duration::from_millis(300), &mut waiting).await.is_err());
    let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
    assert!(matches!(alice.command(make).await.unwrap(), Reply::Link(_)));
    let heard = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert!(matches!(heard[0].event, Event::LinkChanged(_)));
    alice.close().await;
    second.close().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_client_leaves_nothing_in_the_log_of_its_store() {
    // spec: CLI-086
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("Alice");
    let alice = Client::open(options(&profile, Create::New)).await.unwrap();
    let host = Host::parse("127.0.0.1").unwrap();
    let relay = RelayAddress::new(host, 1, RelayId::from_bytes([9; 32])).unwrap().to_string();
    let log = profile.join("store/database-wal");
    let create = Command::CreateIdentity { name: "Alice".into(), relay };
    alice.command(create).await.unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0, "what was written is in the log");
    let until = Instant::now() + PATIENCE;
    while fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        assert!(Instant::now() < until, "the log is never cut off");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_is_made_with_the_profile_and_read_with_it() {
    // spec: CLI-131
    let folder = tempfile::tempdir().unwrap();
    let (profile, file) = (folder.path().join("Alice"), folder.path().join("keys/alice"));
    let by_file =
        |create| Client::open(options(&profile, create).key(StoreKeySource::File(file.clone())));
    let absent = by_file(Create::OpenExisting).await.unwrap_err();
    assert_eq!(absent, OpenError::Store(store::OpenError::Absent));
    assert!(!file.exists(), "no key is made for a profile that is not");
    // An app that always says so makes the profile once and opens it from then on.
    by_file(Create::IfAbsent).await.unwrap().close().await;
    let key = fs::read(&file).unwrap();
    by_file(Create::IfAbsent).await.unwrap().close().await;
    assert_eq!(fs::read(&file).unwrap(), key);

    let owner = by_file(Create::OpenExisting).await.unwrap();
    by_file(Create::IfAbsent).await.unwrap().close().await;
    fs::remove_file(&file).unwrap();
    let missing = by_file(Create::IfAbsent).await.unwrap_err();
    assert_eq!(missing, OpenError::KeyFile(KeyFileError::Missing));
    assert_eq!(missing.code(), "key_file_missing");
    owner.close().await;
    assert_eq!(by_file(Create::OpenExisting).await.unwrap_err(), missing);
    assert!(!file.exists(), "no key is made for a profile that has one");
}
