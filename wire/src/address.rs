//! Where a relay is and which key it has: `host:port#<relay id>`.

use core::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use data_encoding::BASE64URL_NOPAD;

use crate::id::RelayId;

/// The longest host, in bytes: that of a DNS name (RFC 1035 section 2.3.4).
pub const HOST_BYTES_MAX: usize = 253;

/// Why text is no relay address. The person who typed it is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The host is no lower-case DNS name, IPv4 address or bracketed IPv6 address.
    #[error("the host is not a lower-case host name or an address")]
    Host,
    /// The port is missing, or not a number from 1 to 65535 without leading zeros.
    #[error("the port after `:` is missing, or no number from 1 to 65535")]
    Port,
    /// The relay id is missing, or not 43 characters of base64url.
    #[error("the relay id after `#` is missing or malformed")]
    RelayId,
}

impl AddressError {
    /// The name of the refusal, as test vectors give it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Host => "HOST",
            Self::Port => "PORT",
            Self::RelayId => "RELAY_ID",
        }
    }
}

/// A host: DNS name in lower case, IPv4 address, or IPv6 address in brackets, each in its one form
/// (spec: LNK-001).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// Reads a host.
    ///
    /// # Errors
    /// [`AddressError::Host`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let canonical = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => is_canonical::<Ipv6Addr>(inner),
            None if ends_in_number(text) => is_canonical::<Ipv4Addr>(text),
            None => is_dns_name(text),
        };
        if canonical { Ok(Self(text.to_owned())) } else { Err(AddressError::Host) }
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Prints the type's name only: a private relay's name says who uses it.
impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host(..)")
    }
}

fn is_canonical<Address: FromStr + ToString>(text: &str) -> bool {
    text.parse::<Address>().is_ok_and(|address| address.to_string() == text)
}

/// A name whose last label is a number is an IPv4 address or nothing (WHATWG URL section 3.5).
fn ends_in_number(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.len() <= HOST_BYTES_MAX && text.split('.').all(is_label)
}

/// Where a relay is: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    host: Host,
    port: u16,
}

impl Place {
    /// Puts a place together.
    ///
    /// # Errors
    /// [`AddressError::Port`] for port 0.
    pub fn new(host: Host, port: u16) -> Result<Self, AddressError> {
        if port == 0 { Err(AddressError::Port) } else { Ok(Self { host, port }) }
    }
}

/// `host:port` (spec: LNK-001).
impl FromStr for Place {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
        let host = Host::parse(host)?;
        let number: u16 = port.parse().map_err(|_| AddressError::Port)?;
        if number.to_string() != port {
            return Err(AddressError::Port);
        }
        Self::new(host, number)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.as_str(), self.port)
    }
}

/// A relay: where it is, and the hash of its key, which is what a client trusts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayAddress {
    place: Place,
    relay: RelayId,
}

impl RelayAddress {
    /// Puts an address together.
    ///
    /// # Errors
    /// [`AddressError::Port`] for port 0.
    pub fn new(host: Host, port: u16, relay: RelayId) -> Result<Self, AddressError> {
        Ok(Self::at(Place::new(host, port)?, relay))
    }

    /// The address of the relay with this id at a place.
    pub const fn at(place: Place, relay: RelayId) -> Self {
        Self { place, relay }
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.place.host
    }

    /// The port; never 0.
    pub const fn port(&self) -> u16 {
        self.place.port
    }

    /// The relay's id, to be compared with the key it shows.
    pub const fn relay(&self) -> RelayId {
        self.relay
    }
}

/// `host:port#<relay id in base64url without padding>` (spec: LNK-001).
impl FromStr for RelayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (place, relay) = text.split_once('#').ok_or(AddressError::RelayId)?;
        let place: Place = place.parse()?;
        let relay = BASE64URL_NOPAD.decode(relay.as_bytes()).map_err(|_| AddressError::RelayId)?;
        let relay = RelayId::from_slice(&relay).map_err(|_| AddressError::RelayId)?;
        Ok(Self { place, relay })
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relay = BASE64URL_NOPAD.encode(self.relay.as_bytes());
        write!(f, "{}#{relay}", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

    #[test]
    fn addresses_come_back() {
        // spec: LNK-001
        for place in ["relay.example.org:4433", "127.0.0.1:1", "[::1]:65535", "localhost:80"] {
            let text = format!("{place}#{ID}");
            let address: RelayAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.relay(), RelayId::from_bytes([7; 32]));
        }
    }

    #[test]
    fn other_text_is_refused() {
        // spec: LNK-001
        let long = format!("{}.org:1", "a".repeat(64));
        let cases = [
            ("Relay.org:1", AddressError::Host),
            ("a..b:1", AddressError::Host),
            ("-a:1", AddressError::Host),
            ("a-:1", AddressError::Host),
            (":1", AddressError::Host),
            ("a b:1", AddressError::Host),
            ("127.0.0.01:1", AddressError::Host),
            ("1.2.3:1", AddressError::Host),
            ("::1:1", AddressError::Host),
            ("[0::1]:1", AddressError::Host),
            ("[::1:1", AddressError::Host),
            (&long, AddressError::Host),
            ("a", AddressError::Port),
            ("a:", AddressError::Port),
            ("a:0", AddressError::Port),
            ("a:01", AddressError::Port),
            ("a:+1", AddressError::Port),
            ("a:65536", AddressError::Port),
        ];
        for (place, error) in cases {
            assert_eq!(format!("{place}#{ID}").parse::<RelayAddress>(), Err(error), "{place}");
        }
        for id in ["", "#", "#BwcH", "#BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd"] {
            let error = format!("a:1{id}").parse::<RelayAddress>();
            assert_eq!(error, Err(AddressError::RelayId), "{id}");
        }
    }

    #[test]
    fn debug_prints_no_host() {
        let address: RelayAddress = format!("secret.org:1#{ID}").parse().unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }
}
