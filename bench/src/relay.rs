//! A relay process of its own: what it takes of the memory is nobody else's.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use hushwire_wire::id::RelayId;

use crate::fault::Fault;

/// A running `hush-relay`, killed when the value goes.
pub(crate) struct Relay {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) id: RelayId,
}

impl Relay {
    /// Starts the binary that was built beside this one, with its data in the folder.
    pub(crate) fn start(folder: &Path, settings: &str) -> Result<Self, Fault> {
        let data = folder.join("relay");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("relay.toml"), settings)?;
        let own = std::env::current_exe()?;
        let binary = own.parent().ok_or(Fault::Start)?.join("hush-relay");
        let mut child = Command::new(binary)
            .args(["run", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or(Fault::Start)?).read_line(&mut line)?;
        let (address, id) = parse(&line).ok_or(Fault::Start)?;
        Ok(Self { child, address, id })
    }

    /// Memory in use, in bytes (Linux).
    pub(crate) fn resident_bytes(&self) -> Result<f64, Fault> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or(Fault::Start)?;
        let kib = line.trim().trim_end_matches("kB").trim().parse::<f64>();
        Ok(kib.map_err(|_| Fault::Start)? * 1024.0)
    }
}

/// What `run --json` says first.
fn parse(line: &str) -> Option<(SocketAddr, RelayId)> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let address = line.get("listening")?.as_str()?.parse().ok()?;
    let id = hex::decode(line.get("relay_id")?.as_str()?).ok()?;
    Some((address, RelayId::from_slice(&id).ok()?))
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Errors say that it has ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
