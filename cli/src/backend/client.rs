//! The client library behind the terminal's traits.

use core::time::Duration;
use std::{io, path::Path};

use hushwire::{
    client::{Client, ClientError, Create, OpenError, OpenOptions, StoreKeySource},
    command::{Command, Reply, StatusInfo},
    event::{EventNumber, NumberedEvent},
    store::{self, KeyKind, SqlcipherStore},
};

use super::{Backend, Creation, Lock, LockKind, Opener, Opening, key_file};
use crate::fault::{ClientFault, Exit, OpenFault};

/// Opens profiles on this machine.
#[derive(Clone, Copy, Debug)]
pub struct ProfileOpener;

impl Opener for ProfileOpener {
    type Backend = Client;

    fn lock_kind(&self, profile: &Path) -> Option<LockKind> {
        match SqlcipherStore::key_kind(profile) {
            Ok(KeyKind::Raw) => Some(LockKind::KeyFile),
            Ok(KeyKind::Passphrase) => Some(LockKind::Passphrase),
            Err(store::OpenError::Absent) => None,
            // Opening it says what is wrong.
            Err(_) if key_file::path(profile).exists() => Some(LockKind::KeyFile),
            Err(_) => Some(LockKind::Passphrase),
        }
    }

    async fn open(&self, opening: Opening) -> Result<Self::Backend, OpenFault> {
        let Opening { profile, creation, lock } = opening;
        let key = store_key(&profile, creation, lock).map_err(|_| unusable_key())?;
        let create = match creation {
            Creation::New => Create::New,
            Creation::Existing => Create::OpenExisting,
        };
        Client::open(OpenOptions::new(profile).key(key).create(create)).await.map_err(fault)
    }
}

fn store_key(profile: &Path, creation: Creation, lock: Lock) -> io::Result<StoreKeySource> {
    match (lock, creation) {
        (Lock::KeyFile, Creation::New) => key_file::create(profile).map(StoreKeySource::Raw),
        (Lock::KeyFile, Creation::Existing) => key_file::read(profile).map(StoreKeySource::Raw),
        // A key file that an interrupted `init` left stays: another `init` may be using it, and the
        // store's header says what opens it.
        (Lock::Passphrase(passphrase), _) => Ok(StoreKeySource::Passphrase(passphrase)),
    }
}

fn unusable_key() -> OpenFault {
    OpenFault {
        code: "key_file",
        what: "the profile's key file cannot be read or written".into(),
        advice: "Check the profile's folder and its permissions.".into(),
        exit: Exit::Failed,
    }
}

fn fault(error: OpenError) -> OpenFault {
    let exit = match error {
        OpenError::Store(
            store::OpenError::WrongPassphrase
            | store::OpenError::WrongKey
            | store::OpenError::PassphraseNeeded
            | store::OpenError::RawKeyNeeded,
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
