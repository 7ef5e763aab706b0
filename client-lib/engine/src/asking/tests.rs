use hushwire_protocol::{identity::Fingerprint, link::LinkSecret};
use hushwire_wire::id::CapabilitySecret;

use super::*;
use crate::work::trial::with_profile;

fn link(work: &Work<'_>, number: u8) -> ContactLink {
    ContactLink {
        target: LinkTarget::Group,
        relay: work.inbox().unwrap().unwrap().relay.parse().unwrap(),
        inbox: InboxId::from_bytes([number; 16]),
        secret: LinkSecret::from_bytes([number; 32]),
        identity: Fingerprint::from_bytes([number; 32]),
    }
}

#[test]
fn so_many_groups_are_asked_at_a_time() {
    // spec: LNK-107
    with_profile(|work, own| {
        let ask_by = |work: &mut Work<'_>, number| {
            let text = link(work, number).to_text().unwrap();
            ask(work, &SecretText::new(text.as_str().to_owned()))
        };
        for number in 0..32 {
            assert!(ask_by(work, number).is_ok(), "{number}");
        }
        assert_eq!(ask_by(work, 32).err(), Some(CommandError::TooManyAskings));
        assert!(ask_by(work, 31).is_ok(), "of which it asks already");
        let asked = Asked {
            relay: link(work, 33).relay,
            channel: ChannelId::from_bytes([33; 32]),
            capability: CapabilitySecret::from_bytes([33; 32]),
            ends_at: work.now.plus_ms(1),
            name: "Crew".to_owned(),
        };
        take_asked(work, &asked.to_bytes()).unwrap();
        assert_eq!(all(work).unwrap().len(), 32);
        // Where a group goes on is asked at its door in any case.
        let chat = chat_for(work, None).unwrap();
        let there = link(work, 34);
        follow(work, chat, *own, &there).unwrap();
        assert_eq!(all(work).unwrap().len(), 33);
    });
}
