//! What a change touches, by git.

use std::{
    env, fs, io,
    path::Path,
    process::{Command, Output},
};

use crate::checkout;

/// Where CI names the commit that a change is compared with.
const BASE_VARIABLE: &str = "HUSHWIRE_BASE";

/// The text of a difference, as git writes it.
pub(super) struct Difference(Vec<u8>);

impl Difference {
    /// How the files at `paths` differ from a commit, new files included.
    ///
    /// # Errors
    /// What git says, for a person.
    pub(super) fn from(base: &str, paths: &[&str]) -> Result<Self, String> {
        // As anybody's settings may have it otherwise.
        let form = ["--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/"];
        let changed = git(&["diff", "--no-renames"], &[&form, &[base, "--"], paths])?;
        let mut text = expect_success(changed)?.stdout;
        let new = git(&["ls-files", "--others", "--exclude-standard", "--"], &[paths])?;
        for path in String::from_utf8_lossy(&expect_success(new)?.stdout).lines() {
            // Its exit code says that the two differ.
            text.extend(git(&["diff", "--no-index"], &[&form, &["--", "/dev/null", path]])?.stdout);
        }
        Ok(Self(text))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        fs::write(file, &self.0)
    }
}

/// The commit to compare with: the one that is named, else the last one if files were changed since,
/// else the one before it. `None` if there is none, as in a shallow clone or an unpacked archive.
pub(super) fn base(named: Option<&str>) -> Option<String> {
    let in_ci = env::var(BASE_VARIABLE).ok().filter(|base| !base.is_empty());
    if let Some(base) = named.map(str::to_owned).or(in_ci) {
        return Some(base);
    }
    let changed = git(&["status", "--porcelain"], &[]).ok()?;
    let base = if changed.stdout.is_empty() { "HEAD^1" } else { "HEAD" };
    let found = git(&["rev-parse", "--verify", "--quiet", base], &[]).ok()?;
    found.status.success().then(|| base.to_owned())
}

/// The id of the last commit.
///
/// # Errors
/// What git says, for a person.
pub(super) fn head() -> Result<String, String> {
    let head = expect_success(git(&["rev-parse", "HEAD"], &[])?)?;
    Ok(String::from_utf8_lossy(&head.stdout).trim().to_owned())
}

fn git(arguments: &[&str], more: &[&[&str]]) -> Result<Output, String> {
    let output = Command::new("git")
        .args(arguments)
        .args(more.concat())
        .current_dir(checkout::root())
        .output();
    output.map_err(|error| format!("git cannot be run: {error}"))
}

fn expect_success(output: Output) -> Result<Output, String> {
    if output.status.success() {
        return Ok(output);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
