"""Random walks through the model, in a form that a program can replay. Limits are the real ones, but
for 8 candidates and 5 notes in an epoch, so that a walk can come to the end of them.

A walk is a list of steps: what is done, and in `then` what has to be answered. Epochs, entries
and heads are the first 8 hexadecimal digits of their real hashes, which this file computes
after wire.md. What is false, empty or null is left out. Keys, channels, nonces and contents are
names,
and the channel is h0 where none is named:

    key       the Ed25519 key whose seed is SHA-256 of the name
    channel, nonce
              SHA-256 of the name
    content   the name itself; "full", "long", "slip" and "wide" are 65,536, 65,537, 1,024 and 1,025
              letters f
    blob      300 bytes, the letters of its name again and again; its upload key is SHA-256 of
              the name

A proof is there only when it is not the right one. Times are milliseconds from the beginning. Each
session comes from a source of its own; `drawn` is which one is drawn of those who wait, in the order in
which they came, if there is a choice.
"""

import hashlib
import json
import random
from collections import Counter, namedtuple

from ledger import Ledger, must
from model import (
    BLOB_BYTES, CHANNEL, NOTE, REAL, SIZES, TERMS, Append, Appended, BlobDelete, BlobPut, Close,
    Create, Done, Mark, Model, Named, Open, Opened, Proof, Read, ReadOut, Refused, Restart, Stored,
    Wait, empty, gap_after, is_commit, root_epoch, term,
)
from worlds import kind_of, unchanged

# So that a walk comes to the end of what an epoch takes.
REAL = REAL._replace(candidates=8, notes=5)

# --- real hashes --------------------------------------------------------------------------

FIELD = 2**255 - 19
BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202,
        46316835694926478169428394003475163141307993866256225615783033603165251855960)
CURVE_D = -121665 * pow(121666, -1, FIELD) % FIELD


def add_points(one, other):
    (x1, y1), (x2, y2) = one, other
    both = CURVE_D * x1 * x2 * y1 * y2 % FIELD
    return ((x1 * y2 + x2 * y1) * pow(1 + both, -1, FIELD) % FIELD,
            (y1 * y2 + x1 * x2) * pow(1 - both, -1, FIELD) % FIELD)


_public_keys = {}


def public_key(name):
    """The public key of a name: RFC 8032, section 5.1.5."""
    if name not in _public_keys:
        seed = hashlib.sha256(name.encode()).digest()
        half = bytearray(hashlib.sha512(seed).digest()[:32])
        half[0] &= 248
        half[31] = half[31] & 127 | 64
        scalar, doubled, point = int.from_bytes(half, "little"), BASE, (0, 1)
        while scalar:
            if scalar & 1:
                point = add_points(point, doubled)
            doubled, scalar = add_points(doubled, doubled), scalar >> 1
        x, y = point
        _public_keys[name] = (y | (x & 1) << 255).to_bytes(32, "little")
    return _public_keys[name]


def sealed(name):
    return b"f" * SIZES[name] if name in SIZES else name.encode()


def content_hash(name):
    content = sealed(name)
    if name.startswith("b"):
        content = (content * BLOB_BYTES)[:BLOB_BYTES]
    return hashlib.sha256(content).digest()


def operation_bytes(operation):
    if operation == "message":
        return b"\x01"
    if operation == NOTE:
        return b"\x03"
    contested = b"".join(concrete(entry) for entry in operation.contested)
    return (b"\x02" + public_key(operation.next_key) + bytes([operation.cut])
            + len(contested).to_bytes(4, "big") + contested)


_hashes = {}


def concrete(number):
    """The hash that a term stands for: the transcripts of WIRE-020."""
    if number not in _hashes:
        label, *fields = TERMS[number]
        label = b"hushwire/1 " + label.encode()
        _hashes[number] = hashlib.sha256(
            bytes([len(label)]) + label + fields_of(TERMS[number][0], fields)).digest()
    return _hashes[number]


def fields_of(label, fields):
    if label == "root epoch":
        channel, key, nonce = fields
        return name_hash(channel) + public_key(key) + name_hash(nonce)
    if label == "entry id":
        channel, epoch, operation, content = fields
        return (name_hash(channel) + concrete(epoch) + operation_bytes(operation)
                + content_hash(content))
    if label == "chain start":
        channel, epoch = fields
        return name_hash(channel) + concrete(epoch)
    if label == "chain next":
        before, sequence, entry = fields
        return concrete(before) + sequence.to_bytes(8, "big") + concrete(entry)
    return fields[0].to_bytes(8, "big")  # "unknown": the hash of nothing that there is


def name_hash(name):
    return hashlib.sha256(name.encode()).digest()


def short(number):
    return concrete(number).hex()[:8]


# --- the form of a step -------------------------------------------------------------------


def told(operation, right):
    """An operation as JSON; `right` is the proof that would be right."""
    fields = {key: value for key, value in operation._asdict().items()
              if key not in ("proof", "mark", "blob", "epoch", "drawn")
              and (key, value) != ("channel", CHANNEL)}
    if getattr(operation, "epoch", None) is not None:
        fields["epoch"] = short(operation.epoch)
    if getattr(operation, "blob", None) is not None:
        fields["blob"] = operation.blob._asdict()
    if getattr(operation, "drawn", 0):
        fields["drawn"] = operation.drawn
    if getattr(operation, "mark", None) == NOTE:
        fields["note"] = True
    elif getattr(operation, "mark", None) is not None:
        mark = operation.mark
        fields["commit"] = {"next_key": mark.next_key, "cut": mark.cut,
                            "contested": [short(entry) for entry in mark.contested]}
    proof = getattr(operation, "proof", None)
    if proof != right:
        fields["proof"] = dict(proof._asdict(), epoch=short(proof.epoch))
    return dict({"do": type(operation).__name__}, **fields)


def answered(answer, clock):
    if isinstance(answer, Refused):
        fields = {"is": answer.code}
        if answer.wait:
            fields["wait"] = answer.wait
        if answer.code == "STALE":
            fields["candidates"] = [short(entry) for entry in answer.candidates]
        return fields
    fields = dict({"is": type(answer).__name__}, **answer._asdict())
    for field in ("epoch", "head", "entry"):
        if field in fields:
            fields[field] = short(fields[field])
    for field in ("candidates", "siblings"):
        if field in fields:
            fields[field] = [short(entry) for entry in fields[field]]
    if isinstance(answer, ReadOut):
        fields["shown"] = [shown_as(part, clock) for part in answer.shown]
    return fields


def shown_as(part, clock):
    """Entries as (id, whether the content is kept, when it was stored)."""
    return {"epoch": short(part.epoch), "next": part.next, "head": short(part.head),
            "entries": [[short(entry), kept, clock - age]
                        for _, entry, kept, age in part.entries]}


def lean(value):
    if isinstance(value, dict):
        return {key: lean(field) for key, field in value.items()
                if field is not None and field is not False and field not in ([], ())}
    return value


# --- drawing ------------------------------------------------------------------------------

# CHN-017 says for how long epochs and ids are kept, and not that they go at once. For so long
# afterwards a walk asks nothing, so that a relay may keep them a little longer.
DOUBT = REAL.epoch_kept // 32

KINDS = ("message", "commit", "note", "repeat", "open", "create", "read", "close", "restart",
         "wait", "blob")
# What a walk is about: weights of KINDS, how many steps, how often a wait is a long one, and the
# longest one. In the fourth theme epochs live on by their use while ids and other epochs go; in the
# last one two sessions are in each other's way.
Theme = namedtuple("Theme", "weights steps long longest")
THEMES = (
    Theme((4, 4, 2, 2, 3, 1, 4, 1, 1, 3, 2), 22, 0.05, REAL.epoch_kept),
    Theme((3, 3, 2, 2, 3, 1, 5, 1, 1, 6, 3), 22, 0.6, REAL.epoch_kept),
    Theme((0, 12, 6, 1, 1, 0, 1, 0, 0, 14, 0), 44, 0.0, 0),
    Theme((4, 6, 1, 2, 3, 1, 4, 0, 0, 6, 1), 30, 0.5, REAL.epoch_kept // 3),
    Theme((0, 14, 6, 0, 0, 0, 1, 0, 0, 9, 0), 44, 0.0, 0),
)


class Walk:
    """One walk: draws an operation, asks the model, lets the ledger judge the answer."""

    def __init__(self, number, seed):
        self.draw = random.Random("%d/%d" % (seed, number))
        self.theme = THEMES[number % len(THEMES)]
        self.model, self.clock, self.steps = Model(REAL), 0, []
        self.state, self.ledger = empty(2), Ledger((), (), (), (0, 0))
        self.keys, self.appended, self.epochs = 1, [], []
        self.early = None  # what came too early, as long as nobody was its rival
        self.waited_long = False  # then the next step looks at what is left
        self.stamps = []  # when an epoch was made or an entry stored

    def run(self, answers):
        if self.theme is THEMES[-1]:
            self.rivals(answers)
        while len(self.steps) < self.theme.steps:
            kind = self.draw.choices(KINDS, self.theme.weights)[0]
            if not self.ledger.epochs and self.draw.random() < 0.7:
                kind = "create"
            elif self.waited_long and self.draw.random() < 0.8:
                kind = "read"
            operation = self.rival() or getattr(self, kind)()
            if operation is None:
                continue
            self.take(operation, answers)
        return self.steps

    def take(self, operation, answers):
        """Does one operation and writes down what was answered."""
        right = self.right_proof(operation)
        choices = self.model.draws(self.state, operation)
        if choices > 1:
            operation = operation._replace(drawn=self.draw.randrange(choices))
        after, answer = self.model.step(self.state, operation)
        must(not isinstance(answer, Refused) or unchanged(self.state, after), "a refusal changed")
        self.ledger = self.ledger.judge(REAL, operation, answer)
        self.state = after
        self.clock += getattr(operation, "span", 0)
        self.remember(operation, answer)
        answers[kind_of(answer)] += 1
        step = told(operation, right)
        if not isinstance(answer, Done):
            step["then"] = answered(answer, self.clock)
        self.steps.append(lean(step))
        return answer

    def rivals(self, answers):
        """Two sessions at the first epoch, or at a child of it."""
        root = root_epoch(CHANNEL, "k0", "n0")
        self.take(Create(0, CHANNEL, "k0", "n0", self.proof(0, "k0", "create", CHANNEL, root)),
                  answers)
        sessions = (1,)
        if self.draw.random() < 0.5:
            first = self.take(Append(0, 0, "c0", None, Mark("k1", False, ())), answers)
            root, sessions = first.entry, (0, 1)
            self.take(Close(0, 0), answers)
        key = dict(self.epochs).get(root)
        for session in sessions:
            self.take(Open(session, CHANNEL, root,
                           self.proof(session, key, "open", CHANNEL, root)), answers)

    def rival(self):
        """The other session asks for what one has come too early for."""
        early, self.early = self.early, None
        if early is None or self.theme is not THEMES[-1] or self.draw.random() < 0.3:
            return None
        other = 1 - early.session
        handles = self.state.sessions[other].handles
        return early._replace(session=other, handle=handles[0][0], drawn=0) if handles else None

    def aged(self, answers):
        """A story that chance does not tell: the first ids of a child are gone while it lives."""
        def commit(key, contested):
            mark = Mark(key, False, contested)
            return self.take(Append(0, 0, "c0", None, mark), answers)

        root = root_epoch(CHANNEL, "k0", "n0")
        self.take(Create(0, CHANNEL, "k0", "n0", self.proof(0, "k0", "create", CHANNEL, root)),
                  answers)
        first = commit("k1", ()).entry
        into_first = Open(0, CHANNEL, first, self.proof(0, "k1", "open", CHANNEL, first))
        self.take(into_first, answers)
        self.take(Append(0, 1, "c0", None, None), answers)
        self.take(Wait(REAL.epoch_kept // 2), answers)
        commit("k2", (first,))
        self.take(Append(0, 1, "c1", None, None), answers)
        self.take(Wait(REAL.epoch_kept // 2 + DOUBT), answers)
        for epoch in (root, first):
            for start in range(4):
                self.take(Read(0, 0, epoch, start), answers)
        self.take(into_first, answers)
        self.take(Append(0, 1, "c1", None, None), answers)
        self.take(Append(0, 1, "c0", None, None), answers)
        commit("k3", (first,))
        self.take(Append(0, 0, "c2", None, None), answers)
        return self.steps

    def remember(self, operation, answer):
        self.waited_long = getattr(operation, "span", 0) > REAL.message_kept // 2
        if isinstance(answer, Refused) and answer.code == "TOO_EARLY":
            self.early = operation
        if isinstance(answer, (Appended, Opened)):
            self.stamps.append(self.clock)
        if isinstance(answer, Appended) and operation not in self.appended:
            self.appended.append(operation._replace(drawn=0))
            if is_commit(operation.mark) and not answer.repeated:
                self.keys += 1
                self.epochs.append((answer.entry, operation.mark.next_key))
        if isinstance(answer, Opened) and answer.epoch not in dict(self.epochs):
            self.epochs.append((answer.epoch, "k0"))

    def right_proof(self, operation):
        if isinstance(operation, Create):
            name = root_epoch(operation.channel, operation.key, operation.nonce)
            return self.proof(operation.session, operation.key, "create", operation.channel, name)
        if isinstance(operation, Open):
            key = dict(self.epochs).get(operation.epoch, "k0")
            return self.proof(operation.session, key, "open", operation.channel, operation.epoch)
        return None

    def proof(self, session, key, purpose, channel, epoch):
        generation = self.state.sessions[session].generation
        return Proof(key, purpose, session, generation, channel, epoch)

    def wrong(self, proof):
        """Another proof, with one field that is not what it should be."""
        generations = [session.generation for session in self.state.sessions]
        other = 1 - proof.session
        kind = self.draw.randrange(5)
        if kind == 0:
            return proof._replace(key="k9" if proof.key != "k9" else "k8")
        if kind == 1:
            return proof._replace(purpose="open" if proof.purpose == "create" else "create")
        if kind == 2:
            return proof._replace(channel="h1" if proof.channel == "h0" else "h0")
        if kind == 3 and proof.generation > 0:
            return proof._replace(generation=proof.generation - 1)
        return proof._replace(session=other, generation=generations[other])

    def handle(self):
        """A session and one of its handles; now and then one that is not there."""
        held = [(number, handle, epoch) for number, session in enumerate(self.state.sessions)
                for handle, epoch in session.handles]
        if self.waited_long:
            held = [place for place in held if self.ledger.log(place[2])] or held
        if not held or self.draw.random() < 0.02:
            return self.draw.randrange(2), 99, None
        return self.draw.choice(held[-3:] if self.draw.random() < 0.5 else held)

    # One function for each of KINDS.

    def message(self):
        session, handle, _ = self.handle()
        chance = self.draw.random()
        if chance < 0.02:
            return Append(session, handle, "long", None, None)
        if chance < 0.03:
            return Append(session, handle, "full", None, None)
        if chance < 0.2 and self.state.blobs:
            return self.named(session, handle, None)
        return Append(session, handle, "c%d" % self.draw.randrange(6), None, None)

    def named(self, session, handle, mark):
        name = "b%d" % self.draw.randrange(2)
        right = Named(name, BLOB_BYTES, True)
        chance = self.draw.random()
        if chance < 0.7:
            return Append(session, handle, name, right, mark)
        if chance < 0.8:
            return Append(session, handle, "other", right._replace(right_hash=False), mark)
        size = self.draw.choice((REAL.blob_max, REAL.blob_max + 1, BLOB_BYTES - 1))
        return Append(session, handle, name, right._replace(size=size), mark)

    def commit(self):
        session, handle, epoch = self.handle()
        candidates = self.ledger.commits(epoch)
        chance, contested = self.draw.random(), candidates
        if chance < 0.12:
            contested = self.draw.choice((
                candidates[:-1], candidates[::-1], candidates + candidates[-1:],
                candidates + (term("unknown", 1),), ()))
        key = "k%d" % self.keys
        if self.draw.random() < 0.12:
            key = "k%d" % self.draw.randrange(self.keys)
        mark = Mark(key, self.draw.random() < 0.35, contested)
        if self.state.blobs and self.draw.random() < 0.15:
            return self.named(session, handle, mark)
        return Append(session, handle, "c%d" % self.draw.randrange(3), None, mark)

    def note(self):
        """One that is taken has another content than those before it, so that it is no repeat."""
        session, handle, epoch = self.handle()
        chance = self.draw.random()
        if chance < 0.08:
            return Append(session, handle, "wide" if chance < 0.04 else "slip", None, NOTE)
        count = len(self.ledger.notes(epoch))
        return Append(session, handle, "s%d" % (count + self.draw.randrange(2)), None, NOTE)

    def repeat(self):
        if not self.appended:
            return None
        old = self.draw.choice(self.appended)
        session, handle, _ = self.handle()
        return old._replace(session=session, handle=handle)

    def open(self):
        if not self.epochs:
            return None
        session = self.draw.randrange(2)
        name, key = self.draw.choice(self.epochs)
        channel = CHANNEL if self.draw.random() < 0.96 else "h1"
        if self.draw.random() < 0.04:
            name = term("unknown", 2)
        proof = self.proof(session, key, "open", channel, name)
        if self.draw.random() < 0.15:
            proof = self.wrong(proof)
        return Open(session, channel, name, proof)

    def create(self):
        session = self.draw.randrange(2)
        key, nonce = self.draw.choice((("k0", "n0"),) * 8 + (("k0", "n1"), ("k9", "n0")))
        if not self.ledger.epochs:
            key, nonce = "k0", "n0"
        name = root_epoch(CHANNEL, key, nonce)
        proof = self.proof(session, key, "create", CHANNEL, name)
        if self.draw.random() < 0.15:
            proof = self.wrong(proof)
        return Create(session, CHANNEL, key, nonce, proof)

    def read(self):
        session, handle, epoch = self.handle()
        if not self.epochs:
            return None
        if epoch is None or self.draw.random() < 0.4:
            epoch = self.draw.choice(self.epochs)[0]
        if self.draw.random() < 0.03:
            epoch = term("unknown", 3)
        length = len(self.ledger.log(epoch))
        start = 0 if self.draw.random() < 0.6 else self.draw.randrange(length + 2)
        return Read(session, handle, epoch, start)

    def close(self):
        session, handle, _ = self.handle()
        return Close(session, handle)

    def restart(self):
        return Restart(self.draw.randrange(2))

    def blob(self):
        name = "b%d" % self.draw.randrange(2)
        chance = self.draw.random()
        if chance < 0.3:
            held = [blob.name for blob in self.state.blobs if blob.held]
            return BlobDelete(held[0] if held and chance < 0.2 else name)
        return BlobPut(name, chance < 0.9)

    def wait(self):
        """Mostly to a time at which something changes, or one millisecond beside it."""
        near = [REAL.age - epoch.created for epoch in self.ledger.epochs]
        for epoch in self.ledger.epochs:
            near += [self.ledger.left(REAL, epoch.id, mark) for mark in (NOTE, Mark("", 0, ()))]
        for queue in self.state.queues:
            near += [left for _, left in queue.waiting + ((queue.turn,) if queue.turn else ())]
        far = [kept - ack.age for ack in self.ledger.acks
               for kept in (REAL.message_kept, REAL.commit_kept, REAL.epoch_kept)]
        far += [REAL.epoch_kept - epoch.used for epoch in self.ledger.epochs]
        far += [REAL.blob_kept - blob.age for blob in self.state.blobs]
        far += [blob.held for blob in self.state.blobs]
        far = [min(span, self.theme.longest) for span in far]
        ahead = far if self.draw.random() < self.theme.long else near
        ahead = [span for span in ahead if span > 0] or [REAL.age]
        span = max(1, self.draw.choice(ahead) + self.draw.choice((-1, 0, 0, 1)))
        return Wait(self.beyond_doubt(span))

    def beyond_doubt(self, span):
        """The least span from this one on after which all agree what is gone (see `DOUBT`)."""
        for stamp in sorted(self.stamps):
            gone = stamp + REAL.epoch_kept
            if gone <= self.clock + span < gone + DOUBT:
                span = gone + DOUBT - self.clock
        return span


def walks_as_text(count, seed):
    """The file of so many walks, the same for the same seed; prints what they were answered."""
    answers = Counter()
    walks = [Walk(0, seed).aged(answers)]
    walks += [Walk(number, seed).run(answers) for number in range(1, count)]
    print("answers:", ", ".join("%s %d" % pair for pair in sorted(answers.items())))
    print("%d walks, %d steps" % (count, sum(map(len, walks))))
    lines = (json.dumps(walk, separators=(",", ":")) for walk in walks)
    return "[\n" + ",\n".join(lines) + "\n]\n"
