//! The manager's list of an identity's devices: short-lived, versioned, served sealed by the inbox.

use ed25519_dalek::SigningKey;
use hushwire_wire::id::{Signature, SlotId, Timestamp};
use hushwire_wire::transcript::BadSignature;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::VERSION;
use crate::identity::device::{CertificateHash, DeviceCertificate, DeviceId};
use crate::identity::fingerprint::Fingerprint;
use crate::identity::manager::{ManagerCounter, ManagerStatement};
use crate::label::Label;

/// The most devices of one identity; the bound of an inbox's slots (spec: IDN-031).
pub const DEVICES_MAX: usize = 64;

/// How far an adder's clock may run behind the signer's, in milliseconds (spec: IDN-034).
pub const CLOCK_SKEW_MS: u64 = 10 * 60 * 1000;

/// Length of one entry, in bytes.
const ENTRY_BYTES: usize = 16 + 16 + 32 + 1;

/// Counts the lists that one manager key signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceListVersion(pub u64);

impl DeviceListVersion {
    /// Whether no identity can have signed so many lists: one for each millisecond since the epoch of
    /// time, and for so many more. What is left above it grows with time, so nobody can use up the
    /// versions (spec: IDN-082).
    pub const fn is_beyond(self, now: Timestamp, spare_ms: u64) -> bool {
        self.0 > now.plus_ms(spare_ms).0
    }
}

/// Where a list stands among all lists of an identity: a higher manager counter wins, then a higher
/// version (spec: IDN-033).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceListRank {
    /// Counter of the manager statement; compared first.
    pub manager_counter: ManagerCounter,
    /// Version of the list; compared second.
    pub version: DeviceListVersion,
}

impl DeviceListRank {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            manager_counter: ManagerCounter(reader.integer()?),
            version: DeviceListVersion(reader.integer()?),
        })
    }

    pub(crate) fn write(self, writer: Writer) -> Writer {
        writer.integer(self.manager_counter.0).integer(self.version.0)
    }
}

/// What a device may do for its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Speaks for the identity.
    Linked,
    /// Speaks for the identity, and holds the manager key.
    Manager,
}

impl DeviceKind {
    const fn code(self) -> u8 {
        match self {
            Self::Linked => 1,
            Self::Manager => 2,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Result<Self, DecodeError> {
        match code {
            1 => Ok(Self::Linked),
            2 => Ok(Self::Manager),
            _ => Err(DecodeError::UndefinedValue),
        }
    }
}

/// One device in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    /// The device.
    pub device: DeviceId,
    /// Its slot in the identity's inbox, where its key packages are.
    pub slot: SlotId,
    /// The certificate that its credential has to carry.
    pub certificate: CertificateHash,
    /// What it may do.
    pub kind: DeviceKind,
}

/// What a list says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceListTerms {
    /// Version: higher than that of any list this manager key signed before.
    pub version: DeviceListVersion,
    /// When it is signed, by the signer's clock.
    pub issued_at: Timestamp,
    /// Until when it may be used to add devices.
    pub expires_at: Timestamp,
    /// The devices, in ascending order of their ids.
    pub devices: Vec<DeviceEntry>,
}

/// Why a list is refused. Peer's fault, but for the two that name time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceListError {
    /// The bytes are no device list.
    #[error("not a device list: {0}")]
    Malformed(#[from] DecodeError),
    /// The root did not sign the manager statement inside.
    #[error("the root key did not sign the manager statement")]
    StatementSignature,
    /// The list is of another identity.
    #[error("the device list is of another identity")]
    OtherIdentity,
    /// The manager did not sign the list.
    #[error("the manager key did not sign the device list")]
    BadSignature,
    /// A newer list or statement is known.
    #[error("the device list is older than one that is known")]
    Superseded,
    /// The list's time is over, by the caller's clock.
    #[error("the device list has expired")]
    Expired,
    /// The list's time has not come, by the caller's clock.
    #[error("the device list is from the future")]
    NotYetValid,
    /// The device is not in the list, or with another certificate, or with one that is newer.
    #[error("the device is not in the device list")]
    NotListed,
}

/// A verified list of an identity's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceList {
    statement: ManagerStatement,
    terms: DeviceListTerms,
    signature: Signature,
}

impl DeviceList {
    pub(super) fn sign(
        manager: &SigningKey,
        statement: &ManagerStatement,
        terms: DeviceListTerms,
    ) -> Result<Self, DecodeError> {
        check_terms(&terms)?;
        let signature = Signature::from_bytes([0; 64]);
        let mut list = Self { statement: statement.clone(), terms, signature };
        list.signature = Label::DeviceList.sign(manager, list.signed().as_bytes());
        Ok(list)
    }

    /// Reads a list and verifies that it is of `identity`: the statement inside by its root key,
    /// the list by its manager key. Pure: asks no clock (spec: IDN-032).
    ///
    /// # Errors
    /// [`DeviceListError`], none that names time.
    pub fn decode(bytes: &[u8], identity: &Fingerprint) -> Result<Self, DeviceListError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let statement = ManagerStatement::read(&mut reader)?;
        let terms = DeviceListTerms {
            version: DeviceListVersion(reader.integer()?),
            issued_at: Timestamp(reader.integer()?),
            expires_at: Timestamp(reader.integer()?),
            devices: read_entries(reader.variable(DEVICES_MAX * ENTRY_BYTES)?)?,
        };
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        check_terms(&terms)?;
        let list = Self { statement, terms, signature };
        list.verify(identity)?;
        Ok(list)
    }

    fn verify(&self, identity: &Fingerprint) -> Result<(), DeviceListError> {
        if self.statement.identity() != *identity {
            return Err(DeviceListError::OtherIdentity);
        }
        self.statement.verify().map_err(|BadSignature| DeviceListError::StatementSignature)?;
        let key = self.statement.manager_key();
        Label::DeviceList
            .verify(&key, self.signed().as_bytes(), &self.signature)
            .map_err(|BadSignature| DeviceListError::BadSignature)
    }

    /// Whether the list may be used to add devices now: it is not behind `minimum`, and its time
    /// has come and is not over. For whoever adds; members who judge a commit never ask
    /// (spec: IDN-033, IDN-034, IDN-082).
    ///
    /// # Errors
    /// [`DeviceListError::Superseded`], [`DeviceListError::Expired`],
    /// [`DeviceListError::NotYetValid`].
    pub fn check_fresh(
        &self,
        minimum: DeviceListRank,
        now: Timestamp,
    ) -> Result<(), DeviceListError> {
        if self.rank() < minimum {
            return Err(DeviceListError::Superseded);
        }
        if now >= self.terms.expires_at {
            return Err(DeviceListError::Expired);
        }
        let beyond = self.terms.version.is_beyond(now, CLOCK_SKEW_MS);
        if beyond || now.plus_ms(CLOCK_SKEW_MS) < self.terms.issued_at {
            return Err(DeviceListError::NotYetValid);
        }
        Ok(())
    }

    /// The entry of a device, if its certificate is the listed one, signed under the list's own
    /// statement, and no newer than the list (spec: IDN-035, IDN-085).
    ///
    /// # Errors
    /// [`DeviceListError::NotListed`].
    pub fn entry(&self, certificate: &DeviceCertificate) -> Result<&DeviceEntry, DeviceListError> {
        self.terms
            .devices
            .iter()
            .find(|entry| entry.device == certificate.device())
            .filter(|entry| entry.certificate == certificate.hash())
            .filter(|_| certificate.manager_counter() == self.statement.counter())
            .filter(|_| certificate.serial().0 <= self.terms.version.0)
            .ok_or(DeviceListError::NotListed)
    }

    fn fields(&self) -> Writer {
        let entries = self.terms.devices.iter().fold(
            Writer::with_capacity(self.terms.devices.len() * ENTRY_BYTES),
            |writer, entry| {
                writer
                    .fixed(entry.device)
                    .fixed(entry.slot)
                    .fixed(entry.certificate)
                    .byte(entry.kind.code())
            },
        );
        Writer::with_capacity(512)
            .short(VERSION)
            .fixed(self.statement.to_bytes())
            .integer(self.terms.version.0)
            .integer(self.terms.issued_at.0)
            .integer(self.terms.expires_at.0)
            .variable(entries.as_bytes())
    }

    fn signed(&self) -> Writer {
        self.statement.scope().fixed(self.fields().as_bytes())
    }

    /// The one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.fields().fixed(self.signature).into_bytes()
    }

    /// The identity.
    pub fn identity(&self) -> Fingerprint {
        self.statement.identity()
    }

    /// The manager statement that the list stands on.
    pub const fn statement(&self) -> &ManagerStatement {
        &self.statement
    }

    /// Its place among the identity's lists.
    pub const fn rank(&self) -> DeviceListRank {
        DeviceListRank { manager_counter: self.statement.counter(), version: self.terms.version }
    }

    /// When it was signed, by the signer's clock.
    pub const fn issued_at(&self) -> Timestamp {
        self.terms.issued_at
    }

    /// Until when it may be used to add devices.
    pub const fn expires_at(&self) -> Timestamp {
        self.terms.expires_at
    }

    /// The devices, in ascending order of their ids.
    pub fn devices(&self) -> &[DeviceEntry] {
        &self.terms.devices
    }
}

fn read_entries(bytes: &[u8]) -> Result<Vec<DeviceEntry>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut devices = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
    while !reader.is_empty() {
        devices.push(DeviceEntry {
            device: DeviceId::from_bytes(reader.array()?),
            slot: SlotId::from_bytes(reader.array()?),
            certificate: CertificateHash::from_bytes(reader.array()?),
            kind: DeviceKind::from_code(reader.byte()?)?,
        });
    }
    Ok(devices)
}

/// Bounds and order, which give a list its one encoding (spec: IDN-031).
fn check_terms(terms: &DeviceListTerms) -> Result<(), DecodeError> {
    if terms.devices.len() > DEVICES_MAX {
        return Err(DecodeError::TooLong);
    }
    let ascending = terms.devices.is_sorted_by(|one, next| one.device < next.device);
    if ascending { Ok(()) } else { Err(DecodeError::NotInOrder) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::device::DeviceSerial;
    use crate::identity::manager::ManagerKey;
    use crate::identity::root::RootKey;

    /// What all certificates here have.
    const SERIAL: u64 = 4;

    struct Signer {
        manager: ManagerKey,
        statement: ManagerStatement,
    }

    fn signer(root: u8, manager: u8, counter: u64) -> Signer {
        let manager = ManagerKey::from_bytes(&[manager; 32]);
        let root = RootKey::from_bytes(&[root; 32]);
        let statement = root.state_manager(manager.public(), ManagerCounter(counter));
        Signer { manager, statement }
    }

    impl Signer {
        fn certificate(&self, device: u8) -> DeviceCertificate {
            let key = ManagerKey::from_bytes(&[device; 32]).public();
            let device = DeviceId::from_bytes([device; 16]);
            self.manager.certify(&self.statement, device, key, DeviceSerial(SERIAL))
        }

        fn terms(&self, version: u64, devices: &[u8]) -> DeviceListTerms {
            let entry = |device: &u8| DeviceEntry {
                device: DeviceId::from_bytes([*device; 16]),
                slot: SlotId::from_bytes([9; 16]),
                certificate: self.certificate(*device).hash(),
                kind: DeviceKind::Linked,
            };
            DeviceListTerms {
                version: DeviceListVersion(version),
                issued_at: Timestamp(1_000_000),
                expires_at: Timestamp(2_000_000),
                devices: devices.iter().map(entry).collect(),
            }
        }

        fn list(&self, version: u64, devices: &[u8]) -> DeviceList {
            self.manager.list_devices(&self.statement, self.terms(version, devices)).unwrap()
        }
    }

    #[test]
    fn a_list_comes_back() {
        // spec: IDN-030, IDN-032, IDN-035
        let (signer, stranger) = (signer(1, 2, 3), signer(1, 8, 3));
        let list = signer.list(4, &[5, 6]);
        let decoded = DeviceList::decode(&list.to_bytes(), &list.identity()).unwrap();
        assert_eq!(decoded, list);
        assert_eq!(decoded.entry(&signer.certificate(6)).unwrap().device.as_bytes(), &[6; 16]);
        let error = Err(DeviceListError::NotListed);
        assert_eq!(decoded.entry(&signer.certificate(7)), error);
        let other = stranger.certificate(6);
        assert_eq!(decoded.entry(&other), error);
    }

    #[test]
    fn a_list_names_no_certificate_that_is_newer() {
        // spec: IDN-085
        let signer = signer(1, 2, 3);
        for (version, named) in [(SERIAL - 1, false), (SERIAL, true), (SERIAL + 1, true)] {
            let list = signer.list(version, &[5]);
            assert_eq!(list.entry(&signer.certificate(5)).is_ok(), named, "{version}");
        }
    }

    #[test]
    fn every_changed_byte_is_refused() {
        // spec: IDN-001, IDN-032
        let list = signer(1, 2, 3).list(4, &[5, 6]);
        let (bytes, identity) = (list.to_bytes(), list.identity());
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(DeviceList::decode(&changed, &identity).is_err(), "{index}");
            let error = DeviceList::decode(&bytes[..index], &identity).unwrap_err();
            assert_eq!(error, DecodeError::Truncated.into(), "{index}");
        }
        let error = DeviceList::decode(&[&bytes[..], &[0]].concat(), &identity).unwrap_err();
        assert_eq!(error, DecodeError::TrailingBytes.into());
        let other = Fingerprint::from_bytes([0; 32]);
        assert_eq!(DeviceList::decode(&bytes, &other), Err(DeviceListError::OtherIdentity));
    }

    #[test]
    fn another_manager_cannot_sign() {
        // spec: IDN-032
        let ours = signer(1, 2, 3);
        let stranger = ManagerKey::from_bytes(&[8; 32]);
        let list = stranger.list_devices(&ours.statement, ours.terms(1, &[5])).unwrap();
        let error = DeviceList::decode(&list.to_bytes(), &list.identity());
        assert_eq!(error, Err(DeviceListError::BadSignature));
    }

    #[test]
    fn devices_are_few_and_in_order() {
        // spec: IDN-031
        let signer = signer(1, 2, 3);
        for devices in [&[6, 5][..], &[5, 5]] {
            let terms = signer.terms(1, devices);
            let error = signer.manager.list_devices(&signer.statement, terms);
            assert_eq!(error, Err(DecodeError::NotInOrder));
        }
        let many: Vec<u8> = (0..65).collect();
        let error = signer.manager.list_devices(&signer.statement, signer.terms(1, &many));
        assert_eq!(error, Err(DecodeError::TooLong));
    }

    #[test]
    fn an_old_list_cannot_be_passed_off() {
        // spec: IDN-021, IDN-033
        let now = Timestamp(1_500_000);
        let (old, new) = (signer(1, 2, 3), signer(1, 8, 4));
        let order = [old.list(1, &[5]), old.list(9, &[5]), new.list(0, &[5]), new.list(1, &[5])];
        for (place, list) in order.iter().enumerate() {
            for (other, minimum) in order.iter().enumerate() {
                let verdict = list.check_fresh(minimum.rank(), now);
                let expected =
                    if place < other { Err(DeviceListError::Superseded) } else { Ok(()) };
                assert_eq!(verdict, expected, "{place} {other}");
            }
        }
    }

    #[test]
    fn nobody_signs_more_lists_than_there_were_milliseconds() {
        // spec: IDN-082
        let signer = signer(1, 2, 3);
        let now = Timestamp(1_500_000);
        let most = now.0 + CLOCK_SKEW_MS;
        for (version, verdict) in [
            (most, Ok(())),
            (most + 1, Err(DeviceListError::NotYetValid)),
            (u64::MAX, Err(DeviceListError::NotYetValid)),
        ] {
            let list = signer.list(version, &[5]);
            assert_eq!(list.check_fresh(DeviceListRank::default(), now), verdict, "{version}");
        }
        let next = signer.list(most + 1, &[5]);
        let a_moment_later = Timestamp(now.0 + 1);
        assert_eq!(next.check_fresh(DeviceListRank::default(), a_moment_later), Ok(()));
    }

    #[test]
    fn time_counts_for_the_adder() {
        // spec: IDN-034
        let list = signer(1, 2, 3).list(1, &[5]);
        for (now, verdict) in [
            (0, Err(DeviceListError::NotYetValid)),
            (1_000_000 - CLOCK_SKEW_MS - 1, Err(DeviceListError::NotYetValid)),
            (1_000_000 - CLOCK_SKEW_MS, Ok(())),
            (1_999_999, Ok(())),
            (2_000_000, Err(DeviceListError::Expired)),
        ] {
            let fresh = list.check_fresh(DeviceListRank::default(), Timestamp(now));
            assert_eq!(fresh, verdict, "{now}");
        }
    }
}
