//! The relay of the demo: a real process on a loopback port with its store on disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    fault::{Fault, expect},
    process::{Running, piped},
    sight::Watcher,
};

/// Longest wait for its first line, for its end, and for its tools.
const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(30);
const TOOL_MAX: Duration = Duration::from_secs(60);

/// The relay, running or not.
pub(super) struct Relay {
    program: PathBuf,
    folder: PathBuf,
    running: Option<Running>,
    listen: String,
    address: String,
    runs: u32,
}

impl Relay {
    pub(super) fn new(binaries: &Path, folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder).map_err(Fault::about("no folder for the relay"))?;
        Ok(Self {
            program: binaries.join("hush-relay"),
            folder: folder.to_owned(),
            running: None,
            listen: "127.0.0.1:0".to_owned(),
            address: String::new(),
            runs: 0,
        })
    }

    /// Where the relay keeps everything.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the relay printed: its log.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("relay.log")
    }

    /// The records of frames, one for each run.
    pub(super) fn records(&self) -> Vec<PathBuf> {
        (1..=self.runs).map(|run| self.record(run)).collect()
    }

    fn record(&self, run: u32) -> PathBuf {
        self.folder.join(format!("frames-{run}.jsonl"))
    }

    /// The record of this run.
    pub(super) fn current_record(&self) -> PathBuf {
        self.record(self.runs)
    }

    /// `host:port#id`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts it, at the same port as before if it ran before, and waits until it serves.
    pub(super) fn start(&mut self) -> Result<Watcher, Fault> {
        self.runs += 1;
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(Fault::about("the relay's log"))?;
        let mut command = Command::new(&self.program);
        command.args(["run", "--json", "--listen", &self.listen, "--data"]).arg(self.data());
        command.arg("--dangerous-record-frames").arg(self.record(self.runs));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let running = Running::start(&mut command)?;
        let line = running.next_line(Instant::now() + START_MAX);
        let line = line.ok_or_else(|| Fault::new("the relay does not start; see its log"))?;
        let said: Value = serde_json::from_str(&line)
            .map_err(|_| Fault::new(format!("the relay says what is not JSON: {line}")))?;
        let text = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
        let address = text("address");
        expect(self.runs == 1 || address == self.address, "the relay has its old address")?;
        (self.listen, self.address) = (text("listening"), address);
        self.running = Some(running);
        Ok(Watcher::new(&self.current_record()))
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) -> Result<u32, Fault> {
        let running = self.running.take().ok_or_else(|| Fault::new("the relay does not run"))?;
        let id = running.id();
        running.kill();
        Ok(id)
    }

    /// SIGTERM, and waits for an orderly end.
    pub(super) fn stop(&mut self) -> Result<(), Fault> {
        let running = self.running.take().ok_or_else(|| Fault::new("the relay does not run"))?;
        let told = Command::new("kill").args(["-TERM", &running.id().to_string()]).status();
        expect(told.is_ok_and(|status| status.success()), "the relay can be told to stop")?;
        let finished = running.finish(STOP_MAX, "the relay")?;
        expect(finished.status.success(), "the relay ends in order when it is told to stop")
    }

    /// Stores a file in the running relay by `hush-relay plant`.
    pub(super) fn plant(&self, file: &Path) -> Result<(), Fault> {
        let mut command = piped(&self.program);
        command.args(["plant", "--address", &self.address, "--file"]).arg(file);
        let finished = Running::start(&mut command)?.finish(TOOL_MAX, "hush-relay plant")?;
        if finished.status.success() {
            return Ok(());
        }
        Err(Fault::new(format!("hush-relay plant: {}", finished.errors.join(" "))))
    }

    /// Every row of the stopped relay's store, one by one, as `hush-relay inspect` prints it.
    pub(super) fn inspect(
        &self,
        mut visit: impl FnMut(&Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let dump = self.folder.join("rows.jsonl");
        let file = File::create(&dump).map_err(Fault::about("a file for the rows"))?;
        let mut command = piped(&self.program);
        command.args(["inspect", "--data"]).arg(self.data()).stdout(Stdio::from(file));
        let finished = Running::start(&mut command)?.finish(TOOL_MAX, "hush-relay inspect")?;
        expect(finished.status.success(), "hush-relay inspect reads the store")?;
        let file = File::open(&dump).map_err(Fault::about("the rows"))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(Fault::about("the rows"))?;
            let row = serde_json::from_str(&line)
                .map_err(|_| Fault::new("hush-relay inspect prints what is not JSON"))?;
            visit(&row)?;
        }
        fs::remove_file(&dump).map_err(Fault::about("the rows"))
    }
}
