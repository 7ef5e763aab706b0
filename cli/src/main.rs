//! `hush`: chat in a terminal, and script it.

use std::{env, io::IsTerminal as _, process::ExitCode};

use hushwire::command::SecretText;
use hushwire_cli::{
    backend::ProfileOpener,
    human::Paint,
    output::{Form, Output},
    run::{Environment, run},
    terminal::Terminal,
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let terminal = Terminal::new();
    start_log(&terminal);
    let exit = run(env::args_os().collect(), environment(), &terminal, &ProfileOpener).await;
    ExitCode::from(exit.number())
}

fn environment() -> Environment {
    Environment {
        profile: env::var_os("HUSH_PROFILE").filter(|value| !value.is_empty()).map(Into::into),
        passphrase: env::var("HUSH_PASSPHRASE").ok().map(SecretText::new),
        data_folder: directories::BaseDirs::new().map(|folders| folders.data_dir().to_owned()),
        paint: paint(),
    }
}

/// Colours for a terminal that can show them, unless <https://no-color.org> is asked for.
fn paint() -> Paint {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|value| value == "dumb");
    let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    if terminal && !unwanted && !dumb { Paint::Coloured } else { Paint::Plain }
}

/// The log is for finding faults: off unless `HUSH_LOG` says what to log, to standard error. What
/// it says in vain is said.
fn start_log(terminal: &Terminal) {
    let Some(wanted) = env::var_os("HUSH_LOG").filter(|value| !value.is_empty()) else { return };
    // A filter takes a name with a blank in it, which no part of any program has.
    let words = wanted.to_str().filter(|text| !text.contains(char::is_whitespace));
    match words.map(EnvFilter::try_new) {
        Some(Ok(filter)) => {
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        }
        Some(Err(_)) | None => {
            let json = env::args_os().any(|argument| argument == "--json");
            let form = if json { Form::Json } else { Form::Human(paint()) };
            // If standard error is closed there is nobody to tell.
            let _ = Output::new(terminal, form)
                .note("HUSH_LOG is no log filter, such as hushwire=debug; nothing is logged");
        }
    }
}
