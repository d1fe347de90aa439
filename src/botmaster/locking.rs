//! Connects the lock table (`locks`) with builds, steps and slaves (section 16): which locks they
//! claim, whom a grant notifies, and what can start after a release.
//!
//! The locks of a slave are taken in the turn in which a build begins on it, and make it
//! unavailable to others (BLD-04). Those of builders and steps are asked for by the running build
//! and granted with [`BuildCommand::GrantLocks`]. Whatever way a build ends, all that it has or
//! waits for is given back with it (LCK-06).

use std::sync::Arc;

use super::attempt::Stage;
use super::dispatch::Rules;
use super::ids::BuilderIx;
use super::locks::{Holder, LockUser, Part};
use super::{AttemptId, BotMaster, BuildCommand, BuildEvent};
use crate::config::{self, Config, LockAccess, LockConfig};
use crate::model::{BuildId, LockName};

impl BotMaster {
    /// Applies the locks of the configuration and their uses by slaves and builders. Holders keep
    /// their locks, and waiters keep their places (LCK-09).
    pub(super) fn define_locks(&mut self) {
        let granted = self.locks.define(&self.out.layout.config().locks);
        let kinds = self.out.layout.config().locks.iter();
        let of_slaves = kinds.filter(|lock| lock.kind.is_of_slaves());
        let of_slaves: Vec<&LockName> = of_slaves.map(|lock| &lock.name).collect();
        for (ix, builder) in self.out.layout.builders() {
            let mut locks = builder.config.locks.iter();
            let rules = Rules {
                priority: builder.config.priority,
                choice: self.out.layout.config().slave_choice(&builder.config),
                locks_differ: locks.any(|l| of_slaves.contains(&&l.lock)),
                reserve: builder.config.reserve,
                max_builds: builder.config.max_builds,
            };
            self.dispatch.set_rules(ix, rules);
        }
        let slaves = self.out.layout.slaves();
        let slaves = slaves.map(|(ix, slave)| (ix, &slave.config.name, &*slave.config.locks));
        self.locks.set_slaves(slaves);
        self.tell_granted(granted);
    }

    /// Why the locks of a new configuration cannot be applied while the present builds run: a held
    /// lock has another type now (LCK-09), or builds would take locks in another order (LCK-04).
    pub(super) fn refuse_locks(&self, new: &Config) -> Option<String> {
        let in_use = |lock: &&LockConfig| self.locks.has_other_kind(lock);
        if let Some(lock) = new.locks.iter().find(in_use) {
            return Some(format!(
                "lock `{}` has another type now, and builds hold or want it: try again when they have ended, or give it \
                 another name",
                lock.name
            ));
        }
        let running: Vec<_> = self
            .builds
            .iter()
            .map(|(_, attempt)| {
                let (builder, slave) = &attempt.configs;
                let begun = attempt.is_accepted();
                // What has not begun yet takes the locks of its builder as that will be then.
                let later = new
                    .builders
                    .iter()
                    .find(|b| !begun && b.name == builder.name);
                (&**later.unwrap_or(builder), &**slave)
            })
            .collect();
        let circle = config::circle_with(&running, &new.locks, &new.slaves, &new.builders)?;
        Some(format!(
            "locks are taken in another order than by builds that run, and {circle}; try again when they have ended, \
             or stop them"
        ))
    }

    /// A running build or one of its steps wants locks. If it must wait, that is announced.
    pub(super) fn on_locks_wanted(&mut self, build: BuildId, user: LockUser, locks: &[LockAccess]) {
        let Some(owner) = self.builds.of_id(build) else {
            return;
        };
        let Some(slave) = self.builds.get(owner).and_then(|attempt| {
            let runs = matches!(attempt.stage, Stage::Running(..)) && !attempt.slave_gone;
            runs.then_some(attempt.slave)
        }) else {
            // It is being told that its slave is lost, and asks no more.
            return;
        };
        let wants = self
            .locks
            .resolve(locks, &self.out.layout.slave_name(slave));
        let part = Part::User(user);
        let holder = Holder { owner, part };
        let mut granted = self.locks.want(holder.clone(), wants, self.out.now.wall);
        if let Some(at) = granted.iter().position(|g| *g == holder) {
            granted.remove(at);
            self.send_grant(&holder);
        } else if let Some(wait) = self.lock_wait(&holder) {
            self.out.announce(BuildEvent::LocksAwaited(Arc::new(wait)));
        }
        self.tell_granted(granted);
    }

    /// A running build or one of its steps no longer needs or wants its locks.
    pub(super) fn on_locks_released(&mut self, build: BuildId, user: LockUser) {
        if let Some(owner) = self.builds.of_id(build) {
            let part = Part::User(user);
            let granted = self.locks.release(&Holder { owner, part });
            self.tell_granted(granted);
        }
    }

    /// A build that is being stopped, or has lost its slave, waits no longer (LCK-07). What it asks
    /// for afterwards, for steps that always run, is another matter.
    pub(super) fn forget_lock_waiter(&mut self, owner: AttemptId) {
        let granted = self.locks.forget_waiter(owner);
        self.tell_granted(granted);
    }

    /// A build is over, or its start has failed.
    pub(super) fn release_locks(&mut self, owner: AttemptId) {
        let granted = self.locks.release_all(owner);
        self.tell_granted(granted);
    }

    fn tell_granted(&mut self, granted: Vec<Holder>) {
        for holder in granted {
            if let Some((builder, number)) = self.send_grant(&holder)
                && let Part::User(user) = holder.part
            {
                let builder = self.out.layout.builder_name(builder);
                self.out.announce(BuildEvent::LocksGranted {
                    builder,
                    number,
                    user,
                });
            }
        }
    }

    fn send_grant(&mut self, holder: &Holder) -> Option<(BuilderIx, crate::model::BuildNumber)> {
        let attempt = self.builds.get(holder.owner)?;
        let (Stage::Running(build, number), Part::User(user)) = (&attempt.stage, &holder.part)
        else {
            return None;
        };
        let (build, number, builder) = (*build, *number, attempt.builder);
        let user = user.clone();
        self.out.send(BuildCommand::GrantLocks { user }.to(build));
        Some((builder, number))
    }
}
