//! `cargo crash-loop`: kills the relay and clients, again and again, at random moments and at every
//! named step, and then looks whether everything that was accepted arrived, once and in order.
//!
//! Real binaries, real stores, one relay on loopback. Each round one person writes, or sends a file,
//! while something is killed; named steps take turns. A message counts as accepted when `hush send`
//! said so.

mod points;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use self::points::{CLIENT, Deed, RELAY};
use crate::{programs, unknown_argument};

/// The variable that both programs read.
const CRASH_AT: &str = "HUSHWIRE_CRASH_AT";
/// Longest wait for one run of a client, and for everything to arrive in the end.
const RUN_MAX: Duration = Duration::from_secs(30);
const ARRIVAL_MAX: Duration = Duration::from_secs(120);
/// Longest wait for a relay that was told to die at a step.
const RELAY_DEATH_MAX: Duration = Duration::from_secs(3);
/// After so many turns a step has to have killed: a client may end before the pass that was drawn.
const VISIT_TURNS: u64 = 4;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let mut kills = 300;
    let mut seed = 1;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--kills", Some(value)) => kills = value,
            ("--seed", Some(value)) => seed = value,
            _ => return unknown_argument("crash-loop", argument),
        }
    }
    match Loop::new(seed).and_then(|mut world| world.run(kills)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("crash-loop: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in a sentence.
type Fault = String;

struct Loop {
    folder: PathBuf,
    binaries: PathBuf,
    relay: Option<Child>,
    port: u16,
    random: u64,
    killed: BTreeMap<String, u64>,
    /// How often each named step had its turn.
    turns: BTreeMap<&'static str, u64>,
    accepted: Vec<String>,
}

/// A program that runs, with its lines.
struct Lines {
    child: Child,
    lines: mpsc::Receiver<String>,
}

/// What a chat holds. A file arrives when it is uploaded, which may be after later texts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chat {
    /// In the chat's order.
    texts: Vec<String>,
    /// Names of files, sorted.
    files: Vec<String>,
}

impl Chat {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.texts.iter().chain(&self.files)
    }
}

impl Loop {
    fn new(seed: u64) -> Result<Self, Fault> {
        let built = programs::build().map_err(|error| error.to_string())?;
        let folder = env::temp_dir().join(format!("hushwire-crash-loop-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("no folder for the loop: {error}"))?;
        // Copies, so that a build meanwhile does not change what is tested.
        let binaries = folder.join("programs");
        fs::create_dir_all(&binaries).map_err(|error| error.to_string())?;
        for program in ["hush", "hush-relay"] {
            fs::copy(built.join(program), binaries.join(program))
                .map_err(|error| error.to_string())?;
        }
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Ok(Self {
            folder,
            binaries,
            relay: None,
            port: 0,
            random,
            killed: BTreeMap::new(),
            turns: BTreeMap::new(),
            accepted: Vec::new(),
        })
    }

    fn run(&mut self, kills: u64) -> Result<(), Fault> {
        let started = Instant::now();
        self.start_relay(None)?;
        self.make_friends()?;
        let mut number = 0;
        let mut round = 0;
        while self.kills_of("relay") < kills || self.kills_of("client") < kills {
            if self.kills_of("relay") < kills {
                number = self.relay_round(round, number)?;
            }
            if self.kills_of("client") < kills {
                number = self.client_round(round, number)?;
            }
            round += 1;
            if round % 50 == 0 {
                let (relay, client) = (self.kills_of("relay"), self.kills_of("client"));
                println!("round {round}: relay killed {relay} times, clients {client} times");
            }
        }
        self.ensure_relay()?;
        let result = self.check_arrival().and_then(|()| self.check_visits());
        self.stop_relay();
        let _ = fs::remove_dir_all(&self.folder);
        println!("killed, by step:");
        for step in self.turns.keys() {
            self.killed.entry((*step).to_owned()).or_default();
        }
        for (step, times) in &self.killed {
            println!("  {times:5}  {step}");
        }
        println!(
            "{} messages accepted, {} kills of the relay, {} of clients, {:?}",
            self.accepted.len(),
            self.kills_of("relay"),
            self.kills_of("client"),
            started.elapsed()
        );
        if result.is_ok() {
            println!("every accepted message arrived, once and in order");
        }
        result
    }

    /// How often a kind of program was killed.
    fn kills_of(&self, kind: &str) -> u64 {
        self.killed.iter().filter(|(step, _)| step.starts_with(kind)).map(|(_, times)| times).sum()
    }

    /// A number below `bound` (xorshift64*: any will do).
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound.max(1)
    }

    /// Whose turn it is: the step that had the fewest.
    fn next_of<T: Copy>(&mut self, steps: &[T], name: impl Fn(&T) -> &'static str) -> Option<T> {
        let turns_of = |step: &&T| self.turns.get(name(step)).copied().unwrap_or(0);
        let next = steps.iter().min_by_key(turns_of).copied()?;
        *self.turns.entry(name(&next)).or_default() += 1;
        Some(next)
    }

    // --- the relay ----------------------------------------------------------------------------

    fn start_relay(&mut self, crash_at: Option<String>) -> Result<(), Fault> {
        let data = self.folder.join("relay");
        // Expired rows are looked for often enough to die there.
        let settings = fs::create_dir_all(&data)
            .and_then(|()| fs::write(data.join("relay.toml"), "[store]\nexpire_every_ms = 100\n"));
        settings.map_err(|error| format!("no folder for the relay: {error}"))?;
        let mut command = Command::new(self.binaries.join("hush-relay"));
        command.args(["run", "--json", "--data"]).arg(&data);
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
        command.env_remove(CRASH_AT);
        if let Some(step) = crash_at {
            command.env(CRASH_AT, step);
        }
        let mut child = command.spawn().map_err(|error| format!("no relay: {error}"))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        // A relay that was told to die while it starts says nothing.
        if let Ok(said) = serde_json::from_str::<Value>(&line) {
            let address = text_of(&said, "address").unwrap_or_default();
            fs::write(self.folder.join("address"), address).map_err(|error| error.to_string())?;
            let listening = text_of(&said, "listening").unwrap_or_default();
            let port = listening.rsplit(':').next().and_then(|port| port.parse().ok());
            self.port = port.unwrap_or(self.port);
        }
        self.relay = Some(child);
        Ok(())
    }

    fn stop_relay(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }

    /// A relay that runs and has no orders to die.
    fn ensure_relay(&mut self) -> Result<(), Fault> {
        self.stop_relay();
        self.start_relay(None)
    }

    /// One message while the relay dies: at a random moment, or at a named step.
    fn relay_round(&mut self, kill: u64, number: u64) -> Result<u64, Fault> {
        if kill.is_multiple_of(2) {
            self.ensure_relay()?;
            let sender = self.spawn_send("alice", number, None)?;
            thread::sleep(Duration::from_millis(self.below(250)));
            self.stop_relay();
            *self.killed.entry("relay at a random moment".to_owned()).or_default() += 1;
            self.start_relay(None)?;
            self.finish(sender, number)?;
        } else {
            let step = self.next_of(&RELAY, |step| step.name).ok_or("no step of the relay")?;
            self.stop_relay();
            let pass = 1 + self.below(step.passes);
            self.start_relay(Some(format!("{}:{pass}", step.name)))?;
            let sender = match step.deed {
                Deed::Text | Deed::Stop => self.spawn_send("alice", number, None)?,
                Deed::File => self.spawn_send_file("alice", number)?,
            };
            if step.deed == Deed::Stop {
                thread::sleep(Duration::from_millis(self.below(250)));
                self.terminate_relay();
            }
            if self.wait_relay(RELAY_DEATH_MAX) {
                *self.killed.entry(step.name.to_owned()).or_default() += 1;
            }
            self.ensure_relay()?;
            self.finish(sender, number)?;
        }
        Ok(number + 1)
    }

    /// Tells the relay to stop in good order.
    fn terminate_relay(&self) {
        if let Some(relay) = &self.relay {
            let _ = Command::new("kill").args(["-TERM", &relay.id().to_string()]).status();
        }
    }

    /// Whether the relay ends by itself in time.
    fn wait_relay(&mut self, span: Duration) -> bool {
        let until = Instant::now() + span;
        while Instant::now() < until {
            let ended = self
                .relay
                .as_mut()
                .is_some_and(|relay| relay.try_wait().is_ok_and(|status| status.is_some()));
            if ended {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    // --- clients ------------------------------------------------------------------------------

    /// One message while a client dies: the sender, or the receiver while it reads.
    fn client_round(&mut self, kill: u64, number: u64) -> Result<u64, Fault> {
        let named = !kill.is_multiple_of(2);
        let step = if named { self.next_of(&CLIENT, |step| *step) } else { None };
        let step = step.map(|step| format!("{step}:{}", 1 + self.below(6)));
        let receiver = kill % 3 == 2;
        let mut running = if receiver {
            self.spawn("bob", &["--wait", "3", "chats"], step.as_deref())?
        } else {
            self.spawn_send("alice", number, step.as_deref())?
        };
        if !named {
            thread::sleep(Duration::from_millis(self.below(400)));
            let _ = running.child.kill();
        }
        let ended = wait(&mut running.child, RUN_MAX)?;
        if !ended.success() {
            let label = match &step {
                Some(step) => step.split(':').next().unwrap_or_default().to_owned(),
                None => "client at a random moment".to_owned(),
            };
            *self.killed.entry(label).or_default() += 1;
        }
        if receiver {
            return Ok(number);
        }
        self.note(&running, number);
        Ok(number + 1)
    }

    fn spawn_send(&self, who: &str, number: u64, crash_at: Option<&str>) -> Result<Lines, Fault> {
        let text = format!("message {number}");
        self.spawn(who, &["--wait", "3", "send", "1", &text], crash_at)
    }

    /// A file, which the relay keeps as a blob; its name is the message.
    fn spawn_send_file(&self, who: &str, number: u64) -> Result<Lines, Fault> {
        let path = self.folder.join(format!("message {number}"));
        fs::write(&path, [7; 1000]).map_err(|error| error.to_string())?;
        let path = path.to_str().ok_or("the folder's name is no text")?;
        self.spawn(who, &["--wait", "3", "send-file", "1", path], None)
    }

    fn spawn(&self, who: &str, words: &[&str], crash_at: Option<&str>) -> Result<Lines, Fault> {
        let mut command = Command::new(self.binaries.join("hush"));
        command.arg("--json").arg("--profile").arg(self.profile(who)).args(words);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
        command.env_remove(CRASH_AT);
        if let Some(step) = crash_at {
            command.env(CRASH_AT, step);
        }
        let mut child = command.spawn().map_err(|error| format!("no client: {error}"))?;
        let output = child.stdout.take().ok_or("a client without output")?;
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Lines { child, lines })
    }

    fn profile(&self, who: &str) -> PathBuf {
        self.folder.join(who)
    }

    fn finish(&mut self, mut running: Lines, number: u64) -> Result<(), Fault> {
        wait(&mut running.child, RUN_MAX)?;
        self.note(&running, number);
        Ok(())
    }

    /// A message that the client said it has accepted has to arrive.
    fn note(&mut self, running: &Lines, number: u64) {
        let said: Vec<String> = running.lines.iter().collect();
        if said.iter().any(|line| line.contains("\"message\"")) {
            self.accepted.push(format!("message {number}"));
        }
    }

    fn say(&self, who: &str, words: &[&str]) -> Result<Vec<Value>, Fault> {
        let mut running = self.spawn(who, words, None)?;
        let status = wait(&mut running.child, ARRIVAL_MAX)?;
        let said: Vec<Value> =
            running.lines.iter().filter_map(|line| serde_json::from_str(&line).ok()).collect();
        if status.success() { Ok(said) } else { Err(format!("hush {words:?} failed: {said:?}")) }
    }

    fn make_friends(&self) -> Result<(), Fault> {
        let address =
            fs::read_to_string(self.folder.join("address")).map_err(|error| error.to_string())?;
        for who in ["alice", "bob"] {
            self.say(who, &["init", "--name", who, "--relay", &address, "--no-passphrase"])?;
        }
        let link = self.say("bob", &["link", "--lasting"])?;
        let link = link.iter().find_map(|said| text_of(said, "text")).ok_or("bob has no link")?;
        self.say("alice", &["add", link])?;
        self.until("bob sees alice", || {
            Ok(self
                .say("bob", &["chats"])?
                .iter()
                .any(|said| text_of(said, "name") == Some("alice")))
        })
    }

    fn until(
        &self,
        what: &str,
        mut holds: impl FnMut() -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let until = Instant::now() + ARRIVAL_MAX;
        while Instant::now() < until {
            if holds()? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(200));
        }
        Err(format!("in vain: {what}"))
    }

    // --- the verdict --------------------------------------------------------------------------

    /// Every accepted message is at the receiver, once, texts in the order of the sender's chat.
    fn check_arrival(&self) -> Result<(), Fault> {
        let sent = self.chat_of("alice")?;
        for text in &self.accepted {
            if sent.all().filter(|known| *known == text).count() != 1 {
                return Err(format!("{text:?} was accepted and is not once in the sender's chat"));
            }
        }
        self.until("everything arrives", || {
            // The sender's client has to run to get out what is pending.
            self.say("alice", &["--wait", "5", "chats"])?;
            Ok(self.chat_of("bob")? == sent)
        })
    }

    /// Every step that had some turns has killed at least once: else nothing was tested there.
    fn check_visits(&self) -> Result<(), Fault> {
        let unvisited = |(step, turns): (&&'static str, &u64)| {
            (*turns >= VISIT_TURNS && !self.killed.contains_key(*step)).then_some(*step)
        };
        match self.turns.iter().find_map(unvisited) {
            Some(step) => Err(format!("nothing came by {step}")),
            None => Ok(()),
        }
    }

    fn chat_of(&self, who: &str) -> Result<Chat, Fault> {
        let said = self.say(who, &["--wait", "5", "read", "1", "--count", "100000"])?;
        let mut chat = Chat::default();
        for record in said.iter().filter(|record| text_of(record, "type") == Some("message")) {
            chat.texts.extend(text_of(record, "text").map(ToOwned::to_owned));
            chat.files.extend(text_of(record, "file_name").map(ToOwned::to_owned));
        }
        chat.files.sort_unstable();
        Ok(chat)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.stop_relay();
    }
}

/// A text in what a program said.
fn text_of<'a>(said: &'a Value, field: &str) -> Option<&'a str> {
    said.get(field).and_then(Value::as_str)
}

/// Waits for a program to end, and ends it when that takes too long.
fn wait(child: &mut Child, span: Duration) -> Result<std::process::ExitStatus, Fault> {
    let until = Instant::now() + span;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err("a client did not end in time".to_owned())
}
