//! Windows in which no build starts on a slave, or of a builder (CFL-133, CFL-134). Builds that run
//! go on.
//!
//! Whether one holds follows from the wall clock. A timer is set for each edge, and looks at the
//! clock at least once a minute, since people and time servers set clocks.

use std::time::Duration;

use super::BotMaster;
use super::ids::{BuilderIx, SlaveIx};
use super::out::Out;
use super::timers::Timer;
use crate::config::{Hold, HoldWindow};
use crate::model::Timestamp;

/// The longest time between two looks at the clock.
const CLOCK_CHECK: Duration = Duration::from_secs(60);

impl BotMaster {
    /// Looks at the windows of all builders and slaves, which a configuration may have changed.
    pub(super) fn review_holds(&mut self) {
        let builders = self.out.layout.builders().map(|(ix, _)| ix);
        for builder in builders.collect::<Vec<_>>() {
            self.review_builder_hold(builder);
        }
        for slave in self.out.layout.slave_indexes() {
            let timer = Timer::SlaveHold(slave);
            let config = &self.out.layout.slave(slave).config;
            if !config.hold.is_empty() || self.out.timers.is_set(timer) {
                self.review_slave_hold(slave);
            }
        }
    }

    /// A window of a builder begins or ends, perhaps.
    pub(super) fn review_builder_hold(&mut self, builder: BuilderIx) {
        let config = &self.out.layout.builder(builder).config;
        let is_held = config.hold.window_at(self.out.now.wall).is_some();
        self.dispatch.set_held(builder, is_held);
        let wait = wait(&self.out, &config.hold);
        self.set_hold_timer(Timer::BuilderHold(builder), wait);
    }

    /// A window of a slave begins or ends, perhaps.
    pub(super) fn review_slave_hold(&mut self, slave: SlaveIx) {
        self.out.touch(slave);
        let wait = wait(&self.out, &self.out.layout.slave(slave).config.hold);
        self.set_hold_timer(Timer::SlaveHold(slave), wait);
    }

    /// Whether no build starts on the slave now.
    pub(super) fn is_held(&self, slave: SlaveIx) -> bool {
        let hold = &self.out.layout.slave(slave).config.hold;
        hold.window_at(self.out.now.wall).is_some()
    }

    fn set_hold_timer(&mut self, timer: Timer, wait: Option<Duration>) {
        match wait {
            Some(wait) => {
                self.out.set_timer(timer, wait);
            }
            None => self.out.timers.cancel(timer),
        }
    }
}

/// The window that holds now, and until when.
pub(super) fn held<'h>(out: &Out, hold: &'h Hold) -> Option<(&'h HoldWindow, Option<Timestamp>)> {
    let window = hold.window_at(out.now.wall)?;
    Some((window, hold.next_edge(out.now.wall)))
}

/// How long it takes until the clock is to be looked at again; nothing if there is no window.
fn wait(out: &Out, hold: &Hold) -> Option<Duration> {
    if hold.is_empty() {
        return None;
    }
    let edge = hold.next_edge(out.now.wall);
    let wait = edge.map(|edge| edge.since(out.now.wall));
    Some(wait.map_or(CLOCK_CHECK, |wait| wait.min(CLOCK_CHECK)))
}
