//! Characters that hide, or that change what stands beside them.

/// Whether a character takes no room on the screen, or turns the direction of what stands beside it:
/// in a name it makes one thing look like another (spec: ATT-016). The list is part of the protocol
/// and does not follow versions of Unicode: what it names is refused by all alike. The joiners
/// U+200C and U+200D are not in it: scripts and emoji need them.
pub const fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{ad}'                      // soft hyphen
        | '\u{61c}'                   // Arabic letter mark
        | '\u{115f}' | '\u{1160}'     // Hangul fillers
        | '\u{17b4}' | '\u{17b5}'     // Khmer inherent vowels
        | '\u{180b}'..='\u{180f}'     // Mongolian selectors and separator
        | '\u{200b}'                  // zero width space
        | '\u{200e}' | '\u{200f}'     // left-to-right and right-to-left mark
        | '\u{2028}'..='\u{202e}'     // separators, embeddings and overrides
        | '\u{2060}'..='\u{206f}'     // invisible operators and isolates
        | '\u{3164}' | '\u{ffa0}'     // Hangul fillers
        | '\u{feff}'                  // byte order mark
        | '\u{fff0}'..='\u{fffb}'     // unassigned ignorables, interlinear annotation
        | '\u{1bca0}'..='\u{1bca3}'   // shorthand format controls
        | '\u{1d173}'..='\u{1d17a}'   // musical format controls
        | '\u{e0000}'..='\u{e0fff}'   // tags and selectors
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_told_from_what_is_seen() {
        // spec: ATT-016
        let hidden = "\u{ad}\u{61c}\u{115f}\u{17b5}\u{180e}\u{200b}\u{200f}\u{2029}\u{202e}\u{2069}\u{3164}\u{feff}\u{fff0}\u{fff8}\u{fffb}\u{1bca0}\u{1bca3}\u{1d173}\u{1d17a}\u{e0041}\u{e0fff}";
        assert!(hidden.chars().all(is_hidden));
        assert!(!"aé 文\u{200c}\u{200d}\u{a0}\u{fe0f}👩-\u{ffef}\u{fffc}\u{1bc9f}\u{1bca4}\u{1d172}\u{1d17b}".chars().any(is_hidden));
    }
}
