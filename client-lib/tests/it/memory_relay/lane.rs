//! One lane of a connection in memory: frames in order, through the hook.

use hushwire::transport::{Lane, LinkError};
use hushwire_wire::frame::{
    AnswerFrame, PREFIX_BYTES, RequestFrame, decode_answer, decode_request, encode_answer,
    encode_request,
};
use tokio::{
    sync::{
        mpsc::{self, Receiver, Sender, UnboundedReceiver},
        watch,
    },
    task::JoinSet,
};

use super::{Fate, MemoryRelay, Passing};

/// Frames that wait in each direction of a lane, as over QUIC.
const FRAMES_MAX: usize = 64;

/// A lane of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) session: u64,
    pub(super) lane: usize,
}

/// Starts the lane's task.
pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    relay: MemoryRelay,
    place: Place,
    outgoing: UnboundedReceiver<AnswerFrame>,
    mut cut: watch::Receiver<Option<LinkError>>,
) -> Lane {
    let (requests, incoming) = mpsc::channel(FRAMES_MAX);
    let (answering, answers) = mpsc::channel(FRAMES_MAX);
    tasks.spawn(async move {
        let (last_words, cut_too) = (answering.clone(), cut.clone());
        let end = tokio::select! {
            biased;
            // A broken connection delivers nothing more; one that the relay closed delivers first
            // what the relay had said.
            () = broken(&mut cut) => None,
            end = carry(relay, place, incoming, outgoing, answering, cut_too) => end,
        };
        let end = end.or(*cut.borrow());
        let _heard = last_words.send(Err(end.unwrap_or(LinkError::Lost))).await;
    });
    Lane { requests, answers }
}

fn is_broken(end: &Option<LinkError>) -> bool {
    matches!(end, Some(LinkError::Lost | LinkError::ClosedHere))
}

/// Waits until the connection breaks or is closed on the client's side.
async fn broken(cut: &mut watch::Receiver<Option<LinkError>>) {
    if cut.wait_for(is_broken).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Carries frames both ways until the client has no more to say and has heard everything.
async fn carry(
    relay: MemoryRelay,
    place: Place,
    mut incoming: Receiver<RequestFrame>,
    mut outgoing: UnboundedReceiver<AnswerFrame>,
    answering: Sender<Result<AnswerFrame, LinkError>>,
    cut: watch::Receiver<Option<LinkError>>,
) -> Option<LinkError> {
    // Looked at before each frame: an answer that is ready must not outrun the break before it.
    while !is_broken(&cut.borrow()) {
        tokio::select! {
            biased;
            answer = outgoing.recv() => pass_answer(&relay, place, answer?, &answering).await,
            request = incoming.recv() => match request {
                Some(request) => pass_request(&relay, place, request).await,
                None => return Some(LinkError::Ended),
            },
        }
    }
    None
}

async fn pass_request(relay: &MemoryRelay, place: Place, frame: RequestFrame) {
    let frame = decode_request(encode_request(&frame).slice(PREFIX_BYTES..)).unwrap();
    let hook = relay.core().hook.clone();
    let fate = hook(&Passing::Request(&frame));
    match fate {
        Fate::Lose => return,
        Fate::CutBefore => return relay.core().end(place.session, LinkError::Lost),
        Fate::Delay(wait) => tokio::time::sleep(wait).await,
        Fate::Deliver | Fate::CutAfter => {}
    }
    let mut core = relay.core();
    core.take(place, frame);
    if fate == Fate::CutAfter {
        core.end(place.session, LinkError::Lost);
    }
}

async fn pass_answer(
    relay: &MemoryRelay,
    place: Place,
    frame: AnswerFrame,
    answering: &Sender<Result<AnswerFrame, LinkError>>,
) {
    let frame = decode_answer(encode_answer(&frame).slice(PREFIX_BYTES..)).unwrap();
    let hook = relay.core().hook.clone();
    let fate = hook(&Passing::Answer(&frame));
    match fate {
        Fate::Lose => return,
        Fate::CutBefore => return relay.core().end(place.session, LinkError::Lost),
        Fate::Delay(wait) => tokio::time::sleep(wait).await,
        Fate::Deliver | Fate::CutAfter => {}
    }
    // Nobody may be left to hear it.
    let _heard = answering.send(Ok(frame)).await;
    if fate == Fate::CutAfter {
        relay.core().end(place.session, LinkError::Lost);
    }
}
