//! What schedulers by the clock may submit, and must (PER-02, PER-03, NIG-07 to NIG-09, MAS-07).
//!
//! The model follows the sets as they are handed in and, for what must survive, as they are written. It looks
//! for slots minute by minute and knows nothing of how the core finds or remembers them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildmaster::config::{Config, SchedulerKind};
use buildmaster::model::{BuildSet, Now, Op, SchedulerName, SetId, Timestamp};
use serde_json::Value;

use crate::setup;

/// All schedulers by the clock.
#[derive(Debug, Default)]
pub struct Clocks(BTreeMap<SchedulerName, Clock>);

#[derive(Debug)]
struct Clock {
    rule: Rule,
    /// It builds only changes, so that a run may submit nothing.
    may_be_silent: bool,
    /// What a restart finds.
    durable: Option<Span>,
    /// What each set that is not written yet will leave there.
    runs: BTreeMap<SetId, Span>,
    /// Minutes up to here are done: by the last run, or before the start.
    done: Timestamp,
    /// When the next tick of a Periodic is.
    next: Span,
    /// The earliest that the clock showed since the last run: a tick moves back with the clock.
    earliest: Timestamp,
    /// Since when it is late.
    late_since: Option<Now>,
}

/// A time, known or between two: where a set clock was noticed is not known to the microsecond.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span(Timestamp, Timestamp);

#[derive(Debug)]
enum Rule {
    /// Every so often, and whether a restart goes on with that.
    Every(Duration, bool),
    /// In minutes of the hour that can be divided by this.
    Minutes(i64),
}

/// The core looks at the clock so often, and a bit.
const NOTICES_WITHIN: Duration = Duration::from_secs(62);

impl Clocks {
    pub fn new(config: &Config, now: Now) -> Self {
        let mut clocks = BTreeMap::new();
        for scheduler in &config.schedulers {
            let (rule, what) = match &scheduler.kind {
                SchedulerKind::Periodic {
                    period,
                    resume,
                    what,
                } => (Rule::Every(*period, *resume), what),
                SchedulerKind::Nightly(nightly) => {
                    let rule = Rule::Minutes(setup::minutes_of(nightly));
                    (rule, &nightly.what)
                }
                _ => continue,
            };
            let clock = Clock {
                rule,
                may_be_silent: what.only_if_changed.is_some(),
                durable: None,
                runs: BTreeMap::new(),
                done: now.wall,
                next: Span(now.wall, now.wall),
                earliest: now.wall,
                late_since: None,
            };
            clocks.insert(scheduler.name.clone(), clock);
        }
        Self(clocks)
    }

    /// The master starts with what is on disk.
    pub fn begin(&mut self, now: Now) {
        for clock in self.0.values_mut() {
            clock.done = now.wall;
            clock.next = Span(now.wall, now.wall);
            clock.earliest = now.wall;
            clock.late_since = None;
            clock.runs.clear();
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
        for op in ops {
            if let Op::SetSubmitted(set) = op
                && let Some(clock) = self.of(set)
            {
                clock.on_run(now, set);
            }
        }
    }

    /// It is on disk.
    pub fn on_written(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::SetSubmitted(set) => {
                    if let Some(clock) = self.of(set) {
                        clock.durable = clock.runs.remove(&set.id).or(clock.durable);
                    }
                }
                // What no set tells: that a Nightly has begun to look for slots, and silent runs.
                Op::SchedulerState { scheduler, state } => {
                    if let (Some(clock), Some(state)) = (self.0.get_mut(scheduler), state) {
                        clock.on_state(state);
                    }
                }
                _ => {}
            }
        }
    }

    /// Time has passed, and the core has done all it wanted.
    pub fn check(&mut self, now: Now, running: bool) {
        for (name, clock) in &mut self.0 {
            clock.earliest = clock.earliest.min(now.wall);
            let late = running && !clock.may_be_silent && clock.must_run(now.wall);
            if !late {
                clock.late_since = None;
                continue;
            }
            let since = clock.late_since.get_or_insert(now).mono;
            let late = now.mono.since(since);
            assert!(
                late <= NOTICES_WITHIN,
                "{name} should have run {late:?} ago"
            );
        }
    }

    fn of(&mut self, set: &Arc<BuildSet>) -> Option<&mut Clock> {
        self.0.get_mut(set.scheduler.as_ref()?)
    }
}

impl Clock {
    fn on_run(&mut self, now: Now, set: &BuildSet) {
        assert_eq!(set.submitted_at, now.wall);
        self.earliest = self.earliest.min(now.wall);
        assert!(
            self.may_be_silent || set.stamp.changes.is_empty(),
            "PER-04: it builds the latest"
        );
        assert!(self.may_run(now.wall), "not due: {self:?} {now:?}");
        let done = match self.rule {
            Rule::Every(period, _) => {
                let is_known = self.next.0 == self.next.1 && self.next.0 <= self.earliest + period;
                let done = match is_known {
                    true => {
                        let mut tick = self.next.0;
                        while tick + period <= now.wall {
                            tick = tick + period;
                        }
                        Span(tick, tick)
                    }
                    false => Span(Timestamp(now.wall.0 - micros(period)), now.wall),
                };
                self.next = Span(done.0 + period, done.1 + period);
                done
            }
            Rule::Minutes(_) => Span(now.wall, now.wall),
        };
        self.runs.insert(set.id, done);
        self.done = now.wall;
        self.earliest = now.wall;
        self.late_since = None;
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
    fn may_run(&self, wall: Timestamp) -> bool {
        match self.rule {
            Rule::Every(period, _) => self.next.0.min(self.earliest + period) <= wall,
            Rule::Minutes(every) => self.has_slot(every, wall),
        }
    }

    /// It is time, whatever was done to the clock meanwhile.
    fn must_run(&self, wall: Timestamp) -> bool {
        match self.rule {
            Rule::Every(..) => self.next.1 <= wall,
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
