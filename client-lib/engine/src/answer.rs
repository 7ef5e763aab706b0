//! Whether an answer is one to what was asked for a wish. A wish is never settled by an answer of
//! another kind, nor by a receipt that the relay did not sign (spec: CLI-096).

use hushwire_wire::{
    id::InboxId,
    message::{Answer, Repeated},
    transcript,
};

use crate::{
    asking,
    event::RelayFault,
    outbox,
    record::{Packages, Wish, WishNumber},
    store::StoreError,
    wish::Desk,
    work::Work,
};

/// What is wrong with an answer, if anything is. Refusals are looked at elsewhere.
pub(crate) fn fault(
    work: &Work<'_>,
    number: WishNumber,
    desk: &Desk,
    wish: &Wish,
    answer: &Answer,
) -> Result<Option<RelayFault>, StoreError> {
    let expected = match wish {
        Wish::CreateChannel { .. } => matches!(answer, Answer::ChannelOpened(_)),
        Wish::PutCapability { .. }
        | Wish::RevokeCapability { .. }
        | Wish::PutDeviceList
        | Wish::RotateInbox
        | Wish::PutDoorLink { .. }
        | Wish::RevokeDoorLink { .. }
        | Wish::DropSlot { .. } => matches!(answer, Answer::Done),
        Wish::SendContent { .. }
        | Wish::SendReceipts { .. }
        | Wish::ChangeGroup { .. }
        | Wish::Pin { .. }
        | Wish::RemoveDevice { .. }
        | Wish::Leave { .. }
        | Wish::CommitLeave { .. }
        | Wish::Contest { .. } => is_of_append(answer),
        Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. } => {
            if outbox::is_sealed(work, number)? {
                is_of_append(answer)
            } else {
                is_of_gathering(packages, answer)
            }
        }
        Wish::ReachContact { packages, .. } => is_of_gathering(packages, answer),
        Wish::AskToJoin { chat } => match asking::sent_item(work, *chat)? {
            Some(sent) => return Ok(receipt_fault(desk, &sent.inbox, &sent.item, answer)),
            None => matches!(answer, Answer::Card { .. }),
        },
        Wish::Admit { .. } | Wish::RotateDoor { .. } => true,
        Wish::SendItem { inbox, item, .. } => return Ok(receipt_fault(desk, inbox, item, answer)),
        // What is asked for a transfer is answered to its live half.
        Wish::Upload { .. } | Wish::Download { .. } => true,
    };
    Ok((!expected).then_some(RelayFault::AnswerNotExpected))
}

/// An entry is stored, or the blob that it names is on its way.
const fn is_of_append(answer: &Answer) -> bool {
    matches!(answer, Answer::Appended(_) | Answer::BlobState { .. })
}

/// First the card with the device list, then a key package of each device.
const fn is_of_gathering(packages: &Packages, answer: &Answer) -> bool {
    if packages.listed {
        matches!(answer, Answer::KeyPackage { .. })
    } else {
        matches!(answer, Answer::Card { .. })
    }
}

/// An item is stored when the relay has signed that (spec: INB-006).
fn receipt_fault(desk: &Desk, inbox: &InboxId, sent: &[u8], answer: &Answer) -> Option<RelayFault> {
    let Answer::InboxSent { item, signature, repeated: Repeated::First | Repeated::Again } = answer
    else {
        return Some(RelayFault::AnswerNotExpected);
    };
    let expected = transcript::item_id(inbox, sent);
    let receipt = transcript::item_receipt(&desk.relay, inbox, &expected);
    let genuine = *item == expected && receipt.verify(&desk.relay_key, signature).is_ok();
    (!genuine).then_some(RelayFault::ReceiptNotValid)
}
