//! `hush-relay inspect`: what a seized relay would show.

use std::io::{self, BufWriter, Write as _};

use hushwire_relay::{directory::DataDirectory, store::rocks};

use super::{Failure, InspectArguments};

/// Prints every row as a JSON line (spec: RLY-040).
pub(super) fn run(arguments: &InspectArguments) -> Result<(), Failure> {
    if !arguments.data.is_dir() {
        return Err(Box::new(rocks::OpenError::Missing));
    }
    let directory = DataDirectory::open(&arguments.data)?;
    let mut output = BufWriter::new(io::stdout().lock());
    rocks::inspect(&directory.store(), |row| {
        serde_json::to_writer(&mut output, &row)?;
        output.write_all(b"\n")
    })?;
    output.flush()?;
    Ok(())
}
