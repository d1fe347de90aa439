//! Estimates the remaining time of builds from earlier builds (section 19).
//!
//! A builder has [`Expectations`] for its steps by name, learned from its successful builds. A
//! build takes a [`Forecast`] from them when it starts and keeps the forecast. The remaining time
//! follows from the progress of its steps.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Sum;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The time of a step, and the metrics by which its progress is estimated.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Effort {
    /// Duration in seconds, without waiting for locks.
    pub secs: f64,
    /// The value of each metric, by name: bytes of output in a log, or what the step has counted
    /// (`progress_metrics`). Those without a value are left out.
    pub output: BTreeMap<String, f64>,
}

impl Effort {
    /// The new expectation after a build in which the step took `self`, given the old expectation
    /// `old` (PRG-03).
    #[must_use]
    fn averaged_with(mut self, old: &Self) -> Self {
        self.secs = f64::midpoint(self.secs, old.secs);
        for (log, bytes) in &mut self.output {
            if let Some(old) = old.output.get(log) {
                *bytes = f64::midpoint(*bytes, *old);
            }
        }
        self
    }
}

/// The expected effort of a builder's steps, by name. Contains only the steps of the last
/// successful build.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Expectations(pub BTreeMap<String, Effort>);

impl Expectations {
    /// Learns from a successful build (PRG-03): the effort of each step, or nothing for a step that
    /// did not run, whose expectation stays unchanged.
    pub fn learn(&mut self, build: BTreeMap<String, Option<Effort>>) {
        let mut old = std::mem::take(&mut self.0);
        let learned = build.into_iter().filter_map(|(step, took)| {
            let expected = match (took, old.remove(&step)) {
                (Some(took), Some(old)) => took.averaged_with(&old),
                (Some(took), None) => took,
                (None, old) => old?,
            };
            Some((step, expected))
        });
        self.0 = learned.collect();
    }

    /// The forecast for a build with these steps.
    pub fn forecast(&self, steps: impl IntoIterator<Item = String>) -> Forecast {
        let expected = |step: String| {
            let effort = self.0.get(&step).cloned();
            (step, effort)
        };
        Forecast(steps.into_iter().map(expected).collect())
    }
}

/// The expected effort of each step of a build, by name; nothing for new steps. Steps without
/// `use_progress` are left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Forecast(pub BTreeMap<String, Option<Effort>>);

/// The progress of a step that has started.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState<'a> {
    /// Name of the step.
    pub name: &'a str,
    /// Start of its work; absent while the step waits for its locks. The wait does not count.
    pub working_since: Option<Timestamp>,
    /// Whether the step has finished.
    pub is_over: bool,
    /// Bytes of output in its logs and its counts so far, by name; not needed for a finished step.
    pub output: BTreeMap<&'a str, u64>,
}

impl Forecast {
    /// The remaining time of a build whose started steps are `begun` (PRG-02); nothing if a step is
    /// unknown.
    #[must_use]
    pub fn of_build(&self, begun: &[StepState<'_>], now: Timestamp) -> Option<Remaining> {
        if self.0.is_empty() {
            return None;
        }
        let names: BTreeSet<&str> = begun.iter().map(|step| step.name).collect();
        let waiting = self.0.iter().filter(|(name, _)| !names.contains(&***name));
        let waiting = waiting.map(|(_, expected)| Some(Remaining(expected.as_ref()?.secs)));
        let counting = begun.iter().filter(|step| self.0.contains_key(step.name));
        let begun = counting.map(|step| self.of_step(step, now));
        waiting.chain(begun).sum()
    }

    /// The remaining time of a step that has started (PRG-01); nothing if unknown.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a byte more or less in terabytes changes no estimate"
    )]
    pub fn of_step(&self, step: &StepState<'_>, now: Timestamp) -> Option<Remaining> {
        let expected = self.0.get(step.name)?;
        if step.is_over {
            return Some(Remaining(0.0));
        }
        let expected = expected.as_ref()?;
        let shares = expected.output.iter().filter_map(|(log, bytes)| {
            let so_far = *step.output.get(log.as_str())?;
            (so_far > 0 && *bytes > 0.0).then(|| so_far as f64 / bytes)
        });
        let (count, sum) = shares.fold((0.0, 0.0), |(n, sum), share| (n + 1.0, sum + share));
        let worked = step.working_since.map(|since| now.since(since));
        let elapsed = worked.unwrap_or_default().as_secs_f64();
        Some(Remaining(if count > 0.0 {
            expected.secs * (1.0 - (sum / count).clamp(0.0, 1.0))
        } else {
            expected.secs - elapsed
        }))
    }
}

/// The estimated remaining time in seconds; negative if overdue. Displayed as text for people
/// (PRG-05).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Remaining(pub f64);

/// As views serialize it: seconds.
impl JsonSchema for Remaining {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Remaining".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

impl Sum for Remaining {
    fn sum<I: Iterator<Item = Self>>(remaining: I) -> Self {
        Self(remaining.map(|part| part.0).sum())
    }
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.round();
        if secs < 0.0 {
            return write!(f, "overdue by {:.0} s", -secs);
        }
        // Floats have a negative zero.
        write!(f, "about {:.0} s left", secs.abs())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    fn effort(secs: f64, output: &[(&str, f64)]) -> Effort {
        let output = output.iter().map(|(log, n)| ((*log).to_owned(), *n));
        Effort {
            secs,
            output: output.collect(),
        }
    }

    /// The expectation after successful builds of one step with these durations in seconds.
    fn learned(builds: &[f64]) -> f64 {
        let mut expectations = Expectations::default();
        for secs in builds {
            expectations.learn([("s".to_owned(), Some(effort(*secs, &[])))].into());
        }
        expectations.0["s"].secs
    }

    fn forecast(steps: &[(&str, Option<Effort>)]) -> Forecast {
        let steps = steps.iter().cloned();
        Forecast(steps.map(|(name, e)| (name.to_owned(), e)).collect())
    }

    /// A step that began at 0.
    fn begun<'a>(name: &'a str, output: &[(&'a str, u64)]) -> StepState<'a> {
        StepState {
            name,
            working_since: Some(at(0)),
            is_over: false,
            output: output.iter().copied().collect(),
        }
    }

    fn over(name: &str) -> StepState<'_> {
        StepState {
            is_over: true,
            ..begun(name, &[])
        }
    }

    /// Remaining seconds at `now` of a step with this expectation.
    fn left(expected: Effort, output: &[(&str, u64)], now: i64) -> f64 {
        let forecast = forecast(&[("s", Some(expected))]);
        forecast.of_step(&begun("s", output), at(now)).unwrap().0
    }

    #[test]
    fn prg_01_output_says_how_far_a_step_is() {
        let expected = || effort(100.0, &[("stdio", 1_000.0)]);
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        near(left(expected(), &[("stdio", 250)], 90), 75.0);
        near(left(expected(), &[("stdio", 1_000)], 90), 0.0);
        near(left(expected(), &[("stdio", 4_000)], 90), 0.0);
        let two = effort(100.0, &[("stdio", 1_000.0), ("test.log", 10.0)]);
        near(left(two, &[("stdio", 250), ("test.log", 5)], 90), 62.5);
    }

    #[test]
    fn prg_01_without_output_to_compare_the_clock_counts() {
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        let silent = || effort(100.0, &[]);
        near(left(silent(), &[("stdio", 250)], 30), 70.0);
        near(left(silent(), &[], 130), -30.0);
        let loud = || effort(100.0, &[("stdio", 1_000.0)]);
        near(left(loud(), &[], 30), 70.0);
        near(left(loud(), &[("stdio", 0)], 30), 70.0);
        near(left(loud(), &[("other", 10)], 30), 70.0);
    }

    #[test]
    fn prg_01_the_wait_for_locks_does_not_count() {
        let [hundred, ten] = [100.0, 10.0].map(|secs| Some(effort(secs, &[])));
        let forecast = forecast(&[("s", hundred), ("next", ten)]);
        for (working_since, now, left) in [
            (None, 300, 100.0),
            (Some(at(300)), 300, 100.0),
            (Some(at(300)), 340, 60.0),
            (Some(at(300)), 430, -30.0),
        ] {
            let step = StepState {
                working_since,
                ..begun("s", &[])
            };
            let found = forecast.of_step(&step, at(now)).unwrap().0;
            assert!((found - left).abs() < 1e-9, "{found} at {now}");
            let of_build = forecast.of_build(&[step], at(now)).unwrap().0;
            assert!((of_build - left - 10.0).abs() < 1e-9, "{of_build} at {now}");
        }
    }

    #[test]
    fn prg_01_of_a_step_that_is_over_nothing_remains() {
        for expected in [None, Some(effort(100.0, &[]))] {
            let forecast = forecast(&[("s", expected)]);
            let left = forecast.of_step(&over("s"), at(500));
            assert_eq!(left, Some(Remaining(0.0)));
        }
    }

    #[test]
    fn prg_01_without_expectation_nothing_is_known() {
        let forecast = forecast(&[("new", None)]);
        assert_eq!(forecast.of_step(&begun("new", &[]), at(0)), None);
        assert_eq!(forecast.of_step(&begun("uncounted", &[]), at(0)), None);
    }

    #[test]
    fn prg_02_a_build_takes_as_long_as_its_steps_together() {
        let [ten, twenty] = [10.0, 20.0].map(|secs| Some(effort(secs, &[])));
        let both = forecast(&[("a", ten.clone()), ("b", twenty.clone())]);
        let left = |begun: &[_], now| both.of_build(begun, at(now)).unwrap().0;
        assert!((left(&[], 0) - 30.0).abs() < 1e-9);
        assert!((left(&[begun("a", &[])], 4) - 26.0).abs() < 1e-9);
        assert!((left(&[begun("a", &[])], 40) + 10.0).abs() < 1e-9);
        assert!((left(&[over("a")], 40) - 20.0).abs() < 1e-9);
        assert!((left(&[over("a"), over("b")], 40)).abs() < 1e-9);
        // A step that does not count makes nothing unknown.
        assert!((left(&[over("a"), begun("uncounted", &[])], 40) - 20.0).abs() < 1e-9);

        let one_new = forecast(&[("a", ten), ("b", twenty), ("new", None)]);
        assert_eq!(one_new.of_build(&[over("a")], at(0)), None);
        assert_eq!(
            one_new.of_build(&[over("a"), begun("new", &[])], at(0)),
            None
        );
        assert!(one_new.of_build(&[over("a"), over("new")], at(0)).is_some());
        assert_eq!(Forecast::default().of_build(&[], at(0)), None);
    }

    #[test]
    fn prg_03_each_success_counts_half() {
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found}");
        near(learned(&[100.0]), 100.0);
        near(learned(&[100.0, 200.0]), 150.0);
        near(learned(&[100.0, 200.0, 100.0]), 125.0);
        let mut expectations = Expectations::default();
        for (bytes, log) in [(1_000.0, "old.log"), (500.0, "new.log")] {
            let took = effort(1.0, &[("stdio", bytes), (log, bytes)]);
            expectations.learn([("s".to_owned(), Some(took))].into());
        }
        let expected = effort(1.0, &[("stdio", 750.0), ("new.log", 500.0)]);
        assert_eq!(expectations.0["s"], expected);
    }

    #[test]
    fn prg_03_only_steps_of_the_last_success_are_kept_also_if_they_did_not_run() {
        let mut expectations = Expectations::default();
        let took = |secs| Some(effort(secs, &[]));
        let build = |steps: [(&str, Option<Effort>); 2]| {
            let steps = steps.into_iter();
            steps.map(|(name, took)| (name.to_owned(), took)).collect()
        };
        expectations.learn(build([("a", took(10.0)), ("b", took(20.0))]));
        expectations.learn(build([("b", None), ("c", None)]));
        assert_eq!(
            expectations,
            Expectations([("b".to_owned(), effort(20.0, &[]))].into())
        );
    }

    #[test]
    fn prg_05_what_should_have_ended_is_overdue() {
        assert_eq!(Remaining(75.0).to_string(), "about 75 s left");
        assert_eq!(Remaining(-30.0).to_string(), "overdue by 30 s");
        let late = left(effort(100.0, &[]), &[], 130);
        assert_eq!(Remaining(late).to_string(), "overdue by 30 s");
        for nearly in [0.4, 0.0, -0.0, -0.4] {
            assert_eq!(Remaining(nearly).to_string(), "about 0 s left");
        }
    }

    #[test]
    fn a_forecast_has_the_steps_of_the_build_and_no_others() {
        let mut expectations = Expectations::default();
        let took = |name: &str| (name.to_owned(), Some(effort(5.0, &[])));
        expectations.learn([took("gone"), took("kept")].into());
        let found = expectations.forecast(["kept".to_owned(), "new".to_owned()]);
        let wanted = forecast(&[("kept", Some(effort(5.0, &[]))), ("new", None)]);
        assert_eq!(found, wanted);
    }
}
