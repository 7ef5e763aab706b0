"""The judge of the model: what follows from the answers that were given so far.

It knows nothing of the model's states. Whatever it says about a later answer it has worked out
from operations and answers alone, in another way than the model does.
"""

from collections import namedtuple

from model import (
    CHANNEL, NOTE, Append, BlobDelete, Close, Create, Open, Opened, Proof, Read, ReadOut, Refused,
    Restart, Session, Wait, entry_id, gap_after, head_of, is_commit, refuse, root_epoch,
)

# What was acknowledged: age since then. candidates: how many commits stood there before it.
Ack = namedtuple("Ack", "epoch sequence entry mark blob age gap")
# A session that was told to come again to commit. told: in how long; here: for how long it waits at
# least; turn: for how long it may be its turn.
Told = namedtuple("Told", "epoch who told here turn")
# What is known of an epoch from the answers that made it.
Known = namedtuple("Known", "id key parent cut created used")


class Violation(Exception):
    """An answer that the history of answers does not allow."""


def must(holds, what):
    if not holds:
        raise Violation(what)


class Ledger(namedtuple("Ledger", "epochs acks handles generations waits", defaults=((),))):
    """What follows from the operations and their answers so far, and nothing else."""

    __slots__ = ()

    def known(self, name):
        return next((epoch for epoch in self.epochs if epoch.id == name), None)

    def log(self, name):
        return [ack for ack in self.acks if ack.epoch == name]

    def commits(self, name):
        return tuple(ack.entry for ack in self.acks if ack.epoch == name and is_commit(ack.mark))

    def notes(self, name):
        return [ack for ack in self.log(name) if ack.mark == NOTE]

    def left(self, limits, name, mark):
        """How long an epoch takes no commit, or no note, yet."""
        epoch, alike = self.known(name), [
            ack for ack in self.log(name) if ack.mark and is_commit(ack.mark) == is_commit(mark)]
        if alike:
            first = limits.gap if is_commit(mark) else limits.note_gap
            return gap_after(limits, first, len(alike)) - min(ack.age for ack in alike)
        young = epoch is not None and epoch.parent is not None and is_commit(mark)
        return limits.age - epoch.created if young else 0

    def readable(self, top, name):
        """Whether every epoch on the way up from `name` to `top` was opened without cut."""
        while name != top:
            epoch = self.known(name)
            if epoch is None or epoch.cut or self.known(epoch.parent) is None:
                return False
            name = epoch.parent
        return self.known(top) is not None

    def judge(self, limits, operation, answer):
        """The ledger after the answer, or a violation of a rule by it."""
        if isinstance(answer, Refused):
            self.judge_refusal(limits, operation, answer)
            return self.told(limits, operation, answer)
        if isinstance(operation, (Create, Open)):
            return self.judge_opened(operation, answer)
        if isinstance(operation, Append):
            return self.judge_appended(limits, operation, answer)
        if isinstance(operation, Read):
            self.judge_reading(limits, operation, answer)
        if isinstance(operation, Close):
            gone = (operation.session, operation.handle)
            return self._replace(handles=tuple(h for h in self.handles if h[:2] != gone))
        if isinstance(operation, Restart):
            number = operation.session
            generations = list(self.generations)
            generations[number] += 1
            return self._replace(generations=tuple(generations), handles=tuple(
                held for held in self.handles if held[0] != number))
        if isinstance(operation, Wait):
            return self.later(limits, operation.span)
        return self

    def later(self, limits, span):
        epochs = tuple(
            epoch._replace(created=min(epoch.created + span, limits.epoch_kept),
                           used=epoch.used + span)
            for epoch in self.epochs if epoch.used + span < limits.epoch_kept)
        living = {epoch.id for epoch in epochs}
        acks = tuple(ack._replace(age=min(ack.age + span, limits.epoch_kept))
                     for ack in self.acks if ack.epoch in living)
        waits = tuple(wait._replace(told=max(wait.told - span, 0), here=max(wait.here - span, 0),
                                    turn=max(wait.turn - span, 0))
                      for wait in self.waits if max(wait.here, wait.turn) > span)
        return self._replace(epochs=epochs, acks=acks, waits=waits)

    # Waiting to commit. Of notes, where one that is taken ends a turn and lets the others wait on,
    # only the times of all are judged.

    def asker(self, operation):
        return (operation.session, self.generations[operation.session])

    def told(self, limits, operation, answer):
        """The ledger when a session was told to come again."""
        if answer.code != "TOO_EARLY" or not is_commit(operation.mark):
            return self
        name, who = self.handle(operation), self.asker(operation)
        turn = answer.wait if self.left(limits, name, operation.mark) <= 0 else 0
        waits = [wait._replace(turn=max(wait.turn, turn)) if wait.epoch == name else wait
                 for wait in self.waits if (wait.epoch, wait.who) != (name, who)]
        here = answer.wait + limits.turn
        waits.append(Told(name, who, answer.wait, here, here))
        return self._replace(waits=tuple(sorted(waits)))

    def judge_turn(self, operation):
        """A commit was taken: nobody was there before its session, and it was not told to wait."""
        name, who = self.handle(operation), self.asker(operation)
        waits = {wait.who: wait for wait in self.waits if wait.epoch == name}
        must(who not in waits or waits[who].told == 0, "taken though it was told to wait (CHN-037)")
        must(who in waits or all(wait.here == 0 for wait in waits.values()),
             "taken before those who waited (CHN-037)")
        return self._replace(waits=tuple(wait for wait in self.waits if wait.epoch != name))

    # Openings.

    def judge_opened(self, operation, answer):
        proof, purpose = operation.proof, "open"
        if isinstance(operation, Create):
            purpose = "create"
            first = root_epoch(operation.channel, operation.key, operation.nonce)
            must(answer.epoch == first, "the first epoch has another id (CHN-001)")
            must(not self.epochs or self.known(first), "created over a channel (CHN-008)")
            if not self.epochs:
                self = self._replace(epochs=(Known(first, operation.key, None, False, 0, 0),))
        epoch = self.known(answer.epoch)
        must(epoch is not None, "opened at an epoch that nobody made (CHN-007)")
        right = Proof(epoch.key, purpose, operation.session,
                      self.generations[operation.session], operation.channel, epoch.id)
        must(proof == right, "opened without the proof (CHN-001, CHN-002)")
        log = self.log(epoch.id)
        must(answer.next == len(log), "the next sequence leaves a gap (CHN-006)")
        must(answer.head == head_of(CHANNEL, epoch.id, [ack.entry for ack in log]),
             "the head does not follow from the log (CHN-006)")
        must(answer.candidates == self.commits(epoch.id), "other candidates (CHN-013)")
        siblings = tuple(other for other in self.commits(epoch.parent) if other != epoch.id)
        must(answer.siblings == siblings, "other siblings (CHN-013)")
        handle = (operation.session, answer.handle, epoch.id)
        must(all(held[:2] != handle[:2] for held in self.handles), "a handle twice")
        return self._replace(handles=self.handles + (handle,))

    # Appends.

    def handle(self, operation):
        wanted = (operation.session, operation.handle)
        return next((held[2] for held in self.handles if held[:2] == wanted), None)

    def judge_appended(self, limits, operation, answer):
        name, mark = self.handle(operation), operation.mark
        epoch, log = self.known(name), self.log(name)
        must(epoch is not None, "appended to no epoch (CHN-030)")
        entry = entry_id(CHANNEL, name, mark or "message", operation.content)
        must(answer.entry == entry, "another entry id (CHN-003)")
        first = [ack for ack in log if ack.entry == entry and ack.age < limits.epoch_kept]
        must(answer.repeated == bool(first), "an entry stands there twice (CHN-018)")
        if first:
            must(answer.sequence == first[0].sequence, "repeated at another place (CHN-018)")
            ids = [ack.entry for ack in log[:answer.sequence + 1]]
            must(answer.head == head_of(CHANNEL, name, ids), "repeated, another head (CHN-018)")
            return self
        must(answer.sequence == len(log), "a gap in the sequence (CHN-006)")
        ids = [ack.entry for ack in log] + [entry]
        must(answer.head == head_of(CHANNEL, name, ids), "the head does not follow (CHN-006)")
        earlier = self.commits(name)
        if mark is None:
            must(not earlier, "a message behind a commit (CHN-019)")
        elif mark == NOTE:
            must(earlier, "a note without a candidate (CHN-032)")
            must(len(self.notes(name)) < limits.notes, "too many notes (CHN-033)")
            must(self.left(limits, name, mark) <= 0, "notes without a gap (CHN-033, CHN-035)")
        else:
            self = self.judge_turn(operation)
            must(mark.contested == earlier, "a candidate that has not read another (CHN-020)")
            must(len(earlier) < limits.candidates, "too many candidates (CHN-021)")
            must(all(mark.next_key != other.key for other in self.epochs),
                 "a key opens two epochs (CHN-022)")
            must(earlier or epoch.parent is None or epoch.created >= limits.age,
                 "a commit before the epoch was old enough (CHN-023)")
            must(self.left(limits, name, mark) <= 0, "candidates without a gap (CHN-024, CHN-035)")
        blob = operation.blob.name if operation.blob else None
        acks = self.acks + (Ack(name, answer.sequence, entry, mark, blob, 0, 0),)
        epochs = tuple(other._replace(used=0) if other.id == name else other
                       for other in self.epochs)
        if is_commit(mark):
            epochs += (Known(entry, mark.next_key, name, mark.cut, 0, 0),)
        return self._replace(acks=acks, epochs=epochs)

    def judge_refusal(self, limits, operation, answer):
        """A refusal has to have its reason; the table of an append once more, as guards."""
        if isinstance(operation, (Create, Open)):
            self.judge_denial(operation, answer)
        if not isinstance(operation, Append):
            return
        name, mark, code = self.handle(operation), operation.mark, answer.code
        epoch, earlier = self.known(name), self.commits(name)
        reasons = {
            "UNKNOWN_HANDLE": name is None,
            "EXPIRED": epoch is None,
            "STALE": mark is None and earlier or is_commit(mark) and mark.contested != earlier,
            "CANDIDATES_EXHAUSTED": is_commit(mark) and len(earlier) >= limits.candidates,
            "KEY_REUSED": is_commit(mark) and any(
                mark.next_key == other.key for other in self.epochs),
            "NO_CANDIDATES": mark == NOTE and not earlier,
            "NOTES_EXHAUSTED": mark == NOTE and len(self.notes(name)) >= limits.notes,
            "TOO_EARLY": mark and epoch and self.must_wait(limits, operation, answer.wait),
            "TOO_LARGE": True,
            "BLOB_MISSING": operation.blob is not None,
        }
        must(reasons.get(code), "refused without a reason: " + code)
        if code == "STALE":
            must(answer.candidates == earlier, "stale with other candidates (CHN-019)")

    def must_wait(self, limits, operation, wait):
        """Whether a session has to wait so long: for all of the time, or for another one's turn."""
        name = self.handle(operation)
        left = self.left(limits, name, operation.mark)
        if left > 0:
            return wait == left
        others = [other for other in self.waits
                  if other.epoch == name and other.who != self.asker(operation)
                  and max(other.here, other.turn) > 0]
        return 0 < wait <= limits.turn and (operation.mark == NOTE or others)

    def judge_denial(self, operation, answer):
        proof, creating = operation.proof, isinstance(operation, Create)
        name = operation.epoch if not creating else root_epoch(
            operation.channel, operation.key, operation.nonce)
        epoch = self.known(name)
        key = operation.key if creating else epoch and epoch.key
        right = Proof(key, "create" if creating else "open", operation.session,
                      self.generations[operation.session], operation.channel, name)
        proven = proof == right and (creating or operation.channel == CHANNEL)
        code = "ALREADY_EXISTS" if proven else "DENIED"
        must(answer == refuse(code), "another refusal than " + code + " (CHN-007, CHN-008)")
        must(not proven or creating and epoch is None and self.epochs,
             "refused in spite of the proof (CHN-002, CHN-008)")

    # Readings.

    def judge_reading(self, limits, operation, answer):
        top = self.handle(operation)
        shown = {part.epoch: part for part in answer.shown}
        must(len(shown) == len(answer.shown), "an epoch is shown twice (CHN-014)")
        for name in shown:
            must(self.readable(top, name), "shown behind a cut (CHN-005)")
        if answer.refused is None:
            for epoch in self.epochs:
                if self.readable(operation.epoch, epoch.id):
                    must(epoch.id in shown, "a child opened through is not shown (CHN-014)")
        for name, part in shown.items():
            log = self.log(name)
            start = operation.start if name == operation.epoch else 0
            must(part.next == len(log), "a reading ends early or late (CHN-015)")
            must(part.head == head_of(CHANNEL, name, [ack.entry for ack in log]),
                 "a reading ends with another head (CHN-015)")
            must([entry[:2] for entry in part.entries]
                 == [(ack.sequence, ack.entry) for ack in log[start:]],
                 "what was acknowledged is lost (CHN-012, CHN-016)")
            for (_, _, kept, age), ack in zip(part.entries, log[start:]):
                must(age == ack.age, "stored at another time")
                bound = limits.commit_kept if ack.mark else limits.message_kept
                must(kept == (ack.age < bound), "content lost early or kept late (CHN-017)")
        self.judge_order(answer)

    def judge_order(self, answer):
        """Depth first, in relay order: CHN-014."""
        if not answer.shown:
            return
        expected, stack = [], [answer.shown[0].epoch]
        while stack:
            name = stack.pop()
            expected.append(name)
            children = [c for c in self.commits(name) if self.known(c) and not self.known(c).cut]
            stack.extend(reversed(children))
        given = [part.epoch for part in answer.shown]
        must(given == expected[:len(given)], "children in another order (CHN-014)")


def audit(model, state, ledger):
    """Opens every epoch that has to be there, reads it, and asks for what is held."""
    limits, number = model.limits, len(state.sessions)
    state = state._replace(sessions=state.sessions + (Session(0, 0, ()),))
    ledger = ledger._replace(generations=ledger.generations + (0,))
    for epoch in ledger.epochs:
        proof = Proof(epoch.key, "open", number, 0, CHANNEL, epoch.id)
        operation = Open(number, CHANNEL, epoch.id, proof)
        after, answer = model.step(state, operation)
        must(isinstance(answer, Opened), "an epoch is gone before its time (CHN-017)")
        judged = ledger.judge(limits, operation, answer)
        for start in range(answer.next + 1):
            operation = Read(number, answer.handle, epoch.id, start)
            _, reading = model.step(after, operation)
            if isinstance(reading, ReadOut):
                judged.judge(limits, operation, reading)
            else:
                gone = [ack.age >= limits.epoch_kept for ack in ledger.log(epoch.id)[start:]]
                must(gone[:1] == [True] and reading.code == "EXPIRED",
                     "a reading is refused without a reason (CHN-026)")
        for other in ledger.epochs:
            if not ledger.readable(epoch.id, other.id):
                _, reading = model.step(after, Read(number, answer.handle, other.id, 0))
                must(reading == refuse("NOT_READABLE"), "read behind a cut (CHN-025)")
    for ack in ledger.acks:
        bound = limits.commit_kept if ack.mark else limits.message_kept
        if ack.blob is not None and ack.age < bound:
            _, answer = model.step(state, BlobDelete(ack.blob))
            must(answer == refuse("BLOB_IN_USE"), "the blob of an entry goes (CHN-031)")
