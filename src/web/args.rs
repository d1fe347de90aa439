//! The arguments of a page: what may be written behind the `?` of its address.
//!
//! Unknown arguments are ignored, as in Buildbot. A wrong value is answered with 400 and a sentence
//! that names the argument and says what it may be.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use crate::text::or;

/// One argument of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arg {
    /// Its name. A name that ends with `.*` stands for all names with that beginning.
    pub name: &'static str,
    /// Other names of Buildbot for it.
    pub also: &'static [&'static str],
    /// What its value may be.
    pub kind: Kind,
}

/// What the value of an argument may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Text of at most 4096 characters; may be repeated.
    Text,
    /// A whole number.
    Number {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// `1`, `true` or `on`, or else `0`, `false`, `off` or nothing.
    Flag,
}

/// Maximum number of characters of a text.
pub(super) const LONGEST: usize = 4096;

/// Maximum number of values of all arguments together.
const MOST_VALUES: usize = 1000;

impl Arg {
    /// A text.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        let kind = Kind::Text;
        Self {
            name,
            also: &[],
            kind,
        }
    }

    /// A number.
    #[must_use]
    pub const fn number(name: &'static str, least: u64, most: u64) -> Self {
        let kind = Kind::Number { least, most };
        Self {
            name,
            also: &[],
            kind,
        }
    }

    /// One of some words.
    #[must_use]
    pub const fn word(name: &'static str, words: &'static [&'static str]) -> Self {
        let kind = Kind::Word(words);
        Self {
            name,
            also: &[],
            kind,
        }
    }

    /// Yes or no.
    #[must_use]
    pub const fn flag(name: &'static str) -> Self {
        let kind = Kind::Flag;
        Self {
            name,
            also: &[],
            kind,
        }
    }

    /// This argument, which Buildbot calls `names` as well.
    #[must_use]
    pub const fn also(self, names: &'static [&'static str]) -> Self {
        Self {
            also: names,
            ..self
        }
    }

    /// Whether `name` means this argument.
    pub(super) fn is(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.name || self.also.contains(&name),
        }
    }

    /// What is wrong with `value`.
    pub(super) fn complaint(&self, name: &str, value: &str) -> Option<String> {
        let may_be = match self.kind {
            Kind::Text if value.chars().count() > LONGEST => {
                return Some(format!(
                    "The argument {name} is too long: at most {LONGEST} characters are allowed."
                ));
            }
            Kind::Text => return None,
            Kind::Number { least, most } => {
                let is_in_range = |number: u64| (least..=most).contains(&number);
                if value.parse().is_ok_and(is_in_range) {
                    return None;
                }
                match most {
                    u64::MAX => format!("a number of at least {least}"),
                    _ => format!("a number from {least} to {most}"),
                }
            }
            Kind::Word(words) if words.contains(&value) => return None,
            Kind::Word(words) => or(words),
            Kind::Flag if flag(value).is_some() => return None,
            Kind::Flag => "1 or 0".to_owned(),
        };
        Some(format!(
            "The argument {name} is \u{201c}{value}\u{201d}. It must be {may_be}."
        ))
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "1" | "true" | "on" | "yes" => Some(true),
        "" | "0" | "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// The checked arguments of a request, and the parts of its path.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Args {
    path: BTreeMap<String, String>,
    values: BTreeMap<String, Vec<String>>,
}

impl Args {
    /// Checks the arguments in `query`; `path` has the variable parts of the path.
    ///
    /// # Errors
    /// A value is wrong.
    pub fn check(
        known: &[Arg],
        path: impl IntoIterator<Item = (String, String)>,
        query: &str,
    ) -> Result<Self, Refusal> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(MOST_VALUES) {
            let Some(arg) = known.iter().find(|arg| arg.is(&name)) else {
                continue;
            };
            if let Some(sentence) = arg.complaint(&name, &value) {
                return Err(Refusal::Argument { sentence });
            }
            let name = match arg.name.ends_with('*') {
                true => name.into_owned(),
                false => arg.name.to_owned(),
            };
            values.entry(name).or_default().push(value.into_owned());
        }
        Ok(Self {
            path: path.into_iter().collect(),
            values,
        })
    }

    /// A variable part of the path, decoded; empty if the page has no part of this name.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// All values of an argument, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// All names and values, in order of name.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.values.iter();
        all.flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.as_str(), value.as_str()))
        })
    }

    /// The last value of an argument; absent if it is not there or empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let last = self.all(name).last().map(String::as_str);
        last.filter(|text| !text.is_empty())
    }

    /// The value of a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The value of a flag; false if it is not there.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).and_then(flag).unwrap_or(false)
    }

    /// All arguments whose name begins with `beginning`, without that beginning.
    pub fn beginning<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let values = self.values.iter();
        values.flat_map(move |(name, values)| {
            let rest = name.strip_prefix(beginning);
            let values = values.iter().map(String::as_str);
            values.filter_map(move |value| Some((rest?, value)))
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const KNOWN: &[Arg] = &[
        Arg::number("numbuilds", 1, 1000),
        Arg::text("tag").also(&["category"]),
        Arg::word("state", &["broken", "running"]),
        Arg::flag("try"),
        Arg::text("property.*"),
    ];

    fn check(query: &str) -> Result<Args, Refusal> {
        Args::check(KNOWN, [], query)
    }

    #[test]
    fn arguments_have_their_values_under_our_names() {
        let args = check("numbuilds=7&category=a&tag=b%20c&try=1&property.os=linux&x=y").unwrap();
        assert_eq!(args.number("numbuilds"), Some(7));
        assert_eq!(args.all("tag"), ["a", "b c"]);
        assert!(args.flag("try"));
        let properties: Vec<_> = args.beginning("property.").collect();
        assert_eq!(properties, [("os", "linux")]);
        assert_eq!(args.all("x"), [""; 0], "an unknown argument is ignored");
        assert_eq!(args.text("state"), None);
    }

    #[test]
    fn a_wrong_value_is_answered_with_what_it_may_be() {
        for (query, expected) in [
            (
                "numbuilds=x",
                "The argument numbuilds is \u{201c}x\u{201d}. It must be a number from 1 to 1000.",
            ),
            (
                "numbuilds=1001",
                "The argument numbuilds is \u{201c}1001\u{201d}. It must be a number from 1 to 1000.",
            ),
            (
                "state=sad",
                "The argument state is \u{201c}sad\u{201d}. It must be broken or running.",
            ),
            (
                "try=maybe",
                "The argument try is \u{201c}maybe\u{201d}. It must be 1 or 0.",
            ),
        ] {
            let refusal = check(query).unwrap_err();
            let Refusal::Argument { sentence } = refusal else {
                unreachable!("{refusal:?}");
            };
            assert_eq!(sentence, expected);
        }
        let long = "x".repeat(LONGEST);
        check(&format!("tag={long}")).unwrap();
        check(&format!("tag={long}x")).unwrap_err();
    }
}
