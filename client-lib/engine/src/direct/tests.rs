use hushwire_protocol::identity::{
    CLOCK_SKEW_MS, DeviceCredential, DeviceEntry, DeviceKind, DeviceListVersion, DeviceSerial,
    ManagerCounter, ManagerKey, ManagerStatement, RootKey, device_list::DeviceListTerms,
};
use hushwire_wire::id::SlotId;

use super::*;
use crate::{
    profile, record,
    work::trial::{NOW, with_profile, with_work},
};

#[test]
fn each_lower_channel_leaves_most_of_the_room_below() {
    // spec: LNK-113, LNK-115
    with_work(|work| {
        let head = |channel: &ChannelId| {
            u64::from_be_bytes(*channel.as_bytes().first_chunk::<LOWER_BYTES>().unwrap())
        };
        let mut last = channel_before(work, None);
        for step in 0..1_000 {
            let next = channel_before(work, Some(last));
            let bound = head(&last);
            assert!(next < last && head(&next) < bound, "{step}");
            assert!(head(&next) >= bound - bound / 16 - 1, "{step}");
            last = next;
        }
        assert!(!is_last(&last), "a thousand times");
        // At the end of the room none is drawn that nobody would take.
        for end in [1, 2, 3] {
            let mut id = [7; 32];
            id[..LOWER_BYTES].copy_from_slice(&u64::to_be_bytes(end));
            assert!(!is_last(&channel_before(work, Some(ChannelId::from_bytes(id)))), "{end}");
        }
    });
}

#[test]
fn a_doubtful_group_that_is_given_up_takes_no_room_from_the_ids_below() {
    // spec: LNK-070, LNK-112
    with_work(|work| {
        let [doubtful, plain, next] = [1, 2, 3].map(|byte| ChannelId::from_bytes([byte; 32]));
        standing::doubt(work, &doubtful).unwrap();
        for channel in [doubtful, plain] {
            let_go(work, &channel, &next).unwrap();
        }
        assert_eq!(standing::of(work, &doubtful), Ok(Standing::Doubtful));
        assert_eq!(standing::of(work, &plain), Ok(Standing::Plain));
    });
}

#[test]
fn a_list_that_a_build_before_noted_says_of_nobody_that_they_are_gone() {
    // spec: CLI-133, LNK-111
    #[derive(serde::Serialize)]
    struct Before {
        manager_counter: u64,
        version: u64,
        gone: Vec<serde_bytes::ByteArray<16>>,
    }
    with_profile(|work, _| {
        let there = profile::device(work).unwrap().credential;
        let before = Before { manager_counter: u64::MAX, version: u64::MAX, gone: Vec::new() };
        let key = [b"listed ", &there.identity().as_bytes()[..]].concat();
        work.tx.put(Table::Profile, &key, record::encode(&before).unwrap());
        assert_eq!(devices::is_gone(work, &there), Ok(false));
    });
}

/// Somebody whose root and manager key are known, also to a thief.
struct Somebody {
    root: RootKey,
    manager: ManagerKey,
}

impl Somebody {
    const COUNTER: u64 = 3;

    fn new() -> Self {
        let [root, manager] = [[1; 32], [2; 32]];
        Self { root: RootKey::from_bytes(&root), manager: ManagerKey::from_bytes(&manager) }
    }

    fn statement(&self, counter: u64) -> ManagerStatement {
        self.root.state_manager(self.manager.public(), ManagerCounter(counter))
    }

    fn credential(&self, device: u8, key: u8, counter: u64, serial: u64) -> DeviceCredential {
        let statement = self.statement(counter);
        let (device, key) =
            (DeviceId::from_bytes([device; 16]), ManagerKey::from_bytes(&[key; 32]));
        let serial = DeviceSerial(serial);
        let certificate = self.manager.certify(&statement, device, key.public(), serial);
        DeviceCredential::new(statement, certificate).unwrap()
    }

    /// A list that names one device.
    fn list(&self, version: u64, device: &DeviceCredential) -> Vec<u8> {
        let entry = DeviceEntry {
            device: device.device(),
            slot: SlotId::from_bytes([9; 16]),
            certificate: device.certificate().hash(),
            kind: DeviceKind::Manager,
        };
        let terms = DeviceListTerms {
            version: DeviceListVersion(version),
            issued_at: NOW,
            expires_at: NOW.plus_ms(1),
            devices: vec![entry],
        };
        self.manager.list_devices(&self.statement(Self::COUNTER), terms).unwrap().to_bytes()
    }
}

#[test]
fn who_invites_into_a_group_is_heard_there() {
    // spec: LNK-120
    with_profile(|work, channel| {
        let somebody = Somebody::new();
        let inviter = somebody.credential(1, 1, Somebody::COUNTER, 1);
        standing::doubt(work, channel).unwrap();
        standing::entered(work, channel, &work.me().unwrap(), &inviter).unwrap();
        assert_eq!(standing::of(work, channel), Ok(Standing::Doubtful), "it is nobody of theirs");
        standing::entered(work, channel, &inviter.identity(), &inviter).unwrap();
        assert_eq!(standing::of(work, channel), Ok(Standing::Plain));
        assert_eq!(standing::is_heard(work, channel), Ok(true));
    });
}

#[test]
fn gone_is_whom_the_list_does_not_name_and_who_is_no_newer() {
    // spec: LNK-111, IDN-085
    const VERSION: u64 = 5;
    let most = NOW.plus_ms(CLOCK_SKEW_MS).0;
    let cases = [
        ("named", (1, 1, 3, 1), false),
        ("so, by another certificate", (1, 8, 3, 1), true),
        ("so, by a newer one", (1, 8, 3, VERSION + 1), false),
        ("as old as the list", (2, 2, 3, VERSION), true),
        ("newer", (2, 2, 3, VERSION + 1), false),
        ("as new as can be", (2, 2, 3, most), false),
        ("newer than can be", (2, 2, 3, most + 1), true),
        ("so, as far as it goes", (2, 2, 3, u64::MAX), true),
        ("under an older statement", (2, 2, 2, VERSION + 1), true),
        ("under a newer statement", (2, 2, 4, 1), false),
        ("so, and newer than can be", (2, 2, 4, most + 1), true),
    ];
    with_work(|work| {
        let somebody = Somebody::new();
        let of = |(device, key, counter, serial)| somebody.credential(device, key, counter, serial);
        let named = of((1, 1, 3, 1));
        assert_eq!(devices::is_gone(work, &of((2, 2, 3, u64::MAX))), Ok(false), "no list is read");
        let list = somebody.list(VERSION, &named);
        assert!(devices::note_list(work, &named.identity(), &list).unwrap().is_some());
        for (comment, credential, gone) in cases {
            assert_eq!(devices::is_gone(work, &of(credential)), Ok(gone), "{comment}");
        }
    });
}
