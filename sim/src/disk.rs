//! A device's files: what it sends, what it fetches, and the unfinished ones.

use std::collections::BTreeMap;

use bytes::Bytes;
use hushwire_engine::{
    TransferNumber,
    io::{FileFailure, Input, Output, PartTag},
};

#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<[u8; 12], Vec<u8>>,
    sources: BTreeMap<TransferNumber, String>,
}

impl Disk {
    /// The process that had files open is gone.
    pub(crate) fn close_all(&mut self) {
        self.sources.clear();
    }

    /// Does what an engine asks, and says what it is to be told.
    pub(crate) fn take(&mut self, output: Output) -> Option<Input> {
        Some(match output {
            Output::OpenFile { transfer, path } => match self.files.get(&path) {
                Some(content) => {
                    let length = content.len() as u64;
                    self.sources.insert(transfer, path);
                    Input::FileOpened { transfer, length }
                }
                None => Input::FileFailed { transfer, reason: FileFailure::Changed },
            },
            Output::ReadFile { transfer, offset, length } => {
                let path = self.sources.get(&transfer);
                read(transfer, path.and_then(|path| self.files.get(path)), offset, length)
            }
            Output::ReadPart { transfer, part, offset, length } => {
                read(transfer, self.parts.get(&part.tag.0), offset, length)
            }
            Output::WriteFile { transfer, part, offset, content } => {
                let file = self.parts.entry(part.tag.0).or_default();
                let start = usize::try_from(offset).expect("a file in memory");
                let end = start + content.len();
                file.resize(file.len().max(end), 0);
                file[start..end].copy_from_slice(&content);
                Input::FileWritten { transfer, offset }
            }
            Output::FinishFile { transfer, part, size } => {
                self.finish(transfer, &part.target, part.tag, size)
            }
            Output::DiscardFile { part, .. } => {
                self.parts.remove(&part.tag.0);
                return None;
            }
            Output::CloseFile { transfer } => {
                self.sources.remove(&transfer);
                return None;
            }
            _ => return None,
        })
    }

    fn finish(&mut self, transfer: TransferNumber, target: &str, tag: PartTag, size: u64) -> Input {
        let there = self.files.get(target).map(|file| file.len() as u64);
        match (self.parts.remove(&tag.0), there) {
            (Some(part), None) if part.len() as u64 == size => {
                self.files.insert(target.to_owned(), part);
            }
            (None, Some(length)) if length == size => {}
            (None, None) if size == 0 => {
                self.files.insert(target.to_owned(), Vec::new());
            }
            (_, Some(_)) => return Input::FileFailed { transfer, reason: FileFailure::Exists },
            _ => return Input::FileFailed { transfer, reason: FileFailure::Changed },
        }
        Input::FileFinished { transfer }
    }
}

fn read(transfer: TransferNumber, file: Option<&Vec<u8>>, offset: u64, length: u32) -> Input {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(length as usize);
    match file.and_then(|file| file.get(start..end)) {
        Some(part) => Input::FileRead { transfer, offset, content: Bytes::copy_from_slice(part) },
        None => Input::FileFailed { transfer, reason: FileFailure::Changed },
    }
}
