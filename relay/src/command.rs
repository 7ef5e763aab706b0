//! The command line: what may be asked, and what is printed.

mod inspect;
mod plant;
mod prepare;
mod serve;

use std::{
    error::Error,
    io::{self, Write as _},
    net::{Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use hushwire_relay::{
    Config,
    config::{ConfigError, DATA_DEFAULT},
};
use hushwire_wire::address::{AddressError, Host, Place};

/// A blind relay: it stores and forwards what it cannot read.
#[derive(Debug, Parser)]
#[command(name = "hush-relay", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a relay until SIGTERM or SIGINT.
    Run(RunArguments),
    /// Create the key and a commented relay.toml, and print the relay's address.
    Init(InitArguments),
    /// Print every row of a stopped relay's store as JSON lines, bytes in hex.
    Inspect(InspectArguments),
    /// Store a file as one blob in a running relay, as any client could, and print the blob's id.
    /// For auditors: a search of the relay for plaintext counts if it finds what was planted.
    Plant(PlantArguments),
    /// Print a completion script.
    Completion {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Where data and configuration are.
#[derive(Debug, Args)]
struct Places {
    /// The configuration file. Default: relay.toml in the data directory, if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory: the relay's key and store. Default: hush-relay-data.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    places: Places,
    /// The UDP address to listen on; port 0 lets the system choose. Default: port 4433 on all
    /// addresses.
    #[arg(long, value_name = "ADDRESS", value_parser = socket)]
    listen: Option<SocketAddr>,
    /// Print the first line and the logs as JSON.
    #[arg(long)]
    json: bool,
    /// Record every frame inside TLS, bearer secrets included, in FILE, which must not exist. For
    /// auditors who check that the relay is blind; never for a relay that people use.
    #[arg(long, value_name = "FILE")]
    dangerous_record_frames: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct InitArguments {
    /// The data directory to create.
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    data: PathBuf,
    /// host:port as clients will reach the relay; written to relay.toml.
    #[arg(long, value_name = "HOST:PORT", value_parser = place)]
    public_address: Option<Place>,
}

#[derive(Debug, Args)]
struct InspectArguments {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct PlantArguments {
    /// host:port#id, as the running relay printed it.
    #[arg(long, value_name = "ADDRESS")]
    address: String,
    /// What to store; one chunk of a blob at most.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// What a command may fail with; each says what to do.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Run(arguments) => serve::run(arguments),
        Command::Init(arguments) => prepare::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Plant(arguments) => plant::run(&arguments),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "hush-relay", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(&page)
        }
    }
}

/// Says on standard error what went wrong, with its causes.
pub(crate) fn complain(error: &dyn Error) {
    // Standard error is the last place to complain to.
    let _lost = writeln!(io::stderr(), "hush-relay: {error}");
}

/// Standard output takes no more.
#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written: {0}")]
struct OutputError(io::Error);

/// Writes to standard output.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

/// What came of writing to standard output; a reader that has gone is not an error of ours.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error).into()),
        _ => Ok(()),
    }
}

/// `host:port` of the command line.
fn place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|error: AddressError| unbracketed(text).unwrap_or(error.to_string()))
}

/// `address:port` of the command line.
fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let hint = || "write address:port, such as 0.0.0.0:4433 or [::]:4433".to_owned();
        unbracketed(text).unwrap_or_else(hint)
    })
}

/// What to write instead of an IPv6 address with a port that is not in brackets.
fn unbracketed(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let address: Ipv6Addr = host.parse().ok()?;
    Some(format!("an IPv6 address stands in brackets: [{address}]:{port}"))
}

/// A port of this machine, as programs on it reach it.
fn localhost(port: u16) -> Result<Place, AddressError> {
    Place::new(Host::parse("localhost")?, port)
}

/// The name of the configuration file in a data directory.
const CONFIG_NAME: &str = "relay.toml";

impl Places {
    /// The configuration: the named file, else the data directory's, else the defaults; the data
    /// directory of the command line wins.
    fn read(&self) -> Result<Config, ConfigError> {
        let data = self.data.as_deref().unwrap_or_else(|| Path::new(DATA_DEFAULT));
        let beside = data.join(CONFIG_NAME);
        let mut config = match &self.config {
            Some(file) => Config::read(file)?,
            None if beside.exists() => Config { data: data.to_owned(), ..Config::read(&beside)? },
            None => Config::default(),
        };
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_shown_with_them() {
        for text in ["::1:4433", "2001:db8::1:4433"] {
            let (host, port) = text.rsplit_once(':').unwrap();
            let expected = format!("an IPv6 address stands in brackets: [{host}]:{port}");
            assert_eq!(place(text).unwrap_err(), expected);
        }
        assert!(socket("::1:4433").unwrap_err().contains("[::1]:4433"));
        assert!(place("Relay:1").unwrap_err().contains("lower-case"));
        assert!(socket("4433").unwrap_err().contains("0.0.0.0:4433"));
        assert!(place("[::1]:4433").is_ok() && socket("[::1]:4433").is_ok());
    }
}
