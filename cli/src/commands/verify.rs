//! `hush verify`, `hush phrase`.

use hushwire::command::{Command, Reply, Verification};

use crate::{
    backend::Backend,
    fault::Fault,
    record::{DoneRecord, Record, SafetyNumberRecord},
    session::{Session, expect_reply},
};

/// What a person says about a safety number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing yet: show it.
    Show,
    /// It is equal.
    Confirm,
    /// Forget that it was.
    Reset,
}

impl Outcome {
    /// From the two flags, of which the command line takes one at most.
    pub(super) const fn of(confirm: bool, reset: bool) -> Self {
        match (confirm, reset) {
            (true, _) => Self::Confirm,
            (false, true) => Self::Reset,
            (false, false) => Self::Show,
        }
    }
}

pub(super) async fn verify<B: Backend>(
    session: &Session<'_, B>,
    contact: &str,
    outcome: Outcome,
) -> Result<(), Fault> {
    let contact = session.contact_named(contact).await?;
    let verification = match outcome {
        Outcome::Show => None,
        Outcome::Confirm => Some(Verification::Verified),
        Outcome::Reset => Some(Verification::Unverified),
    };
    if let Some(verification) = verification {
        let command = Command::SetVerification { contact: contact.number, verification };
        session.perform(command).await?;
    }
    let people = session.people().await?;
    let command = Command::SafetyNumber(contact.number);
    let record = expect_reply!(session, command, Reply::SafetyNumber { digits, verification } =>
        SafetyNumberRecord::new(contact, &people, digits, verification))?;
    session.say(&Record::SafetyNumber(record))
}

pub(super) async fn phrase<B: Backend>(session: &Session<'_, B>) -> Result<(), Fault> {
    session.note("The phrase was shown once and is kept on no device; this only checks yours.");
    let phrase = session.console.ask_secret("Recovery phrase, 24 words (not shown): ")?;
    session.perform(Command::CheckPhrase(phrase)).await?;
    session.say(&Record::Done(DoneRecord {
        done: "phrase_checked",
        words: "The phrase is right: it belongs to this identity.".into(),
        ..DoneRecord::default()
    }))
}
