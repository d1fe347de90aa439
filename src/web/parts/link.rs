//! Links to things that pages name.

use askama::Template;

use crate::model::{ChangeNumber, SlaveName, Unseen};
use crate::web::address;

/// A link; without an address only its text.
#[derive(Clone, Debug, Eq, PartialEq, Template)]
#[template(
    source = r#"{% match href %}{% when Some(href) %}<a{% if !class.is_empty() %} class="{{ class }}"{% endif %} href="{{ href }}">{{ text }}</a>{% when None %}{% if class.is_empty() %}{{ text }}{% else %}<span class="{{ class }}">{{ text }}</span>{% endif %}{% endmatch %}"#,
    ext = "html"
)]
pub struct Link {
    class: &'static str,
    href: Option<String>,
    text: String,
}

impl askama::filters::HtmlSafe for Link {}

impl Link {
    /// A link of this text to a page of ours.
    #[must_use]
    pub fn to(text: &str, href: &str) -> Self {
        Self {
            class: "",
            href: Some(href.to_owned()),
            text: text.to_owned(),
        }
    }

    /// A text that leads nowhere.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            class: "",
            href: None,
            text: text.to_owned(),
        }
    }
}

/// Links as a list in words.
#[derive(Clone, Debug, Eq, PartialEq, Template)]
#[template(
    source = r#"{% for link in links %}{% if !loop.first %}{% if loop.last && !word.is_empty() %} {{ word }} {% else %}, {% endif %}{% endif %}{{ link }}{% endfor %}{% if more > 0 %} and {{ more }} more{% endif %}"#,
    ext = "html"
)]
pub struct Links {
    links: Vec<Link>,
    word: &'static str,
    more: usize,
}

impl askama::filters::HtmlSafe for Links {}

impl Links {
    /// Links with `word` before the last one; of more than `most` only the first ones. Without a
    /// word they are between commas.
    pub fn new(links: impl IntoIterator<Item = Link>, word: &'static str, most: usize) -> Self {
        let mut links: Vec<_> = links.into_iter().collect();
        let more = links.len().saturating_sub(most);
        links.truncate(most);
        let word = if more > 0 { "" } else { word };
        Self { links, word, more }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

/// A change by its number.
#[must_use]
pub fn change(number: ChangeNumber) -> Link {
    Link {
        class: "",
        href: Some(address::change(number)),
        text: number.to_string(),
    }
}

/// A slave by its name.
#[must_use]
pub fn slave(name: &SlaveName) -> Link {
    Link {
        class: "",
        href: (name.as_str() != Unseen::SLAVE).then(|| address::slave(name)),
        text: name.to_string(),
    }
}

/// A person, without the mail address that may stand behind the name.
#[must_use]
pub fn person(who: &str) -> Link {
    let name = who.split_once(" <").map_or(who, |(name, _)| name).trim();
    Link {
        class: "u",
        href: None,
        text: if name.is_empty() { who } else { name }.to_owned(),
    }
}

/// A revision as a link to its page, cut as people quote it.
#[must_use]
pub fn revision(revision: &str) -> Link {
    let is_hash = revision.len() >= 32 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    let shown = if is_hash { 12 } else { 40 };
    Link {
        class: "m",
        href: Some(address::revision(revision)),
        text: revision.chars().take(shown).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_joined_by_a_word_and_long_lists_are_cut() {
        let text = |numbers: &[u64], most| {
            let links = numbers.iter().map(|&number| change(ChangeNumber(number)));
            let html = Links::new(links, "or", most).to_string();
            html.replace("<a href=\"", "[").replace("</a>", "]")
        };
        let one = "[/changes/1\">1]";
        assert_eq!(text(&[1], 3), one);
        assert_eq!(text(&[1, 1], 3), format!("{one} or {one}"));
        assert_eq!(text(&[1, 1, 1], 3), format!("{one}, {one} or {one}"));
        assert_eq!(text(&[1, 1, 1], 1), format!("{one} and 2 more"));
    }

    #[test]
    fn a_person_is_shown_without_the_mail_address() {
        for (who, expected) in [
            ("Ines Okafor <ines@example.org>", "Ines Okafor"),
            ("ines", "ines"),
            (" <ines@example.org>", " <ines@example.org>"),
        ] {
            assert_eq!(person(who).text, expected);
        }
    }

    #[test]
    fn a_hash_is_cut_and_another_revision_is_not() {
        let hash = "a36a093e248bd8ec6995075e823d674106ff49d8";
        assert_eq!(revision(hash).text, "a36a093e248b");
        assert_eq!(revision("r12345").text, "r12345");
        assert_eq!(
            revision("<b>").to_string(),
            r#"<a class="m" href="/revisions/%3Cb%3E">&#60;b&#62;</a>"#
        );
    }
}
