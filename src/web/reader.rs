//! Who reads a page or sends a form.

use axum::http::{HeaderMap, HeaderName, header};

use super::hidden::Hidden;
use crate::config::Config;
use crate::control::{Caller, Origin};
use crate::model::{Action, Object, Timestamp, Zone};
use crate::people::{self, Actor, may};

/// Who reads a page or sends a form.
#[derive(Clone, Debug)]
pub struct Reader {
    caller: Caller,
    means: Means,
    /// What the marks of forms are made from. Nobody but the reader can know the marks.
    seed: String,
    hidden: Hidden,
    /// The time zone that the reader has set.
    zone: Option<Zone>,
}

/// How a reader has shown who they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Means {
    /// Not at all.
    Nothing,
    /// By the cookie of a session.
    Session,
    /// By a token, as programs do (LGN-07).
    Token,
    /// By a proxy that is trusted (LGN-03).
    Proxy,
}

impl Reader {
    /// A reader who has shown who they are by `means`, with the secret `seed`.
    pub(super) fn new(caller: Caller, means: Means, seed: String) -> Self {
        Self {
            caller,
            means,
            seed,
            hidden: Hidden::default(),
            zone: None,
        }
    }

    /// This reader, who may not see some builders.
    pub(super) fn with_hidden(self, hidden: Hidden) -> Self {
        Self { hidden, ..self }
    }

    /// This reader, who has set a time zone or not.
    pub(super) fn with_zone(self, zone: Option<Zone>) -> Self {
        Self { zone, ..self }
    }

    /// The time zone that the reader has set.
    pub(super) const fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// The builders that the reader may not see.
    pub(super) const fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// Who it is, for [`crate::control::Control::act`].
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The name of the reader, if the reader has logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.caller.user()
    }

    /// How the reader has shown who they are.
    #[must_use]
    pub const fn means(&self) -> Means {
        self.means
    }

    /// Where the reader is, and by which way the reader came.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            door: self.caller.door,
            address: self.caller.address.clone(),
        }
    }

    /// The secret of the session or the token, if the reader has one.
    pub(super) fn secret(&self) -> &str {
        match self.means {
            Means::Session | Means::Token => &self.seed,
            Means::Nothing | Means::Proxy => "",
        }
    }

    /// Whether the reader may do `action` to `object`.
    #[must_use]
    pub fn may(&self, config: &Config, action: Action, object: &Object) -> bool {
        let rights = self.caller.token.as_ref().map(|(_, rights)| rights);
        let permissions = &config.permissions;
        may(permissions, &self.caller.actor, rights, action, object).is_allowed()
    }

    /// Whether the reader may look at pages at all: the master as a whole, or one of its builders.
    #[must_use]
    pub fn may_look(&self, config: &Config) -> bool {
        let may_see = |object: &Object| self.may(config, Action::View, object);
        may_see(&Object::default())
            || config.builders.iter().any(|builder| {
                may_see(&Object {
                    builder: Some(builder.name.to_string()),
                    tags: builder.tags.clone(),
                    ..Object::default()
                })
            })
    }

    /// The mark of the reader's forms, in the field `csrf`.
    #[must_use]
    pub fn csrf(&self, now: Timestamp) -> String {
        people::csrf(&self.seed, now)
    }

    /// Whether a form that has this mark is one that the reader was shown. Programs with a token
    /// are shown none.
    #[must_use]
    pub fn is_csrf(&self, mark: &str, now: Timestamp) -> bool {
        self.means == Means::Token || people::is_csrf(&self.seed, mark, now)
    }

    /// A number for a form, in the field `once`: what the form asks for is done once. Readers
    /// without a login share their pages, and so have none.
    #[must_use]
    pub fn once(&self) -> String {
        match self.means {
            Means::Nothing => String::new(),
            Means::Session | Means::Token | Means::Proxy => {
                format!("{:016x}", rand::random::<u64>())
            }
        }
    }

    /// What tells the pages of this reader from those of others; empty for readers without a login,
    /// who see the same pages.
    pub(super) fn key(&self) -> String {
        let roles = match &self.caller.actor {
            Actor::Person { roles, .. } => roles.iter().cloned().collect::<Vec<_>>().join(","),
            Actor::Stranger | Actor::Local { .. } => String::new(),
        };
        match self.means {
            Means::Nothing => String::new(),
            Means::Session | Means::Proxy | Means::Token => {
                format!("{} {roles}", people::hash_of(&self.seed))
            }
        }
    }
}

/// The name of the cookie of a session: only a page over HTTPS can set that with the prefix.
pub(super) const fn cookie_name(is_https: bool) -> &'static str {
    match is_https {
        true => "__Host-session",
        false => "session",
    }
}

/// Whether the reader has asked over HTTPS, at a proxy: by the outside name, if that has HTTPS.
pub(super) fn is_https(headers: &HeaderMap, config: &Config) -> bool {
    let outside = config.buildbot_url.strip_prefix("https://");
    let outside = outside.and_then(|rest| rest.split('/').next());
    outside.is_some_and(|outside| outside.eq_ignore_ascii_case(text(headers, &header::HOST)))
}

/// Whether the browser says that a page of ours has sent the request: in `Sec-Fetch-Site`, or else
/// in `Origin`.
pub(super) fn is_from_here(headers: &HeaderMap, config: &Config) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(headers, &header::ORIGIN);
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let here = text(headers, &header::HOST);
    let outside = config.buildbot_url.trim_end_matches('/');
    let is_here = !here.is_empty() && authority.eq_ignore_ascii_case(here);
    (is_here && matches!(scheme, "http" | "https")) || origin.eq_ignore_ascii_case(outside)
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The text of a header; empty if it is not there.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let value = headers.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Whether `next` is an address of ours, where a reader may be sent.
pub(super) fn is_ours(next: &str) -> bool {
    next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|c: char| c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;
    use crate::model::Zone;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let all = all.iter();
        all.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn config(url: &str) -> Config {
        let text = format!("buildbot_url = \"{url}\"\n");
        parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap().0
    }

    #[test]
    fn only_paths_of_ours_are_next() {
        for (next, is_right) in [
            ("/", true),
            ("/builders/a%2Fb?x=1", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example/", false),
            ("builders", false),
            ("/a\nb", false),
            ("", false),
        ] {
            assert_eq!(is_ours(next), is_right, "{next:?}");
        }
    }

    #[test]
    fn a_form_must_come_from_a_page_of_ours() {
        let config = config("https://ci.example/");
        for (given, is_right) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://ci.example"),
                ],
                false,
            ),
            (&[("origin", "https://ci.example")], true),
            (
                &[
                    ("origin", "http://10.0.0.1:8010"),
                    ("host", "10.0.0.1:8010"),
                ],
                true,
            ),
            (
                &[("origin", "https://evil.example"), ("host", "ci.example")],
                false,
            ),
            (&[("origin", "null"), ("host", "ci.example")], false),
            (&[("host", "ci.example")], false),
        ] {
            assert_eq!(
                is_from_here(&headers(given), &config),
                is_right,
                "{given:?}"
            );
        }
    }

    #[test]
    fn the_outside_name_says_whether_there_is_https() {
        let host = headers(&[("host", "CI.example")]);
        assert!(is_https(&host, &config("https://ci.example/")));
        assert!(!is_https(&host, &config("http://ci.example/")));
        let other = headers(&[("host", "127.0.0.1:8010")]);
        assert!(!is_https(&other, &config("https://ci.example/")));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let all = headers(&[("cookie", "xsession=a; session=b; session2=c")]);
        assert_eq!(cookie(&all, "session"), Some("b"));
        assert_eq!(cookie(&all, "sess"), None);
    }
}
