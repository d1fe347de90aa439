//! All deadlines of the core in one place.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{BuilderIx, SlaveIx};
use super::{Epoch, PingId, SessionId};
use crate::model::Mono;

/// What a deadline is for; each has at most one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// A connection has not attached, or has not answered its list of builders, in time (SLV-03).
    Attach(SessionId),
    /// A slave that was told to shut down is still connected (SLV-08).
    Ending(SessionId),
    /// A builder has not attached in time (row 5).
    Handshake(SlaveIx, BuilderIx, Epoch),
    /// Builders that could not be attached are to be tried again (row 5).
    Reattach(SlaveIx),
    /// A ping was not answered in time (row 11).
    Ping(SlaveIx, BuilderIx, PingId),
    /// A slave has not said whether it starts the build.
    StartBuild(SlaveIx, BuilderIx, Epoch),
    /// An older connection has not answered (SLV-04).
    Arbitration(SlaveIx),
    /// A slave may be tried again (BLD-12).
    HoldBack(SlaveIx),
    /// An instance has not connected in time (LAT-04).
    Missing(SlaveIx),
    /// An instance has been idle for long enough (LAT-05).
    InstanceIdle(SlaveIx),
    /// An instance that could not be stopped is to be stopped again.
    StopInstance(SlaveIx),
    /// A slave has been away for so long that somebody is to know (SLV-07).
    Absence(SlaveIx),
    /// A scheduler, by its place in the registry, wants to look at the clock.
    Scheduler(usize),
    /// Requests for a builder that was removed have waited long enough for its return (BST-09).
    Orphans(BuilderIx),
    /// A window in which a builder starts no builds begins or ends, or the clock is to be looked at
    /// (CFL-134).
    BuilderHold(BuilderIx),
    /// The same of a slave.
    SlaveHold(SlaveIx),
    /// What the check of a builder has said of a slave is old.
    Check(BuilderIx, SlaveIx),
    /// Builds that are being interrupted have had their time.
    Shutdown,
}

/// The deadlines, earliest first; equal ones in the order of [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Mono, Timer)>,
    due: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets `timer` to `at`, replacing its present deadline.
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        if let Some(old) = self.due.insert(timer, at) {
            self.queue.remove(&(old, timer));
        }
        self.queue.insert((at, timer));
    }

    /// Whether `timer` has a deadline.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.due.contains_key(&timer)
    }

    /// Forgets `timer`.
    pub(super) fn cancel(&mut self, timer: Timer) {
        if let Some(old) = self.due.remove(&timer) {
            self.queue.remove(&(old, timer));
        }
    }

    /// Takes the first timer that is due by `now`.
    pub(super) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        let &(at, timer) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.due.remove(&timer);
        Some(timer)
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Mono> {
        self.queue.first().map(|&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> Mono {
        Mono(Duration::from_secs(secs))
    }

    #[test]
    fn a_timer_set_again_fires_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Shutdown, at(5));
        timers.set(Timer::Scheduler(1), at(7));
        timers.set(Timer::Shutdown, at(9));
        assert_eq!(timers.next(), Some(at(7)));
        assert_eq!(timers.pop_due(at(6)), None);
        assert_eq!(timers.pop_due(at(9)), Some(Timer::Scheduler(1)));
        assert_eq!(timers.pop_due(at(9)), Some(Timer::Shutdown));
        assert_eq!(timers.pop_due(at(9)), None);
    }

    #[test]
    fn a_cancelled_timer_does_not_fire() {
        let mut timers = Timers::default();
        timers.set(Timer::Shutdown, at(5));
        timers.cancel(Timer::Shutdown);
        timers.cancel(Timer::Shutdown);
        assert_eq!(timers.next(), None);
        assert_eq!(timers.pop_due(at(9)), None);
    }
}
