//! What of openmls's errors has which code.

use openmls::framing::errors::MessageDecryptionError;
use openmls::group::{
    GroupContextExtensionsProposalValidationError as ContextError, ProcessMessageError,
    ProposalValidationError, StageCommitError, ValidationError,
};
use openmls::key_packages::errors::KeyPackageVerifyError;
use openmls::treesync::errors::{LeafNodeValidationError, LifetimeError};

use super::error::{GroupError, OpenError, Rejection};
use crate::storage::MlsStoreError;

/// Whose fault it is, and the code.
pub(super) fn classify(error: ProcessMessageError<MlsStoreError>) -> OpenError {
    let rejection = match error {
        ProcessMessageError::StorageError(error) => return error.into(),
        ProcessMessageError::GroupStateError(_) => return GroupError::NotAMember.into(),
        ProcessMessageError::InvalidCommit(StageCommitError::MissingDecryptionKey) => {
            return GroupError::Store(MlsStoreError::Malformed).into();
        }
        ProcessMessageError::InvalidCommit(error) => classify_commit(&error),
        ProcessMessageError::LibraryError(_) => Rejection::InvalidCommit,
        ProcessMessageError::ValidationError(error) => classify_invalid(&error),
        ProcessMessageError::IncompatibleWireFormat => Rejection::WrongWireFormat,
        ProcessMessageError::UnauthorizedExternalApplicationMessage
        | ProcessMessageError::UnauthorizedExternalCommitMessage
        | ProcessMessageError::UnsupportedProposalType
        | ProcessMessageError::MalformedSafeAad => Rejection::UnknownSender,
    };
    rejection.into()
}

/// What openmls finds of leaves and of the group context has the code that it would have if it were for
/// us to find it: how much of that a library looks at is no matter of ours (spec: GRP-149, GRP-150).
const fn classify_commit(error: &StageCommitError) -> Rejection {
    match error {
        StageCommitError::LeafNodeValidation(error)
        | StageCommitError::ProposalValidationError(ProposalValidationError::LeafNodeValidation(
            error,
        )) => classify_leaf(error),
        StageCommitError::ProposalValidationError(
            ProposalValidationError::InsufficientCapabilities,
        ) => Rejection::BadLeaf,
        StageCommitError::GroupContextExtensionsProposalValidationError(
            ContextError::ExtensionNotSupportedByAllMembers
            | ContextError::RequiredExtensionNotSupportedByAllMembers
            | ContextError::ExtensionNotInRequiredCapabilities,
        ) => Rejection::BadGroupState,
        _ => Rejection::InvalidCommit,
    }
}

const fn classify_leaf(error: &LeafNodeValidationError) -> Rejection {
    match error {
        LeafNodeValidationError::Lifetime(error) => classify_lifetime(error),
        LeafNodeValidationError::SignatureKeyAlreadyInUse
        | LeafNodeValidationError::EncryptionKeyAlreadyInUse => Rejection::InvalidCommit,
        _ => Rejection::BadLeaf,
    }
}

const fn classify_invalid(error: &ValidationError) -> Rejection {
    match error {
        ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(_)) => {
            Rejection::KeyUnavailable
        }
        ValidationError::UnableToDecrypt(MessageDecryptionError::MalformedContent) => {
            Rejection::MalformedMessage
        }
        ValidationError::UnableToDecrypt(_) => Rejection::UndecryptableMessage,
        ValidationError::WrongEpoch
        | ValidationError::WrongGroupId
        | ValidationError::NoPastEpochData => Rejection::WrongEpoch,
        ValidationError::UnknownMember | ValidationError::InvalidSenderType => {
            Rejection::UnknownSender
        }
        ValidationError::InvalidSignature
        | ValidationError::InvalidMembershipTag
        | ValidationError::MissingMembershipTag
        | ValidationError::InvalidLeafNodeSignature => Rejection::BadSignature,
        ValidationError::KeyPackageVerifyError(error) => classify_key_package(error),
        _ => Rejection::InvalidCommit,
    }
}

/// What MLS finds wrong with a KeyPackage has one code, for who would add it and for who reads the
/// commit (spec: GRP-127, GRP-149).
pub(super) const fn classify_key_package(error: &KeyPackageVerifyError) -> Rejection {
    match error {
        KeyPackageVerifyError::LifetimeError(error) => classify_lifetime(error),
        KeyPackageVerifyError::InvalidSignature
        | KeyPackageVerifyError::InvalidLeafNodeSignature => Rejection::BadSignature,
        KeyPackageVerifyError::LibraryError(_) => Rejection::InvalidCommit,
        _ => Rejection::BadLeaf,
    }
}

/// openmls asks the clock whether a lifetime is over. That it is limited is what matters, by every
/// clock the same (spec: GRP-023, GRP-031). A clock from before 1970 says this of any lifetime, also of
/// one that is not limited: then this device cannot judge the commit.
const fn classify_lifetime(error: &LifetimeError) -> Rejection {
    match error {
        LifetimeError::Expired { .. } | LifetimeError::NotValidYet { .. } => {
            Rejection::LifetimeNotUnlimited
        }
        _ => Rejection::InvalidCommit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_signature_of_a_key_package_is_a_wrong_signature() {
        // spec: GRP-127, GRP-149, GRP-150
        let of = |error| classify_invalid(&ValidationError::KeyPackageVerifyError(error));
        assert_eq!(of(KeyPackageVerifyError::InvalidSignature), Rejection::BadSignature);
        assert_eq!(of(KeyPackageVerifyError::InvalidLeafNodeSignature), Rejection::BadSignature);
        assert_eq!(of(KeyPackageVerifyError::InvalidProtocolVersion), Rejection::BadLeaf);
    }

    #[test]
    fn a_limited_lifetime_has_one_code_whether_it_is_over_or_not() {
        // spec: GRP-023, GRP-031
        let over = || LifetimeError::Expired { not_after: 1, now: 2 };
        let to_come = LifetimeError::NotValidYet { not_before: 2, now: 1 };
        let of_package = |error: LifetimeError| {
            let error = KeyPackageVerifyError::LifetimeError(error);
            classify_invalid(&ValidationError::KeyPackageVerifyError(error))
        };
        assert_eq!(of_package(over()), Rejection::LifetimeNotUnlimited);
        assert_eq!(of_package(to_come), Rejection::LifetimeNotUnlimited);
        let unknown = LifetimeError::SystemTimeBeforeUnixEpoch;
        assert_eq!(of_package(unknown), Rejection::InvalidCommit);
        let of_leaf = LeafNodeValidationError::Lifetime(over());
        let of_leaf = ProposalValidationError::LeafNodeValidation(of_leaf);
        let of_leaf = StageCommitError::ProposalValidationError(of_leaf);
        let found = classify(ProcessMessageError::InvalidCommit(of_leaf));
        assert_eq!(found, Rejection::LifetimeNotUnlimited.into());
    }

    #[test]
    fn a_leaf_is_judged_alike_whoever_finds_what_is_wrong_with_it() {
        // spec: GRP-149, GRP-150
        let of = |error| classify_commit(&error);
        let leaves = [
            (LeafNodeValidationError::UnsupportedExtensions, Rejection::BadLeaf),
            (LeafNodeValidationError::UnsupportedProposals, Rejection::BadLeaf),
            (LeafNodeValidationError::UnsupportedCredentials, Rejection::BadLeaf),
            (LeafNodeValidationError::CiphersuiteNotInCapabilities, Rejection::BadLeaf),
            (LeafNodeValidationError::SignatureKeyAlreadyInUse, Rejection::InvalidCommit),
            (LeafNodeValidationError::EncryptionKeyAlreadyInUse, Rejection::InvalidCommit),
        ];
        for (error, code) in leaves {
            let added = ProposalValidationError::LeafNodeValidation(error.clone());
            assert_eq!(of(StageCommitError::ProposalValidationError(added)), code, "{error:?}");
            assert_eq!(of(StageCommitError::LeafNodeValidation(error)), code);
        }
        let context =
            |error| of(StageCommitError::GroupContextExtensionsProposalValidationError(error));
        let cases = [
            (of(ProposalValidationError::InsufficientCapabilities.into()), Rejection::BadLeaf),
            (of(ProposalValidationError::DuplicateSignatureKey.into()), Rejection::InvalidCommit),
            (of(ProposalValidationError::UnsupportedProposalType.into()), Rejection::InvalidCommit),
            (context(ContextError::ExtensionNotInRequiredCapabilities), Rejection::BadGroupState),
            (
                context(ContextError::RequiredExtensionNotSupportedByAllMembers),
                Rejection::BadGroupState,
            ),
            (context(ContextError::TooManyGCEProposals), Rejection::InvalidCommit),
            (of(StageCommitError::RequiredPathNotFound), Rejection::InvalidCommit),
        ];
        for (number, (found, code)) in cases.into_iter().enumerate() {
            assert_eq!(found, code, "{number}");
        }
    }

    #[test]
    fn every_failure_of_the_library_has_its_code() {
        // spec: GRP-030
        let undecryptable = |error| ValidationError::UnableToDecrypt(error);
        let cases = [
            (undecryptable(MessageDecryptionError::MalformedContent), 105),
            (undecryptable(MessageDecryptionError::AeadError), 202),
            (ValidationError::WrongEpoch, 301),
            (ValidationError::WrongGroupId, 301),
            (ValidationError::NoPastEpochData, 301),
            (ValidationError::UnknownMember, 306),
            (ValidationError::InvalidSenderType, 306),
            (ValidationError::InvalidSignature, 204),
            (ValidationError::InvalidMembershipTag, 204),
            (ValidationError::MissingMembershipTag, 204),
            (ValidationError::InvalidLeafNodeSignature, 204),
            (ValidationError::NoPath, 304),
        ];
        for (error, code) in cases {
            let shown = format!("{error:?}");
            assert_eq!(classify_invalid(&error).code(), code, "{shown}");
        }
    }
}
