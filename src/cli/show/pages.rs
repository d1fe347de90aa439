//! What is shown to people.

use std::collections::BTreeMap;
use std::io;

use super::eta::Left;
use super::live;
use super::screen::{Cell, Colour, Screen, duration, headline, size};
use crate::botmaster::{Live, LiveSlave};
use crate::model::{
    BuildSummary, Change, Properties, Remaining, Results, SlaveName, StepSummary, UnusableTime,
    interested_users,
};
use crate::store::read::{BuildRow, BuilderRow, RequestRow, SlaveRow};

pub(super) fn builders(screen: &mut Screen<'_>, builders: &[BuilderRow]) -> io::Result<()> {
    if builders.is_empty() {
        return screen.line("no builders yet: they appear when the master has been started");
    }
    let mut rows = vec![heading(&[
        "builder",
        "state",
        "pending",
        "last build",
        "slaves",
    ])];
    for builder in builders {
        let state = match builder.state.as_str() {
            "building" => {
                let numbers = join(builder.building.iter().map(|(number, _)| number));
                Cell::coloured(format!("building {numbers}"), Colour::Yellow)
            }
            "offline" => Cell::coloured("offline", Colour::Red),
            state => state.into(),
        };
        let last = match builder.last {
            Some((number, result, _)) => {
                Cell::coloured(format!("{number} {result}"), Colour::of(result))
            }
            None => "none".into(),
        };
        rows.push(vec![
            builder.name.as_str().into(),
            state,
            match builder.pending_since {
                Some(since) => format!("{} since {}", builder.pending, screen.time(since)),
                None => builder.pending.to_string(),
            }
            .into(),
            last,
            join(&builder.slaves).into(),
        ]);
    }
    screen.table(&rows)
}

pub(super) fn slaves(
    screen: &mut Screen<'_>,
    slaves: &[SlaveRow],
    live: &BTreeMap<SlaveName, LiveSlave>,
) -> io::Result<()> {
    if slaves.is_empty() {
        return screen.line("no slaves yet: they appear when the master has been started");
    }
    let mut rows = vec![heading(&[
        "slave",
        "state",
        "last seen",
        "version",
        "builders",
    ])];
    for slave in slaves {
        let state = live::state_of(screen, slave, live.get(&slave.name));
        let seen = live::last_heard(slave, live.get(&slave.name));
        let seen = seen.map_or_else(|| "never".to_owned(), |at| screen.time(at));
        let version = slave.info.get("version").map_or("", String::as_str);
        rows.push(vec![
            slave.name.as_str().into(),
            state,
            seen.into(),
            version.into(),
            join(&slave.builders).into(),
        ]);
    }
    screen.table(&rows)
}

pub(super) fn changes(screen: &mut Screen<'_>, changes: &[Change]) -> io::Result<()> {
    if changes.is_empty() {
        return screen.line("no changes yet");
    }
    let mut rows = vec![heading(&[
        "change", "arrived", "who", "branch", "revision", "comments",
    ])];
    for change in changes {
        rows.push(vec![
            change.number.to_string().into(),
            screen.time(change.arrived_at).into(),
            headline(&change.who).into(),
            change.branch.as_deref().unwrap_or("").into(),
            headline(change.revision.as_deref().unwrap_or("")).into(),
            headline(&change.comments).into(),
        ]);
    }
    screen.table(&rows)
}

/// The time that the sender gave a change, and why it is not used, if it is not (TIM-02).
fn when(screen: &Screen<'_>, change: &Change) -> String {
    match change.usable_when() {
        Ok(when) => screen.time(when),
        Err(UnusableTime::TooFarAhead) => {
            format!("{} (not used: too far ahead)", screen.time(change.when))
        }
        Err(UnusableTime::NotATime) => {
            let seconds = change.when.as_secs_f64();
            format!("{seconds} s since 1970 (not used: not a time)")
        }
    }
}

pub(super) fn change(screen: &mut Screen<'_>, change: &Change) -> io::Result<()> {
    screen.line(&format!("change {}", change.number))?;
    let mut rows = Vec::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            rows.push(vec![format!("  {name}").into(), value.into()]);
        }
    };
    field("who", &change.who);
    field("arrived", &screen.time(change.arrived_at));
    field("when", &when(screen, change));
    let made_at = change.made_at.map(|made_at| screen.time(made_at));
    field("made", &made_at.unwrap_or_default());
    field("branch", change.branch.as_deref().unwrap_or("(default)"));
    field("revision", change.revision.as_deref().unwrap_or(""));
    field("project", &change.project);
    field("repository", &change.repository);
    field("codebase", &change.codebase);
    field("category", change.category.as_deref().unwrap_or(""));
    field("kind", change.src.as_deref().unwrap_or(""));
    field("link", &change.revlink);
    screen.table(&rows)?;
    if !change.comments.is_empty() {
        screen.line("  comments")?;
        screen.block(&change.comments)?;
    }
    if !change.files.is_empty() {
        screen.line("  files")?;
        for file in &change.files {
            screen.block(file)?;
        }
    }
    if change.files_left_out > 0 {
        screen.line(&format!(
            "  {} more files are not listed: their names were too much to keep, so the change counts as important",
            change.files_left_out
        ))?;
    }
    properties(screen, &change.properties)
}

pub(super) fn requests(
    screen: &mut Screen<'_>,
    requests: &[RequestRow],
    live: &Live,
) -> io::Result<()> {
    if requests.is_empty() {
        return screen.line("no requests");
    }
    let mut rows = vec![heading(&[
        "request", "builder", "state", "queued", "set", "reason",
    ])];
    for request in requests {
        let with = merged_with(request);
        let state = match (request.finished, request.build) {
            (Some((result, _)), _) => {
                let why = request.why.iter().map(|why| format!(", {why}"));
                let why: String = why.collect();
                Cell::coloured(format!("{result}{with}{why}"), Colour::of(result))
            }
            (None, Some(build)) => Cell::coloured(format!("build {build}{with}"), Colour::Yellow),
            (None, None) if live.is_starting(request) => Cell::coloured("starting", Colour::Yellow),
            (None, None) => "pending".into(),
        };
        rows.push(vec![
            request.id.to_string().into(),
            request.builder.as_str().into(),
            state,
            screen.time(request.submitted_at).into(),
            request.set.to_string().into(),
            headline(&request.reason).into(),
        ]);
    }
    screen.table(&rows)
}

/// What is added for a request that was merged into the build of another one (BRQ-07).
pub(super) fn merged_with(request: &RequestRow) -> String {
    let first = request.merged_into;
    first.map_or_else(String::new, |first| format!(", merged with {first}"))
}

pub(super) fn builds(
    screen: &mut Screen<'_>,
    builds: &[(BuildRow, Left)],
    is_running: bool,
) -> io::Result<()> {
    if builds.is_empty() {
        return screen.line("no builds yet");
    }
    let mut rows = vec![heading(&[
        "builder", "build", "result", "started", "took", "slave", "changes", "reason",
    ])];
    for (row, left) in builds {
        let build = &row.summary;
        rows.push(vec![
            build.builder.as_str().into(),
            build.number.to_string().into(),
            outcome(build.result, left.build, is_running),
            screen.time(build.started_at).into(),
            took(build).into(),
            build.slave.as_str().into(),
            join(&build.changes).into(),
            headline(&build.reason).into(),
        ]);
    }
    screen.table(&rows)
}

pub(super) fn build(
    screen: &mut Screen<'_>,
    row: &BuildRow,
    left: &Left,
    is_running: bool,
) -> io::Result<()> {
    let build = &row.summary;
    screen.line(&format!("build {} of {}", build.number, build.builder))?;
    let mut rows = vec![vec![
        "  result".into(),
        outcome(build.result, left.build, is_running),
    ]];
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            rows.push(vec![format!("  {name}").into(), value.into()]);
        }
    };
    field("text", &build.text.join(" "));
    field("reason", &build.reason);
    field("stopped", row.stop_reason.as_deref().unwrap_or(""));
    field("slave", build.slave.as_str());
    field("started", &screen.time(build.started_at));
    if let Some(at) = build.finished_at {
        field("ended", &format!("{} ({})", screen.time(at), took(build)));
    }
    field("changes", &join(&build.changes));
    field("blamelist", &join(&build.blamelist));
    let interested = interested_users(&build.blamelist, &row.properties);
    if interested != build.blamelist {
        field("interested", &join(&interested));
    }
    field("requests", &join(&build.requests));
    screen.table(&rows)?;
    if !build.steps.is_empty() {
        screen.line("  steps")?;
        let steps = build.steps.iter().zip(&left.steps).zip(&row.logs);
        let rows: Vec<_> = steps
            .map(|((step, left), logs)| {
                let logs = logs.iter().map(|log| match log.size_bytes {
                    Some(bytes) => format!("{} ({})", log.name, size(bytes)),
                    None => log.name.clone(),
                });
                vec![
                    format!("    {}", step.name).into(),
                    outcome(step.result, *left, is_running),
                    step_took(step).into(),
                    headline(&step.text.join(" ")).into(),
                    join(logs).into(),
                ]
            })
            .collect();
        screen.table(&rows)?;
    }
    properties(screen, &row.properties)
}

fn properties(screen: &mut Screen<'_>, properties: &Properties) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    screen.line("  properties")?;
    let rows: Vec<_> = properties
        .iter()
        .map(|(name, property)| {
            vec![
                format!("    {name}").into(),
                headline(&property.value.to_string()).into(),
                format!("from {}", property.source).into(),
            ]
        })
        .collect();
    screen.table(&rows)
}

pub(super) fn heading(names: &[&str]) -> Vec<Cell> {
    names
        .iter()
        .map(|name| name.to_uppercase().into())
        .collect()
}

/// A result; what has none is running, with so much left, or was when the master was killed.
fn outcome(result: Option<Results>, left: Option<Remaining>, is_running: bool) -> Cell {
    match (result, left) {
        (Some(result), _) => result.into(),
        (None, Some(left)) => Cell::coloured(format!("running, {left}"), Colour::Yellow),
        (None, None) if is_running => Cell::coloured("running", Colour::Yellow),
        (None, None) => Cell::coloured("interrupted", Colour::Magenta),
    }
}

fn took(build: &BuildSummary) -> String {
    let finished = build.finished_at.map(|at| at.since(build.started_at));
    finished.map(duration).unwrap_or_default()
}

fn step_took(step: &StepSummary) -> String {
    let finished = step.finished_at.map(|at| at.since(step.started_at));
    finished.map(duration).unwrap_or_default()
}

pub(super) fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(", ")
}
