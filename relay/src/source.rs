//! Where connections come from, and how many each source has: one host does not fill the relay.
//!
//! Owns a count for each source, and each site around sources, that has a connection, and no other:
//! an entry goes with its last one. Invariant: the counts of sources add up to the [`Seat`]s that
//! live, and so do those of sites to the seats of IPv6.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hushwire_relay_rules as rules;

/// Who shares one share (spec: RLY-044, RLY-046).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// An IPv4 address, also when it came to an IPv6 socket.
    V4(Ipv4Addr),
    /// The first 56 bits of an IPv6 address: what one customer of a provider is given, and more.
    V6([u8; 7]),
    /// The first 48 bits of an IPv6 address: what one customer is given at most places that give
    /// more than a /56.
    Site([u8; 6]),
}

impl Source {
    /// The site around it.
    const fn site(self) -> Option<Self> {
        match self {
            Self::V6([a, b, c, d, e, f, _]) => Some(Self::Site([a, b, c, d, e, f])),
            Self::V4(_) | Self::Site(_) => None,
        }
    }
}

/// How many connections there are from where an address is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// From its source.
    pub(crate) source: usize,
    /// From the site around it; none for IPv4.
    pub(crate) site: usize,
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
        }
    }
}

/// Where an address is, for the draws among those who wait (spec: RLY-048). Of IPv6 it is the site: else
/// a customer with many /56 would have as many chances.
pub(crate) fn draw_source(address: SocketAddr) -> rules::Source {
    let source = Source::from(address);
    rules::Source::from_bytes(match source.site().unwrap_or(source) {
        Source::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [4, a, b, c, d, 0, 0, 0]
        }
        Source::Site([a, b, c, d, e, f]) => [6, a, b, c, d, e, f, 0],
        Source::V6([a, b, c, d, e, f, g]) => [6, a, b, c, d, e, f, g],
    })
}

/// The connections of every source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Arc<Mutex<BTreeMap<Source, usize>>>);

impl Sources {
    /// How many connections the source of this address has, and the site around it.
    pub(crate) fn crowd_at(&self, address: SocketAddr) -> Crowd {
        let (source, counts) = (Source::from(address), self.counts());
        let count = |source| counts.get(&source).copied().unwrap_or(0);
        Crowd { source: count(source), site: source.site().map_or(0, count) }
    }

    /// Counts one connection more from there, until the seat is dropped.
    pub(crate) fn take_seat(&self, address: SocketAddr) -> Seat {
        let source = Source::from(address);
        let mut counts = self.counts();
        for source in [Some(source), source.site()].into_iter().flatten() {
            let count = counts.entry(source).or_insert(0);
            *count = count.saturating_add(1);
        }
        Seat { source, sources: self.clone() }
    }

    fn leave(&self, source: Source) {
        let mut counts = self.counts();
        for source in [Some(source), source.site()].into_iter().flatten() {
            if let Entry::Occupied(mut count) = counts.entry(source) {
                *count.get_mut() = count.get().saturating_sub(1);
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Source, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of a source, from its first packet to its end. It stays with the source that it
/// came from when its client moves to another address.
#[derive(Debug)]
pub(crate) struct Seat {
    source: Source,
    sources: Sources,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sources.leave(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from(SocketAddr::new(text.parse().unwrap(), 4433))
    }

    #[test]
    fn a_source_is_an_ipv4_address_or_an_ipv6_prefix() {
        // spec: RLY-044
        let same = [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8:1:200::1", "2001:db8:1:2ff:ffff::9"),
        ];
        for (one, other) in same {
            assert_eq!(source(one), source(other), "{one} {other}");
        }
        let different = [
            ("192.0.2.1", "192.0.2.2"),
            ("2001:db8:1:200::1", "2001:db8:1:300::1"),
            ("::ffff:192.0.2.1", "::1"),
        ];
        for (one, other) in different {
            assert_ne!(source(one), source(other), "{one} {other}");
        }
    }

    #[test]
    fn a_draw_takes_an_ipv4_address_or_an_ipv6_site_for_one() {
        // spec: RLY-048
        let of = |text: &str| draw_source(SocketAddr::new(text.parse().unwrap(), 4433));
        let same =
            [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8:1:200::1", "2001:db8:1:300:ffff::9")];
        for (one, other) in same {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
        for (one, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8:1::1", "2001:db8:2::1")] {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }

    #[test]
    fn the_table_holds_what_lives_and_nothing_more() {
        // spec: RLY-044
        let sources = Sources::default();
        let address = |last| SocketAddr::from(([192, 0, 2, last], 1));
        let mut seats: Vec<_> = (0..=255).map(|last| sources.take_seat(address(last))).collect();
        seats.push(sources.take_seat(address(7)));
        assert_eq!(sources.crowd_at(address(7)), Crowd { source: 2, site: 0 });
        assert_eq!(sources.counts().len(), 256);
        seats.pop();
        assert_eq!(sources.crowd_at(address(7)), Crowd { source: 1, site: 0 });
        drop(seats);
        assert!(sources.counts().is_empty());
    }

    #[test]
    fn the_sources_of_a_site_are_counted_together_too() {
        // spec: RLY-046
        let sources = Sources::default();
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 4433);
        let (one, other) = (address("2001:db8:1:100::1"), address("2001:db8:1:200::1"));
        let elsewhere = address("2001:db8:2:100::1");
        let seats = [one, one, other].map(|address| sources.take_seat(address));
        assert_eq!(sources.crowd_at(one), Crowd { source: 2, site: 3 });
        assert_eq!(sources.crowd_at(other), Crowd { source: 1, site: 3 });
        assert_eq!(sources.crowd_at(elsewhere), Crowd::default());
        drop(seats);
        assert!(sources.counts().is_empty());
    }
}
