//! The instance of a latent slave: rows 20 to 28 of section 13, and section 15, as far as the slave
//! alone goes.
//!
//! ```text
//!          chosen             on record         start answered
//!   Down ---------> Recording ---------> Starting ---------> Up
//!    ^                  |                    |                |
//!    +---- forsaken ----+                    +--- failed, ----+
//!    |                                       |  missing, idle, lost
//!    +------------- stopped ------------- Stopping
//! ```
//! A slave-builder is LATENT when the slave is latent, wants its builder, and has no connection:
//! there is nothing to keep about it, so that it cannot be lost with a connection (SB-21). What is
//! kept is the mark of row 20, as the build that waits there.
//!
//! Invariants: who waits has no connection that is ready; every instance that was ever started is
//! on record until a stop of it has succeeded; an answer about another instance changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::backoff::Backoff;
use crate::botmaster::ids::{AttemptId, BuilderIx, InstanceId};
use crate::model::{InstanceRecord, InstanceStop, Timestamp};

/// The time between two attempts to stop an instance.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// The instance of a slave. Slaves that are not latent have none: it is down.
#[derive(Debug)]
pub(super) struct Latent {
    pub(super) stage: Stage,
    /// Since when.
    pub(super) since: Timestamp,
    /// Which instance; answers about others are void.
    pub(super) id: InstanceId,
    /// What is on record of it, or about to be; absent while it is down.
    pub(super) record: Option<InstanceRecord>,
    /// The builds that wait for it (row 20).
    pub(super) waiting: BTreeMap<BuilderIx, AttemptId>,
    /// The builders for which the slave can be LATENT.
    pub(super) wanted: BTreeSet<BuilderIx>,
    /// Failed stops in a row, and what the last one said.
    pub(super) failed_stops: (u32, String),
}

/// How far an instance is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::botmaster) enum Stage {
    /// There is none.
    Down,
    /// That it is being started is being written: what is not on record is not started.
    Recording,
    /// It is being started; it may have connected already.
    Starting,
    /// It was started.
    Up,
    /// It is being stopped, again and again until that succeeds.
    Stopping,
}

impl Latent {
    /// None.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            stage: Stage::Down,
            since: now,
            id: InstanceId(0),
            record: None,
            waiting: BTreeMap::new(),
            wanted: BTreeSet::new(),
            failed_stops: (0, String::new()),
        }
    }

    /// Another instance is wanted: it is to be put on record.
    pub(super) fn begin(&mut self, id: InstanceId, stop: InstanceStop, now: Timestamp) {
        self.id = id;
        let identity = String::new();
        self.record = Some(InstanceRecord { identity, stop });
        self.enter(Stage::Recording, now);
    }

    /// An instance of an earlier run of the master is to be stopped.
    pub(super) fn inherit(&mut self, id: InstanceId, record: InstanceRecord, now: Timestamp) {
        self.id = id;
        self.record = Some(record);
        self.enter(Stage::Stopping, now);
    }

    /// Goes to another stage.
    pub(super) fn enter(&mut self, stage: Stage, now: Timestamp) {
        self.stage = stage;
        self.since = now;
        self.failed_stops = (0, String::new());
    }

    /// The configuration says how instances are stopped now. Answers whether that concerns this
    /// one.
    pub(super) fn take_stop(&mut self, stop: &InstanceStop) -> bool {
        let its = self.record.as_mut().map(|record| &mut record.stop);
        let Some(its) = its.filter(|its| its.means.is_type_of(&stop.means) && *its != stop) else {
            return false;
        };
        its.clone_from(stop);
        true
    }

    /// A try to stop it has failed: how long to wait before the next.
    pub(super) fn on_stop_failed(&mut self, why: String) -> Duration {
        let (failed, text) = &mut self.failed_stops;
        let pause = PAUSES.nth(*failed);
        *failed = failed.saturating_add(1);
        *text = why;
        pause
    }

    /// Whether it is on its way or there.
    pub(super) const fn is_alive(&self) -> bool {
        match self.stage {
            Stage::Recording | Stage::Starting | Stage::Up => true,
            Stage::Down | Stage::Stopping => false,
        }
    }

    /// Whether a master that ends need not wait for it: it is stopped, or a try of that has failed.
    pub(super) const fn is_settled(&self) -> bool {
        match self.stage {
            Stage::Down => true,
            Stage::Stopping => self.failed_stops.0 > 0,
            Stage::Recording | Stage::Starting | Stage::Up => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_tried_again_with_pauses_up_to_a_minute() {
        let mut latent = Latent::new(Timestamp(0));
        let pauses = [(); 9].map(|()| latent.on_stop_failed("x".to_owned()).as_secs());
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        latent.enter(Stage::Stopping, Timestamp(1));
        assert_eq!(latent.on_stop_failed("x".to_owned()).as_secs(), 1);
    }
}
