//! A problem of a tree.

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use super::remark::{InHands, ProblemRemark};
use super::{Flakiness, Searching};
use crate::config::Config;
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, ProblemNumber, SlaveName, TestName, Timestamp,
};
use crate::store::read::{Presumed, ProblemEventRow, ProblemRow};
use crate::store::{State, StoreError};
use crate::verdict::{Doubt, Hands, ProblemState, Suspect};

/// A problem: on this tree, this step of this builder fails, or a test of it (PRB-01).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Problem {
    /// Its number.
    pub number: ProblemNumber,
    /// How far it is.
    pub state: ProblemState,
    /// What fails: `step`, `test`, or of the infrastructure `builder`, `slave` or `master`.
    pub kind: &'static str,
    /// What fails, for people.
    pub what: String,
    /// The builder; of a problem of a slave or of the master, the one that found it.
    pub builder: BuilderName,
    /// The step that fails; null for infrastructure.
    pub step: Option<String>,
    /// The parts of the name of the test that fails; null if it is about the step.
    pub test: Option<Vec<String>>,
    /// The branch; null for the default one.
    pub branch: Option<String>,
    /// The repository.
    pub repository: String,
    /// The newest change of the first build that fails; null for infrastructure.
    pub first: Option<ChangeNumber>,
    /// The newest change of the last build that fails; null for infrastructure.
    pub last: Option<ChangeNumber>,
    /// The last change with which it was well; null if it was never seen passing.
    pub after: Option<ChangeNumber>,
    /// What fails, as fingerprints of the lines that say so; `*` if no line does.
    pub symptoms: Vec<String>,
    /// The changes that may have caused it, without those of people who are suspected no more.
    pub suspects: Vec<Suspect>,
    /// The one person who can have caused it; null if there is a doubt or there are several.
    pub sole_suspect: Option<String>,
    /// Why nobody is accused.
    pub doubt: Option<Doubt>,
    /// The slave on which alone it fails; null if it fails on several, or on the only one (FLK-05).
    pub slave: Option<SlaveName>,
    /// The step fails in another way since this change.
    pub unseen_since: Option<ChangeNumber>,
    /// The changes of which one has mended it.
    pub fixed_in: Vec<Suspect>,
    /// The first build with it.
    pub first_build: Option<BuildNumber>,
    /// The last build with it.
    pub last_build: Option<BuildNumber>,
    /// The last build before the first one, without it.
    pub good_build: Option<BuildNumber>,
    /// When it was found.
    #[serde(serialize_with = "json::time")]
    pub opened_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "json::time_if_any")]
    pub ended_at: Option<Timestamp>,
    /// What holds of it by what people have said.
    #[serde(flatten)]
    pub hands: InHands,
}

impl Problem {
    /// Why nobody is accused, in words; absent without a doubt.
    #[must_use]
    pub fn doubt_in_words(&self) -> Option<String> {
        let words = self.doubt?.as_str();
        Some(match &self.slave {
            Some(slave) => format!("{words}, {slave}"),
            None => words.to_owned(),
        })
    }

    /// Whether it is about the infrastructure and not about the sources (INF-01).
    #[must_use]
    pub const fn is_infrastructure(&self) -> bool {
        self.step.is_none()
    }
}

/// Something that has happened to a problem.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ProblemNews {
    /// When.
    #[serde(serialize_with = "json::time")]
    pub at: Timestamp,
    /// What, in words.
    pub event: String,
    /// The build that told it; null if the configuration did.
    pub build: Option<BuildNumber>,
}

/// A problem with all that has happened to it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ProblemStory {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// The change that a search has proved to have caused it (SRH-17); null without a proof.
    pub guilty: Option<Suspect>,
    /// How flaky it is, if that is proved (FLK-08).
    pub flaky: Vec<Flakiness>,
    /// What a search on another builder has found for the same failure (SRH-12); null without one,
    /// or with a proof.
    pub presumed: Option<Presumed>,
    /// The problem of the branch from which this one begins, where the same fails; null if there is
    /// none (PRB-09).
    pub at_origin: Option<ProblemNumber>,
    /// The problem of the same kind that ended in the seven days before; null if there is none
    /// (PRB-14).
    pub again: Option<ProblemNumber>,
    /// Why the master does not search for the cause by itself, or what the search waits for
    /// (SRH-03, SRH-10); null if there is a search, or if it is over.
    pub unsearched: Option<String>,
    /// What has happened to it, oldest first.
    pub events: Vec<ProblemNews>,
    /// What people have said of it, oldest first.
    pub remarks: Vec<ProblemRemark>,
}

impl ProblemStory {
    /// Problem `number` as it stands at `now` by a configuration, if there is one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        config: &Config,
        number: ProblemNumber,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let Some(row) = state.problem(number)? else {
            return Ok(None);
        };
        let events = state.problem_events(number)?;
        let mut proved = state.proved_of(std::slice::from_ref(&row))?;
        let flaky = match (row.subject.step(), row.problem.found.doubt) {
            (Some(step), Some(Doubt::Flaky)) => {
                let test = row.subject.test().map_or("", TestName::as_stored);
                Flakiness::of(state, &row.builder, Some(step), test)?
            }
            (Some(_) | None, _) => Vec::new(),
        };
        let is_open = row.problem.state == ProblemState::Open;
        Ok(Some(Self {
            guilty: proved.guilty.remove(&number),
            flaky,
            again: state.problem_before(&row)?,
            at_origin: state.problem_at_origin(&row)?,
            unsearched: match is_open && state.searches_of(number)?.is_empty() {
                true => Searching::why_not(state, config, &row, now)?,
                false => None,
            },
            presumed: proved.presumed.remove(&number).filter(|_| is_open),
            remarks: row
                .remarks
                .iter()
                .cloned()
                .map(ProblemRemark::from)
                .collect(),
            problem: Problem::at(now, row),
            events: events.into_iter().map(ProblemNews::from).collect(),
        }))
    }
}

pub(super) fn parts(test: &TestName) -> Vec<String> {
    test.parts().map(ToOwned::to_owned).collect()
}

impl Problem {
    /// A problem as it stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp, row: ProblemRow) -> Self {
        let hands = Hands::at(now, &row.remarks);
        let sole_suspect = hands.sole_suspect(&row.problem).map(ToOwned::to_owned);
        let suspects = hands.suspects(&row.problem).cloned().collect();
        let is_open = row.problem.state == ProblemState::Open;
        let state = match is_open && hands.dismissal.is_some() {
            true => ProblemState::Dismissed,
            false => row.problem.state,
        };
        let found = row.problem.found;
        let is_of_sources = !row.subject.is_infrastructure();
        Self {
            number: row.problem.number,
            state,
            kind: row.subject.kind(),
            what: row.subject.to_string(),
            builder: row.builder,
            step: row.subject.step().map(ToOwned::to_owned),
            test: row.subject.test().map(parts),
            branch: row.branch,
            repository: row.repository,
            first: is_of_sources.then_some(found.first),
            last: is_of_sources.then_some(found.last),
            after: found.after,
            symptoms: found.symptoms.into_iter().collect(),
            suspects,
            sole_suspect,
            doubt: found.doubt,
            slave: found.slave,
            unseen_since: found.unseen_since,
            fixed_in: row.problem.fixed_in,
            first_build: row.first_build,
            last_build: row.last_build,
            good_build: row.good_build,
            opened_at: row.opened_at,
            ended_at: row.ended_at,
            hands: hands.into(),
        }
    }
}

impl From<ProblemEventRow> for ProblemNews {
    fn from(row: ProblemEventRow) -> Self {
        Self {
            at: row.at,
            event: row.event,
            build: row.build,
        }
    }
}
