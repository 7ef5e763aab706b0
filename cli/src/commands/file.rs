//! `hush send-file`, `hush save`.

use std::path::{Path, PathBuf};

use hushwire::command::{
    ChatNumber, Command, CommandError, MessageBody, MessageInfo, MessageNumber, MessageState,
    Reply, TransferState,
};

use super::message::{is_sent, say_sent};
use crate::{
    backend::Backend,
    fault::Fault,
    media_type,
    record::{Record, SavedRecord},
    session::{Patience, Session, expect_reply},
};

pub(super) async fn send<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    path: &Path,
    media_type: Option<String>,
) -> Result<(), Fault> {
    let chat = session.chat_named(chat).await?.number;
    let (command, bytes) = command(chat, path, media_type)?;
    let message = expect_reply!(session, command, Reply::Accepted { message, .. } => message)?;
    let mut bar = session.console.progress(bytes);
    let sent = session
        .follow_message((chat, message), is_sent, |message| {
            if let Some(TransferState::Moving { done, .. }) = transfer(message) {
                bar.set(*done);
            }
        })
        .await?;
    drop(bar);
    say_sent(session, sent)
}

/// The command that sends a file, and the file's length in bytes.
pub(super) fn command(
    chat: ChatNumber,
    path: &Path,
    media_type: Option<String>,
) -> Result<(Command, u64), Fault> {
    let (absolute, bytes) = existing_file(path)?;
    let media_type = media_type.unwrap_or_else(|| media_type::of(path).to_owned());
    Ok((Command::SendFile { chat, path: absolute, media_type }, bytes))
}

/// The absolute path of a file that is there, as text, and its length.
fn existing_file(path: &Path) -> Result<(String, u64), Fault> {
    let fault = |error: std::io::Error| Fault::File { path: path.to_owned(), kind: error.kind() };
    let absolute = std::path::absolute(path).map_err(fault)?;
    let metadata = std::fs::metadata(&absolute).map_err(fault)?;
    if metadata.is_dir() {
        return Err(Fault::File { path: path.to_owned(), kind: std::io::ErrorKind::IsADirectory });
    }
    Ok((text_of(absolute)?, metadata.len()))
}

/// Commands carry paths as text.
fn text_of(path: PathBuf) -> Result<String, Fault> {
    path.into_os_string().into_string().map_err(|path| Fault::File {
        path: path.into(),
        kind: std::io::ErrorKind::InvalidFilename,
    })
}

pub(super) async fn save<B: Backend>(
    session: &Session<'_, B>,
    chat: &str,
    message: u64,
    path: Option<PathBuf>,
) -> Result<(), Fault> {
    session.catch_up().await?;
    let chat = session.chat_named(chat).await?.number;
    let number = MessageNumber(message);
    let message = session.message(chat, number).await?;
    let MessageBody::File { name, size, .. } = &message.body else {
        return Err(CommandError::NotApplicable.into());
    };
    let path = target(path, name)?;
    session.perform(Command::Download { chat, message: number, path: path.clone() }).await?;
    let mut bar = session.console.progress(*size);
    let ended = |message: &MessageInfo| {
        matches!(transfer(message), Some(TransferState::Complete | TransferState::Failed(_)))
    };
    let message = session
        .follow_message((chat, number), ended, |message| {
            if let Some(TransferState::Moving { done, .. }) = transfer(message) {
                bar.set(*done);
            }
        })
        .await?;
    drop(bar);
    match (transfer(&message), session.patience) {
        (Some(TransferState::Failed(reason)), _) => Err(Fault::Refused(*reason)),
        (Some(TransferState::Complete), _) => {
            session.say(&Record::Saved(SavedRecord { chat: chat.0, message: number.0, path }))
        }
        (_, Patience::Wait(_)) => Err(session.still_waiting(1)),
        (_, Patience::NoNetwork) => {
            session.note("the file will be saved with the network");
            Ok(())
        }
    }
}

const fn transfer(message: &MessageInfo) -> Option<&TransferState> {
    match (&message.body, &message.state) {
        // A message that failed moves nothing any more.
        (MessageBody::File { .. }, MessageState::Failed(_)) => None,
        (MessageBody::File { transfer, .. }, _) => Some(transfer),
        _ => None,
    }
}

/// Where the file goes: into a folder under its own name, or to a new file.
pub(super) fn target(path: Option<PathBuf>, name: &str) -> Result<String, Fault> {
    let path = path.unwrap_or_else(|| PathBuf::from("."));
    let fault = |error: std::io::Error| Fault::File { path: path.clone(), kind: error.kind() };
    let absolute = std::path::absolute(&path).map_err(fault)?;
    if !absolute.is_dir() {
        return free(absolute);
    }
    // The library promises a safe name; a name with a folder in it is still not followed.
    let Some(file_name) = Path::new(name).file_name() else {
        return Err(Fault::File { path, kind: std::io::ErrorKind::InvalidFilename });
    };
    free(absolute.join(file_name))
}

/// A path where nothing is yet, in a folder that is there. The library replaces nothing either; to
/// look first tells the person why before anything is fetched.
fn free(target: PathBuf) -> Result<String, Fault> {
    if target.symlink_metadata().is_ok() {
        return Err(Fault::FileExists(target));
    }
    if target.parent().is_some_and(|folder| !folder.is_dir()) {
        return Err(Fault::FolderMissing(target));
    }
    text_of(target)
}
