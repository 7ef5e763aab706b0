//! Completion scripts and manual pages, from the description of the command line.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap_complete::Shell;

use crate::{args::Arguments, console::Console, fault::Fault};

/// Prints the completion script for a shell.
///
/// # Errors
/// [`Fault`] of the output.
pub fn completion(shell: Shell, console: &dyn Console) -> Result<(), Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::description(), "hush", &mut script);
    print(console, &script)
}

/// Writes a manual page for each command to a folder, or prints the one of `hush` itself.
///
/// # Errors
/// [`Fault::File`] if the folder cannot be written to, or the [`Fault`] of the output.
pub fn manual(folder: Option<&Path>, console: &dyn Console) -> Result<(), Fault> {
    match folder {
        Some(folder) => write_all(folder)
            .map_err(|error| Fault::File { path: PathBuf::from(folder), kind: error.kind() }),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::description()).render(&mut page)?;
            print(console, &page)
        }
    }
}

fn print(console: &dyn Console, text: &[u8]) -> Result<(), Fault> {
    let printed = console.print(String::from_utf8_lossy(text).trim_end());
    printed.map_err(|error| Fault::of_output(&error, None))
}

fn write_all(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::description(), folder)
}
