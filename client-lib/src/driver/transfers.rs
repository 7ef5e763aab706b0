//! Files of transfers: each has a task that does what the engine asks of its file, in order.

use std::{collections::HashMap, path::Path};

use hushwire_engine::{
    TransferNumber,
    io::{FileFailure, Input, Output, PartPlace},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::SendError},
};

use crate::files::{DownloadFile, FileError, PartName, SourceFile};

/// The tasks of transfers that have a file open.
pub(super) struct Transfers {
    network: Handle,
    inputs: mpsc::Sender<Input>,
    tasks: HashMap<TransferNumber, mpsc::UnboundedSender<Output>>,
}

impl Transfers {
    pub(super) fn new(network: Handle, inputs: mpsc::Sender<Input>) -> Self {
        Self { network, inputs, tasks: HashMap::new() }
    }

    /// Does what the engine asks of a file.
    pub(super) fn take(&mut self, output: Output) {
        let Some(transfer) = transfer_of(&output) else { return };
        if matches!(output, Output::CloseFile { .. }) {
            self.tasks.remove(&transfer);
            return;
        }
        // What is discarded is not asked for again.
        let last = matches!(output, Output::DiscardFile { .. });
        let (network, inputs) = (&self.network, &self.inputs);
        let task = self.tasks.entry(transfer).or_insert_with(|| {
            // The engine bounds what it asks: one thing of each file at a time.
            let (asks, asked) = mpsc::unbounded_channel();
            let inputs = inputs.clone();
            network.spawn(Task { transfer, inputs, source: None, download: None }.run(asked));
            asks
        });
        // A task that ended has lost its driver, and nobody needs to know.
        let _ = task.send(output);
        if last {
            self.tasks.remove(&transfer);
        }
    }

    /// Ends the tasks; each finishes what it is doing.
    pub(super) fn stop(&mut self) {
        self.tasks.clear();
    }
}

const fn transfer_of(output: &Output) -> Option<TransferNumber> {
    match output {
        Output::OpenFile { transfer, .. }
        | Output::ReadFile { transfer, .. }
        | Output::ReadPart { transfer, .. }
        | Output::WriteFile { transfer, .. }
        | Output::FinishFile { transfer, .. }
        | Output::DiscardFile { transfer, .. }
        | Output::CloseFile { transfer } => Some(*transfer),
        Output::Connect { .. }
        | Output::Send { .. }
        | Output::Close(_)
        | Output::Events
        | Output::StatusChanged => None,
    }
}

/// One transfer's file.
struct Task {
    transfer: TransferNumber,
    inputs: mpsc::Sender<Input>,
    source: Option<SourceFile>,
    download: Option<DownloadFile>,
}

impl Task {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Output>) {
        while let Some(output) = asked.recv().await {
            let transfer = self.transfer;
            let input = match self.act(output).await {
                Ok(Some(input)) => input,
                Ok(None) => continue,
                Err(error) => Input::FileFailed { transfer, reason: failure(error) },
            };
            if let Err(SendError(_)) = self.inputs.send(input).await {
                return;
            }
        }
    }

    async fn act(&mut self, output: Output) -> Result<Option<Input>, FileError> {
        let transfer = self.transfer;
        Ok(Some(match output {
            Output::OpenFile { path, .. } => {
                let source = SourceFile::open(Path::new(&path)).await?;
                let length = source.length();
                self.source = Some(source);
                Input::FileOpened { transfer, length }
            }
            Output::ReadFile { offset, length, .. } => {
                let source = self.source.as_ref().ok_or(FileError::Vanished)?;
                let content = source.read(offset, length as usize).await?;
                Input::FileRead { transfer, offset, content }
            }
            Output::ReadPart { part, offset, length, .. } => {
                let content = self.download(&part).await?.read(offset, length as usize).await?;
                Input::FileRead { transfer, offset, content }
            }
            Output::WriteFile { part, offset, content, .. } => {
                self.download(&part).await?.write(offset, content).await?;
                Input::FileWritten { transfer, offset }
            }
            Output::FinishFile { part, size, .. } => {
                let (target, name) = (Path::new(&part.target), PartName::new(part.tag.0));
                DownloadFile::finish(target, &name, size).await?;
                Input::FileFinished { transfer }
            }
            Output::DiscardFile { part, .. } => {
                let (target, name) = (Path::new(&part.target), PartName::new(part.tag.0));
                if DownloadFile::discard(target, &name).await.is_err() {
                    tracing::warn!("an unfinished download could not be removed");
                }
                return Ok(None);
            }
            _ => return Ok(None),
        }))
    }

    async fn download(&mut self, part: &PartPlace) -> Result<&DownloadFile, FileError> {
        if self.download.is_none() {
            let name = PartName::new(part.tag.0);
            self.download = Some(DownloadFile::open(Path::new(&part.target), &name).await?);
        }
        self.download.as_ref().ok_or(FileError::Failed)
    }
}

const fn failure(error: FileError) -> FileFailure {
    match error {
        FileError::Vanished
        | FileError::Changed
        | FileError::NotFound
        | FileError::OutOfRange
        | FileError::Incomplete => FileFailure::Changed,
        FileError::Full => FileFailure::DiskFull,
        FileError::Exists => FileFailure::Exists,
        FileError::FolderMissing => FileFailure::FolderMissing,
        FileError::NotAFile | FileError::NotPermitted | FileError::Failed => {
            FileFailure::NotAccessible
        }
    }
}
