//! What a person runs from the root of a checkout: `cargo demo`, `cargo check-all` and the like.
//!
//! Light on purpose: it has to build on a machine that lacks what the rest needs, since `setup`
//! installs that. A command is one file and one line in [`COMMANDS`].
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands that a person runs")]

mod break_rules;
mod check_all;
mod checkout;
mod crash_loop;
mod demo;
mod measure;
mod mutate;
mod programs;
mod setup;
mod trace;

use std::{env, process::ExitCode};

/// A command: its name, a line about it, and what it does with its arguments.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> ExitCode,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        about: "people talk through a real relay, which is then searched for what they said \
                (--yes, --keep)",
        run: demo::run,
    },
    Command {
        name: "setup",
        about: "installs what the build needs beside cargo (--yes: without asking)",
        run: setup::run,
    },
    Command {
        name: "check-all",
        about: "format, rules, lints, vectors, tests (--yes: installs what is missing)",
        run: check_all::run,
    },
    Command {
        name: "crash-loop",
        about: "kills relay and clients again and again (--kills N, --seed S), and looks what arrived",
        run: crash_loop::run,
    },
    Command {
        name: "break-rules",
        about: "breaks rules on purpose, one by one, and looks whether the simulator notices (--only NAME)",
        run: break_rules::run,
    },
    Command {
        name: "measure",
        about: "the relay beside the disk and memory that it runs on (appends, sessions, --data DIR)",
        run: measure::run,
    },
    Command {
        name: "mutate",
        about: "breaks the rules that a change touches, and looks whether a test notices \
                (--base COMMIT; --all, --shard K/N; --yes: installs what is missing)",
        run: mutate::run,
    },
    Command {
        name: "trace",
        about: "holds the rules of spec/ against code and tests (--table: lists them)",
        run: trace::run,
    },
];

/// Exit code for a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let rest: Vec<_> = arguments.collect();
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return (command.run)(&rest);
    }
    eprintln!("usage: cargo <command>, where the command is one of");
    for command in COMMANDS {
        eprintln!("  {:<10} {}", command.name, command.about);
    }
    ExitCode::from(USAGE)
}

/// Says that a command does not know an argument.
fn unknown_argument(command: &str, argument: &str) -> ExitCode {
    eprintln!("cargo {command} does not know {argument}");
    ExitCode::from(USAGE)
}
