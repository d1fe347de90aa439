//! Texts of changes with links in them (STA-99).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Captures;

use crate::config::CommentLink;

/// Links in one text; what comes after is plain.
const MOST: usize = 500;

/// A piece of a text, and where it leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// The address; absent: it is plain.
    pub href: Option<String>,
}

/// The pieces of `text`. Where several patterns match, the one that begins first counts, and of
/// those the first of the configuration.
#[must_use]
pub fn linked(text: &str, links: &[CommentLink]) -> Vec<Piece> {
    let mut found: Vec<_> = links
        .iter()
        .flat_map(|link| {
            let matches = link.pattern.all(text).take(MOST);
            matches.filter_map(|groups| {
                let range = groups.get(0)?.range();
                (!range.is_empty()).then(|| (range, address(&link.url, &groups)))
            })
        })
        .collect();
    // Stable: of those that begin together, the first pattern stays first.
    found.sort_by_key(|(range, _)| range.start);
    let mut pieces = Vec::new();
    let mut end = 0;
    for (range, href) in found.into_iter().take(MOST) {
        if range.start < end {
            continue;
        }
        add(&mut pieces, text.get(end..range.start), None);
        end = range.end;
        add(&mut pieces, text.get(range), Some(href));
    }
    add(&mut pieces, text.get(end..), None);
    pieces
}

fn add(pieces: &mut Vec<Piece>, text: Option<&str>, href: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let text = text.to_owned();
        pieces.push(Piece { text, href });
    }
}

/// `url` with the groups of a match in the place of `$1` and so on. They cannot leave their part of
/// the address.
fn address(url: &str, groups: &Captures<'_>) -> String {
    let mut parts = url.split('$');
    let mut address = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut rest = part.chars();
        let digit = rest.next().and_then(|c| c.to_digit(10));
        let group = digit.and_then(|digit| usize::try_from(digit).ok());
        match group {
            Some(number) => {
                let text = groups.get(number).map_or("", |group| group.as_str());
                address.extend(utf8_percent_encode(text, NON_ALPHANUMERIC));
                address += rest.as_str();
            }
            None => {
                address.push('$');
                address += part;
            }
        }
    }
    address
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::LinePattern;

    fn links() -> Vec<CommentLink> {
        let link = |pattern, url: &str| CommentLink {
            pattern: LinePattern::anywhere(pattern).unwrap(),
            url: url.to_owned(),
        };
        vec![
            link(r"#(\d+)", "https://bugs/$1?x=$"),
            link(r"(?:see )?\b([A-Z]+)-(\S+)", "https://j/$1/$2"),
        ]
    }

    fn pieces(text: &str) -> Vec<(String, Option<String>)> {
        let pieces = linked(text, &links()).into_iter();
        pieces.map(|piece| (piece.text, piece.href)).collect()
    }

    #[test]
    fn sta_99_what_patterns_find_leads_to_an_address() {
        let plain = |text: &str| (text.to_owned(), None);
        let link = |text: &str, href: &str| (text.to_owned(), Some(href.to_owned()));
        assert_eq!(pieces("nothing"), [plain("nothing")]);
        assert_eq!(pieces(""), []);
        assert_eq!(
            pieces("fix #12, see AB-3"),
            [
                plain("fix "),
                link("#12", "https://bugs/12?x=$"),
                plain(", "),
                link("see AB-3", "https://j/AB/3"),
            ]
        );
    }

    #[test]
    fn what_is_found_cannot_leave_its_part_of_the_address() {
        let found = pieces("X-../?a=\"><b>");
        assert_eq!(found.len(), 1);
        let href = found[0].1.as_deref();
        assert_eq!(href, Some("https://j/X/%2E%2E%2F%3Fa%3D%22%3E%3Cb%3E"));
    }

    #[test]
    fn a_text_of_links_alone_has_a_limit() {
        let text = "#1 ".repeat(10_000);
        let found = linked(&text, &links());
        assert_eq!(
            found.iter().filter(|piece| piece.href.is_some()).count(),
            MOST
        );
        let all: String = found.into_iter().map(|piece| piece.text).collect();
        assert_eq!(all, text);
    }
}
