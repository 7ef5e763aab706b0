//! The key schedule of an epoch (RFC 9420, section 8), from what a joiner gets; and the safe exporter
//! (draft-ietf-mls-extensions-09), which this profile takes its keys from.

use aes_gcm::{Aes128Gcm, aead::Payload};
use chacha20poly1305::{
    ChaCha20Poly1305,
    aead::{Aead as _, KeyInit as _},
};

use super::{CLASSICAL, HYBRID, hpke, labelled};
use crate::kinds::{chain::hmac, sealed_box::variable};

type Secret = [u8; 32];

/// `ExpandWithLabel`, of at most 32 bytes.
pub fn expand(secret: &Secret, label: &str, context: &[u8], length: u8) -> Vec<u8> {
    let label = variable(format!("MLS 1.0 {label}").as_bytes());
    let info = [&[0, length][..], &label, &variable(context), &[1]].concat();
    hmac(secret, &info)[..usize::from(length)].to_vec()
}

/// `DeriveSecret`.
pub fn derive_secret(secret: &Secret, label: &str) -> Secret {
    expand(secret, label, &[], 32).try_into().expect("32 bytes")
}

/// `SafeExportSecret` of a component.
pub fn safe_export(epoch_secret: &Secret, component: u16) -> Secret {
    let root = derive_secret(epoch_secret, "application_export");
    (0..16).rev().fold(root, |node, bit| {
        let side: &[u8] = if component >> bit & 1 == 0 { b"left" } else { b"right" };
        expand(&node, "tree", side, 32).try_into().expect("32 bytes")
    })
}

/// What a joiner works out for itself.
pub struct Epoch {
    /// From its `EncryptedGroupSecrets`.
    pub joiner_secret: Secret,
    /// Where every secret of the epoch comes from.
    pub epoch_secret: Secret,
    /// `GroupContext`, as it stands in the GroupInfo.
    pub context: Vec<u8>,
}

/// Opens `EncryptedGroupSecrets` and the GroupInfo.
pub fn open(suite: u16, init_key: &[u8], secrets: &[u8], group_info: &[u8]) -> Epoch {
    let mut secrets = Fields(secrets);
    let (_, kem_output, ciphertext) = (secrets.field(), secrets.field(), secrets.field());
    let info = labelled("Welcome", group_info);
    let opened = hpke(suite).open(kem_output, init_key, &info, &[], ciphertext).expect("it opens");
    let joiner_secret: Secret = Fields(&opened).field().try_into().expect("32 bytes");
    // No PSK: their secret is as many zeros.
    let member = hmac(&joiner_secret, &[0; 32]);
    let welcome = derive_secret(&member, "welcome");
    let info = open_info(suite, &welcome, group_info);
    let context = context_of(&info);
    let epoch_secret = expand(&member, "epoch", &context, 32).try_into().expect("32 bytes");
    Epoch { joiner_secret, epoch_secret, context }
}

fn open_info(suite: u16, welcome: &Secret, group_info: &[u8]) -> Vec<u8> {
    let nonce = expand(welcome, "nonce", &[], 12);
    let payload = Payload { msg: group_info, aad: &[] };
    let nonce = nonce.as_slice().into();
    let opened = match suite {
        HYBRID => Aes128Gcm::new_from_slice(&expand(welcome, "key", &[], 16))
            .expect("16 bytes")
            .decrypt(nonce, payload),
        CLASSICAL => ChaCha20Poly1305::new_from_slice(&expand(welcome, "key", &[], 32))
            .expect("32 bytes")
            .decrypt(nonce, payload),
        other => panic!("{other} is no suite of ours"),
    };
    opened.expect("it opens")
}

/// The `GroupContext` in front of a GroupInfo.
fn context_of(info: &[u8]) -> Vec<u8> {
    let mut fields = Fields(info);
    // Version and suite, group id, epoch, tree hash, transcript hash, extensions.
    fields.skip(4);
    fields.field();
    fields.skip(8);
    (0..3).for_each(|_| {
        fields.field();
    });
    info[..info.len() - fields.0.len()].to_vec()
}

/// The extensions in a `GroupContext`, with the length in front of them.
pub fn extensions_of(context: &[u8]) -> &[u8] {
    let mut fields = Fields(context);
    fields.skip(4);
    fields.field();
    fields.skip(8);
    fields.field();
    fields.field();
    fields.0
}

/// Reads fields with their lengths in front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn skip(&mut self, count: usize) -> &'a [u8] {
        let (skipped, rest) = self.0.split_at(count);
        self.0 = rest;
        skipped
    }

    fn field(&mut self) -> &'a [u8] {
        let first = self.skip(1)[0];
        let more = (1_usize << (first >> 6)) - 1;
        let head = usize::from(first & 0x3f);
        let length =
            self.skip(more).iter().fold(head, |length, byte| length << 8 | usize::from(*byte));
        self.skip(length)
    }
}
