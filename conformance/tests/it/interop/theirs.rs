//! A member by mls-rs. What our specification adds to MLS is written here anew: the exporter and
//! the keys of an epoch (GRP-050), the envelope with its padding (ENV-001 to ENV-014), and what a
//! sender signs (GRP-051). Of ours it uses the ids and transcripts of the wire, and the credential.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hushwire_conformance::kinds::chain::derive;
use hushwire_protocol::group::GroupSnapshot;
use hushwire_protocol::identity::DeviceCredential;
use hushwire_wire::SigningKey;
use hushwire_wire::id::{ChainHead, EpochId, Sequence};
use hushwire_wire::transcript::{
    CommitMark, Cut, Operation, envelope_binding, first_head, next_head, public_key,
};
use mls_rs::client_builder::MlsConfig;
use mls_rs::crypto::{SignaturePublicKey, SignatureSecretKey};
use mls_rs::extension::ExtensionType;
use mls_rs::group::proposal::ProposalType;
use mls_rs::group::{CommitBuilder, CommitEffect, ExportedTree, ReceivedMessage};
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::time::MlsTime;
use mls_rs::{CipherSuiteProvider as _, Client, CryptoProvider as _, ExtensionList, MlsMessage};

use super::channel::{CHANNEL, Entry};
use super::crypto::{Crypto, Heard, SUITE, kdf_label};

/// Type of the group state's extension, and of `last_resort`.
pub(super) const GROUP_STATE: u16 = 0xF4A1;
const LAST_RESORT: u16 = 0x000A;
/// The proposal by which a member leaves.
const SELF_REMOVE: u16 = 0x000A;
const OVERHEAD_BYTES: usize = 24 + 16;

/// The keys of an epoch.
struct Keys {
    epoch: SigningKey,
    envelope: [u8; 32],
}

/// What an entry was.
pub(super) enum Read {
    Message(Vec<u8>),
    Commit,
    Removed,
}

/// Somebody with another program.
pub(super) struct Theirs<C: MlsConfig> {
    client: Client<C>,
    group: Option<mls_rs::Group<C>>,
    heard: Heard,
    pub(super) epoch: EpochId,
    keys: Option<Keys>,
    read_to: Sequence,
    head: ChainHead,
    nonces: u8,
}

/// A member's program, with a device's key and credential.
pub(super) fn program(
    seed: &[u8; 32],
    credential: &DeviceCredential,
) -> Theirs<impl MlsConfig + use<>> {
    let key = SigningKey::from_bytes(seed);
    let heard = Heard::default();
    let identity = SigningIdentity::new(
        BasicCredential::new(credential.to_bytes()).into_credential(),
        SignaturePublicKey::new(public_key(&key).as_bytes().to_vec()),
    );
    // Handshakes are PrivateMessages without padding, every commit has a path, every joiner a
    // Welcome of its own without the tree (spec: GRP-034, GRP-038, GRP-070).
    let commits = CommitOptions::new()
        .with_path_required(true)
        .with_ratchet_tree_extension(false)
        .with_single_welcome_message(false)
        .with_allow_external_commit(false);
    let encryption = EncryptionOptions::new(true, mls_rs::client_builder::PaddingMode::None);
    let client = Client::builder()
        .crypto_provider(Crypto { heard: Arc::clone(&heard) })
        .identity_provider(BasicIdentityProvider::new())
        .mls_rules(
            DefaultMlsRules::new().with_commit_options(commits).with_encryption_options(encryption),
        )
        .extension_types([GROUP_STATE, LAST_RESORT].map(ExtensionType::new))
        .custom_proposal_type(ProposalType::new(SELF_REMOVE))
        .key_package_lifetime(core::time::Duration::from_secs(u64::MAX))
        .signing_identity(identity, SignatureSecretKey::new(key.to_keypair_bytes().to_vec()), SUITE)
        .build();
    let epoch = EpochId::from_bytes([0; 32]);
    Theirs {
        client,
        group: None,
        heard,
        epoch,
        keys: None,
        read_to: Sequence::FIRST,
        head: first_head(&CHANNEL, &epoch),
        nonces: 0,
    }
}

impl<C: MlsConfig> Theirs<C> {
    /// A KeyPackage that is good at any time (spec: GRP-023), without what goes around it in MLS.
    pub(super) fn key_package(&self) -> Vec<u8> {
        let none = ExtensionList::new;
        let dawn = Some(MlsTime::from(0));
        let message = self.client.generate_key_package_message(none(), none(), dawn).unwrap();
        // `MLSMessage` has version and wire format in front, two bytes each.
        message.to_bytes().unwrap().split_off(4)
    }

    /// Joins by a Welcome that is put together as GRP-072 says.
    pub(super) fn join(&mut self, epoch: EpochId, secrets: &[u8], snapshot: &GroupSnapshot) {
        // MLS 1.0, a Welcome, the suite.
        let head = [0, 1, 0, 3, 0, 3];
        let parts = [secrets, &snapshot.group_info].map(vector);
        let welcome = MlsMessage::from_bytes(&[&head[..], &parts.concat()].concat()).unwrap();
        let tree = ExportedTree::from_bytes(&snapshot.tree).unwrap();
        let (group, _) = self.client.join_group(Some(tree), &welcome, None).unwrap();
        self.group = Some(group);
        let keys = self.exported();
        self.enter(epoch, keys);
    }

    pub(super) fn group(&mut self) -> &mut mls_rs::Group<C> {
        self.group.as_mut().unwrap()
    }

    /// By which the relay knows a member.
    pub(super) fn epoch_key(&self) -> &SigningKey {
        &self.keys.as_ref().unwrap().epoch
    }

    pub(super) fn seal_message(&mut self, content: &[u8]) -> Vec<u8> {
        let binding = self.binding(1, &[]);
        let message = self.group().encrypt_application_message(content, binding).unwrap();
        self.seal(1, &Operation::Message, &message.to_bytes().unwrap())
    }

    /// A commit that waits for the relay; its mark, envelope, and a Welcome for each joiner.
    pub(super) fn begin(
        &mut self,
        cut: Cut,
        build: impl for<'a> FnOnce(CommitBuilder<'a, C>) -> CommitBuilder<'a, C>,
    ) -> (Operation, Vec<u8>, Vec<Vec<u8>>) {
        let binding = self.binding(2, &[&[cut.code()][..], &[0]].concat());
        let builder = self.group().commit_builder().authenticated_data(binding);
        let output = build(builder).build().unwrap();
        let next_key = public_key(&self.exported().epoch);
        let operation = Operation::Commit(CommitMark { next_key, cut, contested: vec![] });
        let message = output.commit_message.to_bytes().unwrap();
        let envelope = self.seal(2, &operation, &message);
        let welcomes = output.welcome_messages.iter().map(|message| message.to_bytes().unwrap());
        (operation, envelope, welcomes.collect())
    }

    /// The relay has the own commit as first candidate.
    pub(super) fn confirm(&mut self, entry: &Entry) {
        let keys = self.exported();
        self.group().apply_pending_commit().unwrap();
        self.enter(entry.opens(), keys);
    }

    /// Reads the entry that comes next.
    pub(super) fn read(&mut self, entry: &Entry) -> Read {
        assert_eq!((entry.epoch, entry.sequence), (self.epoch, self.read_to));
        let (kind, message) = self.open(&entry.operation, &entry.envelope);
        let message = MlsMessage::from_bytes(&message).unwrap();
        match self.group().process_incoming_message(message).unwrap() {
            ReceivedMessage::ApplicationMessage(message) => {
                assert_eq!(kind, 1);
                self.check_binding(1, &message.authenticated_data);
                self.pass(entry);
                Read::Message(message.data().to_vec())
            }
            ReceivedMessage::Commit(commit) => {
                assert_eq!(kind, 2);
                self.check_binding(2, &commit.authenticated_data);
                let Operation::Commit(mark) = &entry.operation else { panic!("no commit") };
                if let CommitEffect::Removed { .. } = commit.effect {
                    assert_eq!(mark.cut, Cut::Cut);
                    return Read::Removed;
                }
                // spec: GRP-037
                let keys = self.exported();
                assert_eq!(public_key(&keys.epoch), mark.next_key);
                self.enter(entry.opens(), keys);
                Read::Commit
            }
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// An own message, as the relay stored it.
    pub(super) fn pass(&mut self, entry: &Entry) {
        self.head = next_head(&self.head, entry.sequence, &entry.id());
        self.read_to = Sequence(entry.sequence.0 + 1);
    }

    fn enter(&mut self, epoch: EpochId, keys: Keys) {
        self.epoch = epoch;
        self.keys = Some(keys);
        self.read_to = Sequence::FIRST;
        self.head = first_head(&CHANNEL, &epoch);
    }

    /// The keys of the epoch that mls-rs derived last (spec: GRP-050).
    fn exported(&self) -> Keys {
        let secret = self.heard.lock().unwrap().clone();
        let seed = derive(&self.safe_export(&secret, 0x8001), "epoch key", &[], 32);
        let envelope = derive(&self.safe_export(&secret, 0x8002), "envelope key", &[], 32);
        Keys {
            epoch: SigningKey::from_bytes(&seed.try_into().unwrap()),
            envelope: envelope.try_into().unwrap(),
        }
    }

    /// `SafeExportSecret` of draft-ietf-mls-extensions-09, as in `spec/mls-profile.md`.
    fn safe_export(&self, epoch_secret: &[u8], component: u16) -> Vec<u8> {
        let suite = Crypto { heard: Heard::default() }.cipher_suite_provider(SUITE).unwrap();
        let expand = |secret: &[u8], label, context: &[u8]| {
            suite.kdf_expand(secret, &kdf_label(32, label, context), 32).unwrap().to_vec()
        };
        let root = expand(epoch_secret, "application_export", &[]);
        (0..16).rev().fold(root, |secret, bit| {
            let side: &[u8] = if component >> bit & 1 == 0 { b"left" } else { b"right" };
            expand(&secret, "tree", side)
        })
    }

    /// What a sender signs (spec: GRP-051).
    fn binding(&self, kind: u8, rest: &[u8]) -> Vec<u8> {
        let place = [&[0, 1, kind], &CHANNEL.as_bytes()[..], self.epoch.as_bytes()].concat();
        let read = [&self.read_to.0.to_be_bytes()[..], self.head.as_bytes()].concat();
        [place, read, rest.to_vec()].concat()
    }

    fn check_binding(&self, kind: u8, binding: &[u8]) {
        let ours = self.binding(kind, &[]);
        // Who wrote it may have read less of the epoch than stands before it.
        let (place, _) = ours.split_at(3 + 64);
        assert_eq!(&binding[..place.len()], place);
    }

    fn seal(&mut self, kind: u8, operation: &Operation, message: &[u8]) -> Vec<u8> {
        let content = [&[0, 1, kind][..], &vector(message), &[0, 0]].concat();
        let length = padded(content.len() + OVERHEAD_BYTES) - OVERHEAD_BYTES;
        let mut plaintext = content;
        plaintext.resize(length, 0);
        self.nonces += 1;
        let nonce = [self.nonces; 24];
        let aad = envelope_binding(&CHANNEL, &self.epoch, operation);
        let sealed = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: &plaintext, aad: &aad })
            .unwrap();
        [&nonce[..], &sealed].concat()
    }

    fn open(&self, operation: &Operation, envelope: &[u8]) -> (u8, Vec<u8>) {
        assert_eq!(padded(envelope.len()), envelope.len());
        let (nonce, sealed) = envelope.split_at(24);
        let aad = envelope_binding(&CHANNEL, &self.epoch, operation);
        let plaintext = self
            .cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &aad })
            .unwrap();
        let (header, rest) = plaintext.split_at(3);
        assert_eq!(header[..2], [0, 1]);
        let (message, rest) = read_vector(rest);
        // Neither proposals nor a report, then zeros.
        assert!(rest.iter().all(|byte| *byte == 0));
        (header[2], message.to_vec())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.keys.as_ref().unwrap().envelope.into())
    }
}

/// A vector with its length (RFC 9420 section 2.1.2).
fn vector(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let prefix = match length {
        0..64 => vec![u8::try_from(length).unwrap()],
        64..16_384 => (0x4000 | u16::try_from(length).unwrap()).to_be_bytes().to_vec(),
        _ => (0x8000_0000 | length).to_be_bytes().to_vec(),
    };
    [&prefix[..], bytes].concat()
}

fn read_vector(bytes: &[u8]) -> (&[u8], &[u8]) {
    let width = 1 << (bytes[0] >> 6);
    let (prefix, rest) = bytes.split_at(width);
    let length = prefix.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
    rest.split_at(length & ((1 << (8 * width - 2)) - 1))
}

/// Padmé with a floor of 256 bytes (spec: ENV-010, ENV-011).
fn padded(length: usize) -> usize {
    if length <= 256 {
        return 256;
    }
    let exponent = length.ilog2();
    let zeros = exponent - (exponent.ilog2() + 1);
    (length + (1 << zeros) - 1) >> zeros << zeros
}

/// A Welcome for one, taken apart: its secrets, and the encrypted GroupInfo.
pub(super) fn take_apart(welcome: &[u8]) -> [Vec<u8>; 2] {
    let (secrets, rest) = read_vector(&welcome[6..]);
    let (group_info, rest) = read_vector(rest);
    assert!(rest.is_empty());
    [secrets, group_info].map(<[u8]>::to_vec)
}
