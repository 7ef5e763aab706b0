//! What the operator does: start, stop, inspect, record, fill the disk; and what the logs say.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use hushwire_wire::error::Code;

use crate::{
    client::Client,
    process::{BINARY, Process, SETTINGS, command, configure},
    story::append_numbers,
};

/// Runs `hush-relay` to its end: whether it succeeded, and what it printed.
fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names and content of a store's files, but for RocksDB's own log.
fn files(store: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(store)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| !name.starts_with("LOG"))
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn init_prepares_what_run_uses() {
    // spec: RLY-001, RLY-004, RLY-007, RLY-008
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let init = ["init", "--data", text(&data), "--public-address", "relay.example:99"];
    let (success, printed, errors) = run(&init);
    assert!(success, "{errors}");
    let key = data.join("relay.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let (_, again, _) = run(&init);
    assert_eq!(printed, again);
    let other = ["init", "--data", text(&data), "--public-address", "relay.example:100"];
    let (success, _, errors) = run(&other);
    assert!(!success && errors.contains("another public_address"), "{errors}");
    for place in ["relay.example", "http://x y", "Relay.example:99", "relay.example:0"] {
        let (success, _, errors) = run(&["init", "--public-address", place, "--data", "unused"]);
        assert!(!success && errors.contains("--public-address"), "{errors}");
    }
    assert!(!Path::new("unused").exists());
    let process = Process::start(&data);
    let id = hex::encode(process.relay);
    assert!(printed.contains(&format!("relay id {id}\n")), "{printed}");
    assert!(printed.contains("address relay.example:99#"), "{printed}");
}

#[test]
fn a_second_relay_on_the_same_data_is_refused_by_name() {
    // spec: RLY-002
    let directory = tempfile::tempdir().unwrap();
    let _first = Process::start(directory.path());
    let output = command(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("another relay runs"), "{errors}");
    let (success, _, errors) = run(&["inspect", "--data", text(directory.path())]);
    assert!(!success && errors.contains("another relay runs"), "{errors}");
}

#[test]
fn a_new_identity_is_said_and_none_is_made_beside_a_store() {
    // spec: RLY-045
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("typo");
    let first_lines = |plain| {
        let mut relay = command(&data);
        if plain == Lines::Text {
            relay = Command::new(BINARY);
            relay.args(["run", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
            relay.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = relay.spawn().unwrap();
        let mut printed = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut printed).unwrap();
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        output.read_to_string(&mut printed).unwrap();
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(child.wait().unwrap().success());
        (printed, log)
    };
    let made = format!("made a new relay identity in {}; address 127.0.0.1:", data.display());
    let (printed, log) = first_lines(Lines::Text);
    assert!(printed.starts_with("listening ") && printed.contains(&made), "{printed}");
    assert!(log.contains("made a new relay identity") && log.contains(text(&data)), "{log}");
    let (printed, log) = first_lines(Lines::Text);
    assert!(!printed.contains("made") && !log.contains("made"), "{printed}{log}");
    let (printed, _) = first_lines(Lines::Json);
    assert!(printed.contains("\"identity\":\"kept\""), "{printed}");
    // The store without its key: with its own configuration, another one, or by init.
    fs::remove_file(data.join("relay.key")).unwrap();
    let elsewhere = parent.path().join("elsewhere.toml");
    fs::write(&elsewhere, format!("data = {:?}\n", text(&data))).unwrap();
    fs::write(data.join("relay.toml"), "").unwrap();
    for refused in [
        ["run", "--data", text(&data)],
        ["run", "--config", text(&elsewhere)],
        ["init", "--data", text(&data)],
    ] {
        let (success, printed, errors) = run(&refused);
        assert!(!success && printed.is_empty(), "{printed}");
        assert!(errors.contains("holds a store and no relay.key"), "{errors}");
    }
    assert!(!data.join("relay.key").exists());
    fs::remove_dir_all(data.join("store")).unwrap();
    let (printed, _) = first_lines(Lines::Json);
    assert!(printed.contains("\"identity\":\"new\""), "{printed}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Text,
    Json,
}

#[test]
fn what_stops_a_start_is_said_with_advice() {
    // spec: RLY-008
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (address.to_string(), taken)).unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let (data, record) = (directory.path().join("data"), directory.path().join("frames"));
    let (data, file, record) = (text(&data), text(&file), text(&record));
    let cases: [(&[&str], &str); 5] = [
        (&["--listen", &taken.0, "--dangerous-record-frames", record], "the UDP port is taken"),
        (&["--listen", "192.0.2.1:0"], "this machine does not have the address"),
        (&["--config", "no-such.toml"], "see --config"),
        (&["--data", file], "see --data"),
        (&["--listen", "127.0.0.1:0", "--dangerous-record-frames", file], "name another"),
    ];
    for (arguments, expected) in cases {
        let mut all = vec!["run"];
        if !arguments.contains(&"--data") {
            all.extend(["--data", data]);
        }
        all.extend(arguments);
        let (success, _, errors) = run(&all);
        let last = errors.lines().last().unwrap();
        assert!(!success && last.starts_with("hush-relay: "), "{errors}");
        assert!(last.contains(expected) && !last.contains("IPv6"), "{errors}");
    }
    assert!(!Path::new(record).exists(), "a start in vain leaves a record that the next refuses");
}

#[test]
fn a_log_level_that_is_none_is_said() {
    // spec: RLY-008
    let directory = tempfile::tempdir().unwrap();
    for (level, said) in [("x", true), ("in fo", true), ("", false), ("warn", false)] {
        let mut relay = command(directory.path());
        relay.env("HUSHWIRE_LOG", level);
        let mut process = Process::spawn(relay);
        process.terminate();
        assert!(process.wait(Duration::from_secs(15)).success());
        let mut log = String::new();
        process.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let lines = log.lines().filter(|line| line.contains("HUSHWIRE_LOG is no log level"));
        assert_eq!(lines.count(), usize::from(said), "{log}");
    }
}

#[test]
fn a_misspelt_key_stops_the_start() {
    // spec: RLY-004
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), "[store]\ncache = 1\n");
    let output = command(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("unknown field `cache`"), "{errors}");
}

#[test]
fn completion_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let (success, script, _) = run(&["completion", shell]);
        assert!(success && script.contains("hush-relay"), "{shell}");
    }
    let (success, page, _) = run(&["man"]);
    assert!(success && page.contains(".TH hush-relay"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_relay_in_good_order_and_inspect_shows_what_it_held() {
    // spec: RLY-024, RLY-040, RLY-010
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let mut process = Process::start(directory.path());
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    client.append(&channel, handle, &b"sealed bytes"[..]).await.unwrap();
    process.terminate();
    let last = client.stream.next().await.unwrap();
    assert_eq!(crate::client::code(last.answer), Some(Code::ShuttingDown));
    assert!(client.stream.next().await.is_none());
    client.connection.close(0_u32.into(), b"");
    assert!(process.wait(Duration::from_secs(15)).success());
    let before = files(&directory.path().join("store"));
    let (success, rows, errors) = run(&["inspect", "--data", text(directory.path())]);
    assert!(success, "{errors}");
    assert_eq!(files(&directory.path().join("store")), before);
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = hex::encode(channel.id);
    assert!(rows.iter().all(|row| row["id"] == id && row["object"] == "channel"), "{rows:?}");
    let sealed = hex::encode(b"sealed bytes");
    assert!(rows.iter().any(|row| {
        row["family"] == "content" && row["value"].as_str().unwrap().contains(&sealed)
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_the_output_is_no_fault_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let mut process = Process::start(directory.path());
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    // More than is held back before it is written.
    client.append(&channel, handle, &[7; 30_000][..]).await.unwrap();
    client.connection.close(0_u32.into(), b"");
    process.terminate();
    assert!(process.wait(Duration::from_secs(15)).success());
    let inspect = || {
        let mut inspect = Command::new(BINARY);
        inspect.args(["inspect", "--data", text(directory.path())]).stderr(Stdio::piped());
        inspect
    };
    let mut left = inspect().stdout(Stdio::piped()).spawn().unwrap();
    drop(left.stdout.take());
    let left = left.wait_with_output().unwrap();
    assert!(left.status.success() && left.stderr.is_empty(), "{left:?}");
    if cfg!(target_os = "linux") {
        for arguments in [&["inspect", "--data", text(directory.path())][..], &["man"]] {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let output = Command::new(BINARY).args(arguments).stdout(full).output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            let expected = "hush-relay: the output cannot be written: No space left on device";
            assert!(!output.status.success() && errors.starts_with(expected), "{errors}");
        }
    }
}

#[test]
fn an_address_that_means_another_machine_everywhere_is_noted() {
    let cases = [
        ("0.0.0.0:4433", "cannot use 0.0.0.0: "),
        ("[::]:4433", "cannot use [::]: "),
        ("127.0.0.1:4433", "cannot use 127.0.0.1: "),
        ("localhost:4433", "cannot use localhost: "),
    ];
    for (place, noted) in cases {
        let directory = tempfile::tempdir().unwrap();
        let init = ["init", "--data", text(directory.path()), "--public-address", place];
        let (success, printed, errors) = run(&init);
        assert!(success && printed.contains(noted), "{printed}{errors}");
    }
    let directory = tempfile::tempdir().unwrap();
    let init = ["init", "--data", text(directory.path()), "--public-address", "192.168.1.9:4433"];
    let (success, printed, errors) = run(&init);
    assert!(success && !printed.contains("cannot use"), "{printed}{errors}");
    let (success, _, errors) = run(&["init", "--public-address", "::1:4433"]);
    assert!(!success && errors.contains("[::1]:4433"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_recorded_when_asked_for_and_said_so() {
    // spec: RLY-041
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let record = directory.path().join("frames.jsonl");
    let mut recording = command(directory.path());
    recording.arg("--dangerous-record-frames").arg(&record);
    let mut process = Process::spawn(recording);
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    client.append(&channel, handle, &b"sealed bytes"[..]).await.unwrap();
    client.contents(&channel).await;
    process.terminate();
    client.connection.close(0_u32.into(), b"");
    assert!(process.wait(Duration::from_secs(15)).success());
    assert_eq!(fs::metadata(&record).unwrap().permissions().mode() & 0o777, 0o600);
    let lines = fs::read_to_string(&record).unwrap();
    let with_content = |direction: &str| {
        lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["direction"] == direction)
            .any(|line| line["frame"].as_str().unwrap().contains(&hex::encode(b"sealed bytes")))
    };
    assert!(with_content("in") && with_content("out"));
    let mut errors = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(errors.contains("RECORDING EVERY FRAME"), "{errors}");
    // The next run does not write into what is there.
    let mut again = command(directory.path());
    let output = again.arg("--dangerous-record-frames").arg(&record).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("name another"), "{errors}");
    assert_eq!(fs::read_to_string(&record).unwrap(), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_name_nobody_and_nothing() {
    // spec: RLY-042
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let mut talkative = command(directory.path());
    talkative.env("HUSHWIRE_LOG", "trace").env("RUST_LOG", "trace");
    let mut process = Process::spawn(talkative);
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    client.append(&channel, handle, &b"sealed bytes"[..]).await.unwrap();
    client.contents(&channel).await;
    client.stream.send.write_all(&[0, 0, 0, 1, 0xff]).await.unwrap();
    while client.stream.next().await.is_some() {}
    let other = Client::connect(process.address, process.relay).await;
    other.connection.close(0_u32.into(), b"");
    process.terminate();
    assert!(process.wait(Duration::from_secs(15)).success());
    let mut logs = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut logs).unwrap();
    assert!(logs.contains("a session ended"), "{logs}");
    let forbidden = [
        hex::encode(channel.id),
        hex::encode(channel.epoch),
        hex::encode(process.relay),
        hex::encode(b"sealed bytes"),
        "sealed bytes".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
        process.address.port().to_string(),
    ];
    for text in forbidden {
        assert!(!logs.contains(&text), "the logs hold {text}");
    }
    // No run of 16 hex digits or more, whatever it may be.
    let longest = logs
        .split(|character: char| !character.is_ascii_hexdigit())
        .map(str::len)
        .max()
        .unwrap_or(0);
    assert!(longest < 16, "{logs}");
}

/// A file system of a few megabytes, unmounted when the value is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_loses_nothing_and_takes_up_again() {
    // spec: RLY-012
    let Some(disk) = SmallDisk::mount(64) else {
        eprintln!("SKIPPED: mounting a small file system needs root; the full disk was not tested");
        return;
    };
    let data = disk.0.path().join("data");
    let ballast = disk.0.path().join("ballast");
    configure(
        &data,
        "[store]\ndisk_reserve_bytes = 16777216\nwrite_buffer_bytes = 4194304\ncache_bytes = 1048576\n",
    );
    fs::write(&ballast, vec![0; 24 << 20]).unwrap();
    let process = Process::start(&data);
    let mut client = Client::connect(process.address, process.relay).await;
    let (channel, handle) = client.create_channel().await;
    let mut acknowledged = 0_u32;
    let refused = loop {
        let numbers = acknowledged..acknowledged + 1;
        match append_numbers(&mut client, &channel, handle, numbers, 60_000).await[0] {
            Ok(_) => acknowledged += 1,
            Err(code) => break code,
        }
        assert!(acknowledged < 1_000, "the disk does not fill");
    };
    assert_eq!(refused, Code::StorageFull);
    assert!(acknowledged > 0);
    assert_eq!(client.contents(&channel).await.len(), acknowledged as usize);
    process.kill();
    // The disk is as full for the next start.
    let process = Process::start(&data);
    let mut client = Client::connect(process.address, process.relay).await;
    assert_eq!(client.contents(&channel).await.len(), acknowledged as usize);
    // Room again: the same relay takes writes without a restart.
    fs::remove_file(&ballast).unwrap();
    let handle = client.open_channel(&channel).await;
    client.append(&channel, handle, &b"room again"[..]).await.unwrap();
    assert_eq!(client.contents(&channel).await.len(), acknowledged as usize + 1);
}

#[test]
fn what_an_auditor_plants_is_in_the_record_and_in_the_store() {
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), SETTINGS);
    let record = directory.path().join("frames.jsonl");
    let mut recording = command(directory.path());
    recording.arg("--dangerous-record-frames").arg(&record);
    let mut process = Process::spawn(recording);
    let canary = directory.path().join("canary");
    fs::write(&canary, b"a canary").unwrap();
    let id = data_encoding::BASE64URL_NOPAD.encode(process.relay.as_bytes());
    let address = format!("{}#{id}", process.address);
    let (success, printed, errors) =
        run(&["plant", "--address", &address, "--file", text(&canary)]);
    assert!(success, "{errors}");
    let blob: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let wrong = format!("{}#{}", process.address, "A".repeat(43));
    let (success, _, _) = run(&["plant", "--address", &wrong, "--file", text(&canary)]);
    assert!(!success, "another relay than the one that was named took it");
    process.terminate();
    assert!(process.wait(Duration::from_secs(15)).success());
    let canary = hex::encode(b"a canary");
    assert!(fs::read_to_string(&record).unwrap().contains(&canary));
    let (_, rows, _) = run(&["inspect", "--data", text(directory.path())]);
    let planted = rows.lines().any(|line| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["id"] == blob["blob"] && row["value"].as_str().unwrap().contains(&canary)
    });
    assert!(planted, "{rows}");
}
