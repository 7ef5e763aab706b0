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

#[test]
fn what_is_told_again_of_an_asking_that_is_over_begins_none() {
    // spec: LNK-108
    with_profile(|work, _| {
        let asked = |work: &Work<'_>, number: u8, left_ms: u64| Asked {
            relay: link(work, number).relay,
            channel: ChannelId::from_bytes([number; 32]),
            capability: CapabilitySecret::from_bytes([number; 32]),
            ends_at: work.now.plus_ms(left_ms),
            name: "Crew".to_owned(),
        };
        let over = |asked: &Asked| {
            let capability = transcript::capability_id(&asked.capability);
            AskingOver { capability }.to_bytes()
        };
        let begins = |work: &mut Work<'_>, asked: &Asked| {
            take_asked(work, &asked.to_bytes()).unwrap();
            let under_way = all(work).unwrap();
            under_way.iter().any(|it| it.record.channel == Some(asked.channel))
        };
        // It came in, or another device is done with it.
        let (in_it, done) = (asked(work, 1, 1_000), asked(work, 2, 1_000));
        assert!(begins(work, &in_it) && begins(work, &done));
        let chat = all(work).unwrap()[0].chat;
        entered(work, chat).unwrap();
        take_over(work, &over(&done)).unwrap();
        assert!(!begins(work, &in_it) && !begins(work, &done));
        // Its end is told first.
        let early = asked(work, 3, 1_000);
        take_over(work, &over(&early)).unwrap();
        assert!(!begins(work, &early));
        // Its time is over.
        let late = asked(work, 4, 0);
        assert!(!begins(work, &late));
        // It is asked again by another request.
        let again = Asked { capability: CapabilitySecret::from_bytes([5; 32]), ..in_it };
        assert!(begins(work, &again));
    });
}

#[test]
fn of_askings_that_are_over_so_many_are_known() {
    // spec: LNK-108, CLI-137
    with_profile(|work, _| {
        let count =
            |work: &Work<'_>| work.tx.list::<OverRecord>(OVER_PREFIX, usize::MAX).unwrap().len();
        let capability = |number: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&number.to_be_bytes());
            CapabilityId::from_bytes(bytes)
        };
        for number in 0..=1_024 {
            note_over(work, &capability(number), work.now.0 + 1 + u64::from(number)).unwrap();
        }
        assert_eq!(count(work), 1_024);
        let first = work.tx.load::<OverRecord>(&over_key(&capability(0))).unwrap();
        assert!(first.is_none(), "what would have ended first is let go");
        // By a clock that was ahead: no end is further away than it can be.
        note_over(work, &capability(1), work.now.plus_ms(REQUEST_LIFE_MS).0 + 1).unwrap();
        tend(work).unwrap();
        assert_eq!(count(work), 1_023);
    });
}
