//! Settings that all pollers share (POL-01, POL-02, INT-07, INT-08).

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::Around;
use crate::config::needs::Needed;
use crate::config::quantities::LONGEST;
use crate::config::reader::{Table, Value};
use crate::config::repositories::RepositoryConfig;
use crate::config::spelling::nearest;
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
    /// Repository of the changes, by its name in the register; absent: its address.
    pub repository: Option<String>,
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
    "repository",
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
            repository: None,
            project: String::new(),
            codebase: String::new(),
            category: None,
            revlink: String::new(),
        }
    }
}

impl PollerConfig {
    /// What its changes have as their repository, which is at `address`.
    #[must_use]
    pub fn repository_at(&self, address: &str) -> String {
        self.repository.as_deref().unwrap_or(address).to_owned()
    }

    /// Takes what the table has. Gives the repository that it names, which is of one of the version
    /// control systems `vc`.
    pub(super) fn read<'n>(
        &mut self,
        table: &mut Table<'_>,
        around: &Around<'_, 'n>,
        vc: &str,
    ) -> Option<&'n RepositoryConfig> {
        let name = table.text_of("repository");
        self.repository = name.map(|(name, _)| name.to_owned());
        let known = named_repository(table, around, Some(vc));
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
        known
    }
}

/// The repository that a change source names.
pub(super) fn named_repository<'n>(
    table: &mut Table<'_>,
    around: &Around<'_, 'n>,
    vc: Option<&str>,
) -> Option<&'n RepositoryConfig> {
    let value = table.take("repository")?;
    let name = value.name()?;
    let known = around.repositories.iter().find(|known| known.name == name);
    let Some(known) = known else {
        let names = around.repositories.iter().map(|known| known.name.as_str());
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write the name of a repository in `[[repositories]]`".to_owned(),
        };
        value.error("is not the name of a repository", help);
        return None;
    };
    match (known.vc, vc) {
        (Some(own), Some(vc)) if own != vc => {
            let what = format!("is a repository of {own}, and this source polls {vc}");
            value.error(&what, "write the name of another repository");
            None
        }
        _ => Some(known),
    }
}

/// The address to poll: `repourl`, or else that of the repository.
pub(super) fn address(
    table: &mut Table<'_>,
    poller: &PollerConfig,
    known: Option<&RepositoryConfig>,
    example: &str,
) -> String {
    let own = known.and_then(RepositoryConfig::url);
    // A name that is unknown is reported.
    let is_unknown = known.is_none() && poller.repository.is_some();
    let value = match own.is_some() || is_unknown {
        true => table.take("repourl"),
        false => table.require("repourl", example),
    };
    match value {
        Some(value) => read_url(&value).unwrap_or_default(),
        None => own.unwrap_or_default().to_owned(),
    }
}

/// Reports that a source does not log in with what the register says of its repository.
pub(super) fn without_password(table: &Table<'_>, known: Option<&RepositoryConfig>, help: &str) {
    let Some(known) = known.filter(|known| known.credentials.password.is_some()) else {
        return;
    };
    let message = format!(
        "{} cannot use the password of the repository `{}`",
        table.label, known.name
    );
    table.sink.error(table.span.clone(), message, help);
}

/// The name of an encoding.
pub(super) fn read_encoding(value: &Value<'_>) -> Option<Encoding> {
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
