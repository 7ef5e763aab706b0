//! What a run is made of: moves, drawn from a seed before anything happens.

use core::fmt;

use crate::dice::Dice;

/// The stream of a seed that draws its plan.
const PLAN: u64 = 1;

/// How long the moves of a plan are spread over, in milliseconds of the world's time.
const SPAN_MS: u64 = 15 * 60_000;

/// What is done, by a person or by fate. The numbers of a [`Move`] say to whom and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A person writes a text in a chat.
    Say,
    /// A person sends a file.
    SendFile,
    /// A person fetches a file that came.
    Fetch,
    /// Two people become contacts.
    Befriend,
    /// A person makes a group.
    NewGroup,
    /// A member adds a contact.
    AddMember,
    /// A member removes another.
    RemoveMember,
    /// A member leaves.
    Leave,
    /// A person links one more device.
    LinkDevice,
    /// A person revokes another device of theirs.
    RevokeDevice,
    /// A person has seen a chat.
    MarkRead,
    /// A person tries a failed message again.
    Retry,
    /// A person changes the name or description of a group.
    Describe,
    /// A person promotes or demotes a member.
    GrantRole,
    /// A person gives or takes a right, that to write too.
    GrantRight,
    /// An owner ends a group.
    Dissolve,
    /// A person pins a message, or takes a pin away.
    Pin,
    /// A person asks for new keys everywhere.
    Refresh,
    /// A person asks again to be added to a chat in which a device is stuck.
    Rejoin,
    /// A member makes a link of a group for somebody.
    LinkGroup,
    /// A member revokes a link of a group.
    UnlinkGroup,
    /// An owner or admin forms a group anew.
    Succeed,
    /// A member goes along with an admin who did.
    Follow,
    /// The hostile member does something, if there is one.
    Mischief,
    /// A relay begins to lie to a device, if one of them lies.
    RelayLies,
    /// A connection breaks, and both ends learn of it at some time.
    CutLink,
    /// A device has no network for a while.
    Partition,
    /// What a device sends and gets takes long for a while.
    Slow,
    /// A client dies and is opened again.
    CrashClient,
    /// A client dies in the midst of one of its next batches.
    CrashAtBatch,
    /// A client's disk refuses a few of its next batches.
    DiskFails,
    /// A device's clock goes wrong, or right again.
    ClockJumps,
    /// A relay dies, perhaps in the midst of one of its next writes, and starts again.
    CrashRelay,
    /// A relay's disk refuses for a while.
    RelayDiskFails,
}

/// How often each deed is drawn, beside the others.
const WEIGHTS: [(Deed, u64); 34] = [
    (Deed::Say, 300),
    (Deed::SendFile, 12),
    (Deed::Fetch, 12),
    (Deed::Befriend, 25),
    (Deed::NewGroup, 14),
    (Deed::AddMember, 70),
    (Deed::RemoveMember, 30),
    (Deed::Leave, 14),
    (Deed::LinkDevice, 12),
    (Deed::RevokeDevice, 6),
    (Deed::MarkRead, 10),
    (Deed::Retry, 8),
    (Deed::Describe, 14),
    (Deed::GrantRole, 18),
    (Deed::GrantRight, 14),
    (Deed::Dissolve, 2),
    (Deed::Pin, 12),
    (Deed::Refresh, 5),
    (Deed::Rejoin, 3),
    (Deed::LinkGroup, 20),
    (Deed::UnlinkGroup, 4),
    (Deed::Succeed, 4),
    (Deed::Follow, 3),
    (Deed::Mischief, 45),
    (Deed::RelayLies, 25),
    (Deed::CutLink, 45),
    (Deed::Partition, 30),
    (Deed::Slow, 15),
    (Deed::CrashClient, 30),
    (Deed::CrashAtBatch, 60),
    (Deed::DiskFails, 25),
    (Deed::ClockJumps, 8),
    (Deed::CrashRelay, 25),
    (Deed::RelayDiskFails, 10),
];

/// One move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its place in the seed's whole plan.
    pub place: usize,
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// What.
    pub deed: Deed,
    /// Numbers that it takes its objects from, whatever there is by then.
    pub draws: [u32; 3],
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.draws;
        let seconds = self.at_ms / 1_000;
        let rest = self.at_ms % 1_000;
        write!(f, "{:>4}  {seconds:>5}.{rest:03} s  {:?}({a}, {b}, {c})", self.place, self.deed)
    }
}

/// Whether relays keep the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relays {
    /// They do, whatever breaks.
    Honest,
    /// They lie to devices now and then.
    Liars,
}

/// A whole run, before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// People at the beginning.
    pub people: u8,
    /// Relays.
    pub relays: u8,
    /// Which of the people does not keep to the program, if one of them does not.
    pub hostile: Option<u8>,
    /// Whether relays lie.
    pub relays_are: Relays,
    /// What happens, in order of time, with its place in the seed's whole plan.
    pub moves: Vec<Move>,
    /// How much a journal says.
    pub detail: Detail,
}

/// How much a journal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What people do and see, and what breaks.
    People,
    /// Every request and answer as well.
    Frames,
}

impl Plan {
    /// The plan of a seed: 3 to 9 people and 60 to 240 moves; one in a hundred has 50 people.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, PLAN);
        let crowd = dice.happens(10);
        let people = if crowd { 50 } else { dice.between(3, 9) };
        let relays = dice.between(1, 2);
        let hostile = dice.happens(400).then(|| dice.below(people));
        let relays_are = if dice.happens(250) { Relays::Liars } else { Relays::Honest };
        let count = dice.between(60, 240);
        let total: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        let mut moves: Vec<Move> = (0..count)
            .map(|_| {
                let at_ms = dice.below(SPAN_MS);
                let mut left = dice.below(total);
                let deed =
                    WEIGHTS.iter().find_map(|(deed, weight)| match left.checked_sub(*weight) {
                        Some(rest) => {
                            left = rest;
                            None
                        }
                        None => Some(*deed),
                    });
                let [a, b, c] =
                    [dice.draw(), dice.draw(), dice.draw()].map(|draw| (draw >> 32) as u32);
                Move { place: 0, at_ms, deed: deed.unwrap_or(Deed::Say), draws: [a, b, c] }
            })
            .collect();
        moves.sort_by_key(|one| one.at_ms);
        for (place, one) in moves.iter_mut().enumerate() {
            one.place = place;
        }
        let small = |count: u64| u8::try_from(count).unwrap_or(u8::MAX);
        Self {
            seed,
            people: small(people),
            relays: small(relays),
            hostile: hostile.map(small),
            relays_are,
            moves,
            detail: Detail::People,
        }
    }

    /// Who is there, in a line.
    pub fn cast(&self) -> String {
        let hostile = match self.hostile {
            Some(person) => format!(", person {person} hostile"),
            None => String::new(),
        };
        let relays = match self.relays_are {
            Relays::Honest => "",
            Relays::Liars => ", relays lie",
        };
        format!("{} people, {} relays{hostile}{relays}", self.people, self.relays)
    }

    /// The same with these moves only.
    pub fn keep(&mut self, places: &[usize]) {
        self.moves.retain(|one| places.contains(&one.place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_plan() {
        assert_eq!(Plan::draw(7), Plan::draw(7));
        assert_ne!(Plan::draw(7).moves, Plan::draw(8).moves);
    }

    #[test]
    fn every_deed_is_drawn() {
        let drawn: std::collections::BTreeSet<Deed> =
            (0..40).flat_map(|seed| Plan::draw(seed).moves).map(|one| one.deed).collect();
        assert_eq!(drawn.len(), WEIGHTS.len());
    }
}
