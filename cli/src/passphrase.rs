//! Where the passphrase comes from: a file, the environment, or a person.

use std::{fs::File, io::Read as _, path::Path};

use hushwire::command::SecretText;
use zeroize::Zeroizing;

use crate::{
    backend::{Creation, Lock},
    console::{Console, Presence},
    fault::Fault,
};

/// More than anybody types, in bytes; a wrong path should not be read for long.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What may hold the passphrase, in the order it is looked at.
#[derive(Debug)]
pub struct Sources<'a> {
    /// `--passphrase-file`.
    pub file: Option<&'a Path>,
    /// `HUSH_PASSPHRASE`.
    pub environment: Option<&'a SecretText>,
}

/// The lock for a profile that has a passphrase, or is to have one.
///
/// # Errors
/// [`Fault::NobodyToAsk`], [`Fault::PassphrasesDiffer`], [`Fault::PassphraseEmpty`], or the error
/// of the file or terminal.
pub fn lock(
    sources: &Sources<'_>,
    console: &dyn Console,
    creation: Creation,
) -> Result<Lock, Fault> {
    let passphrase = match (sources.file, sources.environment) {
        (Some(file), _) => from_file(file)?,
        (None, Some(passphrase)) => passphrase.clone(),
        (None, None) if console.presence() == Presence::Script => return Err(Fault::NobodyToAsk),
        (None, None) => from_person(console, creation)?,
    };
    if passphrase.expose().is_empty() {
        return Err(Fault::PassphraseEmpty);
    }
    Ok(Lock::Passphrase(passphrase))
}

fn from_person(console: &dyn Console, creation: Creation) -> Result<SecretText, Fault> {
    match creation {
        Creation::Existing => Ok(console.ask_secret("Passphrase (not shown): ")?),
        Creation::New => {
            let passphrase = console.ask_secret("New passphrase (not shown): ")?;
            let again = console.ask_secret("The same again: ")?;
            if passphrase == again { Ok(passphrase) } else { Err(Fault::PassphrasesDiffer) }
        }
    }
}

/// The first line of a file, without its line end.
fn from_file(path: &Path) -> Result<SecretText, Fault> {
    let fault = |kind| Fault::File { path: path.to_owned(), kind };
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).map_err(|error| fault(error.kind()))?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| fault(error.kind()))?;
    Ok(SecretText::new(text.lines().next().unwrap_or("").to_owned()))
}
