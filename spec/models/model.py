"""The relay's rules for channels as a pure function, `Model.step`.

From a state and an operation to the next state and the answer. Ids and heads are terms: they
stand for the hash of a transcript and are equal exactly when it is. All times in a state are
ages, so two states that differ only by the clock are one.
"""

from collections import namedtuple

# --- limits -------------------------------------------------------------------------------

Limits = namedtuple(
    "Limits",
    "candidates age gap notes note_gap step turn message_kept commit_kept epoch_kept blob_kept"
    " inline_max note_max blob_max",
)
# limits.md
REAL = Limits(64, 1_000, 500, 64, 200, 4, 1_000, 7_776_000_000, 31_536_000_000, 63_072_000_000,
              10_368_000_000, 65_536, 1_024, 33_554_432)
# The same order of lengths, short enough to be walked tick by tick.
SMALL = Limits(2, 2, 1, 2, 1, 1, 1, 3, 5, 7, 3, 65_536, 1_024, 33_554_432)

# --- terms: what is hashed ----------------------------------------------------------------

TERMS, _numbers = [], {}


def term(*parts):
    """The number of a hashed transcript: equal exactly when label and fields are."""
    number = _numbers.get(parts)
    if number is None:
        number = _numbers[parts] = len(TERMS)
        TERMS.append(parts)
    return number


def root_epoch(channel, key, nonce):  # CHN-001
    return term("root epoch", channel, key, nonce)


def entry_id(channel, epoch, operation, content):  # CHN-003
    return term("entry id", channel, epoch, operation, content)


def head_of(channel, epoch, entries):  # CHN-006
    head = term("chain start", channel, epoch)
    for sequence, entry in enumerate(entries):
        head = term("chain next", head, sequence, entry)
    return head


# --- states -------------------------------------------------------------------------------

# A world has one channel, "h0". Another name is a channel that the relay never heard of.
CHANNEL = "h0"

# mark is None for a message, NOTE for a note, or a Mark for a commit; blob is None or a name; age
# since stored.
Entry = namedtuple("Entry", "id mark blob age")
Mark = namedtuple("Mark", "next_key cut contested")
NOTE = "note"
# parent is None for the first epoch; cut is how the commit opened it.
Epoch = namedtuple("Epoch", "id key parent cut created used log")
# generation tells one session of a client from its next one; handles: ((number, epoch), ...).
Session = namedtuple("Session", "generation made handles")
# whole or only begun; held: for how long an entry still holds it, 0 when none does.
Blob = namedtuple("Blob", "name whole age held")
# Who waits for a place, and whose turn it is: CHN-036, CHN-037. place: an epoch and whether its next
# candidate or its next note; waiting: ((who, left), ...) in the order in which they came; turn:
# (who, left) or None; left: for how long yet; who: a session and its generation.
Queue = namedtuple("Queue", "place waiting turn")
State = namedtuple("State", "epochs sessions blobs queues")

Proof = namedtuple("Proof", "key purpose session generation channel epoch")
# content names the sealed bytes; `SIZES` has the length of the long ones. blob: None or Named.
Named = namedtuple("Named", "name size right_hash")
Create = namedtuple("Create", "session channel key nonce proof")
Open = namedtuple("Open", "session channel epoch proof")
# drawn: which of those who wait is drawn, if one is: the model leaves that to chance.
Append = namedtuple("Append", "session handle content blob mark drawn", defaults=(0,))
Read = namedtuple("Read", "session handle epoch start")
Close = namedtuple("Close", "session handle")
Restart = namedtuple("Restart", "session")  # the session ends and its client begins another
Wait = namedtuple("Wait", "span")
BlobPut = namedtuple("BlobPut", "name whole")
BlobDelete = namedtuple("BlobDelete", "name")

Refused = namedtuple("Refused", "code wait candidates")
Opened = namedtuple("Opened", "handle epoch next head candidates siblings")
Appended = namedtuple("Appended", "entry sequence head repeated")
# One epoch of a reading: entries are (sequence, id, kept, age).
Shown = namedtuple("Shown", "epoch entries next head")
ReadOut = namedtuple("ReadOut", "shown refused")
Done = namedtuple("Done", "")
Stored = namedtuple("Stored", "whole")

SIZES = {"full": 65_536, "long": 65_537, "slip": 1_024, "wide": 1_025}
BLOB_BYTES = 300


def refuse(code, wait=0, candidates=()):
    return Refused(code, wait, candidates)


def empty(sessions):
    return State((), tuple(Session(0, 0, ()) for _ in range(sessions)), (), ())


def is_commit(mark):
    return isinstance(mark, Mark)


def gap_after(limits, first, count):
    """The time to the next candidate or note when there are so many: CHN-035."""
    return first << count // limits.step


# --- the model ----------------------------------------------------------------------------


class Model:
    """The relay's rules under some limits; `wrong` names one that is broken on purpose."""

    def __init__(self, limits, wrong=None):
        self.limits, self.wrong = limits, wrong

    def step(self, state, operation):
        return getattr(self, type(operation).__name__.lower())(state, operation)

    # What a state holds.

    @staticmethod
    def epoch(state, name):
        return next((epoch for epoch in state.epochs if epoch.id == name), None)

    @staticmethod
    def candidates(epoch):
        return tuple(entry.id for entry in epoch.log if is_commit(entry.mark))

    def head(self, epoch):
        if self.wrong == "head-stays" and len(epoch.log) > 1:
            return head_of(CHANNEL, epoch.id, [entry.id for entry in epoch.log[:-1]])
        return head_of(CHANNEL, epoch.id, [entry.id for entry in epoch.log])

    @staticmethod
    def handle_epoch(state, operation):
        handles = state.sessions[operation.session].handles
        return next((epoch for number, epoch in handles if number == operation.handle), None)

    def content_kept(self, entry):  # CHN-017
        longer = entry.mark is not None and self.wrong != "commits-kept-short"
        if self.wrong == "notes-kept-short" and entry.mark == NOTE:
            longer = False
        return entry.age < (self.limits.commit_kept if longer else self.limits.message_kept)

    # Creating and opening.

    def proves(self, state, operation, purpose, key, epoch):
        proof = operation.proof
        generation = state.sessions[operation.session].generation
        if self.wrong == "proof-of-any-session":
            generation, operation = proof.generation, operation._replace(session=proof.session)
        if self.wrong == "proof-of-any-key":
            key = proof.key
        return proof == Proof(key, purpose, operation.session, generation,
                              operation.channel, epoch)

    def create(self, state, operation):
        first = root_epoch(operation.channel, operation.key, operation.nonce)
        if not self.proves(state, operation, "create", operation.key, first):  # CHN-001
            return state, refuse("DENIED")
        if state.epochs:  # CHN-008
            if self.epoch(state, first) is None or self.epoch(state, first).parent is not None:
                return state, refuse("ALREADY_EXISTS")
            return self.opened(state, operation.session, first)
        epoch = Epoch(first, operation.key, None, False, 0, 0, ())
        return self.opened(state._replace(epochs=(epoch,)), operation.session, first)

    def open(self, state, operation):
        epoch = self.epoch(state, operation.epoch)
        known = epoch is not None and operation.channel == CHANNEL
        if not known or not self.proves(state, operation, "open", epoch.key, epoch.id):
            return state, refuse("DENIED")  # CHN-002, CHN-007
        return self.opened(state, operation.session, epoch.id)

    def opened(self, state, number, name):  # CHN-013
        epoch, session = self.epoch(state, name), state.sessions[number]
        parent = self.epoch(state, epoch.parent)
        siblings = () if parent is None else tuple(
            other for other in self.candidates(parent) if other != name)
        if self.wrong == "siblings-hidden":
            siblings = ()
        handle = session.made
        session = session._replace(made=handle + 1,
                                   handles=session.handles + ((handle, name),))
        answer = Opened(handle, name, len(epoch.log), self.head(epoch),
                        self.candidates(epoch), siblings)
        return with_session(state, number, session), answer

    def close(self, state, operation):
        if self.handle_epoch(state, operation) is None:  # WIRE-063
            return state, refuse("UNKNOWN_HANDLE")
        session = state.sessions[operation.session]
        left = tuple(held for held in session.handles if held[0] != operation.handle)
        return with_session(state, operation.session, session._replace(handles=left)), Done()

    def restart(self, state, operation):
        session = state.sessions[operation.session]
        fresh = Session(session.generation + 1, 0, ())
        return with_session(state, operation.session, fresh), Done()

    # Appending: the rows of the table of an append, in its order.

    def append(self, state, operation):
        limits, wrong, mark = self.limits, self.wrong, operation.mark
        name = self.handle_epoch(state, operation)
        if name is None:
            return state, refuse("UNKNOWN_HANDLE")
        size = operation.blob.size if operation.blob else SIZES.get(operation.content, 0)
        bound = limits.note_max if mark == NOTE else limits.inline_max
        if size > (limits.blob_max if operation.blob else bound):  # row 1
            return state, refuse("TOO_LARGE")
        epoch = self.epoch(state, name)
        if epoch is None:  # row 2, CHN-030
            return state, refuse("EXPIRED")
        entry = entry_id(CHANNEL, name, mark or "message", operation.content)
        if wrong != "stored-again":  # row 3, CHN-018
            for sequence, old in enumerate(epoch.log):
                if old.id == entry and old.age < limits.epoch_kept:
                    ids = [before.id for before in epoch.log[:sequence + 1]]
                    if wrong == "repeated-with-last-head":
                        ids = [other.id for other in epoch.log]
                    return state, Appended(entry, sequence, head_of(CHANNEL, name, ids), True)
        candidates = self.candidates(epoch)
        if candidates and mark is None and wrong != "message-after-commit":  # row 4, CHN-019
            return state, refuse("STALE", 0, candidates)
        refusal = None
        if is_commit(mark):
            refusal = self.commit_refusal(state, epoch, mark, candidates)
        elif mark == NOTE:
            refusal = self.note_refusal(epoch, candidates)
        if refusal is not None:
            return state, refusal
        if mark is not None:  # rows 10 and 11
            state, wait = self.ask(state, epoch, operation)
            if wait:
                return state, refuse("TOO_EARLY", wait)
        if operation.blob is not None:  # row 12, CHN-010
            blob = self.blob(state, operation.blob.name)
            there = blob is not None and blob.whole and operation.blob.right_hash
            if not there or operation.blob.size != BLOB_BYTES:
                return state, refuse("BLOB_MISSING")
            kept = limits.message_kept if mark is None else limits.commit_kept
            if wrong != "blob-not-held":  # CHN-031
                state = with_blob(state, blob._replace(held=max(blob.held, kept)))
        if mark is not None:
            state = self.served(state, (epoch.id, self.kind(mark)))
        return self.stored(state, epoch, entry, operation)  # rows 13 to 15

    def commit_refusal(self, state, epoch, mark, candidates):
        limits, wrong = self.limits, self.wrong
        if mark.contested != candidates and wrong != "contested-unread":  # row 5, CHN-020
            return refuse("STALE", 0, candidates)
        if len(candidates) >= limits.candidates and wrong != "candidates-unbounded":  # row 6
            return refuse("CANDIDATES_EXHAUSTED")
        seen = {other.key for other in state.epochs}  # row 7, CHN-022
        if wrong == "own-key-allowed":
            seen.discard(epoch.key)
        if mark.next_key in seen and wrong != "key-reused":
            return refuse("KEY_REUSED")
        return None

    def note_refusal(self, epoch, candidates):
        if not candidates and self.wrong != "note-before-commit":  # row 8, CHN-032
            return refuse("NO_CANDIDATES")
        notes = [entry for entry in epoch.log if entry.mark == NOTE]
        if len(notes) >= self.limits.notes and self.wrong != "notes-unbounded":  # row 9, CHN-033
            return refuse("NOTES_EXHAUSTED")
        return None

    # Waiting and turns.

    @staticmethod
    def kind(mark):
        return "note" if mark == NOTE else "commit"

    def left(self, epoch, mark):
        """How long the place is not there yet for anybody: CHN-023, CHN-024, CHN-033, CHN-035."""
        limits, wrong = self.limits, self.wrong
        ages = [entry.age for entry in epoch.log if is_commit(entry.mark) == is_commit(mark)
                and entry.mark is not None]
        if not ages:
            young = is_commit(mark) and epoch.parent is not None and wrong != "age-unchecked"
            return max(limits.age - epoch.created, 0) if young else 0
        if wrong == "gap-unchecked":
            return 0
        first = limits.gap if is_commit(mark) else limits.note_gap
        count = 0 if wrong == "gap-stays" else len(ages)
        return max(gap_after(limits, first, count) - min(ages), 0)

    def ask(self, state, epoch, operation):
        """The state after an attempt at a place, and how long to wait for it: CHN-036, CHN-037."""
        turn_length, wrong = self.limits.turn, self.wrong
        place = (epoch.id, self.kind(operation.mark))
        who = (operation.session, state.sessions[operation.session].generation)
        queue = self.queue(state, place)
        left = self.left(epoch, operation.mark)
        if not left:
            if wrong == "draw-skipped":
                return state, 0
            if queue.turn is None and queue.waiting:
                drawn = queue.waiting[operation.drawn][0]
                turn = (drawn, turn_length * (3 if wrong == "turn-too-long" else 1))
                queue = queue._replace(turn=turn, waiting=tuple(
                    stay for stay in queue.waiting if stay[0] != drawn))
                state = with_queue(state, queue)
            if queue.turn is None or queue.turn[0] == who or wrong == "turn-ignored":
                return state, 0
            left = queue.turn[1]
        stay = (who, left + turn_length)
        if wrong == "nobody-waits":
            return state, left
        if any(other == who for other, _ in queue.waiting):
            waiting = tuple(stay if other[0] == who else other for other in queue.waiting)
        else:
            waiting = queue.waiting + (stay,)
        return with_queue(state, queue._replace(waiting=waiting)), left

    def draws(self, state, operation):
        """Among how many a draw decides in this operation; 1 if none does."""
        name = isinstance(operation, Append) and self.handle_epoch(state, operation)
        epoch = self.epoch(state, name) if name else None
        if epoch is None or operation.mark is None or self.left(epoch, operation.mark):
            return 1
        queue = self.queue(state, (name, self.kind(operation.mark)))
        return max(len(queue.waiting), 1) if queue.turn is None else 1

    @staticmethod
    def queue(state, place):
        found = (queue for queue in state.queues if queue.place == place)
        return next(found, Queue(place, (), None))

    def served(self, state, place):
        """The place was taken: who waited to commit has something new to read first."""
        queue = self.queue(state, place)
        waiting = queue.waiting if place[1] == "note" else ()
        return with_queue(state, queue._replace(waiting=waiting, turn=None))

    def stored(self, state, epoch, entry, operation):
        mark, sequence = operation.mark, len(epoch.log)
        blob = operation.blob.name if operation.blob else None
        log = epoch.log + (Entry(entry, mark, blob, 0),)
        grown = epoch._replace(log=log, used=epoch.used if self.wrong == "use-ignored" else 0)
        epochs = tuple(grown if old.id == epoch.id else old for old in state.epochs)
        if is_commit(mark) and self.wrong != "child-unopened":  # CHN-011
            epochs += (Epoch(entry, mark.next_key, epoch.id, mark.cut, 0, 0, ()),)
        head = head_of(CHANNEL, epoch.id, [old.id for old in log])
        return state._replace(epochs=epochs), Appended(entry, sequence, head, False)

    # Reading.

    def reached(self, state, top):
        """The epochs that a reading from `top` visits: CHN-014, CHN-005."""
        epoch = self.epoch(state, top)
        if epoch is None:
            return
        yield epoch
        for name in self.candidates(epoch):
            child = self.epoch(state, name)
            hidden = child is None or child.cut
            if self.wrong == "cut-shown":
                hidden = child is None
            if self.wrong == "through-hidden":
                hidden = child is None or child.cut or child.parent != top or len(child.log) > 0
            if not hidden:
                yield from self.reached(state, name)

    def read(self, state, operation):
        own = self.handle_epoch(state, operation)
        if own is None:
            return state, refuse("UNKNOWN_HANDLE")
        if self.epoch(state, own) is None:  # CHN-030
            ends_there = self.ends_at(state, operation.epoch, own)
            return state, refuse("EXPIRED" if ends_there else "NOT_READABLE")
        if all(epoch.id != operation.epoch for epoch in self.reached(state, own)):  # CHN-025
            return state, refuse("NOT_READABLE")
        asked = self.epoch(state, operation.epoch)
        if operation.start > len(asked.log):  # CHN-028
            return state, refuse("BEYOND_END")
        shown = []
        for epoch in self.reached(state, operation.epoch):
            start = operation.start if epoch.id == operation.epoch else 0
            if start < len(epoch.log) and epoch.log[start].age >= self.limits.epoch_kept:
                return state, self.cut_short(shown)  # CHN-026
            entries = tuple((sequence, entry.id, self.content_kept(entry), entry.age)
                            for sequence, entry in enumerate(epoch.log) if sequence >= start)
            shown.append(Shown(epoch.id, entries, len(epoch.log), self.head(epoch)))
        return state, ReadOut(tuple(shown), None)  # CHN-015

    def ends_at(self, state, name, top):
        """Whether the way up from an epoch, through children opened without cut, ends at another."""
        while name != top:
            epoch = self.epoch(state, name)
            if epoch is None or epoch.cut or epoch.parent is None:
                return False
            name = epoch.parent
        return True

    @staticmethod
    def cut_short(shown):
        return ReadOut(tuple(shown), "EXPIRED") if shown else refuse("EXPIRED")

    # Blobs, as far as entries name them: blobs.md.

    @staticmethod
    def blob(state, name):
        return next((blob for blob in state.blobs if blob.name == name), None)

    def blobput(self, state, operation):
        blob = self.blob(state, operation.name) or Blob(operation.name, False, 0, 0)
        blob = blob._replace(whole=blob.whole or operation.whole)
        return with_blob(state, blob), Stored(blob.whole)

    def blobdelete(self, state, operation):
        blob = self.blob(state, operation.name)
        if blob is None:  # BLB-011
            return state, refuse("DENIED")
        if blob.held > 0:  # BLB-012
            return state, refuse("BLOB_IN_USE")
        left = tuple(other for other in state.blobs if other.name != blob.name)
        return state._replace(blobs=left), Done()

    # Time.

    def wait(self, state, operation):
        """Everything grows older; what has reached its age does not exist: CHN-017, RLY-014."""
        kept, span = self.limits.epoch_kept, operation.span
        if self.wrong == "epoch-lost-early":
            kept -= 1

        def older(age):
            return min(age + span, self.limits.epoch_kept)

        epochs = tuple(
            epoch._replace(
                created=older(epoch.created), used=epoch.used + span,
                log=tuple(entry._replace(age=older(entry.age)) for entry in epoch.log))
            for epoch in state.epochs if epoch.used + span < kept)
        blobs = tuple(
            blob._replace(age=min(blob.age + span, self.limits.blob_kept),
                          held=max(blob.held - span, 0))
            for blob in state.blobs
            if blob.age + span < self.limits.blob_kept or blob.held > span)  # BLB-010
        queues = (Queue(queue.place, sooner(queue.waiting, span),
                        (sooner((queue.turn,), span) or (None,))[0] if queue.turn else None)
                  for queue in state.queues)
        queues = tuple(queue for queue in queues if queue.waiting or queue.turn)
        return state._replace(epochs=epochs, blobs=blobs, queues=queues), Done()


def sooner(stays, span):
    return tuple((who, left - span) for who, left in stays if left > span)


def with_queue(state, queue):
    others = tuple(other for other in state.queues if other.place != queue.place)
    if queue.waiting or queue.turn:
        others += (queue,)
    return state._replace(queues=tuple(sorted(others, key=lambda other: other.place)))


def with_session(state, number, session):
    sessions = state.sessions
    return state._replace(sessions=sessions[:number] + (session,) + sessions[number + 1:])


def with_blob(state, blob):
    others = tuple(other for other in state.blobs if other.name != blob.name)
    return state._replace(blobs=tuple(sorted(others + (blob,))))
