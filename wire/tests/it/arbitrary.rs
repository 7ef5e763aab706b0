//! Requests and answers of every kind, at random.

use bytes::Bytes;
use hushwire_wire::{
    error::{Code, Refusal},
    frame::{AnswerFrame, RequestFrame},
    id::{EntryId, Sequence, Timestamp},
    message::{
        Answer, Appended, BlobReference, ChannelOpened, Content, Entry, EntryBody, EpochEnd,
        Follow, Handle, Hello, HelloReply, InboxItem, PackageKind, PackageKindsPresent, Repeated,
        Request, RequestId, ShelfBefore,
    },
    transcript::{CommitMark, Cut, Operation},
    version::VersionRange,
};
use proptest::{array, collection::vec, option, prelude::*, sample};

/// A strategy for an id type of 16, 32 or 64 bytes.
macro_rules! id {
    ($length:literal) => {
        vec(any::<u8>(), $length)
            .prop_map(|bytes| TryFrom::try_from(bytes.as_slice()).expect("the length fits"))
    };
}

fn sealed() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 1..300).prop_map(Bytes::from)
}

fn maybe_empty() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn entry_ids() -> impl Strategy<Value = Vec<EntryId>> {
    vec(array::uniform32(any::<u8>()).prop_map(EntryId::from_bytes), 0..9)
}

fn handle() -> impl Strategy<Value = Handle> {
    any::<u64>().prop_map(Handle)
}

fn sequence() -> impl Strategy<Value = Sequence> {
    any::<u64>().prop_map(Sequence)
}

fn follow() -> impl Strategy<Value = Follow> {
    prop_oneof![Just(Follow::UntilEnd), Just(Follow::Onward)]
}

fn kind() -> impl Strategy<Value = PackageKind> {
    prop_oneof![Just(PackageKind::Single), Just(PackageKind::LastResort)]
}

fn repeated() -> impl Strategy<Value = Repeated> {
    prop_oneof![Just(Repeated::First), Just(Repeated::Again)]
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        sealed().prop_map(Content::Inline),
        (id!(32), id!(32), any::<u64>()).prop_map(|(blob, content_hash, size)| {
            Content::Blob(BlobReference { blob, content_hash, size })
        }),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let cut = prop_oneof![Just(Cut::Through), Just(Cut::Cut)];
    prop_oneof![
        Just(Operation::Message),
        (id!(32), cut, entry_ids()).prop_map(|(next_key, cut, contested)| {
            Operation::Commit(CommitMark { next_key, cut, contested })
        }),
    ]
}

/// A note stands inline (spec: WIRE-017).
fn entry() -> impl Strategy<Value = (Content, Operation)> {
    prop_oneof![
        4 => (content(), operation()),
        1 => sealed().prop_map(|bytes| (Content::Inline(bytes), Operation::Note)),
    ]
}

fn channel_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (id!(32), id!(32), id!(32), id!(64)).prop_map(|(channel, epoch_key, nonce, signature)| {
            Request::ChannelCreate { channel, epoch_key, nonce, signature }
        }),
        (id!(32), id!(32), id!(64)).prop_map(|(channel, epoch, signature)| {
            Request::ChannelOpen { channel, epoch, signature }
        }),
        handle().prop_map(Request::ChannelClose),
        (handle(), entry()).prop_map(|(handle, (content, operation))| {
            Request::Append { handle, content, operation }
        }),
        (handle(), id!(32), sequence(), follow()).prop_map(|(handle, epoch, from, follow)| {
            Request::ChannelRead { handle, epoch, from, follow }
        }),
    ]
}

fn owner_request() -> impl Strategy<Value = Request> {
    let before = prop_oneof![Just(ShelfBefore::Keep), Just(ShelfBefore::Clear)];
    prop_oneof![
        (id!(16), id!(32), id!(64)).prop_map(|(inbox, owner_key, signature)| {
            Request::InboxCreate { inbox, owner_key, signature }
        }),
        (id!(16), id!(16), id!(64))
            .prop_map(|(inbox, slot, signature)| { Request::InboxOpen { inbox, slot, signature } }),
        (handle(), id!(32), id!(64)).prop_map(|(handle, next_owner_key, signature)| {
            Request::InboxRotate { handle, next_owner_key, signature }
        }),
        (handle(), sequence(), follow()).prop_map(|(handle, from, follow)| Request::InboxRead {
            handle,
            from,
            follow
        }),
        (handle(), sequence())
            .prop_map(|(handle, cursor)| Request::InboxAdvance { handle, cursor }),
        (handle(), id!(32), option::of(1..u64::MAX), option::of(1..u64::MAX), maybe_empty())
            .prop_map(|(handle, capability, items_max, expires_at, card)| {
                let expires_at = expires_at.map(Timestamp);
                Request::CapabilityPut { handle, capability, items_max, expires_at, card }
            }),
        (handle(), id!(32))
            .prop_map(|(handle, capability)| Request::CapabilityRevoke { handle, capability }),
        (handle(), id!(16)).prop_map(|(handle, slot)| Request::SlotDrop { handle, slot }),
        (handle(), sealed(), kind(), before).prop_map(|(handle, package, kind, before)| {
            Request::ShelfPut { handle, package, kind, before }
        }),
        handle().prop_map(Request::ShelfStatus),
        (handle(), sealed())
            .prop_map(|(handle, device_list)| Request::DeviceListPut { handle, device_list }),
    ]
}

fn sender_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (id!(16), id!(32), sealed()).prop_map(|(inbox, secret, item)| Request::InboxSend {
            inbox,
            secret,
            item
        }),
        (id!(16), id!(32)).prop_map(|(inbox, secret)| Request::CardFetch { inbox, secret }),
        (id!(16), id!(32), id!(16)).prop_map(|(inbox, secret, slot)| Request::ShelfTake {
            inbox,
            secret,
            slot
        }),
    ]
}

fn blob_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (id!(32), any::<u64>()).prop_map(|(key, size)| Request::BlobCreate { key, size }),
        (id!(32), any::<u64>(), sealed()).prop_map(|(key, offset, content)| Request::BlobWrite {
            key,
            offset,
            content
        }),
        id!(32).prop_map(Request::BlobStat),
        (id!(32), any::<u64>(), any::<u64>())
            .prop_map(|(blob, offset, length)| Request::BlobRead { blob, offset, length }),
        id!(32).prop_map(Request::BlobDelete),
    ]
}

/// A client's frame of any kind.
pub(crate) fn request_frame() -> impl Strategy<Value = RequestFrame> {
    let hello = (any::<u32>(), any::<u32>(), id!(32), any::<u64>()).prop_map(
        |(min, max, nonce, capabilities)| {
            let versions = VersionRange { min, max };
            let request = Request::Hello(Hello { versions, nonce, capabilities });
            RequestFrame { id: RequestId::HELLO, request }
        },
    );
    let request = prop_oneof![
        Just(()).prop_map(|()| Request::Ping),
        any::<u64>().prop_map(|id| Request::Stop(RequestId(id))),
        channel_request(),
        owner_request(),
        sender_request(),
        blob_request(),
    ];
    let other = (1..=u64::MAX, request)
        .prop_map(|(id, request)| RequestFrame { id: RequestId(id), request });
    prop_oneof![1 => hello, 20 => other]
}

fn channel_answer() -> impl Strategy<Value = Answer> {
    let body = prop_oneof![
        entry().prop_map(|(content, operation)| EntryBody::Whole { content, operation }),
        id!(32).prop_map(EntryBody::Expired),
    ];
    prop_oneof![
        (handle(), id!(32), sequence(), id!(32), entry_ids(), entry_ids()).prop_map(
            |(handle, epoch, next, head, candidates, siblings)| {
                let opened = ChannelOpened { handle, epoch, next, head, candidates, siblings };
                Answer::ChannelOpened(opened)
            }
        ),
        (id!(32), sequence(), id!(32), id!(64), repeated()).prop_map(
            |(entry, sequence, head, signature, repeated)| {
                Answer::Appended(Appended { entry, sequence, head, signature, repeated })
            }
        ),
        (id!(32), sequence(), body, any::<u64>()).prop_map(|(epoch, sequence, body, stored_at)| {
            Answer::Entry(Entry { epoch, sequence, body, stored_at: Timestamp(stored_at) })
        }),
        (id!(32), sequence(), id!(32), option::of(id!(64))).prop_map(
            |(epoch, next, head, signature)| {
                Answer::EpochEnd(EpochEnd { epoch, next, head, signature })
            }
        ),
        follow().prop_map(Answer::ReadEnd),
    ]
}

fn inbox_answer() -> impl Strategy<Value = Answer> {
    let present = prop_oneof![
        Just(PackageKindsPresent::SingleOnly),
        Just(PackageKindsPresent::WithLastResort)
    ];
    prop_oneof![
        (handle(), sequence(), sequence()).prop_map(|(handle, cursor, next)| Answer::InboxOpened {
            handle,
            cursor,
            next
        }),
        (sequence(), sealed(), id!(32), any::<u64>()).prop_map(
            |(sequence, item, capability, stored_at)| {
                let stored_at = Timestamp(stored_at);
                Answer::InboxItem(InboxItem { sequence, item, capability, stored_at })
            }
        ),
        (any::<u64>(), present)
            .prop_map(|(packages, last_resort)| Answer::ShelfState { packages, last_resort }),
        (id!(32), id!(64), repeated()).prop_map(|(item, signature, repeated)| {
            Answer::InboxSent { item, signature, repeated }
        }),
        (maybe_empty(), maybe_empty())
            .prop_map(|(card, device_list)| Answer::Card { card, device_list }),
        (sealed(), kind()).prop_map(|(package, kind)| Answer::KeyPackage { package, kind }),
    ]
}

fn refused() -> impl Strategy<Value = Answer> {
    let code = sample::select(Code::ALL);
    prop_oneof![
        (code, any::<u64>(), entry_ids()).prop_map(|(code, retry_after_ms, candidates)| {
            Answer::Refused(Refusal { code, retry_after_ms, candidates })
        }),
        (1_000..=u32::MAX, any::<u64>()).prop_map(|(number, retry_after_ms)| {
            Answer::RefusedUnknown { number, retry_after_ms }
        }),
    ]
}

/// A relay's frame of any kind.
pub(crate) fn answer_frame() -> impl Strategy<Value = AnswerFrame> {
    let numbers = array::uniform6(any::<u64>());
    let hello = (any::<u16>(), id!(32), id!(32), any::<u64>(), numbers).prop_map(
        |(version, relay_key, nonce, capabilities, numbers)| {
            let [time, inline, blob, chunk, in_flight, retention] = numbers;
            let answer = Answer::Hello(HelloReply {
                version,
                relay_key,
                nonce,
                capabilities,
                time: Timestamp(time),
                entry_inline_bytes_max: inline,
                blob_bytes_max: blob,
                blob_chunk_bytes: chunk,
                requests_in_flight_max: in_flight,
                message_retention_ms: retention,
            });
            AnswerFrame { id: RequestId::HELLO, answer }
        },
    );
    let answer = prop_oneof![
        Just(Answer::Done),
        refused(),
        channel_answer(),
        inbox_answer(),
        (any::<u64>(), any::<u64>()).prop_map(|(size, stored)| Answer::BlobState { size, stored }),
        (any::<u64>(), sealed())
            .prop_map(|(offset, content)| Answer::BlobChunk { offset, content }),
    ];
    let other =
        (1..=u64::MAX, answer).prop_map(|(id, answer)| AnswerFrame { id: RequestId(id), answer });
    prop_oneof![1 => hello, 20 => other]
}
