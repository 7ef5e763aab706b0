//! `cargo mutate`: breaks the rules in small ways and looks whether a test notices.
//!
//! A mutant that no test notices is a rule that no test holds. Those of what a change touches are
//! tried in CI; all of them take hours. What is equivalent, and why, stands in
//! `.cargo/mutants.toml`.

mod difference;
mod sample;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use self::{difference::Difference, sample::Sample};
use crate::{
    checkout,
    programs::{self, Runner},
    setup::{
        Consent,
        tool::{Missing, Tool},
    },
};

/// What is mutated: the rules of the relay and those of a group. Paths of a file or of a folder.
const RULES: [&str; 4] = [
    "relay/rules/src",
    "protocol/src/group.rs",
    "protocol/src/group_code.rs",
    "protocol/src/group",
];

/// Mutants that a change is judged by; each takes some seconds.
const MUTANTS_MAX: usize = 40;

/// The least time that the tests of a mutant get before they count as endless. A busy machine is
/// slow.
const TESTS_SECONDS_MIN: &str = "60";

/// What cargo-mutants ends with besides success.
mod exit {
    /// A mutant was not noticed.
    pub(super) const MISSED: i32 = 2;
    /// All were noticed, some because the tests did not end.
    pub(super) const ENDLESS: i32 = 3;
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    scope: Scope,
    consent: Consent,
}

/// Which mutants are tried.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    /// Those of what differs from a commit, at most [`MUTANTS_MAX`].
    Difference { base: Option<String> },
    /// All, or a part of them, such as `1/8`.
    All { shard: Option<String> },
}

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let order = match parse(arguments) {
        Ok(order) => order,
        Err(argument) => return crate::unknown_argument("mutate", &argument),
    };
    match perform(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// # Errors
/// The argument that is not understood.
fn parse(arguments: &[String]) -> Result<Order, String> {
    let mut consent = Consent::Ask;
    let mut scope = Scope::Difference { base: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        scope = match (argument.as_str(), scope) {
            ("--yes", scope) => {
                consent = Consent::Given;
                scope
            }
            ("--base", Scope::Difference { base: None }) => {
                Scope::Difference { base: Some(rest.next().ok_or("--base without one")?.clone()) }
            }
            ("--all", Scope::Difference { base: None }) => Scope::All { shard: None },
            ("--shard", Scope::All { shard: None }) => {
                Scope::All { shard: Some(rest.next().ok_or("--shard without one")?.clone()) }
            }
            (other, _) => return Err(other.to_owned()),
        };
    }
    Ok(Order { scope, consent })
}

/// # Errors
/// What went wrong or was not noticed, for a person.
fn perform(order: &Order) -> Result<(), String> {
    let target = programs::target_folder();
    let selection = match &order.scope {
        Scope::All { shard } => Selection::all(shard.as_deref()),
        Scope::Difference { base } => {
            let Some(base) = difference::base(base.as_deref()) else {
                println!("there is no commit to compare with: no mutants");
                return Ok(());
            };
            let difference = Difference::from(&base, &RULES)?;
            if difference.is_empty() {
                println!("nothing in the rules differs from {base}: no mutants");
                return Ok(());
            }
            let file = target.join("mutants.diff");
            let written = fs::create_dir_all(&target).and_then(|()| difference.write(&file));
            written.map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
            Selection::difference(&file)
        }
    };
    let program = match Tool::MUTANTS.ensure(&target, order.consent) {
        Ok(program) => program,
        Err(Missing::NotInstalled(problem)) => return Err(problem),
        Err(Missing::NotWanted) => {
            println!("there is no cargo-mutants: no mutants are tried (CONTRIBUTING.md)");
            return Ok(());
        }
    };
    let mutants = Mutants { program, target };
    match order.scope {
        Scope::All { .. } => mutants.test(selection),
        Scope::Difference { .. } => mutants.test_some(selection),
    }
}

/// Arguments that choose mutants.
struct Selection(Vec<String>);

impl Selection {
    fn rules() -> Self {
        let globs = RULES.iter().map(|path| {
            if path.ends_with(".rs") { (*path).to_owned() } else { format!("{path}/**/*.rs") }
        });
        Self(globs.flat_map(|glob| ["--file".to_owned(), glob]).collect())
    }

    fn all(shard: Option<&str>) -> Self {
        match shard {
            Some(shard) => Self::rules().and(["--shard", shard, "--sharding", "round-robin"]),
            None => Self::rules(),
        }
    }

    fn difference(file: &Path) -> Self {
        Self::rules().and(["--in-diff", &file.to_string_lossy()])
    }

    fn and<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.0.extend(arguments.map(str::to_owned));
        self
    }
}

/// Who tests mutants, and where it builds them.
struct Mutants {
    program: PathBuf,
    target: PathBuf,
}

impl Mutants {
    /// Tests a sample of those selected, another one for each commit.
    fn test_some(&self, selection: Selection) -> Result<(), String> {
        let listed = self.command(&selection).arg("--list").output();
        let listed = listed.map_err(|error| self.unusable(&error))?;
        if !listed.status.success() {
            return Err(String::from_utf8_lossy(&listed.stderr).into_owned());
        }
        let mutants = String::from_utf8_lossy(&listed.stdout).lines().count();
        let sample = Sample::of(mutants, MUTANTS_MAX, &difference::head()?);
        println!("{sample}");
        match sample {
            Sample::Nothing => Ok(()),
            Sample::All { .. } => self.test(selection),
            Sample::Part { .. } => {
                let shard = sample.shard();
                self.test(selection.and(["--shard", &shard, "--sharding", "round-robin"]))
            }
        }
    }

    fn test(&self, selection: Selection) -> Result<(), String> {
        let runner = match programs::runner() {
            Runner::Nextest => "nextest",
            Runner::Cargo => "cargo",
        };
        let selection = selection.and(["--test-tool", runner, "--no-shuffle"]);
        let status = self
            .command(&selection)
            .args(["--minimum-test-timeout", TESTS_SECONDS_MIN])
            .arg("--output")
            .arg(&self.target)
            .status()
            .map_err(|error| self.unusable(&error))?;
        match status.code() {
            Some(0 | exit::ENDLESS) => Ok(()),
            Some(exit::MISSED) => Err("no test notices the mutants above: write one that does, \
                 or say in .cargo/mutants.toml why there can be none"
                .to_owned()),
            _ => Err(format!("cargo-mutants failed ({status})")),
        }
    }

    /// Builds in the checkout's target folder, so that what is below our code is not built again.
    /// Our code is built without optimisation beside what is there, and so is our only build script:
    /// shared, it would make cargo build everything again in the checkout.
    fn command(&self, selection: &Selection) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("mutants")
            .args(&selection.0)
            .arg("--cargo-arg=--config=profile.dev.package.hushwire-wire.debug=1")
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env_remove("CI")
            .current_dir(checkout::root());
        command
    }

    fn unusable(&self, error: &io::Error) -> String {
        format!("{} cannot be run: {error}", self.program.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Order, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_difference_or_all_is_tried() {
        let difference = |base: Option<&str>, consent| {
            Ok(Order { scope: Scope::Difference { base: base.map(str::to_owned) }, consent })
        };
        assert_eq!(parsed(""), difference(None, Consent::Ask));
        assert_eq!(parsed("--yes --base main"), difference(Some("main"), Consent::Given));
        let shard = Some("1/8".to_owned());
        let all = Order { scope: Scope::All { shard }, consent: Consent::Ask };
        assert_eq!(parsed("--all --shard 1/8"), Ok(all));
        for senseless in ["--base", "--shard 1/8", "--base main --all", "--all --base main"] {
            assert!(parsed(senseless).is_err(), "{senseless}");
        }
    }

    #[test]
    fn what_is_mutated_is_there() {
        for path in RULES {
            assert!(checkout::root().join(path).exists(), "{path}");
        }
    }
}
