//! Random operations on a channel, against a small model of its rules that shares no code with them:
//! lists of names instead of rows and hashes.

use hushwire_relay_rules::{Group, Step};
use hushwire_wire::{
    error::Code,
    id::{EntryId, EpochId},
    limit::Limits,
    message::{Answer, Content, Follow, Handle, Repeated, Request},
    transcript::{CommitMark, Cut, Operation},
};
use proptest::prelude::*;

use crate::world::{Client, Relay, child, create, inline, open, opened, public, read, root, short};

const CANDIDATES_MAX: usize = 3;
const AGE_MS: u64 = 1_000;
const GAP_MS: u64 = 500;

/// What an epoch holds, in the model: commits name their child by its number.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Message(u8),
    Commit { key: u8, cut: bool, contested: Vec<usize> },
}

#[derive(Clone, Debug)]
struct Epoch {
    key: u8,
    parent: Option<usize>,
    cut: bool,
    opened_at: u64,
    committed_at: u64,
    entries: Vec<(Entry, Option<usize>)>,
}

impl Epoch {
    fn children(&self) -> Vec<usize> {
        self.entries.iter().filter_map(|(_, child)| *child).collect()
    }
}

/// What the relay is expected to answer to an append.
#[derive(Debug, PartialEq)]
enum Expected {
    Stored(usize),
    Again(usize),
    Stale(Vec<usize>),
    Refused(Code, u64),
}

#[derive(Debug)]
struct Model {
    now: u64,
    epochs: Vec<Epoch>,
}

impl Model {
    fn new() -> Self {
        let root = Epoch {
            key: 1,
            parent: None,
            cut: false,
            opened_at: 0,
            committed_at: 0,
            entries: Vec::new(),
        };
        Self { now: 0, epochs: vec![root] }
    }

    fn append(&mut self, at: usize, entry: Entry) -> Expected {
        let epoch = &self.epochs[at];
        if let Some(place) = epoch.entries.iter().position(|(known, _)| *known == entry) {
            return Expected::Again(place);
        }
        let children = epoch.children();
        let mut opens = None;
        match &entry {
            Entry::Message(_) if !children.is_empty() => return Expected::Stale(children),
            Entry::Message(_) => {}
            Entry::Commit { contested, .. } if *contested != children => {
                return Expected::Stale(children);
            }
            Entry::Commit { .. } if children.len() == CANDIDATES_MAX => {
                return Expected::Refused(Code::CandidatesExhausted, 0);
            }
            Entry::Commit { key, .. } if self.epochs.iter().any(|epoch| epoch.key == *key) => {
                return Expected::Refused(Code::KeyReused, 0);
            }
            Entry::Commit { key, cut, .. } => {
                let ready_at = match (children.is_empty(), epoch.parent) {
                    (true, None) => 0,
                    (true, Some(_)) => epoch.opened_at + AGE_MS,
                    (false, _) => epoch.committed_at + GAP_MS,
                };
                if self.now < ready_at {
                    return Expected::Refused(Code::TooEarly, ready_at - self.now);
                }
                opens = Some((*key, *cut));
            }
        }
        let child = opens.map(|(key, cut)| {
            self.epochs.push(Epoch {
                key,
                parent: Some(at),
                cut,
                opened_at: self.now,
                committed_at: 0,
                entries: Vec::new(),
            });
            self.epochs.len() - 1
        });
        let now = self.now;
        let epoch = &mut self.epochs[at];
        if child.is_some() {
            epoch.committed_at = now;
        }
        epoch.entries.push((entry, child));
        Expected::Stored(epoch.entries.len() - 1)
    }

    fn readable(&self, handle: usize, target: usize) -> bool {
        let mut at = target;
        loop {
            if at == handle {
                return true;
            }
            match self.epochs[at].parent {
                Some(parent) if !self.epochs[at].cut => at = parent,
                _ => return false,
            }
        }
    }

    fn reading(&self, handle: usize, target: usize, from: usize) -> String {
        if !self.readable(handle, target) {
            return "NOT_READABLE".into();
        }
        if from > self.epochs[target].entries.len() {
            return "BEYOND_END".into();
        }
        let mut words = Vec::new();
        self.walk(target, from, &mut words);
        words.push("!".into());
        words.join(" ")
    }

    fn walk(&self, at: usize, from: usize, words: &mut Vec<String>) {
        let epoch = &self.epochs[at];
        words.extend(epoch.entries[from..].iter().map(|(entry, _)| text(entry)));
        words.push(format!("|{}", epoch.entries.len()));
        for child in epoch.children() {
            if !self.epochs[child].cut {
                self.walk(child, 0, words);
            }
        }
    }
}

fn text(entry: &Entry) -> String {
    match entry {
        Entry::Message(number) => format!("m{number}"),
        Entry::Commit { key, .. } => format!("c{key}"),
    }
}

#[derive(Clone, Debug)]
enum Op {
    Message { epoch: prop::sample::Index, number: u8 },
    Commit { epoch: prop::sample::Index, key: u8, cut: bool, contest: Contest },
    Wait(u64),
    Read { handle: prop::sample::Index, epoch: prop::sample::Index, from: usize },
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Contest {
    All,
    Nobody,
    Backwards,
    First,
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    let contest = prop_oneof![
        6 => Just(Contest::All),
        2 => Just(Contest::Nobody),
        1 => Just(Contest::Backwards),
        1 => Just(Contest::First),
    ];
    prop_oneof![
        5 => (index(), 0..6_u8).prop_map(|(epoch, number)| Op::Message { epoch, number }),
        6 => (index(), 1..40_u8, any::<bool>(), contest)
            .prop_map(|(epoch, key, cut, contest)| Op::Commit { epoch, key, cut, contest }),
        4 => (0..1_500_u64).prop_map(Op::Wait),
        3 => (index(), index(), 0..4_usize)
            .prop_map(|(handle, epoch, from)| Op::Read { handle, epoch, from }),
        1 => Just(Op::Restart),
    ]
}

/// The real relay, and the model beside it.
struct Pair {
    relay: Relay,
    client: Client,
    model: Model,
    ids: Vec<EpochId>,
    handles: Vec<Handle>,
}

impl Pair {
    fn new() -> Self {
        let limits = Limits { candidates_max: CANDIDATES_MAX.try_into().unwrap(), ..Limits::V1 };
        let mut relay = Relay::new(limits);
        let mut client = relay.connect();
        let request = create(&relay, &client, 1);
        let handle = opened(relay.ask(&mut client, request)).handle;
        Self { relay, client, model: Model::new(), ids: vec![root(1)], handles: vec![handle] }
    }

    fn entry_id(&self, epoch: usize) -> EntryId {
        EntryId::from_bytes(*self.ids[epoch].as_bytes())
    }

    fn entry_ids(&self, epochs: &[usize]) -> Vec<EntryId> {
        epochs.iter().map(|epoch| self.entry_id(*epoch)).collect()
    }

    fn request(&self, at: usize, entry: &Entry) -> Request {
        let operation = match entry {
            Entry::Message(_) => Operation::Message,
            Entry::Commit { key, cut, contested } => Operation::Commit(CommitMark {
                next_key: public(*key),
                cut: if *cut { Cut::Cut } else { Cut::Through },
                contested: self.entry_ids(contested),
            }),
        };
        let content: Content = inline(&text(entry));
        Request::Append { handle: self.handles[at], content, operation }
    }

    fn append(&mut self, at: usize, entry: Entry) {
        let request = self.request(at, &entry);
        let epochs = self.model.epochs.len();
        let expected = self.model.append(at, entry);
        let answer = self.relay.ask(&mut self.client, request);
        let actual = match &answer {
            Answer::Appended(appended) => {
                let place = usize::try_from(appended.sequence.0).unwrap();
                if self.model.epochs.len() > epochs {
                    self.ids.push(child(&appended.entry));
                    self.open(epochs);
                }
                match appended.repeated {
                    Repeated::First => Expected::Stored(place),
                    Repeated::Again => Expected::Again(place),
                }
            }
            Answer::Refused(refusal) if refusal.code == Code::Stale => {
                let epoch = |id: &EntryId| {
                    self.ids.iter().position(|known| known.as_bytes() == id.as_bytes()).unwrap()
                };
                Expected::Stale(refusal.candidates.iter().map(epoch).collect())
            }
            Answer::Refused(refusal) => Expected::Refused(refusal.code, refusal.retry_after_ms),
            other => panic!("unexpected: {other:?}"),
        };
        assert_eq!(actual, expected);
    }

    /// Opens an epoch and compares what the relay says of it.
    fn open(&mut self, at: usize) {
        let epoch = &self.model.epochs[at];
        let request = open(&self.relay, &self.client, self.ids[at], epoch.key);
        let answer = opened(self.relay.ask(&mut self.client, request));
        assert_eq!(answer.next.0, epoch.entries.len() as u64);
        assert_eq!(answer.candidates, self.entry_ids(&epoch.children()));
        let mut siblings =
            epoch.parent.map(|parent| self.model.epochs[parent].children()).unwrap_or_default();
        siblings.retain(|sibling| *sibling != at);
        assert_eq!(answer.siblings, self.entry_ids(&siblings));
        self.handles.truncate(at);
        self.handles.push(answer.handle);
    }

    fn apply(&mut self, op: Op) {
        let epochs = self.model.epochs.len();
        match op {
            Op::Message { epoch, number } => {
                self.append(epoch.index(epochs), Entry::Message(number));
            }
            Op::Commit { epoch, key, cut, contest } => {
                let at = epoch.index(epochs);
                let mut contested = self.model.epochs[at].children();
                match contest {
                    Contest::All => {}
                    Contest::Nobody => contested.clear(),
                    Contest::Backwards => contested.reverse(),
                    Contest::First => contested.truncate(1),
                }
                self.append(at, Entry::Commit { key, cut, contested });
            }
            Op::Wait(milliseconds) => {
                self.relay.wait_ms(milliseconds);
                self.model.now += milliseconds;
            }
            Op::Read { handle, epoch, from } => {
                let (handle, target) = (handle.index(epochs), epoch.index(epochs));
                let expected = self.model.reading(handle, target, from);
                let request =
                    read(self.handles[handle], self.ids[target], from as u64, Follow::UntilEnd);
                let (_, said) = self.relay.read(&mut self.client, request);
                assert_eq!(short(&said), expected);
            }
            Op::Restart => {
                let limits = (*self.relay.limits).clone();
                self.relay.restart(limits);
                self.client = self.relay.connect();
                for at in 0..epochs {
                    self.open(at);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_do_what_the_model_does(ops in prop::collection::vec(op(), 1..60)) {
        // spec: CHN-014, CHN-018, CHN-019, CHN-020, CHN-021, CHN-022, CHN-023, CHN-024, CHN-025
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
        }
    }

    #[test]
    fn how_writes_are_grouped_changes_no_answer(
        entries in prop::collection::vec((any::<bool>(), 2..8_u8), 1..30),
        sizes in prop::collection::vec(1..6_usize, 30),
    ) {
        // spec: CHN-012
        let mut alone = Pair::new();
        let mut grouped = Pair::new();
        let entry = |(commits, number): (bool, u8)| if commits {
            Entry::Commit { key: number, cut: false, contested: Vec::new() }
        } else {
            Entry::Message(number)
        };
        let mut expected = Vec::new();
        for chosen in &entries {
            let request = alone.request(0, &entry(*chosen));
            expected.push(alone.relay.ask(&mut alone.client, request));
        }
        let mut actual = Vec::new();
        let mut rest = &entries[..];
        for size in sizes {
            let (now, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            let mut group = Group::new();
            for chosen in now {
                let request = grouped.request(0, &entry(*chosen));
                let id = grouped.client.new_id();
                let step = grouped.client.session.handle(grouped.relay.now, id, request);
                let Step::Write(write) = step else { panic!("not a write: {step:?}") };
                grouped.relay.plan(&mut group, id, &write);
            }
            for (id, outcome) in grouped.relay.commit(group) {
                let step = grouped.client.session.complete(id, outcome);
                actual.push(grouped.relay.sign(step));
            }
        }
        prop_assert_eq!(actual, expected);
    }
}
