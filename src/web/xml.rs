//! XML for programs: text that cannot become markup, and elements.

use std::fmt::Write as _;

use crate::text::steers;

/// The beginning of every XML document.
pub(super) const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// Text as it stands between tags and in quotes. What XML does not allow, and what would steer a
/// terminal or reverse the direction of text, is replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml += "&amp;",
            '<' => xml += "&lt;",
            '>' => xml += "&gt;",
            '"' => xml += "&quot;",
            '\'' => xml += "&#39;",
            '\n' | '\t' => xml.push(c),
            '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            c if steers(c) => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml
}

/// Adds an element with text in it.
pub(super) fn element(xml: &mut String, name: &str, text: &str) {
    let written = writeln!(xml, "<{name}>{}</{name}>", escaped(text));
    written.expect("writing to a string cannot fail");
}

/// The first characters of a text, with a mark if there are more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}\u{2026}", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup_and_has_only_what_xml_allows() {
        let text = "<a b='c'>&\"\0\u{1b}[1m\u{202e}\u{ffff}\n";
        let expected = "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}[1m\u{fffd}\u{fffd}\n";
        assert_eq!(escaped(text), expected);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüx", 3), "äöü…");
    }
}
