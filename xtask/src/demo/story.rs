//! The story: three people, four devices, one relay. Each act checks what it says.

mod catching_up;
mod meeting;
mod recording_sent;
mod removal;
mod talk;

use std::path::{Path, PathBuf};

use super::{
    device::Device,
    fault::Fault,
    needle::{About, Needle},
    relay::Relay,
    screen::Screen,
    sight::Watcher,
};

/// The group's name.
pub(super) const GROUP: &str = "Nordlicht Lesekreis";
/// The file's name.
const FILE_NAME: &str = "Hafen bei Nacht.wav";

/// A device of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Alice,
    Phone,
    Bob,
    Carol,
}

impl Who {
    pub(super) const ALL: [Self; 4] = [Self::Alice, Self::Phone, Self::Bob, Self::Carol];
}

/// Everything that takes part.
pub(super) struct Stage {
    pub(super) screen: Screen,
    pub(super) relay: Relay,
    /// What the relay must not have.
    pub(super) needles: Vec<Needle>,
    folder: PathBuf,
    watcher: Watcher,
    alice: Device,
    phone: Device,
    bob: Device,
    carol: Device,
}

impl Stage {
    /// Starts the relay; nobody is there yet.
    pub(super) fn new(screen: Screen, binaries: &Path, folder: &Path) -> Result<Self, Fault> {
        let mut relay = Relay::new(binaries, &folder.join("relay"))?;
        let watcher = relay.start()?;
        let device = |owner, label, name| Device::new((owner, label), binaries, folder.join(name));
        Ok(Self {
            screen,
            relay,
            needles: Vec::new(),
            folder: folder.to_owned(),
            watcher,
            alice: device("Alice Müller-Nakamura", "Alice", "alice"),
            phone: device("Alice Müller-Nakamura", "Alice's phone", "alice-phone"),
            bob: device("Bob Okonkwo", "Bob", "bob"),
            carol: device("Carol Беляева", "Carol", "carol"),
        })
    }

    /// All acts.
    pub(super) fn play(&mut self) -> Result<(), Fault> {
        self.meet()?;
        self.talk()?;
        self.send_recording()?;
        self.remove_carol()?;
        self.catch_up()
    }

    pub(super) const fn device(&self, who: Who) -> &Device {
        match who {
            Who::Alice => &self.alice,
            Who::Phone => &self.phone,
            Who::Bob => &self.bob,
            Who::Carol => &self.carol,
        }
    }

    const fn device_mut(&mut self, who: Who) -> &mut Device {
        match who {
            Who::Alice => &mut self.alice,
            Who::Phone => &mut self.phone,
            Who::Bob => &mut self.bob,
            Who::Carol => &mut self.carol,
        }
    }

    fn hide(&mut self, about: About, text: &str) {
        self.needles.push(Needle::text(about, text));
    }

    /// Sends a text, waits until it has arrived, and shows it beside what the relay saw.
    fn say(&mut self, from: Who, chat: &str, text: &str, to: &[Who]) -> Result<(), Fault> {
        self.hide(About::Text, text);
        self.watcher.look()?;
        let sender = self.device(from);
        sender.ask(&["--wait", "30", "send", chat, text])?;
        let mut people = vec![format!("{:<16} writes: {text}", sender.label)];
        for reader in to {
            people.push(self.device(*reader).sees_text(text)?);
        }
        let sight = self.watcher.look()?;
        self.screen.beside(&sight, &people);
        Ok(())
    }

    /// The texts of the group's messages on a device, in their order.
    fn group_texts(&self, who: Who) -> Result<Vec<String>, Fault> {
        let said = self.device(who).ask(&["read", GROUP, "--count", "100", "--keep-unread"])?;
        let messages = said.records.iter().filter(|record| record["type"] == "message");
        let texts = messages.map(|message| {
            let text = message["text"].as_str().or(message["file_name"].as_str());
            text.unwrap_or_default().to_owned()
        });
        Ok(texts.collect())
    }

    /// Bob's reading of the group, for the last picture.
    pub(super) fn bobs_group(&self) -> Result<Vec<String>, Fault> {
        self.group_texts(Who::Bob)
    }
}
