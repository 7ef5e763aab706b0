//! `cargo break-rules`: breaks one rule after the other in a copy of the checkout, and looks whether the
//! simulator notices. A simulator that sees nothing in a broken program proves nothing of a sound one.

mod breaks;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use self::breaks::{BREAKS, Break};
use crate::{checkout, unknown_argument};

/// The simulator in the copy: as it was built last, and that of the sound program.
const BROKEN: &str = "target/debug/sim";
const SOUND: &str = "target/sound-sim";
/// Seeds of one run: a broken program is seldom sound for so many.
const SEEDS_AT_ONCE: u64 = 20;
/// Seeds after which a break counts as not noticed.
const SEEDS_MAX: u64 = 1_000;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let only = match arguments {
        [] => None,
        [option, name] if option == "--only" => Some(name.as_str()),
        [other, ..] => return unknown_argument("break-rules", other),
    };
    let wanted: Vec<&Break> =
        BREAKS.iter().filter(|one| only.is_none_or(|only| one.name == only)).collect();
    if wanted.is_empty() {
        eprintln!("break-rules: there is no such break");
        return ExitCode::FAILURE;
    }
    match Copy::new().and_then(|copy| copy.judge(&wanted)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("break-rules: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in a sentence.
type Fault = String;

/// A copy of the checkout, in which things are broken.
struct Copy {
    root: PathBuf,
}

impl Copy {
    /// Copies what is under version control, and what would be.
    fn new() -> Result<Self, Fault> {
        let from = checkout::root();
        let root = from.join("target/broken");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&from)
            .output()
            .map_err(|error| format!("git does not run: {error}"))?;
        let names = String::from_utf8(listed.stdout).map_err(|_| "a file name is no text")?;
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            copy(&from.join(name), &root.join(name)).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(Self { root })
    }

    /// Breaks each rule alone; says how many breaks were not noticed.
    fn judge(&self, breaks: &[&Break]) -> Result<usize, Fault> {
        let mut unnoticed = 0;
        self.build()?;
        fs::copy(self.root.join(BROKEN), self.root.join(SOUND)).map_err(|it| it.to_string())?;
        for one in breaks {
            let sound = self.apply(one)?;
            let found = self.build().and_then(|()| self.search());
            for (path, text) in sound {
                fs::write(self.root.join(path), text).map_err(|error| error.to_string())?;
            }
            let name = format!("{} ({})", one.name, one.rules.join(", "));
            match found {
                Ok(Some(violation)) => println!("noticed    {name}: {violation}"),
                Err(why) => {
                    unnoticed += 1;
                    println!("UNNOTICED  {name}: {why}");
                }
                Ok(None) => {
                    unnoticed += 1;
                    println!("UNNOTICED  {name}, in {SEEDS_MAX} seeds");
                }
            }
        }
        println!("{} breaks, {unnoticed} unnoticed", breaks.len());
        Ok(unnoticed)
    }

    /// Breaks a rule; gives the files that are other than they were, as they were.
    fn apply(&self, one: &Break) -> Result<Vec<(&'static str, String)>, Fault> {
        let mut sound = Vec::new();
        for edit in one.edits {
            let path = self.root.join(edit.file);
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            fs::write(&path, edit.broken(&text)?).map_err(|error| error.to_string())?;
            sound.push((edit.file, text));
        }
        // Of a file with two edits the first text is the sound one.
        sound.reverse();
        Ok(sound)
    }

    fn build(&self) -> Result<(), Fault> {
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--package", "hushwire-sim"])
            .current_dir(&self.root)
            .env("RUSTFLAGS", "--cap-lints=allow")
            .status()
            .map_err(|error| format!("cargo does not run: {error}"))?;
        if status.success() { Ok(()) } else { Err("the broken program does not build".into()) }
    }

    /// Runs seed after seed until one shows what must not be, and does not show it in the sound program;
    /// gives what it showed.
    fn search(&self) -> Result<Option<String>, Fault> {
        for first in (0..SEEDS_MAX).step_by(usize::try_from(SEEDS_AT_ONCE).unwrap_or(1)) {
            for (seed, violation) in self.simulate(BROKEN, first, SEEDS_AT_ONCE)? {
                if self.simulate(SOUND, seed, 1)?.is_empty() {
                    return Ok(Some(violation));
                }
                eprintln!("seed {seed} fails in the sound program too");
            }
        }
        Ok(None)
    }

    /// Runs seeds, and gives those that failed, with what they showed.
    fn simulate(&self, program: &str, first: u64, count: u64) -> Result<Vec<(u64, String)>, Fault> {
        let output = Command::new(self.root.join(program))
            .args(["--shrink", "no", "--seeds", &count.to_string()])
            .args(["--first", &first.to_string()])
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("the simulator does not run: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = said.lines().filter_map(|line| {
            let (seed, _) = line.strip_prefix("seed ")?.split_once(' ')?;
            Some((seed.parse().ok()?, line.chars().take(160).collect()))
        });
        let failed: Vec<(u64, String)> = failed.collect();
        if failed.is_empty() && !output.status.success() {
            return Err(format!("the simulator ended with {}", output.status));
        }
        Ok(failed)
    }
}

/// Copies a file unless the copy is the same already: then nothing is built again for it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let content = match fs::read(from) {
        // It is listed, and was removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        content => content?,
    };
    if fs::read(to).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, content)
}
