//! What is shown to people.

use std::collections::BTreeMap;
use std::io;

use super::live;
use super::schedulers::Scheduler;
use super::screen::{Screen, colour_of, headline};
use crate::botmaster::{Live, LiveSlave};
use crate::config::BuilderConfig;
use crate::model::{BuilderName, Change, Properties, SlaveName, Timestamp, UnusableTime};
use crate::store::read::{BuilderRow, RequestRow, SlaveRow};
use crate::text::commas;
use crate::text::table::{Cell, Colour};

/// Builders; `schedulers` tell what waits for them until the tree is stable.
pub(super) fn builders(
    screen: &mut Screen<'_>,
    builders: &[BuilderRow],
    configs: &BTreeMap<&BuilderName, &BuilderConfig>,
    schedulers: &[Scheduler],
    now: Timestamp,
) -> io::Result<()> {
    if builders.is_empty() {
        return screen.line("the configuration has no builders");
    }
    let abouts = builders.iter().map(|builder| {
        let config = configs.get(&builder.name);
        config.map_or_else(String::new, |config| about(config))
    });
    let abouts: Vec<_> = abouts.collect();
    let is_described = abouts.iter().any(|about| !about.is_empty());
    let mut columns = vec!["builder", "state", "pending", "last build", "slaves"];
    columns.extend(is_described.then_some("description"));
    let mut rows = vec![heading(&columns)];
    for (builder, about) in builders.iter().zip(abouts) {
        let state = match builder.state.as_str() {
            "building" => {
                let numbers = commas(builder.building.iter().map(|(number, _)| number));
                // The build may have ended since the builder's state was written.
                Cell::coloured(format!("building {numbers}").trim_end(), Colour::Yellow)
            }
            "offline" => Cell::coloured("offline", Colour::Red),
            state => state.into(),
        };
        let waiting = schedulers.iter().flat_map(|s| s.waiting_for(&builder.name));
        let waiting: Vec<_> = waiting.map(|tree| tree.sentence(screen, now)).collect();
        let state = match (waiting.is_empty(), builder.state.as_str()) {
            (true, _) | (false, "offline") => state,
            (false, _) => state.and(&waiting.join("; ")),
        };
        let last = match builder.last {
            Some((number, result, _)) => {
                Cell::coloured(format!("{number} {result}"), colour_of(result))
            }
            None => "none".into(),
        };
        let mut row = vec![
            builder.name.as_str().into(),
            state,
            match builder.pending_since {
                Some(since) => format!("{} since {}", builder.pending, screen.time(since)),
                None => builder.pending.to_string(),
            }
            .into(),
            last,
            Cell::wrapped(commas(&builder.slaves)),
        ];
        row.extend(is_described.then(|| about.into()));
        rows.push(row);
    }
    screen.table(&rows)
}

/// What the configuration says of a builder: its description, and its tags in brackets.
fn about(config: &BuilderConfig) -> String {
    let tags = match config.tags.is_empty() {
        true => String::new(),
        false => format!("[{}]", commas(&config.tags)),
    };
    let parts = [config.description.as_str(), &tags];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

pub(super) fn slaves(
    screen: &mut Screen<'_>,
    slaves: &[SlaveRow],
    live: &BTreeMap<SlaveName, LiveSlave>,
) -> io::Result<()> {
    if slaves.is_empty() {
        return screen.line("the configuration has no slaves");
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
            Cell::wrapped(commas(&slave.builders)),
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
            Cell::kept(change.number),
            screen.moment(change.arrived_at),
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
            rows.push(vec![format!("  {name}").into(), Cell::wrapped(value)]);
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
                Cell::coloured(format!("{result}{with}{why}"), colour_of(result))
            }
            (None, Some(build)) => Cell::coloured(format!("build {build}{with}"), Colour::Yellow),
            (None, None) if live.is_starting(request) => Cell::coloured("starting", Colour::Yellow),
            (None, None) => "pending".into(),
        };
        rows.push(vec![
            Cell::kept(request.id),
            request.builder.as_str().into(),
            state,
            screen.moment(request.submitted_at),
            Cell::kept(request.set),
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

pub(super) fn properties(screen: &mut Screen<'_>, properties: &Properties) -> io::Result<()> {
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
        .map(|name| Cell::kept(name.to_uppercase()))
        .collect()
}
