//! The same seed gives the same bytes.

use hushwire_protocol::group::CommitIntent;
use hushwire_protocol::provider::Suite;

use super::world::{Device, adding, group_of};

fn run(suite: Suite) -> Vec<Vec<u8>> {
    let mut members = group_of(6, suite);
    let mut newcomer = Device::new(9, 1);
    let said = members[2].say("hello");
    let commit = members[3].begin(CommitIntent::default());
    let package = newcomer.key_package(suite);
    let addition = members[0].begin(adding(vec![package]));
    let welcome = addition.welcomes[0].secrets.clone();
    vec![said.envelope, commit.entry.envelope, addition.entry.envelope, welcome]
}

#[test]
fn runs_replay_byte_for_byte() {
    for suite in Suite::ALL {
        let (one, other) = (run(suite), run(suite));
        assert!(one == other, "{suite:?}");
    }
}

#[test]
fn every_envelope_differs() {
    // spec: ENV-002
    let mut members = group_of(2, Suite::Classical);
    let (one, other) = (members[0].say("same"), members[0].say("same"));
    assert_ne!(one.envelope[..24], other.envelope[..24]);
    assert_eq!(one.envelope.len(), other.envelope.len());
}
