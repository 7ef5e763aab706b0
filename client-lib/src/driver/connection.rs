//! One connection of a session: a task that connects, sends, and passes on what comes.

use std::sync::Arc;

use hushwire_engine::{
    io::{Disconnect, Input, Lane as LaneKind},
    session::SessionNumber,
};
use hushwire_protocol::address::RelayAddress;
use hushwire_wire::frame::{AnswerFrame, RequestFrame};
use tokio::{runtime::Handle, sync::mpsc, task::AbortHandle};

use crate::transport::{ConnectError, Connection, Lane, LinkError, RelayTarget, Transport};

/// A session's connection. The task ends when it is stopped or the connection is gone.
pub(super) struct ConnectionTask {
    frames: mpsc::UnboundedSender<Outgoing>,
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
        // The engine bounds what it sends: it has few requests under way in each session.
        let (frames, outgoing) = mpsc::unbounded_channel();
        let task = network
            .spawn(async move {
                let why = run(&*transport, target, session, &inputs, outgoing).await;
                // If the driver is gone, nobody needs to know.
                let _ = inputs.send(Input::Disconnected(session, why)).await;
            })
            .abort_handle();
        Self { frames, task }
    }

    /// Hands over a frame. A task that has ended has said so by an input.
    pub(super) fn send(&self, lane: LaneKind, frame: RequestFrame) {
        let _ = self.frames.send(Outgoing { lane, frame });
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
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
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
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
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
