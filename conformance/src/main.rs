//! `cargo vectors` writes `test-vectors/`; `cargo vectors --check` says whether they are as written.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that a person runs")]

use std::{env, io, process::ExitCode};

use hushwire_conformance::files::{self, Difference, Rendering};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let rendering = files::render();
    let done = match arguments.as_slice() {
        [] => rendering.write(&files::root()).map(|()| Vec::new()),
        ["--check"] => rendering.check(&files::root()),
        _ => {
            eprintln!("usage: cargo vectors [--check]");
            return ExitCode::from(2);
        }
    };
    report(&rendering, done)
}

fn report(rendering: &Rendering, done: io::Result<Vec<Difference>>) -> ExitCode {
    let differences = match done {
        Ok(differences) => differences,
        Err(error) => {
            eprintln!("cannot read or write the vectors: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut valid, mut invalid) = (0, 0);
    for (path, file) in &rendering.suites {
        println!("{:>6} valid {:>6} invalid  {path}", file.valid, file.invalid);
        valid += file.valid;
        invalid += file.invalid;
    }
    println!("{valid:>6} valid {invalid:>6} invalid  in {} files", rendering.suites.len());
    for difference in &differences {
        match difference {
            Difference::Changed(path) => eprintln!("{path} differs from what is written now"),
            Difference::Missing(path) => eprintln!("{path} is missing"),
            Difference::Stray(path) => eprintln!("{path} is written by no kind"),
        }
    }
    if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
