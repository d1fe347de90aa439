//! `[search]`: how much the master searches for culprits by itself (SRH-02, SRH-10).

use std::time::Duration;

use serde::Serialize;

use super::builders::BuilderConfig;
use super::reader::Value;
use super::shape::Shape;
use super::steps::StepConfig;
use crate::model::{MOST_WIDTH, unique_names};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// How much the master searches for culprits by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct SearchConfig {
    /// Whether it does.
    pub automatic: bool,
    /// How long a problem waits for others with the same cause.
    pub gather: Duration,
    /// Searches at once.
    pub at_once: u32,
    /// Searches of a builder at once.
    pub of_builder: u32,
    /// Causes of the problems that begin with one change on a builder.
    pub of_build: u32,
    /// How many points a search asks at once; absent: as many as there are idle slaves (SRH-08).
    pub width: Option<u32>,
    /// Slave time of a builder in 24 hours.
    pub daily_time: Duration,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            automatic: true,
            gather: Duration::from_secs(300),
            at_once: 4,
            of_builder: 1,
            of_build: 3,
            width: Some(1),
            daily_time: Duration::from_secs(7200),
        }
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "search",
    noun: "search",
    keys: &[
        "automatic",
        "gather",
        "at_once",
        "of_builder",
        "of_build",
        "width",
        "daily_time",
    ],
    kinds: Vec::new,
};

impl SearchConfig {
    /// Takes the table.
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&SHAPE)?;
        let mut search = Self::default();
        table.set("automatic", &mut search.automatic, Value::flag);
        table.set("gather", &mut search.gather, |v| {
            v.duration(Duration::ZERO..=DAY)
        });
        table.set("at_once", &mut search.at_once, |v| v.integer(1..=100));
        table.set("of_builder", &mut search.of_builder, |v| v.integer(1..=100));
        table.set("of_build", &mut search.of_build, |v| v.integer(1..=100));
        table.set("width", &mut search.width, |v| match v.is_word("idle") {
            true => Some(None),
            false => v.integer(1..=MOST_WIDTH).map(Some),
        });
        table.set("daily_time", &mut search.daily_time, |v| {
            v.duration(Duration::ZERO..=DAY)
        });
        table.finish();
        Some(search)
    }
}

impl BuilderConfig {
    /// Why no search can build its points on this builder; absent if it can. `step` is the last one
    /// that is run; absent: all are.
    #[must_use]
    pub fn cannot_search(&self, step: Option<&str>) -> Option<String> {
        let steps = self.steps_to(step);
        let at = steps.iter().position(StepConfig::builds_latest)?;
        let why = "has `always_use_latest`, so that each build is of the newest sources";
        Some(format!("step {} {why}", at + 1))
    }

    /// The steps up to the one with this name, or all.
    fn steps_to(&self, step: Option<&str>) -> &[StepConfig] {
        let steps = &self.factory.steps;
        let names = unique_names(steps.iter().map(|step| step.name.as_str()));
        let last = step.and_then(|step| names.iter().position(|name| name == step));
        last.and_then(|last| steps.get(..=last)).unwrap_or(steps)
    }

    /// Why the master does not search by itself on this builder for what fails in `step`; absent if
    /// it may (SRH-03).
    #[must_use]
    pub fn refuses_search(&self, step: &str) -> Option<String> {
        if let Some(why) = self.cannot_search(Some(step)) {
            return Some(why);
        }
        match self.search {
            Some(true) => return None,
            Some(false) => return Some("the builder has `search = false`".to_owned()),
            None => {}
        }
        let steps = &self.factory.steps;
        let names = unique_names(steps.iter().map(|step| step.name.as_str()));
        if !names.iter().any(|name| name == step) {
            return Some(format!("the builder has no step {step}"));
        }
        let mut steps = self.steps_to(Some(step)).iter();
        let unsafe_at = steps.position(StepConfig::has_effects);
        unsafe_at.map(|at| format!("step {} has effects outside the build", at + 1))
    }

    /// Why the master does not search by itself on this builder for what fails in its last step.
    #[must_use]
    pub fn refuses_search_to_the_end(&self) -> Option<String> {
        let steps = self.factory.steps.iter();
        let names = unique_names(steps.map(|step| step.name.as_str()));
        names.last().and_then(|last| self.refuses_search(last))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{FactoryConfig, GitStepConfig, SourceSettings, StepConfig, StepKind};

    /// A builder with these steps; those with a `!` have effects.
    fn builder(steps: &[&str], search: Option<bool>) -> BuilderConfig {
        let steps = steps.iter().map(|name| StepConfig {
            name: name.trim_end_matches('!').to_owned(),
            side_effects: name.ends_with('!'),
            ..StepConfig::default()
        });
        BuilderConfig {
            factory: Arc::new(FactoryConfig {
                steps: steps.collect(),
                ..FactoryConfig::default()
            }),
            search,
            ..BuilderConfig::named("full")
        }
    }

    #[test]
    fn srh_15_a_builder_that_builds_the_newest_sources_cannot_be_searched() {
        let mut builder = builder(&["Git", "Test", "late"], Some(true));
        let late = StepConfig {
            kind: StepKind::Git(Box::new(GitStepConfig {
                source: SourceSettings {
                    always_use_latest: true,
                    ..SourceSettings::default()
                },
                ..GitStepConfig::default()
            })),
            ..StepConfig::default()
        };
        let mut steps = builder.factory.steps.clone();
        steps.push(late);
        builder.factory = Arc::new(FactoryConfig {
            steps,
            ..FactoryConfig::default()
        });
        assert_eq!(builder.cannot_search(Some("Test")), None);
        let why = builder.cannot_search(None).unwrap_or_default();
        assert!(why.starts_with("step 4 has `always_use_latest`"), "{why}");
    }

    #[test]
    fn search_030_031_032_a_builder_that_publishes_before_its_failing_step_is_not_searched() {
        let before = ["Git", "Compile", "upload!", "Test"];
        let why = builder(&before, None).refuses_search("Test");
        assert_eq!(why.as_deref(), Some("step 3 has effects outside the build"));
        let after = ["Git", "Compile", "Test", "upload!"];
        assert_eq!(builder(&after, None).refuses_search("Test"), None);
        assert_eq!(builder(&before, Some(true)).refuses_search("Test"), None);
        assert!(
            builder(&after, Some(false))
                .refuses_search("Test")
                .is_some()
        );
    }
}
