//! Whether a device can write to somebody.

use hushwire_protocol::identity::Fingerprint;
use hushwire_wire::{
    error::Code,
    id::Nonce,
    message::{Answer, Hello, Request},
    version::VersionRange,
};

use super::World;
use crate::insider;

impl World {
    /// Whether a device knows somebody by a link that is used up, and by nothing else, or by nothing at all:
    /// it has no card of them, or the relay takes no item any more by the one that it has.
    pub(super) fn cannot_write_to(&mut self, client: usize, person: &str) -> bool {
        self.asked_by_card(client, person).is_none_or(|answers| {
            let spent = |answer: &Answer| {
                matches!(answer, Answer::Refused(refusal) if refusal.code == Code::CapabilitySpent)
            };
            answers.iter().any(spent)
        })
    }

    /// What the relay says to who shows the capability of that card.
    fn asked_by_card(&mut self, client: usize, person: &str) -> Option<Vec<Answer>> {
        let person = Fingerprint::from_hex(person).ok()?;
        let card = insider::card_of(self.clients[client].engine.as_ref()?.store(), &person)?;
        let relay = self.relays.iter().position(|relay| relay.address == card.relay)?;
        let seat = self.relays[relay].open();
        let nonce = Nonce::from_bytes([9; 32]);
        let hello = Hello { versions: VersionRange::SUPPORTED, nonce, capabilities: 0 };
        self.demand(relay, seat, 0, Request::Hello(hello));
        let request = Request::CardFetch { inbox: card.inbox, secret: card.capability };
        let answers = self.demand(relay, seat, 1, request);
        self.relays[relay].close(seat);
        Some(answers)
    }
}
