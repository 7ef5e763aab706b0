//! The person, or the script, at the other end.

use core::{future::Future, pin::Pin};
use std::io;

use hushwire::command::SecretText;
use tokio::sync::{mpsc, oneshot};

use crate::wrap::Columns;

/// Where words come from and go to.
pub trait Console: Send + Sync {
    /// Writes a line to standard output.
    ///
    /// # Errors
    /// [`io::Error`]; of kind `BrokenPipe` if nobody reads.
    fn print(&self, line: &str) -> io::Result<()>;

    /// Writes a line to standard error.
    ///
    /// # Errors
    /// [`io::Error`].
    fn note(&self, line: &str) -> io::Result<()>;

    /// How wide a stream's lines are shown; [`None`] if it is no terminal.
    fn columns(&self, stream: Stream) -> Option<Columns>;

    /// Asks for a line; the question goes to standard error.
    ///
    /// # Errors
    /// [`io::Error`]; of kind `UnexpectedEof` if there is none.
    fn ask(&self, question: &str) -> io::Result<SecretText>;

    /// Asks for a line without showing what is typed. Without a person it is read from standard
    /// input.
    ///
    /// # Errors
    /// [`io::Error`]; of kind `UnexpectedEof` if there is none.
    fn ask_secret(&self, question: &str) -> io::Result<SecretText>;

    /// All of standard input.
    ///
    /// # Errors
    /// [`io::Error`].
    fn read_input(&self) -> io::Result<Vec<u8>>;

    /// Whether there is somebody to ask for a secret.
    fn presence(&self) -> Presence;

    /// A bar for a transfer of so many bytes.
    fn progress(&self, bytes: u64) -> Box<dyn Progress>;

    /// Begins to read lines while others are printed above them.
    ///
    /// # Errors
    /// [`io::Error`] if the terminal cannot do that.
    fn converse(&self, prompt: String) -> io::Result<Conversation>;

    /// Resolves when the person wants to stop.
    fn interrupted(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Notes,
}

/// Whether somebody sits at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Somebody does.
    Person,
    /// There are files and pipes only.
    Script,
}

/// Shows how much of a file has moved.
pub trait Progress: Send {
    /// So many bytes have.
    fn set(&mut self, done: u64);
}

/// Lines in and out at the same time.
pub struct Conversation {
    /// What the person types; ends when they leave, and after an error, which is of kind
    /// `InvalidData` for what is not UTF-8.
    pub lines: mpsc::Receiver<io::Result<TypedLine>>,
    /// Prints a line above the one being typed.
    pub print: Box<dyn FnMut(String) -> io::Result<()> + Send>,
}

/// A line that was typed. The next one is read once [`TypedLine::next`] is used; if it is dropped,
/// no more are read and the terminal is left as it was.
pub struct TypedLine {
    /// What was typed.
    pub text: String,
    /// Asks for the next line.
    pub next: oneshot::Sender<()>,
}
