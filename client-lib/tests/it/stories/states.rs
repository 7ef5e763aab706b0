//! Stories of what a sender sees of a message, of a clock that is wrong, and of two devices of one
//! person that change a group at once.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    PATIENCE, anywhere, befriend, chats, link, messages, options, person, relay, say, until,
};
use hushwire::{
    client::{Client, Create},
    command::{ChatKind, ChatNumber, ChatState, Command, Comparison, MessageState, Reply},
    event::{Event, EventNumber},
};

/// A year, near enough for clocks that are wrong by some.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_sees_pending_then_stored_then_delivered() {
    // spec: CLI-010
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("relay");
    let running = relay(&data, anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let bob = person(folder.path(), "Bob", &running).await;
    let (hers, _) = befriend(&alice, &bob).await;
    alice.settled(PATIENCE).await.unwrap();
    bob.close().await;
    let listen = running.address();
    running.stop().await;

    say(&alice, hers, "step by step").await;
    assert_eq!(messages(&alice, hers).await.1, [MessageState::Pending]);
    let running = relay(&data, listen);
    let state = async || messages(&alice, hers).await.1;
    until(&alice, "the relay has it", async || state().await == [MessageState::Stored]).await;
    let existing = options(&folder.path().join("Bob"), Create::OpenExisting);
    let bob = Client::open(existing).await.unwrap();
    let delivered = [MessageState::Delivered { people: 1, of: 1 }];
    until(&alice, "it is delivered", async || state().await == delivered).await;
    let events = alice.events(EventNumber(1)).await.unwrap();
    let changes = events.iter().filter(
        |event| matches!(event.event, Event::MessageStateChanged { chat, .. } if chat == hers),
    );
    assert!(changes.count() >= 2, "stored and delivered are told");
    alice.close().await;
    bob.close().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_years_keeps_nobody_from_an_open_chat() {
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let alice = person(folder.path(), "Alice", &running).await;
    let bob = person(folder.path(), "Bob", &running).await;
    let (hers, his) = befriend(&alice, &bob).await;
    bob.close().await;
    for (count, clock) in [
        (1, (|| SystemTime::now() - 7 * YEAR) as fn() -> SystemTime),
        (2, || SystemTime::now() + 7 * YEAR),
    ] {
        let existing = options(&folder.path().join("Bob"), Create::OpenExisting).clock(clock);
        let bob = Client::open(existing).await.unwrap();
        say(&alice, hers, "what time is it?").await;
        let come = async || messages(&bob, his).await.0.len() == 2 * count - 1;
        until(&bob, "the question", come).await;
        say(&bob, his, "who knows").await;
        until(&alice, "the answer", async || messages(&alice, hers).await.0.len() == 2 * count)
            .await;
        bob.close().await;
    }
    alice.close().await;
    running.stop().await;
}

/// What a client was told last that fits, once it was.
async fn told<T>(client: &Client, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let find = async || {
        let events = client.events(EventNumber(1)).await.unwrap();
        events.iter().rev().find_map(|event| wanted(&event.event))
    };
    until(client, what, async || find().await.is_some()).await;
    find().await.unwrap()
}

/// Links a new device to a person's.
async fn second_device(old: &Client, profile: &Path) -> Client {
    let Reply::DeviceCode(code) = old.command(Command::DeviceLink).await.unwrap() else {
        panic!("no code")
    };
    let new = Client::open(options(profile, Create::New)).await.unwrap();
    let join = Command::JoinIdentity { code, device_name: "tablet".into() };
    new.command(join).await.unwrap();
    let compare = |event: &Event| match event {
        Event::DeviceCompare { code } => Some(code.clone()),
        _ => None,
    };
    let (old_digits, new_digits) =
        tokio::join!(told(old, "digits", compare), told(&new, "digits", compare));
    assert_eq!(old_digits, new_digits);
    new.command(Command::DeviceLinkConfirm(Comparison::Equal)).await.unwrap();
    old.command(Command::DeviceLinkConfirm(Comparison::Equal)).await.unwrap();
    let linked = |event: &Event| matches!(event, Event::DeviceLinked).then_some(());
    told(&new, "that it is linked", linked).await;
    new
}

async fn open_group(client: &Client) -> ChatNumber {
    let open = async || {
        let all = chats(client).await;
        let is_open = |kind, state| kind == ChatKind::Group && state == ChatState::Open;
        all.iter().find(|chat| is_open(chat.kind, chat.state)).map(|chat| chat.number)
    };
    until(client, "the group is open", async || open().await.is_some()).await;
    open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_add_different_people_at_once_both_succeed() {
    // spec: CLI-013, CLI-014
    let folder = tempfile::tempdir().unwrap();
    let running = relay(&folder.path().join("relay"), anywhere());
    let phone = person(folder.path(), "Alice", &running).await;
    let tablet = second_device(&phone, &folder.path().join("Alice's tablet")).await;
    let mut friends = Vec::new();
    for name in ["Bob", "Carol"] {
        let friend = person(folder.path(), name, &running).await;
        let link = link(&friend).await;
        phone.command(Command::AddContact { link }).await.unwrap();
        until(&friend, "the chat appears", async || !chats(&friend).await.is_empty()).await;
        friends.push(friend);
    }
    let new = Command::GroupNew { name: "Race".into() };
    assert!(matches!(phone.command(new).await.unwrap(), Reply::Chat(_)));
    let groups = [open_group(&phone).await, open_group(&tablet).await];
    let devices = [(&phone, groups[0], "Bob"), (&tablet, groups[1], "Carol")];
    let mut adds = Vec::new();
    for (device, chat, name) in devices {
        let known = async || super::groups::contact_if_known(device, name).await.is_some();
        until(device, "the contact is known here", known).await;
        let contact = super::groups::contact_if_known(device, name).await.unwrap();
        adds.push(device.command(Command::GroupAdd { chat, contact }));
    }
    for added in futures::future::join_all(adds).await {
        added.unwrap();
    }
    for (device, chat, _) in devices {
        let all = async || {
            let members = super::groups::members(device, chat).await;
            ["Bob", "Carol"].iter().all(|name| members.iter().any(|member| member.name == *name))
        };
        until(device, "both are members", all).await;
    }
    for friend in &friends {
        let theirs = open_group(friend).await;
        say(&phone, groups[0], "welcome").await;
        let heard = async || messages(friend, theirs).await.0.iter().any(|text| text == "welcome");
        until(friend, "what is said after the race", heard).await;
    }
    running.stop().await;
}
