//! Settings that all pollers share (POL-01, POL-02, INT-07, INT-08).

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use crate::config::needs::Needed;
use crate::config::passwords;
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;
use crate::text::Encoding;

/// What all sources have that look for changes themselves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PollerConfig {
    /// Time between two polls: 5 minutes.
    pub poll_interval: Duration,
    /// Whether the first poll is at the start: yes.
    pub poll_at_launch: bool,
    /// Time limit of each command: 10 minutes.
    pub timeout: Duration,
    /// Encoding of texts that are not UTF-8.
    pub encoding: Encoding,
    /// Whether the times of commits count as times that the sender gave, as in Buildbot: no
    /// (TIM-01).
    pub commit_times: bool,
    /// Project of the changes.
    pub project: String,
    /// Codebase of the changes.
    pub codebase: String,
    /// Category of the changes.
    pub category: Option<String>,
    /// Link to a revision, with `%s` in place of the revision.
    pub revlink: String,
}

/// The keys of [`PollerConfig`].
pub(super) const KEYS: &[&str] = &[
    "poll_interval",
    "poll_at_launch",
    "timeout",
    "encoding",
    "timestamps",
    "project",
    "codebase",
    "category",
    "revlink",
];

/// The times that `poll_interval` may have.
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(100)..=LONGEST;

impl Default for PollerConfig {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_secs(5 * 60),
            poll_at_launch: true,
            timeout: Duration::from_secs(10 * 60),
            encoding: Encoding::default(),
            commit_times: false,
            project: String::new(),
            codebase: String::new(),
            category: None,
            revlink: String::new(),
        }
    }
}

impl PollerConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let text = |v: &Value<'_>| v.text().map(str::to_owned);
        table.set("poll_interval", &mut self.poll_interval, |v| {
            v.duration(INTERVALS)
        });
        table.set("poll_at_launch", &mut self.poll_at_launch, Value::flag);
        table.set("timeout", &mut self.timeout, |v| {
            v.duration(Duration::from_secs(1)..=LONGEST)
        });
        table.set("encoding", &mut self.encoding, read_encoding);
        table.set("timestamps", &mut self.commit_times, |v| {
            Some(v.one_of(&["arrival", "commit"])? == "commit")
        });
        table.set("project", &mut self.project, text);
        table.set("codebase", &mut self.codebase, text);
        table.set_some("category", &mut self.category, text);
        table.set("revlink", &mut self.revlink, text);
    }
}

fn read_encoding(value: &Value<'_>) -> Option<Encoding> {
    let name = value.text()?;
    let encoding = Encoding::named(name);
    if encoding.is_none() {
        value.error(
            "is not an encoding",
            "for example `utf-8`, `latin-1` or `shift_jis`",
        );
    }
    encoding
}

/// A user with or without a password.
pub(super) fn login(table: &mut Table<'_>) -> (Option<String>, Option<Secret>) {
    let user = table.take("username");
    let has_password = passwords::KEYS.iter().any(|key| table.place(key).is_some());
    let password = if has_password {
        table.password(false)
    } else {
        None
    };
    if let (None, Some(_)) = (&user, &password) {
        let message = format!("{} has a password and no user", table.label);
        table
            .sink
            .missing(table.span.clone(), message, "add `username = \"…\"`");
    }
    let user = user.as_ref().and_then(|v| v.name().map(str::to_owned));
    (user, password)
}

/// The program of a poller, which the key of its name may set.
pub(super) fn program(table: &mut Table<'_>, key: &'static str) -> String {
    let mut program = key.to_owned();
    let value = table.take(key);
    if let Some(name) = value.as_ref().and_then(Value::name) {
        name.clone_into(&mut program);
    }
    if let Some(value) = value {
        value.needs(Needed::Program {
            program: program.clone(),
            otherwise: "the repository cannot be polled".to_owned(),
            help: format!("install it, or set `{key}` to its path"),
        });
    }
    program
}

/// An address of a repository, which everybody may see.
pub(super) fn read_url(value: &Value<'_>) -> Option<String> {
    let url = value.name()?;
    let user = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    if user.is_some_and(|(user, _)| user.contains(':')) {
        value.error(
            "contains a password, which logs and pages would show",
            "remove it; write `username = \"…\"` and `password_file = \"FILE\"`",
        );
        return None;
    }
    if url.starts_with('-') {
        value.error("begins with `-`", "write an address or a path");
        return None;
    }
    Some(url.to_owned())
}
