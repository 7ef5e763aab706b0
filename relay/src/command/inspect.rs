//! `hush-relay inspect`: what a seized relay would show.

use std::io::{self, BufWriter, Write as _};

use hushwire_relay::{directory::DataDirectory, store::rocks};

use super::{Failure, InspectArguments, written};

/// Prints every row as a JSON line (spec: RLY-040).
pub(super) fn run(arguments: &InspectArguments) -> Result<(), Failure> {
    if !arguments.data.is_dir() {
        return Err(Box::new(rocks::OpenError::Missing));
    }
    let directory = DataDirectory::open(&arguments.data)?;
    let mut output = BufWriter::new(io::stdout().lock());
    // What the output says is no fault of the store.
    let mut lost = None;
    let inspected = rocks::inspect(&directory.store(), |row| {
        write_row(&mut output, &row).map_err(|error| {
            let kind = error.kind();
            lost = Some(error);
            kind.into()
        })
    });
    match lost {
        Some(error) => written(Err(error)),
        None => {
            inspected?;
            written(output.flush())
        }
    }
}

fn write_row(output: &mut impl io::Write, row: &rocks::Inspected) -> io::Result<()> {
    serde_json::to_writer(&mut *output, row)?;
    output.write_all(b"\n")
}
