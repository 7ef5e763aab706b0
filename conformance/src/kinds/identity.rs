//! What a recovery phrase leads to.

use ed25519_dalek::SigningKey;
use hushwire_protocol::identity::{Recovery, RecoveryPhrase, RootKey};
use hushwire_wire::transcript::public_key;
use serde_json::{Value, json};

use crate::{
    input::Input,
    kinds::chain::{derive, hash, refused},
    suite::{Group, Outcome, Suite},
};

/// Name of the kind.
pub const NAME: &str = "identity";

/// Runs one input.
pub fn run(input: &Value) -> Outcome {
    let phrase = match RecoveryPhrase::parse(Input(input).text("phrase")) {
        Ok(phrase) => phrase,
        Err(error) => return refused(error.name()),
    };
    let (root, recovery) = (RootKey::from_phrase(&phrase), Recovery::from_phrase(&phrase));
    Outcome::valid(json!({
        "root_key": hex::encode(root.public()),
        "fingerprint": hex::encode(root.fingerprint()),
        "recovery_inbox": hex::encode(recovery.inbox),
        "recovery_owner_key": hex::encode(public_key(recovery.inbox_owner.signing_key())),
        "backup_upload_key": hex::encode(recovery.backup_upload.expose()),
        "backup_key": hex::encode(recovery.backup_key.expose()),
    }))
}

fn outputs(entropy: [u8; 32]) -> Value {
    let seed = |label: &str| -> [u8; 32] {
        derive(&entropy, label, &[], 32).try_into().expect("32 bytes were asked for")
    };
    let public = |label: &str| SigningKey::from_bytes(&seed(label)).verifying_key().to_bytes();
    let root = public("root key");
    json!({
        "root_key": hex::encode(root),
        "fingerprint": hex::encode(hash("identity", &root)),
        "recovery_inbox": hex::encode(derive(&entropy, "recovery inbox", &[], 16)),
        "recovery_owner_key": hex::encode(public("recovery inbox owner")),
        "backup_upload_key": hex::encode(seed("backup upload")),
        "backup_key": hex::encode(seed("backup key")),
    })
}

/// The tests. The phrases are those of BIP-39's own vectors.
pub fn suite() -> Suite {
    let repeated = |word: &str, last: &str| format!("{}{last}", format!("{word} ").repeat(23));
    let zeros = repeated("abandon", "art");
    let input = |phrase: &str| json!({ "phrase": phrase });
    let refuse = |group: Group, comment: &str, phrase: &str, name: &str| {
        group.test(comment, &[], input(phrase), refused(name))
    };
    let valid = Group::new("phrases", &["IDN-003", "IDN-010", "IDN-011", "IDN-013", "IDN-014"])
        .valid("entropy of zeros", input(&zeros), outputs([0; 32]))
        .valid("entropy of 7f", input(LEGAL), outputs([0x7f; 32]))
        .valid("entropy of ff", input(&repeated("zoo", "vote")), outputs([0xff; 32]))
        .valid(
            "upper case, more space",
            input(&format!(" {}\n", zeros.to_uppercase())),
            outputs([0; 32]),
        );
    let invalid = Group::new("other text", &["IDN-012"]);
    let invalid = refuse(invalid, "23 words", &"abandon ".repeat(23), "WORD_COUNT");
    let invalid = refuse(invalid, "25 words", &format!("{zeros} art"), "WORD_COUNT");
    let invalid = refuse(invalid, "no words", "", "WORD_COUNT");
    let invalid =
        refuse(invalid, "unknown word", &zeros.replacen("abandon", "x", 1), "UNKNOWN_WORD");
    let invalid = refuse(invalid, "checksum", &repeated("abandon", "zoo"), "CHECKSUM");
    let invalid =
        refuse(invalid, "two words swapped", &format!("art {}", "abandon ".repeat(23)), "CHECKSUM");
    Suite::new(NAME).group(valid).group(invalid)
}

const LEGAL: &str = "legal winner thank year wave sausage worth useful legal winner thank year \
                     wave sausage worth useful legal winner thank year wave sausage worth title";
