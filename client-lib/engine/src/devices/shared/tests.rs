use hushwire_protocol::identity::DeviceListVersion;

use super::*;
use crate::{
    devices::{add_absent, add_own_devices},
    profile,
    record::{Wish, WishRecord},
    wish,
    work::{
        EventRecord,
        trial::{NOW, with_profile},
    },
};

#[test]
fn a_list_beyond_all_versions_is_not_taken_from_another_own_device() {
    // spec: IDN-082, IDN-084
    with_profile(|work, _| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let entries = device_list(work).unwrap().devices().to_vec();
        let most = NOW.0 + CLOCK_OFF_MS;
        // The one that was passed over is taken when it is told again, and its time has come.
        for (later_ms, version, known) in
            [(0, u64::MAX, 1), (0, most + 1, 1), (0, most, most), (1, most + 1, most + 1)]
        {
            work.now = NOW.plus_ms(later_ms);
            let version = DeviceListVersion(version);
            let list = profile::sign_list(work, &manager, &statement, version, entries.clone());
            take_lists_of_own_group(work, core::iter::once(&list.unwrap().bytes[..])).unwrap();
            assert_eq!(device_list(work).unwrap().rank().version.0, known, "{version:?}");
        }
    });
}

#[test]
fn contacts_hear_of_devices_that_two_lists_name_together() {
    // spec: IDN-063, LNK-121
    with_profile(|work, _| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let me = device_list(work).unwrap().devices()[0].clone();
        let other = |id| DeviceEntry { device: DeviceId::from_bytes([id; 16]), ..me.clone() };
        // Which devices another one lists, and what follows.
        for (version, listed, told, known) in [
            // Whoever signed it has told them.
            (9, vec![me.clone(), other(1)], Told::Nothing, 2),
            (8, vec![me.clone(), other(2)], Told::Cards, 3),
            (7, vec![me.clone(), other(2)], Told::Nothing, 3),
        ] {
            let version = DeviceListVersion(version);
            let list = profile::sign_list(work, &manager, &statement, version, listed).unwrap();
            let lists = core::iter::once(&list.bytes[..]);
            assert_eq!(take_lists_of_own_group(work, lists), Ok(told), "{version:?}");
            assert_eq!(device_list(work).unwrap().devices().len(), known);
        }
    });
}

/// How many messages wait to be sent.
fn sent(work: &Work<'_>) -> usize {
    let wishes = work.tx.list::<WishRecord>(&[], usize::MAX).unwrap();
    wishes.iter().filter(|row| matches!(row.record.wish, Wish::SendContent { .. })).count()
}

#[test]
fn for_many_lists_in_a_message_one_is_signed() {
    // spec: CLI-148, IDN-063
    with_profile(|work, _| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let me = device_list(work).unwrap().devices()[0].clone();
        let list = |work: &mut Work<'_>, version, other| {
            let other = DeviceEntry { device: DeviceId::from_bytes([other; 16]), ..me.clone() };
            let (version, listed) = (DeviceListVersion(version), vec![me.clone(), other]);
            profile::sign_list(work, &manager, &statement, version, listed).unwrap().bytes
        };
        // Each is above the one before, and lacks a device.
        let lists: Vec<Vec<u8>> =
            (0_u8..64).map(|place| list(work, 10 + u64::from(place), 1 + place % 2)).collect();
        let before = sent(work);
        assert_eq!(
            take_lists_of_own_group(work, lists.iter().map(|list| &list[..])),
            Ok(Told::Cards)
        );
        let known = device_list(work).unwrap();
        assert_eq!((known.devices().len(), known.rank().version.0), (3, 74));
        assert_eq!(sent(work), before + 1);
        // A later one that names all is taken as it is.
        let (both, one) = (known.devices().to_vec(), list(work, 80, 1));
        let all = profile::sign_list(work, &manager, &statement, DeviceListVersion(90), both);
        let (all, told) = (all.unwrap().bytes, Told::Nothing);
        assert_eq!(take_lists_of_own_group(work, [&one[..], &all[..]].into_iter()), Ok(told));
        assert_eq!(device_list(work).unwrap().to_bytes(), all);
        assert_eq!(sent(work), before + 1);
    });
}

#[test]
fn for_many_lists_of_a_revoked_device_in_a_message_one_is_signed() {
    // spec: CLI-148, LNK-121
    with_profile(|work, channel| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let contact = contacts::ensure(work, &Fingerprint::from_bytes([9; 32]), None).unwrap();
        let stolen = DeviceId::from_bytes([7; 16]);
        forget_device(work, &stolen).unwrap();
        let entries = device_list(work).unwrap().devices().to_vec();
        let lists: Vec<Vec<u8>> = (10..74)
            .map(|version| {
                let version = DeviceListVersion(version);
                let list = profile::sign_list(work, &manager, &statement, version, entries.clone());
                list.unwrap().bytes
            })
            .collect();
        let before = sent(work);
        let told = lists.iter().map(|list| &list[..]);
        take_lists_of_direct(work, channel, contact, &stolen, told).unwrap();
        assert_eq!(device_list(work).unwrap().rank().version.0, 74);
        // The list for own devices, and the card.
        assert_eq!(sent(work), before + 2);
    });
}

#[test]
fn a_list_with_which_there_were_too_many_devices_is_passed_over_and_counts() {
    // spec: CLI-149, IDN-031, IDN-063, LNK-121
    with_profile(|work, channel| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let me = device_list(work).unwrap().devices()[0].clone();
        let list = |work: &mut Work<'_>, version, ids: core::ops::Range<u8>| {
            let others =
                ids.map(|id| DeviceEntry { device: DeviceId::from_bytes([id; 16]), ..me.clone() });
            let listed = core::iter::once(me.clone()).chain(others).collect();
            let version = DeviceListVersion(version);
            profile::sign_list(work, &manager, &statement, version, listed).unwrap().bytes
        };
        let tell = |work: &mut Work<'_>, version, ids| {
            let list = list(work, version, ids);
            take_lists_of_own_group(work, core::iter::once(&list[..])).unwrap();
            device_list(work).unwrap().devices().len()
        };
        let warned = |work: &Work<'_>| {
            let many = |row: &&Keyed<EventRecord>| {
                matches!(row.record.0.event, Event::Warning(Warning::TooManyDevices))
            };
            work.tx.list::<EventRecord>(&[], usize::MAX).unwrap().iter().filter(many).count()
        };
        assert_eq!((tell(work, 10, 1..40), warned(work)), (40, 0));
        assert_eq!((tell(work, 20, 40..65), warned(work)), (40, 1));
        let listed = device_list(work).unwrap();
        assert_eq!(listed.rank().version.0, 10);
        sign_again(work, listed.rank().version, listed.devices().to_vec()).unwrap();
        assert_eq!(device_list(work).unwrap().rank().version.0, 21);
        // Once somebody revokes one, there is room for all.
        forget_device(work, &DeviceId::from_bytes([1; 16])).unwrap();
        assert_eq!((tell(work, 20, 40..65), warned(work)), (64, 1));
        assert_eq!(device_list(work).unwrap().rank().version.0, 22);
        // In a direct group nothing is merged, and what a revoked device says is signed behind.
        let contact = contacts::ensure(work, &Fingerprint::from_bytes([9; 32]), None).unwrap();
        let (told, by) = (list(work, 30, 70..90), DeviceId::from_bytes([1; 16]));
        take_lists_of_direct(work, channel, contact, &by, core::iter::once(&told[..])).unwrap();
        let listed = device_list(work).unwrap();
        assert_eq!((listed.devices().len(), listed.rank().version.0), (64, 31));
        assert_eq!(warned(work), 1);
    });
}

#[test]
fn who_was_revoked_is_wished_into_no_group_while_the_list_still_names_it() {
    // spec: CLI-157
    with_profile(|work, channel| {
        let identity = work.identity().unwrap().unwrap();
        let (manager, statement) = (identity.manager_key().unwrap(), identity.statement().unwrap());
        let me = device_list(work).unwrap().devices()[0].clone();
        let [revoked, well] = [7, 8].map(|id| DeviceId::from_bytes([id; 16]));
        let others = [revoked, well].map(|device| DeviceEntry { device, ..me.clone() });
        let listed = core::iter::once(me).chain(others).collect();
        let version = DeviceListVersion(10);
        let list = profile::sign_list(work, &manager, &statement, version, listed).unwrap();
        take_list(work, list).unwrap();
        // As this device reads in the own group; the list without it comes later.
        forget_device(work, &revoked).unwrap();
        let wished = |work: &Work<'_>| {
            let adds = |device| wish::adds(work, channel, &device).unwrap();
            (adds(revoked), adds(well))
        };
        assert_eq!(wished(work), (false, false));
        add_own_devices(work, channel).unwrap();
        assert_eq!(wished(work), (false, true));
        let other = ChannelId::from_bytes([3; 32]);
        // This device is not among the members that are given either.
        assert_eq!(add_absent(work, &other, &[]), Ok(2));
        assert!(!wish::adds(work, &other, &revoked).unwrap());
    });
}
