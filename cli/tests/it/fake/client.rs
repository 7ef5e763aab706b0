//! A client without store and network: chats in memory, and a fate for what is sent.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hushwire::{
    command::{
        ChatNumber, Command, MessageBody, MessageNumber, MessageState, Reply, Sender, StatusInfo,
    },
    event::{Event, EventNumber, NumberedEvent},
};
use hushwire_cli::{
    backend::{Backend, LockKind, Opener, Opening},
    fault::{ClientFault, Exit, OpenFault},
};
use tokio::sync::Notify;

use super::state::State;

pub(crate) struct World {
    state: Mutex<State>,
    changed: Notify,
}

impl World {
    pub(crate) fn inhabited() -> Self {
        Self::of(State::inhabited())
    }

    pub(crate) fn without_identity() -> Self {
        Self::of(State::empty())
    }

    fn of(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A text from somebody else arrives.
    pub(crate) fn receive(&self, chat: u64, name: &str, text: &str) -> MessageNumber {
        let sender = Sender::Other { fingerprint: "b0b0".into(), name: name.into() };
        let body = MessageBody::Text(text.into());
        let number = self.state().add_message(chat, sender, body, MessageState::Received);
        self.happen(Event::MessageAdded { chat: ChatNumber(chat), message: number });
        number
    }

    pub(crate) fn happen(&self, event: Event) {
        self.state().add_event(event);
        self.changed.notify_waiters();
    }

    pub(crate) fn forget_before(&self, oldest: EventNumber) {
        self.state().oldest = oldest;
    }

    pub(crate) fn vanish(&self) {
        self.state().gone = true;
        self.changed.notify_waiters();
    }
}

/// What the opener opens.
pub(crate) struct FakeClient(Arc<World>);

impl Backend for FakeClient {
    async fn command(&self, command: Command) -> Result<Reply, ClientFault> {
        let reply = {
            let mut state = self.0.state();
            if state.gone {
                return Err(ClientFault::Gone);
            }
            if let Command::Events { from, .. } = &command {
                state.check_kept(*from)?;
            }
            if state.unanswered && state.read(&command).is_none() {
                return Err(ClientFault::Unanswered);
            }
            match state.read(&command) {
                Some(reply) => {
                    if matches!(command, Command::Messages { .. }) {
                        state.work();
                    }
                    reply
                }
                None => {
                    state.asked.push(command.clone());
                    let reply = state.change(command)?;
                    for event in std::mem::take(&mut state.then) {
                        state.add_event(event);
                    }
                    reply
                }
            }
        };
        self.0.changed.notify_waiters();
        Ok(reply)
    }

    async fn next_events(&self, from: EventNumber) -> Result<Vec<NumberedEvent>, ClientFault> {
        loop {
            let changed = self.0.changed.notified();
            {
                let state = self.0.state();
                if state.gone {
                    return Err(ClientFault::Gone);
                }
                state.check_kept(from)?;
                let events = state.events.iter().filter(|event| event.number >= from);
                let events: Vec<_> = events.cloned().collect();
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            changed.await;
        }
    }

    async fn settled(&self, _timeout: Duration) -> Result<StatusInfo, ClientFault> {
        let mut state = self.0.state();
        state.work();
        Ok(state.status())
    }

    async fn close(self) {}
}

/// Opens a [`World`], and remembers how.
pub(crate) struct FakeOpener {
    world: Arc<World>,
    pub(crate) lock: Option<LockKind>,
    /// The profile may not even be looked at.
    pub(crate) locked_out: Option<OpenFault>,
    pub(crate) fault: Option<OpenFault>,
    pub(crate) opened: Mutex<Vec<Opening>>,
}

impl FakeOpener {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Arc::new(world),
            lock: Some(LockKind::Passphrase),
            locked_out: None,
            fault: None,
            opened: Mutex::default(),
        }
    }

    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    pub(crate) fn not_permitted() -> OpenFault {
        OpenFault {
            code: "not_permitted",
            what: "access to the profile's files is not permitted".into(),
            advice: "Run as the user who owns the profile.".into(),
            exit: Exit::Failed,
        }
    }

    pub(crate) fn wrong_passphrase() -> OpenFault {
        OpenFault {
            code: "wrong_passphrase",
            what: "the passphrase is wrong".into(),
            advice: "Type it again.".into(),
            exit: Exit::NeedsAction,
        }
    }
}

impl Opener for FakeOpener {
    type Backend = FakeClient;

    fn lock_kind(&self, _profile: &Path) -> Result<Option<LockKind>, OpenFault> {
        self.locked_out.clone().map_or(Ok(self.lock), Err)
    }

    async fn open(&self, opening: Opening) -> Result<Self::Backend, OpenFault> {
        self.opened.lock().unwrap().push(opening);
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => Ok(FakeClient(self.world())),
        }
    }
}
