//! Text for people: safe output on terminals, lists in words, tables, durations and sizes.
//!
//! Invariant: the output of [`printable`] and [`Harmless`] cannot move the cursor, change the title
//! or the clipboard, or reverse the direction of text.

mod encoding;
mod harmless;
mod list;
mod quantity;
pub mod sgr;
pub mod table;
pub mod wildcard;

pub use encoding::Encoding;
pub use harmless::Harmless;
pub use list::{and, and_more, commas, or};
pub use quantity::{
    duration, duration_as_written, parse_duration, parse_seconds, parse_size, size,
};

/// One line of text with control characters replaced.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Lines of text with control characters replaced.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// JSON with control characters escaped, so the data stay the same.
#[must_use]
pub fn printable_json(json: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            // All of them are in the basic plane.
            write!(text, "\\u{:04x}", u32::from(c)).expect("writing to a string cannot fail");
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether a character moves the cursor, begins a control sequence, or reverses the direction of
/// text.
#[must_use]
pub fn steers(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_replaced() {
        for (text, expected) in [
            ("a\tb", "a b"),
            ("fix\x1b[2J it\n", "fix\u{fffd}[2J it\u{fffd}"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("\u{202e}txt.exe", "\u{fffd}txt.exe"),
            ("zoë 構築", "zoë 構築"),
        ] {
            assert_eq!(printable(text), expected);
        }
        assert_eq!(printable_lines("a\n\x07b\n"), "a\n\u{fffd}b\n");
    }

    #[test]
    fn json_keeps_its_data() {
        let value = serde_json::json!({"who": "a\u{9b}2J\u{7f}\u{202e}\u{1b}b \"é\""});
        let text = printable_json(&value.to_string());
        assert!(!text.contains(steers), "{text:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).ok(),
            Some(value)
        );
    }
}
