//! `hush-relay plant`: gives a relay bytes of the auditor's choice, as any client could.
//!
//! Who searches a relay's files, its store and a record of its frames for plaintext has to know
//! that the search would find some. What is planted takes the way of all ciphertext: a frame inside
//! TLS, the writer, the store on disk. The relay cannot tell it from a sealed file.

use std::{
    io::Read as _,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    path::Path,
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use hushwire_relay::dial::{Dialler, FrameStream};
use hushwire_wire::{
    error::Code,
    frame::AnswerFrame,
    id::{Nonce, RelayId, UploadKey},
    limit::Limits,
    message::{Answer, Hello, Request, RequestId},
    transcript,
    version::VersionRange,
};
use quinn::Endpoint;
use rustls::crypto::aws_lc_rs;

use super::{Failure, PlantArguments, print};

/// Longest wait for the whole of it.
const PLANT_WAIT: Duration = Duration::from_secs(30);
/// Why nothing was planted. Blame: what the auditor typed, or the relay.
#[derive(Debug, thiserror::Error)]
enum PlantError {
    /// The address has another form, or its host is not found.
    #[error("the address is not host:port#id, as `hush-relay run` prints it, or is not found")]
    Address,
    /// More than one chunk of a blob, or nothing.
    #[error("the file is empty or longer than one chunk ({0} bytes)")]
    Length(u32),
    /// The relay said no.
    #[error("the relay refused it: {0:?}")]
    Refused(Code),
    /// The relay does not speak the protocol.
    #[error("the relay gave no answer that fits")]
    Answer,
    /// Nothing came for too long.
    #[error("the relay did not answer in time")]
    Late,
}

/// Stores a file as one blob and prints the blob's id.
pub(super) fn run(arguments: &PlantArguments) -> Result<(), Failure> {
    let content = read(&arguments.file)?;
    let (place, relay) = parse(&arguments.address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let planting = async { tokio::time::timeout(PLANT_WAIT, plant(place, relay, content)).await };
    let blob = runtime.block_on(planting).map_err(|_| PlantError::Late)??;
    print(format!("{{\"blob\":\"{blob}\"}}\n").as_bytes())
}

/// The bytes to plant, if they fit one chunk.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes_max = Limits::V1.blob_chunk_bytes;
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(u64::from(bytes_max) + 1).read_to_end(&mut content)?;
    match u32::try_from(content.len()) {
        Ok(length) if (1..=bytes_max).contains(&length) => Ok(content),
        _ => Err(PlantError::Length(bytes_max).into()),
    }
}

/// `host:port#id`.
fn parse(address: &str) -> Result<(SocketAddr, RelayId), PlantError> {
    let (place, id) = address.split_once('#').ok_or(PlantError::Address)?;
    let id = BASE64URL_NOPAD.decode(id.as_bytes()).map_err(|_| PlantError::Address)?;
    let id = id.try_into().map(RelayId::from_bytes).map_err(|_| PlantError::Address)?;
    let mut places = place.to_socket_addrs().map_err(|_| PlantError::Address)?;
    Ok((places.next().ok_or(PlantError::Address)?, id))
}

async fn plant(place: SocketAddr, relay: RelayId, content: Vec<u8>) -> Result<String, Failure> {
    let any: SocketAddr = match place {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(any)?;
    let connection = Dialler::new(relay).connect(&endpoint, place).await?;
    let mut session = FrameStream::open(&connection).await?;
    let hello = Hello {
        versions: VersionRange::SUPPORTED,
        nonce: Nonce::from_bytes(random()?),
        capabilities: 0,
    };
    ask(&mut session, 0, Request::Hello(hello)).await?;
    let key = random()?;
    let key = || UploadKey::from_bytes(key);
    let blob = hex::encode(transcript::blob_id(&key()).as_bytes());
    let size = u64::try_from(content.len()).map_err(|_| PlantError::Answer)?;
    ask(&mut session, 1, Request::BlobCreate { key: key(), size }).await?;
    let write = Request::BlobWrite { key: key(), offset: 0, content: content.into() };
    match ask(&mut session, 2, write).await? {
        Answer::BlobState { stored, .. } if stored == size => {}
        _ => return Err(PlantError::Answer.into()),
    }
    connection.close(0_u8.into(), &[]);
    endpoint.wait_idle().await;
    Ok(blob)
}

/// The answer to a request; one at a time, so the next frame is it.
async fn ask(session: &mut FrameStream, id: u64, request: Request) -> Result<Answer, Failure> {
    session.request(RequestId(id), request).await?;
    match session.next().await? {
        Some(AnswerFrame { answer: Answer::Refused(refusal), .. }) => {
            Err(PlantError::Refused(refusal.code).into())
        }
        Some(AnswerFrame { id: answered, answer }) if answered == RequestId(id) => Ok(answer),
        _ => Err(PlantError::Answer.into()),
    }
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let filled = aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| "the operating system gives no randomness")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_whole_or_not_at_all() {
        let id = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let (place, relay) = parse(&format!("127.0.0.1:4433#{id}")).unwrap();
        assert_eq!((place.port(), relay), (4433, RelayId::from_bytes([7; 32])));
        for wrong in ["127.0.0.1:4433", "127.0.0.1:4433#BwcH", "nowhere#", &format!("#{id}")] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
