//! What a sender signs beside the content: MLS' authenticated data (spec: GRP-051).

use hushwire_wire::id::{ChainHead, ChannelId, EntryId, EpochId, Sequence};
use hushwire_wire::transcript::{Cut, first_head};

use super::error::Rejection;
use crate::encoding::{DecodeError, Reader, Writer};

const VERSION: u16 = 1;
const MESSAGE: u8 = 1;
const COMMIT: u8 = 2;
const LEAVE: u8 = 3;
const CONTESTED_BYTES_MAX: usize = 4_096;

/// The place in the log that a sender had read to when it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// The place after the last entry of the epoch that the sender had read; `Sequence::FIRST`
    /// when it had read none.
    pub read_to: Sequence,
    /// The head of the epoch's chain there.
    pub head: ChainHead,
}

impl LogPlace {
    /// The place of who has read no entry of an epoch yet.
    pub fn start(channel: &ChannelId, epoch: &EpochId) -> Self {
        Self { read_to: Sequence::FIRST, head: first_head(channel, epoch) }
    }
}

/// What the sender of an entry signed about its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Of a message.
    Message(LogPlace),
    /// Of a commit.
    Commit {
        /// How far its author had read.
        read: LogPlace,
        /// As in the entry.
        cut: Cut,
        /// As in the entry: every earlier candidate, in relay order.
        contested: Vec<EntryId>,
    },
    /// Of the wish to leave.
    Leave,
}

impl Binding {
    /// The one encoding.
    pub fn to_bytes(&self, channel: &ChannelId, epoch: &EpochId) -> Vec<u8> {
        let place = |kind| Writer::default().short(VERSION).byte(kind).fixed(channel).fixed(epoch);
        match self {
            Self::Message(LogPlace { read_to, head }) => {
                place(MESSAGE).integer(read_to.0).fixed(head)
            }
            Self::Commit { read, cut, contested } => {
                let list: Vec<u8> = contested.iter().flat_map(|id| *id.as_bytes()).collect();
                place(COMMIT)
                    .integer(read.read_to.0)
                    .fixed(read.head)
                    .byte(cut.code())
                    .variable(&list)
            }
            Self::Leave => place(LEAVE),
        }
        .into_bytes()
    }

    /// Reads a binding of this channel and epoch.
    ///
    /// # Errors
    /// [`Rejection::MalformedBinding`]; [`Rejection::WrongBinding`] for another channel or epoch.
    pub fn read(bytes: &[u8], channel: &ChannelId, epoch: &EpochId) -> Result<Self, Rejection> {
        let (binding, place) = Self::parse(bytes).map_err(|_| Rejection::MalformedBinding)?;
        if place == (*channel, *epoch) { Ok(binding) } else { Err(Rejection::WrongBinding) }
    }

    fn parse(bytes: &[u8]) -> Result<(Self, (ChannelId, EpochId)), DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.version(VERSION)?;
        let kind = reader.byte()?;
        let channel = ChannelId::from_bytes(reader.array()?);
        let epoch = EpochId::from_bytes(reader.array()?);
        let binding = match kind {
            MESSAGE => Self::Message(read_place(&mut reader)?),
            COMMIT => {
                let read = read_place(&mut reader)?;
                let cut = match reader.byte()? {
                    0 => Cut::Through,
                    1 => Cut::Cut,
                    _ => return Err(DecodeError::UndefinedValue),
                };
                let mut list = Reader::new(reader.variable(CONTESTED_BYTES_MAX)?);
                let mut contested = Vec::new();
                while !list.is_empty() {
                    contested.push(EntryId::from_bytes(list.array()?));
                }
                Self::Commit { read, cut, contested }
            }
            LEAVE => Self::Leave,
            _ => return Err(DecodeError::UndefinedValue),
        };
        reader.finish()?;
        Ok((binding, (channel, epoch)))
    }
}

fn read_place(reader: &mut Reader<'_>) -> Result<LogPlace, DecodeError> {
    Ok(LogPlace {
        read_to: Sequence(reader.integer()?),
        head: ChainHead::from_bytes(reader.array()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_come_back_at_their_place_only() {
        // spec: GRP-051
        let (channel, epoch) = (ChannelId::from_bytes([1; 32]), EpochId::from_bytes([2; 32]));
        let other = EpochId::from_bytes([3; 32]);
        let head = ChainHead::from_bytes([4; 32]);
        let read = LogPlace { read_to: Sequence(7), head };
        let contested = vec![EntryId::from_bytes([5; 32])];
        for binding in [
            Binding::Message(read),
            Binding::Commit { read, cut: Cut::Cut, contested },
            Binding::Leave,
        ] {
            let bytes = binding.to_bytes(&channel, &epoch);
            assert_eq!(Binding::read(&bytes, &channel, &epoch).unwrap(), binding);
            assert_eq!(Binding::read(&bytes, &channel, &other), Err(Rejection::WrongBinding));
            for length in 0..bytes.len() {
                let error = Binding::read(&bytes[..length], &channel, &epoch);
                assert_eq!(error, Err(Rejection::MalformedBinding));
            }
            let longer = [&bytes[..], &[0]].concat();
            let error = Binding::read(&longer, &channel, &epoch);
            assert_eq!(error, Err(Rejection::MalformedBinding));
        }
    }
}
