//! Culprit searches: what is on record of them (SRH-01, SRH-14, SRH-17).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BuildNumber, BuilderName, ChangeNumber, Line, ProblemNumber, ProblemSubject, Properties,
    RequestId, SearchNumber, SourceStamp, SourceStamps, TestName, Timestamp,
};

/// The source of the properties by which the builds of searches are known.
const SOURCE: &str = "Search";

/// The property of the builds of searches (SRH-03).
const SEARCH: &str = "search";

/// The property that names the last step of a build of a search.
const LAST_STEP: &str = "search_step";

/// How the reasons of the builds of searches begin; the number of the search follows.
const REASON: &str = "culprit search ";

/// Most points that a search asks at once (SRH-08).
pub const MOST_WIDTH: u32 = 16;

/// Most builds of a point (SRH-19).
pub const MOST_RUNS: u32 = 10;

/// What a build at a point says.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The subject passes.
    Pass,
    /// It fails with the symptom in question.
    Fail,
    /// It cannot be told: it does not build, or fails otherwise.
    Unclear,
}

/// What a search has found (SRH-17). Of two points, the changes after the first one up to the
/// second one are meant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The change at `bad` is guilty: the point before it passes.
    Found {
        /// The last point that passes.
        good: usize,
        /// The first one that fails.
        bad: usize,
        /// Whether an earlier point failed, too (SRH-09).
        is_not_monotone: bool,
        /// Whether a point has both passed and failed.
        #[serde(default, skip_serializing_if = "is_false")]
        is_flaky: bool,
    },
    /// One of these changes; the points between them cannot be told (SRH-07).
    Range {
        /// The last point that passes.
        good: usize,
        /// The first one that fails.
        bad: usize,
    },
    /// The red end passed when it was built again.
    Flaky,
    /// The green end fails now, with the same sources.
    Environment,
    /// An end could not be built again.
    Unknown {
        /// The point of that end.
        end: usize,
    },
    /// It may not ask for more builds (SRH-10), or was stopped.
    Stopped {
        /// The last point that passes.
        good: usize,
        /// The first one that fails.
        bad: usize,
    },
}

/// A search, as it began.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SearchRecord {
    /// Its number.
    pub number: SearchNumber,
    /// The problem that it is about; absent for one that a person has begun.
    pub problem: Option<ProblemNumber>,
    /// The builder whose builds it asks for.
    pub builder: BuilderName,
    /// The tree whose changes are in question.
    pub line: Line,
    /// The step in question; absent: whether the whole build succeeds.
    pub step: Option<String>,
    /// The test of the step in question; absent: the step itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestName>,
    /// Whether the test is not there yet at the good end, so that a complete report without it is
    /// good (PRB-10). Otherwise such a report does not tell.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_absent_before: bool,
    /// The fingerprints of the failure in question; empty: any failure.
    pub symptoms: Vec<String>,
    /// The points, oldest first: the last change that is good, and those after it up to the one
    /// that is bad. At least two.
    pub points: Vec<ChangeNumber>,
    /// How many points are asked at once; absent: as many as there are idle slaves (SRH-08).
    pub width: Option<u32>,
    /// How many builds say that a point passes, at least 1 (SRH-19).
    pub runs: u32,
    /// Most builds; absent for the usual number (SRH-10).
    pub max_builds: Option<u32>,
    /// How often the subject had passed in a row before it failed.
    pub passed_before: u64,
    /// Whether it had failed before that, at a point between passing ones.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_failed_alone: bool,
    /// Whether the first change that passes is sought (SRH-18).
    pub seeks_fix: bool,
    /// The change that another search has found for the same suspects, to be tried first (SRH-12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<ChangeNumber>,
    /// The commits of a change that it looks through; absent: it looks through changes (SRH-15).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
    /// Who has begun it; empty: the master.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

/// What a search looks through inside a change (SRH-15).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Inside {
    /// The repository, as the change names it.
    pub repository: String,
    /// The revisions of the points, as many as there are points: the last commit that is good, and
    /// those after it up to the one that is bad.
    pub commits: Vec<String>,
    /// Whether a merge has brought them, which is the last one.
    pub is_merge: bool,
    /// How many searches have found where this one looks: at least 1.
    pub depth: u32,
}

/// A change of the searches on record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchOp {
    /// A search has begun.
    Begun(Box<SearchRecord>),
    /// A build at a point is requested; its set is submitted in the same transaction.
    Asked {
        /// The search.
        search: SearchNumber,
        /// The point, from 0.
        point: u32,
        /// The request.
        request: RequestId,
    },
    /// A request has come to an end, and says this.
    Answered {
        /// The request.
        request: RequestId,
        /// What it says.
        said: Said,
        /// Its last build, if it had any.
        build: Option<BuildNumber>,
        /// How long its builds ran, in seconds.
        took_secs: u64,
    },
    /// A search is over.
    Over {
        /// The search.
        search: SearchNumber,
        /// What it has found.
        verdict: Verdict,
        /// Why it was stopped, if it was.
        why: Option<String>,
        /// When.
        at: Timestamp,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Inside {
    /// The sources of a point: those of the change, `stamps`, with the commit in place of its
    /// revision. Builds of them are of no change, so they do not count as evidence.
    #[must_use]
    pub fn stamps(&self, stamps: &SourceStamps, point: usize) -> SourceStamps {
        stamps.map(|stamp| match self.commits.get(point) {
            Some(commit) if stamp.repository == self.repository => SourceStamp {
                revision: Some(commit.clone()),
                changes: Vec::new(),
                ..stamp.clone()
            },
            Some(_) | None => stamp.clone(),
        })
    }
}

impl SearchNumber {
    /// The reason of the builds of a search.
    #[must_use]
    pub fn reason(self) -> String {
        format!("{REASON}{self}")
    }

    /// The search that has this reason, if it is the reason of one.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<Self> {
        reason.strip_prefix(REASON)?.parse().ok().map(Self)
    }
}

impl SearchRecord {
    /// What is in question; absent: whether the whole build succeeds.
    #[must_use]
    pub fn subject(&self) -> Option<ProblemSubject> {
        let step = self.step.clone()?;
        Some(ProblemSubject::of_step(step, self.test.clone()))
    }
}

impl Said {
    /// The answer in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "passes",
            Self::Fail => "fails",
            Self::Unclear => "cannot be told",
        }
    }
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Range { .. } => "range",
            Self::Flaky => "flaky",
            Self::Environment => "environment",
            Self::Unknown { .. } => "unknown",
            Self::Stopped { .. } => "stopped",
        }
    }
}

impl Properties {
    /// The properties of a build of a search, which ends after `step` (SRH-03).
    #[must_use]
    pub fn of_search(step: Option<&str>) -> Self {
        let mut properties = Self::new();
        properties.set(SEARCH, true, SOURCE);
        if let Some(step) = step {
            properties.set(LAST_STEP, step, SOURCE);
        }
        properties
    }

    /// Whether they are those of a build of a search.
    #[must_use]
    pub fn are_of_search(&self) -> bool {
        self.source_of(SEARCH) == Some(SOURCE)
    }

    /// The step after which a build of a search ends.
    #[must_use]
    pub fn last_step(&self) -> Option<&str> {
        let is_set = self.source_of(LAST_STEP) == Some(SOURCE);
        self.get(LAST_STEP)?.as_str().filter(|_| is_set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srh_03_only_searches_make_builds_of_searches() {
        let ours = Properties::of_search(Some("test"));
        assert!(ours.are_of_search());
        assert_eq!(ours.last_step(), Some("test"));
        assert_eq!(Properties::of_search(None).last_step(), None);
        let mut forced = Properties::new();
        forced.set(SEARCH, true, "Force");
        forced.set(LAST_STEP, "test", "Force");
        assert!(!forced.are_of_search());
        assert_eq!(forced.last_step(), None);
    }
}
