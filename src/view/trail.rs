//! How a build came about: which changes counted for which schedulers, what these submitted, which
//! requests share the build, and which builds it repeats.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Build, BuildSet, Moment, Request, Verdict};
use crate::botmaster::Live;
use crate::model::{BuildNumber, BuilderName, ChangeNumber, SetId};
use crate::store::{State, StoreError};

/// A build with how it came about.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct BuildPage {
    /// The build.
    #[serde(flatten)]
    pub build: Build,
    /// How it came about.
    pub trail: Trail,
    /// Whether its logs were pruned (MAS-08).
    pub logs_pruned: bool,
}

/// How a build came about, as far as it was recorded.
#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
pub struct Trail {
    /// What the schedulers that submitted its sets decided about each of its changes.
    pub changes: Vec<OfChange>,
    /// The sets of its requests, in order of number.
    pub sets: Vec<BuildSet>,
    /// Its requests, in queue order.
    pub requests: Vec<Request>,
    /// The earlier builds of its requests that were cut short.
    pub again_after: Vec<Interrupted>,
}

/// What schedulers decided about a change.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct OfChange {
    /// The change.
    pub number: ChangeNumber,
    /// The decisions.
    pub schedulers: Vec<Verdict>,
}

/// A build that was cut short and is repeated.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Interrupted {
    /// The build.
    pub number: BuildNumber,
    /// What cut it short.
    pub why: String,
}

impl BuildPage {
    /// The build of this number with how it came about.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn find(
        state: &State,
        builder: &BuilderName,
        number: BuildNumber,
        moment: Moment,
    ) -> Result<Option<Self>, StoreError> {
        let Some(build) = Build::find(state, builder, number, moment)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            trail: Trail::of_build(state, &build)?,
            logs_pruned: state.are_logs_gone(build.id)?,
            build,
        }))
    }
}

impl Trail {
    /// Follows a build back.
    fn of_build(state: &State, build: &Build) -> Result<Self, StoreError> {
        let mut sets: BTreeMap<SetId, BuildSet> = BTreeMap::new();
        let mut trail = Self::default();
        for &id in &build.requests {
            let Some(request) = state.request(id)? else {
                continue;
            };
            if !sets.contains_key(&request.set)
                && let Some(set) = state.build_set(request.set)?
            {
                sets.insert(set.id, BuildSet::from(&set));
            }
            // A request of a build that has a number is not being started.
            trail.requests.push(Request::new(request, &Live::default()));
        }
        let schedulers: BTreeSet<_> = sets.values().flat_map(|set| &set.scheduler).collect();
        for &number in &build.changes {
            let decisions = state.decisions(number)?.unwrap_or_default().into_iter();
            let verdicts = decisions
                .filter(|(name, _)| schedulers.contains(name))
                .map(|(name, decision)| Verdict::new(name, decision));
            let schedulers = verdicts.collect();
            trail.changes.push(OfChange { number, schedulers });
        }
        let before = state.builds_before(&build.builder, build.number, &build.requests)?;
        let interrupted = |(number, why)| Interrupted { number, why };
        trail.again_after = before.into_iter().map(interrupted).collect();
        trail.sets = sets.into_values().collect();
        Ok(trail)
    }
}
