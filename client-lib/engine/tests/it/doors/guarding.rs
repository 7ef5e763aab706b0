//! Stories of what a relay, a keeper who means harm and a stranger can not do to a door.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::command::{Command, LinkAdmission, LinkState, Reply};
use hushwire_wire::{
    error::{Code, Refusal},
    message::Answer,
};

use super::house::*;

#[test]
fn a_relay_that_denies_what_it_makes_is_asked_ever_less_often() {
    // spec: GRP-116
    let mut house = house();
    let denials = Rc::new(Cell::new(0));
    let counted = Rc::clone(&denials);
    house.world.set_tamper(move |mut frame| {
        match &frame.answer {
            Answer::InboxOpened { .. } => {
                counted.set(counted.get() + 1);
                frame.answer = Answer::Refused(Refusal::from(Code::Denied));
            }
            Answer::Refused(refusal) if refusal.code == Code::AlreadyExists => {
                frame.answer = Answer::Done;
            }
            _ => {}
        }
        Some(frame)
    });
    house.link(LinkAdmission::Open);
    house.world.pass(30 * 60_000);
    assert!(denials.get() < 200, "{}", denials.get());
    // The link waits once for the door, however often that was made.
    let Reply::Status(status) = house.world.ask(house.alice, Command::Status) else { panic!() };
    assert!(status.waiting <= 1, "{}", status.waiting);
    house.world.set_tamper(Some);
    house.world.pass(10 * 60_000);
    assert_eq!(house.links(house.alice)[0].state, LinkState::Active);
}
