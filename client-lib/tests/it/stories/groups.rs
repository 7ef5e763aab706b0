//! Stories of groups, links, several relays and broken connections, through the public interface.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use hushwire::{
    Isolation,
    client::{Client, Create},
    command::{
        ChatKind, ChatNumber, ChatState, Command, ContactNumber, FailureReason, LinkState, LinkUse,
        MemberInfo, MessageState, Reply,
    },
    event::{Event, EventNumber},
};
use hushwire_protocol::address::{Host, RelayAddress};
use hushwire_wire::limit::Limits;

use super::{
    PATIENCE, address, anywhere, befriend, chats, link, messages, options, person, relay, say,
    until,
};
use crate::memory_relay::{Fate, MemoryRelay};

/// Frames after which the connection breaks, counted over all connections.
const CUTS: [u32; 3] = [4, 15, 32];

async fn contact(client: &Client, name: &str) -> ContactNumber {
    contact_if_known(client, name).await.unwrap()
}

pub(super) async fn contact_if_known(client: &Client, name: &str) -> Option<ContactNumber> {
    let Reply::Contacts(contacts) = client.command(Command::Contacts).await.unwrap() else {
        panic!("no contacts")
    };
    contacts.iter().find(|contact| contact.name == name).map(|contact| contact.number)
}

pub(super) async fn members(client: &Client, chat: ChatNumber) -> Vec<MemberInfo> {
    let reply = client.command(Command::GroupMembers(chat)).await.unwrap();
    let Reply::Members(members) = reply else { panic!("no members") };
    members
}

/// The only group of a client, once it is there.
async fn group(client: &Client) -> ChatNumber {
    let is_there = async || chats(client).await.iter().any(|chat| chat.kind == ChatKind::Group);
    until(client, "the group appears", is_there).await;
    let all = chats(client).await;
    all.iter().find(|chat| chat.kind == ChatKind::Group).unwrap().number
}

async fn failure(client: &Client, failed: ChatNumber) -> Option<FailureReason> {
    let events = client.events(EventNumber(1)).await.unwrap();
    events.iter().find_map(|event| match &event.event {
        Event::ContactFailed { chat, reason } if *chat == failed => Some(*reason),
        _ => None,
    })
}

async fn on_memory(profile: &Path, name: &str, relay: &MemoryRelay) -> Client {
    let options = options(profile, Create::New).reach_relays_by(Arc::new(relay.clone()));
    let client = Client::open(options).await.unwrap();
    let target = relay.target();
    let host = Host::parse(&target.host).unwrap();
    let relay = RelayAddress::new(host, target.port, target.relay).unwrap().to_string();
    client.command(Command::CreateIdentity { name: name.to_owned(), relay }).await.unwrap();
    client.settled(PATIENCE).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_in_the_middle_lose_and_repeat_nothing() {
    // spec: CLI-010, CLI-011, CLI-020, CLI-030
    let folder = tempfile::tempdir().unwrap();
    let relay = MemoryRelay::new(1, Limits::V1);
    let alice = on_memory(&folder.path().join("Alice"), "Alice", &relay).await;
    let bob = on_memory(&folder.path().join("Bob"), "Bob", &relay).await;
    let (hers, his) = befriend(&alice, &bob).await;
    let frames = Arc::new(AtomicU32::new(0));
    let passed = Arc::clone(&frames);
    relay.set_hook(move |_| match passed.fetch_add(1, Ordering::SeqCst) {
        frame if !CUTS.contains(&frame) => Fate::Deliver,
        frame if frame % 2 == 0 => Fate::CutAfter,
        _ => Fate::CutBefore,
    });
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &expected {
        say(&alice, hers, text).await;
    }
    until(&bob, "all of them", async || messages(&bob, his).await.0.len() >= 20).await;
    let delivered = MessageState::Delivered { people: 1, of: 1 };
    until(&alice, "all delivered", async || {
        messages(&alice, hers).await.1.iter().all(|state| *state == delivered)
    })
    .await;
    assert!(frames.load(Ordering::SeqCst) > CUTS[2], "not every cut was made");
    assert_eq!(messages(&bob, his).await.0, expected);
    for client in [&alice, &bob] {
        let events = client.events(EventNumber(1)).await.unwrap();
        let numbers: Vec<u64> = events.iter().map(|event| event.number.0).collect();
        assert!(numbers.iter().copied().eq(1..=u64::try_from(numbers.len()).unwrap()));
    }
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_a_group_while_away_is_told_and_reads_nothing_later() {
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let names = ["Bob", "Carol", "Dave"];
    let mut others = Vec::new();
    for name in names {
        let other = person(folder.path(), name, &running).await;
        befriend_one_more(&alice, &other).await;
        others.push(other);
    }
    let new = Command::GroupNew { name: "Book club".to_owned() };
    let Reply::Chat(club) = alice.command(new).await.unwrap() else { panic!("no group") };
    for name in names {
        let contact = contact(&alice, name).await;
        alice.command(Command::GroupAdd { chat: club.number, contact }).await.unwrap();
    }
    until(&alice, "four members", async || members(&alice, club.number).await.len() == 4).await;
    let mut theirs = Vec::new();
    for other in &others {
        theirs.push(group(other).await);
    }
    say(&alice, club.number, "to all").await;
    for (other, chat) in others.iter().zip(&theirs) {
        let all = async || messages(other, *chat).await.0 == ["to all"];
        until(other, "the first message", all).await;
    }

    others.pop().unwrap().close().await;
    let everybody = members(&alice, club.number).await;
    let dave = everybody.iter().find(|member| member.name == "Dave").unwrap();
    let remove = Command::GroupRemove { chat: club.number, member: dave.fingerprint.clone() };
    alice.command(remove).await.unwrap();
    until(&alice, "three members", async || members(&alice, club.number).await.len() == 3).await;
    say(&alice, club.number, "without Dave").await;
    for (other, chat) in others.iter().zip(&theirs) {
        let both = async || messages(other, *chat).await.0 == ["to all", "without Dave"];
        until(other, "the second message", both).await;
    }

    let dave = options(&folder.path().join("Dave"), Create::OpenExisting);
    let dave = Client::open(dave).await.unwrap();
    let told = async || {
        let events = dave.events(EventNumber(1)).await.unwrap();
        events.iter().any(|event| event.event == Event::RemovedFromChat(theirs[2]))
    };
    until(&dave, "that he was removed", told).await;
    dave.settled(PATIENCE).await.unwrap();
    let left = chats(&dave).await;
    let left = left.iter().find(|chat| chat.number == theirs[2]).unwrap();
    assert_eq!(left.state, ChatState::Removed);
    assert_eq!(messages(&dave, theirs[2]).await.0, ["to all"]);
    dave.close().await;
    running.stop().await;
}

/// As [`befriend`], for somebody who has chats already.
async fn befriend_one_more(one: &Client, other: &Client) {
    let link = link(other).await;
    let Reply::Chat(chat) = one.command(Command::AddContact { link }).await.unwrap() else {
        panic!("no chat")
    };
    let open = async || {
        let all = chats(one).await;
        all.iter().any(|found| found.number == chat.number && found.state == ChatState::Open)
    };
    until(one, "the chat opens", open).await;
    until(other, "the chat appears", async || !chats(other).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_or_revoked_link_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let bob = person(folder.path(), "Bob", &running).await;
    let carol = person(folder.path(), "Carol", &running).await;
    let single = link(&bob).await;
    alice.command(Command::AddContact { link: single.clone() }).await.unwrap();
    until(&bob, "the chat appears", async || !chats(&bob).await.is_empty()).await;
    let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
    let Reply::Link(lasting) = alice.command(make).await.unwrap() else { panic!("no link") };
    alice.settled(PATIENCE).await.unwrap();
    alice.command(Command::RevokeLink(lasting.number)).await.unwrap();
    alice.settled(PATIENCE).await.unwrap();
    let Reply::Links(links) = alice.command(Command::Links).await.unwrap() else { panic!() };
    assert!(links.iter().any(|link| link.state == LinkState::Revoked));
    for bad in [single, lasting.text] {
        let reply = carol.command(Command::AddContact { link: bad }).await.unwrap();
        let Reply::Chat(chat) = reply else { panic!("no chat") };
        let failed =
            async || failure(&carol, chat.number).await == Some(FailureReason::LinkNotValid);
        until(&carol, "the link is refused", failed).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_client_chats_across_two_relays() {
    let folder = tempfile::tempdir().unwrap();
    let near = relay(&folder.path().join("near"), anywhere());
    let far = relay(&folder.path().join("far"), anywhere());
    assert_ne!(address(&near), address(&far));
    let alice = person(folder.path(), "Alice", &near).await;
    alice.close().await;
    let isolated = options(&folder.path().join("Alice"), Create::OpenExisting);
    let isolated = isolated.isolate(Isolation::ByChannel);
    let alice = Client::open(isolated).await.unwrap();
    let bob = person(folder.path(), "Bob", &far).await;
    let (hers, his) = befriend(&alice, &bob).await;
    say(&alice, hers, "from one relay").await;
    until(&bob, "hers", async || messages(&bob, his).await.0.len() == 1).await;
    say(&bob, his, "to the other").await;
    until(&alice, "his", async || messages(&alice, hers).await.0.len() == 2).await;
    assert_eq!(messages(&alice, hers).await.0, ["from one relay", "to the other"]);
    alice.close().await;
    bob.close().await;
    near.stop().await;
    far.stop().await;
}
