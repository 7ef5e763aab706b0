//! An app that shows a contact link, and says hello once in each chat that opens, however often it
//! is started.
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
    match client.command(Command::Profile).await {
        Err(ClientError::Command(CommandError::NoIdentity)) => {
            let relay = std::env::args().nth(1).ok_or("usage: embed host:port#relay-id")?;
            client.command(Command::CreateIdentity { name: "Embedded".into(), relay }).await?;
            let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
            if let Reply::Link(link) = client.command(make).await? {
                println!("add me: {}", link.text.expose());
            }
        }
        known => drop(known?),
    }
    let kept = std::fs::read_to_string(NEXT_EVENT).ok().and_then(|text| text.parse().ok());
    let mut next = EventNumber(kept.unwrap_or(1));
    loop {
        for event in client.next_events(next).await? {
            if let Event::ChatAdded(chat) = event.event {
                client.command(Command::SendText { chat, text: "Hello!".into() }).await?;
            }
            next = EventNumber(event.number.0 + 1);
            std::fs::write(NEXT_EVENT, next.0.to_string())?;
        }
    }
}
