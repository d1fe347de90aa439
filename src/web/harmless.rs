//! The last pass over a rendered page: characters that steer, and texts without end.
//!
//! The templates escape markup by type. What they do not know is made harmless here, for all pages
//! at once: control characters become pictures, marks that reverse the direction of text become
//! their numbers, and texts and attributes that are too long are cut.

use std::fmt::Write as _;

use crate::text::steers;

/// Characters of a text between two tags. Lines of logs, the longest texts that pages have by
/// themselves, are shorter.
const LONGEST_TEXT: usize = 6_000;

/// Characters of an attribute.
const LONGEST_ATTRIBUTE: usize = 2_000;

/// Where in the page the pass is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Between two tags, after this number of characters.
    Text(usize),
    /// Inside a tag.
    Tag,
    /// Inside a value in a tag, after this number of characters.
    Value(usize),
}

/// A page that our templates have rendered, without what steers and without what has no end. All
/// values of attributes are in double quotes, and all texts are escaped.
pub(super) fn harmless(html: &str) -> String {
    let mut page = String::with_capacity(html.len());
    let mut place = Place::Text(0);
    let mut is_in_entity = false;
    for c in html.chars() {
        place = match (place, c) {
            (Place::Text(_), '<') => Place::Tag,
            (Place::Text(count), _) => Place::Text(count + 1),
            (Place::Tag, '>') => Place::Text(0),
            (Place::Tag, '"') => Place::Value(0),
            (Place::Tag, _) => Place::Tag,
            (Place::Value(_), '"') => Place::Tag,
            (Place::Value(count), _) => Place::Value(count + 1),
        };
        let limit = match place {
            Place::Text(count) => count.checked_sub(LONGEST_TEXT),
            Place::Value(count) => count.checked_sub(LONGEST_ATTRIBUTE),
            Place::Tag => None,
        };
        match limit {
            // An entity is not cut in two.
            Some(1..) if is_in_entity => {}
            Some(1) => {
                page.push('\u{2026}');
                continue;
            }
            Some(2..) => continue,
            Some(0) | None => {}
        }
        is_in_entity = c == '&' || (is_in_entity && c != ';' && c.is_ascii() && c != ' ');
        push(&mut page, c);
        if let Some(1..) = limit
            && !is_in_entity
        {
            page.push('\u{2026}');
        }
    }
    page
}

/// Adds a character, or what stands for it.
fn push(page: &mut String, c: char) {
    match c {
        '\n' | '\t' => page.push(c),
        '\r' => {}
        '\0'..='\x1f' => {
            let picture = char::from_u32(0x2400 + u32::from(c));
            page.push(picture.unwrap_or('\u{fffd}'));
        }
        '\x7f' => page.push('\u{2421}'),
        c if steers(c) => {
            let written = write!(page, "&#60;U+{:04X}&#62;", u32::from(c));
            written.expect("writing to a string cannot fail");
        }
        c => page.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_steer_are_shown_as_what_they_are() {
        let html = "<p title=\"\u{202e}x\">a\0\u{1b}[1m\x7f\u{2066}\r\n\tb</p>";
        let expected =
            "<p title=\"&#60;U+202E&#62;x\">a\u{2400}\u{241b}[1m\u{2421}&#60;U+2066&#62;\n\tb</p>";
        assert_eq!(harmless(html), expected);
    }

    #[test]
    fn texts_and_attributes_without_end_are_cut() {
        let long = "x".repeat(1_000_000);
        let html = format!("<a title=\"{long}\">{long}</a><b>{long}</b>");
        let page = harmless(&html);
        let (value, text) = ("x".repeat(LONGEST_ATTRIBUTE), "x".repeat(LONGEST_TEXT));
        assert_eq!(
            page,
            format!("<a title=\"{value}\u{2026}\">{text}\u{2026}</a><b>{text}\u{2026}</b>")
        );
        let whole = format!("<p>{text}</p>");
        assert_eq!(harmless(&whole), whole);
    }

    #[test]
    fn an_entity_is_never_cut_in_two() {
        for before in LONGEST_TEXT - 6..=LONGEST_TEXT {
            let html = format!("<p>{}&#60;b&#62;and more</p>", "x".repeat(before));
            let page = harmless(&html);
            assert!(page.ends_with("\u{2026}</p>"), "{before}: {page}");
            let end = page.trim_start_matches(['<', 'p', '>', 'x']);
            let end = end.trim_end_matches("\u{2026}</p>");
            let whole = end.replace("&#60;", "").replace("&#62;", "");
            assert!(!whole.contains(['&', ';', '#']), "{before}: {end}");
            assert_eq!(page.matches('\u{2026}').count(), 1, "{before}: {page}");
        }
    }
}
