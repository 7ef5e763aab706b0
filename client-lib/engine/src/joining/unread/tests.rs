use hushwire_protocol::{
    group::GroupSnapshot,
    invitation::{GroupAddress, Purpose, SnapshotPlace, SuiteCode},
};
use hushwire_wire::id::EpochId;

use super::*;
use crate::{
    invitations, packages, profile,
    work::trial::{NOW, with_profile},
};

const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
const RELAY: &str = "relay.example:4433#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// An invitation for a key package of this device.
fn invitation(work: &mut Work<'_>) -> Vec<u8> {
    let package = packages::generate_rejoin(work, &CHANNEL).unwrap();
    shelf::keep_off(work, &package.reference).unwrap();
    let me = work.identity().unwrap().unwrap().fingerprint();
    let variable = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let secrets = [variable(package.reference.as_bytes()), variable(b"kem"), variable(b"text")];
    let relay = RELAY.parse().unwrap();
    let epoch = EpochId::from_bytes([2; 32]);
    let invitation = Invitation {
        group: GroupAddress { relay, channel: CHANNEL, epoch },
        suite: SuiteCode(0x004F),
        purpose: Purpose::Group,
        secrets: secrets.concat(),
        snapshot: SnapshotPlace::Inline(GroupSnapshot { group_info: vec![1], tree: vec![2] }),
        sender: invitations::own_card(work, &me).unwrap(),
    };
    InboxContent::Invitation(Box::new(invitation)).to_bytes().to_vec()
}

#[test]
fn what_is_put_by_again_is_kept_no_longer_for_that() {
    // spec: CLI-187, LNK-066
    with_profile(|work, _| {
        let sender = profile::device(work).unwrap().credential;
        let content = invitation(work);
        let unread = Unread { channel: CHANNEL, word: None };
        let came = Came { by: None, read: false, until_ms: None };
        hold_unread(work, &unread, &sender, &content, came).unwrap();
        let ends = |work: &Work<'_>| {
            let rows = work.tx.list::<HeldRecord>(PREFIX, usize::MAX).unwrap();
            rows.into_iter().map(|row| row.record.until_ms).collect::<Vec<_>>()
        };
        let until_ms = row::until(work).0;
        assert_eq!(ends(work), [until_ms]);
        // Its snapshot had to be fetched, and then something has to be read once more.
        work.now = NOW.plus_ms(1_000_000);
        let wish = Wish::JoinGroup {
            channel: CHANNEL,
            relay: RELAY.to_owned(),
            sender: sender.to_bytes(),
            content: SecretBytes::new(&content),
            tries: 0,
            read: false,
            until_ms: Some(until_ms),
        };
        let number = work.wish(wish).unwrap();
        wait_unread(work, number, &unread).unwrap();
        assert_eq!(ends(work), [until_ms]);
        // Another one that comes now is kept for its own time.
        hold_unread(work, &unread, &sender, &content, came).unwrap();
        assert_eq!(ends(work), [row::until(work).0]);
    });
}
