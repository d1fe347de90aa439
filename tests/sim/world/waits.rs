//! What waits for a tree to be still is built when it has been, whatever is done to the clock and
//! whatever times changes say (TIM-02, TIM-05, TIM-07).

use std::time::Duration;

use buildmaster::botmaster::BotMaster;
use buildmaster::config::{Config, SchedulerKind};
use buildmaster::model::{Mono, Op, Timestamp};
use rand::RngExt;

use super::World;

/// How far ahead changes are dated at the most, as far as their times are used.
const SKEW: Duration = Duration::from_secs(20);

/// Since when nothing has happened that moves a timer.
#[derive(Debug, Default)]
pub struct Waits {
    quiet_since: Mono,
}

impl Waits {
    /// The master begins, or has other settings.
    pub fn begin(&mut self, now: Mono) {
        self.quiet_since = now;
    }

    /// The core hands something in.
    pub fn on_ops(&mut self, now: Mono, ops: &[Op]) {
        let offered = |op: &Op| matches!(op, Op::ChangeOffered { .. });
        if ops.iter().any(offered) {
            self.quiet_since = now;
        }
    }

    /// Time has passed, and the core has done all it wanted.
    pub fn check(&mut self, now: Mono, running: bool, core: &BotMaster, config: &Config) {
        if !running {
            self.quiet_since = now;
            return;
        }
        let quiet = now.since(self.quiet_since);
        for scheduler in &config.schedulers {
            let tree_stable = match &scheduler.kind {
                SchedulerKind::Scheduler(one) => &one.tree_stable,
                SchedulerKind::AnyBranch(any) => &any.tree_stable,
                _ => continue,
            };
            let timer = tree_stable.tree_stable_timer.unwrap_or_default();
            if quiet >= timer + SKEW + Duration::from_secs(1) {
                let waiting = core.pending_build_times(&scheduler.name);
                let name = &scheduler.name;
                assert!(waiting.is_empty(), "{name} still waits: {waiting:?}");
            }
        }
    }
}

impl World {
    /// Somebody, or a time server, sets the clock.
    pub(super) fn set_clock(&mut self) {
        let steps = [-10_800, -3600, -90, -10, 10, 90, 7200, 86_400];
        let step = steps[self.rng.random_range(0..steps.len())];
        self.now.wall = Timestamp(self.now.wall.0 + step * 1_000_000);
        self.tell(&format!("--- the clock is set by {step} s"));
        self.advance(Duration::ZERO);
    }

    /// What a sender says of the time of a change: mostly nothing or nearly the present, and
    /// sometimes nonsense.
    pub(super) fn when(&mut self) -> Option<Timestamp> {
        let ahead = i64::try_from(SKEW.as_secs()).unwrap();
        let off = match self.rng.random_range(0..20) {
            0..=12 => return None,
            13..=16 => self.rng.random_range(-ahead..ahead),
            17 => -86_400,
            18 => 10_000,
            _ => return Some(Timestamp([i64::MIN, i64::MAX][self.rng.random_range(0..2)])),
        };
        Some(Timestamp(self.now.wall.0 + off * 1_000_000))
    }
}
