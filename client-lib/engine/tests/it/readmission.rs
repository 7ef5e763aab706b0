//! Requests to be added again: who is let in by them, and who is not.

use hushwire_engine::{
    command::{ChatState, Command, CommandError, StuckCause},
    event::{Event, Warning},
};
use hushwire_protocol::{
    group::{CommitIntent, GroupError, KeyPackageUse, LeafSelector, Rejection},
    identity::DeviceKey,
    invitation::{ContactCard, InboxContent, RejoinRequest, rejoin::RejoinTerms},
};
use hushwire_wire::id::{ChannelId, EpochId, Timestamp};

use crate::devices::{devices, link};
use crate::rejoining::{Crew, crew};
use crate::world::{
    Who,
    puppet::{Puppet, verified},
};

/// What a request says, beside who signs it.
struct Plea {
    asked_at: Timestamp,
    usage: KeyPackageUse,
    proof: Proof,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Device,
    OldLeaf,
    /// A key that no leaf has.
    Another,
}

impl Crew {
    fn plea(&self) -> Plea {
        let usage = KeyPackageUse::Rejoin(self.channel);
        Plea { asked_at: self.world.now(), usage, proof: Proof::OldLeaf }
    }

    /// Writes a request to one of the three, signed by the device that the puppet has.
    fn plead(&mut self, of: Who, puppet: &mut Puppet, to: usize, plea: &Plea) {
        let secret = self.world.own_capability(of);
        let card: ContactCard = self.world.card(of, secret);
        let terms = RejoinTerms {
            channel: self.channel,
            epoch: EpochId::from_bytes([7; 32]),
            asked_at: plea.asked_at,
        };
        let package = puppet.package(plea.usage);
        let forged = DeviceKey::from_bytes(&[9; 32]);
        let old = match plea.proof {
            Proof::Device => None,
            Proof::OldLeaf => Some(&puppet.key),
            Proof::Another => Some(&forged),
        };
        let (credential, key) = (&puppet.credential, &puppet.key);
        let request = RejoinRequest::sign(credential, key, terms, package, old, card);
        let content = InboxContent::RejoinRequest(Box::new(request)).to_bytes();
        let to = self.people[to];
        let secret = self.world.own_capability(to);
        self.world.write_item(of, to, secret, &content);
        self.world.pass(60_000);
    }

    /// What a device said of items, lately.
    fn rejected(&mut self, place: usize) -> Vec<String> {
        let code = |event| match event {
            Event::Warning(Warning::ItemRejected { code }) => Some(code),
            _ => None,
        };
        self.events(place).into_iter().filter_map(code).collect()
    }
}

#[test]
fn a_request_is_answered_once_and_not_again_for_a_while() {
    // spec: LNK-089, LNK-091
    let mut crew = crew();
    let bob = crew.people[1];
    crew.world.set_online(bob, false);
    let mut puppet = crew.world.puppet(bob, &crew.channel.clone());
    let first = crew.plea();
    crew.plead(bob, &mut puppet, 0, &first);
    assert_eq!(crew.readmissions(0), 1);
    // The same once more, one from before, and one too soon after.
    crew.plead(bob, &mut puppet, 0, &first);
    let before = Plea { asked_at: Timestamp(first.asked_at.0 - 1), ..crew.plea() };
    crew.plead(bob, &mut puppet, 0, &before);
    let soon = crew.plea();
    crew.plead(bob, &mut puppet, 0, &soon);
    assert_eq!(crew.readmissions(0), 1);
    // Nor does another member, who has read that it was done.
    let soon = crew.plea();
    crew.plead(bob, &mut puppet, 2, &soon);
    assert_eq!(crew.readmissions(2), 1);
    crew.world.pass(10 * 60_000);
    let later = crew.plea();
    crew.plead(bob, &mut puppet, 2, &later);
    assert_eq!(crew.readmissions(2), 2);
    assert!(crew.rejected(0).is_empty() && crew.rejected(2).is_empty());
}

#[test]
fn requests_that_are_not_right_are_refused() {
    // spec: LNK-044, LNK-089, LNK-091
    let mut crew = crew();
    let bob = crew.people[1];
    crew.world.set_online(bob, false);
    let mut puppet = crew.world.puppet(bob, &crew.channel.clone());
    let other = KeyPackageUse::Rejoin(ChannelId::from_bytes([8; 32]));
    let ahead = Timestamp(crew.plea().asked_at.0 + 60 * 60_000);
    let pleas = [
        Plea { usage: KeyPackageUse::Once, ..crew.plea() },
        Plea { usage: other, ..crew.plea() },
        Plea { asked_at: ahead, ..crew.plea() },
    ];
    for plea in &pleas {
        crew.plead(bob, &mut puppet, 0, plea);
    }
    assert_eq!(crew.rejected(0), ["REJOIN_NOT_VALID"; 3]);
    // Of long ago: nothing is wrong with it, and nothing is done.
    let old = Plea { asked_at: Timestamp(crew.plea().asked_at.0 - 31 * 86_400_000), ..crew.plea() };
    crew.plead(bob, &mut puppet, 0, &old);
    assert_eq!((crew.rejected(0).len(), crew.readmissions(0)), (3, 0));
}

#[test]
fn a_stranger_and_one_who_was_removed_are_not_let_in() {
    // spec: LNK-090, LNK-047
    let mut crew = crew();
    let eve = crew.world.person("Eve", 0);
    let own = crew.world.channels(eve).remove(0);
    let mut stranger = crew.world.puppet(eve, &own);
    let plea = crew.plea();
    crew.plead(eve, &mut stranger, 0, &plea);
    let bob = crew.people[1];
    let mut puppet = crew.world.puppet(bob, &crew.channel.clone());
    let members = crew.members(0);
    let member = members.iter().find(|member| member.name == "Bob").unwrap().fingerprint.clone();
    crew.world.ask(crew.people[0], Command::GroupRemove { chat: crew.chats[0], member });
    crew.world.settle();
    crew.world.set_online(bob, false);
    let plea = crew.plea();
    crew.plead(bob, &mut puppet, 0, &plea);
    assert_eq!(crew.rejected(0), ["REJOIN_NOT_A_MEMBER"]);
    assert_eq!((crew.readmissions(0), crew.members(0).len()), (0, 2));
}

#[test]
fn a_revoked_device_is_not_added_again() {
    // spec: LNK-058, LNK-090
    let mut crew = crew();
    let bob = crew.people[1];
    let laptop = link(&mut crew.world, bob);
    crew.world.pass(60_000);
    let mut puppet = crew.world.puppet(laptop, &crew.channel.clone());
    crew.world.set_online(laptop, false);
    let number = devices(&mut crew.world, bob)
        .into_iter()
        .find(|device| device.current == hushwire_engine::command::ThisDevice::No)
        .unwrap()
        .number;
    crew.world.ask(bob, Command::DeviceRevoke(number));
    crew.world.pass(60_000);
    for to in [0, 1] {
        let plea = crew.plea();
        crew.plead(laptop, &mut puppet, to, &plea);
    }
    assert_eq!((crew.readmissions(0), crew.readmissions(1)), (0, 0));
    assert_eq!(crew.members(0).iter().find(|it| it.name == "Bob").unwrap().devices, 1);
    crew.assert_whole();
}

#[test]
fn without_the_old_leaf_a_person_says_so() {
    // spec: LNK-090, LNK-092
    for proof in [Proof::Device, Proof::Another] {
        let mut crew = crew();
        let bob = crew.people[1];
        crew.world.set_online(bob, false);
        let mut puppet = crew.world.puppet(bob, &crew.channel.clone());
        let plea = Plea { proof, ..crew.plea() };
        crew.plead(bob, &mut puppet, 0, &plea);
        let (members, chat) = (crew.members(0), crew.chats[0]);
        let asking = members.into_iter().find(|member| member.asking > 0).unwrap();
        assert_eq!((asking.name.as_str(), asking.asking), ("Bob", 1));
        let member = asking.fingerprint;
        let asked = Event::ReadmissionAsked { chat, member: member.clone() };
        assert!(crew.events(0).contains(&asked));
        crew.world.pass(60 * 60_000);
        assert_eq!(crew.readmissions(0), 0);
        let confirm = Command::Readmit { chat, member };
        crew.world.ask(crew.people[0], confirm.clone());
        crew.world.settle();
        assert_eq!(crew.readmissions(0), 1);
        let again = crew.world.try_ask(crew.people[0], confirm);
        assert_eq!(again, Err(CommandError::NothingAsked));
        // Nobody has the private part of that package: the device asks anew.
        crew.world.set_online(bob, true);
        crew.world.pass(20 * 60_000);
        assert_eq!(crew.causes(1), [StuckCause::AddedAgain]);
        crew.assert_whole();
    }
}

#[test]
fn a_member_cannot_put_out_another_by_adding_them_again() {
    // spec: GRP-041, GRP-090, CLI-160
    let mut crew = crew();
    let [_, bob, carol] = crew.people;
    crew.world.set_online(bob, false);
    let mut hostile = crew.world.puppet(bob, &crew.channel.clone());
    let mut victim = crew.world.puppet(carol, &crew.channel.clone());
    let out_and_in = |victim: &mut Puppet, usage| CommitIntent {
        add: vec![verified(&victim.package(usage))],
        remove: vec![LeafSelector::Device(
            victim.credential.identity(),
            victim.credential.device(),
        )],
        ..CommitIntent::default()
    };
    let no_right = Some(GroupError::WouldBeRejected(Rejection::NoRight));
    let intent = out_and_in(&mut victim, KeyPackageUse::Once);
    assert_eq!(crew.world.refuses_commit(&mut hostile, intent), no_right);
    // With a package by which she once asked it works, and she comes back by herself.
    crew.world.pass(5_000);
    let intent = out_and_in(&mut victim, KeyPackageUse::Rejoin(crew.channel));
    crew.world.commit_as(&mut hostile, intent);
    crew.world.settle();
    let events = crew.events(2);
    assert_eq!(crew.info(2).stuck, Some(StuckCause::AddedAgain), "{events:?}");
    crew.world.pass(20 * 60_000);
    assert_eq!((crew.state(2), crew.returns(2)), (ChatState::Open, 1));
}
