//! Lines broken by us and not by the terminal, which would go on in the first column: there, a long
//! text of somebody could pass for a line of ours (spec: CLI-120).

use unicode_width::UnicodeWidthChar as _;

/// Fewer columns cannot be wrapped to.
const COUNT_MIN: usize = 4;

/// The width of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// How many columns.
    pub count: usize,
    /// How it shows characters of ambiguous width.
    pub ambiguous: Ambiguous,
}

/// The width of characters that Unicode calls ambiguous (UAX #11), such as ※ and frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguous {
    /// One column.
    Narrow,
    /// Two columns, as terminals of East Asia may do.
    Wide,
}

impl Ambiguous {
    /// Of a locale, such as `ja_JP.UTF-8`.
    pub fn of(locale: &str) -> Self {
        let wide = ["ja", "ko", "zh"].iter().any(|language| locale.starts_with(language));
        if wide { Self::Wide } else { Self::Narrow }
    }

    /// Columns that a character takes, at most. Each counts for itself, also in what a terminal
    /// may join to one sign, because not every terminal does.
    fn width(self, character: char) -> usize {
        const EMOJI_STYLE: char = '\u{fe0f}';
        let width = match self {
            _ if character == EMOJI_STYLE => Some(1),
            Self::Narrow => character.width(),
            Self::Wide => character.width_cjk(),
        };
        width.unwrap_or(0)
    }
}

/// The line in pieces that fit, all but the first indented. Escape sequences, which are ours only,
/// take no room.
pub fn wrapped(line: &str, indent: usize, columns: Columns) -> Vec<String> {
    let count = columns.count.max(COUNT_MIN);
    let mut piece = Piece::new(String::new(), indent.min(count / 2), count);
    let mut pieces = Vec::new();
    let mut in_escape = Escape::No;
    for character in line.chars() {
        in_escape = in_escape.then(character);
        let width = match in_escape {
            Escape::No => columns.ambiguous.width(character),
            Escape::Inside | Escape::End => 0,
        };
        while piece.used + width > count {
            pieces.push(piece.break_off());
        }
        piece.push(character, width);
    }
    pieces.push(piece.text);
    pieces
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    Inside,
    End,
}

impl Escape {
    /// A colour is ESC, parameters, `m`.
    const fn then(self, character: char) -> Self {
        match (self, character) {
            (_, '\u{1b}') => Self::Inside,
            (Self::Inside, 'm') => Self::End,
            (Self::Inside, _) => Self::Inside,
            (Self::No | Self::End, _) => Self::No,
        }
    }
}

/// A piece under way.
struct Piece {
    text: String,
    used: usize,
    indent: usize,
    count: usize,
    /// Behind the last blank: the place in `text`, and the columns before it.
    blank: Option<(usize, usize)>,
}

impl Piece {
    const fn new(text: String, indent: usize, count: usize) -> Self {
        Self { text, used: 0, indent, count, blank: None }
    }

    fn push(&mut self, character: char, width: usize) {
        self.text.push(character);
        self.used += width;
        if character == ' ' {
            self.blank = Some((self.text.len(), self.used));
        }
    }

    /// Takes off what fits: up to the last blank, unless that stands too far to the left.
    fn break_off(&mut self) -> String {
        let near = self.blank.take().filter(|(_, used)| *used > self.count / 2);
        let (rest, used) = match near {
            Some((place, used)) => (self.text.split_off(place), self.used - used),
            None => (String::new(), 0),
        };
        let begun = format!("{:indent$}{rest}", "", indent = self.indent);
        self.used = self.indent + used;
        core::mem::replace(&mut self.text, begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn narrow(count: usize) -> Columns {
        Columns { count, ambiguous: Ambiguous::Narrow }
    }

    #[test]
    fn words_stay_whole_and_every_piece_but_the_first_is_indented() {
        assert_eq!(
            wrapped("one two three four", 2, narrow(10)),
            ["one two ", "  three ", "  four"]
        );
        assert_eq!(wrapped("abcdefghijkl", 2, narrow(6)), ["abcdef", "  ghij", "  kl"]);
        assert_eq!(wrapped("fits", 2, narrow(10)), ["fits"]);
        assert_eq!(wrapped("", 2, narrow(10)), [""]);
    }

    #[test]
    fn no_piece_is_wider_than_the_terminal() {
        // spec: CLI-120
        let texts = ["x".repeat(500), "日本 ".repeat(80), "a bc def ghij ".repeat(40)];
        for text in &texts {
            for count in [1, 5, 20, 80, 137] {
                for indent in [0, 8, 24] {
                    let pieces = wrapped(text, indent, narrow(count));
                    let columns = count.max(COUNT_MIN);
                    for piece in &pieces {
                        let width: usize = piece.chars().filter_map(|it| it.width()).sum();
                        assert!(width <= columns, "{count} {indent}: {piece:?}");
                    }
                    let indent = indent.min(columns / 2);
                    let blanks = " ".repeat(indent);
                    assert!(pieces.iter().skip(1).all(|piece| piece.starts_with(&blanks)));
                    let whole: String = pieces
                        .iter()
                        .enumerate()
                        .map(|(at, it)| if at == 0 { it } else { &it[indent..] })
                        .collect();
                    assert_eq!(whole, *text, "nothing is lost");
                }
            }
        }
    }

    #[test]
    fn colours_take_no_room_and_joined_signs_count_one_by_one() {
        let line = "\u{1b}[1mabcd\u{1b}[0mef";
        assert_eq!(wrapped(line, 1, narrow(6)), [line]);
        assert_eq!(wrapped("👩\u{200d}💻👩", 1, narrow(4)), ["👩\u{200d}💻", " 👩"]);
        let wide = Columns { count: 4, ambiguous: Ambiguous::of("ja_JP.UTF-8") };
        assert_eq!(wrapped("※※※", 0, wide), ["※※", "※"]);
        assert_eq!(Ambiguous::of("ru_RU.UTF-8"), Ambiguous::Narrow);
    }
}
