//! Alice's phone, which slept through the file, the kill and the removal.

use super::{FILE_NAME, GROUP, Stage, Who};
use crate::demo::{
    fault::{Fault, expect},
    recording,
};

impl Stage {
    pub(super) fn catch_up(&mut self) -> Result<(), Fault> {
        self.screen.act("Alice's phone comes back and catches up");
        self.watcher.look()?;
        let before = self.phone.events_seen();
        self.phone.go_online()?;
        let expected = self.group_texts(Who::Alice)?;
        self.phone.until(
            "all that the other device has",
            &["read", GROUP, "--count", "100", "--keep-unread"],
            |said| {
                said.records.iter().filter(|record| record["type"] == "message").count()
                    >= expected.len()
            },
        )?;
        let texts = self.group_texts(Who::Phone)?;
        expect(texts == expected, "both of Alice's devices have the same, in the same order")?;
        expect(self.group_texts(Who::Bob)? == expected, "and Bob has the same")?;
        let saved = self.save_recording(Who::Phone)?;
        let file = self.folder.join(FILE_NAME);
        expect(recording::equal(&file, &saved)?, "the phone has the same file")?;
        let sight = self.watcher.look()?;
        let people = [
            format!("Alice's phone has all {} messages, once, in order", texts.len()),
            format!("and {FILE_NAME}, byte for byte"),
        ];
        self.screen.headings();
        self.screen.beside(&sight, &people);
        let events = self.phone.events_seen().saturating_sub(before);
        self.screen.step(&format!("{events} events, without a gap after those before the kill"));
        for who in Who::ALL {
            self.settled(who)?;
        }
        self.screen.step("nothing waits on any device");
        Ok(())
    }
}
