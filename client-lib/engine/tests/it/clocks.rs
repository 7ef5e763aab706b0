//! Clocks that are wrong for a while.

use hushwire_engine::{
    command::{Command, FailureReason, LinkUse},
    event::Event,
};

use crate::{
    devices::link,
    world::{Who, World},
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const FIVE_YEARS_MS: i64 = 5 * 365 * 24 * 60 * 60 * 1000;

/// Somebody new adds `other` by a link; whether that came to be, and why not.
fn added_by_a_stranger(world: &mut World, name: &str, other: Who) -> Result<(), FailureReason> {
    let stranger = world.person(name, 0);
    let card = world.link(other, LinkUse::Single);
    world.ask(stranger, Command::AddContact { link: card });
    world.pass(30 * 60 * 1000);
    let failed = |event| match event {
        Event::ContactFailed { reason, .. } => Some(reason),
        _ => None,
    };
    world.events(stranger).into_iter().find_map(failed).map_or(Ok(()), Err)
}

#[test]
fn a_clock_that_jumps_ahead_and_back_leaves_a_client_that_goes_on() {
    // spec: CLI-136, CLI-137, IDN-067
    let mut world = World::new(1);
    let (alice, bob) = (world.person("Alice", 0), world.person("Bob", 0));
    let (hers, his) = world.befriend(alice, bob);

    world.skew(alice, FIVE_YEARS_MS);
    world.say(alice, hers, "from the future");
    world.settle();
    world.say(bob, his, "from the present");
    // A session that breaks now waits for a time that is years away.
    world.set_up(0, false);
    world.pass(90_000);
    world.say(alice, hers, "while the relay is away");
    world.skew(alice, 0);
    world.set_up(0, true);
    world.pass(120_000);
    // The list that was signed in the future is signed anew, and can be used.
    assert_eq!(added_by_a_stranger(&mut world, "Carol", alice), Ok(()));

    world.say(bob, his, "still there?");
    world.settle();
    world.say(alice, hers, "yes");
    world.settle();
    let said =
        ["from the future", "from the present", "while the relay is away", "still there?", "yes"];
    assert_eq!(world.texts(alice, hers).len(), said.len());
    assert_eq!(world.texts(bob, his), world.texts(alice, hers));
    for text in said {
        assert!(world.texts(bob, his).iter().any(|known| known == text), "{text}");
    }
}

#[test]
fn a_list_that_a_wrong_clock_signed_is_signed_anew_by_a_right_one_only() {
    // spec: IDN-067
    let mut world = World::new(1);
    let alice = world.person("Alice", 0);
    // The jump happens while the inbox is open: nothing says yet that the clock is wrong.
    world.skew(alice, FIVE_YEARS_MS);
    world.settle();
    assert_eq!(
        added_by_a_stranger(&mut world, "Carol", alice),
        Err(FailureReason::NotFresh),
        "the clock did no harm"
    );
    world.skew(alice, 0);
    world.settle();
    assert_eq!(added_by_a_stranger(&mut world, "Dave", alice), Ok(()));

    // Now a slow clock: the good list is from its future, and it leaves it as it is.
    let laptop = link(&mut world, alice);
    world.skew(laptop, -FIVE_YEARS_MS);
    world.set_online(laptop, false);
    world.set_online(laptop, true);
    world.pass(3 * DAY_MS);
    assert_eq!(added_by_a_stranger(&mut world, "Erin", alice), Ok(()));
}
