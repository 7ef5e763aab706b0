//! What people do, and what they then see.

use hushwire_engine::{
    command::{
        ChatInfo, ChatNumber, Command, LinkUse, MessageBody, MessageInfo, MessageNumber,
        MessageState, Reply, SecretText,
    },
    event::{Event, EventNumber},
};

use super::{Who, World};

impl World {
    pub(crate) fn link(&mut self, who: Who, usage: LinkUse) -> SecretText {
        let reply = self.ask(who, Command::MakeLink { usage, expires_in_ms: None });
        let Reply::Link(link) = reply else { panic!("no link") };
        self.settle();
        link.text
    }

    /// Two people become contacts; the chat of each.
    pub(crate) fn befriend(&mut self, one: Who, other: Who) -> (ChatNumber, ChatNumber) {
        let link = self.link(other, LinkUse::Single);
        let Reply::Chat(chat) = self.ask(one, Command::AddContact { link }) else { panic!() };
        self.settle();
        let theirs = self.chats(other).remove(0);
        (chat.number, theirs.number)
    }

    pub(crate) fn say(&mut self, who: Who, chat: ChatNumber, text: &str) -> MessageNumber {
        let reply = self.ask(who, Command::SendText { chat, text: text.to_owned() });
        let Reply::Accepted { message, .. } = reply else { panic!("not accepted") };
        message
    }

    pub(crate) fn chats(&mut self, who: Who) -> Vec<ChatInfo> {
        let Reply::Chats(chats) = self.ask(who, Command::Chats) else { panic!() };
        chats
    }

    pub(crate) fn chat(&mut self, who: Who, name: &str) -> ChatInfo {
        self.chats(who).into_iter().find(|chat| chat.name == name).expect("no chat of that name")
    }

    pub(crate) fn messages(&mut self, who: Who, chat: ChatNumber) -> Vec<MessageInfo> {
        let command = Command::Messages { chat, from: MessageNumber(1), count_max: 1_000 };
        let Reply::Messages(messages) = self.ask(who, command) else { panic!() };
        messages
    }

    pub(crate) fn texts(&mut self, who: Who, chat: ChatNumber) -> Vec<String> {
        self.messages(who, chat)
            .into_iter()
            .map(|message| match message.body {
                MessageBody::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    pub(crate) fn states(&mut self, who: Who, chat: ChatNumber) -> Vec<MessageState> {
        self.messages(who, chat).into_iter().map(|message| message.state).collect()
    }

    /// Every event so far; their numbers have no gap (spec: CLI-020).
    pub(crate) fn events(&mut self, who: Who) -> Vec<Event> {
        let command = Command::Events { from: EventNumber(1), count_max: 1_000 };
        let Reply::Events(events) = self.ask(who, command) else { panic!() };
        for (place, event) in (1..).zip(&events) {
            assert_eq!(event.number, EventNumber(place));
        }
        events.into_iter().map(|event| event.event).collect()
    }
}
