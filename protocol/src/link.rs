//! A contact link: at most 200 bytes that lead to an identity's inbox, on paper or in a QR code.
//!
//! ```text
//! link ─▶ relay address, inbox id ─▶ fetch the card
//!   └─ secret ─▶ capability secret (shown to the relay), card key (never shown to it)
//!   └─ fingerprint ─▶ verifies what the card says
//! ```
//!
//! Whoever holds a link can write to the inbox and read the card; the secret is all there is to it.
//! Normative text: `spec/links.md`.

pub mod text;

use hushwire_wire::id::{CapabilitySecret, InboxId};
use zeroize::Zeroizing;

use crate::address::RelayAddress;
use crate::derive::derive;
use crate::encoding::{Reader, Writer};
use crate::identity::Fingerprint;
use crate::label::Label;
use crate::secret::secret_bytes;
use text::{LinkError, LinkKind, LinkText};

secret_bytes!(
    /// The secret in a link, from which its capability and its card's key derive.
    LinkSecret
);

secret_bytes!(
    /// What a card is sealed with.
    CardKey
);

secret_bytes!(
    /// Shows the members of a group by which of its links somebody asks to be let in, whatever the
    /// relay says of that (spec: LNK-097).
    JoinProof
);

impl LinkSecret {
    /// What the relay gets to see: who shows it may write to the inbox (spec: LNK-012).
    pub fn capability(&self) -> CapabilitySecret {
        CapabilitySecret::from_bytes(*derive(self.expose(), Label::LinkCapability, b""))
    }

    /// What the link's card is sealed with (spec: LNK-012).
    pub fn card_key(&self) -> CardKey {
        CardKey::from_bytes(*derive(self.expose(), Label::LinkCardKey, b""))
    }

    /// What an identity shows at a door for this link. The relay knows the link's capability; this it
    /// cannot make, nor can one person show that of another (spec: LNK-097).
    pub fn join_proof(&self, door: &InboxId, asker: &Fingerprint) -> JoinProof {
        let context = [door.as_ref(), asker.as_ref()].concat();
        JoinProof::from_bytes(*derive(self.expose(), Label::JoinProof, &context))
    }
}

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkTarget {
    /// A person's inbox.
    Contact,
    /// An inbox that a group owns.
    Group,
}

/// A contact or group link.
#[derive(Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// What it leads to.
    pub target: LinkTarget,
    /// The inbox's relay.
    pub relay: RelayAddress,
    /// The inbox.
    pub inbox: InboxId,
    /// The secret.
    pub secret: LinkSecret,
    /// The identity that the card has to be of.
    pub identity: Fingerprint,
}

impl ContactLink {
    /// Reads a link; white space around it does not matter.
    ///
    /// # Errors
    /// [`LinkError`] (spec: LNK-010, LNK-011).
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let link = LinkText::parse(text)?;
        let target = match link.kind {
            LinkKind::Contact => LinkTarget::Contact,
            LinkKind::Group => LinkTarget::Group,
            LinkKind::Device => return Err(LinkError::OtherKind),
        };
        let mut reader = Reader::new(&link.body);
        let read = |reader: &mut Reader<'_>| {
            let inbox = InboxId::from_bytes(reader.array()?);
            let secret = LinkSecret::from_bytes(reader.array()?);
            let identity = Fingerprint::from_bytes(reader.array()?);
            Ok(Self { target, relay: link.relay.clone(), inbox, secret, identity })
        };
        let contact = read(&mut reader).map_err(LinkError::Malformed)?;
        reader.finish().map_err(LinkError::Malformed)?;
        Ok(contact)
    }

    /// The link as text, at most 200 bytes.
    ///
    /// # Errors
    /// [`LinkError::TooLong`] when the host is too long for that (spec: LNK-013).
    pub fn to_text(&self) -> Result<Zeroizing<String>, LinkError> {
        let kind = match self.target {
            LinkTarget::Contact => LinkKind::Contact,
            LinkTarget::Group => LinkKind::Group,
        };
        let body = Writer::with_capacity(80)
            .fixed(self.inbox)
            .fixed(self.secret.expose())
            .fixed(self.identity)
            .into_secret();
        LinkText { kind, relay: self.relay.clone(), body }.to_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(host: &str, port: u16) -> ContactLink {
        let host = crate::address::Host::parse(host).unwrap();
        let relay = hushwire_wire::id::RelayId::from_bytes([1; 32]);
        ContactLink {
            target: LinkTarget::Contact,
            relay: RelayAddress::new(host, port, relay).unwrap(),
            inbox: InboxId::from_bytes([2; 16]),
            secret: LinkSecret::from_bytes([3; 32]),
            identity: Fingerprint::from_bytes([4; 32]),
        }
    }

    #[test]
    fn links_come_back() {
        // spec: LNK-010
        for (host, port) in [("relay.example.org", 443), ("127.0.0.1", text::DEFAULT_PORT)] {
            for target in [LinkTarget::Contact, LinkTarget::Group] {
                let link = ContactLink { target, ..link(host, port) };
                let text = link.to_text().unwrap();
                assert_eq!(ContactLink::parse(&format!(" {}\n", &*text)).unwrap(), link);
            }
        }
    }

    #[test]
    fn links_are_at_most_200_bytes() {
        // spec: LNK-013
        let host = |length: usize| "a".repeat(length - 4) + ".org";
        let length = |host: &str, port| link(host, port).to_text().map(|text| text.len());
        assert_eq!(length(&host(30), text::DEFAULT_PORT), Ok(200));
        assert_eq!(length(&host(28), 443), Ok(200));
        assert_eq!(length(&host(31), text::DEFAULT_PORT), Err(LinkError::TooLong));
        assert_eq!(length(&host(29), 443), Err(LinkError::TooLong));
    }

    #[test]
    fn damaged_links_are_refused_by_name() {
        // spec: LNK-011
        let text = link("relay.example.org", 443).to_text().unwrap();
        for length in 0..text.len() {
            assert!(ContactLink::parse(&text[..length]).is_err(), "{length}");
        }
        assert_eq!(ContactLink::parse(&text[..text.len() - 4]), Err(LinkError::Damaged));
        for index in 5..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(ContactLink::parse(&changed).is_err(), "{index}");
        }
        assert_eq!(ContactLink::parse(&format!("{}A", &*text)), Err(LinkError::Damaged));
        assert_eq!(ContactLink::parse("https://example.org"), Err(LinkError::Foreign));
        assert_eq!(ContactLink::parse(&text.to_uppercase()), Err(LinkError::Foreign));
        assert_eq!(ContactLink::parse(&text.replace('D', "+")), Err(LinkError::Characters));
    }

    #[test]
    fn the_relay_learns_nothing_about_the_card() {
        // spec: LNK-012
        let secret = LinkSecret::from_bytes([3; 32]);
        assert_ne!(secret.capability().expose(), secret.card_key().expose());
        assert_ne!(secret.capability().expose(), secret.expose());
    }

    #[test]
    fn a_proof_is_of_one_link_one_door_and_one_person() {
        // spec: LNK-097
        let secret = LinkSecret::from_bytes([3; 32]);
        let (door, asker) = (InboxId::from_bytes([1; 16]), Fingerprint::from_bytes([2; 32]));
        let proof = secret.join_proof(&door, &asker);
        assert_eq!(proof, secret.join_proof(&door, &asker));
        assert_ne!(proof.expose(), secret.capability().expose());
        let other = LinkSecret::from_bytes([4; 32]);
        assert_ne!(proof, other.join_proof(&door, &asker));
        assert_ne!(proof, secret.join_proof(&InboxId::from_bytes([4; 16]), &asker));
        assert_ne!(proof, secret.join_proof(&door, &Fingerprint::from_bytes([4; 32])));
    }

    #[test]
    fn debug_prints_no_secret() {
        // spec: IDN-005
        assert_eq!(format!("{:?}", LinkSecret::from_bytes([7; 32])), "LinkSecret(..)");
        assert_eq!(format!("{:?}", CardKey::from_bytes([7; 32])), "CardKey(..)");
        let printed = format!("{:?}", link("relay.example.org", 443));
        assert!(!printed.contains("relay.example") && !printed.contains("3, 3"));
    }
}
