//! The handles and readings of a session, within their bounds (spec: WIRE-062, WIRE-063).

use std::collections::BTreeMap;

use hushwire_wire::{
    error::{Code, Refusal},
    id::{ChannelId, EpochId, InboxId, PublicKey},
    limit::Limits,
    message::{Handle, RequestId},
};

use super::Opened;
use crate::write::InboxDoor;

/// Handles and readings of one session.
#[derive(Debug)]
pub(super) struct Handles {
    handles_max: usize,
    readings_max: usize,
    next_handle: Handle,
    handles: BTreeMap<Handle, Opened>,
    /// Handles that requests in flight may still open.
    reserved: usize,
    /// Which handle a reading uses; a blob's uses none.
    readings: BTreeMap<RequestId, Option<Handle>>,
}

impl Handles {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            handles_max: limits.handles_max.into(),
            readings_max: limits.readings_max.into(),
            next_handle: Handle(1),
            handles: BTreeMap::new(),
            reserved: 0,
            readings: BTreeMap::new(),
        }
    }

    /// Keeps room for one more handle.
    pub(super) fn reserve(&mut self) -> Result<(), Refusal> {
        if self.handles.len().saturating_add(self.reserved) >= self.handles_max {
            return Err(Code::LimitExceeded.into());
        }
        self.reserved = self.reserved.saturating_add(1);
        Ok(())
    }

    /// Gives up the room kept by [`Self::reserve`].
    pub(super) const fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// A new handle. Numbers are never used again in a session.
    pub(super) fn open(&mut self, opened: Opened) -> Handle {
        let handle = self.next_handle;
        self.next_handle = Handle(handle.0.saturating_add(1));
        self.handles.insert(handle, opened);
        handle
    }

    /// Ends a handle, and names the readings that end with it.
    pub(super) fn close(&mut self, handle: Handle) -> Result<Vec<RequestId>, Refusal> {
        self.handles.remove(&handle).ok_or(Code::UnknownHandle)?;
        let readings: Vec<RequestId> = self
            .readings
            .iter()
            .filter(|(_, used)| **used == Some(handle))
            .map(|(id, _)| *id)
            .collect();
        for id in &readings {
            self.readings.remove(id);
        }
        Ok(readings)
    }

    pub(super) fn channel(&self, handle: Handle) -> Result<(ChannelId, EpochId), Refusal> {
        match self.handles.get(&handle) {
            Some(Opened::Channel { channel, epoch }) => Ok((*channel, *epoch)),
            Some(Opened::Inbox(_)) | None => Err(Code::UnknownHandle.into()),
        }
    }

    pub(super) fn inbox(&self, handle: Handle) -> Result<InboxDoor, Refusal> {
        match self.handles.get(&handle) {
            Some(Opened::Inbox(door)) => Ok(*door),
            Some(Opened::Channel { .. }) | None => Err(Code::UnknownHandle.into()),
        }
    }

    /// This session made the change of owner key, so its handles stay open.
    pub(super) fn rotate(&mut self, inbox: InboxId, before: PublicKey, owner: PublicKey) {
        for opened in self.handles.values_mut() {
            if let Opened::Inbox(door) = opened
                && door.inbox == inbox
                && door.owner == before
            {
                door.owner = owner;
            }
        }
    }

    /// Counts a reading.
    pub(super) fn begin_reading(
        &mut self,
        id: RequestId,
        handle: Option<Handle>,
    ) -> Result<(), Refusal> {
        if self.readings.len() >= self.readings_max {
            return Err(Code::LimitExceeded.into());
        }
        self.readings.insert(id, handle);
        Ok(())
    }

    /// Whether a reading goes on under this id.
    pub(super) fn reads(&self, id: RequestId) -> bool {
        self.readings.contains_key(&id)
    }

    /// Ends a reading, if it goes on.
    pub(super) fn end_reading(&mut self, id: RequestId) -> Option<RequestId> {
        self.readings.remove(&id).map(|_| id)
    }
}
