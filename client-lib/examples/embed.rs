//! An app that shows a contact link at each start, and says hello once in each chat that opens (twice
//! if it is killed between the two lines that do it).
#![expect(clippy::print_stdout, reason = "an app talks to its person")]

use hushwire::client::{Client, ClientError, Create, OpenOptions};
use hushwire::command::{Command, CommandError, LinkUse, Reply};
use hushwire::event::{Event, EventNumber};

/// Where the app keeps the number of the event that comes next.
const NEXT_EVENT: &str = "embed-next-event";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = OpenOptions::new("embed-profile").passphrase("correct horse battery staple");
    let client = Client::open(options.create(Create::IfAbsent)).await?;
    if let Err(ClientError::Command(CommandError::NoIdentity)) =
        client.command(Command::Profile).await
    {
        let relay = std::env::args().nth(1).ok_or("usage: embed host:port#relay-id")?;
        let create = Command::CreateIdentity { name: "Embedded".into(), relay };
        if let Reply::IdentityCreated { phrase, .. } = client.command(create).await? {
            println!("keep these words, they are shown once: {}", phrase.expose());
        }
    }
    let make = Command::MakeLink { usage: LinkUse::Single, expires_in_ms: Some(86_400_000) };
    if let Reply::Link(link) = client.command(make).await? {
        println!("add me today: {}", link.text.expose());
    }
    let kept = std::fs::read_to_string(NEXT_EVENT).ok().and_then(|text| text.parse().ok());
    let mut next = EventNumber(kept.unwrap_or(1));
    loop {
        let events = match client.next_events(next).await {
            // It was away for so long that older events are gone.
            Err(ClientError::Command(CommandError::EventsGone { oldest })) => {
                next = oldest;
                continue;
            }
            events => events?,
        };
        for event in events {
            if let Event::ChatAdded(chat) = event.event {
                let hello = Command::SendText { chat, text: "Hello!".into() };
                if let Err(refused) = client.command(hello).await {
                    println!("not said: {refused}");
                }
            }
            next = EventNumber(event.number.0 + 1);
            std::fs::write(NEXT_EVENT, next.0.to_string())?;
        }
    }
}
