//! `cargo setup`: what the build needs beside cargo, and how to get it.
//!
//! RocksDB's bindings are made with libclang, SQLCipher links the system's OpenSSL. Both come as
//! packages of the system; nothing else of it is changed. Tools that only some steps need are
//! installed into the target folder when they are needed ([`tool`]).

pub(crate) mod tool;

use std::{
    env, fs,
    io::{self, BufRead as _, Write as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

/// Something that has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    CompilerC,
    CompilerCpp,
    Libclang,
    Openssl,
    PkgConfig,
}

impl Need {
    const ALL: [Self; 5] =
        [Self::CompilerC, Self::CompilerCpp, Self::Libclang, Self::Openssl, Self::PkgConfig];

    const fn about(self) -> &'static str {
        match self {
            Self::CompilerC => "a C compiler (SQLCipher, aws-lc)",
            Self::CompilerCpp => "a C++ compiler (RocksDB)",
            Self::Libclang => "libclang (bindings of RocksDB)",
            Self::Openssl => "OpenSSL's headers (SQLCipher)",
            Self::PkgConfig => "pkg-config (finds OpenSSL)",
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::CompilerC => env::var_os("CC").is_some() || runs("cc", &["--version"]),
            Self::CompilerCpp => env::var_os("CXX").is_some() || runs("c++", &["--version"]),
            Self::Libclang => has_libclang(),
            Self::Openssl => has_openssl(),
            Self::PkgConfig => {
                env::var_os("OPENSSL_DIR").is_some() || runs("pkg-config", &["--version"])
            }
        }
    }

    /// The package of Debian and its children; libclang's has its version in its name.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::CompilerC | Self::CompilerCpp => &["build-essential"],
            Self::Libclang => &["libclang-14-dev", "libclang-dev"],
            Self::Openssl => &["libssl-dev"],
            Self::PkgConfig => &["pkg-config"],
        }
    }
}

/// Whether a person is asked before packages are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    Ask,
    Given,
}

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let consent = match arguments {
        [] => Consent::Ask,
        [argument] if argument == "--yes" => Consent::Given,
        [other, ..] => return crate::unknown_argument("setup", other),
    };
    match ensure(consent) {
        Ok(()) => {
            println!("everything that the build needs is there");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Installs what is missing, if it may and can.
///
/// # Errors
/// What is still missing, for a person.
pub(crate) fn ensure(consent: Consent) -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        println!("missing: {}", need.about());
    }
    if !Path::new("/etc/debian_version").exists() || !runs("apt-get", &["--version"]) {
        return Err(advice());
    }
    if consent == Consent::Ask && !asked(&missing)? {
        return Err(format!(
            "nothing was installed; `--yes` installs without asking, or run: apt-get install {}",
            packages(&missing, is_offered).join(" ")
        ));
    }
    apt_get(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(packages(&missing, is_offered));
    apt_get(&install)?;
    match self::missing().as_slice() {
        [] => Ok(()),
        [need, ..] => Err(format!("still missing: {}", need.about())),
    }
}

fn missing() -> Vec<Need> {
    Need::ALL.into_iter().filter(|need| !need.is_met()).collect()
}

/// For systems whose packages have other names.
fn advice() -> String {
    "install a C and C++ compiler, pkg-config, and the development packages of libclang and \
     OpenSSL, for example\n  \
     Fedora: dnf install gcc gcc-c++ clang-devel openssl-devel pkgconf\n  \
     Arch:   pacman -S base-devel clang openssl pkgconf\n  \
     Alpine: apk add build-base clang-dev openssl-dev pkgconf\n  \
     macOS:  xcode-select --install; brew install openssl@3 pkg-config\n\
     or say where they are: LIBCLANG_PATH, OPENSSL_DIR"
        .to_owned()
}

/// The first offered package for each need, each once.
fn packages(missing: &[Need], is_offered: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in missing {
        let candidates = need.packages();
        let offered = candidates.iter().find(|package| is_offered(package));
        if let Some(package) = offered.or(candidates.last())
            && !packages.contains(package)
        {
            packages.push(package);
        }
    }
    packages
}

fn is_offered(package: &str) -> bool {
    runs("apt-cache", &["show", "--no-all-versions", package])
}

fn asked(missing: &[Need]) -> Result<bool, String> {
    let names: Vec<_> = missing.iter().filter_map(|need| need.packages().last().copied()).collect();
    agreed(&format!("install {} with apt-get?", names.join(", ")))
}

/// Whether a person answers yes.
fn agreed(question: &str) -> Result<bool, String> {
    print!("{question} [y/N] ");
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let through_sudo = !is_root() && runs("sudo", &["--version"]);
    let mut command = if through_sudo {
        let mut command = Command::new("sudo");
        command.arg("apt-get");
        command
    } else {
        Command::new("apt-get")
    };
    println!("apt-get {}", arguments.join(" "));
    let status = command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("apt-get {} failed ({status})", arguments.join(" "))),
        Err(error) => Err(format!("apt-get cannot be run: {error}")),
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Looks where clang-sys, which the build uses, will look.
fn has_libclang() -> bool {
    if let Some(path) = env::var_os("LIBCLANG_PATH") {
        let path = Path::new(&path);
        return path.is_file() || holds_libclang(path);
    }
    let folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/llvm/lib"];
    let below = ["/usr/lib", "/usr/local", "/opt/homebrew/opt", "/usr/local/opt"];
    let direct = folders.iter().any(|folder| holds_libclang(Path::new(folder)));
    direct
        || below.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().any(|entry| {
            entry.is_ok_and(|entry| {
                holds_libclang(&entry.path()) || holds_libclang(&entry.path().join("lib"))
            })
        })
        || holds_libclang(Path::new("/Library/Developer/CommandLineTools/usr/lib"))
}

fn holds_libclang(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.flatten().any(|entry| is_libclang(&entry.file_name().to_string_lossy()))
}

/// `libclang.so`, `libclang-14.so.1`, `libclang.dylib`; not `libclang-cpp.so`.
fn is_libclang(name: &str) -> bool {
    let Some(behind) = name.strip_prefix("libclang") else {
        return false;
    };
    let version = behind
        .trim_start_matches(['-', '.'])
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    version.starts_with("so") || version.starts_with("dylib")
}

fn has_openssl() -> bool {
    let in_folder = |folder: &Path| folder.join("include/openssl/opensslv.h").exists();
    if let Some(folder) = env::var_os("OPENSSL_DIR") {
        return in_folder(Path::new(&folder));
    }
    in_folder(Path::new("/usr"))
        || in_folder(Path::new("/usr/local"))
        || runs("pkg-config", &["--exists", "openssl"])
        || in_folder(Path::new("/opt/homebrew/opt/openssl@3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libclang_is_known_by_its_name() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.1", "libclang-14.0.6.so.1"] {
            assert!(is_libclang(name), "{name}");
        }
        assert!(is_libclang("libclang.dylib"));
        for name in ["libclang-cpp.so.14", "libclangAST.a", "libclang.a", "libc.so"] {
            assert!(!is_libclang(name), "{name}");
        }
    }

    #[test]
    fn the_first_offered_package_is_taken_once() {
        let both = [Need::CompilerC, Need::CompilerCpp, Need::Libclang];
        assert_eq!(packages(&both, |_| true), ["build-essential", "libclang-14-dev"]);
        assert_eq!(
            packages(&both, |package| package != "libclang-14-dev"),
            ["build-essential", "libclang-dev"]
        );
        assert_eq!(packages(&[Need::Openssl], |_| false), ["libssl-dev"]);
    }
}
