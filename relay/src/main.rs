//! `hush-relay`: runs a relay, prepares one, and shows an auditor what one holds.

mod command;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::run(command::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}
