//! A culprit search.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use super::problem::parts;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, Said, SearchNumber,
    Timestamp, Verdict,
};
use crate::store::read::{AskRow, SearchRow};
use crate::verdict::risk;

/// A search for the change that broke something (SRH-01).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Search {
    /// Its number.
    pub number: SearchNumber,
    /// The problem that it is about; null if there is none.
    pub problem: Option<ProblemNumber>,
    /// The builder.
    pub builder: BuilderName,
    /// What is in question, for people.
    pub what: String,
    /// The step in question; null: whether the whole build succeeds.
    pub step: Option<String>,
    /// The parts of the name of the test in question; null if it is about the step or the build.
    pub test: Option<Vec<String>>,
    /// The older end.
    pub good: ChangeNumber,
    /// The newer end.
    pub bad: ChangeNumber,
    /// How many changes are in question.
    pub changes: usize,
    /// Whether the first change that passes is sought.
    pub seeks_fix: bool,
    /// Who has begun it; empty: the master.
    pub who: String,
    /// What it has found; null while it goes on.
    pub verdict: Option<Outcome>,
    /// How many builds say that a change is good.
    pub runs: u32,
    /// The chance that the verdict is wrong, from 0 to 1; null unless a change was found with
    /// several builds of each (SRH-19).
    pub chance_wrong: Option<f64>,
    /// How many builds of each change would make it 1 % or less; null if more than ten.
    pub runs_needed: Option<u32>,
    /// Where it stands, in words.
    pub summary: String,
    /// Why it was stopped.
    pub why: Option<String>,
    /// What it has asked for, oldest first.
    pub builds: Vec<ProbeView>,
    /// Slave time, in seconds.
    pub took_secs: u64,
    /// When it began.
    #[serde(serialize_with = "json::time")]
    pub began_at: Timestamp,
    /// When it was over.
    #[serde(serialize_with = "json::time_if_any")]
    pub ended_at: Option<Timestamp>,
}

/// What a search has found.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Outcome {
    /// `found`, `range`, `flaky`, `environment`, `unknown` or `stopped`.
    pub verdict: String,
    /// The last change that is good, as far as it is known.
    pub good: Option<ChangeNumber>,
    /// The first one after it that is bad.
    pub bad: Option<ChangeNumber>,
    /// Whether there is a doubt: an earlier change failed, too.
    pub is_not_monotone: bool,
    /// Whether there is a doubt: a change has both passed and failed.
    pub is_flaky: bool,
}

/// A build that a search has asked for.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ProbeView {
    /// The change.
    pub change: ChangeNumber,
    /// The request.
    pub request: RequestId,
    /// Its build; null while there is none that has ended.
    pub build: Option<BuildNumber>,
    /// What it says; null while it waits or runs.
    pub said: Option<Said>,
}

impl From<SearchRow> for Search {
    fn from(row: SearchRow) -> Self {
        let risk = match row.verdict {
            Some(Verdict::Found { bad, .. }) => risk(&row.record, bad, &row.points()),
            _ => None,
        };
        let record = row.record;
        let at = |point: usize| record.points.get(point).copied().unwrap_or_default();
        let outcome = row.verdict.map(|verdict| outcome(verdict, at));
        let asked = |ask: &AskRow| ProbeView {
            change: at(ask.point),
            request: ask.request,
            build: ask.build,
            said: ask.said,
        };
        let builds: Vec<_> = row.asks.iter().map(asked).collect();
        let summary = match (&outcome, row.verdict) {
            (Some(outcome), Some(verdict)) => {
                let words = in_words(verdict, outcome, record.seeks_fix);
                let older = row.stands_for.map(|older| {
                    format!("; it stands for {older} older commits, which cannot be told apart")
                });
                words + &older.unwrap_or_default()
            }
            _ => {
                let answered = builds.iter().filter(|build| build.said.is_some()).count();
                format!(
                    "goes on; {answered} of {} builds have answered",
                    builds.len()
                )
            }
        };
        Self {
            number: record.number,
            problem: record.problem,
            good: at(0),
            bad: at(record.points.len().saturating_sub(1)),
            changes: record.points.len().saturating_sub(1),
            what: record
                .subject()
                .map_or_else(|| "the whole build".to_owned(), |it| it.to_string()),
            step: record.step,
            test: record.test.as_ref().map(parts),
            builder: record.builder,
            seeks_fix: record.seeks_fix,
            who: record.who,
            runs: record.runs,
            chance_wrong: risk.map(|risk| risk.chance),
            runs_needed: risk.and_then(|risk| risk.runs_needed),
            verdict: outcome,
            summary,
            why: row.why,
            took_secs: row.asks.iter().map(|ask| ask.took_secs).sum(),
            builds,
            began_at: record.at,
            ended_at: row.ended_at,
        }
    }
}

fn outcome(verdict: Verdict, at: impl Fn(usize) -> ChangeNumber) -> Outcome {
    let (good, bad) = match verdict {
        Verdict::Found { good, bad, .. }
        | Verdict::Range { good, bad }
        | Verdict::Stopped { good, bad } => (Some(good), Some(bad)),
        Verdict::Unknown { .. } | Verdict::Flaky | Verdict::Environment => (None, None),
    };
    let mut outcome = Outcome {
        verdict: verdict.as_str().to_owned(),
        good: good.map(&at),
        bad: bad.map(&at),
        is_not_monotone: false,
        is_flaky: false,
    };
    if let Verdict::Found {
        is_not_monotone,
        is_flaky,
        ..
    } = verdict
    {
        outcome.is_not_monotone = is_not_monotone;
        outcome.is_flaky = is_flaky;
    }
    outcome
}

/// The verdict in words.
fn in_words(verdict: Verdict, outcome: &Outcome, seeks_fix: bool) -> String {
    let (good, bad) = (
        outcome.good.unwrap_or_default(),
        outcome.bad.unwrap_or_default(),
    );
    let (passes, fails) = match seeks_fix {
        false => ("passes", "fails"),
        true => ("fails", "passes"),
    };
    match verdict {
        Verdict::Found {
            is_not_monotone: false,
            is_flaky: false,
            ..
        } => format!("found: change {bad} {fails}, change {good} {passes}"),
        Verdict::Found { is_flaky: true, .. } => format!(
            "found, with a doubt: change {bad} {fails} and change {good} {passes}, but a change has both passed and failed"
        ),
        Verdict::Found { .. } => format!(
            "found, with a doubt: change {bad} {fails} and change {good} {passes}, but an earlier change {fails}, too"
        ),
        Verdict::Range { .. } => format!(
            "one of the changes after {good} up to {bad}; those between cannot be told apart"
        ),
        Verdict::Stopped { .. } => {
            format!("stopped; it is one of the changes after {good} up to {bad}")
        }
        Verdict::Flaky => format!("flaky: the newer end {passes} when it is built again"),
        Verdict::Environment => format!(
            "environment: the older end {fails} now, with the same sources; something outside them has changed"
        ),
        Verdict::Unknown { end: 0 } => "unknown: the older end could not be built again".to_owned(),
        Verdict::Unknown { .. } => "unknown: the newer end could not be built again".to_owned(),
    }
}
