//! Records to lines: for a person or for a script.

use std::io;

use serde::Serialize;

use crate::{
    console::{Console, Stream},
    fault::Fault,
    human::{self, Paint},
    record::Record,
    visible, wrap,
};

/// For whom lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A person.
    Human(Paint),
    /// A script: one JSON object a line.
    Json,
}

/// Writes records in one form.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    console: &'a dyn Console,
    form: Form,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Aside<'a> {
    Error { code: &'static str, error: String, advice: String, exit: u8 },
    Note { note: &'a str },
}

impl<'a> Output<'a> {
    /// Writes to `console`.
    pub const fn new(console: &'a dyn Console, form: Form) -> Self {
        Self { console, form }
    }

    /// For whom.
    pub const fn form(self) -> Form {
        self.form
    }

    /// Writes a record to standard output.
    ///
    /// # Errors
    /// [`io::Error`] of the output.
    pub fn record(self, record: &Record) -> io::Result<()> {
        self.lines(record)?.iter().try_for_each(|line| self.console.print(line))
    }

    /// The lines of a record.
    ///
    /// # Errors
    /// [`io::Error`] if it cannot be written as JSON.
    pub fn lines(self, record: &Record) -> io::Result<Vec<String>> {
        match self.form {
            Form::Json => Ok(vec![json(record)?]),
            Form::Human(paint) => {
                let lines = human::lines(record, paint);
                Ok(match human::indent(record) {
                    Some(indent) => self.wrapped(lines, indent, Stream::Output),
                    None => lines,
                })
            }
        }
    }

    fn wrapped(self, lines: Vec<String>, indent: usize, stream: Stream) -> Vec<String> {
        match self.console.columns(stream) {
            Some(columns) => {
                lines.iter().flat_map(|line| wrap::wrapped(line, indent, columns)).collect()
            }
            None => lines,
        }
    }

    /// A line of a person's form on standard error.
    fn aside(self, line: String) -> io::Result<()> {
        let lines = self.wrapped(vec![line], human::INDENT, Stream::Notes);
        lines.iter().try_for_each(|line| self.console.note(line))
    }

    /// Says something beside the result, on standard error. The words are ours, or made visible.
    ///
    /// # Errors
    /// [`io::Error`] of the output.
    pub fn note(self, note: &str) -> io::Result<()> {
        match self.form {
            Form::Json => self.console.note(&json(&Aside::Note { note })?),
            Form::Human(paint) => self.aside(paint.faint(note)),
        }
    }

    /// Says what went wrong and what to do, on standard error.
    ///
    /// # Errors
    /// [`io::Error`] of the output.
    pub fn fault(self, fault: &Fault) -> io::Result<()> {
        let (error, advice) = (fault.to_string(), fault.advice());
        match self.form {
            Form::Json => {
                let (code, exit) = (fault.code(), fault.exit().number());
                self.console.note(&json(&Aside::Error { code, error, advice, exit })?)
            }
            Form::Human(paint) => {
                self.aside(format!("{} {error}", paint.bad("error:")))?;
                self.aside(format!("{} {advice}", paint.strong("what to do:")))
            }
        }
    }
}

fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(visible::json(&serde_json::to_string(value)?))
}
