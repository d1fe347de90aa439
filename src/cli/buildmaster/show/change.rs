//! `show change`: one change, what each scheduler decided about it, and where it is built.

use std::io;

use anyhow::bail;

use super::fields::{Fields, properties};
use super::output::Output;
use super::requests::merged_with;
use super::screen::Screen;
use super::source::Source;
use crate::model::{ChangeNumber, SchedulerName, UnusableTime};
use crate::text::table::{Cell, Colour};
use crate::view::{BuildSet, Change, ChangePage, Request};

/// Shows a change.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    number: u64,
) -> anyhow::Result<()> {
    let (state, wanted) = (source.state()?, ChangeNumber(number));
    let Some(found) = ChangePage::find(state, wanted, &source.live())? else {
        if state.was_change(wanted)? {
            bail!("change {number} was pruned (change_horizon)");
        }
        bail!("there is no change {number}");
    };
    out.print_one(&found, page)
}

/// Prints a change.
pub(super) fn page(screen: &mut Screen<'_>, page: &ChangePage) -> io::Result<()> {
    change(screen, &page.change)?;
    schedulers(screen, page)?;
    sets(screen, page)
}

pub(super) fn change(screen: &mut Screen<'_>, change: &Change) -> io::Result<()> {
    screen.line(&format!("change {}", change.number))?;
    fields(screen, change).print(screen)?;
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
            "  {} more files are not listed because the list was too long to keep; the change \
             therefore counts as important",
            change.files_left_out
        ))?;
    }
    properties(screen, &change.properties)
}

fn fields(screen: &Screen<'_>, change: &Change) -> Fields {
    let mut fields = Fields::default();
    fields.text("who", &change.who);
    fields.text("arrived", &screen.time(change.arrived_at));
    fields.text("when", &when(screen, change));
    let made_at = change.made_at.map(|made_at| screen.time(made_at));
    fields.text("made", &made_at.unwrap_or_default());
    fields.text("branch", change.branch.as_deref().unwrap_or("(default)"));
    fields.text("revision", change.revision.as_deref().unwrap_or_default());
    fields.text("project", &change.project);
    fields.text("repository", &change.repository);
    fields.text("codebase", &change.codebase);
    fields.text("category", change.category.as_deref().unwrap_or_default());
    fields.text("kind", change.src.as_deref().unwrap_or_default());
    fields.text("link", &change.revlink);
    if change.is_skipped {
        fields.text("skipped", "its message says that it need not be built");
    }
    for note in &change.notes {
        fields.text("note", note);
    }
    fields
}

/// The time that the sender gave a change, and why it is not used, if it is not (TIM-02).
fn when(screen: &Screen<'_>, change: &Change) -> String {
    match change.when_not_used {
        None => screen.time(change.when),
        Some(UnusableTime::TooFarAhead) => {
            format!("{} (not used: too far ahead)", screen.time(change.when))
        }
        Some(UnusableTime::NotATime) => {
            let seconds = change.when.as_secs_f64();
            format!("{seconds} s since 1970 (not used: not a valid time)")
        }
    }
}

fn schedulers(screen: &mut Screen<'_>, page: &ChangePage) -> io::Result<()> {
    let Some(verdicts) = &page.schedulers else {
        return screen.line("  schedulers: their decisions were not recorded");
    };
    if verdicts.is_empty() {
        return screen.line("  schedulers: none were configured");
    }
    screen.line("  schedulers")?;
    let mut rows = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        let why = verdict.decision.sentence(|at| screen.time(at));
        let why = match verdict.counts {
            true => Cell::coloured(why, Colour::Green),
            false => why.into(),
        };
        rows.push(vec![format!("    {}", verdict.scheduler).into(), why]);
    }
    screen.table(&rows)
}

fn sets(screen: &mut Screen<'_>, page: &ChangePage) -> io::Result<()> {
    if page.sets.is_empty() {
        return screen.line(match page.sets_were_pruned {
            true => "  in no build set, or only in pruned ones (build_horizon)",
            false => "  in no build set yet",
        });
    }
    screen.line("  build sets")?;
    let row = |set: &BuildSet| {
        let scheduler = set.scheduler.as_ref().map_or("", SchedulerName::as_str);
        let result = match set.result {
            Some(result) => result.into(),
            None => Cell::coloured("not finished", Colour::Yellow),
        };
        let requests = page.requests.iter().filter(|r| r.set == set.id);
        let builds: Vec<_> = requests.map(build).collect();
        vec![
            format!("    {}", set.id).into(),
            scheduler.into(),
            result,
            screen.moment(set.submitted_at),
            Cell::wrapped(builds.join(", ")),
        ]
    };
    let rows: Vec<_> = page.sets.iter().map(row).collect();
    screen.table(&rows)
}

/// Where a request is built.
fn build(request: &Request) -> String {
    let builder = &request.builder;
    match (request.build, request.result) {
        (Some(number), _) => format!("{builder} build {number}{}", merged_with(request)),
        (None, Some(result)) => format!("{builder} {result}"),
        (None, None) => format!("{builder} pending"),
    }
}
