//! A program that the demo has started: its lines, bounded waits, and an end in every case.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::fault::Fault;

/// How often the end of a process is looked for.
const POLL: Duration = Duration::from_millis(5);

/// A child process, killed by its handle when this value goes.
pub(super) struct Running {
    child: Child,
    output: Receiver<String>,
    errors: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
}

/// A child process that has ended.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl Running {
    /// Starts a program; its standard streams are the demo's unless the command says otherwise.
    pub(super) fn start(command: &mut Command) -> Result<Self, Fault> {
        let mut child = command.spawn().map_err(Fault::about("a program does not start"))?;
        let (output, first) = lines_of(child.stdout.take());
        let (errors, second) = lines_of(child.stderr.take());
        let readers = [first, second].into_iter().flatten().collect();
        Ok(Self { child, output, errors, readers })
    }

    /// The next line of its output, if one comes before `until`.
    pub(super) fn next_line(&self, until: Instant) -> Option<String> {
        self.output.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// Gives it one line of input, and no more.
    pub(super) fn say(&mut self, line: &str) -> Result<(), Fault> {
        let input = self.child.stdin.take();
        let mut input = input.ok_or_else(|| Fault::new("a program takes no input"))?;
        writeln!(input, "{line}").map_err(Fault::about("a program takes no input"))
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub(super) fn kill(mut self) {
        self.end();
    }

    /// Waits for its end; it is killed when that takes too long.
    pub(super) fn finish(mut self, wait: Duration, about: &str) -> Result<Finished, Fault> {
        let until = Instant::now() + wait;
        loop {
            let ended = self.child.try_wait().map_err(Fault::about(about))?;
            if let Some(status) = ended {
                self.join();
                let (output, errors) = (self.output.iter(), self.errors.iter());
                return Ok(Finished { status, output: output.collect(), errors: errors.collect() });
            }
            if Instant::now() >= until {
                return Err(Fault::new(format!("{about} did not end within {wait:?}")));
            }
            thread::sleep(POLL);
        }
    }

    fn end(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join();
    }

    fn join(&mut self) {
        for reader in self.readers.drain(..) {
            // A reader cannot fail; it ends with its pipe.
            let _ = reader.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lines of a pipe, read by a thread so that the child never waits for room in it.
fn lines_of<P: Read + Send + 'static>(
    pipe: Option<P>,
) -> (Receiver<String>, Option<JoinHandle<()>>) {
    let (sender, receiver) = mpsc::channel();
    let reader = pipe.map(|pipe| {
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })
    });
    (receiver, reader)
}

/// A command whose output and errors the demo reads, and that reads nothing.
pub(super) fn piped(program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
