//! How flaky something is.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{BuildNumber, BuilderName, ChangeNumber};
use crate::store::read::FlakyRow;
use crate::store::{State, StoreError};

/// How flaky a step or a test is on a tree (FLK-08).
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Flakiness {
    /// The branch; null for the default one.
    pub branch: Option<String>,
    /// The step.
    pub step: String,
    /// How many of the answers outside of its problems are failures.
    pub failing: usize,
    /// How many answers there are outside of its problems.
    pub answers: usize,
    /// The last points with both answers, the newest first; at most 10.
    pub contradictions: Vec<Contradiction>,
}

/// Two builds of the same sources with different answers.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Contradiction {
    /// The newest change in the sources.
    pub point: ChangeNumber,
    /// A build that fails.
    pub failing: BuildNumber,
    /// A build that passes.
    pub passing: BuildNumber,
}

impl Flakiness {
    /// On which trees a test of a builder is flaky, or a step if `test` is empty.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of(
        state: &State,
        builder: &BuilderName,
        step: Option<&str>,
        test: &str,
    ) -> Result<Vec<Self>, StoreError> {
        let rows = state.flaky_on(builder, step, test)?;
        Ok(rows.into_iter().map(Self::from).collect())
    }

    /// The rate in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("fails in {} of {} answers", self.failing, self.answers)
    }
}

impl From<FlakyRow> for Flakiness {
    fn from(row: FlakyRow) -> Self {
        let contradictions = row.contradictions.into_iter();
        Self {
            branch: row.branch,
            step: row.step,
            failing: row.failing,
            answers: row.answers,
            contradictions: contradictions
                .map(|(point, failing, passing)| Contradiction {
                    point,
                    failing,
                    passing,
                })
                .collect(),
        }
    }
}
