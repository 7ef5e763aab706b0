//! Identities, a second device, contact links.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Stage, Who};
use crate::demo::{
    device::{PASSPHRASE, said},
    fault::{Fault, expect},
    needle::{About, Needle},
    process::Running,
};

/// The name of Alice's second device.
const PHONE_NAME: &str = "Alices Taschentelefon";
/// Longest wait for a line of a linking.
const LINKING_MAX: Duration = Duration::from_secs(60);

impl Stage {
    pub(super) fn meet(&mut self) -> Result<(), Fault> {
        self.screen.act("Three people make identities; a link is all they exchange");
        self.hide(About::Secret, PASSPHRASE);
        self.hide(About::Name, PHONE_NAME);
        for who in [Who::Alice, Who::Bob, Who::Carol] {
            self.make_identity(who)?;
        }
        self.link_phone()?;
        self.exchange_link(Who::Bob, Who::Alice)?;
        self.exchange_link(Who::Carol, Who::Alice)?;
        self.exchange_link(Who::Carol, Who::Bob)?;
        let sight = self.watcher.look()?;
        self.screen.headings();
        let people = ["four devices of three people", "three direct chats"].map(str::to_owned);
        self.screen.beside(&sight, &people);
        Ok(())
    }

    fn make_identity(&mut self, who: Who) -> Result<(), Fault> {
        let address = self.relay.address().to_owned();
        let device = self.device(who);
        let owner = device.owner;
        let made = device.ask_durable(&["init", "--name", owner, "--relay", &address])?;
        let fingerprint = made.text("identity", "fingerprint")?;
        let phrase = made.text("identity", "phrase")?;
        self.device_mut(who).go_online()?;
        self.settled(who)?;
        self.needles.push(Needle::hex(About::Identity, &fingerprint)?);
        self.hide(About::Name, owner);
        self.hide(About::Secret, &phrase);
        let short: String = fingerprint.chars().take(16).collect();
        self.screen.step(&format!("{owner} made an identity: {short}…, known to nobody yet"));
        Ok(())
    }

    /// Waits until nothing of a device waits for the relay.
    pub(super) fn settled(&self, who: Who) -> Result<(), Fault> {
        let nothing_waits = |records: &[Value]| {
            records.iter().any(|record| record["type"] == "status" && record["waiting"] == 0)
        };
        let status = ["status"];
        let what = "everything is at the relay";
        self.device(who).until(what, &status, |said| nothing_waits(&said.records)).map(|_| ())
    }

    /// Both devices show six digits; the demo compares them as a person would.
    fn link_phone(&mut self) -> Result<(), Fault> {
        let mut old = self.alice.begin(&["--wait", "60", "device", "link", "--yes-if", "-"])?;
        let code = line_of(&old, "device_code", "code")?;
        let words =
            ["--wait", "60", "init", "--link", &code, "--device-name", PHONE_NAME, "--yes-if", "-"];
        let mut new = self.phone.begin(&words)?;
        let digits = line_of(&new, "comparison", "code")?;
        let same = line_of(&old, "comparison", "code")?;
        expect(digits == same, "both devices show the same digits")?;
        old.say(&digits)?;
        new.say(&same)?;
        let linked = said(old, &["device"])?;
        let joined = said(new, &["init"])?;
        for (device, said) in [(&self.alice, &linked), (&self.phone, &joined)] {
            if !said.is_durable() {
                return Err(device.refused(&["device", "link"], said));
            }
        }
        self.hide(About::Secret, &code);
        self.phone.go_online()?;
        self.settled(Who::Phone)?;
        self.screen.step(&format!("Alice linked her phone; both showed {digits}"));
        Ok(())
    }

    /// One gives a link by a way of their own, the other adds it; all devices of both get the chat.
    fn exchange_link(&mut self, giver: Who, taker: Who) -> Result<(), Fault> {
        let device = self.device(giver);
        let link = device.ask(&["link"])?.text("link", "text")?;
        self.hide(About::Secret, &link);
        self.device(taker).ask(&["--wait", "30", "add", &link])?;
        self.has_chat(giver, self.device(taker).owner)?;
        self.has_chat(taker, self.device(giver).owner)?;
        if taker == Who::Alice {
            self.has_chat(Who::Phone, self.device(giver).owner)?;
        }
        let (giver, taker) = (self.device(giver).label, self.device(taker).label);
        let characters = link.chars().count();
        self.screen.step(&format!(
            "{giver} gave {taker} a link of {characters} characters; they have a direct chat"
        ));
        Ok(())
    }

    /// Waits until a device has an open chat of this name.
    pub(super) fn has_chat(&self, who: Who, name: &str) -> Result<(), Fault> {
        let said = self.device(who).until(&format!("a chat with {name}"), &["chats"], |said| {
            said.records.iter().any(|chat| chat["name"] == name && chat["state"] == "open")
        });
        said.map(|_| ())
    }
}

/// A text of the next line of a type.
fn line_of(running: &Running, kind: &str, field: &str) -> Result<String, Fault> {
    let until = Instant::now() + LINKING_MAX;
    while let Some(line) = running.next_line(until) {
        let record: Value = serde_json::from_str(&line).unwrap_or_default();
        if record["type"] == kind
            && let Some(text) = record[field].as_str()
        {
            return Ok(text.to_owned());
        }
    }
    Err(Fault::new(format!("linking a device: no {kind} came")))
}
