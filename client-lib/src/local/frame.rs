//! The frames of the profile's socket.

use core::fmt;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::LocalError;

/// Longest body of a frame, in bytes. Files go by path, not through the socket.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Kind and id, which stand before the body.
const HEAD_LENGTH: usize = 9;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    Subscribe,
    Event,
    Missed,
    Challenge,
    Proof,
    Accepted,
    Refused,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Subscribe => 3,
            Self::Event => 4,
            Self::Missed => 5,
            Self::Challenge => 6,
            Self::Proof => 7,
            Self::Accepted => 8,
            Self::Refused => 9,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Subscribe,
            4 => Self::Event,
            5 => Self::Missed,
            6 => Self::Challenge,
            7 => Self::Proof,
            8 => Self::Accepted,
            9 => Self::Refused,
            _ => return None,
        })
    }
}

/// One frame. Bodies may hold secrets: they are wiped, and never grow once they are filled.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) id: u64,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Writes a frame.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
) -> Result<(), LocalError> {
    // spec: CLI-067
    if frame.body.len() > BODY_BYTES_MAX {
        return Err(LocalError::TooLong);
    }
    let length = frame.body.len().saturating_add(HEAD_LENGTH);
    let length = u32::try_from(length).map_err(|_| LocalError::TooLong)?;
    let mut head = Vec::with_capacity(HEAD_LENGTH.saturating_add(4));
    head.extend_from_slice(&length.to_be_bytes());
    head.push(frame.kind.code());
    head.extend_from_slice(&frame.id.to_be_bytes());
    stream.write_all(&head).await?;
    stream.write_all(&frame.body).await?;
    Ok(stream.flush().await?)
}

/// Reads a frame whose body is at most so long. [`LocalError::Closed`] when the stream ends, be it
/// between frames or within one.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    body_bytes_max: usize,
) -> Result<Frame, LocalError> {
    let length = usize::try_from(stream.read_u32().await?).map_err(|_| LocalError::Garbage)?;
    let body_length = length.checked_sub(HEAD_LENGTH).filter(|body| *body <= body_bytes_max);
    let body_length = body_length.ok_or(LocalError::Garbage)?;
    let kind = Kind::from_code(stream.read_u8().await?).ok_or(LocalError::Garbage)?;
    let id = stream.read_u64().await?;
    let mut body = Zeroizing::new(vec![0; body_length]);
    stream.read_exact(&mut body).await?;
    Ok(Frame { kind, id, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_back_and_anything_else_is_refused() {
        // spec: CLI-067
        for kind in (1..=9).map(|code| Kind::from_code(code).unwrap()) {
            let frame = Frame { kind, id: 7, body: Zeroizing::new(b"body".to_vec()) };
            let mut bytes = Vec::new();
            write(&mut bytes, &frame).await.unwrap();
            assert_eq!(read(&mut &bytes[..], 4).await, Ok(frame));
            assert_eq!(read(&mut &bytes[..], 3).await, Err(LocalError::Garbage));
            for cut in 0..bytes.len() {
                assert_eq!(
                    read(&mut &bytes[..cut], BODY_BYTES_MAX).await,
                    Err(LocalError::Closed),
                    "{cut}"
                );
            }
        }
        let longest = u32::try_from(BODY_BYTES_MAX + HEAD_LENGTH).unwrap();
        for (length, kind) in [(8, 1), (0, 1), (longest + 1, 1), (u32::MAX, 1), (9, 0), (9, 10)] {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.push(kind);
            bytes.extend_from_slice(&[0; 100]);
            let read = read(&mut &bytes[..], BODY_BYTES_MAX).await;
            assert_eq!(read, Err(LocalError::Garbage), "{length} {kind}");
        }
        let long =
            Frame { kind: Kind::Request, id: 1, body: Zeroizing::new(vec![0; BODY_BYTES_MAX + 1]) };
        assert_eq!(write(&mut Vec::new(), &long).await, Err(LocalError::TooLong));
    }
}
