//! Requests of an open session: what can be refused or answered at once is; the rest becomes a
//! write, a lookup or a reading that carries all it needs.

use bytes::Bytes;
use hushwire_wire::{
    error::{Code, Refusal},
    id::{ChannelId, Nonce, PublicKey, SessionId, Signature},
    message::{Answer, BlobReference, Content, Handle, Request, RequestId},
    transcript::{self, Operation, Transcript},
};

use super::{Session, Step, Waiting};
use crate::{
    lookup::{Lookup, Proof, Question},
    reading::Reading,
    receipt::Reply,
    waiting::Asker,
    write::{Operand, Write},
};

impl Session {
    pub(super) fn begin(
        &mut self,
        session: SessionId,
        id: RequestId,
        request: Request,
    ) -> Result<Step, Refusal> {
        match request {
            Request::Ping => Ok(Step::Reply(Reply::ready(Answer::Done))),
            Request::Stop(reading) => self.stop(reading),
            Request::ChannelClose(handle) => self.close_handle(handle),
            Request::ChannelCreate { channel, epoch_key, nonce, signature } => self.create_channel(
                session,
                id,
                &NewChannel { channel, epoch_key, nonce, signature },
            ),
            Request::ChannelOpen { channel, epoch, signature } => {
                let transcript = transcript::channel_open(&self.relay, &session, &channel, &epoch);
                let proof = Proof { transcript, signature };
                self.open(id, Question::ChannelOpen { channel, epoch, proof })
            }
            Request::Append { handle, content, operation } => {
                let asker = Asker { source: self.source, session };
                self.append(id, asker, handle, content, operation)
            }
            Request::ChannelRead { handle, epoch, from, follow } => {
                let (channel, opened) = self.handles.channel(handle)?;
                self.handles.begin_reading(id, Some(handle))?;
                Ok(Step::Read(Reading::channel(channel, opened, epoch, from, follow)))
            }
            Request::InboxRead { handle, from, follow } => {
                let door = self.handles.inbox(handle)?;
                self.handles.begin_reading(id, Some(handle))?;
                Ok(Step::Read(Reading::inbox(door, from, follow)))
            }
            Request::BlobRead { blob, offset, length } => {
                self.handles.begin_reading(id, None)?;
                Ok(Step::Read(Reading::blob(blob, offset, length)))
            }
            Request::BlobStat(blob) => Ok(self.ask(id, Question::BlobStat(blob))),
            Request::ShelfStatus(handle) => {
                let door = self.handles.inbox(handle)?;
                Ok(self.ask(id, Question::ShelfStatus(door)))
            }
            Request::CardFetch { inbox, secret } => {
                // spec: INB-003
                let capability = transcript::capability_id(&secret);
                Ok(self.ask(id, Question::CardFetch { inbox, capability }))
            }
            Request::InboxOpen { inbox, slot, signature } => {
                let transcript = transcript::inbox_open(&self.relay, &session, &inbox, &slot);
                let proof = Proof { transcript, signature };
                self.open(id, Question::InboxOpen { inbox, slot, proof })
            }
            other => {
                let operand = self.operand(session, other)?;
                Ok(self.write(id, operand))
            }
        }
    }

    /// The writes that answer without a new handle.
    fn operand(&self, session: SessionId, request: Request) -> Result<Operand, Refusal> {
        match request {
            Request::InboxCreate { inbox, owner_key: owner, signature } => {
                let transcript = transcript::inbox_create(&self.relay, &session, &inbox, &owner);
                verified(&transcript, &owner, &signature)?;
                Ok(Operand::InboxCreate { inbox, owner })
            }
            Request::InboxSend { inbox, secret, item } => {
                self.bounded(&item, self.limits.inbox_item_bytes_max)?;
                let capability = transcript::capability_id(&secret);
                let id = transcript::item_id(&inbox, &item);
                Ok(Operand::InboxSend { inbox, capability, item: id, content: item })
            }
            Request::ShelfTake { inbox, secret, slot } => {
                let capability = transcript::capability_id(&secret);
                Ok(Operand::ShelfTake { inbox, capability, slot })
            }
            // spec: BLB-001
            Request::BlobCreate { key, size } => {
                Ok(Operand::BlobCreate { blob: transcript::blob_id(&key), size })
            }
            Request::BlobWrite { key, offset, content } => {
                Ok(Operand::BlobWrite { blob: transcript::blob_id(&key), offset, content })
            }
            Request::BlobDelete(key) => Ok(Operand::BlobDelete(transcript::blob_id(&key))),
            other => self.owner_operand(session, other),
        }
    }

    /// The writes of an inbox's owner.
    fn owner_operand(&self, session: SessionId, request: Request) -> Result<Operand, Refusal> {
        match request {
            Request::InboxRotate { handle, next_owner_key: next_owner, signature } => {
                let door = self.handles.inbox(handle)?;
                let transcript =
                    transcript::inbox_rotate(&self.relay, &session, &door.inbox, &next_owner);
                verified(&transcript, &next_owner, &signature)?;
                Ok(Operand::InboxRotate { door, next_owner })
            }
            Request::InboxAdvance { handle, cursor } => {
                Ok(Operand::InboxAdvance { door: self.handles.inbox(handle)?, cursor })
            }
            Request::CapabilityPut { handle, capability, items_max, expires_at, card } => {
                let door = self.handles.inbox(handle)?;
                self.bounded(&card, self.limits.card_bytes_max)?;
                Ok(Operand::CapabilityPut { door, capability, items_max, expires_at, card })
            }
            Request::CapabilityRevoke { handle, capability } => {
                Ok(Operand::CapabilityRevoke { door: self.handles.inbox(handle)?, capability })
            }
            Request::SlotDrop { handle, slot } => {
                Ok(Operand::SlotDrop { door: self.handles.inbox(handle)?, slot })
            }
            Request::ShelfPut { handle, package, kind, before } => {
                let door = self.handles.inbox(handle)?;
                self.bounded(&package, self.limits.key_package_bytes_max)?;
                Ok(Operand::ShelfPut { door, package, kind, before })
            }
            Request::DeviceListPut { handle, device_list } => {
                let door = self.handles.inbox(handle)?;
                self.bounded(&device_list, self.limits.device_list_bytes_max)?;
                Ok(Operand::DeviceListPut { door, device_list })
            }
            _ => Err(Code::Unsupported.into()),
        }
    }

    fn create_channel(
        &mut self,
        session: SessionId,
        id: RequestId,
        new: &NewChannel,
    ) -> Result<Step, Refusal> {
        // spec: CHN-001: the epoch id is computed here, not taken from the client.
        let epoch = transcript::root_epoch_id(&new.channel, &new.epoch_key, &new.nonce);
        let transcript = transcript::channel_create(&self.relay, &session, &new.channel, &epoch);
        verified(&transcript, &new.epoch_key, &new.signature)?;
        self.handles.reserve()?;
        self.in_flight.insert(id, Waiting::Handle);
        let operand = Operand::ChannelCreate { channel: new.channel, epoch, key: new.epoch_key };
        Ok(Step::Write(Write(operand)))
    }

    fn append(
        &mut self,
        id: RequestId,
        asker: Asker,
        handle: Handle,
        content: Content,
        operation: Operation,
    ) -> Result<Step, Refusal> {
        let (channel, epoch) = self.handles.channel(handle)?;
        // spec: CHN-009, CHN-033
        match (&content, &operation) {
            (Content::Inline(bytes), Operation::Note) => {
                self.bounded(bytes, self.limits.note_bytes_max)?;
            }
            (Content::Inline(bytes), _) => {
                self.bounded(bytes, self.limits.entry_inline_bytes_max)?;
            }
            (Content::Blob(BlobReference { size, .. }), operation) => {
                let is_note = matches!(operation, Operation::Note);
                if is_note || *size > self.limits.entry_blob_bytes_max {
                    return Err(Code::TooLarge.into());
                }
            }
        }
        // spec: CHN-003
        let entry = transcript::entry_id(&channel, &epoch, &operation, &content.hash());
        Ok(self.write(id, Operand::Append { channel, epoch, entry, content, operation, asker }))
    }

    fn open(&mut self, id: RequestId, question: Question) -> Result<Step, Refusal> {
        self.handles.reserve()?;
        self.in_flight.insert(id, Waiting::Handle);
        Ok(Step::Lookup(Lookup(question)))
    }

    fn ask(&mut self, id: RequestId, question: Question) -> Step {
        self.in_flight.insert(id, Waiting::Answer);
        Step::Lookup(Lookup(question))
    }

    fn write(&mut self, id: RequestId, operand: Operand) -> Step {
        self.in_flight.insert(id, Waiting::Answer);
        Step::Write(Write(operand))
    }

    fn stop(&mut self, reading: RequestId) -> Result<Step, Refusal> {
        let reading = self.handles.end_reading(reading).ok_or(Code::UnknownHandle)?;
        Ok(Step::Stop { readings: vec![reading], reply: Reply::ready(Answer::Done) })
    }

    fn close_handle(&mut self, handle: Handle) -> Result<Step, Refusal> {
        let readings = self.handles.close(handle)?;
        Ok(Step::Stop { readings, reply: Reply::ready(Answer::Done) })
    }

    /// spec: INB-022
    fn bounded(&self, bytes: &Bytes, bytes_max: u32) -> Result<(), Refusal> {
        let fits = u32::try_from(bytes.len()).is_ok_and(|length| length <= bytes_max);
        if fits { Ok(()) } else { Err(Code::TooLarge.into()) }
    }
}

/// The fields of a create request.
struct NewChannel {
    channel: ChannelId,
    epoch_key: PublicKey,
    nonce: Nonce,
    signature: Signature,
}

fn verified(
    transcript: &Transcript,
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), Refusal> {
    transcript.verify(key, signature).map_err(|_| Code::Denied.into())
}
