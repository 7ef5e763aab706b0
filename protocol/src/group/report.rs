//! A member's signed word that a candidate is not valid for it (spec: GRP-060).

use hushwire_wire::id::{ChannelId, EntryId, EpochId, Signature};

use super::error::Rejection;
use super::members::{LeafIndex, Member, Roster};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::identity::DeviceKey;
use crate::label::Label;

const VERSION: u16 = 1;

/// Which candidate is not valid, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The candidate.
    pub candidate: EntryId,
    /// The code, of this version or a later one; its hundreds are the phase.
    pub code: u16,
}

impl Report {
    /// A report of what [`super::Group::open_entry`] returned.
    pub const fn new(candidate: EntryId, rejection: Rejection) -> Self {
        Self { candidate, code: rejection.code() }
    }

    fn signed(&self, channel: &ChannelId, epoch: &EpochId, leaf: LeafIndex) -> Writer {
        Writer::default()
            .short(VERSION)
            .fixed(channel)
            .fixed(epoch)
            .fixed(self.candidate)
            .short(self.code)
            .fixed(leaf.0.to_be_bytes())
    }

    pub(crate) fn sign(
        &self,
        channel: &ChannelId,
        epoch: &EpochId,
        leaf: LeafIndex,
        device: &DeviceKey,
    ) -> Vec<u8> {
        let signed = self.signed(channel, epoch, leaf);
        let signature = device.sign(Label::CommitReport, signed.as_bytes());
        Writer::default()
            .short(VERSION)
            .fixed(self.candidate)
            .short(self.code)
            .fixed(leaf.0.to_be_bytes())
            .fixed(signature)
            .into_bytes()
    }
}

/// A report whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReport {
    /// What it says.
    pub report: Report,
    /// Who says it.
    pub reporter: Member,
}

/// A report as it came, in the place it came from.
#[derive(Debug)]
pub struct UnverifiedReport {
    report: Report,
    leaf: LeafIndex,
    signature: Signature,
}

impl UnverifiedReport {
    /// Reads the one encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let candidate = EntryId::from_bytes(reader.array()?);
        let code = reader.short()?;
        let leaf = LeafIndex(u32::from_be_bytes(reader.array()?));
        let signature = Signature::from_bytes(reader.array()?);
        reader.finish()?;
        Ok(Self { report: Report { candidate, code }, leaf, signature })
    }

    /// Verifies that the leaf that it names signed it at this place.
    ///
    /// # Errors
    /// [`Rejection::BadReport`].
    pub fn verify(
        self,
        channel: &ChannelId,
        epoch: &EpochId,
        roster: &Roster,
    ) -> Result<VerifiedReport, Rejection> {
        let reporter = roster.at(self.leaf).ok_or(Rejection::BadReport)?;
        let signed = self.report.signed(channel, epoch, self.leaf);
        let key = reporter.credential.signature_key();
        Label::CommitReport
            .verify(&key, signed.as_bytes(), &self.signature)
            .map_err(|_| Rejection::BadReport)?;
        Ok(VerifiedReport { report: self.report, reporter: reporter.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{GroupKind, GroupState};
    use crate::identity::{
        DeviceCredential, DeviceId, DeviceSerial, ManagerCounter, ManagerKey, RootKey,
    };

    const CHANNEL: ChannelId = ChannelId::from_bytes([1; 32]);
    const EPOCH: EpochId = EpochId::from_bytes([2; 32]);

    fn device(seed: u8) -> DeviceKey {
        DeviceKey::from_bytes(&[seed; 32])
    }

    /// Two people, at the leaves 0 and 1, with the device keys 0 and 1.
    fn roster() -> Roster {
        let credential = |seed: u8| {
            let manager = ManagerKey::from_bytes(&[9; 32]);
            let statement =
                RootKey::from_bytes(&[seed; 32]).state_manager(manager.public(), ManagerCounter(1));
            let id = DeviceId::from_bytes([seed; 16]);
            let key = device(seed).public();
            let certificate = manager.certify(&statement, id, key, DeviceSerial(1));
            DeviceCredential::new(statement, certificate).unwrap()
        };
        let state = GroupState::new(GroupKind::Group, credential(0).identity());
        Roster::new([0, 1].map(|seed| (LeafIndex(seed.into()), credential(seed))), state)
    }

    #[test]
    fn a_report_is_its_leafs_at_its_place_only() {
        // spec: GRP-060
        let report = Report::new(EntryId::from_bytes([3; 32]), Rejection::NoRight);
        let verify = |bytes: &[u8], channel: &ChannelId, epoch: &EpochId| {
            UnverifiedReport::parse(bytes).unwrap().verify(channel, epoch, &roster())
        };
        let good = report.sign(&CHANNEL, &EPOCH, LeafIndex(1), &device(1));
        let verified = verify(&good, &CHANNEL, &EPOCH).unwrap();
        assert_eq!((verified.report, verified.reporter.leaf), (report, LeafIndex(1)));
        let bad = Err(Rejection::BadReport);
        assert_eq!(verify(&good, &ChannelId::from_bytes([7; 32]), &EPOCH), bad);
        assert_eq!(verify(&good, &CHANNEL, &EpochId::from_bytes([7; 32])), bad);
        for (leaf, seed) in [(1, 0), (5, 1)] {
            let other = report.sign(&CHANNEL, &EPOCH, LeafIndex(leaf), &device(seed));
            assert_eq!(verify(&other, &CHANNEL, &EPOCH), bad, "{leaf} {seed}");
        }
        for index in 2..good.len() {
            let mut changed = good.clone();
            changed[index] ^= 1;
            assert_eq!(verify(&changed, &CHANNEL, &EPOCH), bad, "{index}");
        }
        for length in 0..good.len() {
            let error = UnverifiedReport::parse(&good[..length]).unwrap_err();
            assert_eq!(error, DecodeError::Truncated);
        }
    }
}
