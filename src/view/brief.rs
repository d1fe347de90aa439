//! Builds in a line each, and where builders stand.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::json;
use crate::model::{
    BuildError, BuildNumber, BuilderName, ChangeNumber, Judgement, Results, SetId, SlaveName,
    Timestamp,
};
use crate::store::read::{BriefRow, LineRow, Wanted};
use crate::store::{State, StoreError};

/// A build in a line: without its steps and properties.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Brief {
    /// Its builder.
    pub builder: BuilderName,
    /// Its number within the builder.
    pub number: BuildNumber,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// How the result compares with the one before it on the same line (PRB-23).
    pub news: Option<Judgement>,
    /// When it started.
    #[serde(serialize_with = "json::time")]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(serialize_with = "json::time_if_any")]
    pub finished_at: Option<Timestamp>,
    /// How long it took; absent while it runs.
    #[serde(serialize_with = "json::seconds_if_any")]
    #[schemars(with = "Option<f64>")]
    pub took: Option<Duration>,
    /// Its slave.
    pub slave: SlaveName,
    /// The changes it is made of.
    pub changes: Vec<ChangeNumber>,
    /// Short text about the result (BUI-08).
    pub text: Vec<String>,
    /// The line of its logs that says first what went wrong; null unless it failed.
    pub first_error: Option<BuildError>,
}

/// Where a builder stands on a tree: its last result, and since when.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Standing {
    /// The last build that says something about the tree; tries do not.
    pub last: BuildNumber,
    /// Its result.
    pub result: Results,
    /// When it ended.
    #[serde(serialize_with = "json::time")]
    pub finished_at: Timestamp,
    /// The first build with this result in a row; of a tree that fails, the first one with its
    /// oldest problem.
    pub since: BuildNumber,
    /// When that ended.
    #[serde(serialize_with = "json::time")]
    pub since_at: Timestamp,
    /// The last build with another result; absent if there was none.
    pub before: Option<BuildNumber>,
    /// The changes of the first build with this result.
    pub began: Vec<ChangeNumber>,
    /// The branch of the tree; absent for the default one.
    pub branch: Option<String>,
}

impl Brief {
    /// The newest `limit` builds of a builder, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn newest(
        state: &State,
        builder: &BuilderName,
        wanted: Wanted<'_>,
        limit: u32,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.brief_builds(builder, wanted, limit)?))
    }

    /// The `limit` builds that ended last, of all builders, the latest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn finished_lately(state: &State, limit: u32) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.finished_lately(limit)?))
    }

    /// The builds that are made of a change, in the order in which they started.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_change(state: &State, change: ChangeNumber) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.builds_of_change(change)?))
    }

    /// The builds of a set, each the last of a request, in the order in which they started.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_set(state: &State, set: SetId) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.builds_of_set(set)?))
    }

    /// The newest `limit` builds on a slave, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn on_slave(state: &State, slave: &SlaveName, limit: u32) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.builds_on(slave, limit)?))
    }

    /// The time that half of the good ones of `builds` took at most; absent if none was good.
    #[must_use]
    pub fn usual(builds: &[Self]) -> Option<Duration> {
        let good = builds
            .iter()
            .filter(|build| matches!(build.result, Some(Results::Success | Results::Warnings)));
        let mut times: Vec<_> = good.filter_map(|build| build.took).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

impl Standing {
    /// Where each configured builder stands that has built something: on the tree that it built
    /// last or, if it is broken on another tree that it builds too, on that one. Otherwise a
    /// builder of two branches would be broken and good by turns.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn all(state: &State) -> Result<BTreeMap<BuilderName, Self>, StoreError> {
        let rows = state.lines()?.into_iter();
        let mut all: BTreeMap<_, Self> =
            rows.map(|row| (row.builder.clone(), row.into())).collect();
        for (name, line) in Self::broken(state)? {
            let known = all.get_mut(&name).filter(|known| !known.is_broken());
            known.into_iter().for_each(|known| *known = line.clone());
        }
        Ok(all)
    }

    /// Each tree on which a configured builder is broken, the one that broke last first.
    /// Trees that were not built in the 14 days before the last build of the builder are given up.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn broken(state: &State) -> Result<Vec<(BuilderName, Self)>, StoreError> {
        let last: BTreeMap<_, _> = state
            .lines()?
            .into_iter()
            .map(|row| (row.builder, row.finished_at))
            .collect();
        let rows = state.broken_lines()?.into_iter();
        let mut broken: Vec<_> = rows
            .filter(|row| {
                let last = last.get(&row.builder);
                last.is_some_and(|last| last.since(row.finished_at) < GIVEN_UP)
            })
            .map(|row| (row.builder.clone(), Self::from(row)))
            .collect();
        broken.sort_by_key(|(_, line)| std::cmp::Reverse(line.since_at));
        Ok(broken)
    }

    /// Whether the tree is of this branch.
    #[must_use]
    pub fn is_of(&self, branch: &str) -> bool {
        self.branch.as_deref() == Some(branch)
    }

    /// Whether the last build failed.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.result == Results::Failure
    }
}

impl From<BriefRow> for Brief {
    fn from(row: BriefRow) -> Self {
        Self {
            took: row.finished_at.map(|at| at.since(row.started_at)),
            builder: row.builder,
            number: row.number,
            result: row.result,
            news: row.news,
            started_at: row.started_at,
            finished_at: row.finished_at,
            slave: row.slave,
            changes: row.changes,
            text: row.text,
            first_error: row.first_error,
        }
    }
}

impl From<LineRow> for Standing {
    fn from(row: LineRow) -> Self {
        Self {
            last: row.last,
            result: row.result,
            finished_at: row.finished_at,
            since: row.since,
            since_at: row.since_at,
            before: row.before,
            began: row.began,
            branch: row.branch,
        }
    }
}

/// How long before the last build of a builder a broken tree was built that is given up.
const GIVEN_UP: Duration = Duration::from_hours(14 * 24);

fn all(rows: Vec<BriefRow>) -> Vec<Brief> {
    rows.into_iter().map(Brief::from).collect()
}
