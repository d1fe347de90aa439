//! Slaves that stay away: somebody is told, once (SLV-07).
//!
//! Counted is from when the slave was attached last, also in an earlier run of the master; of one that never was, from
//! when this master first knew it. A connection over which it is not attached changes nothing.

use super::ids::SlaveIx;
use super::ledger::Effect;
use super::timers::Timer;
use super::{BotMaster, Event};
use crate::config::MailConfig;
use crate::model::{Op, SlaveName, Timestamp};

/// A slave that is missed, and who is to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Absence {
    /// Which slave.
    pub slave: SlaveName,
    /// Since when it is away.
    pub since: Timestamp,
    /// Why its instance could not be had, if it is a latent slave (LAT-04).
    pub why: Option<String>,
    /// Its administrator, as it said itself.
    pub admin: String,
    /// Addresses to mail to.
    pub to: Vec<String>,
    /// The title of the project.
    pub project: String,
    /// How to mail.
    pub mail: MailConfig,
}

impl BotMaster {
    /// Looks anew whether and when somebody is to be told that a slave is away.
    pub(super) fn watch_absence(&mut self, slave: SlaveIx) {
        let it = &self.slaves[slave.0];
        let timer = Timer::Absence(slave);
        let placed = self.out.layout.slave(slave);
        let timeout = placed.config.missing_timeout();
        let (Some(timeout), true) = (timeout, placed.is_configured && !it.is_attached()) else {
            self.out.timers.cancel(timer);
            return;
        };
        if it.missed || placed.config.notify_on_missing.is_empty() {
            self.out.timers.cancel(timer);
            return;
        }
        let left = timeout.saturating_sub(it.away_for(self.out.now));
        self.out.timers.set(timer, self.out.now.mono + left);
    }

    /// It has been away for long enough.
    pub(super) fn on_absent(&mut self, slave: SlaveIx) {
        self.tell_missing(slave, None);
    }

    /// LAT-04: the instance of a latent slave could not be had.
    pub(super) fn tell_of_failed_instance(&mut self, slave: SlaveIx, why: &str) {
        let it = &self.slaves[slave.0];
        if !it.missed
            && !self
                .out
                .layout
                .slave(slave)
                .config
                .notify_on_missing
                .is_empty()
        {
            self.tell_missing(slave, Some(why.to_owned()));
        }
    }

    /// Nobody is told again before it was attached.
    fn tell_missing(&mut self, slave: SlaveIx, why: Option<String>) {
        self.slaves[slave.0].missed = true;
        let op = Op::SlaveMissed {
            slave: self.out.layout.slave_name(slave),
            at: self.out.now.wall,
        };
        let absence = self.describe_absence(slave, why);
        self.out.persist_then(
            vec![op],
            vec![Effect::Announce(Event::SlaveMissing(absence))],
        );
    }

    fn describe_absence(&self, slave: SlaveIx, why: Option<String>) -> Box<Absence> {
        let it = &self.slaves[slave.0];
        let config = &self.out.layout.slave(slave).config;
        Box::new(Absence {
            slave: config.name.clone(),
            since: it.away_since(),
            why,
            admin: it.info.get("admin").cloned().unwrap_or_default(),
            to: config.notify_on_missing.clone(),
            project: self.out.layout.config().title.clone(),
            mail: self.out.layout.config().mail.clone(),
        })
    }
}
