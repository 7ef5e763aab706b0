//! Appending an entry to an epoch: the order of the checks is the table of spec/channels.md.

use hushwire_wire::{
    error::{Code, Refusal},
    id::{ChannelId, EntryId, EpochId, PublicKey, Timestamp},
    limit::Limits,
    message::{Content, Repeated},
    transcript::{self, CommitMark, Operation},
};

use super::{
    create::{keep, kept_until, renewal_ms},
    row::{Candidate, ContentRow, EpochRow, HeaderRow, Origin, PlaceRow, place_key},
};
use crate::{
    blob::{self, hold::Hold},
    news::News,
    outcome::{Effect, Refused},
    store::{Action, Change, Object, Read, Table},
    waiting::{Asker, Bid, Kind, Slot, WaitingRoom},
    write::{Planned, Scene},
};

/// An entry on its way into an epoch.
pub(crate) struct Append<'a> {
    pub(crate) channel: &'a ChannelId,
    pub(crate) epoch: &'a EpochId,
    pub(crate) entry: &'a EntryId,
    pub(crate) content: &'a Content,
    pub(crate) operation: &'a Operation,
    pub(crate) asker: &'a Asker,
}

impl Append<'_> {
    pub(crate) fn plan<V: Read>(
        &self,
        scene: &Scene<'_, V>,
        waiting: &mut WaitingRoom,
    ) -> Result<Planned, Refused> {
        // spec: CHN-030: the handle outlived its epoch.
        let row = EpochRow::load(scene.view, scene.now, self.channel, self.epoch)?
            .ok_or(Code::Expired)?;
        // spec: CHN-018: before any look at the state of the epoch.
        if let Some(repeated) = self.repeated(scene)? {
            return Ok(Planned::quiet(Vec::new(), repeated));
        }
        match self.operation {
            Operation::Message => check_message(&row)?,
            Operation::Commit(mark) => self.check_commit(scene, &row, mark)?,
            Operation::Note => check_note(scene.limits, &row)?,
        }
        let slot = self.slot();
        if let Some(slot) = &slot {
            self.take_turn(scene, waiting, &row, *slot)?;
        }
        let hold = self.hold(scene)?;
        if let Some(slot) = &slot {
            waiting.taken(slot);
        }
        Ok(Planned { hold, ..self.store(scene, row) })
    }

    fn repeated<V: Read>(&self, scene: &Scene<'_, V>) -> Result<Option<Effect>, Refused> {
        let object = Object::Channel(*self.channel);
        let value = scene.view.row(&object, Table::EntryPlace, self.entry.as_bytes(), scene.now)?;
        let place = value.map(PlaceRow::decode).transpose()?;
        Ok(place.map(|place| self.appended(place, Repeated::Again)))
    }

    const fn appended(&self, place: PlaceRow, repeated: Repeated) -> Effect {
        Effect::Appended {
            channel: *self.channel,
            epoch: *self.epoch,
            entry: *self.entry,
            sequence: place.sequence,
            head: place.head,
            repeated,
        }
    }

    fn check_commit<V: Read>(
        &self,
        scene: &Scene<'_, V>,
        row: &EpochRow,
        mark: &CommitMark,
    ) -> Result<(), Refused> {
        // spec: CHN-020: who does not know all candidates has to read them first.
        if row.candidate_ids() != mark.contested {
            return Err(stale(row).into());
        }
        // spec: CHN-021
        if row.candidates.len() >= usize::from(scene.limits.candidates_max) {
            return Err(Code::CandidatesExhausted.into());
        }
        self.check_next_key(scene, &mark.next_key)
    }

    /// What is waited for to append this; messages wait for nothing.
    const fn slot(&self) -> Option<Slot> {
        let kind = match self.operation {
            Operation::Message => return None,
            Operation::Commit(_) => Kind::Commit,
            Operation::Note => Kind::Note,
        };
        Some(Slot { channel: *self.channel, epoch: *self.epoch, kind })
    }

    /// Refused before the time has come, and while it is somebody else's turn
    /// (spec: CHN-023, CHN-024, CHN-033, CHN-037).
    fn take_turn<V: Read>(
        &self,
        scene: &Scene<'_, V>,
        waiting: &mut WaitingRoom,
        row: &EpochRow,
        slot: Slot,
    ) -> Result<(), Refusal> {
        let left_ms = match slot.kind {
            Kind::Commit => commit_wait_ms(scene, row),
            Kind::Note => note_wait_ms(scene, row),
        };
        let bid = Bid { slot, asker: *self.asker, left_ms, turn_ms: scene.limits.turn_ms };
        waiting.ask(scene.now, &bid).map_err(|wait_ms| Refusal::later(Code::TooEarly, wait_ms))
    }

    /// spec: CHN-022: the epoch's own key is among those seen.
    fn check_next_key<V: Read>(
        &self,
        scene: &Scene<'_, V>,
        next_key: &PublicKey,
    ) -> Result<(), Refused> {
        let object = Object::Channel(*self.channel);
        let seen = scene.view.row(&object, Table::SeenKey, next_key.as_bytes(), scene.now)?;
        if seen.is_some() { Err(Code::KeyReused.into()) } else { Ok(()) }
    }

    /// The blob that the entry names is proven and held with it (spec: CHN-010, CHN-031).
    fn hold<V: Read>(&self, scene: &Scene<'_, V>) -> Result<Option<Hold>, Refused> {
        match self.content {
            Content::Blob(reference) => {
                blob::hold::plan(scene, reference, self.content_kept_until(scene))
            }
            Content::Inline(_) => Ok(None),
        }
    }

    /// A note is of use as long as the candidates that it is about (spec: CHN-017).
    fn content_kept_until<V: Read>(&self, scene: &Scene<'_, V>) -> Timestamp {
        scene.now.plus_ms(match self.operation {
            Operation::Message => scene.limits.message_retention_ms,
            Operation::Commit(_) | Operation::Note => scene.limits.commit_retention_ms,
        })
    }

    fn store<V: Read>(&self, scene: &Scene<'_, V>, mut row: EpochRow) -> Planned {
        let (limits, now) = (scene.limits, scene.now);
        // spec: CHN-006
        let sequence = row.next;
        let head = transcript::next_head(&row.head, sequence, self.entry);
        row.next = sequence.next();
        row.head = head;

        let mut changes = Vec::with_capacity(6);
        match self.operation {
            Operation::Message => {}
            Operation::Commit(mark) => {
                row.candidates.push(Candidate { entry: *self.entry, cut: mark.cut });
                row.last_candidate_at = now;
                changes.extend(self.open_child(scene, mark));
            }
            // spec: CHN-034: it is no candidate, and opens nothing.
            Operation::Note => {
                row.notes = row.notes.saturating_add(1);
                row.last_note_at = now;
            }
        }
        if now.ms_since(row.renewed_at) >= renewal_ms(limits) {
            row.renewed_at = now;
            changes.extend(keep(limits, self.epoch, &row));
        } else {
            let expires = Some(kept_until(limits, row.renewed_at));
            let action = Action::Put { value: row.encode(), expires };
            changes.push(Change { table: Table::Epoch, key: self.epoch.to_field(), action });
        }
        let place = PlaceRow { sequence, head };
        changes.extend(self.rows(scene, place));
        Planned {
            changes,
            effect: self.appended(place, Repeated::First),
            news: Some(News::Channel { channel: *self.channel, epoch: *self.epoch }),
            hold: None,
        }
    }

    /// The epoch that a commit opens bears the id of its entry (spec: CHN-011).
    fn open_child<V: Read>(&self, scene: &Scene<'_, V>, mark: &CommitMark) -> [Change; 2] {
        let child = EpochId::from_bytes(*self.entry.as_bytes());
        let origin = Origin::Child { parent: *self.epoch, cut: mark.cut };
        let row = EpochRow::opened(self.channel, &child, mark.next_key, origin, scene.now);
        keep(scene.limits, &child, &row)
    }

    /// The entry's own rows; its content goes before its id does (spec: CHN-016).
    fn rows<V: Read>(&self, scene: &Scene<'_, V>, place: PlaceRow) -> [Change; 3] {
        let (limits, now) = (scene.limits, scene.now);
        let header = HeaderRow { entry: *self.entry, stored_at: now };
        let key = place_key(self.epoch, place.sequence);
        let put = |table, key, value, expires| Change {
            table,
            key,
            action: Action::Put { value, expires: Some(expires) },
        };
        let header_expires = kept_until(limits, now);
        let content = ContentRow::encode(self.operation, self.content);
        [
            put(Table::EntryHeader, key.clone(), header.encode(), header_expires),
            put(Table::EntryContent, key, content, self.content_kept_until(scene)),
            put(Table::EntryPlace, self.entry.to_field(), place.encode(), header_expires),
        ]
    }
}

/// An epoch takes messages until its first commit (spec: CHN-019).
fn check_message(row: &EpochRow) -> Result<(), Refusal> {
    if row.candidates.is_empty() { Ok(()) } else { Err(stale(row)) }
}

fn stale(row: &EpochRow) -> Refusal {
    Refusal { candidates: row.candidate_ids(), ..Code::Stale.into() }
}

/// An epoch takes notes from its first commit on (spec: CHN-032, CHN-033).
fn check_note(limits: &Limits, row: &EpochRow) -> Result<(), Code> {
    if row.candidates.is_empty() {
        return Err(Code::NoCandidates);
    }
    if row.notes >= limits.notes_max { Err(Code::NotesExhausted) } else { Ok(()) }
}

/// How long a commit has to wait until the epoch takes it; 0 if not at all
/// (spec: CHN-023, CHN-024, CHN-035).
fn commit_wait_ms<V: Read>(scene: &Scene<'_, V>, row: &EpochRow) -> u64 {
    let (since, gap_ms) = if row.candidates.is_empty() {
        match row.origin {
            // Its creator is alone in it: nobody else could be starved.
            Origin::Root => return 0,
            Origin::Child { .. } => (row.opened_at, scene.limits.epoch_age_min_ms),
        }
    } else {
        let limits = scene.limits;
        let gap_ms = limits.gap_ms(limits.candidate_gap_min_ms, row.candidates.len());
        (row.last_candidate_at, gap_ms)
    };
    left_ms(scene.now, since, gap_ms)
}

/// How long a note has to wait until the epoch takes it; 0 if not at all (spec: CHN-033, CHN-035).
fn note_wait_ms<V: Read>(scene: &Scene<'_, V>, row: &EpochRow) -> u64 {
    if row.notes == 0 {
        return 0;
    }
    let gap_ms = scene.limits.gap_ms(scene.limits.note_gap_min_ms, row.notes.into());
    left_ms(scene.now, row.last_note_at, gap_ms)
}

/// What is left of a time; a clock that was set back makes nobody wait longer than that time.
fn left_ms(now: Timestamp, since: Timestamp, gap_ms: u64) -> u64 {
    since.plus_ms(gap_ms).ms_since(now).min(gap_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn row(origin: Origin, candidates: Vec<Candidate>) -> EpochRow {
        let (channel, epoch) = (ChannelId::from_bytes([1; 32]), EpochId::from_bytes([2; 32]));
        let key = PublicKey::from_bytes([3; 32]);
        let mut row = EpochRow::opened(&channel, &epoch, key, origin, Timestamp(10_000));
        row.last_candidate_at = Timestamp(20_000);
        row.candidates = candidates;
        row
    }

    #[test]
    fn waits_are_counted_from_the_epoch_or_its_last_candidate() {
        // spec: CHN-023, CHN-024, CHN-035
        let cut = transcript::Cut::Through;
        let child = Origin::Child { parent: EpochId::from_bytes([4; 32]), cut };
        let first = vec![Candidate { entry: EntryId::from_bytes([5; 32]), cut }];
        let cases = [
            (row(Origin::Root, vec![]), 10_000, 0),
            (row(child, vec![]), 10_000, 1_000),
            (row(child, vec![]), 10_999, 1),
            (row(child, vec![]), 11_000, 0),
            // A clock that was set back makes nobody wait longer than the rule says.
            (row(child, vec![]), 1_000, 1_000),
            (row(child, first.clone()), 20_000, 500),
            (row(Origin::Root, first.clone()), 20_499, 1),
            (row(child, first.clone()), 20_500, 0),
            (row(child, first.repeat(4)), 20_500, 500),
            (row(child, first.repeat(9)), 20_500, 1_500),
        ];
        let (view, limits) = (MemoryStore::new(), Limits::V1);
        for (row, now, expected) in cases {
            let scene = Scene { view: &view, limits: &limits, now: Timestamp(now) };
            assert_eq!(commit_wait_ms(&scene, &row), expected, "at {now}");
        }
    }
}
