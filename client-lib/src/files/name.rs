//! Names of received files, made safe to write.

use std::path::Path;

use super::FileError;

/// Longest name, in bytes; leaves room for a number and for the name of the unfinished file.
const NAME_BYTES_MAX: usize = 200;
/// Longest extension that survives shortening, in bytes.
const EXTENSION_BYTES_MAX: usize = 20;
/// The name of a file that has none left.
const NAMELESS: &str = "file";
/// Names that some systems take for devices, with any extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A file name of one component that can be written on any system (spec: CLI-068).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeName(String);

impl SafeName {
    /// Makes one from what a sender gave as the name. Never fails: what cannot stay is left out.
    pub fn from_received(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = last.chars().filter(|c| !is_dropped(*c)).map(replaced).collect();
        let kept = kept.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
        let stem = kept.split('.').next().unwrap_or_default().trim_end();
        let name = if kept.is_empty() {
            NAMELESS.to_owned()
        } else if RESERVED.iter().any(|reserved| stem.eq_ignore_ascii_case(reserved)) {
            format!("_{kept}")
        } else {
            kept.to_owned()
        };
        Self(shortened(name))
    }

    /// Takes the last component of a path that this user chose, unchanged.
    ///
    /// # Errors
    /// [`FileError::NotAFile`] if the path names no file.
    pub fn from_own_path(path: &Path) -> Result<Self, FileError> {
        let name = path.file_name().and_then(|name| name.to_str());
        name.map(|name| Self(name.to_owned())).ok_or(FileError::NotAFile)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and those that turn or hide what a person sees of a name.
fn is_dropped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn replaced(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

fn split_extension(name: &str) -> Option<(&str, &str)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let short = (1..=EXTENSION_BYTES_MAX).contains(&extension.len());
    (short && !stem.is_empty()).then_some((stem, extension))
}

/// Cuts the stem, so that the extension stays.
fn shortened(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let (stem, extension) = split_extension(&name).unwrap_or((&name, ""));
    let dot = usize::from(!extension.is_empty());
    let room = NAME_BYTES_MAX.saturating_sub(extension.len()).saturating_sub(dot);
    let stem = stem.get(..stem.floor_char_boundary(room)).unwrap_or_default();
    let stem = stem.trim_end_matches(['.', ' ']);
    if extension.is_empty() { stem.to_owned() } else { format!("{stem}.{extension}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_names_become_one_harmless_component() {
        // spec: CLI-068
        let table = [
            ("photo.jpg", "photo.jpg"),
            ("Übersicht 2026.pdf", "Übersicht 2026.pdf"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\x.dll", "x.dll"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("a/", "file"),
            (".bashrc", "bashrc"),
            ("...hidden", "hidden"),
            ("trailing. . ", "trailing"),
            ("nul", "_nul"),
            ("CON.txt", "_CON.txt"),
            ("con .txt", "_con .txt"),
            ("console.txt", "console.txt"),
            ("Lpt9.tar.gz", "_Lpt9.tar.gz"),
            ("a:b*c?.txt", "a_b_c_.txt"),
            ("line\nbreak\0.txt", "linebreak.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\u{200b}b", "ab"),
            ("\u{202e}\u{200f}", "file"),
        ];
        for (received, expected) in table {
            let safe = SafeName::from_received(received);
            assert_eq!(safe.as_str(), expected, "{received:?}");
            assert_eq!(SafeName::from_received(safe.as_str()), safe, "stable: {received:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension_and_whole_characters() {
        // spec: CLI-068
        for received in
            ["x".repeat(500) + ".jpeg", "ü".repeat(400) + ".jpeg", "😀".repeat(99) + ".a.jpeg"]
        {
            let safe = SafeName::from_received(&received);
            assert!(safe.as_str().len() <= NAME_BYTES_MAX && safe.as_str().ends_with(".jpeg"));
        }
        let no_extension = SafeName::from_received(&("x".repeat(150) + "." + &"y".repeat(150)));
        assert_eq!(no_extension.as_str().len(), NAME_BYTES_MAX);
    }
}
