//! A terminal that remembers what it showed and answers from a list.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
};

use hushwire::command::SecretText;
use hushwire_cli::{
    console::{Console, Conversation, Presence, Progress, Stream, TypedLine},
    wrap::Columns,
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Stands for a line of bytes that are not UTF-8.
pub(crate) const NOT_TEXT: &str = "\u{fffd}";

#[derive(Default)]
pub(crate) struct FakeConsole {
    printed: Arc<Mutex<Vec<String>>>,
    notes: Mutex<Vec<String>>,
    /// Answers to questions, in order.
    pub(crate) answers: Mutex<VecDeque<&'static str>>,
    /// Questions that were asked without showing the answer.
    pub(crate) secret_questions: Mutex<Vec<String>>,
    pub(crate) input: Mutex<Vec<u8>>,
    pub(crate) bars: Arc<Mutex<Vec<u64>>>,
    /// Lines typed in a conversation; each waits until something with its first part was printed.
    pub(crate) typed: Mutex<Vec<(&'static str, &'static str)>>,
    pub(crate) interrupt: Notify,
    /// What becomes of what is printed, if it cannot be.
    pub(crate) output_fault: Option<io::ErrorKind>,
    /// How wide lines are shown; none: it is no terminal.
    pub(crate) columns: Option<Columns>,
}

impl FakeConsole {
    pub(crate) fn take_printed(&self) -> Vec<String> {
        std::mem::take(&mut self.printed.lock().unwrap())
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap().join("\n")
    }

    pub(crate) fn notes(&self) -> String {
        self.notes.lock().unwrap().join("\n")
    }

    pub(crate) fn answer(&self, answers: &[&'static str]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// Shows a line that typed lines may wait for.
    pub(crate) fn print_for_typist(&self, line: &str) {
        self.printed.lock().unwrap().push(line.to_owned());
    }

    fn next_answer(&self) -> io::Result<SecretText> {
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(SecretText::new(answer.to_owned()))
    }
}

impl Console for FakeConsole {
    fn print(&self, line: &str) -> io::Result<()> {
        if let Some(kind) = self.output_fault {
            return Err(kind.into());
        }
        self.printed.lock().unwrap().push(line.to_owned());
        Ok(())
    }

    fn note(&self, line: &str) -> io::Result<()> {
        self.notes.lock().unwrap().push(line.to_owned());
        Ok(())
    }

    fn columns(&self, _stream: Stream) -> Option<Columns> {
        self.columns
    }

    fn ask(&self, _question: &str) -> io::Result<SecretText> {
        self.next_answer()
    }

    fn ask_secret(&self, question: &str) -> io::Result<SecretText> {
        self.secret_questions.lock().unwrap().push(question.to_owned());
        self.next_answer()
    }

    fn read_input(&self) -> io::Result<Vec<u8>> {
        Ok(self.input.lock().unwrap().clone())
    }

    fn presence(&self) -> Presence {
        if self.answers.lock().unwrap().is_empty() { Presence::Script } else { Presence::Person }
    }

    fn progress(&self, bytes: u64) -> Box<dyn Progress> {
        self.bars.lock().unwrap().push(bytes);
        Box::new(FakeBar(Arc::clone(&self.bars)))
    }

    fn converse(&self, prompt: String) -> io::Result<Conversation> {
        self.print(&prompt)?;
        let (sender, lines) = mpsc::channel(1);
        let typed = std::mem::take(&mut *self.typed.lock().unwrap());
        let printed = Arc::clone(&self.printed);
        tokio::spawn(async move {
            for (after, text) in typed {
                while !printed.lock().unwrap().iter().any(|line| line.contains(after)) {
                    tokio::task::yield_now().await;
                }
                let (next, asked) = oneshot::channel();
                let line = match text {
                    NOT_TEXT => Err(io::ErrorKind::InvalidData.into()),
                    text => Ok(TypedLine { text: text.to_owned(), next }),
                };
                if sender.send(line).await.is_err() || asked.await.is_err() {
                    return;
                }
            }
        });
        let printed = Arc::clone(&self.printed);
        let print = move |line| {
            printed.lock().unwrap().push(line);
            Ok(())
        };
        Ok(Conversation { lines, print: Box::new(print) })
    }

    fn interrupted(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.interrupt.notified())
    }
}

struct FakeBar(Arc<Mutex<Vec<u64>>>);

impl Progress for FakeBar {
    fn set(&mut self, done: u64) {
        self.0.lock().unwrap().push(done);
    }
}
