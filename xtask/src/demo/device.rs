//! A device of a person: a profile of its own and, while it is online, a client process.
//!
//! The client process is `hush follow`, which owns the profile; each command is another `hush`
//! that hands it over.

use std::{
    cell::{Cell, RefCell},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use super::{
    fault::{Fault, expect},
    process::{Running, piped},
};

/// The passphrase of every store of the demo.
pub(super) const PASSPHRASE: &str = "demo: seven otters juggle lanterns";
/// Longest wait for a command, and for something to arrive.
const COMMAND_MAX: Duration = Duration::from_secs(120);
const ARRIVAL_MAX: Duration = Duration::from_secs(90);
/// Longest wait for a client to open its profile.
const START_MAX: Duration = Duration::from_secs(30);
/// How often something is asked again.
const POLL: Duration = Duration::from_millis(100);
/// Exit code of `hush`: durable, but not at the relay yet.
const EXIT_WAITING: i32 = 4;

/// A device.
pub(super) struct Device {
    /// Whose it is.
    pub(super) owner: &'static str,
    /// What it is called on the screen.
    pub(super) label: &'static str,
    program: PathBuf,
    profile: PathBuf,
    client: Option<Running>,
    /// Everything that its client said, over all its lives.
    events: RefCell<Vec<Value>>,
    last_event: Cell<u64>,
}

/// What a command said.
pub(super) struct Said {
    pub(super) records: Vec<Value>,
    /// Its error, if it failed.
    pub(super) error: Option<Value>,
    pub(super) code: Option<i32>,
}

impl Said {
    /// Whether it did what it was asked, even if something is still to be sent.
    pub(super) const fn is_durable(&self) -> bool {
        matches!(self.code, Some(0 | EXIT_WAITING))
    }

    /// The first record of a type.
    pub(super) fn record(&self, kind: &str) -> Result<&Value, Fault> {
        let found = self.records.iter().find(|record| record["type"] == kind);
        found.ok_or_else(|| Fault::new(format!("hush says no {kind}")))
    }

    /// A text of the first record of a type.
    pub(super) fn text(&self, kind: &str, field: &str) -> Result<String, Fault> {
        let text = self.record(kind)?[field].as_str().map(ToOwned::to_owned);
        text.ok_or_else(|| Fault::new(format!("hush says no {field} of a {kind}")))
    }
}

impl Device {
    pub(super) fn new(
        (owner, label): (&'static str, &'static str),
        binaries: &Path,
        profile: PathBuf,
    ) -> Self {
        Self {
            owner,
            label,
            program: binaries.join("hush"),
            profile,
            client: None,
            events: RefCell::default(),
            last_event: Cell::new(0),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = piped(&self.program);
        command.arg("--json").arg("--profile").arg(&self.profile).args(words);
        command.env("HUSH_PASSPHRASE", PASSPHRASE).env_remove("HUSHWIRE_CRASH_AT");
        command
    }

    /// Runs a command and says how it ended.
    pub(super) fn attempt(&self, words: &[&str]) -> Result<Said, Fault> {
        said(Running::start(&mut self.command(words))?, words)
    }

    /// Runs a command that has to succeed.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Said, Fault> {
        let said = self.attempt(words)?;
        match said.code {
            Some(0) => Ok(said),
            _ => Err(self.refused(words, &said)),
        }
    }

    /// Runs a command that may leave something to be sent later; its client sends it.
    pub(super) fn ask_durable(&self, words: &[&str]) -> Result<Said, Fault> {
        let said = self.attempt(words)?;
        if said.is_durable() { Ok(said) } else { Err(self.refused(words, &said)) }
    }

    /// Why a command failed.
    pub(super) fn refused(&self, words: &[&str], said: &Said) -> Fault {
        let error = said
            .error
            .as_ref()
            .map_or("no reason", |error| error["error"].as_str().unwrap_or("no reason"));
        Fault::new(format!("{}: hush {} failed: {error}", self.label, words.join(" ")))
    }

    /// Starts a command whose lines are read while it runs; it takes one line of input.
    pub(super) fn begin(&self, words: &[&str]) -> Result<Running, Fault> {
        Running::start(self.command(words).stdin(Stdio::piped()))
    }

    /// Starts its client, which reports what has happened since the last event seen.
    pub(super) fn go_online(&mut self) -> Result<(), Fault> {
        let from = (self.last_event.get() + 1).to_string();
        let words = ["follow", "--from", &from];
        let before = self.socket();
        self.client = Some(Running::start(&mut self.command(&words))?);
        // Another command now would become the owner itself, or find the profile busy.
        let until = Instant::now() + START_MAX;
        while self.socket().is_none() || self.socket() == before {
            expect(Instant::now() < until, "a client opens its profile")?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Which local socket its profile has: one that a killed client left is replaced.
    fn socket(&self) -> Option<(u64, SystemTime)> {
        let metadata = fs::metadata(self.profile.join("socket")).ok()?;
        Some((metadata.ino(), metadata.modified().ok()?))
    }

    /// Kills its client.
    pub(super) fn go_offline(&mut self) -> Result<(), Fault> {
        let client = self.client.take().ok_or_else(|| Fault::new("a client does not run"))?;
        client.kill();
        Ok(())
    }

    /// Waits until its client has reported an event for which `wanted` holds.
    pub(super) fn sees(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, Fault> {
        let known = self.events.borrow().iter().find(|event| wanted(event)).cloned();
        if let Some(event) = known {
            return Ok(event);
        }
        let client = self.client.as_ref();
        let client = client.ok_or_else(|| Fault::new(format!("{} is offline", self.label)))?;
        let until = Instant::now() + ARRIVAL_MAX;
        while let Some(line) = client.next_line(until) {
            let event = self.note(&line)?;
            if wanted(&event) {
                return Ok(event);
            }
        }
        expect(Instant::now() >= until, "a client goes on until it is killed")?;
        Err(Fault::new(format!("{} waits in vain: {what}", self.label)))
    }

    /// Events have no gaps, also over kills (spec: CLI-020).
    fn note(&self, line: &str) -> Result<Value, Fault> {
        let event: Value = serde_json::from_str(line)
            .map_err(|_| Fault::new(format!("hush follow says what is not JSON: {line}")))?;
        let number = event["number"].as_u64().unwrap_or(0);
        expect(number == self.last_event.get() + 1, "events come without gaps, each once")?;
        self.last_event.set(number);
        self.events.borrow_mut().push(event.clone());
        Ok(event)
    }

    /// Waits for a text, and says what is seen and by whom.
    pub(super) fn sees_text(&self, text: &str) -> Result<String, Fault> {
        let event = self.sees(&format!("the text {text:?}"), |event| {
            event["event"] == "message_added" && event["message"]["text"] == text
        })?;
        let message = &event["message"];
        let who = message["sender_name"].as_str().unwrap_or("me");
        Ok(format!("{:<16} {who}: {text}", self.label))
    }

    /// Whether any event so far carried this text.
    pub(super) fn has_seen(&self, text: &str) -> bool {
        self.events.borrow().iter().any(|event| event["message"]["text"] == text)
    }

    /// How many events its client has reported.
    pub(super) fn events_seen(&self) -> u64 {
        self.last_event.get()
    }

    /// Asks until `wanted` holds for what a command says.
    pub(super) fn until(
        &self,
        what: &str,
        words: &[&str],
        wanted: impl Fn(&Said) -> bool,
    ) -> Result<Said, Fault> {
        let until = Instant::now() + ARRIVAL_MAX;
        loop {
            let said = self.ask(words)?;
            if wanted(&said) {
                return Ok(said);
            }
            if Instant::now() >= until {
                return Err(Fault::new(format!("{} waits in vain: {what}", self.label)));
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Reads what a command says to its end.
pub(super) fn said(running: Running, words: &[&str]) -> Result<Said, Fault> {
    let about = format!("hush {}", words.first().copied().unwrap_or_default());
    let finished = running.finish(COMMAND_MAX, &about)?;
    let parse = |line: &String| serde_json::from_str::<Value>(line).ok();
    let records = finished.output.iter().filter_map(parse).collect();
    let error = finished.errors.iter().filter_map(parse).find(|said| said["type"] == "error");
    Ok(Said { records, error, code: finished.status.code() })
}
