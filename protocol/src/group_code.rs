//! What members of a group compare to know that they are in one group at one place of its history:
//! 30 digits.
//!
//! A relay that shows members different histories, or a fork, gives them different codes. Who has
//! compared once knows it of everything up to that epoch, as each epoch comes from the one before.

use hushwire_wire::id::{ChannelId, EpochId};

use crate::{derive::derive, digits, label::Label};

const BYTES: usize = 6 * 5;

/// The code of a group at an epoch, from the epoch's authenticator (RFC 9420 section 8.7): six
/// groups of five digits with single spaces, the same for all members there (spec: GRP-054).
pub fn group_code(channel: &ChannelId, epoch: &EpochId, authenticator: &[u8]) -> String {
    let context = [&channel.as_bytes()[..], epoch.as_bytes()].concat();
    digits::groups(&*derive::<BYTES>(authenticator, Label::GroupCode, &context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_of_a_group_s_place_is_in_its_code() {
        // spec: GRP-054
        let [channel, other] = [1, 2].map(|byte| ChannelId::from_bytes([byte; 32]));
        let [epoch, later] = [3, 4].map(|byte| EpochId::from_bytes([byte; 32]));
        let code = group_code(&channel, &epoch, &[5; 32]);
        assert_eq!(code.len(), 6 * 5 + 5);
        let others = [
            group_code(&other, &epoch, &[5; 32]),
            group_code(&channel, &later, &[5; 32]),
            group_code(&channel, &epoch, &[6; 32]),
        ];
        assert!(!others.contains(&code));
    }
}
