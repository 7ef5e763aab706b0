//! Stories through the public interface, over QUIC to a real relay in this process.

mod groups;
mod profiles;
mod states;

use std::{net::SocketAddr, path::Path, time::Duration};

use hushwire::{
    client::{Client, ClientError, Create, OpenError, OpenOptions},
    command::{
        ChatInfo, ChatNumber, ChatState, Command, CommandError, LinkUse, MessageBody,
        MessageNumber, MessageState, RelayState, Reply, SecretText,
    },
    event::{Event, EventNumber, Warning},
    store::{self, KeyCost},
};
use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_relay::{Config, Relay, RunningRelay};
use tokio::time::timeout;

/// Longest wait for anything in these stories.
const PATIENCE: Duration = Duration::from_secs(60);

fn relay(data: &Path, listen: SocketAddr) -> RunningRelay {
    Relay::start(Config { data: data.to_owned(), listen, ..Config::default() }).unwrap()
}

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A relay's address as clients take it.
fn address(relay: &RunningRelay) -> String {
    let at = relay.address();
    let host = Host::parse(&at.ip().to_string()).unwrap();
    RelayAddress::new(host, at.port(), *relay.relay_id()).unwrap().to_string()
}

fn options(profile: &Path, create: Create) -> OpenOptions {
    OpenOptions::new(profile)
        .passphrase("correct horse")
        .create(create)
        .key_cost(KeyCost::DANGEROUS_MINIMUM)
}

async fn person(folder: &Path, name: &str, relay: &RunningRelay) -> Client {
    let client = Client::open(options(&folder.join(name), Create::New)).await.unwrap();
    let relay = address(relay);
    let create = Command::CreateIdentity { name: name.to_owned(), relay };
    let reply = client.command(create).await.unwrap();
    assert!(matches!(reply, Reply::IdentityCreated { .. }));
    client.settled(PATIENCE).await.unwrap();
    client
}

async fn link(client: &Client) -> SecretText {
    let make = Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None };
    let Reply::Link(link) = client.command(make).await.unwrap() else { panic!("no link") };
    client.settled(PATIENCE).await.unwrap();
    link.text
}

async fn chats(client: &Client) -> Vec<ChatInfo> {
    let Reply::Chats(chats) = client.command(Command::Chats).await.unwrap() else { panic!() };
    chats
}

async fn say(client: &Client, chat: ChatNumber, text: &str) {
    let command = Command::SendText { chat, text: text.to_owned() };
    client.command(command).await.unwrap();
}

async fn messages(client: &Client, chat: ChatNumber) -> (Vec<String>, Vec<MessageState>) {
    let command = Command::Messages { chat, from: MessageNumber(1), count_max: 1_000 };
    let Reply::Messages(messages) = client.command(command).await.unwrap() else { panic!() };
    let texts = messages.iter().map(|message| match &message.body {
        MessageBody::Text(text) => text.clone(),
        other => format!("{other:?}"),
    });
    (texts.collect(), messages.iter().map(|message| message.state.clone()).collect())
}

/// Waits until something holds, looking again at each change.
async fn until(client: &Client, what: &str, holds: impl AsyncFn() -> bool) {
    let mut changes = client.changes();
    let wait = async {
        while !holds().await {
            changes.next().await.unwrap();
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "in vain: {what}");
}

async fn befriend(one: &Client, other: &Client) -> (ChatNumber, ChatNumber) {
    let link = link(other).await;
    let Reply::Chat(chat) = one.command(Command::AddContact { link }).await.unwrap() else {
        panic!("no chat")
    };
    until(one, "the chat opens", async || chats(one).await[0].state == ChatState::Open).await;
    until(other, "the chat appears", async || !chats(other).await.is_empty()).await;
    (chat.number, chats(other).await[0].number)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat_over_quic_while_the_relay_goes_and_comes() {
    // spec: CLI-010, CLI-030
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let running = relay(&data, anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let bob = person(folder.path(), "Bob", &running).await;
    let (hers, his) = befriend(&alice, &bob).await;
    say(&alice, hers, "before").await;
    until(&bob, "the first message", async || messages(&bob, his).await.0 == ["before"]).await;

    let listen = running.address();
    running.stop().await;
    say(&alice, hers, "while it is away").await;
    say(&alice, hers, "Grüße, 你好, שלום").await;
    let running = relay(&data, listen);
    let expected = ["before", "while it is away", "Grüße, 你好, שלום"];
    until(&bob, "all three", async || messages(&bob, his).await.0 == expected).await;
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    until(&alice, "all delivered", async || {
        messages(&alice, hers).await.1.iter().all(|state| *state == delivered)
    })
    .await;

    // What was accepted survives the client, too.
    alice.close().await;
    let alice =
        Client::open(options(&folder.path().join("Alice"), Create::OpenExisting)).await.unwrap();
    assert_eq!(messages(&alice, hers).await.0, expected);
    say(&bob, his, "welcome back").await;
    until(&alice, "the answer", async || messages(&alice, hers).await.0.len() == 4).await;
    alice.close().await;
    bob.close().await;
    running.stop().await;
}

#[test]
fn a_client_that_is_dropped_leaves_no_engine_behind_its_runtime() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let profile = folder.path().join(round.to_string());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = runtime.block_on(Client::open(options(&profile, Create::New))).unwrap();
        let lock = std::fs::File::open(profile.join("lock")).unwrap();
        assert!(lock.try_lock().is_err(), "the engine has the profile");
        drop(client);
        drop(runtime);
        // Its thread gives the profile back when it is through with the store, and not before.
        assert!(lock.try_lock().is_ok(), "in round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_a_profile_goes_through_the_first() {
    // spec: CLI-071
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let profile = folder.path().join("Alice");
    let second = Client::open(options(&profile, Create::OpenExisting)).await.unwrap();
    let Reply::Profile(info) = second.command(Command::Profile).await.unwrap() else { panic!() };
    assert_eq!(info.name, "Alice");
    let unknown = Command::SendText { chat: ChatNumber(9), text: "nobody".into() };
    let refused = second.command(unknown).await;
    assert_eq!(refused, Err(ClientError::Command(CommandError::NoSuchChat)));
    let link = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
    second.command(link).await.unwrap();
    let changed = timeout(PATIENCE, second.next_events(EventNumber(1))).await.unwrap().unwrap();
    assert!(changed.iter().any(|event| matches!(event.event, Event::LinkChanged(_))));
    second.close().await;
    alice.close().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_opens_with_its_own_key_only() {
    // spec: CLI-052
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("Alice");
    let missing = Client::open(options(&profile, Create::OpenExisting)).await;
    assert_eq!(missing.unwrap_err(), OpenError::Store(store::OpenError::Absent));
    Client::open(options(&profile, Create::New)).await.unwrap().close().await;
    let wrong = options(&profile, Create::OpenExisting).passphrase("wrong horse");
    let refused = Client::open(wrong).await.unwrap_err();
    assert_eq!(refused, OpenError::Store(store::OpenError::WrongPassphrase));
    assert!(!refused.advice().is_empty());
    Client::open(options(&profile, Create::OpenExisting)).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_another_key_is_refused_loudly() {
    // spec: CLI-033
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let listen = running.address();
    running.stop().await;
    let other = relay(&folder.path().join("another relay"), listen);
    until(&alice, "the warning", async || {
        let events = alice.events(EventNumber(1)).await.unwrap();
        let warned =
            |event: &Event| matches!(event, Event::Warning(Warning::RelayKeyMismatch { .. }));
        events.iter().any(|event| warned(&event.event))
    })
    .await;
    let status = alice.settled(Duration::from_millis(1)).await.unwrap();
    assert!(status.relays.iter().any(|relay| relay.state == RelayState::KeyMismatch));
    alice.close().await;
    other.stop().await;
}

#[test]
fn the_readme_shows_the_example() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../../examples/embed.rs");
    let shown = format!("<!-- embed.rs -->\n```rust\n{example}```\n<!-- embed.rs -->");
    assert!(
        readme.contains(&shown),
        "README.md shows another example than client-lib/examples/embed.rs"
    );
}
