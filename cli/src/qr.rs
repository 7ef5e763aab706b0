//! A QR code for a terminal of 80 columns and 40 rows.
//!
//! Two modules stand in one character cell, as half blocks. The quiet zone is light and is drawn
//! too, in explicit colours, so that a code on a dark terminal is not inverted.

use qrcode::{Color, EcLevel, QrCode};

/// Light modules on each side (ISO/IEC 18004 section 6.3.8).
const QUIET_ZONE: usize = 4;
/// Columns that a code may take.
pub const COLUMNS_MAX: usize = 80;
/// Rows that a code may take.
pub const ROWS_MAX: usize = 40;

/// How the code is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contrast {
    /// Black on white by escape sequences: right on any terminal.
    Forced,
    /// The light modules are drawn, the dark ones left: right on a dark background, and without
    /// escape sequences.
    Plain,
}

/// The lines of the code, or `None` if it does not fit [`COLUMNS_MAX`] x [`ROWS_MAX`].
pub fn lines(text: &str, contrast: Contrast) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let side = code.width() + 2 * QUIET_ZONE;
    if side > COLUMNS_MAX || side.div_ceil(2) > ROWS_MAX {
        return None;
    }
    let colors = code.to_colors();
    let light = |x: usize, y: usize| {
        let inside = QUIET_ZONE..QUIET_ZONE + code.width();
        let dark = inside.contains(&x)
            && inside.contains(&y)
            && colors.get((y - QUIET_ZONE) * code.width() + x - QUIET_ZONE) == Some(&Color::Dark);
        !dark
    };
    let row = |y: usize| {
        (0..side).map(|x| cell(light(x, y), y + 1 >= side || light(x, y + 1))).collect::<String>()
    };
    Some((0..side).step_by(2).map(|y| framed(row(y), contrast)).collect())
}

/// A cell with its upper and lower module; blocks are light.
const fn cell(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

fn framed(row: String, contrast: Contrast) -> String {
    match contrast {
        Contrast::Forced => {
            let style = anstyle::Style::new()
                .fg_color(Some(anstyle::Ansi256Color(231).into()))
                .bg_color(Some(anstyle::Ansi256Color(16).into()));
            format!("{style}{row}{style:#}")
        }
        Contrast::Plain => row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_200_bytes_fits_80_columns_and_40_rows() {
        let lines = lines(&"x".repeat(200), Contrast::Plain).unwrap();
        assert!(lines.len() <= ROWS_MAX, "{} rows", lines.len());
        let width = lines[0].chars().count();
        assert!(width <= COLUMNS_MAX, "{width} columns");
        assert!(lines.iter().all(|line| line.chars().count() == width));
        // Four light modules on every side: two rows of full blocks above and below.
        assert!(lines[0].chars().all(|cell| cell == '█'));
        assert!(lines[1].chars().all(|cell| cell == '█'));
        assert!(lines.last().unwrap().chars().all(|cell| cell == '█'));
        assert!(lines.iter().all(|line| line.starts_with("████") && line.ends_with("████")));
    }

    #[test]
    fn what_does_not_fit_is_not_drawn() {
        assert_eq!(lines(&"x".repeat(1000), Contrast::Plain), None);
        assert_eq!(lines(&"x".repeat(10_000), Contrast::Plain), None);
    }

    #[test]
    fn the_finder_pattern_stands_in_the_corner() {
        let lines = lines("hush", Contrast::Plain).unwrap();
        // Rows 4 and 5 of the picture: seven dark modules, then dark, five light, dark.
        assert!(lines[2].starts_with("████ ▄▄▄▄▄ "), "{}", lines[2]);
    }

    #[test]
    fn forced_contrast_resets_its_colours_in_each_line() {
        let lines = lines("hush", Contrast::Forced).unwrap();
        assert!(lines.iter().all(|line| line.starts_with('\u{1b}') && line.ends_with("\u{1b}[0m")));
    }
}
