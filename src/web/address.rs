//! The addresses of pages. Names are percent-encoded: a builder `a/b c` is `a%2Fb%20c`.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::{
    BuildError, BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, SchedulerName,
    SearchNumber, SetId, SlaveName, TestHash,
};
use crate::view::Build;

/// What is encoded in a part of a path: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A name as one part of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The page of a builder.
#[must_use]
pub fn builder(name: &BuilderName) -> String {
    format!("/builders/{}", segment(name.as_str()))
}

/// The page of a build.
#[must_use]
pub fn build(builder: &BuilderName, number: BuildNumber) -> String {
    format!("{}/builds/{number}", self::builder(builder))
}

/// The page where people set what concerns only themselves, as a route.
pub const SETTINGS: &str = "/users/{user}/settings";

/// The page where `user` sets what concerns nobody else.
#[must_use]
pub fn settings(user: &str) -> String {
    format!("{}/settings", self::user(user))
}

/// The page of a link of a mail, as a route (MAL-11).
pub const ONE_CLICK: &str = "/one-click/{link}";

/// The page of a link of a mail.
#[must_use]
pub fn one_click(sealed: &str) -> String {
    format!("/one-click/{}", segment(sealed))
}

/// The history of a test, by the number of its name.
#[must_use]
pub fn test(builder: &BuilderName, test: TestHash) -> String {
    format!("{}/tests/{:016x}", self::builder(builder), test.0)
}

/// A test in a build, by the number of its name.
#[must_use]
pub fn test_of_build(of: &Build, test: TestHash) -> String {
    format!("{}/tests/{:016x}", build(&of.builder, of.number), test.0)
}

/// The page of a step.
#[must_use]
pub fn step(builder: &BuilderName, number: BuildNumber, step: &str) -> String {
    format!("{}/steps/{}", build(builder, number), segment(step))
}

/// The page of a log.
#[must_use]
pub fn log(builder: &BuilderName, number: BuildNumber, step: &str, log: &str) -> String {
    format!(
        "{}/logs/{}",
        self::step(builder, number, step),
        segment(log)
    )
}

/// The line of a log that says first what went wrong in a build.
#[must_use]
pub fn log_line(builder: &BuilderName, number: BuildNumber, error: &BuildError) -> String {
    let log = log(builder, number, &error.step, &error.log);
    format!("{log}?line={line}#L{line}", line = error.line)
}

/// The page of a change.
#[must_use]
pub fn change(number: ChangeNumber) -> String {
    format!("/changes/{number}")
}

/// The page of a revision.
#[must_use]
pub fn revision(revision: &str) -> String {
    format!("/revisions/{}", segment(revision))
}

/// The page of a slave.
#[must_use]
pub fn slave(name: &SlaveName) -> String {
    format!("/buildslaves/{}", segment(name.as_str()))
}

/// The page of a scheduler.
#[must_use]
pub fn scheduler(name: &SchedulerName) -> String {
    format!("/schedulers/{}", segment(name.as_str()))
}

/// The page of a request.
#[must_use]
pub fn request(id: RequestId) -> String {
    format!("/queue/{id}")
}

/// The page of a problem.
#[must_use]
pub fn problem(number: ProblemNumber) -> String {
    format!("/problems/{number}")
}

/// The page of a culprit search.
#[must_use]
pub fn search(number: SearchNumber) -> String {
    format!("/searches/{number}")
}

/// The page of a build set.
#[must_use]
pub fn build_set(id: SetId) -> String {
    format!("/buildsets/{id}")
}

/// The page of a person.
#[must_use]
pub fn user(name: &str) -> String {
    format!("/users/{}", segment(name))
}

/// `path` with arguments.
#[must_use]
pub fn with_args<V: Display>(path: &str, args: &[(&str, V)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in args {
        query.append_pair(name, &value.to_string());
    }
    match args {
        [] => path.to_owned(),
        _ => format!("{path}?{}", query.finish()),
    }
}

/// An address from outside that may be linked to; anything but `http:`, `https:` and `mailto:` is
/// shown as text.
#[must_use]
pub fn outside(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let is_allowed = ["http", "https", "mailto"]
        .iter()
        .any(|allowed| scheme.eq_ignore_ascii_case(allowed));
    is_allowed.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_percent_encoded() {
        assert_eq!(builder(&"a/b c".into()), "/builders/a%2Fb%20c");
        let log = log(&"é".into(), BuildNumber(7), "run tests", "std?io");
        assert_eq!(
            log,
            "/builders/%C3%A9/builds/7/steps/run%20tests/logs/std%3Fio"
        );
        assert_eq!(with_args("/q", &[("a b", "c&d")]), "/q?a+b=c%26d");
    }

    #[test]
    fn only_addresses_of_the_web_and_of_mail_become_links() {
        for (address, is_link) in [
            ("https://example.org/a", true),
            ("HTTP://example.org/", true),
            ("mailto:a@b", true),
            ("javascript:alert(1)", false),
            (" javascript:alert(1)", false),
            ("java\nscript:alert(1)", false),
            ("data:text/html,x", false),
            ("no scheme", false),
        ] {
            assert_eq!(outside(address).is_some(), is_link, "{address}");
        }
    }
}
