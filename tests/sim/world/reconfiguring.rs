//! Another configuration comes (MAS-03, MAS-04): who must not notice, and what is known of
//! schedulers that change.

use std::collections::BTreeSet;
use std::sync::Arc;

use buildmaster::botmaster::{Command, Event, Input, MasterEvent, SessionId, SlaveCommand};
use buildmaster::config::{Config, SchedulerConfig};
use buildmaster::model::{SchedulerName, SlaveName};
use rand::RngExt;

use super::{World, rows};
use crate::setup;

/// Who must hear nothing while a reconfiguration is handled.
#[derive(Debug)]
pub(super) enum Quiet {
    Nobody,
    /// Nothing has changed for these.
    Sessions(BTreeSet<SessionId>),
    /// Nothing has changed at all.
    All,
}

impl Quiet {
    pub(super) fn check(&self, command: &Command) {
        let hears = match command {
            Command::Slave {
                session,
                what:
                    SlaveCommand::SendBuilderList { .. }
                    | SlaveCommand::SetMaster { .. }
                    | SlaveCommand::Drop { .. }
                    | SlaveCommand::Greet,
            } => Some(session),
            _ => None,
        };
        let is_wrong = match self {
            Self::Nobody => false,
            Self::Sessions(sessions) => hears.is_some_and(|s| sessions.contains(s)),
            Self::All => !matches!(
                command,
                Command::Reply { .. } | Command::Announce(Event::Master(MasterEvent::Reconfigured))
            ),
        };
        assert!(!is_wrong, "MAS-04: nothing has changed for it: {command:?}");
    }
}

impl World {
    /// The master is told of another configuration, or of the same again; then perhaps power goes.
    pub(super) fn reconfigure(&mut self) {
        let config = if self.rng.random_bool(0.1) {
            Config::clone(&self.config)
        } else {
            setup::changed(&mut self.rng, &self.config)
        };
        let config = Arc::new(config);
        self.let_timers_fire();
        let reply = self.new_reply();
        self.quiet = Quiet::All;
        self.input(Input::Reconfigured {
            config: Arc::clone(&config),
            dry_run: true,
            reply,
        });
        let is_refused = self.refused.remove(&reply);
        if !is_refused && !self.exited && !self.reference.is_hastened() {
            // A build that ends with its slave takes what it waits for with it, wherever that runs.
            let cascades = self.builds.values().any(|it| it.triggers.waits());
            self.quiet = if config == self.config {
                Quiet::All
            } else if cascades {
                Quiet::Nobody
            } else {
                Quiet::Sessions(self.unconcerned(&config))
            };
            self.clocks.reconfigure(&self.config, &config, self.now);
            self.waits.begin(self.now.mono);
            self.reference
                .reconfigure(self.now.mono, Arc::clone(&config), &self.core);
            self.config = Arc::clone(&config);
            self.versions.push(Arc::clone(&config));
        }
        let reply = self.new_reply();
        let waiting = rows::waiting(&self.core);
        self.input(Input::Reconfigured {
            config,
            dry_run: false,
            reply,
        });
        assert_eq!(self.refused.remove(&reply), is_refused);
        if rows::waiting(&self.core) < waiting {
            rows::take(24);
        }
        self.quiet = Quiet::Nobody;
        if self.rng.random_bool(0.1) {
            self.crash();
        }
    }

    /// Connections of slaves for which the configuration `new` is like the present one.
    fn unconcerned(&self, new: &Config) -> BTreeSet<SessionId> {
        let list = |config: &Config, slave: &SlaveName| -> Vec<_> {
            let its = config.builders.iter().filter(|b| b.slaves.contains(slave));
            let mut list: Vec<_> = its
                .map(|b| (b.name.clone(), b.slavebuilddir.clone()))
                .collect();
            list.sort();
            list
        };
        let same = |slave: &SlaveName| {
            let kind = |config: &Config| config.slave(slave.as_str()).map(|s| s.kind.clone());
            let remains = new.slaves.iter().any(|s| s.name == *slave);
            remains
                && kind(&self.config) == kind(new)
                && list(&self.config, slave) == list(new, slave)
        };
        let known = self.config.slaves.iter().map(|s| &s.name);
        let known: BTreeSet<_> = known.collect();
        let sessions = self.reference.sessions.iter();
        sessions
            .filter(|(_, s)| known.contains(&s.slave) && same(&s.slave))
            .map(|(&session, _)| session)
            .collect()
    }

    /// What a scheduler was from this configuration on, in each.
    pub(super) fn history<'a>(
        &'a self,
        name: &'a SchedulerName,
        from: usize,
    ) -> impl Iterator<Item = Option<&'a SchedulerConfig>> {
        self.versions[from..].iter().map(move |config| {
            let mut all = config.schedulers.iter();
            all.find(|s| s.name == *name).map(Arc::as_ref)
        })
    }

    /// The scheduler of this name, if it has never changed.
    pub(super) fn steady<'a>(&'a self, name: &'a SchedulerName) -> Option<&'a SchedulerConfig> {
        let mut all = self.history(name, 0);
        let first = all.next()??;
        all.all(|s| s == Some(first)).then_some(first)
    }
}
