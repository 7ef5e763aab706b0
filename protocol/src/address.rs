//! How the address of a relay is encoded where links and grants carry it.

pub use hushwire_wire::address::{AddressError, HOST_BYTES_MAX, Host, Place, RelayAddress};
use hushwire_wire::id::RelayId;

use crate::encoding::{DecodeError, Reader, Writer};

/// Host with its length, port, relay id.
pub(crate) fn write(address: &RelayAddress, writer: Writer) -> Writer {
    let host = address.host().as_str().as_bytes();
    writer.variable(host).short(address.port()).fixed(address.relay())
}

pub(crate) fn read(reader: &mut Reader<'_>) -> Result<RelayAddress, DecodeError> {
    let host = reader.text(HOST_BYTES_MAX)?;
    let host = Host::parse(host).map_err(|_| DecodeError::UndefinedValue)?;
    let port = reader.short()?;
    let relay = RelayId::from_bytes(reader.array()?);
    RelayAddress::new(host, port, relay).map_err(|_| DecodeError::UndefinedValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_addresses_come_back() {
        // spec: LNK-001
        for place in ["relay.example.org:4433", "127.0.0.1:1", "[::1]:65535"] {
            let place: Place = place.parse().unwrap();
            let address = RelayAddress::at(place, RelayId::from_bytes([7; 32]));
            let bytes = write(&address, Writer::default()).into_bytes();
            assert_eq!(read(&mut Reader::new(&bytes)).unwrap(), address);
        }
    }
}
