//! Texts of several lines: what letters say, and answers (IRC-07).

use super::{Chat, Kind, Reply};
use crate::protocol::irc::{cut, safe};

/// Lines of an answer (IRC-07).
pub(super) const MOST_LINES: usize = 5;

impl Chat {
    /// What a text is to the channels of the configuration, for each of them.
    pub(in crate::status::irc) fn told(&self, text: &str) -> Vec<Vec<Reply>> {
        let places = self.places.values().filter(|place| place.gets_letters);
        let told = places.map(|place| self.heard(lines_to(&place.name, text)));
        told.filter(|replies| !replies.is_empty()).collect()
    }
}

/// The lines of a text about problems, to a place.
pub(in crate::status::irc) fn lines_to(to: &str, text: &str) -> Vec<Reply> {
    let reply = Reply {
        to: to.to_owned(),
        kind: Kind::Problem,
        text: String::new(),
    };
    reply.lines(text)
}

impl Reply {
    /// This reply, or in its place the lines of a text that a template has made.
    pub(in crate::status::irc) fn worded(&self, text: Option<&str>) -> Vec<Self> {
        text.map_or_else(|| vec![self.clone()], |text| self.lines(text))
    }

    /// The lines of a text, as such replies.
    pub(in crate::status::irc) fn lines(&self, text: &str) -> Vec<Self> {
        let lines = text.lines().filter(|line| !line.is_empty());
        let reply = |line: &str| Self {
            to: self.to.clone(),
            kind: self.kind,
            text: safe(line),
        };
        lines.map(reply).collect()
    }
}

/// The lines of an answer: at most five, then how many more there are and where (IRC-07). Each is
/// said to the place that its reply is for.
pub(in crate::status::irc) fn lines(replies: &[Reply], url: &str) -> Vec<(String, Kind, String)> {
    let mut lines = Vec::new();
    for reply in replies {
        let pieces = cut(&reply.text).into_iter();
        lines.extend(pieces.map(|piece| (reply.to.clone(), reply.kind, piece.to_owned())));
    }
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        let (to, kind, _) = lines[MOST_LINES].clone();
        lines.truncate(MOST_LINES);
        let word = if more == 1 { "line" } else { "lines" };
        lines.push((to, kind, format!("({more} more {word}: {url})")));
    }
    lines
}
