//! Building the programs of this checkout, and what builds and tests them.

use std::{
    env,
    ffi::OsString,
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::checkout;

/// Builds every program and says where they are. The whole workspace at once: a selection of
/// packages would have other features, and RocksDB would be compiled again.
pub(crate) fn build() -> io::Result<PathBuf> {
    let built = Command::new(cargo())
        .args(["build", "--locked", "--workspace", "--bins"])
        .current_dir(checkout::root())
        .status()?;
    if !built.success() {
        return Err(io::Error::other("the programs do not build"));
    }
    let own = env::current_exe()?;
    own.parent().map(PathBuf::from).ok_or_else(|| io::Error::other("this program has no folder"))
}

/// Who runs the tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    Nextest,
    Cargo,
}

/// Nextest if it is there.
pub(crate) fn runner() -> Runner {
    let version = Command::new(cargo())
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if version.is_ok_and(|status| status.success()) { Runner::Nextest } else { Runner::Cargo }
}

/// Where cargo builds: two folders above this program.
pub(crate) fn target_folder() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let folder = program.parent().and_then(|profile| profile.parent());
    folder.map_or_else(|| checkout::root().join("target"), PathBuf::from)
}

/// The cargo that started this program.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
