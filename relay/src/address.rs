//! The address that clients are given: where a relay is, and which key it must have.

use core::fmt;

use hushwire_wire::id::RelayId;

/// `host:port#` and the relay id in 64 hex digits (spec: RLY-007).
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
        write!(f, "{}#{}", self.place, hex::encode(self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_names_place_and_key() {
        // spec: RLY-007
        let address = RelayAddress::new("relay.example:4433".into(), RelayId::from_bytes([7; 32]));
        assert_eq!(address.to_string(), format!("relay.example:4433#{}", "07".repeat(32)));
    }
}
