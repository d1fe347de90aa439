//! `show build`: one build with its steps, and how it came about.

use std::io;
use std::time::Duration;

use anyhow::anyhow;

use super::fields::{Fields, properties};
use super::output::Output;
use super::screen::{Screen, colour_of, headline};
use super::source::Source;
use crate::cli::buildmaster::names::check_builder;
use crate::cli::buildmaster::nth::Nth;
use crate::model::{BuildNumber, BuilderName, Judgement, Remaining, Results};
use crate::store::State;
use crate::store::read::Among;
use crate::text::table::{Cell, Colour};
use crate::text::{commas, duration, size};
use crate::view::{Build, BuildPage, Log, Moment, Step, Trail};

/// Shows a build.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    builder: &str,
    number: Nth,
) -> anyhow::Result<()> {
    let (state, builder) = (source.state()?, BuilderName::from(builder));
    check_builder(state, &builder)?;
    let number = number.find(state, &builder, Among::All)?;
    let Some(found) = BuildPage::find(state, &builder, number, source.moment)? else {
        return Err(missing(state, &builder, number)?);
    };
    out.print_one(&found, |screen, found| page(screen, found, source.moment))
}

/// Why there is no such build.
pub(super) fn missing(
    state: &State,
    builder: &BuilderName,
    number: BuildNumber,
) -> anyhow::Result<anyhow::Error> {
    if state.was_build(builder, number)? {
        let why = anyhow!("build {builder}/{number} was pruned (build_horizon)");
        return Ok(why);
    }
    Ok(match state.builds(Some(builder), 1)?.first() {
        Some(last) => anyhow!(
            "there is no build {builder}/{number}; the last one is {builder}/{}",
            last.number
        ),
        None => anyhow!("{builder} has no builds yet"),
    })
}

/// Prints a build.
fn page(screen: &mut Screen<'_>, page: &BuildPage, moment: Moment) -> io::Result<()> {
    let build = &page.build;
    screen.line(&format!("build {}/{}", build.builder, build.number))?;
    fields(screen, build, moment).print(screen)?;
    problems(screen, build)?;
    steps(screen, build, moment)?;
    properties(screen, &build.properties)?;
    if page.logs_pruned {
        screen.line("  logs were pruned (log_horizon)")?;
    }
    trail(screen, build, &page.trail)
}

fn fields(screen: &Screen<'_>, build: &Build, moment: Moment) -> Fields {
    let mut fields = Fields::default();
    fields.cell("result", verdict(build, moment));
    fields.text("text", &build.text.join(" "));
    fields.text("reason", &build.reason);
    fields.text("stopped", build.stop_reason.as_deref().unwrap_or_default());
    fields.text("slave", build.slave.as_str());
    fields.text("started", &screen.time(build.started_at));
    match build.finished_at {
        Some(at) => {
            let ended = format!("{} ({})", screen.time(at), took(build.took));
            fields.text("ended", &ended);
        }
        None => fields.text("took", &took(build.took)),
    }
    // The build sets that say so may have been pruned.
    for source in &build.sources {
        fields.text(&source.title(), &source.to_string());
    }
    let single = build
        .repository
        .as_ref()
        .filter(|_| build.sources.is_empty());
    if let Some(repository) = single {
        fields.text("branch", build.branch.as_deref().unwrap_or("(default)"));
        fields.text("repository", repository);
        fields.text("project", build.project.as_deref().unwrap_or_default());
        fields.text("codebase", build.codebase.as_deref().unwrap_or_default());
    }
    fields.text("revision", build.revision.as_deref().unwrap_or_default());
    fields.text("try", if build.is_try { "of a patch" } else { "" });
    fields.text("changes", &commas(&build.changes));
    fields.text("blamelist", &commas(&build.blamelist));
    if build.interested_users != build.blamelist {
        fields.text("interested", &commas(&build.interested_users));
    }
    fields.text("requests", &commas(&build.requests));
    fields
}

fn steps(screen: &mut Screen<'_>, build: &Build, moment: Moment) -> io::Result<()> {
    if build.steps.is_empty() && build.not_run.is_empty() {
        return Ok(());
    }
    screen.line("  steps")?;
    let log = |log: &Log| match log.bytes {
        Some(bytes) => format!("{} ({})", log.name, size(bytes)),
        None => log.name.clone(),
    };
    let step = |step: &Step| {
        vec![
            format!("    {}", step.name).into(),
            outcome(step.result, step.remaining, moment),
            Cell::kept(took(step.took)),
            Cell::wrapped(headline(&step.text.join(" "))),
            Cell::wrapped(commas(step.logs.iter().map(log))),
        ]
    };
    let not_run = build.not_run.iter();
    let not_run = not_run.map(|name| vec![format!("    {name}").into(), "not run".into()]);
    let (hidden, steps): (Vec<_>, Vec<_>) = build.steps.iter().partition(|step| step.hidden);
    let rows: Vec<_> = steps.iter().copied().map(step).chain(not_run).collect();
    screen.table(&rows)?;
    if !hidden.is_empty() {
        let names = commas(hidden.iter().map(|step| &step.name));
        screen.line(&format!("    hidden: {names}"))?;
    }
    more(screen, &steps)
}

/// Prints the links and numbers of steps.
fn more(screen: &mut Screen<'_>, steps: &[&Step]) -> io::Result<()> {
    let rows = steps.iter().flat_map(|step| {
        let links = step.links.iter();
        let links = links.map(|link| (link.name.clone(), link.url.clone()));
        let numbers = step.statistics.iter();
        let numbers = numbers.map(|(name, number)| (name.clone(), number.to_string()));
        let row = |(name, value)| {
            let step = format!("    {}", step.name);
            vec![step.into(), Cell::wrapped(name), Cell::wrapped(value)]
        };
        links.chain(numbers).map(row)
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    screen.line("  links and numbers of steps")?;
    screen.table(&rows)
}

/// Prints what is new with a build, what fails still, and what it has fixed.
fn problems(screen: &mut Screen<'_>, build: &Build) -> io::Result<()> {
    if build.problems.is_empty() && build.yours.is_empty() {
        return Ok(());
    }
    screen.line(&format!("  problems: {}", build.count_of_problems()))?;
    let rows = build.problems.iter().map(|one| {
        let words = format!("{} (problem {})", one.words(), one.problem);
        vec![format!("    {}", one.what).into(), Cell::wrapped(words)]
    });
    let own = build.yours.iter().map(|one| {
        let what = format!("    {}", one.what);
        vec![what.into(), "yours: the base does not fail so".into()]
    });
    let rows: Vec<_> = own.chain(rows).collect();
    screen.table(&rows)
}

/// Prints how a build came about.
fn trail(screen: &mut Screen<'_>, build: &Build, trail: &Trail) -> io::Result<()> {
    let mut rows = Vec::new();
    for change in &trail.changes {
        for verdict in &change.schedulers {
            let why = verdict.decision.sentence(|at| screen.time(at));
            rows.push((
                format!("change {}", change.number),
                format!("{} {why}", verdict.scheduler),
            ));
        }
    }
    for set in &trail.sets {
        let by = match &set.scheduler {
            Some(scheduler) => format!("by {scheduler}"),
            None => "by hand".to_owned(),
        };
        let at = screen.time(set.submitted_at);
        rows.push((format!("set {}", set.id), format!("submitted {by} at {at}")));
    }
    for request in &trail.requests {
        // Also through builds that lost their slave.
        let waited = duration(build.started_at.since(request.submitted_at));
        let merged = match request.merged_into {
            Some(first) => format!(", merged into request {first}"),
            None => String::new(),
        };
        let text = format!("of set {}, waited {waited}{merged}", request.set);
        rows.push((format!("request {}", request.id), text));
    }
    for before in &trail.again_after {
        let text = format!(
            "because build {} was interrupted: {}",
            before.number, before.why
        );
        rows.push(("built again".to_owned(), text));
    }
    if !build.slave_choice.is_empty() {
        let text = format!("on slave {}: {}", build.slave, build.slave_choice);
        rows.push(("slave".to_owned(), text));
    }
    if rows.is_empty() {
        return Ok(());
    }
    screen.line("  how it came about")?;
    let rows = rows.into_iter();
    let rows: Vec<_> = rows
        .map(|(what, text)| vec![format!("    {what}").into(), Cell::wrapped(text)])
        .collect();
    screen.table(&rows)
}

/// The result of a build, whether it is news, and the steps that made it.
pub(super) fn verdict(build: &Build, moment: Moment) -> Cell {
    let Some(result) = build.result else {
        return outcome(None, build.remaining, moment);
    };
    let mut text = match build.news {
        Some(Judgement::New) => format!("new {result}"),
        Some(Judgement::Still) => format!("still {result}"),
        Some(Judgement::Fixed) => format!("{result}, fixed"),
        None => result.as_str().to_owned(),
    };
    if !build.failed_steps.is_empty() {
        text += &format!(": {}", commas(&build.failed_steps));
    }
    Cell::coloured(text, colour_of(result)).at_least(16)
}

/// How long something took; empty if that is unknown.
pub(super) fn took(took: Option<Duration>) -> String {
    took.map(duration).unwrap_or_default()
}

/// A result. Without one a build or step is running, or was when the master was killed.
fn outcome(result: Option<Results>, remaining: Option<Remaining>, moment: Moment) -> Cell {
    match (result, remaining) {
        (Some(result), _) => result.into(),
        (None, Some(left)) => Cell::coloured(format!("running, {left}"), Colour::Yellow),
        (None, None) if moment.is_running => Cell::coloured("running", Colour::Yellow),
        (None, None) => Cell::coloured("interrupted", Colour::Magenta),
    }
}
