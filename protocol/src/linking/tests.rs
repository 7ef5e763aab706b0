//! The exchange as a whole, and what goes wrong when somebody is in between.

use hushwire_wire::id::{CapabilitySecret, ChannelId, InboxId, RelayId, SlotId, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::*;
use crate::address::{Host, RelayAddress};
use crate::card::ShelfKey;
use crate::identity::{
    DeviceCredential, DeviceEntry, DeviceId, DeviceKey, DeviceKind, DeviceListVersion,
    DeviceSerial, ManagerCounter, ManagerKey, RootKey,
    device_list::{DeviceListError, DeviceListTerms},
};
use crate::linking::grant::InboxOwnerKey;
use crate::own_devices::InboxGeneration;
use crate::profile::ProfileName;
use crate::seal::InboxKey;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn relay() -> RelayAddress {
    let relay = RelayId::from_bytes([1; 32]);
    RelayAddress::new(Host::parse("relay.example.org").unwrap(), 443, relay).unwrap()
}

fn terms(device: u8) -> RequestTerms {
    RequestTerms {
        device: DeviceId::from_bytes([device; 16]),
        slot: SlotId::from_bytes([device; 16]),
        device_key: DeviceKey::from_bytes(&[device; 32]).public(),
        name: ProfileName::new("laptop").unwrap(),
    }
}

fn grant(device: u8, manager: u8) -> LinkGrant {
    let stated = ManagerKey::from_bytes(&[2; 32]);
    let root = RootKey::from_bytes(&[3; 32]);
    let statement = root.state_manager(stated.public(), ManagerCounter(0));
    let terms = terms(device);
    let serial = DeviceSerial(1);
    let certificate = stated.certify(&statement, terms.device, terms.device_key, serial);
    let entry = DeviceEntry {
        device: terms.device,
        slot: terms.slot,
        certificate: certificate.hash(),
        kind: DeviceKind::Manager,
    };
    let listed = DeviceListTerms {
        version: DeviceListVersion(1),
        issued_at: Timestamp(1),
        expires_at: Timestamp(2),
        devices: vec![entry],
    };
    let device_list = stated.list_devices(&statement, listed).unwrap();
    LinkGrant {
        credential: DeviceCredential::new(statement, certificate).unwrap(),
        relay: relay(),
        inbox: InboxId::from_bytes([4; 16]),
        device_list: device_list.rank(),
        name: ProfileName::new("Ana").unwrap(),
        secrets: GrantedSecrets {
            inbox_owner: InboxOwnerKey::from_bytes(&[5; 32]),
            inbox_key: InboxKey::from_bytes([6; 32]),
            shelf_key: ShelfKey::from_bytes([7; 32]),
            manager: Some(ManagerKey::from_bytes(&[manager; 32])),
        },
        own_group: OwnGroup {
            capability: CapabilitySecret::from_bytes([8; 32]),
            channel: ChannelId::from_bytes([9; 32]),
            generation: InboxGeneration(5),
            device_list,
        },
    }
}

fn offer_and_code() -> (LinkingOffer, LinkingCode) {
    let offer = LinkingOffer::new(relay(), &mut rng(10));
    let code = LinkingCode::parse(&offer.code().to_text().unwrap()).unwrap();
    (offer, code)
}

/// Both sides up to the digits.
fn confirming() -> (OldConfirming, NewConfirming) {
    let (offer, code) = offer_and_code();
    let (join, request) = LinkingJoin::new(code, terms(9), &mut rng(11)).unwrap();
    let (old, reveal) = offer.handle_request(&request, &mut rng(12)).unwrap();
    (old, join.handle_reveal(&reveal).unwrap())
}

#[test]
fn a_device_is_linked() {
    // spec: LNK-052, LNK-054, LNK-055, LNK-056, LNK-057
    let (old, new) = confirming();
    assert_eq!(old.comparison(), new.comparison());
    assert_eq!(old.comparison().to_string().len(), 7);
    assert_eq!(old.request().terms(), &terms(9));
    let sealed = old.confirm_and_grant(&grant(9, 2), &mut rng(13)).unwrap();
    let granted = new.confirm().handle_grant(&sealed).unwrap();
    assert_eq!(granted.credential, grant(9, 2).credential);
    assert_eq!(granted.secrets.inbox_key, InboxKey::from_bytes([6; 32]));
    assert_eq!(
        granted.secrets.manager.unwrap().public(),
        ManagerKey::from_bytes(&[2; 32]).public()
    );
    let own_group = granted.own_group;
    assert_eq!(own_group.capability.expose(), &[8; 32]);
    assert_eq!(own_group.channel, ChannelId::from_bytes([9; 32]));
    assert_eq!(own_group.generation, InboxGeneration(5));
    assert_eq!(own_group.device_list.rank(), granted.device_list);
}

#[test]
fn somebody_in_between_shows_in_the_digits() {
    // spec: LNK-055: an attacker who has the code puts a request of its own in the place of the
    // new device's, and passes the reveal on
    let (offer, code) = offer_and_code();
    let (join, _) = LinkingJoin::new(code, terms(9), &mut rng(11)).unwrap();
    let stolen = LinkingCode::parse(&offer.code().to_text().unwrap()).unwrap();
    let (_, forged) = LinkingJoin::new(stolen, terms(9), &mut rng(66)).unwrap();
    let (old, reveal) = offer.handle_request(&forged, &mut rng(12)).unwrap();
    let new = join.handle_reveal(&reveal).unwrap();
    assert_ne!(old.comparison(), new.comparison());
    // and the grant does not open for the new device
    let sealed = old.confirm_and_grant(&grant(9, 2), &mut rng(13)).unwrap();
    let error = new.confirm().handle_grant(&sealed).unwrap_err();
    assert_eq!(error, LinkingError::Seal(SealError::Unopened));
}

#[test]
fn another_nonce_than_committed_is_refused() {
    // spec: LNK-052
    let (_, code) = offer_and_code();
    let reveal = code.toward_new();
    let message = code::reveal_bytes(&[9; 32]);
    let sealed = reveal.seal(code::Step::Reveal, &message, &mut rng(1)).unwrap();
    let (join, _) = LinkingJoin::new(code, terms(9), &mut rng(11)).unwrap();
    assert_eq!(join.handle_reveal(&sealed).unwrap_err(), LinkingError::Commitment);
}

#[test]
fn a_grant_for_another_device_is_neither_given_nor_taken() {
    // spec: LNK-057
    let (old, _) = confirming();
    let error = old.confirm_and_grant(&grant(8, 2), &mut rng(13)).unwrap_err();
    assert_eq!(error, LinkingError::Grant(GrantError::OtherDevice));
    let (old, _) = confirming();
    let error = old.confirm_and_grant(&grant(9, 3), &mut rng(13)).unwrap_err();
    assert_eq!(error, LinkingError::Grant(GrantError::OtherManager));
}

#[test]
fn a_grant_whose_list_is_another_is_neither_given_nor_taken() {
    // spec: IDN-053
    let give = |change: fn(&mut LinkGrant)| {
        let mut changed = grant(9, 2);
        change(&mut changed);
        confirming().0.confirm_and_grant(&changed, &mut rng(13)).unwrap_err()
    };
    let higher: fn(&mut LinkGrant) = |grant| grant.device_list.version = DeviceListVersion(2);
    assert_eq!(give(higher), LinkingError::Grant(GrantError::OtherRank));
    let not_listed = LinkingError::Grant(GrantError::DeviceList(DeviceListError::NotListed));
    let of_another: fn(&mut LinkGrant) =
        |changed| changed.own_group.device_list = grant(8, 2).own_group.device_list;
    assert_eq!(give(of_another), not_listed);
}

#[test]
fn damaged_messages_are_refused() {
    // spec: LNK-053
    let (offer, code) = offer_and_code();
    let (_, request) = LinkingJoin::new(code, terms(9), &mut rng(11)).unwrap();
    let mut changed = request;
    *changed.last_mut().unwrap() ^= 1;
    let error = offer.handle_request(&changed, &mut rng(12)).unwrap_err();
    assert_eq!(error, LinkingError::Seal(SealError::Unopened));
    let bytes = confirming().0.request().to_bytes();
    for length in 0..bytes.len() {
        assert!(LinkRequest::decode(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(LinkRequest::decode(&longer).unwrap_err(), DecodeError::TrailingBytes);
}

#[test]
fn a_grants_bytes_are_strict() {
    // spec: LNK-057, IDN-001
    let bytes = grant::grant_plaintext(&grant(9, 2)).unwrap();
    assert!(LinkGrant::decode(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(LinkGrant::decode(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = LinkGrant::decode(&longer).unwrap_err();
    assert_eq!(error, LinkingError::Malformed(DecodeError::TrailingBytes));
}

#[test]
fn debug_prints_no_secret() {
    // spec: IDN-005
    let (old, new) = confirming();
    assert_eq!(format!("{old:?} {new:?}"), "OldConfirming(..) NewConfirming(..)");
    assert_eq!(format!("{:?}", old.comparison()), "ComparisonCode(..)");
    assert_eq!(format!("{:?}", old.request()), "LinkRequest(..)");
    assert_eq!(format!("{:?}", offer_and_code().0), "LinkingOffer(..)");
    let secrets = format!("{:?}", grant(9, 2).secrets);
    assert_eq!(
        secrets,
        "GrantedSecrets { inbox_owner: InboxOwnerKey(..), inbox_key: InboxKey(..), \
         shelf_key: ShelfKey(..), manager: Some(ManagerKey(..)) }"
    );
}

#[test]
fn a_linking_outlives_a_restart_at_each_step() {
    // spec: IDN-001
    let (offer, code) = offer_and_code();
    let offer = LinkingOffer::from_secret_bytes(&offer.to_secret_bytes()).unwrap();
    let (join, request) = LinkingJoin::new(code, terms(9), &mut rng(11)).unwrap();
    let saved = join.to_secret_bytes();
    assert!(NewConfirming::from_secret_bytes(&saved).is_err());
    let join = LinkingJoin::from_secret_bytes(&saved).unwrap();
    let (old, reveal) = offer.handle_request(&request, &mut rng(12)).unwrap();
    let old = OldConfirming::from_secret_bytes(&old.to_secret_bytes()).unwrap();
    let new = join.handle_reveal(&reveal).unwrap();
    let new = NewConfirming::from_secret_bytes(&new.to_secret_bytes()).unwrap();
    assert_eq!(old.comparison(), new.comparison());
    let sealed = old.confirm_and_grant(&grant(9, 2), &mut rng(13)).unwrap();
    let new = new.confirm();
    assert_eq!(new.request().terms(), &terms(9));
    assert!(new.handle_grant(&sealed).is_ok());
    for length in 0..saved.len() {
        assert!(LinkingJoin::from_secret_bytes(&saved[..length]).is_err(), "{length}");
    }
}
