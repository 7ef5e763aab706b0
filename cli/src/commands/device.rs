//! `hush device`.

use hushwire::command::{Command, Comparison, Reply, SecretText};

use super::say_all;
use crate::{
    args::DeviceCommand,
    backend::Backend,
    fault::Fault,
    linking::{Linking, LinkingStep, OFFER_TIME_MAX},
    record::{CodeRecord, DeviceRecord, DoneRecord, Record},
    session::{Session, expect_reply},
    visible,
};

pub(super) async fn device<B: Backend>(
    session: &Session<'_, B>,
    command: DeviceCommand,
) -> Result<(), Fault> {
    match command {
        DeviceCommand::Link { yes_if } => link(session, yes_if).await,
        DeviceCommand::List => {
            session.catch_up().await?;
            let record = |device| Record::Device(DeviceRecord::from(device));
            say_all(session, session.devices().await?, "no device is listed yet", record)
        }
        DeviceCommand::Refresh => refresh(session).await,
        DeviceCommand::Revoke { device } => revoke(session, &device).await,
    }
}

async fn refresh<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    session.perform(Command::RefreshKeys).await?;
    session.settle(since, |_| None).await?;
    session.done(DoneRecord {
        done: "keys_refreshed",
        words: "This device has new keys.".into(),
        ..DoneRecord::default()
    })
}

async fn link<B: Backend>(session: &Session<'_, B>, yes_if: Option<String>) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let code = expect_reply!(session, Command::DeviceLink, Reply::DeviceCode(code) => code)?;
    session.say(&Record::DeviceCode(CodeRecord { code }))?;
    session.note("Waiting for the new device; keep this running. Ctrl-C stops it.");
    let mut linking = Linking::new(session, since, OFFER_TIME_MAX);
    loop {
        match linking.next().await? {
            LinkingStep::Compare(code) => {
                let comparison = compare(session, &code, yes_if.as_deref())?;
                session.perform(Command::DeviceLinkConfirm(comparison)).await?;
                if comparison == Comparison::Different {
                    return Err(Fault::CodesDiffer);
                }
            }
            LinkingStep::Linked => {
                // The new device is still to be added to every group.
                session.settle(since, |_| None).await?;
                return session.done(DoneRecord {
                    done: "device_linked",
                    words: "The new device is linked.".into(),
                    ..DoneRecord::default()
                });
            }
        }
    }
}

/// Shows the digits, and asks the person or the script whether they are equal.
pub(super) fn compare<B: Backend>(
    session: &Session<'_, B>,
    code: &SecretText,
    yes_if: Option<&str>,
) -> Result<Comparison, Fault> {
    session.say(&Record::Comparison(CodeRecord { code: code.clone() }))?;
    let equal = match yes_if {
        Some("-") => {
            digits(session.console.ask("Digits of the other device: ")?.expose())
                == digits(code.expose())
        }
        Some(given) => digits(given) == digits(code.expose()),
        None => loop {
            let answer =
                session.console.ask("Does the other device show the same digits? [y/n] ")?;
            // Anything else says nothing about the digits.
            match answer.expose().trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => break true,
                "n" | "no" => break false,
                _ => session.note("Answer y or n."),
            }
        },
    };
    Ok(if equal { Comparison::Equal } else { Comparison::Different })
}

/// The digits alone: people type them with a gap.
fn digits(code: &str) -> String {
    code.chars().filter(|character| !character.is_whitespace()).collect()
}

async fn revoke<B: Backend>(session: &Session<'_, B>, query: &str) -> Result<(), Fault> {
    let device = session.device_named(query).await?;
    let name = visible::name(&device.name);
    let since = session.next_event_number().await?;
    session.perform(Command::DeviceRevoke(device.number)).await?;
    session.settle(since, |_| None).await?;
    session.done(DoneRecord {
        done: "device_revoked",
        device: Some(device.number.0),
        words: format!("{name} is revoked"),
        ..DoneRecord::default()
    })
}
