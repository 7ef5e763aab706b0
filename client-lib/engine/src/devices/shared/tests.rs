use hushwire_protocol::identity::DeviceListVersion;

use super::*;
use crate::{
    profile,
    work::trial::{NOW, with_profile},
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
            take_list_of_other(work, &list.unwrap().bytes).unwrap();
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
            let payload = &list.bytes;
            assert_eq!(
                take_state(work, ControlKind::DevicesListed, payload),
                Ok(told),
                "{version:?}"
            );
            assert_eq!(device_list(work).unwrap().devices().len(), known);
        }
    });
}
