//! Stories of files: through crashes, changes, and relays that lie.

use std::{cell::Cell, rc::Rc};

use hushwire_engine::{
    command::{
        ChatNumber, Command, CommandError, FailureReason, MessageBody, MessageInfo, MessageNumber,
        MessageState, Reply, TransferState,
    },
    event::Event,
};
use hushwire_wire::message::Answer;

use crate::world::{Who, World};

const SOURCE: &str = "/home/alice/Holiday.jpg";
const TARGET: &str = "/home/bob/saved.jpg";

struct Story {
    world: World,
    alice: Who,
    bob: Who,
    /// The chat, as each of them has it.
    to_bob: ChatNumber,
    to_alice: ChatNumber,
}

impl Story {
    fn new() -> Self {
        let mut world = World::new(1);
        let alice = world.person("Alice", 0);
        let bob = world.person("Bob", 0);
        let (to_bob, to_alice) = world.befriend(alice, bob);
        Self { world, alice, bob, to_bob, to_alice }
    }

    fn write(&mut self, content: Vec<u8>) {
        self.world.disk(self.alice).files.insert(SOURCE.into(), content);
    }

    fn send(&mut self) -> MessageNumber {
        let command = Command::SendFile {
            chat: self.to_bob,
            path: SOURCE.into(),
            media_type: "image/jpeg".into(),
        };
        let reply = self.world.ask(self.alice, command);
        let Reply::Accepted { message, .. } = reply else { panic!("not accepted") };
        message
    }

    /// The last message of Alice's, or Bob's, chat.
    fn last(&mut self, who: Who) -> MessageInfo {
        let chat = if who == self.alice { self.to_bob } else { self.to_alice };
        self.world.messages(who, chat).pop().unwrap()
    }

    fn sent(&mut self, content: Vec<u8>) -> MessageNumber {
        self.write(content);
        let message = self.send();
        self.world.settle();
        message
    }

    fn download(&mut self) {
        let message = self.last(self.bob).number;
        let path = TARGET.to_owned();
        let chat = self.to_alice;
        self.world.ask(self.bob, Command::Download { chat, message, path });
    }

    fn saved(&mut self) -> Option<Vec<u8>> {
        self.world.disk(self.bob).files.remove(TARGET)
    }

    fn retry(&mut self, message: MessageNumber) {
        let chat = self.to_bob;
        self.world.ask(self.alice, Command::Retry { chat, message });
        self.world.settle();
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..=255).flat_map(|byte| [byte; 251]).cycle().take(length).collect()
}

fn transfer(message: &MessageInfo) -> TransferState {
    let MessageBody::File { transfer, .. } = &message.body else { panic!("no file") };
    transfer.clone()
}

#[test]
fn a_large_file_arrives_in_chunks() {
    // spec: CLI-080, CLI-084, CLI-085
    let mut story = Story::new();
    let file = content(10_000_000);
    let number = story.sent(file.clone());
    assert!(story.world.disk(story.alice).read_max <= 256 * 1024);
    let mine = story.last(story.alice);
    assert_eq!(mine.number, number);
    assert_eq!(mine.state, MessageState::Delivered { people: 1, of: 1 });
    assert_eq!(transfer(&mine), TransferState::Complete);

    let theirs = story.last(story.bob);
    let MessageBody::File { name, size, media_type, transfer: state } = &theirs.body else {
        panic!("no file")
    };
    assert_eq!(
        (name.as_str(), *size, media_type.as_str()),
        ("Holiday.jpg", 10_000_000, "image/jpeg")
    );
    assert_eq!(*state, TransferState::Remote);
    story.download();
    story.world.settle();
    assert_eq!(transfer(&story.last(story.bob)), TransferState::Complete);
    assert!(story.saved() == Some(file));
    let ended = |event: &Event| matches!(event, Event::TransferEnded { .. });
    assert_eq!(story.world.events(story.bob).iter().filter(|event| ended(event)).count(), 1);
}

#[test]
fn a_file_is_pending_until_it_is_at_the_relay() {
    // spec: CLI-080
    let mut story = Story::new();
    story.world.set_online(story.alice, false);
    let _ = story.sent(content(700_000));
    let mine = story.last(story.alice);
    assert_eq!(mine.state, MessageState::Pending);
    assert!(matches!(transfer(&mine), TransferState::Moving { done: 0, .. }));
    story.world.set_online(story.alice, true);
    story.world.pass(120_000);
    assert_eq!(story.last(story.alice).state, MessageState::Delivered { people: 1, of: 1 });
}

#[test]
fn every_length_goes_both_ways() {
    // spec: CLI-080, CLI-085
    let mut story = Story::new();
    for length in [0, 1, 262_128, 262_129, 524_256, 786_400] {
        let file = content(length);
        story.sent(file.clone());
        story.download();
        story.world.settle();
        assert!(story.saved() == Some(file), "{length}");
        // The sender's devices can fetch it too.
        let chat = story.to_bob;
        let message = story.last(story.alice).number;
        let path = format!("/home/alice/{length}");
        story.world.ask(story.alice, Command::Download { chat, message, path: path.clone() });
        story.world.settle();
        assert_eq!(story.world.disk(story.alice).files[&path].len(), length);
    }
}

#[test]
fn crashes_of_the_sender_at_every_step_change_nothing() {
    // spec: CLI-081
    let mut story = Story::new();
    for step in 1..30 {
        let mut file = content(1_200_000);
        file[0] = u8::try_from(step).unwrap();
        story.write(file.clone());
        story.send();
        story.world.crash_at(story.alice, step);
        story.world.pass(200_000);
        let count = story.world.messages(story.bob, story.to_alice).len();
        assert_eq!(count, step as usize, "each file came once");
        story.download();
        story.world.settle();
        assert!(story.saved() == Some(file), "crash at step {step}");
    }
}

#[test]
fn crashes_of_the_receiver_at_every_step_change_nothing() {
    // spec: CLI-081, CLI-085
    let mut story = Story::new();
    let file = content(1_200_000);
    story.sent(file.clone());
    for step in 1..30 {
        story.download();
        story.world.crash_at(story.bob, step);
        story.world.pass(200_000);
        assert_eq!(transfer(&story.last(story.bob)), TransferState::Complete, "step {step}");
        assert!(story.saved() == Some(file.clone()), "crash at step {step}");
        assert_eq!(story.world.disk(story.bob).parts(), 0);
    }
}

#[test]
fn what_was_moved_is_not_moved_again() {
    // spec: CLI-081
    let mut story = Story::new();
    let file = content(2_000_000);
    story.world.set_online(story.alice, false);
    story.write(file.clone());
    story.send();
    // Half of the blob goes up, then the network breaks.
    story.world.set_tamper(|answer| match answer.answer {
        Answer::BlobState { stored: 786_432.., .. } => None,
        _ => Some(answer),
    });
    story.world.set_online(story.alice, true);
    story.world.settle();
    assert!(matches!(transfer(&story.last(story.alice)), TransferState::Moving { done: 1.., .. }));
    let answers = story.count_answers(|answer| matches!(answer, Answer::BlobState { .. }));
    story.world.restart(story.alice);
    story.world.settle();
    // The blob has 8 chunks: the relay had 6, told of them, and got 2 more.
    assert_eq!(answers.get(), 1 + 2);

    story.download_until_cut();
    let answers = story.count_answers(|answer| matches!(answer, Answer::BlobChunk { .. }));
    story.world.restart(story.bob);
    story.world.settle();
    assert_eq!(answers.get(), 6);
    assert!(story.saved() == Some(file));
}

#[test]
fn many_files_go_a_few_at_a_time() {
    // spec: CLI-084
    let mut story = Story::new();
    story.write(content(600_000));
    story.world.set_online(story.alice, false);
    for _ in 0..10 {
        story.send();
    }
    story.world.set_online(story.alice, true);
    story.world.pass(200_000);
    assert_eq!(story.world.messages(story.bob, story.to_alice).len(), 10);
    assert_eq!(story.world.disk(story.alice).open_max, 4);
}

#[test]
fn no_file_goes_to_a_relay_with_other_chunks() {
    // spec: WIRE-041
    let mut story = Story::new();
    story.world.set_online(story.alice, false);
    story.world.set_tamper(|mut frame| {
        if let Answer::Hello(reply) = &mut frame.answer {
            reply.blob_chunk_bytes = 131_072;
        }
        Some(frame)
    });
    story.world.set_online(story.alice, true);
    story.write(content(300_000));
    story.send();
    story.world.settle();
    let state = story.last(story.alice).state;
    assert_eq!(state, MessageState::Failed(FailureReason::Refused));
}

#[test]
fn a_file_that_vanished_or_cannot_be_read_fails_and_can_be_sent_again() {
    // spec: CLI-082, CLI-083
    let mut story = Story::new();
    let number = story.send();
    story.world.settle();
    let mine = story.last(story.alice);
    assert_eq!(mine.state, MessageState::Failed(FailureReason::FileChanged));
    assert_eq!(transfer(&mine), TransferState::Failed(FailureReason::FileChanged));

    story.write(content(300_000));
    story.world.disk(story.alice).unreadable.push(SOURCE.into());
    story.retry(number);
    let state = story.last(story.alice).state;
    assert_eq!(state, MessageState::Failed(FailureReason::FileNotAccessible));

    story.world.disk(story.alice).unreadable.clear();
    story.retry(number);
    assert_eq!(story.last(story.alice).state, MessageState::Delivered { people: 1, of: 1 });
    assert_eq!(story.last(story.alice).number, number);
}

#[test]
fn a_file_that_changed_while_it_was_sent_is_not_mixed() {
    // spec: CLI-082, CLI-083
    let changes: [fn(&mut Vec<u8>); 2] = [|file| file[0] ^= 1, |file| file.truncate(1_000)];
    for change in changes {
        let mut story = Story::new();
        story.write(content(1_200_000));
        story.world.set_online(story.alice, false);
        let number = story.send();
        story.world.set_online(story.alice, true);
        // It has sealed and sent a window of chunks, and hears nothing of them.
        story.world.set_tamper(|answer| match answer.answer {
            Answer::BlobState { stored: 1.., .. } => None,
            _ => Some(answer),
        });
        story.world.restart(story.alice);
        story.world.pass(10_000);
        change(story.world.disk(story.alice).files.get_mut(SOURCE).unwrap());
        story.world.set_tamper(Some);
        story.world.restart(story.alice);
        story.world.pass(10_000);
        let state = story.last(story.alice).state;
        assert_eq!(state, MessageState::Failed(FailureReason::FileChanged));
        story.retry(number);
        let file = story.world.disk(story.alice).files[SOURCE].clone();
        story.download();
        story.world.settle();
        assert!(story.saved() == Some(file));
    }
}

#[test]
fn wrong_bytes_of_a_relay_never_get_the_name() {
    // spec: CLI-085
    let mut story = Story::new();
    story.sent(content(600_000));
    story.world.set_tamper(|mut answer| {
        if let Answer::BlobChunk { offset: 262_144, content } = &mut answer.answer {
            let mut changed = content.to_vec();
            changed[7] ^= 1;
            *content = changed.into();
        }
        Some(answer)
    });
    story.download();
    story.world.settle();
    let state = transfer(&story.last(story.bob));
    assert_eq!(state, TransferState::Failed(FailureReason::Damaged));
    assert_eq!(story.saved(), None);
    assert_eq!(story.world.disk(story.bob).parts(), 0);
    // An honest relay later makes up for it.
    story.world.set_tamper(Some);
    story.download();
    story.world.settle();
    assert_eq!(transfer(&story.last(story.bob)), TransferState::Complete);
}

#[test]
fn a_blob_of_another_length_or_that_is_gone_is_named() {
    // spec: CLI-085, ATT-006
    let mut story = Story::new();
    story.sent(content(600_000));
    story.world.set_tamper(|mut answer| {
        if let Answer::BlobState { size, stored } = &mut answer.answer {
            (*size, *stored) = (*size + 8_192, *stored + 8_192);
        }
        Some(answer)
    });
    story.download();
    story.world.settle();
    let state = transfer(&story.last(story.bob));
    assert_eq!(state, TransferState::Failed(FailureReason::Damaged));
    story.world.set_tamper(Some);
    story.world.pass(121 * 24 * 60 * 60 * 1_000);
    story.download();
    story.world.settle();
    let state = transfer(&story.last(story.bob));
    assert_eq!(state, TransferState::Failed(FailureReason::Expired));
}

#[test]
fn an_unfinished_file_that_was_harmed_is_fetched_anew() {
    // spec: CLI-081, CLI-085
    for lost in [false, true] {
        let mut story = Story::new();
        let file = content(1_200_000);
        story.sent(file.clone());
        story.download_until_cut();
        assert_eq!(story.world.disk(story.bob).parts(), 1);
        match lost {
            false => story.world.disk(story.bob).damage_parts(),
            true => story.world.disk(story.bob).lose_parts(),
        }
        story.world.set_tamper(Some);
        story.world.restart(story.bob);
        story.world.pass(200_000);
        assert!(story.saved() == Some(file));
        assert_eq!(story.world.disk(story.bob).parts(), 0);
    }
}

impl Story {
    /// From now on nothing is lost, and answers of a kind are counted.
    fn count_answers(&mut self, which: fn(&Answer) -> bool) -> Rc<Cell<u32>> {
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        self.world.set_tamper(move |answer| {
            counted.set(counted.get() + u32::from(which(&answer.answer)));
            Some(answer)
        });
        count
    }

    /// Lets Bob have two chunks, and no more.
    fn download_until_cut(&mut self) {
        self.world.set_tamper(|answer| match answer.answer {
            Answer::BlobChunk { offset, .. } if offset >= 524_288 => None,
            _ => Some(answer),
        });
        self.download();
        self.world.settle();
        assert!(matches!(
            transfer(&self.last(self.bob)),
            TransferState::Moving { done: 524_256, .. }
        ));
    }
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    let mut story = Story::new();
    story.sent(content(100));
    let (chat, message) = (story.to_alice, story.last(story.bob).number);
    let download = |path: &str| Command::Download { chat, message, path: path.into() };
    assert_eq!(story.world.try_ask(story.bob, download("x")), Err(CommandError::BadPath));
    let (path, media_type) = ("x".to_owned(), "a/b".to_owned());
    let send = Command::SendFile { chat, path, media_type };
    assert_eq!(story.world.try_ask(story.bob, send), Err(CommandError::BadPath));
    story.world.set_online(story.bob, false);
    story.world.ask(story.bob, download(TARGET));
    let again = story.world.try_ask(story.bob, download("/other"));
    assert_eq!(again, Err(CommandError::NotApplicable));
}
