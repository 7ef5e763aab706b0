//! The stand-ins, and a way to run one command line against them.

mod client;
mod console;
mod state;

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use hushwire::command::{Command, SecretText};
use hushwire_cli::{
    human::Paint,
    run::{Environment, run},
};

pub(crate) use client::{FakeOpener, World};
pub(crate) use console::{FakeConsole, NOT_TEXT};
pub(crate) use state::Fate;

/// A client, a terminal and an environment.
pub(crate) struct Bench {
    pub(crate) opener: FakeOpener,
    pub(crate) console: FakeConsole,
    pub(crate) passphrase: Option<&'static str>,
}

impl Bench {
    /// With an identity, two contacts, two direct chats and a group; locked with a passphrase that
    /// stands in the environment.
    pub(crate) fn new() -> Self {
        Self {
            opener: FakeOpener::new(World::inhabited()),
            console: FakeConsole::default(),
            passphrase: Some("correct"),
        }
    }

    pub(crate) fn world(&self) -> Arc<World> {
        self.opener.world()
    }

    /// The commands that were given, reads left out.
    pub(crate) fn asked(&self) -> Vec<Command> {
        self.world().state().asked.clone()
    }

    /// Runs `hush` with these arguments; the exit code.
    pub(crate) async fn run(&self, arguments: &[&str]) -> u8 {
        let line = ["hush"].iter().chain(arguments).map(OsString::from).collect();
        let environment = Environment {
            profile: Some(PathBuf::from("/nowhere/profile")),
            passphrase: self.passphrase.map(|text| SecretText::new(text.into())),
            data_folder: Some(PathBuf::from("/nowhere")),
            paint: Paint::Plain,
        };
        run(line, environment, &self.console, &self.opener).await.number()
    }

    /// The person stops what runs.
    pub(crate) async fn interrupt_soon(&self) {
        self.console.interrupt.notify_one();
        tokio::task::yield_now().await;
    }

    /// Runs and expects success; what was printed.
    pub(crate) async fn prints(&self, arguments: &[&str]) -> Vec<String> {
        let exit = self.run(arguments).await;
        assert_eq!(exit, 0, "{arguments:?}: {:?}", self.console.notes());
        self.console.take_printed()
    }

    /// Runs with `--json` and expects success; the objects.
    pub(crate) async fn objects(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let arguments = [arguments, &["--json"]].concat();
        let lines = self.prints(&arguments).await;
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
