//! `cargo demo`: people talk through a real relay, and then the relay is searched for what they
//! said.
//!
//! Everything runs: a relay process with its store on disk, four client processes with encrypted
//! stores, on loopback. Each line that is printed was checked; an expectation that does not hold
//! ends the demo. Everything lies in one temporary folder, which goes at the end (`--keep` keeps
//! it), and every process is the demo's own and ends with it.
#![expect(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed, by name; what is not there is null, not a panic"
)]

mod audit;
mod device;
mod fault;
mod needle;
mod picture;
mod process;
mod recording;
mod relay;
mod screen;
mod search;
mod sight;
mod story;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use self::{
    audit::{Audit, Verdict},
    fault::Fault,
    screen::Screen,
    story::Stage,
};
use crate::{
    programs,
    setup::{self, Consent},
};

/// What becomes of the folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    Remove,
    Keep,
}

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let (mut consent, mut afterwards) = (Consent::Ask, Afterwards::Remove);
    for argument in arguments {
        match argument.as_str() {
            "--yes" => consent = Consent::Given,
            "--keep" => afterwards = Afterwards::Keep,
            other => return crate::unknown_argument("demo", other),
        }
    }
    if let Err(problem) = setup::ensure(consent) {
        eprintln!("{problem}");
        return ExitCode::FAILURE;
    }
    match prepare().and_then(|binaries| perform(&binaries, afterwards)) {
        Ok(Verdict::Blind) => ExitCode::SUCCESS,
        Ok(Verdict::Seen | Verdict::Void) => ExitCode::FAILURE,
        Err(fault) => {
            Screen::new().fault(&fault);
            ExitCode::FAILURE
        }
    }
}

/// Builds the programs and says where they are.
fn prepare() -> Result<PathBuf, Fault> {
    println!("building hush and hush-relay (the first time, RocksDB takes about ten minutes)");
    programs::build().map_err(Fault::about("the programs do not build"))
}

/// A folder that goes with this value.
struct Folder {
    path: PathBuf,
    afterwards: Afterwards,
}

impl Folder {
    fn new(afterwards: Afterwards) -> Result<Self, Fault> {
        let path = env::temp_dir().join(format!("hushwire-demo-{}", std::process::id()));
        fs::create_dir(&path).map_err(Fault::about("no folder for the demo"))?;
        Ok(Self { path, afterwards })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        match self.afterwards {
            Afterwards::Keep => println!("\nkept: {}", self.path.display()),
            // What cannot be removed is left to the system's own cleaning of temporary files.
            Afterwards::Remove => drop(fs::remove_dir_all(&self.path)),
        }
    }
}

/// The story, then the search. The stage is declared after the folder, so its processes end first.
fn perform(binaries: &Path, afterwards: Afterwards) -> Result<Verdict, Fault> {
    let begun = Instant::now();
    let folder = Folder::new(afterwards)?;
    let mut stage = Stage::new(Screen::new(), binaries, &folder.path)?;
    stage.play()?;

    stage.screen.act("What the relay has stored");
    let group = stage.bobs_group()?;
    audit::plant(&stage.relay, &folder.path, &mut stage.needles)?;
    stage.relay.stop()?;
    picture::show(&stage.relay, &stage.screen, &group)?;

    stage.screen.act("The search for plaintext");
    stage.screen.step(
        "a canary was planted (hush-relay plant): a blob through TLS, the writer and the disk",
    );
    let mut audit = Audit::new(std::mem::take(&mut stage.needles))?;
    audit.announce(&stage.screen);
    audit.search_files(&stage.relay, &stage.screen)?;
    audit.search_rows(&stage.relay, &stage.screen)?;
    audit.search_frames(&stage.relay, &stage.screen)?;
    let verdict = audit.verdict(&stage.screen);
    conclude(&stage.screen, verdict, begun);
    Ok(verdict)
}

fn conclude(screen: &Screen, verdict: Verdict, begun: Instant) {
    let seconds = begun.elapsed().as_secs();
    let line = match verdict {
        Verdict::Blind => screen.good(
            "BLIND: the canary was found in every place and form, and nothing that people said",
        ),
        Verdict::Seen => screen.bad("SEEN: the relay has what people said; see above"),
        Verdict::Void => screen.bad("VOID: the canary was not found, so the search says nothing"),
    };
    println!("\n{line} ({seconds} s)");
}
