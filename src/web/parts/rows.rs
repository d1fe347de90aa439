//! Lines of a log.

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use regex::bytes::Regex;

use crate::logs::Channel;
use crate::logs::reader::Line;
use crate::text::sgr::{Scanner, Style};
use crate::text::{size, steers};

/// Lines of a log as rows of a page, each with its number as a link.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    html: String,
}

impl askama::filters::HtmlSafe for Rows {}

impl Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.html)
    }
}

/// What rows show of their lines.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The address of the page of the log.
    pub log: &'a str,
    /// What is marked as found.
    pub pattern: Option<&'a Regex>,
    /// The first and the last line that are marked as chosen.
    pub chosen: Option<(u64, u64)>,
    /// The only channel that is shown.
    pub only: Option<Channel>,
    /// Whether a line is shown with what carriage returns in it have overwritten.
    pub is_raw: bool,
    /// What stands before each line.
    pub numbers: Numbers,
}

impl<'a> Look<'a> {
    /// Plain rows of the log at this address.
    #[must_use]
    pub const fn new(log: &'a str) -> Self {
        Self {
            log,
            pattern: None,
            chosen: None,
            only: None,
            is_raw: false,
            numbers: Numbers::Anchors,
        }
    }
}

/// What stands before a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Numbers {
    /// Its number, to which links can lead.
    Anchors,
    /// Its number: the page has lines of several logs.
    Links,
    /// Nothing.
    None,
}

/// A piece of a line that looks alike.
#[derive(Debug)]
struct Span {
    ink: Ink,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Ink {
    style: Style,
    channel: Channel,
    is_hit: bool,
}

/// Characters after which a line is cut.
const LONGEST_LINE: usize = 4096;

impl Rows {
    /// The size of the rows in bytes.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.html.len()
    }

    /// Adds a link in the place of lines that are left out.
    pub fn skip(&mut self, text: &str, href: &str) {
        self.html += "<a class=\"cut\" href=\"";
        self.escape(href);
        self.html += "\">";
        self.escape(text);
        self.html += "</a>";
    }

    /// Adds a line.
    pub fn push(&mut self, line: &Line, look: &Look<'_>) {
        let (spans, lacks_bytes) = spans(line, look);
        let number = line.number;
        let common = spans.first().map(|span| span.ink.channel);
        let common = common.filter(|first| spans.iter().all(|span| span.ink.channel == *first));
        self.html += "<span class=\"l";
        self.html += match common {
            Some(Channel::Stderr) => " e",
            Some(Channel::Header) => " h",
            Some(Channel::Stdout) | None => "",
        };
        let chosen = look.chosen;
        if chosen.is_some_and(|(first, last)| (first..=last).contains(&number)) {
            self.html += " on";
        }
        if look.numbers == Numbers::Anchors {
            self.write(format_args!("\" id=\"L{number}"));
        }
        self.html += "\">";
        if look.numbers != Numbers::None {
            self.html += "<a href=\"";
            self.escape(look.log);
            self.write(format_args!("?line={number}#L{number}\">{number}</a>"));
        }
        let mut room = LONGEST_LINE;
        let mut more = lacks_bytes;
        for span in &spans {
            let left = self.span(span, common.is_none(), &mut room);
            more += u64::try_from(left).unwrap_or(u64::MAX);
        }
        if more > 0 {
            self.html += " <span class=\"more\"><a href=\"";
            self.escape(look.log);
            let size = size(more);
            self.write(format_args!(
                "/text?lines={number}-{number}\">and {size} more</a></span>"
            ));
        }
        self.html += "\n</span>";
    }

    /// Adds a piece of a line; returns how many bytes of it have no room.
    fn span(&mut self, span: &Span, is_mixed: bool, room: &mut usize) -> usize {
        if *room == 0 {
            return span.text.len();
        }
        let classes = span.ink.classes(is_mixed);
        if !classes.is_empty() {
            self.write(format_args!("<span class=\"{classes}\">"));
        }
        if span.ink.is_hit {
            self.html += "<mark>";
        }
        let text = String::from_utf8_lossy(&span.text);
        let end = text.char_indices().nth(*room).map(|(at, _)| at);
        let shown = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        *room -= shown.chars().count();
        self.escape(shown);
        if span.ink.is_hit {
            self.html += "</mark>";
        }
        if !classes.is_empty() {
            self.html += "</span>";
        }
        text.len() - shown.len()
    }

    /// Adds text, with pictures for control characters.
    fn escape(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.html += "&#38;",
                '<' => self.html += "&#60;",
                '>' => self.html += "&#62;",
                '"' => self.html += "&#34;",
                '\t' => self.html.push('\t'),
                '\0'..='\x1f' => {
                    let picture = char::from_u32(0x2400 + u32::from(c));
                    self.html.push(picture.unwrap_or('\u{fffd}'));
                }
                '\x7f' => self.html.push('\u{2421}'),
                c if steers(c) => self.write(format_args!("&#60;U+{:04X}&#62;", u32::from(c))),
                c => self.html.push(c),
            }
        }
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        let written = self.html.write_fmt(text);
        written.expect("writing to a string cannot fail");
    }
}

/// The pieces of a line, without control sequences, and how many bytes of it are not there.
fn spans(line: &Line, look: &Look<'_>) -> (Vec<Span>, u64) {
    let hits = hits(line, look.pattern);
    let mut lacks_bytes = line.cut.map_or(0, |cut| cut.size_bytes);
    let mut scanner = Scanner::with_style(line.style);
    let mut pieces = line.pieces.iter().peekable();
    let mut hits = hits.iter().peekable();
    let mut spans: Vec<Span> = Vec::new();
    let returns = line.text.iter().rev().take_while(|byte| **byte == b'\r');
    let end = match look.is_raw {
        true => line.text.len(),
        false => line.text.len() - returns.count(),
    };
    for (at, byte) in line.text.iter().take(end).enumerate() {
        while pieces.next_if(|piece| piece.end <= at).is_some() {}
        while hits.next_if(|hit| hit.end <= at).is_some() {}
        if !scanner.push(*byte) {
            continue;
        }
        if *byte == b'\r' && !look.is_raw {
            spans.clear();
            if line.cut.is_some_and(|cut| cut.at <= at) {
                lacks_bytes = 0;
            }
            continue;
        }
        let channel = pieces.peek().map_or(Channel::Stdout, |piece| piece.channel);
        if look.only.is_some_and(|only| only != channel) {
            continue;
        }
        let ink = Ink {
            style: scanner.style(),
            channel,
            is_hit: hits.peek().is_some_and(|hit| hit.contains(&at)),
        };
        match spans.last_mut() {
            Some(last) if last.ink == ink => last.text.push(*byte),
            Some(_) | None => spans.push(Span {
                ink,
                text: vec![*byte],
            }),
        }
    }
    (spans, lacks_bytes)
}

/// What is found in a line.
fn hits(line: &Line, pattern: Option<&Regex>) -> Vec<Range<usize>> {
    let found = pattern.map(|pattern| pattern.find_iter(&line.text));
    let found = found.into_iter().flatten();
    let ranges = found.map(|found| found.range());
    ranges.filter(|range| !range.is_empty()).collect()
}

impl Ink {
    /// The classes, with a space between them. In a line of several channels they name the channel.
    fn classes(self, is_mixed: bool) -> String {
        let colour = self.style.foreground.map(|ink| ink.number());
        let mut classes = Vec::new();
        match colour {
            Some(8) => classes.push("d"),
            Some(number) => classes.push(COLOURS[usize::from(number % 8)]),
            None if self.style.is_faint => classes.push("d"),
            None => {}
        }
        if self.style.is_bold || colour.is_some_and(|number| number > 8) {
            classes.push("ab");
        }
        match self.channel {
            Channel::Stderr if is_mixed => classes.push("e"),
            Channel::Header if is_mixed => classes.push("h"),
            Channel::Stdout | Channel::Stderr | Channel::Header => {}
        }
        classes.retain(|class| !class.is_empty());
        classes.join(" ")
    }
}

/// The classes of the colours; black is the colour of text.
const COLOURS: [&str; 8] = ["", "a1", "a2", "a3", "a4", "a5", "a6", "a7"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::reader::{Cut, Piece};

    fn line(pieces: &[(Channel, &[u8])]) -> Line {
        let mut line = Line {
            number: 7,
            byte: 0,
            style: Style::default(),
            text: Vec::new(),
            pieces: Vec::new(),
            cut: None,
            is_whole: true,
        };
        for (channel, text) in pieces {
            line.text.extend_from_slice(text);
            line.pieces.push(Piece {
                channel: *channel,
                end: line.text.len(),
            });
        }
        line
    }

    fn row(line: &Line, look: &Look<'_>) -> String {
        let mut rows = Rows::default();
        rows.push(line, look);
        let html = rows.to_string();
        let link = "<a href=\"/log?line=7#L7\">7</a>";
        html.replace(" id=\"L7\"", "").replace(link, "")
    }

    fn plain(text: &[u8]) -> String {
        row(&line(&[(Channel::Stdout, text)]), &Look::new("/log"))
    }

    #[test]
    fn colours_are_classes_and_all_else_is_shown_or_dropped() {
        for (text, expected) in [
            (&b"a<b>&\"\t"[..], "a&#60;b&#62;&#38;&#34;\t"),
            (
                b"\x1b[1;31mred\x1b[0m x",
                "<span class=\"a1 ab\">red</span> x",
            ),
            (b"\x1b[92mok", "<span class=\"a2 ab\">ok</span>"),
            (b"\x1b[38;5;196mhot", "<span class=\"a1 ab\">hot</span>"),
            (
                b"\x1b[30mblack \x1b[90mgrey",
                "black <span class=\"d\">grey</span>",
            ),
            (b"\x1b[2J\x1b]0;title\x07text", "text"),
            (
                b"bell \x07 del \x7f nul \0",
                "bell \u{2407} del \u{2421} nul \u{2400}",
            ),
            ("\u{202e}evil".as_bytes(), "&#60;U+202E&#62;evil"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(
                plain(text),
                format!("<span class=\"l\">{expected}\n</span>")
            );
        }
    }

    #[test]
    fn a_line_shows_what_carriage_returns_leave_of_it() {
        let text = b" 10%\r 99%\r100%\r";
        assert_eq!(plain(text), "<span class=\"l\">100%\n</span>");
        let look = Look {
            is_raw: true,
            ..Look::new("/log")
        };
        let raw = row(&line(&[(Channel::Stdout, text)]), &look);
        assert!(
            raw.contains(" 10%\u{240d} 99%\u{240d}100%\u{240d}"),
            "{raw}"
        );
    }

    #[test]
    fn channels_are_marked_and_chosen() {
        let (out, err) = (
            (Channel::Stdout, &b"out "[..]),
            (Channel::Stderr, &b"err"[..]),
        );
        let look = Look::new("/log");
        assert!(row(&line(&[err]), &look).starts_with("<span class=\"l e\">err"));
        let header = line(&[(Channel::Header, b"make")]);
        assert!(row(&header, &look).starts_with("<span class=\"l h\">make"));
        let mixed = row(&line(&[out, err]), &look);
        assert!(
            mixed.contains("\">out <span class=\"e\">err</span>"),
            "{mixed}"
        );
        let look = Look {
            only: Some(Channel::Stderr),
            chosen: Some((5, 7)),
            ..look
        };
        let html = row(&line(&[out, err]), &look);
        assert_eq!(html, "<span class=\"l e on\">err\n</span>");
    }

    #[test]
    fn hits_are_marked() {
        let pattern = crate::logs::reader::pattern("ea").ok();
        let look = Look {
            pattern: pattern.as_ref(),
            ..Look::new("/log")
        };
        let html = row(&line(&[(Channel::Stdout, b"heap, leak")]), &look);
        assert!(
            html.contains("h<mark>ea</mark>p, l<mark>ea</mark>k"),
            "{html}"
        );
    }

    #[test]
    fn a_long_line_is_cut_and_leads_to_its_text() {
        let exact = plain(&[b'x'; LONGEST_LINE]);
        assert!(!exact.contains("more"), "{exact}");
        let mut long = line(&[(Channel::Stdout, &[b'x'; LONGEST_LINE + 1])]);
        let link = "<span class=\"more\"><a href=\"/log/text?lines=7-7\">and 1 B more</a></span>";
        assert!(row(&long, &Look::new("/log")).contains(link));
        long.cut = Some(Cut {
            at: LONGEST_LINE,
            size_bytes: 20 << 20,
        });
        assert!(row(&long, &Look::new("/log")).contains("and 20 MiB more"));
    }
}
