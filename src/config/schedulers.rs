//! `[[schedulers]]` (SCH-01, SCH-12, SCH-13).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::checked::{Importance, SchedulerConfig, SchedulerKind};
use super::names::Names;
use super::pattern::{ChangeFilter, FilePatterns, PatternError, TextMatch};
use super::quantities::LONGEST;
use super::reader::{Shape, Table, Value};
use crate::model::{BuilderName, SchedulerName};

pub(super) static SHAPE: Shape = Shape {
    place: "schedulers",
    noun: "scheduler",
    keys: &[
        "type",
        "name",
        "builders",
        "properties",
        "reason",
        "branch",
        "tree_stable_timer",
        "timer_from",
        "unimportant_resets_timer",
        "only_important",
        "important_files",
        "filter",
    ],
};

pub(super) static IMPORTANT_FILES: Shape = Shape {
    place: "schedulers.important_files",
    noun: "important_files",
    keys: &["include", "exclude", "regex"],
};

pub(super) static FILTER: Shape = Shape {
    place: "schedulers.filter",
    noun: "filter",
    keys: &["project", "repository", "category", "codebase", "branch"],
};

pub(super) static MATCH: Shape = Shape {
    place: "schedulers.filter.match",
    noun: "this filter",
    keys: &["regex", "not"],
};

/// What schedulers refer to, and what they make of it.
#[derive(Debug)]
pub(super) struct Builders<'a> {
    /// Names of builders.
    pub(super) names: Names<'a>,
    /// Those that a scheduler names.
    pub(super) scheduled: BTreeSet<&'a str>,
}

/// Reads all schedulers.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    builders: &mut Builders<'a>,
) -> Vec<Arc<SchedulerConfig>> {
    let mut names = Names::new("scheduler");
    let tables = root.take("schedulers").map(|v| v.tables(&SHAPE));
    let schedulers = tables.into_iter().flatten();
    schedulers
        .filter_map(|t| read_one(t, &mut names, builders))
        .map(Arc::new)
        .collect()
}

fn read_one<'a>(
    mut table: Table<'a>,
    names: &mut Names<'a>,
    builders: &mut Builders<'a>,
) -> Option<SchedulerConfig> {
    let name = names.declare(&mut table);
    let builder_names = read_builders(&mut table, builders);
    let kind = table.require("type", "\"Scheduler\"")?;
    kind.one_of(&["Scheduler"])?;
    let properties = table.properties("Scheduler");
    let reason = table.take("reason").and_then(|v| read_reason(&v));
    let kind = read_scheduler(&mut table);
    table.finish();
    Some(SchedulerConfig {
        name: SchedulerName::from(name?.0),
        builders: builder_names,
        properties,
        reason,
        kind,
    })
}

fn read_builders<'a>(table: &mut Table<'a>, builders: &mut Builders<'a>) -> Vec<BuilderName> {
    let Some(value) = table.require("builders", "[\"NAME\"]") else {
        return Vec::new();
    };
    let entries = value.list();
    if entries.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("{} has no builders", table.label);
        value
            .sink
            .warning(value.span(), message, "it starts nothing");
    }
    let entries = entries.unwrap_or_default();
    let names = entries.iter().filter_map(|e| builders.names.refer(e));
    let names: Vec<&str> = names.collect();
    builders.scheduled.extend(&names);
    names.into_iter().map(BuilderName::from).collect()
}

fn read_scheduler(table: &mut Table<'_>) -> SchedulerKind {
    let branch = table.take("branch");
    let filter = table.take("filter");
    let filter = filter.and_then(|v| read_filter(&v, branch.as_ref()));
    let timer = table.take("tree_stable_timer");
    let timer = timer.and_then(|v| v.optional_duration(Duration::ZERO..=LONGEST));
    let timer_from = table.take("timer_from");
    let timer_from = timer_from.and_then(|v| v.one_of(&["change", "arrival"]));
    let important = table.take("important_files");
    let important = important.and_then(|v| read_important_files(&v));
    let mut flag = |key| table.take(key).and_then(|v| v.flag()).unwrap_or(false);
    SchedulerKind::Scheduler {
        branch: branch.and_then(|v| v.text()).map(str::to_owned),
        tree_stable_timer: timer.flatten(),
        timer_from_arrival: timer_from == Some("arrival"),
        unimportant_resets_timer: flag("unimportant_resets_timer"),
        only_important: flag("only_important"),
        importance: important.map(|files| Importance { files }),
        filter: filter.unwrap_or_default(),
    }
}

fn read_reason(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.replace("%(name)s", "").contains("%(") {
        value.error(
            "has an unknown form in it",
            "`%(name)s` is the scheduler's name; there are no others",
        );
        return None;
    }
    Some(text.to_owned())
}

fn read_important_files(value: &Value<'_>) -> Option<FilePatterns> {
    let mut table = value.table(&IMPORTANT_FILES)?;
    let include = table.take("include");
    let exclude = table.take("exclude");
    let regex = table.take("regex");
    table.finish();
    match (&include, &exclude, &regex) {
        (None, None, None) => {
            value.error(
                "says nothing",
                "`{ include = [\"**/*.c\"] }`, `exclude`, or `{ regex = \"…\" }`",
            );
            None
        }
        (None, None, Some(regex)) => regex.pattern(FilePatterns::from_regex),
        (_, _, Some(regex)) => {
            let help = "keep the one or the other";
            regex.error("does not go with `include` and `exclude`", help);
            None
        }
        (_, _, None) => {
            let include = globs(include.as_ref())?;
            let exclude = globs(exclude.as_ref())?;
            FilePatterns::from_globs(&include, &exclude).ok()
        }
    }
}

fn globs<'a>(value: Option<&Value<'a>>) -> Option<Vec<&'a str>> {
    let Some(value) = value else {
        return Some(Vec::new());
    };
    if value.raw().as_array().is_some_and(|globs| globs.is_empty()) {
        value.error("is empty", "leave it out, or name a pattern");
        return None;
    }
    let entries = value.one_or_list()?;
    let check = |entry: &Value<'a>| {
        entry.pattern(|glob| FilePatterns::from_globs(&[glob], &[]))?;
        entry.text()
    };
    let texts: Vec<Option<&str>> = entries.iter().map(check).collect();
    texts.into_iter().collect()
}

fn read_filter(value: &Value<'_>, branch: Option<&Value<'_>>) -> Option<ChangeFilter> {
    let mut table = value.table(&FILTER)?;
    if let (Some(ours), Some(branch)) = (table.place("branch"), branch) {
        value.sink.clash(
            (ours, branch.key_span.clone()),
            "a scheduler has either `branch` or a filter on the branch".to_owned(),
            "here is the other",
            "keep one of the two",
        );
    }
    let mut field = |key| table.take(key).and_then(|v| read_match(&v));
    let filter = ChangeFilter {
        project: field("project"),
        repository: field("repository"),
        category: field("category"),
        codebase: field("codebase"),
        branch: field("branch"),
    };
    table.finish();
    Some(filter)
}

/// A text, `false` for an absent field, a list of those, `{ regex = … }` or `{ not = … }`.
fn read_match(value: &Value<'_>) -> Option<TextMatch> {
    if !value.raw().is_table() {
        let entries = value.one_or_list()?;
        let texts = entries.iter().map(|entry| match entry.is_false() {
            true => Some(None),
            false if entry.raw().is_str() => entry.text().map(|t| Some(t.to_owned())),
            false => {
                let help = "a text, a list of texts, { regex = \"…\" }, { not = … }, or `false` for \
                            changes without it";
                entry.expected("a text", help)
            }
        });
        let texts: Vec<Option<Option<String>>> = texts.collect();
        let texts: Option<Vec<Option<String>>> = texts.into_iter().collect();
        return texts.map(TextMatch::one_of);
    }
    let mut table = value.table(&MATCH)?;
    let regex = table.take("regex");
    let not = table.take("not");
    table.finish();
    match (regex, not) {
        (Some(regex), None) => {
            let entries = regex.one_or_list()?;
            let check =
                |entry: &Value<'_>| entry.pattern(|r| TextMatch::regex(&[r]).map(|_| r.to_owned()));
            let texts: Vec<String> = entries.iter().filter_map(check).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            TextMatch::regex(&texts).ok()
        }
        (None, Some(not)) => read_match(&not).map(TextMatch::negate),
        (Some(_), Some(_)) | (None, None) => {
            value.error(
                "must have `regex` or `not`",
                "{ regex = \"…\" }, or { not = … }",
            );
            None
        }
    }
}

impl<'a> Value<'a> {
    /// Its text, made into a pattern.
    fn pattern<T>(&self, make: impl FnOnce(&'a str) -> Result<T, PatternError>) -> Option<T> {
        match make(self.text()?) {
            Ok(pattern) => Some(pattern),
            Err(wrong) => {
                self.error("is no pattern", wrong.to_string());
                None
            }
        }
    }
}
