//! What has happened since the start of the master, counted for metrics.
//!
//! Invariants: the counts are kept by a task that hears news as every other subscriber does, so
//! that nothing waits for them. News that this task misses are counted as well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::info_span;

use super::Control;
use super::news::{Interruption, News, Topic};
use crate::botmaster::{BuildEvent, Event, IntakeEvent, SlaveEvent};
use crate::config::Config;
use crate::measure::{Distribution, Histogram};
use crate::model::journal::{StepFinish, StepStart};
use crate::model::{BuildId, BuilderName, Op, RequestId, Results, SlaveName, Timestamp};
use crate::net::Tasks;

/// Counts what is told.
#[derive(Debug, Default)]
pub struct Tally {
    /// A leaf: the lock is held to count one piece of news, or to look.
    counting: Mutex<Counting>,
}

/// What was counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// By builder.
    pub builders: BTreeMap<BuilderName, OfBuilder>,
    /// By builder and name of a step; empty unless the configuration wants them.
    pub steps: BTreeMap<(BuilderName, String), OfStep>,
    /// How often each slave was attached.
    pub connects: BTreeMap<SlaveName, u64>,
    /// Builds of each slave that ended as RETRY.
    pub lost: BTreeMap<SlaveName, u64>,
    /// Changes that were accepted.
    pub changes: u64,
    /// News that were missed, and are not counted.
    pub missed: u64,
}

/// The builds of a builder.
#[derive(Clone, Debug, PartialEq)]
pub struct OfBuilder {
    /// How many builds ended with each result, by the number of the result.
    pub results: [u64; Results::ALL.len()],
    /// How long builds took.
    pub took: Distribution,
    /// How long the first request of a build waited for its beginning.
    pub waited: Distribution,
}

/// The steps of one name of a builder.
#[derive(Clone, Debug, PartialEq)]
pub struct OfStep {
    /// How many steps ended with each result, by the number of the result.
    pub results: [u64; Results::ALL.len()],
    /// How long the steps took.
    pub took: Distribution,
}

#[derive(Debug, Default)]
struct Counting {
    builders: BTreeMap<BuilderName, Builds>,
    steps: BTreeMap<(BuilderName, String), Timed>,
    connects: BTreeMap<SlaveName, u64>,
    lost: BTreeMap<SlaveName, u64>,
    changes: u64,
    missed: u64,
    /// When the requests that wait were submitted.
    submitted: BTreeMap<RequestId, Timestamp>,
    /// The builds that run.
    running: BTreeMap<BuildId, Running>,
}

#[derive(Debug)]
struct Builds {
    ended: Timed,
    waited: Histogram,
}

/// Things that end with a result after some time.
#[derive(Debug)]
struct Timed {
    results: [u64; Results::ALL.len()],
    took: Histogram,
}

#[derive(Debug)]
struct Running {
    builder: BuilderName,
    slave: SlaveName,
    since: Timestamp,
    /// Its steps that run, by position.
    steps: BTreeMap<u32, (String, Timestamp)>,
}

/// Bounds of the times of builds, steps and waits, in seconds.
const BOUNDS: &[f64] = &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0];

/// Counts all news from now on, until the tasks stop.
pub fn start(control: &Control, tasks: &Tasks) {
    let measures = Arc::clone(control.measures());
    let (config, clock) = (control.config.clone(), *control.clock());
    let newsroom = control.newsroom().clone();
    let mut subscription = newsroom.subscribe();
    let stopping = tasks.stopping();
    tasks.spawn(info_span!("tally"), async move {
        let mut stopping = std::pin::pin!(stopping);
        loop {
            let is_on = |config: &Config| config.web.as_ref().is_some_and(|web| web.step_metrics);
            let with_steps = is_on(&config.borrow());
            let topic = match with_steps {
                true => Topic::Everything,
                false => Topic::Events,
            };
            subscription.turn_to(&newsroom, topic);
            // The end comes first, for news may come without end.
            let told = tokio::select! {
                biased;
                () = &mut stopping => return,
                told = subscription.next() => told,
            };
            match told {
                Ok(told) => measures.news.note(&told.news, with_steps, clock.wall()),
                Err(Interruption::Missed(missed)) => measures.news.lock().missed += missed,
                Err(Interruption::Ended) => return,
            }
        }
    });
}

impl Tally {
    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counting = self.lock();
        let builders = counting.builders.iter();
        let steps = counting.steps.iter();
        Counts {
            builders: builders
                .map(|(name, builds)| {
                    let counts = OfBuilder {
                        results: builds.ended.results,
                        took: builds.ended.took.get(),
                        waited: builds.waited.get(),
                    };
                    (name.clone(), counts)
                })
                .collect(),
            steps: steps
                .map(|(key, timed)| {
                    let counts = OfStep {
                        results: timed.results,
                        took: timed.took.get(),
                    };
                    (key.clone(), counts)
                })
                .collect(),
            connects: counting.connects.clone(),
            lost: counting.lost.clone(),
            changes: counting.changes,
            missed: counting.missed,
        }
    }

    /// Counts what was told at `now`, steps only if `with_steps`.
    pub fn note(&self, news: &News, with_steps: bool, now: Timestamp) {
        let mut counting = self.lock();
        match news {
            News::Event(Event::Intake(event)) => counting.on_intake(event),
            News::Event(Event::Build(event)) => counting.on_build(event, now),
            News::Event(Event::Slave(SlaveEvent::Connected { slave, .. })) => {
                *counting.connects.entry(slave.clone()).or_default() += 1;
            }
            News::Build(op) if with_steps => counting.on_step(op),
            News::Event(
                Event::Slave(_) | Event::Builder(_) | Event::Instance(_) | Event::Master(_),
            )
            | News::Build(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counting> {
        self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting {
    fn on_intake(&mut self, event: &IntakeEvent) {
        match event {
            IntakeEvent::ChangeAdded(_) => self.changes += 1,
            IntakeEvent::SetSubmitted(set) => {
                let requests = set.requests.iter();
                let submitted = requests.map(|(request, _)| (*request, set.submitted_at));
                self.submitted.extend(submitted);
            }
            IntakeEvent::RequestFinished { request, .. } => {
                self.submitted.remove(request);
            }
            IntakeEvent::SchedulerFailed { .. }
            | IntakeEvent::FirstFailure { .. }
            | IntakeEvent::SetFinished { .. }
            | IntakeEvent::RequestQueued { .. }
            | IntakeEvent::RequestCancelled { .. } => {}
        }
    }

    fn on_build(&mut self, event: &BuildEvent, now: Timestamp) {
        match event {
            BuildEvent::Started(start) => {
                let requests = start.requests.iter();
                let submitted = requests.filter_map(|request| self.submitted.remove(request));
                let first = submitted.min();
                let builds = self.builders.entry(start.builder.clone()).or_default();
                if let Some(submitted) = first {
                    builds.waited.add(start.at.since(submitted));
                }
                let running = Running {
                    builder: start.builder.clone(),
                    slave: start.slave.clone(),
                    since: start.at,
                    steps: BTreeMap::new(),
                };
                self.running.insert(start.build, running);
            }
            BuildEvent::Finished {
                build,
                builder,
                result,
                ..
            } => {
                let builds = self.builders.entry(builder.clone()).or_default();
                let running = self.running.remove(build);
                let took = running.as_ref().map(|running| now.since(running.since));
                builds.ended.add(*result, took);
                if let Some(running) = running.filter(|_| *result == Results::Retry) {
                    *self.lost.entry(running.slave).or_default() += 1;
                }
            }
            BuildEvent::StartFailed { .. }
            | BuildEvent::LocksAwaited(_)
            | BuildEvent::LocksGranted { .. }
            | BuildEvent::Interrupted { .. } => {}
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most of what is remembered is not about the ends of steps"
    )]
    fn on_step(&mut self, op: &Op) {
        match op {
            Op::StepStarted(StepStart {
                build,
                index,
                name,
                at,
                ..
            }) => {
                if let Some(running) = self.running.get_mut(build) {
                    running.steps.insert(*index, (name.clone(), *at));
                }
            }
            Op::StepFinished(StepFinish {
                build,
                index,
                result,
                at,
                ..
            }) => {
                let Some(running) = self.running.get_mut(build) else {
                    return;
                };
                if let Some((name, since)) = running.steps.remove(index) {
                    let steps = self.steps.entry((running.builder.clone(), name));
                    steps.or_default().add(*result, Some(at.since(since)));
                }
            }
            _ => {}
        }
    }
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            ended: Timed::default(),
            waited: Histogram::new(BOUNDS),
        }
    }
}

impl Default for Timed {
    fn default() -> Self {
        Self {
            results: [0; Results::ALL.len()],
            took: Histogram::new(BOUNDS),
        }
    }
}

impl Timed {
    fn add(&mut self, result: Results, took: Option<std::time::Duration>) {
        self.results[usize::from(result.number())] += 1;
        if let Some(took) = took {
            self.took.add(took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::journal::BuildStart;
    use crate::model::{BuildNumber, BuildSet, SetId, StepOutcome};

    fn event(tally: &Tally, event: impl Into<Event>, secs: i64) {
        let news = News::Event(event.into());
        tally.note(&news, true, Timestamp::from_secs(secs));
    }

    fn started(build: u64, at: i64) -> BuildEvent {
        BuildEvent::Started(Arc::new(BuildStart {
            build: BuildId(build),
            builder: "full".into(),
            number: BuildNumber(build),
            builddir: "full".to_owned(),
            slave: "oak".into(),
            requests: vec![RequestId(build)],
            at: Timestamp::from_secs(at),
            ..BuildStart::default()
        }))
    }

    fn finished(build: u64, result: Results) -> BuildEvent {
        BuildEvent::Finished {
            build: BuildId(build),
            builder: "full".into(),
            number: BuildNumber(build),
            result,
            text: Vec::new(),
        }
    }

    #[test]
    fn builds_are_counted_with_their_times_and_waits() {
        let tally = Tally::default();
        let set = BuildSet {
            id: SetId(1),
            external_id: None,
            scheduler: None,
            stamps: Arc::default(),
            reason: String::new(),
            properties: Arc::default(),
            submitted_at: Timestamp::from_secs(90),
            priority: 0,
            requests: vec![(RequestId(1), "full".into())],
            parent: None,
        };
        event(&tally, IntakeEvent::SetSubmitted(Arc::new(set)), 90);
        event(&tally, started(1, 100), 100);
        event(&tally, finished(1, Results::Failure), 130);
        event(&tally, started(2, 200), 200);
        event(&tally, finished(2, Results::Retry), 201);
        let counts = tally.counts();
        let full = &counts.builders[&BuilderName::from("full")];
        assert_eq!(full.results, [0, 0, 1, 0, 0, 1]);
        assert_eq!((full.took.count, full.took.sum_secs), (2, 31.0));
        assert_eq!((full.waited.count, full.waited.sum_secs), (1, 10.0));
        assert_eq!(counts.lost, [(SlaveName::from("oak"), 1)].into());
        assert!(tally.lock().submitted.is_empty() && tally.lock().running.is_empty());
    }

    #[test]
    fn steps_are_counted_if_they_are_wanted() {
        for with_steps in [true, false] {
            let tally = Tally::default();
            event(&tally, started(1, 100), 100);
            let start = StepStart {
                build: BuildId(1),
                index: 0,
                name: "test".to_owned(),
                text: Vec::new(),
                waits: false,
                at: Timestamp::from_secs(100),
            };
            let finish = StepFinish {
                build: BuildId(1),
                index: 0,
                result: Results::Warnings,
                text: Vec::new(),
                outcome: Box::<StepOutcome>::default(),
                at: Timestamp::from_secs(104),
            };
            for op in [Op::StepStarted(start), Op::StepFinished(finish)] {
                tally.note(&News::Build(op), with_steps, Timestamp::from_secs(104));
            }
            let steps = tally.counts().steps;
            let took = steps
                .values()
                .map(|step| (step.results[1], step.took.sum_secs));
            let expected: &[_] = if with_steps { &[(1, 4.0)] } else { &[] };
            assert_eq!(took.collect::<Vec<_>>(), expected);
        }
    }
}
