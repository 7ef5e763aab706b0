//! A file of 12 MB, and a relay that dies in the middle of it.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{FILE_NAME, GROUP, Stage, Who};
use crate::demo::{
    device::said,
    fault::{Fault, expect},
    needle::{About, Needle},
    process::Running,
    recording, screen,
};

/// How much of the file is at the relay when it is killed: its record has about two characters
/// for each byte.
const RECORDED_BYTES_AT_KILL: u64 = 8_000_000;
/// Longest wait for that.
const UPLOAD_MAX: Duration = Duration::from_secs(60);

impl Stage {
    pub(super) fn send_recording(&mut self) -> Result<(), Fault> {
        self.screen.act("A file of 12 MB; the relay is killed in the middle of it");
        self.phone.go_offline()?;
        self.screen.step("Alice's phone goes offline (its client is killed)");
        let file = self.folder.join(FILE_NAME);
        recording::write(&file)?;
        self.hide(About::Name, FILE_NAME);
        let slices = recording::slices(&file)?.into_iter();
        self.needles.extend(slices.map(|bytes| Needle { about: About::File, bytes }));
        let path = file.display().to_string();
        self.watcher.look()?;
        let upload = self.alice.begin(&["--wait", "60", "send-file", GROUP, &path])?;
        self.wait_for_upload(&upload)?;
        self.kill_relay(fs::metadata(&file).map_or(0, |metadata| metadata.len()))?;
        let sent = said(upload, &["send-file"])?;
        expect(sent.code == Some(0), "the upload goes on with the new relay and ends")?;
        self.screen.step("the upload went on where it was, and is complete");
        self.settled(Who::Alice)?;
        let saved = self.save_recording(Who::Bob)?;
        expect(recording::equal(&file, &saved)?, "Bob has the same bytes")?;
        let sight = self.watcher.look()?;
        let people = [
            format!("Alice sent {FILE_NAME}"),
            format!("Bob saved it, {}: the same bytes", screen::size(file_bytes(&saved))),
        ];
        self.screen.beside(&sight, &people);
        Ok(())
    }

    fn wait_for_upload(&self, upload: &Running) -> Result<(), Fault> {
        let record = self.relay.current_record();
        let length = || fs::metadata(&record).map_or(0, |metadata| metadata.len());
        let (start, until) = (length(), Instant::now() + UPLOAD_MAX);
        let bar = self.screen.bar(RECORDED_BYTES_AT_KILL / 2, "uploading");
        loop {
            let recorded = length().saturating_sub(start);
            bar.set_position(recorded / 2);
            if recorded >= RECORDED_BYTES_AT_KILL {
                bar.finish_and_clear();
                return Ok(());
            }
            // It waits for a line that the upload says at its end only.
            let ended = upload.next_line(Instant::now() + Duration::from_millis(1)).is_some();
            expect(!ended && Instant::now() < until, "the upload is under way")?;
        }
    }

    /// SIGKILL, a look at what is left, and a new start at the same place.
    fn kill_relay(&mut self, file_bytes: u64) -> Result<(), Fault> {
        let process = self.relay.kill()?;
        self.screen.step(&format!("the relay, process {process}, got SIGKILL"));
        let (mut rows, mut chunk_bytes) = (0_u64, 0_u64);
        self.relay.inspect(|row| {
            rows += 1;
            if row["family"] == "chunks" {
                let digits = row["value"].as_str().map_or(0, str::len);
                chunk_bytes += u64::try_from(digits / 2).unwrap_or(0);
            }
            Ok(())
        })?;
        expect(chunk_bytes < file_bytes, "the kill came in the middle of the file")?;
        let left = screen::size(chunk_bytes);
        self.screen.note(&format!("left on its disk: {rows} rows, {left} of sealed chunks"));
        self.watcher = self.relay.start()?;
        self.screen.step("a new relay process serves from the same disk at the same port");
        Ok(())
    }

    /// Saves the file on a device and says where.
    pub(super) fn save_recording(&self, who: Who) -> Result<PathBuf, Fault> {
        let device = self.device(who);
        let event = device.sees("the file", |event| {
            event["event"] == "message_added" && event["message"]["file_name"] == FILE_NAME
        })?;
        let number = event["message_number"].as_u64().unwrap_or(0).to_string();
        let saved = self.folder.join(format!("saved by {}.wav", device.label));
        let path = saved.display().to_string();
        device.ask(&["--wait", "60", "save", GROUP, &number, &path])?;
        Ok(saved)
    }
}

fn file_bytes(path: &std::path::Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
