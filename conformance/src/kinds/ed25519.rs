//! Strict verification of Ed25519.

use ed25519_dalek::{Signer as _, SigningKey};
use hushwire_wire::transcript::verify_strict;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::{
    input::Input,
    suite::{Group, Outcome, Phase, Suite},
};

/// Name of the kind.
pub const NAME: &str = "ed25519";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    match verify_strict(&input.id("public_key"), &input.bytes("message"), &input.id("signature")) {
        Ok(()) => Outcome::accepted(),
        Err(_) => refused(),
    }
}

fn refused() -> Outcome {
    Outcome::refused(Phase::Authenticate, "BAD_SIGNATURE")
}

fn input(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Value {
    json!({
        "public_key": hex::encode(key),
        "message": hex::encode(message),
        "signature": hex::encode(signature),
    })
}

/// The order of the group, little-endian (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The eight points of small order, and the other encodings of some of them.
const SMALL_ORDER: [(&str, &str); 14] = [
    ("order 1", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("order 4", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("order 4, negative", "0000000000000000000000000000000000000000000000000000000000000080"),
    ("order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ("order 8, negative", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    ("order 8, other", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    (
        "order 8, other, negative",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ),
    ("order 1 as -0", "0100000000000000000000000000000000000000000000000000000000000080"),
    ("order 1 as p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("order 1 as p + 1, -0", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("order 2 as -0", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("order 4 as p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("order 4 as p, negative", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
];

fn point(encoding: &str) -> [u8; 32] {
    hex::decode(encoding).expect("hexadecimal").try_into().expect("32 bytes")
}

/// `a + b` over 256 bits, little-endian; `None` if it does not fit.
fn add(a: [u8; 32], b: [u8; 32]) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    let mut carry = 0;
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        let total = u16::from(a) + u16::from(b) + carry;
        *sum = total.to_le_bytes()[0];
        carry = total >> 8;
    }
    (carry == 0).then_some(sum)
}

/// `a - b` over 256 bits, little-endian; `None` if `b` is greater.
fn subtract(a: [u8; 32], b: [u8; 32]) -> Option<[u8; 32]> {
    let mut difference = [0; 32];
    let mut borrow = 0;
    for ((difference, a), b) in difference.iter_mut().zip(a).zip(b) {
        let total = 0x100 + u16::from(a) - u16::from(b) - borrow;
        *difference = total.to_le_bytes()[0];
        borrow = 1 - (total >> 8);
    }
    (borrow == 0).then_some(difference)
}

/// A key's secret scalar, reduced: with `R` its public key it is a signature's `s` under a key that
/// vanishes from the equation.
fn scalar(seed: &[u8; 32]) -> [u8; 32] {
    let mut scalar: [u8; 32] = Sha512::digest(seed)[..32].try_into().expect("32 bytes");
    scalar[0] &= 0xf8;
    scalar[31] = scalar[31] & 0x7f | 0x40;
    while let Some(smaller) = subtract(scalar, ORDER) {
        scalar = smaller;
    }
    scalar
}

fn join(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    [r, s].concat().try_into().expect("64 bytes")
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME)
        .note("LargeS", "s is not below the group order: a second encoding of the same signature.")
        .note("SmallKey", "The key has small order: it takes many messages, or all.")
        .note("SmallR", "R has small order.")
        .note("OtherEncoding", "A point in an encoding that is not the one it has.")
        .group(sound())
        .group(large_s())
        .group(small_keys())
        .group(small_r())
        .group(other_encodings())
}

fn sound() -> Group {
    let mut group = Group::new("signatures", &["WIRE-021"]);
    for (fill, message) in [(1, &b""[..]), (2, b"a"), (3, &[0xff; 200])] {
        let key = SigningKey::from_bytes(&[fill; 32]);
        let public = *key.verifying_key().as_bytes();
        let signature = key.sign(message).to_bytes();
        let comment = format!("{} bytes", message.len());
        let right = input(&public, message, &signature);
        group = group.test(&comment, &[], right, Outcome::accepted());
        let longer = [message, &[0]].concat();
        group = group.test(
            &format!("{comment} and one more"),
            &[],
            input(&public, &longer, &signature),
            refused(),
        );
        let mut half = signature;
        half[32..].fill(0);
        group = group.test(
            &format!("{comment}, s is 0"),
            &[],
            input(&public, message, &half),
            refused(),
        );
    }
    group
}

fn large_s() -> Group {
    let mut group = Group::new("s above the order", &["WIRE-021"]);
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = *key.verifying_key().as_bytes();
    let signature = key.sign(b"message").to_bytes();
    let r: [u8; 32] = signature[..32].try_into().expect("32 bytes");
    let mut s: [u8; 32] = signature[32..].try_into().expect("32 bytes");
    for times in 1..=15 {
        let Some(larger) = add(s, ORDER) else {
            break;
        };
        s = larger;
        let comment = format!("s + {times} times the order");
        let input = input(&public, b"message", &join(r, s));
        group = group.test(&comment, &["LargeS"], input, refused());
    }
    group.test(
        "s is the order",
        &["LargeS"],
        input(&public, b"message", &join(r, ORDER)),
        refused(),
    )
}

fn small_keys() -> Group {
    let mut group = Group::new("keys of small order", &["WIRE-021"]);
    let seed = [4; 32];
    let r = *SigningKey::from_bytes(&seed).verifying_key().as_bytes();
    // R = s B, so the equation holds wherever the key times the hash vanishes: always for order 1,
    // for every second, fourth or eighth message for the others.
    let signature = join(r, scalar(&seed));
    for (name, encoding) in SMALL_ORDER {
        for message in 0..8_u8 {
            let comment = format!("{name}, message {message}");
            let input = input(&point(encoding), &[message], &signature);
            group = group.test(&comment, &["SmallKey"], input, refused());
        }
    }
    group
}

fn small_r() -> Group {
    let mut group = Group::new("R of small order", &["WIRE-021"]);
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = *key.verifying_key().as_bytes();
    for (name, encoding) in SMALL_ORDER {
        let signature = join(point(encoding), [0; 32]);
        let with_sound_key = input(&public, b"message", &signature);
        group = group.test(name, &["SmallR"], with_sound_key, refused());
        let both = input(&point(encoding), b"message", &signature);
        let comment = format!("{name}, as the key too");
        group = group.test(&comment, &["SmallR", "SmallKey"], both, refused());
    }
    group
}

fn other_encodings() -> Group {
    let mut group = Group::new("points encoded otherwise", &["WIRE-021"]);
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = *key.verifying_key().as_bytes();
    let signature = key.sign(b"message").to_bytes();
    let s: [u8; 32] = signature[32..].try_into().expect("32 bytes");
    // y = p + 3 to p + 18: where a point has that y, it has large order.
    for offset in 3..=18_u8 {
        let mut encoding = [0xff; 32];
        (encoding[0], encoding[31]) = (0xed + offset, 0x7f);
        let comment = format!("key with y = p + {offset}");
        let as_key = input(&encoding, b"message", &signature);
        group = group.test(&comment, &["OtherEncoding"], as_key, refused());
        let comment = format!("R with y = p + {offset}");
        let as_r = input(&public, b"message", &join(encoding, s));
        group = group.test(&comment, &["OtherEncoding"], as_r, refused());
    }
    let none = [2; 32];
    group.test("a key that is no point", &[], input(&none, b"message", &signature), refused())
}
