//! Groups: what a change of one costs who makes it, who follows, who joins, and how many bytes go.
//!
//! The group code alone, with stores in memory, no relay. All but a few of the members exist as key
//! packages only: what they would do costs each the same.

use std::fs;

use hushwire_protocol::{
    group::{CommitIntent, DEVICES_MAX, GroupKind, GroupState, LeafSelector, VerifiedKeyPackage},
    provider::Suite,
};

use crate::{
    device::{Device, Welcome},
    fault::Fault,
};

/// Members of the groups.
const SIZES: [usize; 4] = [10, 100, 1_000, DEVICES_MAX];

/// Of how many leaves one commits, until the tree counts as full: up to this many members one in two,
/// and every parent has a key; above, one in more, and only the parents of so many do.
const FILLED_MAX: usize = 1_000;
const FILLED: usize = 2;
const FILLED_THINLY: usize = 32;

/// Devices that come in later.
const NEWCOMERS: [u32; 2] = [u32::MAX, u32::MAX - 1];

/// Measures and prints.
pub(crate) fn measure() -> Result<(), Fault> {
    for suite in Suite::ALL {
        println!("groups, {suite:?} suite: milliseconds of a processor, one try, and kilobytes");
        println!(
            "  devices  step                          make   apply  follow    join  commit KB  \
             secrets KB  snapshot KB  tree KB  state KB"
        );
        for size in SIZES {
            one_size(suite, size)?;
        }
    }
    Ok(())
}

/// A line of the table; what a step has not is left out.
#[derive(Default)]
struct Line {
    make: f64,
    apply: f64,
    follow: f64,
    join: f64,
    commit: usize,
    secrets: usize,
    snapshot: usize,
    tree: usize,
    state: usize,
}

impl Line {
    fn welcomes(&mut self, welcome: &Welcome) {
        self.secrets = welcome.secrets().len();
        self.snapshot = welcome.snapshot.to_bytes().len();
        self.tree = welcome.snapshot.tree.len();
    }

    fn print(&self, size: usize, step: &str) {
        let time = |milliseconds: f64| match milliseconds {
            0.0 => "-".to_owned(),
            some => format!("{some:.1}"),
        };
        let bytes = |count: usize| match u32::try_from(count) {
            Ok(0) | Err(_) => "-".to_owned(),
            Ok(count) => format!("{:.1}", f64::from(count) / 1_000.0),
        };
        let Self { make, apply, follow, join, commit, secrets, snapshot, tree, state } = self;
        println!(
            "  {size:>7}  {step:<26}  {:>6}  {:>6}  {:>6}  {:>6}  {:>9}  {:>10}  {:>11}  {:>7}  {:>8}",
            time(*make),
            time(*apply),
            time(*follow),
            time(*join),
            bytes(*commit),
            bytes(*secrets),
            bytes(*snapshot),
            bytes(*tree),
            bytes(*state),
        );
    }
}

/// Runs something, and says how many milliseconds of a processor it took, all threads together: on a
/// machine that others use too, the clock on the wall says little.
fn timed<T>(act: impl FnOnce() -> Result<T, Fault>) -> Result<(T, f64), Fault> {
    let before = processor_ms()?;
    let result = act()?;
    Ok((result, processor_ms()? - before))
}

/// How long this process has had a processor.
fn processor_ms() -> Result<f64, Fault> {
    let mut sum = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let line = fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = line.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        sum += nanoseconds.ok_or(Fault::Device)? / 1_000_000.0;
    }
    Ok(sum)
}

/// The group with its maker at leaf 0, and a member in each subtree beside the maker's path.
struct Crew {
    suite: Suite,
    size: usize,
    /// Leaves of members that can be removed.
    odd: Vec<u32>,
    maker: Device,
    others: Vec<Device>,
}

fn one_size(suite: Suite, size: usize) -> Result<(), Fault> {
    let mut crew = Crew::new(suite, size)?;
    crew.commit("own leaf, blank tree", CommitIntent::default())?;
    crew.message()?;
    for place in 0..crew.others.len() {
        crew.populate(place)?;
    }
    crew.commit("own leaf, populated tree", CommitIntent::default())?;
    let whom = crew.remove_last()?;
    crew.commit("remove one", CommitIntent { remove: vec![whom], ..CommitIntent::default() })?;
    let newcomer = Device::new(NEWCOMERS[0])?.package(suite)?;
    crew.commit("add one", CommitIntent { add: vec![newcomer], ..CommitIntent::default() })?;

    let every = if size > FILLED_MAX { FILLED_THINLY } else { FILLED };
    crew.fill(every)?;
    let here = |step: &str| format!("{step}, 1 in {every} did");
    crew.commit(&here("own leaf"), CommitIntent::default())?;
    let whom = crew.remove_last()?;
    crew.commit(
        &here("remove one"),
        CommitIntent { remove: vec![whom], ..CommitIntent::default() },
    )?;
    let newcomer = Device::new(NEWCOMERS[1])?.package(suite)?;
    crew.commit(&here("add one"), CommitIntent { add: vec![newcomer], ..CommitIntent::default() })
}

impl Crew {
    fn new(suite: Suite, size: usize) -> Result<Self, Fault> {
        let mut maker = Device::new(0)?;
        let state = GroupState::new(GroupKind::Group, maker.identity());
        maker.create(suite, state)?;
        let mut others = Vec::new();
        let mut add: Vec<VerifiedKeyPackage> = Vec::new();
        for leaf in 1..size {
            let mut device = Device::new(u32::try_from(leaf).unwrap_or(u32::MAX))?;
            add.push(device.package(suite)?);
            if leaf.is_power_of_two() {
                others.push(device);
            }
        }
        let intent = CommitIntent { add, ..CommitIntent::default() };
        let (commit, make) = timed(|| maker.begin(intent))?;
        let bytes = commit.envelope.len();
        let (welcomed, apply) = timed(|| maker.confirm(commit))?;
        let mut line = Line { make, apply, commit: bytes, ..Line::default() };
        line.welcomes(&welcomed);
        line.state = maker.stored();
        for (place, device) in others.iter_mut().enumerate() {
            let (_, join) = timed(|| device.join(suite, &welcomed))?;
            if place == 0 {
                line.join = join;
            }
        }
        line.print(size, "make it, all at once");
        let odd = (3..u32::try_from(size).unwrap_or(u32::MAX)).step_by(2).collect();
        Ok(Self { suite, size, odd, maker, others })
    }

    /// The maker commits, all follow.
    fn commit(&mut self, step: &str, intent: CommitIntent) -> Result<(), Fault> {
        let adds = !intent.add.is_empty();
        let (commit, make) = timed(|| self.maker.begin(intent))?;
        let mut line = Line { make, commit: commit.envelope.len(), ..Line::default() };
        let entry = commit.entry();
        let (welcomed, apply) = timed(|| self.maker.confirm(commit))?;
        line.apply = apply;
        line.state = self.maker.stored();
        if adds {
            line.welcomes(&welcomed);
        }
        for (place, device) in self.others.iter_mut().enumerate() {
            let ((), follow) = timed(|| device.follow(&entry))?;
            if place == 0 {
                line.follow = follow;
            }
        }
        line.print(self.size, step);
        Ok(())
    }

    /// Another member commits, so that its part of the tree has keys.
    fn populate(&mut self, place: usize) -> Result<(), Fault> {
        let device = self.others.get_mut(place).ok_or(Fault::Device)?;
        let commit = device.begin(CommitIntent::default())?;
        let entry = commit.entry();
        device.confirm(commit)?;
        self.maker.follow(&entry)?;
        let rest = self.others.iter_mut().enumerate().filter(|(other, _)| *other != place);
        rest.into_iter().try_for_each(|(_, device)| device.follow(&entry))
    }

    /// Has one of `every` members commit, so that the parents above them have keys: each is added again
    /// where it stood, comes in, commits, and is forgotten. The last of them stays, and those before go:
    /// all would have to follow each commit.
    fn fill(&mut self, every: usize) -> Result<(), Fault> {
        for leaf in (every..self.size).step_by(every) {
            let mut device = Device::new(u32::try_from(leaf).unwrap_or(u32::MAX))?;
            // The first package of its own would be the one that it is there by.
            device.package(self.suite)?;
            let add = vec![device.package(self.suite)?];
            let remove = vec![device.selector()];
            let commit =
                self.maker.begin(CommitIntent { add, remove, ..CommitIntent::default() })?;
            let welcome = self.maker.confirm(commit)?;
            device.join(self.suite, &welcome)?;
            let commit = device.begin(CommitIntent::default())?;
            let entry = commit.entry();
            device.confirm(commit)?;
            self.maker.follow(&entry)?;
            self.others = vec![device];
        }
        Ok(())
    }

    fn message(&mut self) -> Result<(), Fault> {
        let (envelope, make) = timed(|| self.maker.say(&[7; 1_024]))?;
        let reader = self.others.first_mut().ok_or(Fault::Device)?;
        let ((), follow) = timed(|| reader.hear(&envelope))?;
        let line = Line { make, follow, commit: envelope.len(), ..Line::default() };
        line.print(self.size, "message of 1 KiB");
        Ok(())
    }

    /// Somebody who is there as a key package only, another one each time: odd leaves but the first
    /// never do anything.
    fn remove_last(&mut self) -> Result<LeafSelector, Fault> {
        let leaf = self.odd.pop().ok_or(Fault::Device)?;
        Ok(Device::new(leaf)?.selector())
    }
}
