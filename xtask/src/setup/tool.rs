//! Tools that come through cargo and that only some steps need.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use super::{Consent, agreed};
use crate::programs;

/// A program that cargo installs, always in this version: another one may find other things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    name: &'static str,
    /// What cargo calls it by.
    subcommand: &'static str,
    version: &'static str,
    about: &'static str,
}

impl Tool {
    /// Changes code in small ways and looks whether a test notices.
    pub(crate) const MUTANTS: Self = Self {
        name: "cargo-mutants",
        subcommand: "mutants",
        version: "27.1.0",
        about: "mutation testing, of rules only",
    };

    /// Where the tool is, after it was installed below `target` if that was needed and allowed.
    ///
    /// # Errors
    /// Why the tool is not there, for a person.
    pub(crate) fn ensure(self, target: &Path, consent: Consent) -> Result<PathBuf, Missing> {
        let root = target.join("tools");
        let own = root.join("bin").join(self.name).with_extension(env::consts::EXE_EXTENSION);
        let found = [PathBuf::from(self.name), own.clone()].into_iter().find(|at| self.is_at(at));
        if let Some(found) = found {
            return Ok(found);
        }
        let Self { name, version, about, .. } = self;
        let question = format!("install {name} {version} ({about}) into {}?", root.display());
        if consent == Consent::Ask && !agreed(&question).map_err(Missing::NotInstalled)? {
            return Err(Missing::NotWanted);
        }
        let installed = self.install(&root).map_err(|error| error.to_string());
        match installed.map(|status| status.success() && self.is_at(&own)) {
            Ok(true) => Ok(own),
            Ok(false) => Err(Missing::NotInstalled(format!("{name} was not installed"))),
            Err(error) => Err(Missing::NotInstalled(format!("cargo cannot be run: {error}"))),
        }
    }

    fn is_at(self, program: &Path) -> bool {
        let output = Command::new(program).args([self.subcommand, "--version"]).output();
        output.is_ok_and(|output| self.is_named_by(&String::from_utf8_lossy(&output.stdout)))
    }

    fn is_named_by(self, version: &str) -> bool {
        version.trim() == format!("{} {}", self.name, self.version)
    }

    fn install(self, root: &Path) -> io::Result<ExitStatus> {
        Command::new(programs::cargo())
            .args(["install", "--locked", "--version", self.version, "--root"])
            .arg(root)
            .arg(self.name)
            .status()
    }
}

/// Why a tool is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// A person did not want it.
    NotWanted,
    /// It could not be installed.
    NotInstalled(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_another_tool() {
        assert!(Tool::MUTANTS.is_named_by("cargo-mutants 27.1.0\n"));
        assert!(!Tool::MUTANTS.is_named_by("cargo-mutants 27.2.0\n"));
        assert!(!Tool::MUTANTS.is_named_by(""));
    }
}
