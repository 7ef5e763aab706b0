//! An app that shows a contact link, and says hello in each chat that opens.
#![expect(clippy::print_stdout, reason = "an app talks to its person")]

use hushwire::client::{Client, Create, OpenOptions};
use hushwire::command::{Command, LinkUse, Reply};
use hushwire::event::{Event, EventNumber};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let relay = std::env::args().nth(1).ok_or("usage: embed host:port#relay-id")?;
    let options = OpenOptions::new("embed-profile").passphrase("correct horse battery staple");
    let client = Client::open(options.create(Create::New)).await?;
    client.command(Command::CreateIdentity { name: "Embedded".into(), relay }).await?;
    let make = Command::MakeLink { usage: LinkUse::Lasting, expires_in_ms: None };
    let Reply::Link(link) = client.command(make).await? else { return Err("no link".into()) };
    println!("add me: {}", link.text.expose());
    let mut next = EventNumber(1);
    loop {
        for event in client.next_events(next).await? {
            next = EventNumber(event.number.0 + 1);
            if let Event::ChatAdded(chat) = event.event {
                client.command(Command::SendText { chat, text: "Hello!".into() }).await?;
            }
        }
    }
}
