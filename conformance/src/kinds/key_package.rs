//! KeyPackages, as an adder looks at them.

use hushwire_protocol::group::{Rejection, UnverifiedKeyPackage};
use hushwire_protocol::provider::Suite as MlsSuite;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::{
        chain::{Chain, flipped, public},
        envelope::rejected,
        mls::{
            CLASSICAL, HYBRID,
            package::{CAPABILITIES, Package, reference},
        },
    },
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "key-package";

/// The channel that a device asks to be added again to.
const CHANNEL: [u8; 32] = [0xC4; 32];
/// The group state in a GroupContext, and in a KeyPackage the group of a rejoin.
const OURS: u16 = 0xF4A1;
/// `last_resort`.
const LAST_RESORT: u16 = 0x000A;

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let input = Input(input);
    let code = u16::try_from(input.integer("suite")).expect("16 bits");
    let suite = MlsSuite::from_code(code).expect("a suite of ours");
    let bytes = input.bytes("key_package");
    match UnverifiedKeyPackage::parse(&bytes).and_then(|package| package.verify(suite)) {
        Err(rejection) => rejected(rejection),
        Ok(package) => {
            let mut outputs = json!({
                "fingerprint": hex::encode(package.credential().identity()),
                "device": hex::encode(package.credential().device()),
                "device_key": hex::encode(package.credential().signature_key()),
                "reference": hex::encode(package.reference().as_bytes()),
            });
            if let Some(channel) = package.rejoins() {
                outputs["rejoins"] = json!(hex::encode(channel));
            }
            Outcome::valid(outputs)
        }
    }
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(bytes()).group(signatures()).group(leaves())
}

fn input(package: &[u8], suite: u16) -> Value {
    json!({ "key_package": hex::encode(package), "suite": suite.to_string() })
}

fn classical() -> Package {
    Package::of(4).with_suite(CLASSICAL)
}

fn naming(version: u8, channel: &[u8]) -> Vec<(u16, Vec<u8>)> {
    vec![(OURS, [&[0, version], channel].concat())]
}

fn valid() -> Group {
    let with = |extensions| Package { extensions, ..classical() };
    let group = Group::new("of a device", &["GRP-001", "GRP-020", "GRP-023", "GRP-024", "GRP-127"]);
    let group = [
        ("hybrid", Package::of(4)),
        ("classical", classical()),
        ("of last resort", with(vec![(LAST_RESORT, vec![])])),
        ("an extension of another version names no group", with(naming(2, &CHANNEL))),
        ("an extension that is too short names no group", with(naming(1, &CHANNEL[1..]))),
        ("an extension that is too long names no group", with(naming(1, &[0xC4; 33]))),
    ]
    .into_iter()
    .fold(group, |group, (comment, package)| {
        group.valid(comment, input(&package.bytes(), package.suite), outputs(&package.bytes()))
    });
    let asking = with(naming(1, &CHANNEL)).bytes();
    let mut named = outputs(&asking);
    named["rejoins"] = json!(hex::encode(CHANNEL));
    group.valid("asks to be added again (GRP-090)", input(&asking, CLASSICAL), named)
}

fn outputs(package: &[u8]) -> Value {
    json!({
        "fingerprint": hex::encode(Chain::OURS.fingerprint()),
        "device": hex::encode([4; 16]),
        "device_key": hex::encode(public(4)),
        "reference": hex::encode(reference(package)),
    })
}

fn bytes() -> Group {
    let whole = classical().bytes();
    let longer = [&whole[..], &[0]].concat();
    let with = |extensions| Package { extensions, ..classical() }.bytes();
    let asking = || (OURS, [&[0, 1], &CHANNEL[..]].concat());
    let mut group = Group::new("bytes", &["GRP-127", "GRP-149"]);
    for (comment, bytes) in [
        ("nothing", &[][..]),
        ("cut off", &whole[..whole.len() - 1]),
        ("a byte follows", &longer),
        ("an MLSMessage around it", &[&[0, 1, 0, 5], &whole[..]].concat()),
        ("of last resort with a content", &with(vec![(LAST_RESORT, vec![1])])),
        ("asks twice", &with(vec![asking(), asking()])),
    ] {
        group = refused(group, comment, input(bytes, CLASSICAL), Rejection::MalformedMessage);
    }
    group
}

fn refused(group: Group, comment: &str, input: Value, rejection: Rejection) -> Group {
    group.test(comment, &[], input, rejected(rejection))
}

fn signatures() -> Group {
    let ours = classical();
    let whole = ours.bytes();
    // The init key begins behind version, suite and its length; the leaf's key behind that.
    let cases = [
        ("another device signed the leaf", Package { signers: [5, 4], ..ours.clone() }.bytes()),
        ("another device signed the package", Package { signers: [4, 5], ..ours.clone() }.bytes()),
        ("the init key was changed", flipped(&whole, 5)),
        ("the leaf's encryption key was changed", flipped(&whole, 38)),
        ("the signature was changed", flipped(&whole, whole.len() - 1)),
    ];
    let mut group = Group::new("signatures", &["GRP-127", "WIRE-021"]);
    for (comment, bytes) in cases {
        group = refused(group, comment, input(&bytes, CLASSICAL), Rejection::BadSignature);
    }
    group
}

fn leaves() -> Group {
    let ours = classical();
    let strangers = Chain { signer: 9, ..Chain::OURS }.credential(4);
    let lifetime =
        |not_before, not_after| Package { lifetime: [not_before, not_after], ..ours.clone() };
    let capable = |at: usize, list: &'static [u16]| {
        let mut capabilities = CAPABILITIES;
        capabilities[at] = list;
        Package { capabilities, ..ours.clone() }
    };
    let limited = Rejection::LifetimeNotUnlimited;
    let (leaf, credential) = (Rejection::BadLeaf, Rejection::BadCredential);
    let both = |extensions| Package { extensions, ..ours.clone() };
    let (last, asking) = ((LAST_RESORT, vec![]), (OURS, [&[0, 1], &CHANNEL[..]].concat()));
    let mut group = Group::new(
        "leaves",
        &["GRP-020", "GRP-023", "GRP-024", "GRP-031", "GRP-127", "GRP-149", "IDN-024"],
    );
    for (comment, package, suite, rejection) in [
        ("ends a second before it need not", lifetime(0, u64::MAX - 1), CLASSICAL, limited),
        ("begins a second late", lifetime(1, u64::MAX), CLASSICAL, limited),
        ("ended in 1970", lifetime(0, 1), CLASSICAL, limited),
        ("begins later than any clock", lifetime(u64::MAX - 1, u64::MAX), CLASSICAL, limited),
        ("of the other suite", ours.clone(), HYBRID, leaf),
        ("hybrid where classical is expected", Package::of(4), CLASSICAL, leaf),
        ("another version of MLS", Package { version: 2, ..ours.clone() }, CLASSICAL, leaf),
        ("one key in two places", Package { seeds: [0x51; 2], ..ours.clone() }, CLASSICAL, leaf),
        (
            "an extension that the leaf does not name",
            Package { extensions: vec![(0xF4A2, vec![])], ..ours.clone() },
            CLASSICAL,
            leaf,
        ),
        ("of last resort, and asks", both(vec![last.clone(), asking.clone()]), CLASSICAL, leaf),
        ("asks, and of last resort", both(vec![asking.clone(), last.clone()]), CLASSICAL, leaf),
        ("an extension of MLS that has no place there", both(vec![(1, vec![0])]), CLASSICAL, leaf),
        (
            "an extension in the leaf",
            Package { leaf_extensions: vec![(OURS, vec![])], ..ours.clone() },
            CLASSICAL,
            leaf,
        ),
        ("suites in another order", capable(1, &[0x0003, 0x004F]), CLASSICAL, leaf),
        ("one suite only", capable(1, &[0x0003]), CLASSICAL, leaf),
        ("GREASE", capable(2, &[0xF4A1, 0x000A, 0x0A0A]), CLASSICAL, leaf),
        ("without self_remove", capable(3, &[]), CLASSICAL, leaf),
        (
            "another device's credential",
            Package { credential: Chain::OURS.credential(5), ..ours.clone() },
            CLASSICAL,
            credential,
        ),
        (
            "a credential that another manager signed",
            Package { credential: strangers, ..ours.clone() },
            CLASSICAL,
            credential,
        ),
        (
            "a credential of another type",
            Package { credential_type: 2, ..ours.clone() },
            CLASSICAL,
            leaf,
        ),
        ("no credential", Package { credential: vec![], ..ours.clone() }, CLASSICAL, credential),
    ] {
        group = refused(group, comment, input(&package.bytes(), suite), rejection);
    }
    group
}
