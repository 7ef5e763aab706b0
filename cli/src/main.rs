//! `hush`: chat in a terminal, and script it.

use std::{env, io::IsTerminal as _, process::ExitCode};

use hushwire::command::SecretText;
use hushwire_cli::{
    backend::ProfileOpener,
    human::Paint,
    run::{Environment, run},
    terminal::Terminal,
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    start_log();
    let terminal = Terminal::new();
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

/// The log is for finding faults: off unless `HUSH_LOG` says what to log, to standard error.
fn start_log() {
    if let Ok(filter) = EnvFilter::try_from_env("HUSH_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}
