//! `hush link`.

use hushwire::command::{Command, LinkNumber, LinkState, LinkUse, Reply};

use super::say_all;
use crate::{
    args::{LinkArgs, LinkCommand},
    backend::Backend,
    fault::Fault,
    record::{DoneRecord, LinkRecord, Record, Showing},
    session::{Session, expect_reply},
};

pub(super) async fn link<B: Backend>(
    session: &Session<'_, B>,
    arguments: LinkArgs,
) -> Result<(), Fault> {
    match arguments.command {
        None => make(session, &arguments).await,
        Some(LinkCommand::List) => {
            session.catch_up().await?;
            let record = |link| Record::Link(LinkRecord::new(link, Showing::InList));
            say_all(session, session.links().await?, "no link yet: `hush link` makes one", record)
        }
        Some(LinkCommand::Revoke { link }) => revoke(session, link).await,
    }
}

async fn make<B: Backend>(session: &Session<'_, B>, arguments: &LinkArgs) -> Result<(), Fault> {
    let usage = if arguments.lasting { LinkUse::Lasting } else { LinkUse::Single };
    let expires_in_ms =
        arguments.expires.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    let since = session.next_event_number().await?;
    let command = Command::MakeLink { usage, expires_in_ms };
    let link = expect_reply!(session, command, Reply::Link(link) => link)?;
    let settled = session.settle(since, |_| None).await;
    let number = link.number;
    let now = session.links().await?.into_iter().find(|link| link.number == number);
    let said = session.say(&Record::Link(LinkRecord::new(now.unwrap_or(link), Showing::WithQr)));
    settled.and(said)
}

async fn revoke<B: Backend>(session: &Session<'_, B>, link: u64) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    session.perform(Command::RevokeLink(LinkNumber(link))).await?;
    session.settle(since, |_| None).await?;
    let links = session.links().await?;
    let used = links.iter().any(|it| it.number.0 == link && it.state == LinkState::Used);
    let words = if used {
        format!("link {link} was used already, and works no more; who used it stays a contact")
    } else {
        format!("link {link} is revoked")
    };
    session.done(DoneRecord {
        done: "link_revoked",
        link: Some(link),
        words,
        ..DoneRecord::default()
    })
}
