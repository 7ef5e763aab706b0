//! A message that stands in front of the others until it is taken down (spec: CNT-043).

use super::{ControlEntry, ControlKind, MessageId};

/// Whether a message is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinning {
    /// It is not, or not any more.
    Unpinned,
    /// It is.
    Pinned,
}

/// The payload of a control entry of kind 2: `message-id ‖ uint8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which message, by its first version.
    pub message: MessageId,
    /// What it is from here on.
    pub pinning: Pinning,
}

impl Pin {
    /// The entry.
    pub fn to_entry(self) -> ControlEntry {
        let pinning = match self.pinning {
            Pinning::Unpinned => 0,
            Pinning::Pinned => 1,
        };
        let payload = [&self.message.as_bytes()[..], &[pinning]].concat();
        ControlEntry { kind: ControlKind::Pin, payload }
    }

    /// Reads a payload; one that is not of the form says nothing (spec: CNT-043).
    pub fn of_payload(payload: &[u8]) -> Option<Self> {
        let (pinning, message) = payload.split_last()?;
        let pinning = match pinning {
            0 => Pinning::Unpinned,
            1 => Pinning::Pinned,
            _ => return None,
        };
        Some(Self { message: MessageId::from_slice(message).ok()?, pinning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_one_form() {
        // spec: CNT-043
        let message = MessageId::from_slice(&[1; 32]).unwrap();
        for pinning in [Pinning::Unpinned, Pinning::Pinned] {
            let pin = Pin { message, pinning };
            let entry = pin.to_entry();
            assert_eq!((entry.kind, entry.payload.len()), (ControlKind::Pin, 33));
            assert_eq!(Pin::of_payload(&entry.payload), Some(pin));
            let longer = [&entry.payload[..], &[1]].concat();
            for payload in [&entry.payload[1..], &entry.payload[..32], &longer, &[]] {
                assert_eq!(Pin::of_payload(payload), None, "{payload:?}");
            }
        }
        assert_eq!(Pin::of_payload(&[&[1; 32][..], &[2]].concat()), None);
        assert_eq!(Pin::of_payload(&[&[2; 32][..], &[1]].concat()), None, "no message id");
    }
}
