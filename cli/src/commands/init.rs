//! `hush init`.

use hushwire::command::{Command, Comparison, Reply, SecretText};

use super::device::compare;
use crate::{
    args::InitArgs,
    backend::Backend,
    console::Console,
    fault::Fault,
    linking::{ANSWER_TIME_MAX, Linking, LinkingStep},
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
        /// The linking code.
        code: SecretText,
        /// A name for this device.
        device_name: String,
        /// For scripts: the digits that the other device shows.
        yes_if: Option<String>,
    },
}

impl InitPlan {
    /// From the command line, which takes one of the two only, and what the person then types. What
    /// the library would refuse is refused here, before there is a profile.
    pub(crate) fn of(arguments: InitArgs, console: &dyn Console) -> Result<Self, Fault> {
        let InitArgs { name, relay, link, device_name, yes_if, no_passphrase: _ } = arguments;
        let plan = match (name, relay, link, device_name) {
            (Some(name), Some(relay), None, None) => Self::Create { name, relay },
            (None, None, Some(code), Some(device_name)) => {
                let code = match code.as_str() {
                    "-" => console.ask("Linking code: ")?,
                    _ => SecretText::new(code),
                };
                let code = SecretText::new(code.expose().trim().to_owned());
                Self::Join { code, device_name, yes_if }
            }
            _ => {
                let what = "say --name and --relay, or --link and --device-name";
                return Err(Fault::Usage(what.to_owned()));
            }
        };
        plan.command().check()?;
        Ok(plan)
    }

    fn command(&self) -> Command {
        match self {
            Self::Create { name, relay } => {
                Command::CreateIdentity { name: name.clone(), relay: relay.clone() }
            }
            Self::Join { code, device_name, .. } => {
                Command::JoinIdentity { code: code.clone(), device_name: device_name.clone() }
            }
        }
    }
}

pub(crate) async fn init<B: Backend>(
    session: &Session<'_, B>,
    plan: InitPlan,
) -> Result<(), Fault> {
    let command = plan.command();
    match plan {
        InitPlan::Create { .. } => create(session, command).await,
        InitPlan::Join { yes_if, .. } => join(session, command, yes_if.as_deref()).await,
    }
}

/// The phrase is said before anything else can fail.
async fn create<B: Backend>(session: &Session<'_, B>, command: Command) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    let record = expect_reply!(session, command, Reply::IdentityCreated { phrase, profile } =>
        IdentityRecord::new(profile, Some(phrase)))?;
    session.say(&Record::Identity(record))?;
    session.settle(since, |_| None).await
}

async fn join<B: Backend>(
    session: &Session<'_, B>,
    command: Command,
    yes_if: Option<&str>,
) -> Result<(), Fault> {
    let since = session.next_event_number().await?;
    session.perform(command).await?;
    let mut linking = Linking::new(session, since, ANSWER_TIME_MAX);
    loop {
        match linking.next().await? {
            LinkingStep::Compare(code) => {
                let comparison = compare(session, &code, yes_if)?;
                session.perform(Command::DeviceLinkConfirm(comparison)).await?;
                if comparison == Comparison::Different {
                    return Err(Fault::CodesDiffer);
                }
                session.note(
                    "Waiting for the other device to confirm, three minutes at most. If it said no, stop here: Ctrl-C.",
                );
            }
            LinkingStep::Linked => {
                let profile = session.profile().await?;
                session.say(&Record::Identity(IdentityRecord::new(profile, None)))?;
                return session.settle(since, |_| None).await;
            }
        }
    }
}
