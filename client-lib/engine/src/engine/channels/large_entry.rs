//! Large entries: their content is a blob, fetched whole and compared with the entry's id before it
//! is used.

use bytes::BytesMut;
use hushwire_wire::{
    error::Code,
    id::ChannelId,
    message::{Answer, BlobReference, Content, Entry, EntryBody, Request},
};

use super::Phase;
use crate::{
    backoff::ToldRest,
    engine::Engine,
    log,
    pending::Pending,
    store::{Store, StoreError},
};

/// How often a large entry is fetched whose content turns out to be another than named
/// (spec: CLI-049). An honest relay has it, and a line does not change bytes under TLS: this is for
/// a relay that mends its disk, not for one that lies.
const OTHER_CONTENT_MAX: u32 = 8;

/// A large entry whose content was not what it names, and how often.
#[derive(Clone, Copy)]
pub(super) struct OtherContent {
    reference: BlobReference,
    times: u32,
}

/// A large entry whose content is on its way.
pub(super) struct Fetching {
    entry: Entry,
    reference: BlobReference,
    content: BytesMut,
}

impl<S: Store> Engine<S> {
    /// Fetches a large entry whole, and reads on behind it afterwards (spec: CLI-041).
    pub(super) fn fetch_entry(
        &mut self,
        channel: ChannelId,
        entry: Entry,
        reference: BlobReference,
    ) -> Result<(), StoreError> {
        let Some(live) = self.channels.get(&channel) else { return Ok(()) };
        let number = self.ready(&live.key);
        self.leave_reading(&channel);
        let Some(number) = number else { return Ok(()) };
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let fetching = Fetching { entry, reference, content: BytesMut::new() };
        live.phase = Phase::Fetching(Box::new(fetching));
        if reference.size > hushwire_wire::limit::Limits::V1.entry_blob_bytes_max {
            // The entry's id does not cover the size, and no honest relay stores such an entry
            // (CHN-009): the relay's fault, so not judged (spec: CLI-041).
            return self.entry_differs(channel);
        }
        let read = Request::BlobRead { blob: reference.blob, offset: 0, length: reference.size };
        self.send(number, read, Pending::FetchEntry { channel });
        Ok(())
    }

    pub(in crate::engine) fn entry_fetched(
        &mut self,
        channel: ChannelId,
        answer: Answer,
    ) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let Phase::Fetching(fetching) = &mut live.phase else { return Ok(()) };
        match answer {
            Answer::BlobChunk { offset, content } => {
                let stored = u64::try_from(fetching.content.len()).unwrap_or(u64::MAX);
                let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
                if offset != stored || stored.saturating_add(length) > fetching.reference.size {
                    return self.entry_differs(channel);
                }
                fetching.content.extend_from_slice(&content);
                Ok(())
            }
            Answer::ReadEnd(_) => self.entry_whole(channel),
            Answer::Refused(refusal) if refusal.code == Code::Denied => self.entry_gone(channel),
            // Not the blob that the entry names: that one is whole, and as long as the entry says.
            Answer::Refused(refusal)
                if matches!(refusal.code, Code::BlobIncomplete | Code::BeyondEnd) =>
            {
                self.entry_differs(channel)
            }
            _ => {
                self.rest(&channel, ToldRest::of(&answer));
                Ok(())
            }
        }
    }

    /// The relay has no such blob any more: a message is passed over, as an expired one; without a
    /// commit there is no way on (spec: CLI-049).
    fn entry_gone(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let Phase::Fetching(fetching) = core::mem::replace(&mut live.phase, Phase::Closed) else {
            return Ok(());
        };
        self.transact(|work| log::gone(work, &channel, &fetching.entry))
    }

    /// The relay's blob is not what the entry's id promises: its fault, so not judged. Fetched again,
    /// but not for ever: a relay that goes on like this has lost the content (spec: CLI-049).
    fn entry_differs(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let Phase::Fetching(fetching) = &live.phase else { return Ok(()) };
        let reference = fetching.reference;
        let before = live.other_content.filter(|before| before.reference == reference);
        let times = before.map_or(1, |before| before.times.saturating_add(1));
        if times >= OTHER_CONTENT_MAX {
            live.other_content = None;
            return self.entry_gone(channel);
        }
        live.other_content = Some(OtherContent { reference, times });
        self.rest(&channel, ToldRest::NONE);
        Ok(())
    }

    fn entry_whole(&mut self, channel: ChannelId) -> Result<(), StoreError> {
        let Some(live) = self.channels.get_mut(&channel) else { return Ok(()) };
        let Phase::Fetching(fetching) = &mut live.phase else { return Ok(()) };
        let content = Content::Inline(core::mem::take(&mut fetching.content).freeze());
        if content.hash() != fetching.reference.content_hash {
            return self.entry_differs(channel);
        }
        live.other_content = None;
        let Phase::Fetching(fetching) = core::mem::replace(&mut live.phase, Phase::Closed) else {
            return Ok(());
        };
        let EntryBody::Whole { operation, .. } = fetching.entry.body else { return Ok(()) };
        let body = EntryBody::Whole { content, operation };
        self.apply_entry(channel, &Entry { body, ..fetching.entry })
    }
}
