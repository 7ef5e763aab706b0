//! `cargo measure`: builds the workspace and measures the relay, on this disk.

use std::process::{Command, ExitCode};

use crate::programs;

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let measured = programs::build()
        .and_then(|folder| Command::new(folder.join("measure")).args(arguments).status());
    match measured {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
