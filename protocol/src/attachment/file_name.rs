//! File names as peers suggest them.

use crate::hidden::is_hidden;

/// What a file without a usable name is called.
const FALLBACK: &str = "attachment";
/// Longest name that is kept, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A name that can be created in a folder of the user's choice and means nothing else there: the last
/// component of what the peer suggests, without control and hidden characters, path separators, dots
/// and spaces at its ends or hyphens at its beginning, which programs take for options, and no device
/// name of Windows (spec: ATT-014, ATT-017).
pub fn safe_file_name(suggestion: &str) -> String {
    let last = suggestion.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|&character| is_safe(character)).collect();
    let trimmed =
        kept.trim_matches(is_trimmed).trim_start_matches(|it| it == '-' || is_trimmed(it));
    let mut end = trimmed.len().min(NAME_BYTES_MAX);
    while !trimmed.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    // A cut can bring another of them to the end.
    let name = trimmed.get(..end).unwrap_or_default().trim_end_matches(is_trimmed);
    if name.is_empty() || is_device(name) { FALLBACK.to_owned() } else { name.to_owned() }
}

fn is_trimmed(character: char) -> bool {
    character == '.' || character.is_whitespace()
}

fn is_safe(character: char) -> bool {
    // What reverses or hides what follows can make an .exe look like a .txt. No file needs joiners.
    let hides = is_hidden(character) || matches!(character, '\u{200c}' | '\u{200d}');
    let is_reserved = matches!(character, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    !character.is_control() && !hides && !is_reserved
}

fn is_device(name: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered =
        |kind| stem.strip_prefix(kind).is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn suggestions_are_made_safe() {
        // spec: ATT-014, ATT-016, ATT-017
        for (suggestion, name) in [
            ("report.pdf", "report.pdf"),
            ("Ünïcödé 文件.txt", "Ünïcödé 文件.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("..", "attachment"),
            ("", "attachment"),
            ("/", "attachment"),
            (".bashrc", "bashrc"),
            ("a\nb\u{1b}[31m", "ab[31m"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a:b*c?", "abc"),
            ("NUL.txt", "attachment"),
            ("com1", "attachment"),
            ("common.txt", "common.txt"),
            ("name. . ", "name"),
            ("-rf", "rf"),
            ("- -.-x-y", "x-y"),
            ("---", "attachment"),
            ("a\u{ad}\u{61c}\u{180e}\u{e0041}\u{200d}b.txt", "ab.txt"),
            ("\u{2066}-o\u{2069}", "o"),
        ] {
            assert_eq!(safe_file_name(suggestion), name, "{suggestion:?}");
        }
        assert_eq!(safe_file_name(&"ä".repeat(200)).len(), 200);
        assert_eq!(safe_file_name(&format!("{}. b", "a".repeat(199))), "a".repeat(199));
    }

    proptest! {
        #[test]
        fn every_name_is_one_component(suggestion in ".{0,300}") {
            let name = safe_file_name(&suggestion);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
            prop_assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with(['.', '-']));
            prop_assert!(!name.contains(is_hidden));
            prop_assert_eq!(safe_file_name(&name), name);
        }
    }
}
