//! How MLS is used: the answers of `spec/mls-profile.md` as configuration.

use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, Lifetime,
    MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig,
    ProposalType, ProtocolVersion, RequiredCapabilitiesExtension, SenderRatchetConfiguration,
    UnknownExtension,
};

use super::error::{GroupError, Rejection};
use super::state::{EXTENSION_TYPE, GroupState, RuleVersion};
use crate::encoding::DecodeError;
use crate::provider::Suite;

/// How many messages of one sender may be missing before a later one, and still be opened
/// afterwards (spec: GRP-052). The log is ordered: only an interrupted reading lets them come late.
const OUT_OF_ORDER_TOLERANCE: u32 = 32;
/// How many messages of one sender may be missing before one that is opened (spec: GRP-052).
const FORWARD_DISTANCE_MAX: u32 = 10_000;

/// The lifetime of every KeyPackage: a verdict that depends on a clock splits groups
/// (spec: GRP-023).
pub(crate) fn unlimited() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

pub(crate) fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&Suite::ALL.map(Suite::ciphersuite)),
        Some(&[ExtensionType::Unknown(EXTENSION_TYPE), ExtensionType::LastResort]),
        Some(&[ProposalType::SelfRemove]),
        Some(&[CredentialType::Basic]),
    )
}

/// Outgoing handshakes are ciphertext; incoming ones may be plaintext only because a SelfRemove is
/// (our own check comes first, spec: GRP-034). No past epochs: the log is totally ordered.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(0)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(
            OUT_OF_ORDER_TOLERANCE,
            FORWARD_DISTANCE_MAX,
        ))
        .build()
}

pub(crate) fn create_config(
    suite: Suite,
    state: &GroupState,
) -> Result<MlsGroupCreateConfig, GroupError> {
    Ok(MlsGroupCreateConfig::builder()
        .ciphersuite(suite.ciphersuite())
        .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(0)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(false)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(
            OUT_OF_ORDER_TOLERANCE,
            FORWARD_DISTANCE_MAX,
        ))
        .capabilities(capabilities())
        .lifetime(unlimited())
        .with_group_context_extensions(context_extensions(state)?)
        .build())
}

/// The whole extension list of a GroupContext (spec: GRP-014).
pub(crate) fn context_extensions(
    state: &GroupState,
) -> Result<Extensions<GroupContext>, GroupError> {
    let required = RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(EXTENSION_TYPE)],
        &[ProposalType::SelfRemove],
        &[CredentialType::Basic],
    );
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(EXTENSION_TYPE, UnknownExtension(state.to_bytes())),
    ])
    .map_err(|_| GroupError::Mls)
}

/// The rules of a GroupContext, if they are newer than these. Of what a program does not know it can
/// read nothing else (spec: GRP-100).
pub(crate) fn newer_rules(
    extensions: &Extensions<GroupContext>,
    than: RuleVersion,
) -> Option<RuleVersion> {
    let state = extensions.unknown(EXTENSION_TYPE)?;
    RuleVersion::of_state(&state.0).ok().filter(|rules| *rules > than)
}

/// The state in a GroupContext that has exactly our extensions (spec: GRP-014).
pub(crate) fn state_of(extensions: &Extensions<GroupContext>) -> Result<GroupState, Rejection> {
    read_state(extensions, GroupState::from_bytes)
}

/// The state in a GroupContext that this member agreed to before (spec: CLI-134).
pub(crate) fn agreed_state_of(
    extensions: &Extensions<GroupContext>,
) -> Result<GroupState, Rejection> {
    read_state(extensions, GroupState::from_agreed)
}

/// The state that a commit leads to (spec: GRP-010).
pub(crate) fn state_after(
    extensions: &Extensions<GroupContext>,
    before: &GroupState,
) -> Result<GroupState, Rejection> {
    read_state(extensions, |bytes| GroupState::from_bytes_after(bytes, before))
}

fn read_state(
    extensions: &Extensions<GroupContext>,
    read: impl Fn(&[u8]) -> Result<GroupState, DecodeError>,
) -> Result<GroupState, Rejection> {
    let bytes = &extensions.unknown(EXTENSION_TYPE).ok_or(Rejection::BadGroupState)?.0;
    let state = read(bytes).map_err(|_| Rejection::BadGroupState)?;
    let expected = context_extensions(&state).map_err(|_| Rejection::BadGroupState)?;
    if *extensions == expected { Ok(state) } else { Err(Rejection::BadGroupState) }
}

/// The suite of a group; stored groups have one of ours.
pub(crate) fn suite_of(mls: &MlsGroup) -> Result<Suite, GroupError> {
    Suite::of(mls.ciphersuite()).ok_or(GroupError::Mls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::GroupKind;
    use crate::identity::Fingerprint;

    #[test]
    fn a_commit_is_refused_for_texts_that_it_brings_only() {
        // spec: CLI-135, GRP-010
        let named = |name: &str, description: &str| {
            let creator = Fingerprint::from_bytes([1; 32]);
            let mut state = GroupState::new(GroupKind::Group, creator);
            (state.name, state.description) = (name.to_owned(), description.to_owned());
            state
        };
        let after = |before: &GroupState, after: &GroupState| {
            state_after(&context_extensions(after).unwrap(), before)
        };
        let hidden = named("a\u{ad}", "b");
        let mut promoted = hidden.clone();
        promoted.set_role(Fingerprint::from_bytes([2; 32]), crate::group::Role::Admin);
        assert_eq!(after(&hidden, &hidden).as_ref(), Ok(&hidden));
        assert_eq!(after(&hidden, &promoted).as_ref(), Ok(&promoted));
        assert!(after(&hidden, &named("c", "b")).is_ok());
        for (before, next) in [
            (&named("a", "b"), &hidden),
            (&hidden, &named("a\u{ad}", "c")),
            (&hidden, &named("a\u{ad}\u{ad}", "b")),
        ] {
            assert_eq!(after(before, next), Err(Rejection::BadGroupState));
        }
    }
}
