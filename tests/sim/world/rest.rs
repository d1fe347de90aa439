//! The end of a history: all work comes to its end.

use std::sync::Arc;

use buildmaster::botmaster::Input;
use buildmaster::config::{SchedulerConfig, SchedulerKind};
use buildmaster::model::{Results, SetId, SlaveName};
use rand::RngExt;

use super::World;

impl World {
    /// Everybody is well: all work comes to an end.
    pub(super) fn rest(&mut self) {
        if self.exited {
            self.restart();
        }
        self.cancel_shutdown();
        self.disturbances = self.rng.random_range(0..15);
        // A clock that was set back by hours makes for many runs of those that run every minute.
        for _ in 0..30_000 {
            if self.exited {
                self.restart();
            }
            if self.rest_a_little() {
                assert!(self.core.has_no_locks_taken(), "LCK-06");
                return;
            }
        }
        panic!("the master does not come to rest");
    }

    fn rest_a_little(&mut self) -> bool {
        if self.disturbances > 0 && !self.builds.is_empty() && self.rng.random_bool(0.3) {
            self.disturbances -= 1;
            self.disturb();
        } else if !self.unwritten.is_empty() {
            self.write(self.unwritten.len());
        } else if !self.owed.is_empty() {
            let (session, input) = self.owed.remove(0);
            self.input(input.of(session));
        } else if let Some(input) = self.good_answer_of_check() {
            self.input(input);
        } else if let Some(input) = self.cloud.good_answer() {
            self.input(input);
        } else if let Some((&build, _)) = self.builds.iter().find(|(_, b)| b.is_free()) {
            self.finish(build, Results::Success, false);
        } else if self.move_searches() {
            // It has asked for builds, or has come to its end.
        } else if let Some(slave) = self.absent_slave() {
            self.log_in_as(slave);
        } else if let Some(slave) = self.paused_slave() {
            self.put_back(slave);
        } else if self.is_at_rest() {
            return true;
        } else if self.rng.random_bool(0.1) && self.stop_one_that_waits() {
            // What it waits for may need what it has.
        } else {
            let waits = self.builds.values().any(|b| b.triggers.waits());
            let stuck = !self.builds.is_empty() && !self.reference.is_starting(&self.core);
            assert!(!stuck || waits, "LCK-04: builds wait for locks for ever");
            if self.core.poll_timeout().is_none() && self.stop_one_that_waits() {
                return false;
            }
            assert!(
                self.core.poll_timeout().is_some(),
                "nothing will ever happen: answers wait {:?}, sets {:?}",
                self.waiting,
                self.open_sets()
            );
            self.pass_to_timeout();
        }
        false
    }

    /// Something more happens while builds run.
    fn disturb(&mut self) {
        match self.rng.random_range(0..24) {
            0..12 => self.trigger(),
            12..14 => self.end_related(),
            14..16 => self.stop(),
            16..18 => self.lose_slave(),
            18..20 => self.end_build(),
            20 => self.crash(),
            21 => self.reconfigure(),
            22 => self.move_locks(),
            _ => self.input(Input::Shutdown { clean: true }),
        }
    }

    fn is_at_rest(&self) -> bool {
        let waiting = |s: &Arc<SchedulerConfig>| match &s.kind {
            SchedulerKind::Periodic(_) | SchedulerKind::Nightly(_) => self.owes_changes(&s.name),
            // Its times are its upstream's, which may run for ever.
            SchedulerKind::Dependent(_) => false,
            _ => !self.core.pending_build_times(&s.name).is_empty(),
        };
        self.disk.sets.values().all(|s| s.finished.is_some())
            && !self.config.schedulers.iter().any(waiting)
            && self.waiting.is_empty()
            && self.has_no_searches()
    }

    fn open_sets(&self) -> Vec<SetId> {
        let open = self.disk.sets.iter().filter(|(_, s)| s.finished.is_none());
        open.map(|(&id, _)| id).collect()
    }

    fn paused_slave(&self) -> Option<SlaveName> {
        let mut all = self.config.slaves.iter().map(|s| &s.name);
        let is_paused = |name: &&SlaveName| self.reference.is_paused(name);
        all.find(is_paused).cloned()
    }

    /// One that would come. Before a master that ends they give up.
    fn absent_slave(&self) -> Option<SlaveName> {
        if self.reference.is_hastened() {
            return None;
        }
        let mut all = self.config.slaves.iter().map(|s| &s.name);
        let present = |name: &SlaveName| self.reference.sessions.values().any(|s| s.slave == *name);
        all.find(|name| !present(name) && self.may_come(name))
            .cloned()
    }
}
