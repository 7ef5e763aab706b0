//! A KeyPackage (RFC 9420, section 10), byte by byte.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use super::{HYBRID, key_pair, labelled};
use crate::kinds::{chain::Chain, sealed_box::variable};

/// The capabilities of every leaf of ours (`mls-profile.md`).
pub const CAPABILITIES: [&[u16]; 5] = [&[1], &[0x004F, 0x0003], &[0xF4A1, 0x000A], &[0x000A], &[1]];

/// A KeyPackage, and who signs it.
#[derive(Clone)]
pub struct Package {
    /// MLS 1.0.
    pub version: u16,
    /// The suite that it names.
    pub suite: u16,
    /// The suite that its keys are of.
    pub keys: u16,
    /// Seeds of the init key and of the leaf's encryption key.
    pub seeds: [u8; 2],
    /// The credential's identity field.
    pub credential: Vec<u8>,
    /// Its type.
    pub credential_type: u16,
    /// Seed of the key in the leaf.
    pub key: u8,
    /// Seeds of the keys that sign leaf and package.
    pub signers: [u8; 2],
    /// Versions, suites, extensions, proposals, credentials.
    pub capabilities: [&'static [u16]; 5],
    /// Where the leaf says that it comes from: 1, a KeyPackage.
    pub source: u8,
    /// Not before, not after.
    pub lifetime: [u64; 2],
    /// Extensions of the leaf.
    pub leaf_extensions: Vec<(u16, Vec<u8>)>,
    /// Extensions of the package.
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl Package {
    /// Of the device with this number, of the identity of most tests.
    pub fn of(device: u8) -> Self {
        Self {
            version: 1,
            suite: HYBRID,
            keys: HYBRID,
            seeds: [0x51, 0x52],
            credential: Chain::OURS.credential(device),
            credential_type: 1,
            key: device,
            signers: [device; 2],
            capabilities: CAPABILITIES,
            source: 1,
            lifetime: [0, u64::MAX],
            leaf_extensions: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// The same of another suite.
    pub fn with_suite(self, suite: u16) -> Self {
        Self { suite, keys: suite, ..self }
    }

    /// Private parts: of the init key, and of the leaf's encryption key.
    pub fn private_keys(&self) -> [Vec<u8>; 2] {
        self.seeds.map(|seed| key_pair(self.keys, seed).0)
    }

    fn leaf(&self) -> Vec<u8> {
        let [_, encryption] = self.seeds.map(|seed| key_pair(self.keys, seed).1);
        let public = SigningKey::from_bytes(&[self.key; 32]).verifying_key();
        let capabilities: Vec<u8> =
            self.capabilities.iter().flat_map(|list| variable(&numbers(list))).collect();
        let fields = [
            &variable(&encryption)[..],
            &variable(public.as_bytes()),
            &self.credential_type.to_be_bytes(),
            &variable(&self.credential),
            &capabilities,
            &[self.source],
            &self.lifetime[0].to_be_bytes(),
            &self.lifetime[1].to_be_bytes(),
            &extensions(&self.leaf_extensions),
        ]
        .concat();
        let signature = sign(self.signers[0], "LeafNodeTBS", &fields);
        [fields, variable(&signature)].concat()
    }

    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let [init, _] = self.seeds.map(|seed| key_pair(self.keys, seed).1);
        let fields = [
            &self.version.to_be_bytes()[..],
            &self.suite.to_be_bytes(),
            &variable(&init),
            &self.leaf(),
            &extensions(&self.extensions),
        ]
        .concat();
        let signature = sign(self.signers[1], "KeyPackageTBS", &fields);
        [fields, variable(&signature)].concat()
    }
}

/// Its reference (RFC 9420, section 5.2).
pub fn reference(package: &[u8]) -> [u8; 32] {
    Sha256::digest(labelled("MLS 1.0 KeyPackage Reference", package)).into()
}

/// A list of extensions.
pub fn extensions(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let each = list.iter().flat_map(|(id, data)| [&id.to_be_bytes()[..], &variable(data)].concat());
    variable(&each.collect::<Vec<u8>>())
}

/// A list of numbers of two bytes, without its length.
pub fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// `SignWithLabel`.
pub fn sign(seed: u8, label: &str, content: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(&[seed; 32]).sign(&labelled(label, content)).to_bytes()
}
