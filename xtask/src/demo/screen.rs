//! What the demo prints: what each person sees beside what the relay stored.
//!
//! The relay's column comes first: it has a fixed width, and texts that run from right to left
//! cannot move it.

use std::{env, io::IsTerminal as _, time::Duration};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{fault::Fault, sight::Sight};

/// Width of the relay's column.
const RELAY_WIDTH: usize = 42;
/// How often a bar that only turns is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Whether colours and bars are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Coloured,
    Plain,
}

/// Prints.
pub(super) struct Screen {
    look: Look,
    act: u32,
}

impl Screen {
    /// Colours and bars for a terminal that can show them, unless `NO_COLOR` is set.
    pub(super) fn new() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
        let terminal = std::io::stdout().is_terminal();
        let look = if terminal && !unwanted && !dumb { Look::Coloured } else { Look::Plain };
        Self { look, act: 0 }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        match self.look {
            Look::Coloured => format!("{style}{text}{style:#}"),
            Look::Plain => text.to_owned(),
        }
    }

    pub(super) fn good(&self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default().bold(), text)
    }

    pub(super) fn bad(&self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(super) fn faint(&self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    pub(super) fn strong(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Begins an act.
    pub(super) fn act(&mut self, title: &str) {
        self.act += 1;
        println!("\n{}", self.strong(&format!("{}. {title}", self.act)));
    }

    /// Something that was done and checked.
    pub(super) fn step(&self, text: &str) {
        println!("  {} {text}", self.good("✓"));
    }

    /// Something to know.
    pub(super) fn note(&self, text: &str) {
        println!("    {}", self.faint(text));
    }

    /// What the relay saw of something, beside what people see.
    pub(super) fn beside(&self, sight: &Sight, people: &[String]) {
        let relay = [sight.summary(), sight.sample()];
        for row in 0..relay.len().max(people.len()) {
            let left = relay.get(row).map_or("", String::as_str);
            self.pair_row(left, people.get(row).map_or("", String::as_str));
        }
    }

    /// The headings of [`Screen::beside`].
    pub(super) fn headings(&self) {
        self.pair("the relay saw, inside TLS", "people see");
    }

    /// Headings of two columns.
    pub(super) fn pair(&self, relay: &str, people: &str) {
        let left = format!("{relay:<RELAY_WIDTH$}");
        println!("    {} │ {}", self.strong(&left), self.strong(people));
    }

    /// A row of two columns.
    pub(super) fn pair_row(&self, relay: &str, people: &str) {
        let left = format!("{relay:<RELAY_WIDTH$}");
        println!("    {} │ {people}", self.faint(&left));
    }

    /// Says why the demo ended early.
    pub(super) fn fault(&self, fault: &Fault) {
        eprintln!("\n{} {fault}", self.bad("the demo failed:"));
    }

    /// A bar over `bytes`; nothing without a terminal.
    pub(super) fn bar(&self, bytes: u64, about: &str) -> ProgressBar {
        if self.look == Look::Plain {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stdout());
        let template = "    {msg:24} {bar:30.cyan} {bytes}/{total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(about.to_owned());
        bar
    }

    /// A sign that something goes on whose length is not known.
    pub(super) fn spinner(&self, about: &str) -> ProgressBar {
        if self.look == Look::Plain {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.set_message(about.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }
}

/// A number of bytes for a person.
pub(super) fn size(bytes: u64) -> String {
    let (mut whole, mut rest) = (bytes, 0);
    let mut unit = "B";
    for larger in ["kB", "MB", "GB"] {
        if whole < 1000 {
            break;
        }
        rest = whole % 1000 / 100;
        whole /= 1000;
        unit = larger;
    }
    if unit == "B" { format!("{whole} B") } else { format!("{whole}.{rest} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (12_345_678, "12.3 MB"),
            (999_999, "999.9 kB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
