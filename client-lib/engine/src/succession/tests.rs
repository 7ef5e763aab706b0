use hushwire_protocol::{
    address::{Host, RelayAddress},
    group::Role,
    identity::DeviceKey,
    link::{ContactLink, LinkSecret, LinkTarget},
    succession::{NewPlace, Successor, SuccessorRank},
};
use hushwire_wire::id::{InboxId, RelayId};

use super::*;
use crate::{
    command::ChatState,
    record::GroupState,
    work::trial::{NOW, with_profile},
};

const BEFORE: ChannelId = ChannelId::from_bytes([1; 32]);
const BOB: Fingerprint = Fingerprint::from_bytes([6; 32]);

fn relay(number: u8) -> RelayAddress {
    let host = Host::parse(&format!("relay{number}.example")).unwrap();
    RelayAddress::new(host, 4433, RelayId::from_bytes([number; 32])).unwrap()
}

/// An admin's word that a group goes on at a relay that is new to this device.
fn offer() -> SuccessorOffer {
    let place = NewPlace { channel: ChannelId::from_bytes([2; 32]), relay: relay(100) };
    let device = DeviceKey::from_bytes(&[3; 32]);
    let link = ContactLink {
        target: LinkTarget::Group,
        relay: place.relay.clone(),
        inbox: InboxId::from_bytes([4; 16]),
        secret: LinkSecret::from_bytes([5; 32]),
        identity: BOB,
    };
    let successor = Successor::sign(BEFORE, place, NOW, Vec::new(), &device);
    SuccessorOffer::sign(successor, &link, &device)
}

#[test]
fn who_gets_stuck_asks_at_a_relay_for_which_there_is_room() {
    // spec: LNK-067, CLI-200
    for (relays, follows, asks) in [(15, None, true), (16, None, false), (16, Some(BOB), true)] {
        with_profile(|work, own| {
            let (kind, state) = (ChatKind::Group, ChatState::Stuck);
            let chat = chats::add(work, "Crew".to_owned(), kind, state, None, None).unwrap();
            let other = groups::record(work, own).unwrap().unwrap();
            for number in 0..relays {
                let group = GroupRecord { relay: relay(number).to_string(), ..other.clone() };
                let channel = ChannelId::from_bytes([number + 10; 32]);
                groups::save(work, &channel, &group).unwrap();
            }
            // It is stuck, so that the relay of this one does not count.
            let (purpose, state) = (PurposeRecord::Group { chat }, GroupState::Stuck);
            let stuck =
                GroupRecord { purpose, state, follows, relay: relay(99).to_string(), ..other };
            groups::save(work, &BEFORE, &stuck).unwrap();
            let offer = offer();
            let rank = SuccessorRank {
                role: Role::Admin,
                identity: offer.maker,
                made_at: offer.successor.made_at,
                channel: offer.successor.channel,
            };
            let bytes = Some(SecretBytes::new(&offer.to_bytes()));
            let said = &offer.successor;
            let known = SuccessionRecord::new(work, rank, said, bytes, Stage::Offered);
            save(work, &BEFORE, &known).unwrap();
            no_way_on(work, &BEFORE).unwrap();
            assert_eq!(
                asking::follows(work, chat).unwrap().is_some(),
                asks,
                "{relays} {follows:?}"
            );
        });
    }
}
