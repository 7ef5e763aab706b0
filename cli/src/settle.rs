//! Waiting for the network, and saying what still waits.

use core::time::Duration;

use hushwire::{
    command::{ChatNumber, FailureReason, MessageInfo, MessageNumber, RelayState},
    event::{Event, EventNumber},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    backend::Backend,
    fault::Fault,
    feed::Feed,
    record::{EventRecord, Record},
    session::{Patience, Session},
};

/// How often the progress of a transfer is read; it is no event.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// How often the relays are looked at while catching up.
const STATUS_INTERVAL: Duration = Duration::from_millis(50);
/// How long the end of a command is held up by what goes out beside it, such as receipts.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(3);
/// Events read at once after waiting.
const EVENTS_PER_READ: u32 = 256;

impl<B: Backend> Session<'_, B> {
    /// Waits until nothing waits for the network. An event from `since` on that `failure` calls a
    /// failure of the command ends it; warnings are noted.
    ///
    /// # Errors
    /// [`Fault::Refused`] for such a failure, [`Fault::StillWaiting`] if the time is over.
    pub(crate) async fn settle(
        &self,
        since: EventNumber,
        failure: impl Fn(&Event) -> Option<FailureReason>,
    ) -> Result<(), Fault> {
        let Patience::Wait(patience) = self.patience else { return Ok(()) };
        let status = self.backend.settled(patience).await?;
        let refused = self.report_since(since, failure).await?;
        match (refused, status.waiting) {
            (Some(reason), _) => Err(Fault::Refused(reason)),
            (None, 0) => Ok(()),
            (None, waiting) => Err(Fault::StillWaiting { waiting, patience }),
        }
    }

    async fn report_since(
        &self,
        since: EventNumber,
        failure: impl Fn(&Event) -> Option<FailureReason>,
    ) -> Result<Option<FailureReason>, Fault> {
        let mut from = since;
        loop {
            let events = self.events(from, EVENTS_PER_READ).await?;
            let Some(last) = events.last() else { return Ok(None) };
            from = EventNumber(last.number.0.saturating_add(1));
            for event in events {
                if let Some(reason) = failure(&event.event) {
                    return Ok(Some(reason));
                }
                if let Event::Warning(_) = event.event {
                    self.note_event(event.into())?;
                }
            }
        }
    }

    fn note_event(&self, event: EventRecord) -> Result<(), Fault> {
        let lines =
            crate::human::lines(&Record::Event(Box::new(event)), crate::human::Paint::Plain);
        lines.iter().try_for_each(|line| self.note(line))
    }

    /// Waits until what the relays have is here, so that what is shown next is not old. Says so if
    /// a relay is not reached, and goes on with what is here.
    pub(crate) async fn catch_up(&self) -> Result<(), Fault> {
        let Patience::Wait(patience) = self.patience else { return Ok(()) };
        let deadline = Instant::now() + patience;
        loop {
            let relays = self.status().await?.relays;
            let moving = relays.iter().any(|relay| {
                matches!(relay.state, RelayState::Connecting | RelayState::CatchingUp)
            });
            if !moving || Instant::now() >= deadline {
                // What is not sent yet is not missing here.
                let missing = relays.iter().filter(|relay| relay.state > RelayState::Sending);
                return match missing.count() {
                    0 => Ok(()),
                    1 => self
                        .note("a relay is not reached; newer things may be missing (hush status)"),
                    count => self.note(&format!(
                        "{count} relays are not reached; newer things may be missing (hush status)"
                    )),
                };
            }
            sleep(STATUS_INTERVAL).await;
        }
    }

    /// Lets receipts and the like go out before the client ends, if there is a relay to take them.
    /// They are durable, so nothing is lost if not, and nothing is said.
    pub(crate) async fn flush(&self) {
        let Patience::Wait(patience) = self.patience else { return };
        let Ok(status) = self.status().await else { return };
        if status.waiting > 0 && status.relays.iter().any(|it| it.state <= RelayState::CatchingUp) {
            tokio::select! {
                () = self.console.interrupted() => {}
                _ = self.backend.settled(patience.min(FLUSH_TIME_MAX)) => {}
            }
        }
    }

    /// Waits until a message is where `ended` wants it. As long as it gets on, the patience begins
    /// anew; `progress` sees each step.
    ///
    /// # Errors
    /// [`Fault`] of the client. When the time is over the message is returned as it is.
    pub(crate) async fn follow_message(
        &self,
        (chat, number): (ChatNumber, MessageNumber),
        ended: impl Fn(&MessageInfo) -> bool,
        mut progress: impl FnMut(&MessageInfo),
    ) -> Result<MessageInfo, Fault> {
        let mut feed = Feed::new(self.backend, self.next_event_number().await?);
        let mut message = self.message(chat, number).await?;
        let Patience::Wait(patience) = self.patience else { return Ok(message) };
        let mut deadline = Instant::now() + patience;
        loop {
            progress(&message);
            let now = Instant::now();
            if ended(&message) || now >= deadline {
                return Ok(message);
            }
            let pause = PROGRESS_INTERVAL.min(deadline - now);
            if let Ok(event) = timeout(pause, feed.next()).await {
                event?;
            }
            let later = self.message(chat, number).await?;
            if later != message {
                deadline = Instant::now() + patience;
            }
            message = later;
        }
    }
}
