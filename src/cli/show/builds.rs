//! Builds: what is shown of each, in lists and one by one.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::eta::{self, Left};
use super::pages::{heading, properties};
use super::screen::{Screen, colour_of, headline};
use crate::model::{
    Judgement, Origin, Remaining, Results, StepSummary, Timestamp, interested_users, revision_built,
};
use crate::store::read::BuildRow;
use crate::store::{State, StoreError};
use crate::text::table::{Cell, Colour};
use crate::text::{commas, duration, size};

/// A build with what is made of its record.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) row: BuildRow,
    /// How long it will still take.
    pub(super) left: Left,
    /// What it was made of, as far as that is still known.
    pub(super) origin: Option<Origin>,
    /// How it compares with the one before it.
    pub(super) judgement: Option<Judgement>,
}

/// Where builds are read, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    pub(super) basedir: &'a Path,
    /// Whether the master runs.
    pub(super) is_running: bool,
    pub(super) now: Timestamp,
}

impl Shown {
    /// Makes what is shown of these builds.
    pub(super) fn of(
        state: &State,
        rows: Vec<BuildRow>,
        moment: Moment<'_>,
    ) -> Result<Vec<Self>, StoreError> {
        let mut builds = Vec::with_capacity(rows.len());
        for row in rows {
            let origin = state.origin(&row.summary)?;
            builds.push((row, origin));
        }
        let judgements = state.judgements(&builds)?;
        let builds = builds.into_iter().zip(judgements);
        let shown = builds.map(|((row, origin), judgement)| Self {
            left: eta::left(&row, moment.is_running, moment.basedir, moment.now),
            row,
            origin,
            judgement,
        });
        Ok(shown.collect())
    }

    /// The branch; absent: the default one, or it is not known.
    pub(super) fn branch(&self) -> Option<&str> {
        self.origin.as_ref()?.line.branch.as_deref()
    }

    /// The revision that was built, else the one that was asked for.
    pub(super) fn revision(&self) -> Option<String> {
        let asked_for = || self.origin.as_ref()?.revision.clone();
        revision_built(&self.row.properties).or_else(asked_for)
    }

    /// Whether it tried a patch.
    pub(super) fn is_try(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.is_try)
    }

    /// The steps that made the build what it is: of a failed one those that failed, and so on.
    pub(super) fn bad_steps(&self) -> Vec<&str> {
        let build = &self.row.summary;
        let Some(result) = build.result.filter(|&result| result != Results::Success) else {
            return Vec::new();
        };
        let with = |wanted: &[Results]| -> Vec<&str> {
            let steps = build.steps.iter();
            let bad = steps.filter(|s| s.result.is_some_and(|result| wanted.contains(&result)));
            bad.map(|step| step.name.as_str()).collect()
        };
        match with(&[result]) {
            none if none.is_empty() => with(&[Results::Failure, Results::Exception]),
            some => some,
        }
    }

    /// The steps that it did not come to, if it has ended.
    pub(super) fn not_run(&self) -> Vec<&str> {
        let build = &self.row.summary;
        if build.finished_at.is_none() {
            return Vec::new();
        }
        let ran = |name: &str| build.steps.iter().any(|step| step.name == name);
        let planned = self.row.planned.iter().map(String::as_str);
        planned.filter(|name| !ran(name)).collect()
    }

    /// How long it has taken, so far if it runs.
    pub(super) fn elapsed(&self, moment: Moment<'_>) -> Option<Duration> {
        let build = &self.row.summary;
        let end = build
            .finished_at
            .or(moment.is_running.then_some(moment.now));
        end.map(|at| at.since(build.started_at))
    }

    /// The same for people.
    fn took(&self, moment: Moment<'_>) -> String {
        self.elapsed(moment).map(duration).unwrap_or_default()
    }

    /// The result with whether that is news, and the steps that made it.
    fn verdict(&self, moment: Moment<'_>) -> Cell {
        let Some(result) = self.row.summary.result else {
            return outcome(None, self.left.build, moment.is_running);
        };
        let mut text = match self.judgement {
            Some(Judgement::New) => format!("new {result}"),
            Some(Judgement::Still) => format!("still {result}"),
            Some(Judgement::Fixed) => format!("{result}, fixed"),
            None => result.as_str().to_owned(),
        };
        let bad = self.bad_steps();
        if !bad.is_empty() {
            text += &format!(": {}", commas(bad));
        }
        Cell::coloured(text, colour_of(result)).at_least(16)
    }
}

/// The newest builds.
pub(super) fn table(
    screen: &mut Screen<'_>,
    builds: &[Shown],
    moment: Moment<'_>,
) -> io::Result<()> {
    if builds.is_empty() {
        return screen.line("no builds yet");
    }
    let mut rows = vec![heading(&[
        "builder", "build", "result", "started", "took", "branch", "rev", "who", "slave",
        "changes", "reason",
    ])];
    for shown in builds {
        let build = &shown.row.summary;
        let branch = match (shown.branch().unwrap_or_default(), shown.is_try()) {
            (branch, false) => branch.to_owned(),
            ("", true) => "try".to_owned(),
            (branch, true) => format!("{branch}, try"),
        };
        let revision = shown.revision().unwrap_or_default();
        rows.push(vec![
            build.builder.as_str().into(),
            Cell::kept(build.number),
            shown.verdict(moment),
            screen.moment(build.started_at),
            Cell::kept(shown.took(moment)),
            Cell::from(branch).at_least(6),
            headline(&revision).into(),
            headline(&commas(&build.blamelist)).into(),
            build.slave.as_str().into(),
            runs(build.changes.iter().map(|change| change.0)).into(),
            headline(&build.reason).into(),
        ]);
    }
    screen.table(&rows)
}

/// One build.
pub(super) fn page(screen: &mut Screen<'_>, shown: &Shown, moment: Moment<'_>) -> io::Result<()> {
    let (row, left) = (&shown.row, &shown.left);
    let build = &row.summary;
    screen.line(&format!("build {} of {}", build.number, build.builder))?;
    let mut rows = vec![vec!["  result".into(), shown.verdict(moment)]];
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            rows.push(vec![format!("  {name}").into(), Cell::wrapped(value)]);
        }
    };
    field("text", &build.text.join(" "));
    field("reason", &build.reason);
    field("stopped", row.stop_reason.as_deref().unwrap_or(""));
    field("slave", build.slave.as_str());
    field("started", &screen.time(build.started_at));
    match build.finished_at {
        Some(at) => field(
            "ended",
            &format!("{} ({})", screen.time(at), shown.took(moment)),
        ),
        None => field("took", &shown.took(moment)),
    }
    if let Some(origin) = &shown.origin {
        let line = &origin.line;
        field("branch", line.branch.as_deref().unwrap_or("(default)"));
        field("repository", &line.repository);
        field("project", &line.project);
        field("codebase", &line.codebase);
    }
    field("revision", &shown.revision().unwrap_or_default());
    field("try", if shown.is_try() { "of a patch" } else { "" });
    field("changes", &commas(&build.changes));
    field("blamelist", &commas(&build.blamelist));
    let interested = interested_users(&build.blamelist, &row.properties);
    if interested != build.blamelist {
        field("interested", &commas(&interested));
    }
    field("requests", &commas(&build.requests));
    screen.table(&rows)?;
    let not_run = shown.not_run();
    if !build.steps.is_empty() || !not_run.is_empty() {
        screen.line("  steps")?;
        let steps = build.steps.iter().zip(&left.steps).zip(&row.logs);
        let steps = steps.map(|((step, left), logs)| {
            let logs = logs.iter().map(|log| match log.size_bytes {
                Some(bytes) => format!("{} ({})", log.name, size(bytes)),
                None => log.name.clone(),
            });
            vec![
                format!("    {}", step.name).into(),
                outcome(step.result, *left, moment.is_running),
                Cell::kept(step_took(step, moment)),
                Cell::wrapped(headline(&step.text.join(" "))),
                Cell::wrapped(commas(logs)),
            ]
        });
        let not_run = not_run.into_iter();
        let not_run = not_run.map(|name| vec![format!("    {name}").into(), "not run".into()]);
        screen.table(&steps.chain(not_run).collect::<Vec<_>>())?;
    }
    properties(screen, &row.properties)
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

fn step_took(step: &StepSummary, moment: Moment<'_>) -> String {
    let end = step.finished_at.or(moment.is_running.then_some(moment.now));
    let took = end.map(|at| at.since(step.started_at));
    took.map(duration).unwrap_or_default()
}

/// Numbers in order, those that follow each other as one: `1-3, 7`.
pub(super) fn runs(numbers: impl IntoIterator<Item = u64>) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): (u64, u64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    };
    commas(runs.into_iter().map(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_run() {
        for (numbers, expected) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[7, 8], "7, 8"),
            (&[1, 2, 3, 4, 9, 11, 12, 13], "1-4, 9, 11-13"),
        ] {
            assert_eq!(runs(numbers.iter().copied()), expected);
        }
    }
}
