//! What schedulers by the clock may submit, and must (PER-02, PER-03, NIG-07 to NIG-09, MAS-07).
//!
//! The model follows the sets as they are handed in and, for what must survive, as they are
//! written. It looks for slots minute by minute and knows nothing of how the core finds or
//! remembers them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::config::{Config, PeriodicConfig, SchedulerConfig, SchedulerKind};
use buildmaster::model::{BuildSet, Now, Op, SchedulerName, SetId, Timestamp};
use serde_json::Value;

use crate::setup;

/// All schedulers by the clock.
#[derive(Debug, Default)]
pub struct Clocks {
    all: BTreeMap<SchedulerName, Clock>,
    /// When the master began.
    began: Now,
    /// The latest that the clock ever showed: what was done by then is not done again when it is
    /// set back.
    latest: Timestamp,
}

#[derive(Debug)]
struct Clock {
    rule: Rule,
    /// It builds only changes, so that a run may submit nothing.
    may_be_silent: bool,
    /// What a restart finds.
    durable: Option<Span>,
    /// What each set that is not written yet will leave there.
    runs: BTreeMap<SetId, Span>,
    /// It was made, or changed, by a reconfiguration, and no run of it is on disk yet: a restart
    /// may find anything.
    durable_unsure: bool,
    /// It has not run since a reconfiguration, or since a restart that may have found anything.
    unsure: bool,
    /// Minutes up to here are done: by the last run, or before the start.
    done: Timestamp,
    /// When the next tick of a Periodic is, in steady time: nobody moves it by setting the clock
    /// (TIM-07).
    next: Span,
    /// Since when it is late.
    late_since: Option<Now>,
    /// The last tick that the scheduler told of, in steady time.
    tick: Option<Timestamp>,
}

/// A time, known or between two: what a reconfiguration has made of a tick is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span(Timestamp, Timestamp);

#[derive(Debug)]
enum Rule {
    /// Every so often, and whether a restart goes on with that.
    Every(Duration, bool),
    /// In minutes of the hour that can be divided by this.
    Minutes(i64),
}

/// The core looks at the wall clock so often, and a bit.
const NOTICES_WITHIN: Duration = Duration::from_secs(62);

impl Clocks {
    pub fn new(config: &Config, now: Now) -> Self {
        let mut clocks = Self {
            began: now,
            ..Self::default()
        };
        for scheduler in &config.schedulers {
            clocks.add(scheduler, now, false);
        }
        clocks
    }

    /// An unchanged scheduler continues as it was (SCB-09); of the others it is known only that
    /// they will not be late.
    pub fn reconfigure(&mut self, old: &Config, new: &Config, now: Now) {
        self.all
            .retain(|name, _| new.schedulers.iter().any(|s| s.name == *name));
        for scheduler in &new.schedulers {
            if !old.schedulers.contains(scheduler) {
                self.all.remove(&scheduler.name);
                self.add(scheduler, now, true);
            }
        }
    }

    fn add(&mut self, scheduler: &SchedulerConfig, now: Now, unsure: bool) {
        let (rule, what) = match &scheduler.kind {
            SchedulerKind::Periodic(PeriodicConfig {
                period,
                resume,
                what,
            }) => (Rule::Every(*period, *resume), what),
            SchedulerKind::Nightly(nightly) => {
                let rule = Rule::Minutes(setup::minutes_of(nightly));
                (rule, &nightly.what)
            }
            _ => return,
        };
        let mut clock = Clock {
            rule,
            may_be_silent: what.only_if_changed.is_some(),
            durable: None,
            runs: BTreeMap::new(),
            durable_unsure: unsure,
            unsure,
            done: now.wall,
            next: Span(self.steady(now), self.steady(now)),
            late_since: None,
            tick: None,
        };
        if unsure {
            clock.be_unsure(now, self.steady(now), self.latest);
        }
        self.all.insert(scheduler.name.clone(), clock);
    }

    /// What a wall clock would show that nobody has set since the master began.
    fn steady(&self, now: Now) -> Timestamp {
        self.began.wall + now.mono.since(self.began.mono)
    }

    /// The master starts with what is on disk.
    pub fn begin(&mut self, now: Now) {
        self.began = now;
        for clock in self.all.values_mut() {
            clock.done = now.wall;
            clock.next = Span(now.wall, now.wall);
            clock.late_since = None;
            clock.runs.clear();
            clock.unsure = false;
            // A tick that is reported again is the same tick.
            clock.tick = clock.durable.map(|Span(tick, _)| tick);
            if clock.durable_unsure {
                clock.be_unsure(now, now.wall, self.latest);
                continue;
            }
            match (&clock.rule, clock.durable) {
                (&Rule::Every(period, true), Some(Span(low, high))) => {
                    let next = |last: Timestamp| (last + period).clamp(now.wall, now.wall + period);
                    clock.next = Span(next(low), next(high));
                }
                (Rule::Minutes(_), Some(Span(done, _))) => clock.done = done,
                (Rule::Every(..), _) | (Rule::Minutes(_), None) => {}
            }
        }
    }

    /// The core hands something in.
    pub fn on_ops(&mut self, now: Now, ops: &[Op]) {
        let steady = self.steady(now);
        let mut built: BTreeMap<_, Span> = BTreeMap::new();
        for op in ops {
            if let Op::SetSubmitted(set) = op
                && let Some(scheduler) = &set.scheduler
                && let Some(clock) = self.of(set)
            {
                // One run has a set for each tree.
                let run = built.entry(scheduler);
                let run = *run.or_insert_with(|| clock.on_run(now, steady, set));
                clock.runs.insert(set.id, run);
            }
        }
        for op in ops {
            if let Op::SchedulerState { scheduler, state } = op
                && let (Some(clock), Some(state)) = (self.all.get_mut(scheduler), state)
            {
                clock.on_tick(now, steady, state, built.contains_key(scheduler));
            }
        }
    }

    /// It is on disk.
    pub fn on_written(&mut self, ops: &[Op]) {
        for op in ops {
            if let Op::SetSubmitted(set) = op
                && let Some(clock) = self.of(set)
                && let Some(run) = clock.runs.remove(&set.id)
            {
                clock.durable = Some(run);
                clock.durable_unsure = false;
            }
        }
        // What no set tells: that a Nightly has begun to look for slots, and silent runs. It is
        // exact.
        for op in ops {
            if let Op::SchedulerState { scheduler, state } = op
                && let (Some(clock), Some(state)) = (self.all.get_mut(scheduler), state)
            {
                clock.on_state(state);
            }
        }
    }

    /// Time has passed, and the core has done all it wanted.
    pub fn check(&mut self, now: Now, running: bool) {
        self.latest = self.latest.max(now.wall);
        let steady = self.steady(now);
        for (name, clock) in &mut self.all {
            let late = running && !clock.may_be_silent && clock.must_run(now.wall, steady);
            if !late {
                clock.late_since = None;
                continue;
            }
            let since = clock.late_since.get_or_insert(now).mono;
            let late = now.mono.since(since);
            let noticed_within = match clock.rule {
                Rule::Every(..) => Duration::ZERO,
                Rule::Minutes(_) => NOTICES_WITHIN,
            };
            assert!(
                late <= noticed_within,
                "{name} should have run {late:?} ago"
            );
        }
    }

    fn of(&mut self, set: &Arc<BuildSet>) -> Option<&mut Clock> {
        self.all.get_mut(set.scheduler.as_ref()?)
    }
}

impl Clock {
    /// It may run at any time, but not too late.
    fn be_unsure(&mut self, now: Now, steady: Timestamp, latest: Timestamp) {
        self.unsure = true;
        self.done = latest.max(now.wall);
        if let Rule::Every(period, _) = self.rule {
            self.next = Span(steady, steady + period);
        }
    }

    fn on_run(&mut self, now: Now, steady: Timestamp, set: &BuildSet) -> Span {
        assert_eq!(set.submitted_at, now.wall);
        assert!(
            self.unsure || self.may_be_silent || set.stamps.first().changes.is_empty(),
            "PER-04: it builds the latest"
        );
        let is_due = self.unsure || self.may_run(now.wall, steady);
        assert!(is_due, "not due: {self:?} {now:?}");
        self.unsure = false;
        let done = match self.rule {
            Rule::Every(period, _) => {
                let done = match self.next.0 == self.next.1 {
                    true => {
                        let mut tick = self.next.0;
                        while tick + period <= steady {
                            tick = tick + period;
                        }
                        Span(tick, tick)
                    }
                    false => Span(Timestamp(steady.0 - micros(period)), steady),
                };
                self.next = Span(done.0 + period, done.1 + period);
                // It is stored as a wall time.
                let ahead = now.wall.0 - steady.0;
                Span(Timestamp(done.0.0 + ahead), Timestamp(done.1.0 + ahead))
            }
            Rule::Minutes(_) => Span(now.wall, now.wall),
        };
        self.done = now.wall;
        self.late_since = None;
        done
    }

    /// What no set tells: a run that had nothing to build. The next tick is counted from it.
    fn on_tick(&mut self, now: Now, steady: Timestamp, state: &Value, has_built: bool) {
        let Rule::Every(period, _) = self.rule else {
            return;
        };
        let tick = state.get("last").and_then(Value::as_i64);
        let tick = tick.map(|tick| Timestamp(tick - (now.wall.0 - steady.0)));
        let Some(tick) = tick.filter(|_| self.may_be_silent && tick != self.tick) else {
            return;
        };
        self.tick = Some(tick);
        if !has_built && !self.unsure {
            self.next = Span(tick + period, tick + period);
            self.done = now.wall;
        }
    }

    fn on_state(&mut self, state: &Value) {
        let key = match self.rule {
            Rule::Every(..) => "last",
            Rule::Minutes(_) => "searched_from",
        };
        let told = state.get(key).and_then(Value::as_i64);
        let is_start = matches!(self.rule, Rule::Minutes(_)) && self.durable.is_none();
        if let Some(at) = told
            .map(Timestamp)
            .filter(|_| self.may_be_silent || is_start)
        {
            self.durable = Some(Span(at, at));
        }
    }

    /// It is not too early.
    fn may_run(&self, wall: Timestamp, steady: Timestamp) -> bool {
        match self.rule {
            Rule::Every(..) => self.next.0 <= steady,
            Rule::Minutes(every) => self.has_slot(every, wall),
        }
    }

    /// It is time, whatever was done to the clock meanwhile.
    fn must_run(&self, wall: Timestamp, steady: Timestamp) -> bool {
        match self.rule {
            Rule::Every(..) => self.next.1 <= steady,
            Rule::Minutes(every) => self.has_slot(every, wall),
        }
    }

    fn has_slot(&self, every: i64, wall: Timestamp) -> bool {
        let minute = |at: Timestamp| at.0.div_euclid(60_000_000);
        let mut minutes = minute(self.done) + 1..=minute(wall);
        minutes.any(|minute| minute.rem_euclid(60) % every == 0)
    }
}

fn micros(period: Duration) -> i64 {
    i64::try_from(period.as_micros()).unwrap()
}
