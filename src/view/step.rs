//! Steps of builds, and their logs.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Number;

use super::json;
use crate::model::progress::StepState;
use crate::model::{BuildError, FirstError, Remaining, Results, StepCommand, Timestamp};
use crate::store::read::{LogRow, StepRow};

/// A step of a build.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Step {
    /// Its name, unique within the build (BUI-04).
    pub name: String,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// Short text about what it does or did.
    pub text: Vec<String>,
    /// What of that the text of the build has; empty while it runs.
    #[serde(skip)]
    pub build_text: Vec<String>,
    /// Its logs, in the order in which they were opened.
    pub logs: Vec<Log>,
    /// Its links, in the order in which they were added.
    pub links: Vec<Link>,
    /// What it has counted so far by which its progress is estimated, by name.
    #[serde(skip)]
    pub counts: BTreeMap<String, u64>,
    /// The commands that it ran, as they may be seen; empty while it runs.
    pub commands: Vec<StepCommand>,
    /// The line of its logs that says first what went wrong; null unless it failed.
    pub first_error: Option<FirstError>,
    /// Numbers about what it did, by name; empty while it runs.
    pub statistics: BTreeMap<String, Number>,
    /// Whether pages and listings leave it out.
    pub hidden: bool,
    /// When it started.
    #[serde(serialize_with = "json::time")]
    pub started_at: Timestamp,
    /// When its own work began; absent while it waits for its locks.
    #[serde(skip)]
    pub working_since: Option<Timestamp>,
    /// When it ended; absent while it runs.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
    /// How long it took, so far if it runs; absent if the master stopped meanwhile.
    #[serde(serialize_with = "json::seconds_if_any")]
    #[schemars(with = "Option<f64>")]
    pub took: Option<Duration>,
    /// How long it will still take; absent if it is over or that is unknown.
    #[serde(serialize_with = "json::remaining_if_any")]
    pub remaining: Option<Remaining>,
}

/// A link of a step.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Link {
    /// Its text.
    pub name: String,
    /// Its address.
    pub url: String,
}

/// A log of a step.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Log {
    /// Its name.
    pub name: String,
    /// Its file, relative to the base directory and without suffix.
    #[serde(skip)]
    pub path: String,
    /// Bytes of all channels; absent until it is complete.
    pub bytes: Option<u64>,
    /// Whether nothing is added any more.
    pub complete: bool,
}

impl Step {
    /// A step that has just started; it `waits` if it needs locks first.
    pub(super) fn begun(name: String, text: Vec<String>, waits: bool, at: Timestamp) -> Self {
        Self {
            name,
            result: None,
            text,
            build_text: Vec::new(),
            logs: Vec::new(),
            links: Vec::new(),
            counts: BTreeMap::new(),
            commands: Vec::new(),
            first_error: None,
            statistics: BTreeMap::new(),
            hidden: false,
            started_at: at,
            working_since: (!waits).then_some(at),
            finished_at: None,
            took: None,
            remaining: None,
        }
    }

    /// Opens a log. Returns whether that is news.
    pub(super) fn open_log(&mut self, name: &str, path: &str) -> bool {
        if self.logs.iter().any(|log| log.name == name) {
            return false;
        }
        self.logs.push(Log {
            name: name.to_owned(),
            path: path.to_owned(),
            bytes: None,
            complete: false,
        });
        true
    }

    /// Takes what it has counted so far. Returns whether that is news.
    pub(super) fn count(&mut self, counts: &BTreeMap<String, u64>) -> bool {
        let is_news = self.finished_at.is_none() && self.counts != *counts;
        if is_news {
            self.counts.clone_from(counts);
        }
        is_news
    }

    /// Adds a link. Returns whether that is news: a step that was read from disk while it ran is
    /// told of them again.
    pub(super) fn add_link(&mut self, name: &str, url: &str) -> bool {
        let link = Link {
            name: name.to_owned(),
            url: url.to_owned(),
        };
        let is_news = !self.links.contains(&link);
        if is_news {
            self.links.push(link);
        }
        is_news
    }

    /// Its first error as that of its build.
    pub(super) fn build_error(&self) -> Option<BuildError> {
        let FirstError { log, line, text } = self.first_error.clone()?;
        Some(BuildError {
            step: self.name.clone(),
            log,
            line,
            text,
        })
    }

    /// Completes a log. Returns whether that is news.
    pub(super) fn close_log(&mut self, name: &str, size_bytes: u64) -> bool {
        let mut logs = self.logs.iter_mut();
        let Some(log) = logs.find(|log| log.name == name && !log.complete) else {
            return false;
        };
        log.bytes = Some(size_bytes);
        log.complete = true;
        true
    }

    /// How far it is; `output` tells the bytes of output that a log of a running step has.
    pub(super) fn state(&self, output: impl Fn(&Log) -> Option<u64>) -> StepState<'_> {
        let is_over = self.finished_at.is_some();
        let logs = self.logs.iter().filter(|_| !is_over);
        let output = logs.filter_map(|log| Some((log.name.as_str(), output(log)?)));
        let counts = self.counts.iter().map(|(name, n)| (name.as_str(), *n));
        StepState {
            name: &self.name,
            working_since: self.working_since,
            is_over,
            output: output.chain(counts).collect::<BTreeMap<_, _>>(),
        }
    }
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        let outcome = row.outcome.unwrap_or_default();
        let links = row.links.into_iter();
        Self {
            name: row.name,
            result: row.result,
            text: row.text,
            build_text: outcome.build_text,
            logs: row.logs.into_iter().map(Log::from).collect(),
            links: links.map(|(name, url)| Link { name, url }).collect(),
            counts: row.counts,
            commands: outcome.commands,
            first_error: outcome.first_error,
            statistics: outcome.statistics,
            hidden: outcome.hidden,
            started_at: row.started_at,
            working_since: row.working_since,
            finished_at: row.finished_at,
            took: row.finished_at.map(|at| at.since(row.started_at)),
            remaining: None,
        }
    }
}

impl From<LogRow> for Log {
    fn from(row: LogRow) -> Self {
        Self {
            name: row.name,
            path: row.path,
            complete: row.size_bytes.is_some(),
            bytes: row.size_bytes,
        }
    }
}
