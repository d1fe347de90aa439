//! What steps of builds ask of the core, and what they are answered: builds to trigger, and builds
//! to end. Plain values.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::config::{BuilderConfig, Config};
use crate::model::{
    BuildNumber, BuildRequest, BuildSet, BuilderName, Properties, RequestId, Results,
    SchedulerName, SetId, SourceStamp, SourceStamps,
};
use crate::text::wildcard::matches;

/// Maximum number of sets that a step may ask for at once.
pub const MOST_TRIGGERED: usize = 1000;

/// What a step wants to be built.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// The step's position in the build.
    pub step: u32,
    /// Whether the step waits for the sets.
    pub wait: bool,
    /// What it wants, at most [`MOST_TRIGGERED`].
    pub wishes: Vec<TriggerWish>,
}

/// One set that a step wants.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerWish {
    /// Where.
    pub what: Wished,
    /// What to build.
    pub stamps: Arc<SourceStamps>,
    /// Properties, over those of the scheduler.
    pub properties: Properties,
}

/// Where a set is to be built.
#[derive(Clone, Debug, PartialEq)]
pub enum Wished {
    /// On the builders of this scheduler, which takes triggers.
    Scheduler(SchedulerName),
    /// On the builders that match now.
    Builders(BuilderPattern),
}

/// Selects builders. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuilderPattern {
    /// Patterns of which the name matches one; empty: any name.
    pub names: Vec<String>,
    /// Tags that the builder has.
    pub tags: Vec<String>,
}

/// A set that was triggered.
#[derive(Clone, Debug, PartialEq)]
pub enum Triggered {
    /// The set.
    Set(Arc<BuildSet>),
    /// The scheduler keeps what it was asked for until its next run; nothing is waited for.
    Kept(SchedulerName),
}

/// Why nothing was triggered.
#[derive(Clone, Debug, PartialEq)]
pub enum NotTriggered {
    /// There are no schedulers of these names that take triggers.
    Unknown(Vec<SchedulerName>),
    /// Another reason.
    Refused(String),
}

/// The end of a set that a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerOver {
    /// Number of the set.
    pub set: SetId,
    /// Result of the set.
    pub result: Results,
    /// How its requests ended, in the order of their ends.
    pub builds: Vec<TriggeredBuild>,
}

/// How a request of a triggered set ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggeredBuild {
    /// Name of the builder.
    pub builder: BuilderName,
    /// Number of the build; absent if the request ended without one.
    pub number: Option<BuildNumber>,
    /// Result of the request.
    pub result: Results,
}

impl BuilderPattern {
    /// The builders that match, in the order of the configuration.
    pub(super) fn select(&self, config: &Config) -> Vec<BuilderName> {
        let builders = config.builders.iter().filter(|builder| self.fits(builder));
        builders.map(|builder| builder.name.clone()).collect()
    }

    fn fits(&self, builder: &BuilderConfig) -> bool {
        let name = builder.name.as_str();
        let mut patterns = self.names.iter();
        (self.names.is_empty() || patterns.any(|pattern| matches(pattern, name)))
            && self.tags.iter().all(|tag| builder.tags.contains(tag))
    }
}

impl fmt::Display for BuilderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.iter().map(|name| format!("name {name:?}"));
        let tags = self.tags.iter().map(|tag| format!("tag {tag:?}"));
        let all: Vec<_> = names.chain(tags).collect();
        f.write_str(&all.join(", "))
    }
}

/// What a step wants to be ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// The step's position in the build.
    pub step: u32,
    /// Patterns of which the name of the builder matches one; empty: all builders.
    pub builders: Vec<String>,
    /// What of the source stamps is the same as that of the build.
    pub same: Vec<StampField>,
    /// Properties that the request has with these values.
    pub properties: Vec<(String, Value)>,
    /// Whether only requests count that are older than all of the build.
    pub only_older: bool,
    /// Whether requests that wait are cancelled.
    pub waiting: bool,
    /// Why builds that start or run are stopped; absent: they are not.
    pub running: Option<String>,
}

/// A part of a source stamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StampField {
    /// The branch.
    Branch,
    /// The revision that is asked for.
    Revision,
    /// The repository.
    Repository,
    /// The project.
    Project,
    /// The codebase.
    Codebase,
}

/// What was ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RelatedEnds {
    /// Requests that were cancelled, with their builders.
    pub cancelled: Vec<(RequestId, BuilderName)>,
    /// Builds that are being stopped; those without a number were being started.
    pub stopped: Vec<(BuilderName, Option<BuildNumber>)>,
}

impl StampField {
    /// Whether the field is the same in each pair of stamps, in order of codebase.
    fn is_same(self, one: &SourceStamps, other: &SourceStamps) -> bool {
        let mut pairs = one.iter().zip(other.iter());
        one.more().len() == other.more().len()
            && pairs.all(|(one, other)| self.is_same_in(one, other))
    }

    fn is_same_in(self, one: &SourceStamp, other: &SourceStamp) -> bool {
        match self {
            Self::Branch => one.branch == other.branch,
            Self::Revision => one.revision_to_build() == other.revision_to_build(),
            Self::Repository => one.repository == other.repository,
            Self::Project => one.project == other.project,
            Self::Codebase => one.codebase == other.codebase,
        }
    }
}

impl Related {
    pub(super) fn has(
        &self,
        request: &BuildRequest,
        stamps: &SourceStamps,
        oldest: Option<RequestId>,
    ) -> bool {
        let name = request.builder.as_str();
        let mut patterns = self.builders.iter();
        let mut fields = self.same.iter();
        let mut properties = self.properties.iter();
        (self.builders.is_empty() || patterns.any(|pattern| matches(pattern, name)))
            && (!self.only_older || oldest.is_some_and(|oldest| request.id < oldest))
            && fields.all(|field| field.is_same(&request.stamps, stamps))
            && properties.all(|(name, value)| request.properties.get(name) == Some(value))
    }
}
