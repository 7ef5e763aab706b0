//! How both ends of the socket prove that they hold the profile's key (spec: CLI-071).
//!
//! ```text
//! owner  → second   challenge: owner's nonce (32 bytes)
//! second → owner    proof:     second's nonce (32) ‖ HMAC-SHA256(secret, "hushwire local second 1" ‖ both nonces)
//! owner  → second   accepted:  HMAC-SHA256(secret, "hushwire local owner 1" ‖ both nonces), or refused
//! ```
//!
//! The secret is derived from the database key, so whoever opens the store's header has it, and it
//! never goes through the socket.

use core::{fmt, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::{net::UnixStream, time::timeout};
use zeroize::Zeroizing;

use super::{
    LocalError,
    frame::{self, Frame, Kind},
};
use crate::random;

/// Longest time that either side waits for the other's part of the proof.
const PROOF_WAIT: Duration = Duration::from_secs(5);
const NONCE_LENGTH: usize = 32;
const TAG_LENGTH: usize = 32;
const PROOF_LENGTH: usize = NONCE_LENGTH + TAG_LENGTH;

/// What the processes of one profile share: derived from the key that locks its store.
pub struct LocalSecret(Zeroizing<[u8; 32]>);

impl LocalSecret {
    /// Takes 32 bytes that only those who hold the profile's key can have.
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    fn mac(&self, side: Side, nonces: &Nonces) -> Result<Hmac<Sha256>, LocalError> {
        // HMAC takes keys of every length.
        let mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).map_err(|_| LocalError::NotProven)?;
        Ok(mac.chain_update(side.label()).chain_update(nonces.owner).chain_update(nonces.second))
    }

    fn tag(&self, side: Side, nonces: &Nonces) -> Result<[u8; TAG_LENGTH], LocalError> {
        Ok(self.mac(side, nonces)?.finalize().into_bytes().into())
    }

    fn check(&self, side: Side, nonces: &Nonces, tag: &[u8]) -> Result<(), LocalError> {
        self.mac(side, nonces)?.verify_slice(tag).map_err(|_| LocalError::NotProven)
    }
}

impl fmt::Debug for LocalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalSecret(..)")
    }
}

#[derive(Clone, Copy)]
enum Side {
    Owner,
    Second,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Owner => b"hushwire local owner 1",
            Self::Second => b"hushwire local second 1",
        }
    }
}

struct Nonces {
    owner: [u8; NONCE_LENGTH],
    second: [u8; NONCE_LENGTH],
}

/// The owner's side: lets nothing in before the other end has proven the key.
pub(super) async fn demand(
    stream: &mut UnixStream,
    secret: &LocalSecret,
) -> Result<(), LocalError> {
    timeout(PROOF_WAIT, demand_now(stream, secret)).await.unwrap_or(Err(LocalError::Closed))
}

async fn demand_now(stream: &mut UnixStream, secret: &LocalSecret) -> Result<(), LocalError> {
    let owner = nonce()?;
    send(stream, Kind::Challenge, &owner).await?;
    let proof = frame::read(stream, PROOF_LENGTH).await?;
    let (second, tag) = match (proof.kind, proof.body.split_first_chunk()) {
        (Kind::Proof, Some((second, tag))) => (*second, tag),
        _ => return Err(LocalError::Garbage),
    };
    let nonces = Nonces { owner, second };
    if let Err(refused) = secret.check(Side::Second, &nonces, tag) {
        send(stream, Kind::Refused, &[]).await?;
        return Err(refused);
    }
    send(stream, Kind::Accepted, &secret.tag(Side::Owner, &nonces)?).await
}

/// The second process's side: proves the key, and takes no owner that does not.
pub(super) async fn give(stream: &mut UnixStream, secret: &LocalSecret) -> Result<(), LocalError> {
    timeout(PROOF_WAIT, give_now(stream, secret)).await.unwrap_or(Err(LocalError::Closed))
}

async fn give_now(stream: &mut UnixStream, secret: &LocalSecret) -> Result<(), LocalError> {
    let challenge = frame::read(stream, NONCE_LENGTH).await?;
    let owner = match (challenge.kind, challenge.body.as_slice().try_into()) {
        (Kind::Challenge, Ok(owner)) => owner,
        _ => return Err(LocalError::Garbage),
    };
    let nonces = Nonces { owner, second: nonce()? };
    let tag = secret.tag(Side::Second, &nonces)?;
    send(stream, Kind::Proof, &[nonces.second, tag].concat()).await?;
    let verdict = frame::read(stream, TAG_LENGTH).await?;
    match verdict.kind {
        Kind::Accepted => secret.check(Side::Owner, &nonces, &verdict.body),
        Kind::Refused => Err(LocalError::NotProven),
        _ => Err(LocalError::Garbage),
    }
}

async fn send(stream: &mut UnixStream, kind: Kind, body: &[u8]) -> Result<(), LocalError> {
    frame::write(stream, &Frame { kind, id: 0, body: Zeroizing::new(body.to_vec()) }).await
}

fn nonce() -> Result<[u8; NONCE_LENGTH], LocalError> {
    let mut nonce = [0; NONCE_LENGTH];
    random::fill(&mut nonce)
        .map_err(|random::NoRandomness| LocalError::NotUsable(std::io::ErrorKind::Other))?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> LocalSecret {
        LocalSecret::new(Zeroizing::new([byte; 32]))
    }

    #[tokio::test]
    async fn both_sides_prove_the_key_and_neither_takes_another() {
        // spec: CLI-071
        let cases = [(1, 1, Ok(()), Ok(())), {
            let refused = Err(LocalError::NotProven);
            (1, 2, refused, refused)
        }];
        for (owner, second, owner_says, second_says) in cases {
            let (mut at_owner, mut at_second) = UnixStream::pair().unwrap();
            let (owner, second) = (secret(owner), secret(second));
            let (demanded, gave) =
                tokio::join!(demand(&mut at_owner, &owner), give(&mut at_second, &second));
            assert_eq!((demanded, gave), (owner_says, second_says));
        }
    }

    #[tokio::test]
    async fn what_the_owner_said_is_no_proof_of_it_or_of_another_time() {
        // spec: CLI-071
        let nonces = Nonces { owner: [1; 32], second: [2; 32] };
        let later = Nonces { owner: [3; 32], second: [2; 32] };
        let secret = secret(1);
        let tag = secret.tag(Side::Owner, &nonces).unwrap();
        assert!(secret.check(Side::Owner, &nonces, &tag).is_ok());
        assert_eq!(secret.check(Side::Second, &nonces, &tag), Err(LocalError::NotProven));
        assert_eq!(secret.check(Side::Owner, &later, &tag), Err(LocalError::NotProven));
        assert_eq!(secret.check(Side::Owner, &nonces, &tag[..31]), Err(LocalError::NotProven));
    }

    #[tokio::test]
    async fn an_owner_that_cannot_prove_it_is_not_talked_to() {
        // spec: CLI-071
        let (mut at_owner, mut at_second) = UnixStream::pair().unwrap();
        let impostor = async {
            send(&mut at_owner, Kind::Challenge, &[1; 32]).await.unwrap();
            frame::read(&mut at_owner, PROOF_LENGTH).await.unwrap();
            send(&mut at_owner, Kind::Accepted, &[0; 32]).await.unwrap();
        };
        let mine = secret(1);
        let ((), gave) = tokio::join!(impostor, give(&mut at_second, &mine));
        assert_eq!(gave, Err(LocalError::NotProven));
    }
}
