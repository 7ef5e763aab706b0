//! Building the programs of this checkout.

use std::{env, io, path::PathBuf, process::Command};

use crate::checkout;

/// Builds every program and says where they are. The whole workspace at once: a selection of
/// packages would have other features, and RocksDB would be compiled again.
pub(crate) fn build() -> io::Result<PathBuf> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(program)
        .args(["build", "--locked", "--workspace", "--bins"])
        .current_dir(checkout::root())
        .status()?;
    if !built.success() {
        return Err(io::Error::other("the programs do not build"));
    }
    let own = env::current_exe()?;
    own.parent().map(PathBuf::from).ok_or_else(|| io::Error::other("this program has no folder"))
}
