//! A culprit search.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use super::problem::parts;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, ProblemNumber, RequestId, Said, SearchNumber,
    SearchRecord, Timestamp, Verdict,
};
use crate::store::read::{AskRow, SearchRow};
use crate::verdict::risk;

/// Characters of a revision that people look at.
const SHORT: usize = 12;

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
    /// How many changes are in question; commits, where it looks inside a change.
    pub changes: usize,
    /// Their revisions and that of the older end, where it looks inside a change; empty otherwise.
    pub commits: Vec<String>,
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
    /// The revision of the first commit that is bad, where it looks inside a change, or null.
    pub commit: Option<String>,
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
    /// The revision, where the search looks inside the change; null otherwise.
    pub commit: Option<String>,
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
        let inside = record.inside.as_ref();
        let commit = |point: usize| inside?.commits.get(point).cloned();
        let outcome = row.verdict.map(|verdict| outcome(verdict, at, commit));
        let asked = |ask: &AskRow| ProbeView {
            change: at(ask.point),
            commit: commit(ask.point),
            request: ask.request,
            build: ask.build,
            said: ask.said,
        };
        let builds: Vec<_> = row.asks.iter().map(asked).collect();
        let summary = match (&outcome, row.verdict) {
            (Some(_), Some(verdict)) => {
                let name = |point: usize| match commit(point) {
                    Some(commit) => short(&commit),
                    None => at(point).to_string(),
                };
                let words = in_words(verdict, name, &record);
                let older = row.stands_for.filter(|_| inside.is_none()).map(|older| {
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
            commits: inside.map_or_else(Vec::new, |inside| inside.commits.clone()),
            what: what(&record),
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

fn what(record: &SearchRecord) -> String {
    let subject = record.subject();
    let what = subject.map_or_else(|| "the whole build".to_owned(), |it| it.to_string());
    let change = record.points.last().copied().unwrap_or_default();
    match &record.inside {
        Some(inside) if inside.is_merge => format!("{what}, inside a merge of change {change}"),
        Some(_) => format!("{what}, inside change {change}"),
        None => what,
    }
}

/// A revision for people.
fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

fn outcome(
    verdict: Verdict,
    at: impl Fn(usize) -> ChangeNumber,
    commit: impl Fn(usize) -> Option<String>,
) -> Outcome {
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
        commit: bad.and_then(commit),
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

/// The verdict in words, with the names of points.
fn in_words(verdict: Verdict, name: impl Fn(usize) -> String, record: &SearchRecord) -> String {
    let (passes, fails) = match record.seeks_fix {
        false => ("passes", "fails"),
        true => ("fails", "passes"),
    };
    let one = if record.inside.is_some() {
        "commit"
    } else {
        "change"
    };
    let ends = |good, bad| (name(good), name(bad));
    match verdict {
        Verdict::Found {
            good,
            bad,
            is_not_monotone,
            is_flaky,
        } => {
            let (good, bad) = ends(good, bad);
            match (is_flaky, is_not_monotone) {
                (false, false) => {
                    format!("found: {one} {bad} {fails}, {one} {good} {passes}")
                }
                (true, _) => format!(
                    "found, with a doubt: {one} {bad} {fails} and {one} {good} {passes}, but a \
                     {one} has both passed and failed"
                ),
                (false, true) => format!(
                    "found, with a doubt: {one} {bad} {fails} and {one} {good} {passes}, but an \
                     earlier {one} {fails}, too"
                ),
            }
        }
        Verdict::Range { good, bad } => {
            let (good, bad) = ends(good, bad);
            format!(
                "one of the {one}s after {good} up to {bad}; those between cannot be told apart"
            )
        }
        Verdict::Stopped { good, bad } => {
            let (good, bad) = ends(good, bad);
            format!("stopped; it is one of the {one}s after {good} up to {bad}")
        }
        Verdict::Flaky => format!("flaky: the newer end {passes} when it is built again"),
        Verdict::Environment => format!(
            "environment: the older end {fails} now, with the same sources; something outside \
             them has changed"
        ),
        Verdict::Unknown { end: 0 } => "unknown: the older end could not be built again".to_owned(),
        Verdict::Unknown { .. } => "unknown: the newer end could not be built again".to_owned(),
    }
}
