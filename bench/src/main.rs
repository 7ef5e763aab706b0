//! `cargo measure`: what a relay makes of the disk and the memory that it has, and what groups cost
//! their members.
//!
//! Every figure stands beside one of the same run on the same disk, since machines differ and
//! shared ones change from minute to minute: it is the ratios that say something. A real
//! `hush-relay` process on a loopback port, clients in this process.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that a person runs")]

mod appends;
mod device;
mod disk;
mod fault;
mod groups;
mod member;
mod relay;
mod sessions;

use std::{env, path::PathBuf, process::ExitCode};

use fault::Fault;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Appends,
    Sessions,
    Groups,
}

const USAGE: &str = "usage: cargo measure [appends|sessions|groups] [--data DIR]\n  \
    --data DIR  measure on the disk of this folder (a temporary folder below it is used)";

fn main() -> ExitCode {
    let mut wanted = Vec::new();
    let mut data = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "appends" => wanted.push(What::Appends),
            "sessions" => wanted.push(What::Sessions),
            "groups" => wanted.push(What::Groups),
            "--data" => match arguments.next() {
                Some(folder) => data = folder.into(),
                None => return usage(),
            },
            _ => return usage(),
        }
    }
    if wanted.is_empty() {
        wanted = vec![What::Appends, What::Sessions, What::Groups];
    }
    match measure(&wanted, &data) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn measure(wanted: &[What], data: &std::path::Path) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for what in wanted {
        let folder = tempfile::Builder::new().prefix("hushwire-measure-").tempdir_in(data)?;
        match what {
            What::Appends => runtime.block_on(appends::measure(folder.path()))?,
            What::Sessions => runtime.block_on(sessions::measure(folder.path()))?,
            What::Groups => groups::measure()?,
        }
    }
    Ok(())
}
