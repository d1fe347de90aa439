//! Slaves that stay away: announced once for each absence (SLV-07).
//!
//! Counted is from when the slave was attached last, also in an earlier run of the master; of one
//! that never was, from when this master first knew it. A connection over which it is not attached
//! changes nothing.

use super::Roster;
use crate::botmaster::ids::SlaveIx;
use crate::botmaster::ledger::Effect;
use crate::botmaster::out::Out;
use crate::botmaster::timers::Timer;
use crate::botmaster::{Event, SlaveEvent};
use crate::model::{Letter, LetterFacts, LetterOp, Op};

impl Roster {
    /// Looks anew whether and when somebody is to be told that a slave is away.
    pub(super) fn watch_absence(&self, out: &mut Out, slave: SlaveIx) {
        let known = &self.slaves[slave.0];
        let timer = Timer::Absence(slave);
        let placed = out.layout.slave(slave);
        let timeout = placed.config.missing_timeout();
        let (Some(timeout), true) = (timeout, placed.is_configured && !known.is_attached()) else {
            out.timers.cancel(timer);
            return;
        };
        if known.missed || placed.config.notify_on_missing.is_empty() {
            out.timers.cancel(timer);
            return;
        }
        let left = timeout.saturating_sub(known.away_for(out.now));
        out.timers.set(timer, out.now.mono + left);
    }

    /// It has been away for long enough.
    pub(in crate::botmaster) fn on_absent(&mut self, out: &mut Out, slave: SlaveIx) {
        self.tell_missing(out, slave, None);
    }

    /// LAT-04: the instance of a latent slave could not be had.
    pub(in crate::botmaster) fn tell_of_failed_instance(
        &mut self,
        out: &mut Out,
        slave: SlaveIx,
        why: &str,
    ) {
        let known = &self.slaves[slave.0];
        if !known.missed && !out.layout.slave(slave).config.notify_on_missing.is_empty() {
            self.tell_missing(out, slave, Some(why.to_owned()));
        }
    }

    /// Nobody is told again before it was attached.
    fn tell_missing(&mut self, out: &mut Out, slave: SlaveIx, why: Option<String>) {
        self.change(out, slave).missed = true;
        let op = Op::SlaveMissed {
            slave: out.layout.slave_name(slave),
            at: out.now.wall,
        };
        let known = &self.slaves[slave.0];
        let (slave, since) = (out.layout.slave_name(slave), known.away_since());
        let admin = known.info.get("admin").cloned().unwrap_or_default();
        let facts = LetterFacts::SlaveMissing {
            slave: slave.clone(),
            since,
            why: why.clone(),
            admin: admin.clone(),
        };
        let letter = Letter::of_missing(facts, &slave, out.now.wall);
        let written = Op::Letter(Box::new(LetterOp::Written(letter)));
        let missing = Event::Slave(SlaveEvent::Missing {
            slave,
            since,
            why,
            admin,
        });
        out.persist_then(vec![op, written], vec![Effect::Announce(missing)]);
    }
}
