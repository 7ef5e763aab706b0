//! Entries beside commits that no client of ours would make.

use super::*;

#[test]
fn a_message_is_no_commit_and_a_commit_no_message() {
    // spec: ENV-005, GRP-051
    let mut world = World::new();
    let provider = Provider::new(&world.member.store, &mut world.member.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    group.mls.set_aad(Binding::Leave.to_bytes(&CHANNEL, &EPOCH));
    let signer = LeafSigner(&world.member.key);
    let message = group.mls.create_message(&provider.0, &signer, b"x").unwrap();
    let message = message.tls_serialize_detached().unwrap();
    for kind in [EnvelopeKind::Message, EnvelopeKind::Leave] {
        let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };
        let content = EnvelopeContent::plain(kind, message.clone());
        let envelope = seal(&world.keys.envelope, provider.draw(), place, &content).unwrap();
        let provider = Provider::new(&world.owner.store, &mut world.owner.rng);
        let mut owner = Group::load(&provider, &CHANNEL).unwrap().unwrap();
        let opened =
            owner.open_entry(&provider, &EPOCH, &world.keys, &Operation::Message, &envelope);
        let expected = match kind {
            // signed as a wish to leave, sent as a message
            EnvelopeKind::Message => Rejection::WrongKind,
            // a PrivateMessage where only a PublicMessage may stand
            _ => Rejection::WrongWireFormat,
        };
        assert_eq!(opened.map(|_| ()), Err(OpenError::Rejected(expected)));
    }
}

#[test]
fn what_stands_beside_a_commit_stands_beside_nothing_else() {
    // spec: ENV-005
    let mut world = World::new();
    let provider = Provider::new(&world.member.store, &mut world.member.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let (key, keys) = (&world.member.key, &world.keys);
    let sealed = group.seal_message(&provider, key, &EPOCH, keys, b"x", READ).unwrap();
    let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };
    let said = crate::envelope::open(&keys.envelope, place, &sealed.envelope).unwrap();
    let (kind, message) = (EnvelopeKind::Message, said.message);
    let beside = [(vec![], vec![]), (vec![vec![1]], vec![]), (vec![], vec![1])];
    for (proposals, report) in beside {
        let plain = proposals.is_empty() && report.is_empty();
        let content = EnvelopeContent { kind, message: message.clone(), proposals, report };
        let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };
        let envelope = seal(&keys.envelope, provider.draw(), place, &content).unwrap();
        let provider = Provider::new(&world.owner.store, &mut world.owner.rng);
        let mut owner = Group::load(&provider, &CHANNEL).unwrap().unwrap();
        let before = world.owner.store.snapshot();
        let opened = owner.open_entry(&provider, &EPOCH, keys, &Operation::Message, &envelope);
        if plain {
            assert_eq!(format!("{opened:?}"), "Ok(Message(OpenedMessage(..)))");
        } else {
            let expected = OpenError::Rejected(Rejection::MalformedEnvelope);
            assert_eq!(opened.map(|_| ()), Err(expected));
        }
        world.owner.store.roll_back(before);
    }
}

#[test]
fn nothing_but_a_wish_to_leave_travels_in_plaintext() {
    // spec: GRP-034, GRP-035
    let mut world = World::new();
    let third = world.third.credential.identity();
    let target = world.leaf(&third).to_mls();
    let provider = Provider::new(&world.member.store, &mut world.member.rng);
    let mut group = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let policy = MIXED_PLAINTEXT_WIRE_FORMAT_POLICY;
    let config = MlsGroupJoinConfig::builder().wire_format_policy(policy).build();
    group.mls.set_configuration(provider.0.storage(), &config).unwrap();
    group.mls.set_aad(Binding::Leave.to_bytes(&CHANNEL, &EPOCH));
    let signer = LeafSigner(&world.member.key);
    let (removal, _) = group.mls.propose_remove_member(&provider.0, &signer, target).unwrap();
    let removal = removal.tls_serialize_detached().unwrap();
    let place = Place { channel: &CHANNEL, epoch: &EPOCH, operation: &Operation::Message };
    let content = EnvelopeContent::plain(EnvelopeKind::Leave, removal.clone());
    let envelope = seal(&world.keys.envelope, provider.draw(), place, &content).unwrap();
    let provider = Provider::new(&world.owner.store, &mut world.owner.rng);
    let mut owner = Group::load(&provider, &CHANNEL).unwrap().unwrap();
    let opened = owner.open_entry(&provider, &EPOCH, &world.keys, &Operation::Message, &envelope);
    let unknown = Rejection::UnknownProposal;
    assert_eq!(opened.map(|_| ()), Err(OpenError::Rejected(unknown)));
    // Nor beside a commit, of which it would be a part.
    let forgery = Forgery { proposals: vec![removal], ..Forgery::new(renewed) };
    assert_eq!(World::new().verdict(forgery), Err(unknown));
}
