//! Text written by others, made safe to show: nothing in it can steer the terminal or hide.
//!
//! Control characters become their pictures (U+2400 block), and characters that turn the reading
//! direction or take no room are written as their number. Long runs of blanks, which could push text
//! to where it looks like something else, are counted, and in names there are none. What is left is
//! what a person reads.

use hushwire::hidden::is_hidden;

/// The longest run of blanks that is shown as it is.
const BLANKS_MAX: usize = 8;

/// One line of foreign text: a file name, a media type. Line breaks become visible too.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let behind = rest.trim_start_matches(is_blank);
        let run = rest.get(..rest.len() - behind.len()).unwrap_or_default();
        let count = run.chars().count();
        if count > BLANKS_MAX {
            shown.push_str(&format!("<{count} blanks>"));
            rest = behind;
        } else if count > 0 {
            run.chars().for_each(|blank| push(&mut shown, blank));
            rest = behind;
        } else {
            push(&mut shown, character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    shown
}

/// A name that stands in a line with something else, as [`line()`]. Each run of blanks in it is one
/// blank, and there is none at its ends: it cannot pass for the name and the columns behind it
/// (spec: CLI-122).
pub fn name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut gap = true;
    for character in text.chars() {
        if is_blank(character) && !joins(character) && !is_hidden(character) {
            gap = true;
        } else if !(gap && joins(character)) {
            // Else it would part two blanks, and joins nothing.
            if gap && !name.is_empty() {
                name.push(' ');
            }
            gap = false;
            name.push(character);
        }
    }
    line(&name)
}

/// Whether nothing is to be seen of a character, in most fonts, though it may take room.
pub fn is_blank(character: char) -> bool {
    (character.is_whitespace() && !character.is_control())
        || character == '\u{2800}' // Braille without dots
        || joins(character)
        || is_hidden(character)
}

/// Whether a character takes no room and acts on its neighbours, which scripts and emoji need.
const fn joins(character: char) -> bool {
    matches!(
        character,
        '\u{34f}'                     // combining grapheme joiner
        | '\u{200c}' | '\u{200d}'     // joiners
        | '\u{fe00}'..='\u{fe0f}' // selectors of variants
    )
}

/// Foreign text of several lines. The caller indents all but the first, so that a line break in a
/// message cannot pass for a message of somebody else.
pub fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.split('\n').map(|part| line(&part.replace('\t', "    "))).collect()
}

/// JSON that was written by `serde_json`, with every character that [`line()`] would change as a
/// `\u` escape. Such characters stand in strings only, so the value stays the same.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        if is_harmless(character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

fn push(shown: &mut String, character: char) {
    if is_harmless(character) {
        shown.push(character);
        return;
    }
    match picture(character) {
        Some(picture) => shown.push(picture),
        None => shown.push_str(&format!("<U+{:04X}>", u32::from(character))),
    }
}

/// The picture of an ASCII control character.
fn picture(character: char) -> Option<char> {
    match character {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)),
        '\u{7f}' => Some('\u{2421}'),
        _ => None,
    }
}

/// Whether a character can neither steer the terminal nor hide or reorder what stands beside it.
fn is_harmless(character: char) -> bool {
    !character.is_control() && !is_hidden(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_and_hidden_characters_are_shown() {
        let cases = [
            ("Bob", "Bob"),
            ("\u{1b}[2J", "\u{241b}[2J"),
            ("a\nb\r", "a\u{240a}b\u{240d}"),
            ("\u{7f}\u{7}", "\u{2421}\u{2407}"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("\u{202e}gpj.exe", "<U+202E>gpj.exe"),
            ("a\u{200b}b\u{feff}", "a<U+200B>b<U+FEFF>"),
            ("\u{2066}x\u{2069}", "<U+2066>x<U+2069>"),
            ("\u{e0041}", "<U+E0041>"),
            ("Zoë 👩\u{200d}💻 日本", "Zoë 👩\u{200d}💻 日本"),
        ];
        for (text, shown) in cases {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn long_runs_of_blanks_are_counted() {
        // spec: CLI-120
        let eight = " ".repeat(8);
        assert_eq!(line(&format!("a{eight}b")), format!("a{eight}b"));
        for blank in [' ', '\u{a0}', '\u{2800}', '\u{3000}', '\u{2003}', '\u{200d}'] {
            let run = blank.to_string().repeat(9);
            assert_eq!(line(&format!("a{run}b{run}")), "a<9 blanks>b<9 blanks>", "{blank:?}");
        }
        assert_eq!(lines("ok\t\t\tx"), ["ok<12 blanks>x"]);
    }

    #[test]
    fn a_name_has_no_columns() {
        // spec: CLI-122
        let cases = [
            ("Bob", "Bob"),
            ("  Bob  verified   chat 4 ", "Bob verified chat 4"),
            ("Bob\u{a0}\u{3000}\u{2800} x", "Bob x"),
            ("\u{200d} Bob \u{200d} \u{fe0f}x \u{200c}", "Bob x"),
            ("a\u{200b} \tb", "a<U+200B> \u{2409}b"),
            ("👩\u{200d}💻 Zoë", "👩\u{200d}💻 Zoë"),
            (" \u{3000}", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(name(text), shown);
        }
    }

    #[test]
    fn lines_keep_their_breaks_and_lose_only_the_last() {
        assert_eq!(lines("a\r\n\tb\n"), ["a", "    b"]);
        assert_eq!(lines(""), [""]);
        assert_eq!(lines("a\rb"), ["a\u{240d}b"]);
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "\u{1b}\u{9b}\u{202e}é\u{e0041}";
        let written = json(&serde_json::to_string(text).unwrap());
        assert!(written.chars().all(is_harmless));
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
