//! Messages that would change or delete others.

use hushwire_engine::{command::MessageBody, store::Table};
use hushwire_protocol::content::{Content, MessageId, RoomUri, Salt, SenderUri, TextFormat};
use hushwire_protocol::identity::Fingerprint;

use crate::rejoining::{Crew, crew};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn text(salt: u8) -> Content {
    Content::text(Salt::from_bytes([salt; 16]), TextFormat::Plain, "psst")
}

impl Crew {
    fn smuggle(&mut self, place: usize, content: &Content) {
        self.world.smuggle(self.people[place], &self.channel, content);
        self.world.settle();
    }

    /// The rows that somebody sees, and those of them that its program cannot show.
    fn rows(&mut self, place: usize) -> (usize, usize) {
        let rows = self.world.messages(self.people[place], self.chats[place]);
        let odd = |body: &MessageBody| matches!(body, MessageBody::NotSupported { .. });
        (rows.len(), rows.iter().filter(|row| odd(&row.body)).count())
    }

    fn id_of(&mut self, place: usize, content: &Content) -> MessageId {
        let person = crate::doors::house::fingerprint(&mut self.world, self.people[place]);
        let person = Fingerprint::from_hex(&person).unwrap();
        let sender = SenderUri::from_fingerprint(person.as_bytes());
        let room = RoomUri::from_channel(self.channel);
        content.encode().unwrap().message_id(&sender, &room)
    }
}

#[test]
fn nobody_edits_or_deletes_what_another_said() {
    // spec: CNT-046
    let mut crew = crew();
    let said = text(1);
    let id = crew.id_of(BOB, &said);
    crew.smuggle(BOB, &said);
    assert_eq!(crew.rows(ALICE), (1, 0));
    // Carol may not, nor may the owner.
    crew.smuggle(CAROL, &text(2).editing(id));
    crew.smuggle(CAROL, &Content::deletion(Salt::from_bytes([3; 16]), id));
    crew.smuggle(ALICE, &text(4).editing(id));
    for place in [ALICE, CAROL] {
        assert_eq!(crew.rows(place), (1, 0), "{place}");
    }
    crew.smuggle(BOB, &text(5).editing(id));
    assert_eq!(crew.rows(ALICE), (2, 1));
    // Nor what the reader said.
    crew.say(ALICE, "mine");
    crew.world.pass(120_000);
    let known = crew.world.rows_of(crew.people[ALICE], Table::MessagePlace);
    assert_eq!(known.len(), 3);
    let theirs = [id, crew.id_of(BOB, &text(5).editing(id))];
    let of_alice = |key: &&Vec<u8>| theirs.iter().all(|id| id.as_bytes()[..] != key[..]);
    let key = known.iter().map(|(key, _)| key).find(of_alice).unwrap();
    let mine = MessageId::from_slice(key).unwrap();
    crew.smuggle(BOB, &text(6).editing(mine));
    assert_eq!(crew.rows(ALICE), (3, 1));
}
