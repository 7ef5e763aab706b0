//! Stable names of the errors of identity, links and linking, as vectors and scripts see them.
//! One exhaustive match for each error; what wraps another error bears the inner one's name.

use crate::card::CardError;
use crate::encoding::DecodeError;
use crate::identity::credential::CredentialError;
use crate::identity::device_list::DeviceListError;
use crate::identity::manager::StatementError;
use crate::identity::phrase::PhraseError;
use crate::link::text::LinkError;
use crate::linking::{GrantError, LinkingError};
use crate::safety_number::ScanError;
use crate::seal::ItemError;
use crate::sealed_box::SealError;

macro_rules! names {
    ($($error:ident { $($pattern:pat => $name:expr,)+ })+) => {
        $(impl $error {
            /// The stable name.
            pub const fn name(&self) -> &'static str {
                match self { $($pattern => $name,)+ }
            }
        })+
    };
}

names! {
    DecodeError {
        Self::Truncated => "TRUNCATED",
        Self::TrailingBytes => "TRAILING_BYTES",
        Self::BadLength => "BAD_LENGTH",
        Self::UnknownVersion => "UNKNOWN_VERSION",
        Self::UndefinedValue => "UNDEFINED_VALUE",
        Self::TooLong => "TOO_LONG",
        Self::NotInOrder => "NOT_IN_ORDER",
        Self::BadSignature => "BAD_SIGNATURE",
        Self::NotText => "NOT_TEXT",
    }
    PhraseError {
        Self::WordCount(_) => "WORD_COUNT",
        Self::UnknownWord(_) => "UNKNOWN_WORD",
        Self::Checksum => "CHECKSUM",
    }
    StatementError {
        Self::Malformed(error) => error.name(),
        Self::BadSignature(_) => "STATEMENT_SIGNATURE",
    }
    CredentialError {
        Self::Malformed(error) => error.name(),
        Self::StatementSignature => "STATEMENT_SIGNATURE",
        Self::CertificateSignature => "CERTIFICATE_SIGNATURE",
        Self::OtherStatement => "OTHER_STATEMENT",
    }
    DeviceListError {
        Self::Malformed(error) => error.name(),
        Self::StatementSignature => "STATEMENT_SIGNATURE",
        Self::OtherIdentity => "OTHER_IDENTITY",
        Self::BadSignature => "LIST_SIGNATURE",
        Self::Superseded => "SUPERSEDED",
        Self::Expired => "LIST_EXPIRED",
        Self::NotYetValid => "NOT_YET_VALID",
        Self::NotListed => "NOT_LISTED",
    }
    LinkError {
        Self::Foreign => "FOREIGN",
        Self::Characters => "CHARACTERS",
        Self::UnknownVersion => "UNKNOWN_VERSION",
        Self::Damaged => "DAMAGED",
        Self::UnknownKind => "UNKNOWN_KIND",
        Self::OtherKind => "OTHER_KIND",
        Self::Malformed(error) => error.name(),
        Self::TooLong => "LINK_TOO_LONG",
    }
    SealError {
        Self::Padding(error) => error.name(),
        Self::Unopened => "UNOPENED",
        Self::Malformed(error) => error.name(),
        Self::PublicKey => "PUBLIC_KEY",
        Self::TooLong => "TOO_LONG",
    }
    CardError {
        Self::Seal(error) => error.name(),
        Self::Malformed(error) => error.name(),
        Self::OtherIdentity => "OTHER_IDENTITY",
        Self::StatementSignature => "STATEMENT_SIGNATURE",
        Self::BadSignature => "CARD_SIGNATURE",
    }
    ItemError {
        Self::Seal(error) => error.name(),
        Self::OtherKey => "OTHER_KEY",
        Self::Credential(error) => error.name(),
        Self::BadSignature => "SENDER_SIGNATURE",
    }
    GrantError {
        Self::OtherDevice => "OTHER_DEVICE",
        Self::OtherManager => "OTHER_MANAGER",
        Self::OtherRank => "OTHER_RANK",
        Self::DeviceList(error) => error.name(),
        Self::Credential(error) => error.name(),
    }
    LinkingError {
        Self::Seal(error) => error.name(),
        Self::Malformed(error) => error.name(),
        Self::Commitment => "COMMITMENT",
        Self::Grant(error) => error.name(),
    }
    ScanError {
        Self::Foreign => "FOREIGN",
        Self::UnknownVersion => "UNKNOWN_VERSION",
        Self::OwnDiffers => "OWN_DIFFERS",
        Self::TheirDiffers => "THEIR_DIFFERS",
    }
}
