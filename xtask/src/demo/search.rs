//! Looking for many byte strings at once, in pieces of any length.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read},
};

use super::needle::Pattern;

/// Read at once, in bytes.
const BLOCK_BYTES: usize = 1 << 20;
/// Bits in the table of beginnings: one for each pair of bytes.
const PAIRS: usize = 1 << 16;

/// All patterns, ready to be looked for.
pub(super) struct Search {
    patterns: Vec<Pattern>,
    /// Whether a pattern begins with a pair of bytes.
    begins: Vec<u64>,
    /// Patterns by their first four bytes.
    by_start: HashMap<[u8; 4], Vec<usize>>,
    longest: usize,
}

/// What was looked at and what was found in one place.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files, rows or frames.
    pub(super) pieces: u64,
    pub(super) bytes: u64,
    /// Patterns that are there.
    pub(super) patterns: BTreeSet<usize>,
}

impl Search {
    pub(super) fn new(patterns: Vec<Pattern>) -> Self {
        let mut begins = vec![0_u64; PAIRS / 64];
        let mut by_start: HashMap<[u8; 4], Vec<usize>> = HashMap::new();
        for (number, pattern) in patterns.iter().enumerate() {
            if let Some(start) = pattern.bytes.first_chunk::<4>() {
                let [first, second, ..] = *start;
                let pair = usize::from(u16::from_be_bytes([first, second]));
                if let Some(word) = begins.get_mut(pair / 64) {
                    *word |= 1 << (pair % 64);
                }
                by_start.entry(*start).or_default().push(number);
            }
        }
        let longest = patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or(0);
        Self { patterns, begins, by_start, longest }
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Looks at one piece that is in memory.
    pub(super) fn piece(&self, piece: &[u8], found: &mut Found) {
        found.pieces += 1;
        found.bytes += u64::try_from(piece.len()).unwrap_or(0);
        self.look(piece, found);
    }

    /// Looks at a stream, block by block; a pattern may lie across blocks.
    pub(super) fn stream(
        &self,
        mut stream: impl Read,
        found: &mut Found,
        mut progress: impl FnMut(u64),
    ) -> io::Result<()> {
        found.pieces += 1;
        let mut block = vec![0; BLOCK_BYTES];
        let mut window: Vec<u8> = Vec::new();
        loop {
            let count = stream.read(&mut block)?;
            if count == 0 {
                return Ok(());
            }
            let bytes = u64::try_from(count).unwrap_or(0);
            found.bytes += bytes;
            progress(bytes);
            window.extend(block.iter().take(count));
            self.look(&window, found);
            let kept = self.longest.saturating_sub(1).min(window.len());
            window.drain(..window.len() - kept);
        }
    }

    fn look(&self, bytes: &[u8], found: &mut Found) {
        let mut rest = bytes;
        while let Some(start) = rest.first_chunk::<4>() {
            let [first, second, ..] = *start;
            let pair = usize::from(u16::from_be_bytes([first, second]));
            let begins =
                self.begins.get(pair / 64).is_some_and(|word| word >> (pair % 64) & 1 == 1);
            if begins && let Some(candidates) = self.by_start.get(start) {
                for number in candidates {
                    let pattern = self.patterns.get(*number);
                    if pattern.is_some_and(|pattern| rest.starts_with(&pattern.bytes)) {
                        found.patterns.insert(*number);
                    }
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(texts: &[&str]) -> Search {
        let pattern =
            |text: &&str| Pattern { needle: 0, form: "as it is", bytes: text.as_bytes().to_vec() };
        Search::new(texts.iter().map(pattern).collect())
    }

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0.len()).min(3);
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn patterns_are_found_within_and_across_blocks() {
        let search = search(&["abcdefgh", "abcdwxyz", "not there", "the very end"]);
        let text = b"..abcdabcdefgh ababcdwxyz the very end";
        let expected = BTreeSet::from([0, 1, 3]);
        let mut found = Found::default();
        search.piece(text, &mut found);
        assert_eq!(found.patterns, expected);
        let mut dripped = Found::default();
        search.stream(Drip(text), &mut dripped, |_| {}).unwrap();
        assert_eq!(dripped.patterns, expected);
        assert_eq!((dripped.pieces, dripped.bytes), (1, 38));
    }
}
