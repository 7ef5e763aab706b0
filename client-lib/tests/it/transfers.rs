//! Files between two clients, with real disks and a relay in memory.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use hushwire::{
    client::{Client, Create, OpenOptions, StoreKeySource},
    command::{
        ChatInfo, ChatNumber, Command, FailureReason, LinkUse, MessageBody, MessageInfo,
        MessageNumber, MessageState, Reply, TransferState,
    },
};
use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_wire::{limit::Limits, message::Answer};

use crate::memory_relay::{Fate, MemoryRelay, Passing};

const PATIENCE: Duration = Duration::from_secs(60);

struct Person {
    client: Client,
    home: tempfile::TempDir,
    relay: MemoryRelay,
}

fn options(home: &tempfile::TempDir, relay: &MemoryRelay, create: Create) -> OpenOptions {
    OpenOptions::new(home.path().join("profile"))
        .key(StoreKeySource::Raw(zeroize::Zeroizing::new([7; 32])))
        .create(create)
        .reach_relays_by(Arc::new(relay.clone()))
}

impl Person {
    async fn new(name: &str, relay: &MemoryRelay) -> Self {
        let home = tempfile::tempdir().unwrap();
        let client = Client::open(options(&home, relay, Create::New)).await.unwrap();
        let person = Self { client, home, relay: relay.clone() };
        let target = relay.target();
        let host = Host::parse(&target.host).unwrap();
        let address = RelayAddress::new(host, target.port, target.relay).unwrap().to_string();
        person.ask(Command::CreateIdentity { name: name.to_owned(), relay: address }).await;
        person
    }

    async fn ask(&self, command: Command) -> Reply {
        self.client.command(command).await.unwrap()
    }

    async fn chats(&self) -> Vec<ChatInfo> {
        let Reply::Chats(chats) = self.ask(Command::Chats).await else { panic!("no chats") };
        chats
    }

    /// The last message of a chat, when it is as wanted.
    async fn wait_for(
        &self,
        chat: ChatNumber,
        wanted: impl Fn(&MessageInfo) -> bool,
    ) -> MessageInfo {
        let mut changes = self.client.changes();
        let wait = async {
            loop {
                let command = Command::Messages { chat, from: MessageNumber(1), count_max: 100 };
                let Reply::Messages(mut messages) = self.ask(command).await else { panic!() };
                if let Some(message) = messages.pop().filter(&wanted) {
                    return message;
                }
                changes.next().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn path_text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Ends, and opens the profile again.
    async fn reopen(self) -> Self {
        let Self { client, home, relay } = self;
        client.close().await;
        let client = Client::open(options(&home, &relay, Create::OpenExisting)).await.unwrap();
        Self { client, home, relay }
    }
}

async fn befriended(relay: &MemoryRelay) -> (Person, ChatNumber, Person, ChatNumber) {
    let (alice, bob) = (Person::new("Alice", relay).await, Person::new("Bob", relay).await);
    let make = Command::MakeLink { usage: LinkUse::Single, expires_in_ms: None };
    let Reply::Link(link) = bob.ask(make).await else { panic!("no link") };
    bob.client.settled(PATIENCE).await.unwrap();
    let add = Command::AddContact { link: link.text };
    let Reply::Chat(chat) = alice.ask(add).await else { panic!("no chat") };
    alice.client.settled(PATIENCE).await.unwrap();
    let mut changes = bob.client.changes();
    while bob.chats().await.is_empty() {
        tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap();
    }
    let theirs = bob.chats().await.remove(0).number;
    (alice, chat.number, bob, theirs)
}

fn content(length: usize) -> Vec<u8> {
    (0..251).cycle().take(length).collect()
}

fn transfer(message: &MessageInfo) -> TransferState {
    match &message.body {
        MessageBody::File { transfer, .. } => transfer.clone(),
        _ => TransferState::Remote,
    }
}

fn is_file(message: &MessageInfo) -> bool {
    matches!(message.body, MessageBody::File { .. })
}

fn is_over(message: &MessageInfo) -> bool {
    matches!(transfer(message), TransferState::Complete | TransferState::Failed(_))
}

async fn send(person: &Person, chat: ChatNumber, name: &str) {
    let path = person.path_text(name);
    person.ask(Command::SendFile { chat, path, media_type: "text/plain".into() }).await;
}

#[tokio::test]
async fn a_file_goes_from_disk_to_disk_through_a_restart_of_each_side() {
    // spec: CLI-080, CLI-081, CLI-085
    let relay = MemoryRelay::new(1, Limits::V1);
    let (alice, to_bob, bob, to_alice) = befriended(&relay).await;
    let file = content(3_000_000);
    fs::write(alice.path("notes.txt"), &file).unwrap();
    relay.set_hook(|passing| match passing {
        Passing::Answer(frame) => match frame.answer {
            Answer::BlobState { stored: 1_048_576.., .. } => Fate::Lose,
            _ => Fate::Deliver,
        },
        Passing::Request(_) => Fate::Deliver,
    });
    send(&alice, to_bob, "notes.txt").await;
    let moving = |message: &MessageInfo| {
        matches!(transfer(message), TransferState::Moving { done: 1.., .. })
    };
    alice.wait_for(to_bob, moving).await;
    let alice = alice.reopen().await;
    relay.set_hook(|_| Fate::Deliver);
    let stored = |message: &MessageInfo| {
        matches!(message.state, MessageState::Stored | MessageState::Delivered { .. })
    };
    alice.wait_for(to_bob, stored).await;

    let message = bob.wait_for(to_alice, is_file).await.number;
    relay.set_hook(|passing| match passing {
        Passing::Answer(frame) => match frame.answer {
            Answer::BlobChunk { offset: 1_048_576.., .. } => Fate::Lose,
            _ => Fate::Deliver,
        },
        Passing::Request(_) => Fate::Deliver,
    });
    let path = bob.path_text("saved.txt");
    bob.ask(Command::Download { chat: to_alice, message, path }).await;
    bob.wait_for(to_alice, moving).await;
    assert!(!bob.path("saved.txt").exists());
    let bob = bob.reopen().await;
    relay.set_hook(|_| Fate::Deliver);
    let message = bob.wait_for(to_alice, is_over).await;
    assert_eq!(transfer(&message), TransferState::Complete);
    assert!(fs::read(bob.path("saved.txt")).unwrap() == file);
    let unfinished = fs::read_dir(bob.home.path()).unwrap();
    let hidden = |name: &std::ffi::OsStr| name.to_str().unwrap().starts_with(".hushwire");
    assert!(!unfinished.into_iter().any(|entry| hidden(&entry.unwrap().file_name())));
}

#[tokio::test]
async fn a_missing_file_and_a_taken_name_fail_with_their_reason() {
    // spec: CLI-068, CLI-069, CLI-082, CLI-130
    let relay = MemoryRelay::new(2, Limits::V1);
    let (alice, to_bob, bob, to_alice) = befriended(&relay).await;
    send(&alice, to_bob, "missing").await;
    let message = alice.wait_for(to_bob, is_over).await;
    assert_eq!(message.state, MessageState::Failed(FailureReason::FileChanged));

    fs::write(alice.path("there"), b"content").unwrap();
    send(&alice, to_bob, "there").await;
    let message = bob.wait_for(to_alice, is_file).await.number;
    fs::write(bob.path("taken"), b"mine").unwrap();
    let path = bob.path_text("taken");
    bob.ask(Command::Download { chat: to_alice, message, path }).await;
    let message = bob.wait_for(to_alice, is_over).await;
    assert_eq!(transfer(&message), TransferState::Failed(FailureReason::FileExists));
    assert_eq!(fs::read(bob.path("taken")).unwrap(), b"mine");

    for missing in ["no folder/saved", "taken/saved"] {
        let (path, message) = (bob.path_text(missing), message.number);
        bob.ask(Command::Download { chat: to_alice, message, path }).await;
        let failed = |message: &MessageInfo| {
            transfer(message) == TransferState::Failed(FailureReason::FolderMissing)
        };
        bob.wait_for(to_alice, failed).await;
    }
}

#[tokio::test]
async fn a_file_larger_than_the_relay_takes_is_named() {
    // spec: CLI-082
    let limits = Limits { blob_bytes_max: 100_000, ..Limits::V1 };
    let relay = MemoryRelay::new(3, limits);
    let (alice, to_bob, _bob, _) = befriended(&relay).await;
    fs::write(alice.path("large"), content(200_000)).unwrap();
    send(&alice, to_bob, "large").await;
    let message = alice.wait_for(to_bob, is_over).await;
    assert_eq!(message.state, MessageState::Failed(FailureReason::TooLarge));
}
