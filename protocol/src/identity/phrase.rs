//! The recovery phrase: 24 English words (BIP-39) that are the root of an identity.

use core::fmt;

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::random::random_secret;

/// How many words a phrase has.
pub const PHRASE_WORDS: usize = 24;

/// Why text is no recovery phrase. The person who typed it is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhraseError {
    /// Another number of words than 24.
    #[error("a recovery phrase has 24 words, not {0}")]
    WordCount(usize),
    /// The word at this position, counted from 1, is not in the list.
    #[error("word {0} is not a word of recovery phrases")]
    UnknownWord(usize),
    /// All words are in the list, but they do not belong together: one is wrong, or two are swapped.
    #[error("the words do not belong together: one is wrong, or two are swapped")]
    Checksum,
}

/// 32 bytes of entropy, written as 24 words. Shown once, at set-up; stored on no device
/// (spec: IDN-011).
pub struct RecoveryPhrase(Zeroizing<[u8; 32]>);

impl RecoveryPhrase {
    /// Draws a new phrase.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(random_secret(rng))
    }

    /// Reads a phrase as a person types it: case and the amount of white space do not matter.
    ///
    /// # Errors
    /// [`PhraseError`], with the position of the first unknown word (spec: IDN-012).
    pub fn parse(text: &str) -> Result<Self, PhraseError> {
        let text = Zeroizing::new(text.trim().to_lowercase());
        let count = text.split_whitespace().count();
        if count != PHRASE_WORDS {
            return Err(PhraseError::WordCount(count));
        }
        let words = Zeroizing::new(text.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(
            |error| match error {
                bip39::Error::UnknownWord(index) => PhraseError::UnknownWord(index + 1),
                bip39::Error::BadWordCount(count) => PhraseError::WordCount(count),
                _ => PhraseError::Checksum,
            },
        )?;
        let entropy = Zeroizing::new(mnemonic.to_entropy());
        mnemonic.zeroize();
        let entropy = <[u8; 32]>::try_from(&entropy[..]).map_err(|_| PhraseError::Checksum)?;
        Ok(Self(Zeroizing::new(entropy)))
    }

    /// The words, in order, with single spaces between them.
    pub fn to_words(&self) -> Zeroizing<String> {
        #[expect(clippy::expect_used, reason = "BIP-39 takes any 32 bytes; the length is fixed")]
        let mut mnemonic = Mnemonic::from_entropy_in(Language::English, &self.0[..])
            .expect("32 bytes are valid entropy");
        let words = Zeroizing::new(mnemonic.words().collect::<Vec<_>>().join(" "));
        mnemonic.zeroize();
        words
    }

    /// The root seed that everything of the identity derives from: the entropy itself. BIP-39's
    /// stretching is for phrases that people choose; 256 random bits need none (spec: IDN-013).
    pub(super) fn root_seed(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Prints the type's name only.
impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn words_come_back() {
        // spec: IDN-011
        let phrase = RecoveryPhrase::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        let words = phrase.to_words();
        assert_eq!(words.split(' ').count(), PHRASE_WORDS);
        let typed = format!("  {} \n", words.to_uppercase().replace(' ', "   "));
        assert_eq!(RecoveryPhrase::parse(&typed).unwrap().root_seed(), phrase.root_seed());
        assert_eq!(format!("{phrase:?}"), "RecoveryPhrase(..)");
    }

    #[test]
    fn the_standards_own_example() {
        // BIP-39 test vectors: all-zero entropy of 256 bits
        let words = format!("{}art", "abandon ".repeat(23));
        assert_eq!(RecoveryPhrase::parse(&words).unwrap().root_seed(), &[0; 32]);
    }

    #[test]
    fn a_wrong_word_is_named() {
        // spec: IDN-012
        let words = |changes: &[(usize, &'static str)]| {
            let mut words = vec!["abandon"; 23];
            words.push("art");
            for (index, word) in changes {
                words[*index] = word;
            }
            words.join(" ")
        };
        let parse = |text: &str| RecoveryPhrase::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(parse(&words(&[(4, "hushwire")])), PhraseError::UnknownWord(5));
        assert_eq!(parse(&words(&[(0, "x"), (9, "y")])), PhraseError::UnknownWord(1));
        assert_eq!(parse(&words(&[(4, "zoo")])), PhraseError::Checksum);
        assert_eq!(parse("abandon art"), PhraseError::WordCount(2));
        assert_eq!(parse(&format!("{} art", words(&[]))), PhraseError::WordCount(25));
        assert_eq!(parse(""), PhraseError::WordCount(0));
    }
}
