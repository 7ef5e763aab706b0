//! Groups: what a change of one costs who makes it, who follows, who joins, and how many bytes go.
//!
//! The group code alone, with stores in memory, no relay. All but a few of the members exist as key
//! packages only: what they would do costs each the same.

use std::fs;

use hushwire_protocol::{
    group::{CommitIntent, DEVICES_MAX, GroupKind, GroupState, LeafSelector, VerifiedKeyPackage},
    provider::Suite,
};

use crate::{device::Device, fault::Fault};

/// Members of the groups.
const SIZES: [usize; 4] = [10, 100, 1_000, DEVICES_MAX];

/// Measures and prints.
pub(crate) fn measure() -> Result<(), Fault> {
    for suite in Suite::ALL {
        println!("groups, {suite:?} suite: milliseconds of a processor, one try, and kilobytes");
        println!(
            "  devices  step                          make   apply  follow    join  commit KB  \
             snapshot KB"
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
    snapshot: usize,
}

impl Line {
    fn print(&self, size: usize, step: &str) {
        let time = |milliseconds: f64| match milliseconds {
            0.0 => "-".to_owned(),
            some => format!("{some:.1}"),
        };
        let bytes = |count: usize| match u32::try_from(count) {
            Ok(0) | Err(_) => "-".to_owned(),
            Ok(count) => format!("{:.1}", f64::from(count) / 1_000.0),
        };
        let Self { make, apply, follow, join, commit, snapshot } = self;
        println!(
            "  {size:>7}  {step:<26}  {:>6}  {:>6}  {:>6}  {:>6}  {:>9}  {:>11}",
            time(*make),
            time(*apply),
            time(*follow),
            time(*join),
            bytes(*commit),
            bytes(*snapshot),
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
    size: usize,
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
    let newcomer = Device::new(u32::MAX)?.package(suite)?;
    crew.commit("add one", CommitIntent { add: vec![newcomer], ..CommitIntent::default() })
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
        line.snapshot = welcomed.snapshot.to_bytes().len();
        for (place, device) in others.iter_mut().enumerate() {
            let (_, join) = timed(|| device.join(suite, &welcomed))?;
            if place == 0 {
                line.join = join;
            }
        }
        line.print(size, "make it, all at once");
        Ok(Self { size, maker, others })
    }

    /// The maker commits, all follow.
    fn commit(&mut self, step: &str, intent: CommitIntent) -> Result<(), Fault> {
        let adds = !intent.add.is_empty();
        let (commit, make) = timed(|| self.maker.begin(intent))?;
        let mut line = Line { make, commit: commit.envelope.len(), ..Line::default() };
        let entry = commit.entry();
        let (welcomed, apply) = timed(|| self.maker.confirm(commit))?;
        line.apply = apply;
        line.snapshot = if adds { welcomed.snapshot.to_bytes().len() } else { 0 };
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

    fn message(&mut self) -> Result<(), Fault> {
        let (envelope, make) = timed(|| self.maker.say(&[7; 1_024]))?;
        let reader = self.others.first_mut().ok_or(Fault::Device)?;
        let ((), follow) = timed(|| reader.hear(&envelope))?;
        let line = Line { make, follow, commit: envelope.len(), ..Line::default() };
        line.print(self.size, "message of 1 KiB");
        Ok(())
    }

    /// Somebody who is there as a key package only.
    fn remove_last(&self) -> Result<LeafSelector, Fault> {
        let leaf = (1..self.size).rev().find(|leaf| !leaf.is_power_of_two());
        let leaf = leaf.ok_or(Fault::Device)?;
        Ok(Device::new(u32::try_from(leaf).unwrap_or(u32::MAX))?.selector())
    }
}
