"""Small worlds, and every state of them."""

import time
from collections import Counter, deque, namedtuple

from ledger import Ledger, Violation, audit, must
from model import (
    BLOB_BYTES, CHANNEL, NOTE, SMALL, Append, Appended, BlobDelete, BlobPut, Close, Create, Mark,
    Model, Named, Open, Proof, Refused, Restart, Wait, empty, is_commit, root_epoch, term,
)

# What may happen in a world, beside creating and opening:
# ticks and jumps of time, contents of messages and of notes, whether wrong proofs, repeats, blobs are
# tried.
World = namedtuple(
    "World", "name sessions depth quick epochs waits contents notes proofs blobs handles")

WORLDS = (
    World("contest", 1, 9, 7, 4, (1, 2), ("c0",), (), False, False, 2),
    World("proofs", 2, 6, 5, 2, (), ("c0",), (), True, False, 2),
    World("time", 1, 8, 7, 3, (1, 2, 3), ("c0", "c1"), (), False, False, 2),
    World("blobs", 1, 8, 6, 2, (1, 2, 3), ("c0",), (), False, True, 1),
    World("two", 2, 8, 7, 3, (2,), ("c0", "c1"), (), False, False, 2),
    World("notes", 1, 8, 7, 2, (1, 2), ("c0",), ("n0", "n1", "n2"), False, False, 1),
    World("turns", 3, 9, 8, 3, (1,), (), (), False, False, 1),
)


def operations(world, state, ledger):
    """Every operation that a world tries in a state."""
    for span in world.waits:
        yield Wait(span)
    keys = sorted({epoch.key for epoch in ledger.epochs})
    fresh = "k%d" % (max([int(key[1:]) for key in keys], default=-1) + 1)
    for number, session in enumerate(state.sessions):
        if len(session.handles) < world.handles:
            yield from openings(world, state, ledger, number)
        for handle, name in session.handles:
            yield from appends(world, state, ledger, number, handle, name, fresh)
            yield Close(number, handle)
        if world.proofs:
            yield Append(number, 9, "c0", None, None)
            if session.generation == 0 and session.made:
                yield Restart(number)
    if world.blobs:
        for blob in ("b0",):
            yield BlobPut(blob, True)
            yield BlobPut(blob, False)
            yield BlobDelete(blob)


def openings(world, state, ledger, number):
    generation = state.sessions[number].generation
    held = {name for _, name in state.sessions[number].handles}
    for key, nonce in (("k0", "n0"), ("k0", "n1")) if world.proofs else (("k0", "n0"),):
        first = root_epoch(CHANNEL, key, nonce)
        if first not in held:
            right = Proof(key, "create", number, generation, CHANNEL, first)
            for proof in proofs(world, right, ("kx",)):
                yield Create(number, CHANNEL, key, nonce, proof)
    for epoch in ledger.epochs:
        if epoch.id not in held:
            right = Proof(epoch.key, "open", number, generation, CHANNEL, epoch.id)
            others = sorted({other.key for other in ledger.epochs} - {epoch.key})
            for proof in proofs(world, right, others + ["kx"]):
                yield Open(number, CHANNEL, epoch.id, proof)
    if world.proofs:
        unknown = term("unknown", 0)
        for channel in (CHANNEL, "h1"):
            proof = Proof("k0", "open", number, generation, channel, unknown)
            yield Open(number, channel, unknown, proof)


def proofs(world, right, other_keys):
    yield right
    if world.proofs:
        for key in other_keys:
            yield right._replace(key=key)
        yield right._replace(purpose="open" if right.purpose == "create" else "create")
        yield right._replace(session=1 - right.session)
        yield right._replace(generation=1 - min(right.generation, 1))
        yield right._replace(channel="h1")
        yield right._replace(epoch=term("unknown", 0))


def appends(world, state, ledger, number, handle, name, fresh):
    candidates = ledger.commits(name)
    own = ledger.known(name)
    for content in world.contents:
        yield Append(number, handle, content, None, None)
    for content in world.notes:
        yield Append(number, handle, content, None, NOTE)
    # Commits again, as they were sent.
    for ack in ledger.log(name):
        if is_commit(ack.mark) and ack.blob is None:
            yield Append(number, handle, "c0", None, ack.mark)
    if len(ledger.epochs) < world.epochs:
        for cut in (False, True):
            yield Append(number, handle, "c0", None, Mark(fresh, cut, candidates))
    yield Append(number, handle, "c0", None, Mark(fresh, False, candidates[:-1] or (
        term("unknown", 0),)))
    if own is not None:
        yield Append(number, handle, "c0", None, Mark(own.key, False, candidates))
        yield Append(number, handle, "c0", None, Mark("k0", True, candidates))
    if world.blobs:
        named = Named("b0", BLOB_BYTES, True)
        yield Append(number, handle, "b0", named, None)
        yield Append(number, handle, "other", named._replace(right_hash=False), None)
        if len(ledger.epochs) < world.epochs:
            yield Append(number, handle, "b0", named, Mark(fresh, False, candidates))


# --- exploring ----------------------------------------------------------------------------

# answers: how often each kind of answer or code of a refusal was given.
Found = namedtuple("Found", "states transitions depth answers violation story")


def explore(world, model, depth):
    """Breadth first, every state once; stops at the first violation, with the way to it."""
    state, ledger = empty(world.sessions), Ledger((), (), (), (0,) * world.sessions)
    seen, audited, queue = {(state, ledger): None}, set(), deque([(state, ledger, 0)])
    transitions, deepest, answers = 0, 0, Counter()
    while queue:
        state, ledger, level = queue.popleft()
        deepest = max(deepest, level)
        if level == depth:
            continue
        for operation in chances(world, model, state, ledger):
            transitions += 1
            try:
                after, answer = model.step(state, operation)
                answers[kind_of(answer)] += 1
                must(not isinstance(answer, Refused) or unchanged(state, after),
                     "a refusal has changed something (conventions.md)")
                judged = ledger.judge(model.limits, operation, answer)
                held = (after.epochs, after.blobs, judged.epochs, judged.acks)
                if held not in audited:
                    audited.add(held)
                    audit(model, after, judged)
            except Violation as violation:
                story = story_of(seen, (state, ledger)) + [operation]
                return Found(len(seen), transitions, deepest, answers, str(violation), story)
            if (after, judged) not in seen:
                seen[after, judged] = ((state, ledger), operation)
                queue.append((after, judged, level + 1))
    return Found(len(seen), transitions, deepest, answers, None, ())


def chances(world, model, state, ledger):
    """Every operation with each way in which a draw can come out."""
    for operation in operations(world, state, ledger):
        for drawn in range(model.draws(state, operation)):
            yield operation._replace(drawn=drawn) if drawn else operation


def unchanged(before, after):
    """Whether all is as it was, but for who waits and whose turn it is."""
    return before._replace(queues=()) == after._replace(queues=())


def kind_of(answer):
    if isinstance(answer, Appended) and answer.repeated:
        return "Repeated"
    return answer.code if isinstance(answer, Refused) else type(answer).__name__


def story_of(seen, node):
    story = []
    while seen[node] is not None:
        node, operation = seen[node]
        story.append(operation)
    return story[::-1]


BREAKS = (
    "message-after-commit", "contested-unread", "candidates-unbounded", "key-reused",
    "own-key-allowed", "age-unchecked", "gap-unchecked", "stored-again",
    "repeated-with-last-head", "head-stays", "cut-shown", "through-hidden", "siblings-hidden",
    "proof-of-any-session", "proof-of-any-key", "commits-kept-short", "epoch-lost-early",
    "use-ignored", "child-unopened", "blob-not-held", "note-before-commit", "notes-unbounded",
    "notes-kept-short", "gap-stays", "draw-skipped", "turn-ignored", "turn-too-long",
    "nobody-waits",
)


def explore_all(wrong, quick, quiet=False):
    """The first violation in any world, or None; prints a line for each world."""
    model = Model(SMALL, wrong)
    states, transitions, deepest, answers = 0, 0, 0, Counter()
    violation = None
    for world in WORLDS:
        begun = time.monotonic()
        found = explore(world, model, world.quick if quick else world.depth)
        states, transitions = states + found.states, transitions + found.transitions
        deepest = max(deepest, found.depth)
        answers += found.answers
        if not quiet:
            print("world %-8s %7d states %8d transitions, depth %d, %.1f s" % (
                world.name, found.states, found.transitions, found.depth,
                time.monotonic() - begun))
        if found.violation:
            violation = "%s, in world %s after %d operations" % (
                found.violation, world.name, len(found.story))
            if not quiet:
                for operation in found.story:
                    print("   ", operation)
            break
    if not quiet:
        print("answers:", ", ".join("%s %d" % pair for pair in sorted(answers.items())))
        print("channel model: %d states, %d transitions, depth %d, %d violations" % (
            states, transitions, deepest, 1 if violation else 0))
    return violation
