//! From a command line to an exit code.

use std::{ffi::OsString, path::PathBuf};

use hushwire::command::SecretText;

use crate::{
    args::{Arguments, GlobalArgs, HushCommand},
    backend::{Backend, Creation, Lock, LockKind, Opener, Opening},
    commands::{self, InitPlan},
    console::Console,
    fault::{Exit, Fault, OpenFault},
    human::Paint,
    output::{Form, Output},
    pages, passphrase,
    session::{Patience, Session},
    settle::Waits,
};

/// What the process was started in.
#[derive(Debug)]
pub struct Environment {
    /// `HUSH_PROFILE`.
    pub profile: Option<PathBuf>,
    /// `HUSH_PASSPHRASE`.
    pub passphrase: Option<SecretText>,
    /// The user's folder for application data.
    pub data_folder: Option<PathBuf>,
    /// Whether lines for a person carry colours.
    pub paint: Paint,
}

/// Reads the command line, does what it says, and says how that went.
pub async fn run<O: Opener>(
    line: Vec<OsString>,
    environment: Environment,
    console: &dyn Console,
    opener: &O,
) -> Exit {
    let output = |json: bool| {
        let form = if json { Form::Json } else { Form::Human(environment.paint) };
        Output::new(console, form)
    };
    // A line that cannot be read is searched for the flag all the same.
    let json = line.iter().any(|argument| argument == "--json");
    let arguments = match Arguments::read(line) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, output(json), console, environment.paint),
    };
    let output = output(arguments.global.json);
    ended(execute(arguments, environment, output, console, opener).await, output)
}

/// What `clap` has to say: a help text that was asked for, or a mistake.
fn usage(error: &clap::Error, output: Output<'_>, console: &dyn Console, paint: Paint) -> Exit {
    let text = match paint {
        Paint::Coloured => error.render().ansi().to_string(),
        Paint::Plain => error.render().to_string(),
    };
    let text = text.trim_end();
    if !error.use_stderr() {
        return match console.print(text) {
            Ok(()) => Exit::Done,
            Err(error) => ended(Err(Fault::of_output(&error, None)), output),
        };
    }
    match output.form() {
        Form::Json => {
            let words = error.render().to_string();
            let words = words.trim_end();
            let words = words.strip_prefix("error: ").unwrap_or(words);
            ended(Err(Fault::Usage(words.to_owned())), output)
        }
        Form::Human(_) => {
            // As below: the exit code says it even if nobody can be told.
            let _ = console.note(text);
            Exit::Usage
        }
    }
}

/// Says how it ended.
fn ended(done: Result<(), Fault>, output: Output<'_>) -> Exit {
    match done {
        Ok(()) | Err(Fault::OutputClosed) => Exit::Done,
        Err(fault) => {
            // If standard error is closed too, the exit code still says it.
            let _ = output.fault(&fault);
            fault.exit()
        }
    }
}

async fn execute<O: Opener>(
    arguments: Arguments,
    environment: Environment,
    output: Output<'_>,
    console: &dyn Console,
    opener: &O,
) -> Result<(), Fault> {
    let Arguments { global, command } = arguments;
    match command {
        HushCommand::Completion { shell } => pages::completion(shell, console),
        HushCommand::Man { out } => pages::manual(out.as_deref(), console),
        HushCommand::Init(init) => {
            let lock = if init.no_passphrase { NewLock::KeyFile } else { NewLock::Passphrase };
            // What is wrong with it leaves no profile behind.
            let plan = InitPlan::of(init, console)?;
            let opening = opening_of_init(&global, lock, environment, console, opener)?;
            let backend = opener.open(opening).await?;
            let session = session(&backend, console, output, &global);
            let done = session.judged(commands::init(&session, plan).await).await;
            backend.close().await;
            done
        }
        command => {
            let opening = opening(&global, environment, console, opener)?;
            let backend = opener.open(opening).await?;
            let session = session(&backend, console, output, &global);
            let done = session.judged(commands::run(&session, command).await).await;
            if done.is_ok() {
                session.flush().await;
            }
            backend.close().await;
            done
        }
    }
}

fn session<'a, B>(
    backend: &'a B,
    console: &'a dyn Console,
    output: Output<'a>,
    global: &GlobalArgs,
) -> Session<'a, B> {
    let patience =
        if global.no_network { Patience::NoNetwork } else { Patience::Wait(global.wait) };
    Session { backend, console, output, patience, waits: Waits::default() }
}

fn opening<O: Opener>(
    global: &GlobalArgs,
    environment: Environment,
    console: &dyn Console,
    opener: &O,
) -> Result<Opening, Fault> {
    let profile = profile_folder(global, &environment)?;
    let lock = match opener.lock_kind(&profile)? {
        None => return Err(no_profile().into()),
        Some(LockKind::KeyFile) => key_file(&sources(global, &environment))?,
        Some(LockKind::Passphrase) => {
            passphrase::lock(&sources(global, &environment), console, Creation::Existing)?
        }
    };
    Ok(Opening { profile, creation: Creation::Existing, lock })
}

/// What a new profile is to be locked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewLock {
    Passphrase,
    KeyFile,
}

/// A profile that is there already is opened: an `init` that was interrupted can be repeated. If it
/// has an identity, the library refuses.
fn opening_of_init<O: Opener>(
    global: &GlobalArgs,
    new: NewLock,
    environment: Environment,
    console: &dyn Console,
    opener: &O,
) -> Result<Opening, Fault> {
    let profile = profile_folder(global, &environment)?;
    let kind = opener.lock_kind(&profile)?;
    let creation = if kind.is_some() { Creation::Existing } else { Creation::New };
    let lock = match (kind, new) {
        (Some(LockKind::KeyFile), _) | (None, NewLock::KeyFile) => {
            key_file(&sources(global, &environment))?
        }
        (Some(LockKind::Passphrase), NewLock::KeyFile) => return Err(Fault::PassphraseNeeded),
        (Some(LockKind::Passphrase) | None, NewLock::Passphrase) => {
            passphrase::lock(&sources(global, &environment), console, creation)?
        }
    };
    Ok(Opening { profile, creation, lock })
}

/// The lock for a profile without passphrase. One that was given is not passed over: who gives it
/// thinks that it locks the profile.
fn key_file(sources: &passphrase::Sources<'_>) -> Result<Lock, Fault> {
    match sources {
        passphrase::Sources { file: None, environment: None } => Ok(Lock::KeyFile),
        _ => Err(Fault::PassphraseUnused),
    }
}

fn sources<'a>(global: &'a GlobalArgs, environment: &'a Environment) -> passphrase::Sources<'a> {
    passphrase::Sources {
        file: global.passphrase_file.as_deref(),
        environment: environment.passphrase.as_ref(),
    }
}

fn profile_folder(global: &GlobalArgs, environment: &Environment) -> Result<PathBuf, Fault> {
    let by_default = || environment.data_folder.as_ref().map(|data| data.join("hushwire/default"));
    let chosen = global.profile.clone().or_else(|| environment.profile.clone());
    let folder = chosen.or_else(by_default).ok_or(Fault::NoDataFolder)?;
    std::path::absolute(&folder).map_err(|error| Fault::File { path: folder, kind: error.kind() })
}

fn no_profile() -> OpenFault {
    OpenFault {
        code: "no_profile",
        what: "there is no profile here yet".into(),
        advice: "Run `hush init --name NAME --relay ADDRESS`, or check --profile.".into(),
        exit: Exit::NeedsAction,
    }
}
