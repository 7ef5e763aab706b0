//! The console of a real process.

use core::{future::Future, pin::Pin};
use std::{
    env,
    fs::File,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    thread,
};

use hushwire::command::SecretText;
use indicatif::{ProgressBar, ProgressStyle};
use rustyline::{DefaultEditor, ExternalPrinter as _, error::ReadlineError};
use terminal_size::{Width, terminal_size_of};
use tokio::sync::{mpsc, oneshot};

use crate::{
    console::{Console, Conversation, Presence, Progress, Stream, TypedLine},
    wrap::{Ambiguous, Columns},
};

/// Standard input, output and error.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Who is behind standard input.
    input: Presence,
    /// Whether somebody can be asked for a secret: also when standard input is a pipe, as in
    /// `echo hi | hush send bob -`.
    person: Presence,
    progress: ProgressShown,
    ambiguous: Ambiguous,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProgressShown {
    Yes,
    No,
}

/// The terminal that the process was started at, whatever its standard input is.
const CONTROLLING_TERMINAL: &str = "/dev/tty";
/// What a terminal that does not say its width has.
const COLUMNS_UNTOLD: usize = 80;

impl Terminal {
    /// Of this process.
    pub fn new() -> Self {
        let (input, error) = (io::stdin().is_terminal(), io::stderr().is_terminal());
        let reachable = input || (error && File::open(CONTROLLING_TERMINAL).is_ok());
        Self {
            input: if input { Presence::Person } else { Presence::Script },
            person: if reachable { Presence::Person } else { Presence::Script },
            ambiguous: ambiguous(),
            progress: if error { ProgressShown::Yes } else { ProgressShown::No },
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Console for Terminal {
    fn print(&self, line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }

    fn note(&self, line: &str) -> io::Result<()> {
        writeln!(io::stderr().lock(), "{line}")
    }

    fn columns(&self, stream: Stream) -> Option<Columns> {
        let (is_terminal, size) = match stream {
            Stream::Output => (io::stdout().is_terminal(), terminal_size_of(io::stdout())),
            Stream::Notes => (io::stderr().is_terminal(), terminal_size_of(io::stderr())),
        };
        let told = size.map(|(Width(count), _)| usize::from(count)).filter(|count| *count > 0);
        let count = told.unwrap_or(COLUMNS_UNTOLD);
        is_terminal.then_some(Columns { count, ambiguous: self.ambiguous })
    }

    fn ask(&self, question: &str) -> io::Result<SecretText> {
        if self.input == Presence::Person {
            let mut err = io::stderr().lock();
            write!(err, "{question}")?;
            err.flush()?;
        }
        read_line()
    }

    fn ask_secret(&self, question: &str) -> io::Result<SecretText> {
        match self.person {
            Presence::Person => rpassword::prompt_password(question).map(SecretText::new),
            Presence::Script => read_line(),
        }
    }

    fn read_input(&self) -> io::Result<Vec<u8>> {
        let mut input = Vec::new();
        io::stdin().lock().read_to_end(&mut input)?;
        Ok(input)
    }

    fn presence(&self) -> Presence {
        self.person
    }

    fn progress(&self, bytes: u64) -> Box<dyn Progress> {
        let bar = match self.progress {
            ProgressShown::Yes => ProgressBar::new(bytes),
            ProgressShown::No => ProgressBar::hidden(),
        };
        let template = "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Box::new(Bar(bar))
    }

    fn converse(&self, prompt: String) -> io::Result<Conversation> {
        match self.input {
            Presence::Person => edited_lines(prompt),
            Presence::Script => plain_lines(),
        }
    }

    fn interrupted(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            if tokio::signal::ctrl_c().await.is_err() {
                // Without a handler the system ends the process by itself.
                core::future::pending::<()>().await;
            }
        })
    }
}

/// By the first variable that names a locale (POSIX, section 8.2).
fn ambiguous() -> Ambiguous {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    let locale = named.into_iter().find(|locale| !locale.is_empty());
    locale.map_or(Ambiguous::Narrow, |locale| Ambiguous::of(&locale))
}

fn read_line() -> io::Result<SecretText> {
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(SecretText::new(line))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn set(&mut self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Lines with editing and history. The thread reads the next one only when asked to, so the
/// terminal is in its usual mode when the conversation ends.
fn edited_lines(prompt: String) -> io::Result<Conversation> {
    let mut editor = DefaultEditor::new().map_err(io_error)?;
    let mut printer = editor.create_external_printer().map_err(io_error)?;
    let (sender, lines) = mpsc::channel(1);
    thread::spawn(move || {
        hand_over(&sender, || {
            let line = match editor.readline(&prompt) {
                Ok(line) => line,
                // Ctrl-C, Ctrl-D.
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => return None,
                Err(error) => return Some(Err(io_error(error))),
            };
            // History is a comfort; without it the line still counts.
            let _ = editor.add_history_entry(&line);
            Some(Ok(line))
        });
    });
    let print = move |line: String| printer.print(format!("{line}\n")).map_err(io_error);
    Ok(Conversation { lines, print: Box::new(print) })
}

/// Lines of a pipe or file.
fn plain_lines() -> io::Result<Conversation> {
    let (sender, lines) = mpsc::channel(1);
    thread::spawn(move || hand_over(&sender, || io::stdin().lock().lines().next()));
    let print = |line: String| {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    };
    Ok(Conversation { lines, print: Box::new(print) })
}

/// Reads a line, hands it over, waits to be asked for the next; ends when it is not, and after an
/// error.
fn hand_over(
    sender: &mpsc::Sender<io::Result<TypedLine>>,
    mut read: impl FnMut() -> Option<io::Result<String>>,
) {
    while let Some(text) = read() {
        let (next, asked) = oneshot::channel();
        let line = text.map(|text| TypedLine { text, next });
        if sender.blocking_send(line).is_err() || asked.blocking_recv().is_err() {
            return;
        }
    }
}

fn io_error(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    }
}
