//! What feeds tell: builds, problems and changes.

use std::fmt::Write as _;

use crate::logs::LogReader;
use crate::model::{BuilderName, Results, Timestamp};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Build, Builder, Log, Standing};
use crate::web::address;
use crate::web::page::Scene;
use crate::web::parts::Outcome;
use crate::web::refusal::Refusal;
use crate::web::xml::{escaped, shortened};

use super::ENTRIES;

/// An entry of a feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    /// Its title, news first.
    pub(super) title: String,
    /// Its path on this master, which is also the end of its identifier.
    pub(super) path: String,
    /// When it became so.
    pub(super) at: Timestamp,
    /// Who made it.
    pub(super) authors: Vec<String>,
    /// More, as HTML.
    pub(super) html: String,
}

/// Lines of a log, and characters of a line.
const LINES: u64 = 20;
const LONGEST_LINE: usize = 200;

/// Characters of a name and of a title.
const LONGEST_NAME: usize = 100;
const LONGEST_TITLE: usize = 120;

/// Authors and changes of an entry.
const MOST_NAMED: usize = 20;

/// How many changes are looked at for those that were asked for.
const CHANGES_SEARCHED: u32 = 200;

/// The builds that ended last.
pub(super) fn builds(state: &State, scene: &Scene) -> Result<Vec<Entry>, Refusal> {
    let args = &scene.args;
    let failures = args.flag("failures_only");
    let chosen = chosen(state, scene)?;
    let branches: Vec<Option<&str>> = match args.all("branch") {
        [] => vec![None],
        branches => branches
            .iter()
            .map(|branch| Some(branch.as_str()))
            .collect(),
    };
    let is_filtered = ["project", "name", "revision"]
        .iter()
        .any(|name| args.text(name).is_some());
    let each = if is_filtered { 5 * ENTRIES } else { ENTRIES };
    let mut newest: Vec<Brief> = Vec::new();
    for builder in &chosen {
        for branch in &branches {
            let wanted = Wanted {
                result: failures.then_some(Results::Failure),
                branch: *branch,
                ..Wanted::default()
            };
            let each = u32::try_from(each).unwrap_or(u32::MAX);
            let found = Brief::newest(state, builder, wanted, each)?;
            newest.extend(
                found
                    .into_iter()
                    .filter(|build| build.finished_at.is_some()),
            );
        }
        // Memory is for what may still be shown.
        newest.sort_by_key(|build| std::cmp::Reverse((build.finished_at, build.number)));
        newest.truncate(each * 2);
    }
    let mut entries = Vec::new();
    for brief in newest {
        let found = Build::find(state, &brief.builder, brief.number, scene.moment())?;
        let Some(build) = found else { continue };
        if !is_wanted(state, scene, &build)? {
            continue;
        }
        entries.push(of_build(state, &build)?);
        if entries.len() == ENTRIES {
            break;
        }
    }
    Ok(entries)
}

/// The builders that the arguments choose.
fn chosen(state: &State, scene: &Scene) -> Result<Vec<BuilderName>, Refusal> {
    let (names, tags) = (scene.args.all("builder"), scene.args.all("tag"));
    let all = Builder::all(
        Some(state),
        Some(&scene.config),
        &scene.live,
        scene.moment(),
    )?;
    let chosen = all.into_iter().filter(|builder| {
        let is_named = names.is_empty() || names.iter().any(|name| name == builder.name.as_str());
        let own = builder.tags.as_deref().unwrap_or_default();
        is_named && (tags.is_empty() || tags.iter().any(|tag| own.contains(tag)))
    });
    Ok(chosen.map(|builder| builder.name).collect())
}

fn is_wanted(state: &State, scene: &Scene, build: &Build) -> Result<bool, Refusal> {
    let args = &scene.args;
    let projects = args.all("project");
    let own = build.project.as_deref().unwrap_or_default();
    let is_of_project = projects.is_empty() || projects.iter().any(|project| project == own);
    let is_by = |name: &str| build.blamelist.iter().any(|who| contains(who, name));
    let is_of = match args.text("revision") {
        Some(asked) => {
            let own = build.revision_or_change(state)?;
            own.is_some_and(|own| own.starts_with(asked))
        }
        None => true,
    };
    Ok(is_of_project && is_of && args.text("name").is_none_or(is_by))
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn of_build(state: &State, build: &Build) -> Result<Entry, Refusal> {
    let outcome = Outcome::of(build.result, build.news);
    let name = format!("{} {}", build.builder, build.number);
    let mut title = format!("{name}: {}", outcome.word());
    if let Some(step) = build.failed_steps.first() {
        title = format!("{title} in {step}");
    }
    let mut html = paragraph(&build.text.join(" "));
    let mut items = String::new();
    for &number in build.changes.iter().take(MOST_NAMED) {
        let change = state.change(number)?;
        let who = change.as_ref().map_or("", |change| &change.who);
        let comments = change.as_ref().map_or("", |change| &change.comments);
        let line = format!("{number} by {}: {}", short_name(who), first_line(comments));
        write(&mut items, format_args!("<li>{}</li>", escaped(&line)));
    }
    if !items.is_empty() {
        write(&mut html, format_args!("<ul>{items}</ul>"));
    }
    let failed = build.steps.iter().rev();
    let mut failed = failed.filter(|step| build.failed_steps.contains(&step.name));
    if let Some(log) = failed.next().and_then(|step| step.logs.last()) {
        let lines = tail(state, log);
        if !lines.is_empty() {
            write(&mut html, format_args!("<pre>{}</pre>", escaped(&lines)));
        }
    }
    Ok(Entry {
        title: shortened(&title, LONGEST_TITLE),
        path: address::build(&build.builder, build.number),
        at: build.finished_at.unwrap_or(build.started_at),
        authors: build
            .blamelist
            .iter()
            .take(MOST_NAMED)
            .map(|who| short_name(who))
            .collect(),
        html,
    })
}

/// The last lines of a log; nothing if it cannot be read.
fn tail(state: &State, log: &Log) -> String {
    let lines = || {
        let mut reader = LogReader::open(state.basedir(), &log.path).ok()?;
        let lines = reader.extent().ok()?.lines;
        let first = lines.saturating_sub(LINES - 1).max(1);
        reader.window(first, usize::try_from(LINES).ok()?).ok()
    };
    let mut text = String::new();
    for line in lines().map_or_else(Vec::new, |window| window.lines) {
        text += &shortened(line.plain().trim_end(), LONGEST_LINE);
        text.push('\n');
    }
    text
}

/// The builders that are broken, those first that broke last.
pub(super) fn problems(state: &State, scene: &Scene) -> Result<Vec<Entry>, Refusal> {
    let chosen = chosen(state, scene)?;
    let standings = Standing::all(state)?;
    let broken = standings.iter();
    let mut broken: Vec<_> = broken
        .filter(|(name, line)| line.is_broken() && chosen.contains(name))
        .collect();
    broken.sort_by_key(|(_, line)| std::cmp::Reverse(line.since_at));
    let mut entries = Vec::new();
    for (builder, line) in broken.into_iter().take(ENTRIES) {
        let found = Build::find(state, builder, line.since, scene.moment())?;
        let Some(build) = found else { continue };
        if !is_wanted(state, scene, &build)? {
            continue;
        }
        let entry = of_build(state, &build)?;
        entries.push(Entry {
            title: shortened(
                &format!("{builder} is broken since build {}", line.since),
                LONGEST_TITLE,
            ),
            at: line.since_at,
            ..entry
        });
    }
    Ok(entries)
}

/// The newest changes.
pub(super) fn changes(state: &State, scene: &Scene) -> Result<Vec<Entry>, Refusal> {
    let args = &scene.args;
    let newest = state.changes(CHANGES_SEARCHED)?;
    let is_one = |name: &str, value: &str| {
        let wanted = args.all(name);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let wanted = newest.iter().filter(|change| {
        let revision = change.revision.as_deref().unwrap_or_default();
        is_one("branch", change.branch.as_deref().unwrap_or_default())
            && is_one("project", &change.project)
            && args
                .text("name")
                .is_none_or(|name| contains(&change.who, name))
            && args
                .text("revision")
                .is_none_or(|asked| revision.starts_with(asked))
    });
    let entries = wanted.take(ENTRIES).map(|change| {
        let who = short_name(&change.who);
        let files: Vec<_> = change
            .files
            .iter()
            .take(MOST_NAMED)
            .map(String::as_str)
            .collect();
        let comments: Vec<_> = change.comments.lines().take(MOST_NAMED).collect();
        let comments = shortened(&comments.join("\n"), 10 * LONGEST_LINE);
        let files = shortened(&files.join("\n"), 10 * LONGEST_LINE);
        let html = format!(
            "<pre>{}</pre><pre>{}</pre>",
            escaped(&comments),
            escaped(&files)
        );
        Entry {
            title: shortened(
                &format!(
                    "{} by {who}: {}",
                    change.number,
                    first_line(&change.comments)
                ),
                LONGEST_TITLE,
            ),
            path: address::change(change.number),
            at: change.arrived_at,
            authors: vec![who],
            html,
        }
    });
    Ok(entries.collect())
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escaped(&shortened(text, 10 * LONGEST_LINE)))
}

fn short_name(who: &str) -> String {
    shortened(who, LONGEST_NAME)
}

fn first_line(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    shortened(line, LONGEST_TITLE)
}

fn write(html: &mut String, piece: std::fmt::Arguments<'_>) {
    html.write_fmt(piece)
        .expect("writing to a string cannot fail");
}
