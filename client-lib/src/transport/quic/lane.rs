//! One bidirectional stream: a task that writes and a task that reads.

use hushwire_wire::{
    frame::{AnswerFrame, RequestFrame, Splitter, decode_answer, encode_request},
    limit::Limits,
};
use quinn::{ReadError, RecvStream, SendStream};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinSet,
};

use super::{QuicSettings, link_error};
use crate::{
    crash,
    transport::{Lane, LinkError},
};

/// Bytes that are taken from a stream at once.
const READ_BYTES_MAX: usize = 64 * 1024;

type Answers = Sender<Result<AnswerFrame, LinkError>>;

/// Starts the two tasks of a lane.
pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    settings: &QuicSettings,
    sending: SendStream,
    receiving: RecvStream,
) -> Lane {
    let (requests, outgoing) = mpsc::channel(settings.lane_frames_max);
    let (incoming, answers) = mpsc::channel(settings.lane_frames_max);
    tasks.spawn(write(outgoing, sending));
    let limits = settings.limits.clone();
    tasks.spawn(async move {
        let end = read(&limits, receiving, &incoming).await;
        // Nobody may be left to hear it.
        let _heard = incoming.send(Err(end)).await;
    });
    Lane { requests, answers }
}

/// Writes until there is nothing more to write. Why it cannot is heard by the reader.
async fn write(mut requests: Receiver<RequestFrame>, mut stream: SendStream) {
    while let Some(frame) = requests.recv().await {
        let bytes = encode_request(&frame);
        crash::reach(crash::Point::NetBeforeSend);
        if stream.write_chunk(bytes).await.is_err() {
            return;
        }
        crash::reach(crash::Point::NetAfterSend);
    }
    // Fails only if the stream is gone already.
    let _finished = stream.finish();
}

/// Reads until the end, and says why it ended.
async fn read(limits: &Limits, mut stream: RecvStream, answers: &Answers) -> LinkError {
    let mut splitter = Splitter::new(limits);
    loop {
        match stream.read_chunk(READ_BYTES_MAX, true).await {
            Ok(Some(chunk)) => splitter.feed(&chunk.bytes),
            Ok(None) => {
                return splitter.finish().map_or_else(LinkError::Garbage, |()| LinkError::Ended);
            }
            Err(ReadError::ConnectionLost(error)) => return link_error(&error),
            Err(_) => return LinkError::Lost,
        }
        loop {
            match splitter.next_frame().map(|frame| frame.map(decode_answer).transpose()) {
                Ok(Ok(Some(answer))) => {
                    crash::reach(crash::Point::NetReceived);
                    if answers.send(Ok(answer)).await.is_err() {
                        return LinkError::ClosedHere;
                    }
                }
                Ok(Ok(None)) => break,
                Ok(Err(error)) | Err(error) => return LinkError::Garbage(error),
            }
        }
    }
}
