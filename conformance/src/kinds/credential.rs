//! Device credentials: the chain from root to device.

use hushwire_protocol::identity::UnverifiedCredential;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{Chain, flipped, hash, public, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "credential";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let bytes = Input(input).bytes("credential");
    match UnverifiedCredential::parse(&bytes).and_then(UnverifiedCredential::verify) {
        Err(error) => refused(error.name()),
        Ok(credential) => {
            assert_eq!(credential.to_bytes(), bytes, "there is one encoding");
            Outcome::valid(json!({
                "fingerprint": hex::encode(credential.identity()),
                "device": hex::encode(credential.device()),
                "device_key": hex::encode(credential.signature_key()),
                "manager_counter": credential.manager_counter().0.to_string(),
                "certificate_hash": hex::encode(credential.certificate().hash()),
            }))
        }
    }
}

/// The tests.
pub fn suite() -> Suite {
    Suite::new(NAME).group(valid()).group(chains()).group(bytes())
}

fn input(credential: &[u8]) -> Value {
    json!({ "credential": hex::encode(credential) })
}

fn valid() -> Group {
    let rules = ["IDN-002", "IDN-010", "IDN-020", "IDN-022", "IDN-023", "IDN-024", "IDN-030"];
    [Chain::OURS, Chain { counter: u64::MAX, ..Chain::OURS }].into_iter().fold(
        Group::new("whole chains", &rules),
        |group, chain| {
            let outputs = json!({
                "fingerprint": hex::encode(chain.fingerprint()),
                "device": hex::encode([4; 16]),
                "device_key": hex::encode(public(4)),
                "manager_counter": chain.counter.to_string(),
                "certificate_hash": hex::encode(hash("certificate hash", &chain.certificate(4))),
            });
            group.valid("a device", input(&chain.credential(4)), outputs)
        },
    )
}

fn chains() -> Group {
    let ours = Chain::OURS;
    let mixed = |statement: Chain, certificate: Chain| {
        [&[0, 1][..], &statement.statement(), &certificate.certificate(4)].concat()
    };
    let cases = [
        (
            "another root signed",
            mixed(Chain { root_signer: 9, ..ours }, ours),
            "STATEMENT_SIGNATURE",
        ),
        (
            "another manager signed",
            mixed(ours, Chain { signer: 9, ..ours }),
            "CERTIFICATE_SIGNATURE",
        ),
        (
            "another identity states the same manager and takes the device",
            mixed(Chain { root: 9, root_signer: 9, ..ours }, ours),
            "CERTIFICATE_SIGNATURE",
        ),
        (
            "the certificate is of an older statement",
            mixed(Chain { counter: 4, ..ours }, ours),
            "OTHER_STATEMENT",
        ),
        (
            "the certificate is of a newer statement",
            mixed(ours, Chain { counter: 4, ..ours }),
            "OTHER_STATEMENT",
        ),
        (
            "the certificate is signed without the scope",
            {
                let fields = ours.certificate(4)[..66].to_vec();
                let signature = super::chain::sign(2, "device certificate", &fields);
                [&[0, 1][..], &ours.statement(), &fields, &signature].concat()
            },
            "CERTIFICATE_SIGNATURE",
        ),
        (
            "the certificate is signed under another label",
            [
                &[0, 1][..],
                &ours.statement(),
                &ours.signed("device list", &[], &ours.certificate(4)[..66]),
            ]
            .concat(),
            "CERTIFICATE_SIGNATURE",
        ),
    ];
    let rules = ["IDN-002", "IDN-020", "IDN-021", "IDN-022", "IDN-024"];
    cases.iter().fold(Group::new("broken chains", &rules), |group, (comment, bytes, name)| {
        group.test(comment, &[], input(bytes), refused(name))
    })
}

fn bytes() -> Group {
    let whole = Chain::OURS.credential(4);
    let mut group = Group::new("bytes", &["IDN-001", "IDN-004", "IDN-024"]);
    for length in [0, 1, 2, 100, 139, 140, 269] {
        let comment = format!("cut off after {length} bytes");
        group = group.test(&comment, &[], input(&whole[..length]), refused("TRUNCATED"));
    }
    let longer = [&whole[..], &[0]].concat();
    group = group.test("a byte follows", &[], input(&longer), refused("TRAILING_BYTES"));
    for (at, name) in [
        (1, "UNKNOWN_VERSION"),
        (3, "UNKNOWN_VERSION"),
        (141, "UNKNOWN_VERSION"),
        (5, "STATEMENT_SIGNATURE"),
        (40, "STATEMENT_SIGNATURE"),
        (75, "STATEMENT_SIGNATURE"),
        (90, "STATEMENT_SIGNATURE"),
        (145, "CERTIFICATE_SIGNATURE"),
        (160, "CERTIFICATE_SIGNATURE"),
        (197, "CERTIFICATE_SIGNATURE"),
        (205, "OTHER_STATEMENT"),
        (220, "CERTIFICATE_SIGNATURE"),
        (269, "CERTIFICATE_SIGNATURE"),
    ] {
        let comment = format!("byte {at} changed");
        group = group.test(&comment, &[], input(&flipped(&whole, at)), refused(name));
    }
    group
}
