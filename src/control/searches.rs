//! Culprit searches that people begin and stop (SRH-16).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

use super::Control;
use crate::config::BuilderConfig;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, Line, MOST_RUNS, MOST_WIDTH, Op, ProblemSubject,
    SearchNumber, SearchOp, SearchRecord, Timestamp, Verdict, unique_names,
};
use crate::store::State;
use crate::text::commas;
use crate::verdict::{Past, stopped};

/// Most points of a search, its ends among them.
const MOST_POINTS: usize = 1000;

/// Most searches that go on at once.
const MOST_SEARCHES: usize = 100;

/// What somebody wants done with searches.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SearchAct {
    /// One is begun.
    Begin(SearchWish),
    /// One is stopped.
    Stop {
        /// Which.
        search: SearchNumber,
        /// Why.
        #[serde(default)]
        reason: String,
    },
}

/// A search that is to be begun. The ends are changes, revisions, or builds such as `#7`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SearchWish {
    /// The builder.
    pub builder: BuilderName,
    /// The older end.
    pub good: String,
    /// The newer end.
    pub bad: String,
    /// The step in question; absent: whether the whole build succeeds.
    #[serde(default)]
    pub step: Option<String>,
    /// The test in question: the parts of its name with dots between them, as pages show it.
    /// Without a step, it is that of the builder's step that reports it.
    #[serde(default)]
    pub test: Option<String>,
    /// How many points are asked at once; null: as many as there are idle slaves.
    #[serde(default = "usual_width")]
    pub width: Option<u32>,
    /// How many builds say that a point passes.
    #[serde(default = "one")]
    pub runs: u32,
    /// Whether the first change that passes is sought (SRH-18): then the older end fails.
    #[serde(default)]
    pub fixed: bool,
}

/// Which searches there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Searches {
    /// Held while one gets its number.
    numbers: Arc<Mutex<()>>,
    /// Told when somebody has begun or stopped one.
    changed: Arc<Notify>,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::unnecessary_wraps, reason = "serde asks for it")]
const fn usual_width() -> Option<u32> {
    Some(1)
}

impl SearchAct {
    /// The builder that it is about, if it says so.
    pub(super) const fn builder(&self) -> Option<&BuilderName> {
        match self {
            Self::Begin(wish) => Some(&wish.builder),
            Self::Stop { .. } => None,
        }
    }

    /// What is asked for, in words for the log.
    pub(super) fn act(&self) -> String {
        match self {
            Self::Begin(wish) => {
                let SearchWish {
                    builder, good, bad, ..
                } = wish;
                let (good, bad) = (good.escape_debug(), bad.escape_debug());
                let sought = if wish.fixed { "the fix" } else { "the culprit" };
                format!("asked to search for {sought} on {builder} between {good} and {bad}")
            }
            Self::Stop { search, reason } => {
                let why = crate::botmaster::Ask::because(reason);
                format!("asked to stop search {search}{why}")
            }
        }
    }
}

impl Control {
    /// Told when somebody has begun or stopped a search.
    #[must_use]
    pub const fn searches_changed(&self) -> &Arc<Notify> {
        &self.searches.changed
    }

    /// Begins or stops a search for `who`; gives its number.
    ///
    /// # Errors
    /// Why it was not done.
    pub(super) async fn search(&self, act: SearchAct, who: &str) -> Result<SearchNumber, String> {
        match act {
            SearchAct::Begin(wish) => {
                let config = self.config();
                let builder = config.builder(wish.builder.as_str());
                let no_builder = || format!("builder {} does not exist", wish.builder);
                let builder = builder.ok_or_else(no_builder)?;
                check(&wish, builder)?;
                let (who, at) = (who.to_owned(), self.clock().wall());
                let look = move |state: &State| record(state, &wish, who, at);
                let record = self.reader().read(look).await?;
                self.begin_search(record).await
            }
            SearchAct::Stop { search, reason } => {
                let look = move |state: &State| {
                    let row = state.search(search)?;
                    let row = row.ok_or_else(|| format!("there is no search {search}"))?;
                    if row.verdict.is_some() {
                        return Err(format!("search {search} is over"));
                    }
                    let known = state.known_points(&row.record)?;
                    Ok((row, known))
                };
                let (row, known) = self.reader().read(look).await?;
                let why = match reason.as_str() {
                    "" => format!("stopped by {who}"),
                    reason => format!("stopped by {who}: {reason}"),
                };
                let verdict = stopped(&row.record, &known, &row.points());
                self.end_search(search, verdict, Some(why)).await;
                Ok(search)
            }
        }
    }

    /// Puts a search on record, which gets the next number.
    ///
    /// # Errors
    /// The state cannot be read or written.
    pub async fn begin_search(&self, mut record: SearchRecord) -> Result<SearchNumber, String> {
        self.admit("no search was begun").await?;
        let _numbers = self.searches.numbers.lock().await;
        let number = self.reader().read(State::next_search).await;
        let number = number.map_err(|error| error.to_string())?;
        record.number = number;
        let op = Op::Search(SearchOp::Begun(Box::new(record)));
        self.writer.write_and_wait(vec![op]).await;
        self.searches.changed.notify_one();
        Ok(number)
    }

    /// Puts the verdict of a search on record, with the search that goes on inside what it has
    /// found, which gets the next number (SRH-15).
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn go_inside(
        &self,
        search: SearchNumber,
        verdict: Verdict,
        mut next: SearchRecord,
    ) -> Result<SearchNumber, String> {
        let _numbers = self.searches.numbers.lock().await;
        let number = self.reader().read(State::next_search).await;
        let number = number.map_err(|error| error.to_string())?;
        next.number = number;
        let over = SearchOp::Over {
            search,
            verdict,
            why: None,
            at: self.clock().wall(),
        };
        let begun = SearchOp::Begun(Box::new(next));
        let ops = [over, begun].map(Op::Search);
        self.writer.write_and_wait(ops.to_vec()).await;
        self.searches.changed.notify_one();
        Ok(number)
    }

    /// Puts the verdict of a search on record. Its builds that are not needed any more are ended by
    /// the task that runs the searches.
    pub async fn end_search(&self, search: SearchNumber, verdict: Verdict, why: Option<String>) {
        let at = self.clock().wall();
        let over = SearchOp::Over {
            search,
            verdict,
            why,
            at,
        };
        self.writer.write_and_wait(vec![Op::Search(over)]).await;
        self.searches.changed.notify_one();
    }
}

fn check(wish: &SearchWish, builder: &BuilderConfig) -> Result<(), String> {
    if wish
        .width
        .is_some_and(|width| !(1..=MOST_WIDTH).contains(&width))
    {
        return Err(format!(
            "the width is a number from 1 to {MOST_WIDTH}, or `idle`"
        ));
    }
    if !(1..=MOST_RUNS).contains(&wish.runs) {
        return Err(format!("the runs are a number from 1 to {MOST_RUNS}"));
    }
    if let Some(why) = builder.cannot_search(wish.step.as_deref()) {
        return Err(format!(
            "builder {} cannot be searched: {why}",
            builder.name
        ));
    }
    let steps = builder.factory.steps.iter();
    let names = unique_names(steps.map(|step| step.name.as_str()));
    match &wish.step {
        Some(step) if !names.contains(step) => Err(format!(
            "builder {} has no step {}; it has {}",
            builder.name,
            step.escape_debug(),
            commas(&names)
        )),
        Some(_) | None => Ok(()),
    }
}

/// The search that is wished for, as it begins.
fn record(
    state: &State,
    wish: &SearchWish,
    who: String,
    at: Timestamp,
) -> Result<SearchRecord, String> {
    if state.running_searches()?.len() >= MOST_SEARCHES {
        return Err(format!("{MOST_SEARCHES} searches go on already"));
    }
    let (bad, its_line) = end(state, &wish.builder, &wish.bad)?;
    let (good, _) = end(state, &wish.builder, &wish.good)?;
    let line = match its_line {
        Some(line) => line,
        None => state
            .line_with(&wish.builder, bad)?
            .ok_or_else(|| format!("there is no change {bad}"))?,
    };
    if good >= bad {
        return Err(format!("change {good} is not older than change {bad}"));
    }
    let points = state.points_between(&line, good, bad)?;
    if points.last() != Some(&bad) {
        return Err(format!("change {bad} is of no tree that is searched"));
    }
    if points.len() > MOST_POINTS {
        return Err(format!(
            "there are more than {} changes between {good} and {bad}",
            MOST_POINTS - 1
        ));
    }
    let builder = &wish.builder;
    let subject = subject(state, wish)?;
    let (problem, past) = match &subject {
        Some(subject) => (
            state.problem_between((builder, subject), &line, (good, bad))?,
            state.past_of(builder, &line, (subject, good))?,
        ),
        None => (None, Past::default()),
    };
    let symptoms = match problem {
        Some(number) => state.problem(number)?.map(|row| row.problem.found.symptoms),
        None => None,
    };
    Ok(SearchRecord {
        number: SearchNumber::default(),
        problem,
        builder: builder.clone(),
        line,
        step: subject
            .as_ref()
            .and_then(|subject| subject.step().map(str::to_owned)),
        test: subject.and_then(|subject| subject.test().cloned()),
        is_absent_before: past.is_absent,
        symptoms: symptoms.into_iter().flatten().collect(),
        points,
        width: wish.width,
        runs: wish.runs,
        max_builds: None,
        passed_before: past.passed,
        has_failed_alone: past.has_failed_alone,
        seeks_fix: wish.fixed,
        guess: None,
        inside: None,
        who,
        at,
    })
}

/// What is in question; absent: whether the whole build succeeds.
fn subject(state: &State, wish: &SearchWish) -> Result<Option<ProblemSubject>, String> {
    let Some(shown) = &wish.test else {
        return Ok(wish.step.clone().map(ProblemSubject::Step));
    };
    let test = state.test_shown(shown)?.ok_or_else(|| {
        let shown = shown.escape_debug();
        format!("no report has had a test {shown}; `buildmaster show tests BUILDER/N` lists tests")
    })?;
    if let Some(step) = wish.step.clone() {
        return Ok(Some(ProblemSubject::Test { step, test }));
    }
    let seen = state.test_history(test.hash(), 1)?.into_iter();
    let mut seen = seen.filter(|seen| seen.builder == wish.builder);
    let seen = seen.next().ok_or_else(|| {
        let (builder, shown) = (&wish.builder, shown.escape_debug());
        format!("no report of builder {builder} has had the test {shown}")
    })?;
    Ok(Some(ProblemSubject::Test {
        step: seen.step,
        test,
    }))
}

/// An end of a search, and the tree, if the end says so: `#7` is a build, a number is a change, and
/// all else is a revision.
fn end(
    state: &State,
    builder: &BuilderName,
    text: &str,
) -> Result<(ChangeNumber, Option<Line>), String> {
    if let Some(number) = text.strip_prefix('#') {
        let number = number.parse().map(BuildNumber);
        let number = number.map_err(|_| format!("{text:?} does not name a build"))?;
        let build = state.build(builder, number)?;
        let build = build.ok_or_else(|| format!("there is no build {builder}/{number}"))?;
        let newest = build.changes.last().copied();
        let newest = newest.ok_or_else(|| {
            format!("build {builder}/{number} is not known to be of a change; name a change")
        })?;
        let origin = state.origin(&build)?;
        return Ok((newest, origin.map(|origin| origin.line)));
    }
    if let Ok(number) = text.parse().map(ChangeNumber)
        && state.change(number)?.is_some()
    {
        return Ok((number, None));
    }
    let found = state.change_of_revision(text)?;
    let found =
        found.ok_or_else(|| format!("there is no change {text:?}, and none of that revision"))?;
    Ok((found, None))
}
