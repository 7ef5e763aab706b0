//! A real `hush-relay` process, for what only a process can show.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use hushwire_wire::id::RelayId;

/// Where the binary is.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_hush-relay");

/// A relay process that is killed when the value is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) relay: RelayId,
}

/// Settings for tests: a small store without a reserve.
pub(crate) const SETTINGS: &str = "[store]\ndisk_reserve_bytes = 0\nexpire_every_ms = 100\n";

/// A `hush-relay run` on a port that the system chooses.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["run", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Writes the configuration beside the data.
pub(crate) fn configure(data: &Path, settings: &str) {
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(data.join("relay.toml"), settings).unwrap();
}

impl Process {
    pub(crate) fn start(data: &Path) -> Self {
        Self::spawn(command(data))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        // spec: RLY-008
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut text = String::new();
            child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
            panic!("the relay did not start: {text}");
        }
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let id = hex::decode(line["relay_id"].as_str().unwrap()).unwrap();
        let address = line["listening"].as_str().unwrap().parse().unwrap();
        Self { child, address, relay: RelayId::from_slice(&id).unwrap() }
    }

    /// As a power cut for the process.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        let status =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end, and fails if it takes longer than this.
    pub(crate) fn wait(&mut self, longest: Duration) -> ExitStatus {
        let until = Instant::now() + longest;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the relay does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory that is in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors say that it has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
