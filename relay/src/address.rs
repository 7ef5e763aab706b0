//! The address that clients are given: where a relay is, and which key it must have.

use core::fmt;

use data_encoding::BASE64URL_NOPAD;
use hushwire_wire::id::RelayId;

/// `host:port#` and the relay id in base64url without padding (spec: RLY-007, LNK-001).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    place: String,
    id: RelayId,
}

impl RelayAddress {
    /// The address of the relay with this id at `place`, which is `host:port`.
    pub const fn new(place: String, id: RelayId) -> Self {
        Self { place, id }
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.place, BASE64URL_NOPAD.encode(self.id.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_place_and_key() {
        // spec: RLY-007
        let address = RelayAddress::new("relay.example:4433".into(), RelayId::from_bytes([7; 32]));
        assert_eq!(
            address.to_string(),
            "relay.example:4433#BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"
        );
    }
}
