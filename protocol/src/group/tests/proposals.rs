//! Proposals that are not taken, and what is found first where several things are wrong.

use openmls::prelude::{
    CredentialType, ExtensionType, GroupContext, MlsGroup, MlsMessageOut, ProposalType,
    RequiredCapabilitiesExtension,
};

use super::*;

/// A type of extension that nobody names.
const OTHER: ExtensionType = ExtensionType::Unknown(0xF4A9);

/// A KeyPackage whose leaf can do more than those of ours.
fn more_capable() -> KeyPackage {
    let ours = capabilities();
    let more = Capabilities::new(
        None,
        Some(&[SUITE.ciphersuite()]),
        Some(ours.extensions()),
        Some(ours.proposals()),
        Some(ours.credentials()),
    );
    device_with(1, ManagerCounter(1), 1 ^ 0x55).key_package(unlimited(), more)
}

/// Those of a group context with a state that nobody can read.
fn unreadable() -> Extensions<GroupContext> {
    let state = GroupState::new(GroupKind::Group, Device::new(1).credential.identity());
    let mut extensions = context_extensions(&state).unwrap();
    let broken = Extension::Unknown(state::EXTENSION_TYPE, UnknownExtension(vec![1]));
    extensions.add_or_replace(broken).unwrap();
    extensions
}

/// A secret that owner and member know, and a proposal to use it.
fn shared_secret(world: &mut World) -> Proposal {
    let id = PreSharedKeyId::external(vec![1], vec![7; 32]);
    for device in [&mut world.owner, &mut world.member] {
        let provider = Provider::new(&device.store, &mut device.rng);
        id.store(&provider.0, &[8; 32]).unwrap();
    }
    Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)))
}

fn add(builder: CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial> {
    builder.propose_adds([more_capable()])
}

fn set(builder: CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial> {
    builder.propose_group_context_extensions(unreadable()).unwrap()
}

#[test]
fn proposals_are_looked_at_one_by_one_and_the_state_behind_them() {
    // spec: GRP-010, GRP-024, GRP-035
    let verdict =
        |build: fn(CommitBuilder<'_, Initial>, Proposal) -> CommitBuilder<'_, Initial>| {
            let mut world = World::new();
            let secret = shared_secret(&mut world);
            world.verdict(Forgery::new(move |builder| build(renewed(builder), secret.clone())))
        };
    let (kind, leaf, state) =
        (Rejection::UnknownProposal, Rejection::BadLeaf, Rejection::BadGroupState);
    assert_eq!(verdict(|builder, _| set(builder)), Err(state));
    assert_eq!(verdict(|builder, _| add(set(builder))), Err(leaf));
    assert_eq!(verdict(|builder, secret| set(builder).add_proposal(secret)), Err(kind));
    assert_eq!(verdict(|builder, secret| add(builder).add_proposal(secret)), Err(leaf));
}

type Propose = fn(&mut MlsGroup, &Provider<'_>, &LeafSigner<'_>) -> MlsMessageOut;

fn propose_addition(
    group: &mut MlsGroup,
    by: &Provider<'_>,
    as_: &LeafSigner<'_>,
) -> MlsMessageOut {
    group.propose_add_member(&by.0, as_, &second_device(7)).unwrap().0
}

fn propose_state(group: &mut MlsGroup, by: &Provider<'_>, as_: &LeafSigner<'_>) -> MlsMessageOut {
    let extensions = group.extensions().clone();
    group.propose_group_context_extensions(&by.0, extensions, as_).unwrap().0
}

#[test]
fn only_leaves_are_taken_by_reference() {
    // spec: GRP-035, GRP-150
    for (name, propose) in [("addition", propose_addition as Propose), ("state", propose_state)] {
        for beside in [true, false] {
            let mut world = World::new();
            let provider = Provider::new(&world.member.store, &mut world.member.rng);
            let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
            let policy = MIXED_PLAINTEXT_WIRE_FORMAT_POLICY;
            let config = MlsGroupJoinConfig::builder().wire_format_policy(policy).build();
            group.mls.set_configuration(provider.0.storage(), &config).unwrap();
            group.mls.set_aad(Binding::Leave.to_bytes(&CHANNEL, &EPOCH));
            let signer = LeafSigner(&world.member.key);
            let proposal = propose(&mut group.mls, &provider, &signer);
            let proposal = proposal.tls_serialize_detached().unwrap();
            let proposals = if beside { vec![proposal] } else { vec![] };
            let forgery = Forgery { proposals, ..Forgery::new(renewed) };
            let expected =
                if beside { Rejection::UnknownProposal } else { Rejection::InvalidCommit };
            assert_eq!(world.verdict(forgery), Err(expected), "{name}, beside: {beside}");
        }
    }
}

/// Capabilities with these types of extensions beside our own, and these of proposals.
fn able(extensions: &[ExtensionType], proposals: &[ProposalType]) -> Capabilities {
    let suites = Suite::ALL.map(Suite::ciphersuite);
    let credentials = [CredentialType::Basic];
    Capabilities::new(None, Some(&suites), Some(extensions), Some(proposals), Some(&credentials))
}

#[test]
fn a_path_brings_a_leaf_like_all_others() {
    // spec: GRP-024, GRP-150
    let state = ExtensionType::Unknown(state::EXTENSION_TYPE);
    let verdict = |parameters: LeafNodeParameters| {
        let forgery = Forgery::new(|b| renewed(b).leaf_node_parameters(parameters.clone()));
        World::new().verdict(forgery)
    };
    let fewer = able(&[state], &[ProposalType::SelfRemove]);
    let fewer = LeafNodeParameters::builder().with_capabilities(fewer);
    assert_eq!(verdict(fewer.build()), Err(Rejection::BadLeaf));
    for (named, expected) in [(state, Rejection::BadLeaf), (OTHER, Rejection::BadLeaf)] {
        let extension = Extension::Unknown(u16::from(named), UnknownExtension(vec![]));
        let extensions = Extensions::single(extension).unwrap();
        let parameters = LeafNodeParameters::builder().with_extensions(extensions);
        assert_eq!(verdict(parameters.build()), Err(expected), "{named:?}");
    }
}

#[test]
fn required_capabilities_that_all_have_are_refused_as_a_state() {
    // spec: GRP-014, GRP-150
    let state = ExtensionType::Unknown(state::EXTENSION_TYPE);
    let (leave, basic) = (ProposalType::SelfRemove, CredentialType::Basic);
    let more =
        RequiredCapabilitiesExtension::new(&[state, ExtensionType::LastResort], &[leave], &[basic]);
    let fewer = RequiredCapabilitiesExtension::new(&[state], &[], &[]);
    let agreed = GroupState::new(GroupKind::Group, Device::new(1).credential.identity());
    for required in [more, fewer] {
        let forgery = Forgery::new(|builder| {
            let agreed = UnknownExtension(agreed.to_bytes());
            let extensions = vec![
                Extension::RequiredCapabilities(required.clone()),
                Extension::Unknown(state::EXTENSION_TYPE, agreed),
            ];
            let extensions = Extensions::from_vec(extensions).unwrap();
            renewed(builder).propose_group_context_extensions(extensions).unwrap()
        });
        assert_eq!(World::new().verdict(forgery), Err(Rejection::BadGroupState));
    }
}
