//! Answers on their way out: most are ready; those that acknowledge stored things, and the ends of
//! epochs, need the relay's signature first (spec: CHN-012, CHN-015, INB-006).

use hushwire_wire::{
    SigningKey,
    error::{Code, Refusal},
    id::{ChannelId, EpochId, InboxId, ItemId, PublicKey, RelayId, Sequence, Signature},
    message::{Answer, Appended, EpochEnd, Follow, Repeated},
    transcript::{self, Transcript},
};

/// Stands in a field that [`Reply::sign`] fills; never sent.
pub(crate) const UNSIGNED: Signature = Signature::from_bytes([0; Signature::LENGTH]);

/// An answer that may still lack the relay's signature. Made only from what is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(Unsigned);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Unsigned {
    Ready(Answer),
    Appended { channel: ChannelId, epoch: EpochId, appended: Appended },
    EpochEnd { channel: ChannelId, end: EpochEnd },
    InboxSent { inbox: InboxId, item: ItemId, repeated: Repeated },
}

impl Reply {
    pub(crate) const fn ready(answer: Answer) -> Self {
        Self(Unsigned::Ready(answer))
    }

    pub(crate) const fn appended(channel: ChannelId, epoch: EpochId, appended: Appended) -> Self {
        Self(Unsigned::Appended { channel, epoch, appended })
    }

    pub(crate) const fn epoch_end(channel: ChannelId, end: EpochEnd) -> Self {
        Self(Unsigned::EpochEnd { channel, end })
    }

    pub(crate) const fn inbox_sent(inbox: InboxId, item: ItemId, repeated: Repeated) -> Self {
        Self(Unsigned::InboxSent { inbox, item, repeated })
    }

    /// A refusal, for what a driver refuses itself.
    pub const fn refused(refusal: Refusal) -> Self {
        Self(Unsigned::Ready(Answer::Refused(refusal)))
    }

    /// The last frame of a reading that was stopped.
    pub const fn read_over() -> Self {
        Self(Unsigned::Ready(Answer::ReadEnd(Follow::UntilEnd)))
    }

    /// The code of a refusal; for counting.
    pub const fn code(&self) -> Option<Code> {
        match &self.0 {
            Unsigned::Ready(Answer::Refused(refusal)) => Some(refusal.code),
            _ => None,
        }
    }
}

/// The relay's key, with the receipts it signed last: all readers of an epoch get the same one.
pub struct Signer {
    key: SigningKey,
    relay: RelayId,
    recent: Vec<Option<([u8; 32], Signature)>>,
}

/// Receipts that a signer remembers.
const RECENT_MAX: usize = 1_024;

impl Signer {
    /// Signs as the relay that holds `key`.
    pub fn new(key: SigningKey) -> Self {
        let relay = transcript::relay_id(&transcript::public_key(&key));
        Self { key, relay, recent: vec![None; RECENT_MAX] }
    }

    /// The relay's public key.
    pub fn public_key(&self) -> PublicKey {
        transcript::public_key(&self.key)
    }

    /// The answer, signed if it has to be.
    pub fn sign(&mut self, reply: Reply) -> Answer {
        match reply.0 {
            Unsigned::Ready(answer) => answer,
            Unsigned::Appended { channel, epoch, appended } => {
                let receipt = transcript::entry_receipt(
                    &self.relay,
                    &channel,
                    &epoch,
                    appended.sequence,
                    &appended.head,
                );
                Answer::Appended(Appended { signature: self.signature(&receipt), ..appended })
            }
            Unsigned::EpochEnd { channel, end } => {
                // The receipt of the last entry; there is none in an empty epoch.
                let signature = end.next.0.checked_sub(1).map(|last| {
                    let last = Sequence(last);
                    self.signature(&transcript::entry_receipt(
                        &self.relay,
                        &channel,
                        &end.epoch,
                        last,
                        &end.head,
                    ))
                });
                Answer::EpochEnd(EpochEnd { signature, ..end })
            }
            Unsigned::InboxSent { inbox, item, repeated } => {
                let receipt = transcript::item_receipt(&self.relay, &inbox, &item);
                Answer::InboxSent { item, signature: self.signature(&receipt), repeated }
            }
        }
    }

    /// Ed25519 signatures are deterministic, so a remembered one is the same.
    fn signature(&mut self, receipt: &Transcript) -> Signature {
        let name = receipt.hash();
        let place = usize::from(u16::from_be_bytes([name[0], name[1]])) % RECENT_MAX;
        let Some(slot) = self.recent.get_mut(place) else { return receipt.sign(&self.key) };
        match slot {
            Some((signed, signature)) if *signed == name => *signature,
            _ => {
                let signature = receipt.sign(&self.key);
                *slot = Some((name, signature));
                signature
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature_of(signer: &mut Signer, inbox: InboxId, number: u32) -> Signature {
        let item = item(number);
        match signer.sign(Reply::inbox_sent(inbox, item, Repeated::First)) {
            Answer::InboxSent { signature, .. } => signature,
            other => panic!("not sent: {other:?}"),
        }
    }

    fn item(number: u32) -> ItemId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        ItemId::from_bytes(bytes)
    }

    #[test]
    fn a_receipt_is_signed_once_for_many_readers() {
        let inbox = InboxId::from_bytes([1; 16]);
        let mut signer = Signer::new(SigningKey::from_bytes(&[9; 32]));
        signature_of(&mut signer, inbox, 1);
        let mark = Signature::from_bytes([7; 64]);
        for (_, signature) in signer.recent.iter_mut().flatten() {
            *signature = mark;
        }
        assert_eq!(signature_of(&mut signer, inbox, 1), mark, "remembered, not signed again");
        assert_ne!(signature_of(&mut signer, inbox, 2), mark);
        // Receipts spread over all places, so that most of the last ones are remembered.
        for number in 0..1_024 {
            signature_of(&mut signer, inbox, number);
        }
        assert!(signer.recent.iter().flatten().count() > RECENT_MAX / 2);
    }

    #[test]
    fn remembered_receipts_are_the_same_as_new_ones() {
        // spec: CHN-012, CHN-015, INB-006
        let (inbox, mut signer) =
            (InboxId::from_bytes([1; 16]), Signer::new(SigningKey::from_bytes(&[9; 32])));
        let relay = transcript::relay_id(&signer.public_key());
        // More receipts than are remembered, some of them twice.
        for number in (0..2_000_u32).chain(0..50) {
            let receipt = transcript::item_receipt(&relay, &inbox, &item(number));
            assert_eq!(
                signature_of(&mut signer, inbox, number),
                receipt.sign(&SigningKey::from_bytes(&[9; 32]))
            );
        }
    }
}
