//! `hush init`.

use hushwire::command::{Command, Comparison, Reply, SecretText};

use super::device::compare;
use crate::{
    args::InitArgs,
    backend::Backend,
    fault::Fault,
    linking::{Linking, LinkingStep},
    record::{IdentityRecord, Record},
    session::{Session, expect_reply},
};

/// What `hush init` is to do.
#[derive(Debug)]
pub(crate) enum InitPlan {
    /// Create an identity.
    Create {
        /// Shown to contacts.
        name: String,
        /// The relay's address.
        relay: String,
    },
    /// Join one.
    Join {
        /// The linking code; `-` for standard input.
        code: String,
        /// A name for this device.
        device_name: String,
        /// For scripts: the digits that the other device shows.
        yes_if: Option<String>,
    },
}

impl InitPlan {
    /// From the command line, which takes one of the two only.
    pub(crate) fn of(arguments: InitArgs) -> Result<Self, Fault> {
        let InitArgs { name, relay, link, device_name, yes_if, no_passphrase: _ } = arguments;
        match (name, relay, link, device_name) {
            (Some(name), Some(relay), None, None) => Ok(Self::Create { name, relay }),
            (None, None, Some(code), Some(device_name)) => {
                Ok(Self::Join { code, device_name, yes_if })
            }
            _ => Err(Fault::Usage("say --name and --relay, or --link and --device-name".into())),
        }
    }
}

pub(crate) async fn init<B: Backend>(
    session: &Session<'_, B>,
    plan: InitPlan,
) -> Result<(), Fault> {
    match plan {
        InitPlan::Create { name, relay } => create(session, name, relay).await,
        InitPlan::Join { code, device_name, yes_if } => {
            join(session, code, device_name, yes_if.as_deref()).await
        }
    }
}

/// The phrase is said before anything else can fail.
async fn create<B: Backend>(
    session: &Session<'_, B>,
    name: String,
    relay: String,
) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let command = Command::CreateIdentity { name, relay };
    let record = expect_reply!(session, command, Reply::IdentityCreated { phrase, profile } =>
        IdentityRecord::new(profile, Some(phrase)))?;
    session.say(&Record::Identity(record))?;
    session.settle(since, |_| None).await
}

async fn join<B: Backend>(
    session: &Session<'_, B>,
    code: String,
    device_name: String,
    yes_if: Option<&str>,
) -> Result<(), Fault> {
    let code = match code.as_str() {
        "-" => session.console.ask("Linking code: ")?,
        _ => SecretText::new(code),
    };
    let code = SecretText::new(code.expose().trim().to_owned());
    let since = session.next_event_number().await?;
    session.perform(Command::JoinIdentity { code, device_name }).await?;
    let mut linking = Linking::new(session.backend, since);
    loop {
        match linking.next().await? {
            LinkingStep::Compare(code) => {
                let comparison = compare(session, &code, yes_if)?;
                session.perform(Command::DeviceLinkConfirm(comparison)).await?;
                if comparison == Comparison::Different {
                    return Err(Fault::CodesDiffer);
                }
                session.note("Waiting for the other device to confirm; Ctrl-C ends it.")?;
            }
            LinkingStep::Linked => {
                let profile = session.profile().await?;
                session.say(&Record::Identity(IdentityRecord::new(profile, None)))?;
                return session.settle(since, |_| None).await;
            }
        }
    }
}
