//! Whether an answer is one to what was asked for a wish. A wish is never settled by an answer of
//! another kind, nor by a receipt that the relay did not sign (spec: CLI-096).

use hushwire_wire::{
    id::InboxId,
    message::{Answer, Repeated},
    transcript,
};

use crate::{
    event::RelayFault,
    record::{Packages, Wish},
    wish::Desk,
};

/// What is wrong with an answer, if anything is. Refusals are looked at elsewhere.
pub(crate) fn fault(desk: &Desk, wish: &Wish, answer: &Answer) -> Option<RelayFault> {
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
        | Wish::CommitAdditions { .. }
        | Wish::RemoveDevice { .. }
        | Wish::Leave { .. }
        | Wish::CommitLeave { .. }
        | Wish::RefreshLeaf { .. }
        | Wish::Contest { .. }
        | Wish::OfferSuccessor { .. }
        | Wish::LeaveEpoch { .. } => is_of_append(answer),
        Wish::AddPerson { packages, .. } | Wish::AddDevice { packages, .. } => {
            is_of_gathering(packages, answer)
        }
        // Its packages, then its commit.
        Wish::Readmit { packages, .. } => is_of_append(answer) || is_of_gathering(packages, answer),
        Wish::ShareSnapshot(_) => matches!(answer, Answer::BlobState { .. }),
        Wish::ReachContact { packages, .. } => is_of_gathering(packages, answer),
        Wish::AskToJoin { request, .. } if request.is_empty() => {
            matches!(answer, Answer::Card { .. })
        }
        Wish::AskToJoin { inbox, request, .. } => {
            return receipt_fault(desk, inbox, request, answer);
        }
        Wish::Admit { .. } | Wish::RotateDoor { .. } => true,
        Wish::SendItem { inbox, item, .. } => return receipt_fault(desk, inbox, item, answer),
        // What is asked for a transfer or a snapshot is answered to its live half.
        Wish::Upload { .. } | Wish::Download { .. } | Wish::JoinGroup { .. } => true,
        // Its requests are wishes of their own; a reading is none, nor is a word to the person.
        Wish::Rejoin { .. } | Wish::ReadGroup { .. } | Wish::TellSuccessor { .. } => false,
    };
    (!expected).then_some(RelayFault::AnswerNotExpected)
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
