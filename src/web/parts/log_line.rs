//! Lines of a log.

use askama::Template;

use crate::logs::Channel;
use crate::logs::reader::Line;
use crate::text::printable;

/// A line of a log, with its number as a link.
#[derive(Clone, Debug, Template)]
#[template(
    source = "<span class=\"l{{ class }}\" id=\"L{{ number }}\"><a href=\"{{ log }}?line={{ number }}#L{{ number }}\">{{ number }}</a>{{ text }}\n</span>",
    ext = "html"
)]
pub struct LogLine {
    class: &'static str,
    number: u64,
    /// The address of the log.
    log: String,
    text: String,
}

impl askama::filters::HtmlSafe for LogLine {}

/// Maximum number of characters of a line.
const LONGEST: usize = 4096;

impl LogLine {
    /// A line of the log at this address.
    #[must_use]
    pub fn new(line: &Line, log: &str) -> Self {
        let class = match line.pieces.first().map(|piece| piece.channel) {
            Some(Channel::Stderr) => " e",
            Some(Channel::Header) => " h",
            Some(Channel::Stdout) | None => "",
        };
        let text = String::from_utf8_lossy(&line.text);
        // Of a progress bar only the last state is of interest.
        let text = text.trim_end_matches('\r');
        let text = text.rsplit('\r').next().unwrap_or_default();
        let text: String = text.chars().take(LONGEST).collect();
        Self {
            class,
            number: line.number,
            log: log.to_owned(),
            text: printable(&without_colours(&text)),
        }
    }
}

/// A text without sequences that colour it.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\x1b[");
    plain += parts.next().unwrap_or_default();
    for part in parts {
        let end = part.find(|c: char| ('@'..='~').contains(&c));
        let rest = end.and_then(|end| part.get(end + 1..));
        plain += rest.unwrap_or(part);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_and_other_sequences_are_shown() {
        assert_eq!(without_colours("a\x1b[1;31mred\x1b[0m b"), "ared b");
        assert_eq!(
            printable(&without_colours("\x1b]0;x\x07")),
            "\u{fffd}]0;x\u{fffd}"
        );
        assert_eq!(without_colours("cut \x1b[1"), "cut 1");
    }
}
