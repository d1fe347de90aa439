//! `show tests`: the tests of a build (TST-11).

use std::io;

use super::fields::heading;
use super::output::Output;
use super::screen::Screen;
use super::source::Source;
use crate::cli::buildmaster::names::check_builder;
use crate::cli::buildmaster::nth::Nth;
use crate::model::BuilderName;
use crate::store::read::Among;
use crate::text::table::Cell;
use crate::view::{Build, StepTests, Test};

/// Shows the tests of a build.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    builder: &str,
    number: Nth,
) -> anyhow::Result<()> {
    let (state, builder) = (source.state()?, BuilderName::from(builder));
    check_builder(state, &builder)?;
    let number = number.find(state, &builder, Among::All)?;
    let Some(build) = Build::find(state, &builder, number, source.moment)? else {
        return Err(super::build::missing(state, &builder, number)?);
    };
    let tests = StepTests::of_build(state, &build)?;
    let most = usize::try_from(out.limit()).unwrap_or(usize::MAX);
    out.print(&tests, |screen, tests| page(screen, tests, most))
}

/// Prints the tests of each step, of which those that are not good come first.
fn page(screen: &mut Screen<'_>, steps: &[StepTests], most: usize) -> io::Result<()> {
    if steps.is_empty() {
        return screen.line("no step of this build has told of tests");
    }
    for step in steps {
        let part = if step.is_complete { "" } else { ", incomplete" };
        screen.line(&format!("{}: {}{part}", step.step, step.counts.in_words()))?;
        for note in &step.notes {
            screen.line(&format!("  {note}"))?;
        }
        let row = |test: &Test| {
            vec![
                Cell::wrapped(test.name.shown()),
                Cell::kept(test.in_words()),
                Cell::kept(
                    test.since
                        .map_or_else(|| "-".to_owned(), |since| since.to_string()),
                ),
                Cell::wrapped(test.text.clone().unwrap_or_default()),
            ]
        };
        let mut rows = vec![heading(&["test", "result", "since", "text"])];
        rows.extend(step.tests.iter().take(most).map(row));
        if rows.len() > 1 {
            screen.table(&rows)?;
        }
    }
    Ok(())
}
