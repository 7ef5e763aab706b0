//! One connection of a session: a task that connects, sends, and passes on what comes.

use std::sync::Arc;

use hushwire_engine::{
    io::{Disconnect, Input, Lane as LaneKind},
    session::SessionNumber,
};
use hushwire_protocol::address::RelayAddress;
use hushwire_wire::frame::{AnswerFrame, RequestFrame};
use tokio::{
    runtime::Handle,
    sync::{
        Notify,
        mpsc::{self, error::TrySendError},
    },
    task::AbortHandle,
};

use crate::transport::{ConnectError, Connection, Lane, LinkError, RelayTarget, Transport};

/// Frames that wait for the relay to take them (spec: CLI-099). More than a session's handles and the
/// requests that it may have under way, so that only a relay that reads nothing gets there.
const FRAMES_WAITING_MAX: usize = 4_096;

/// A session's connection. The task ends when it is stopped, when the connection is gone, or when
/// the relay takes nothing.
pub(super) struct ConnectionTask {
    frames: mpsc::Sender<Outgoing>,
    full: Arc<Notify>,
    task: AbortHandle,
}

struct Outgoing {
    lane: LaneKind,
    frame: RequestFrame,
}

impl ConnectionTask {
    pub(super) fn start(
        network: &Handle,
        transport: Arc<dyn Transport>,
        session: SessionNumber,
        relay: &RelayAddress,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let target = RelayTarget {
            host: relay.host().as_str().to_owned(),
            port: relay.port(),
            relay: relay.relay(),
        };
        let (frames, outgoing) = mpsc::channel(FRAMES_WAITING_MAX);
        let full = Arc::new(Notify::new());
        let overflow = Arc::clone(&full);
        let task = network
            .spawn(async move {
                let why = tokio::select! {
                    why = run(&*transport, target, session, &inputs, outgoing) => why,
                    // What waited is asked again on the next connection.
                    () = overflow.notified() => Disconnect::Network,
                };
                // If the driver is gone, nobody needs to know.
                let _ = inputs.send(Input::Disconnected(session, why)).await;
            })
            .abort_handle();
        Self { frames, full, task }
    }

    /// Hands over a frame; if too many wait, the connection ends. A task that has ended has said so
    /// by an input.
    pub(super) fn send(&self, lane: LaneKind, frame: RequestFrame) {
        if let Err(TrySendError::Full(_)) = self.frames.try_send(Outgoing { lane, frame }) {
            self.full.notify_one();
        }
    }

    pub(super) fn stop(self) {
        self.task.abort();
    }
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    transport: &dyn Transport,
    target: RelayTarget,
    session: SessionNumber,
    inputs: &mpsc::Sender<Input>,
    outgoing: mpsc::Receiver<Outgoing>,
) -> Disconnect {
    let connection = match transport.connect(target).await {
        Ok(connection) => connection,
        Err(ConnectError::RelayKeyMismatch) => return Disconnect::KeyMismatch,
        Err(_) => return Disconnect::Network,
    };
    let Ok(Lane { requests, answers }) = connection.open_lane().await else {
        return Disconnect::Network;
    };
    if inputs.send(Input::Connected(session)).await.is_err() {
        return Disconnect::Network;
    }
    let (opened, blob_lanes) = mpsc::channel(1);
    // Two loops, so that a relay that waits for us to read never waits for us to stop writing.
    tokio::select! {
        why = write(&*connection, requests, opened, outgoing) => why,
        why = read(session, inputs, answers, blob_lanes) => why,
    }
}

type Answers = mpsc::Receiver<Result<AnswerFrame, LinkError>>;

/// Sends frames, each on its lane; the lane for blobs is opened when it is first needed.
async fn write(
    connection: &dyn Connection,
    session: mpsc::Sender<RequestFrame>,
    opened: mpsc::Sender<Answers>,
    mut outgoing: mpsc::Receiver<Outgoing>,
) -> Disconnect {
    let mut blobs: Option<mpsc::Sender<RequestFrame>> = None;
    while let Some(Outgoing { lane, frame }) = outgoing.recv().await {
        if lane == LaneKind::Blobs && blobs.is_none() {
            let Ok(Lane { requests, answers }) = connection.open_lane().await else {
                return Disconnect::Network;
            };
            if opened.send(answers).await.is_err() {
                return Disconnect::Network;
            }
            blobs = Some(requests);
        }
        let requests = match (&blobs, lane) {
            (Some(blobs), LaneKind::Blobs) => blobs,
            _ => &session,
        };
        if requests.send(frame).await.is_err() {
            return Disconnect::Network;
        }
    }
    Disconnect::Network
}

/// Passes on what comes, from both lanes.
async fn read(
    session: SessionNumber,
    inputs: &mpsc::Sender<Input>,
    mut answers: Answers,
    mut opened: mpsc::Receiver<Answers>,
) -> Disconnect {
    let mut blobs: Option<Answers> = None;
    loop {
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            answer = next_of(&mut blobs) => answer,
            lane = opened.recv(), if blobs.is_none() => {
                blobs = lane;
                continue;
            }
        };
        let frame = match answer {
            Some(Ok(frame)) => frame,
            Some(Err(LinkError::Garbage(_))) => return Disconnect::Garbage,
            Some(Err(_)) | None => return Disconnect::Network,
        };
        if inputs.send(Input::Frame(session, frame)).await.is_err() {
            return Disconnect::Network;
        }
    }
}

async fn next_of(lane: &mut Option<Answers>) -> Option<Result<AnswerFrame, LinkError>> {
    match lane {
        Some(answers) => answers.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;
    use hushwire_protocol::address::Host;
    use hushwire_wire::{
        id::RelayId,
        message::{Request, RequestId},
    };

    use super::*;

    /// A relay that takes one frame and no more, and says nothing.
    struct Deaf;

    /// What keeps its only lane open.
    struct Stuck {
        _requests: mpsc::Receiver<RequestFrame>,
        _answers: mpsc::Sender<Result<AnswerFrame, LinkError>>,
        lane: std::sync::Mutex<Option<Lane>>,
    }

    impl Transport for Deaf {
        fn connect(
            &self,
            _target: RelayTarget,
        ) -> BoxFuture<'_, Result<Box<dyn Connection>, ConnectError>> {
            let (requests, taken) = mpsc::channel(1);
            let (said, answers) = mpsc::channel(1);
            let lane = std::sync::Mutex::new(Some(Lane { requests, answers }));
            let stuck = Stuck { _requests: taken, _answers: said, lane };
            Box::pin(async move { Ok(Box::new(stuck) as Box<dyn Connection>) })
        }
    }

    impl Connection for Stuck {
        fn open_lane(&self) -> BoxFuture<'_, Result<Lane, LinkError>> {
            let lane = self.lane.lock().unwrap().take();
            Box::pin(async move { lane.ok_or(LinkError::Lost) })
        }

        fn close(&self) -> BoxFuture<'_, ()> {
            Box::pin(async {})
        }
    }

    #[tokio::test]
    async fn a_relay_that_takes_nothing_is_left() {
        // spec: CLI-099
        let host = Host::parse("relay.example").unwrap();
        let relay = RelayAddress::new(host, 4433, RelayId::from_bytes([1; 32])).unwrap();
        let (inputs, mut heard) = mpsc::channel(8);
        let session = SessionNumber(1);
        let network = Handle::current();
        let task = ConnectionTask::start(&network, Arc::new(Deaf), session, &relay, inputs);
        assert!(matches!(heard.recv().await, Some(Input::Connected(_))));
        let ping = |id| RequestFrame { id: RequestId(id), request: Request::Ping };
        for id in 0..10_000 {
            task.send(LaneKind::Session, ping(id));
        }
        let ended = heard.recv().await;
        assert!(matches!(ended, Some(Input::Disconnected(_, Disconnect::Network))), "{ended:?}");
    }
}
