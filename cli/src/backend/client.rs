//! The client library behind the terminal's traits.

use core::time::Duration;
use std::path::Path;

use hushwire::{
    client::{
        Client, ClientError, Create, KeyKind, OpenError, OpenOptions, StoreKeySource,
        StoreOpenError, key_kind,
    },
    command::{Command, Reply, StatusInfo},
    event::{EventNumber, NumberedEvent},
};

use super::{Backend, Creation, Lock, LockKind, Opener, Opening};
use crate::fault::{ClientFault, Exit, OpenFault};

/// The key of a profile without a passphrase, in its folder.
const KEY_FILE: &str = "key";

/// Opens profiles on this machine.
#[derive(Clone, Copy, Debug)]
pub struct ProfileOpener;

impl Opener for ProfileOpener {
    type Backend = Client;

    fn lock_kind(&self, profile: &Path) -> Result<Option<LockKind>, OpenFault> {
        Ok(match key_kind(profile) {
            Ok(KeyKind::Raw) => Some(LockKind::KeyFile),
            Ok(KeyKind::Passphrase) => Some(LockKind::Passphrase),
            Err(StoreOpenError::Absent) => None,
            // No passphrase helps.
            Err(error @ StoreOpenError::NotPermitted) => return Err(fault(error.into())),
            // Opening it says what is wrong.
            Err(_) if profile.join(KEY_FILE).exists() => Some(LockKind::KeyFile),
            Err(_) => Some(LockKind::Passphrase),
        })
    }

    async fn open(&self, opening: Opening) -> Result<Self::Backend, OpenFault> {
        let Opening { profile, creation, lock } = opening;
        let key = match lock {
            Lock::KeyFile => StoreKeySource::File(profile.join(KEY_FILE)),
            // A key file that an interrupted `init` left stays: another `init` may be using it, and
            // the store's header says what opens it.
            Lock::Passphrase(passphrase) => StoreKeySource::Passphrase(passphrase),
        };
        let create = match creation {
            Creation::New => Create::New,
            Creation::Existing => Create::OpenExisting,
        };
        Client::open(OpenOptions::new(profile).key(key).create(create)).await.map_err(fault)
    }
}

fn fault(error: OpenError) -> OpenFault {
    let exit = match error {
        OpenError::Store(
            StoreOpenError::WrongPassphrase
            | StoreOpenError::WrongKey
            | StoreOpenError::PassphraseNeeded
            | StoreOpenError::RawKeyNeeded,
        )
        | OpenError::ProfileBusy => Exit::NeedsAction,
        _ => Exit::Failed,
    };
    let advice = error.advice().to_owned();
    OpenFault { code: error.code(), what: error.to_string(), advice, exit }
}

impl Backend for Client {
    async fn command(&self, command: Command) -> Result<Reply, ClientFault> {
        Self::command(self, command).await.map_err(client_fault)
    }

    async fn next_events(&self, from: EventNumber) -> Result<Vec<NumberedEvent>, ClientFault> {
        Self::next_events(self, from).await.map_err(client_fault)
    }

    async fn settled(&self, timeout: Duration) -> Result<StatusInfo, ClientFault> {
        Self::settled(self, timeout).await.map_err(client_fault)
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

fn client_fault(error: ClientError) -> ClientFault {
    match error {
        ClientError::Command(error) => ClientFault::Command(error),
        ClientError::Unanswered => ClientFault::Unanswered,
        ClientError::OtherVersion => ClientFault::OtherVersion,
        _ => ClientFault::Gone,
    }
}
