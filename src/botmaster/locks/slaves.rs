//! The locks of slaves' own, which each build on a slave takes (BLD-04).

use std::collections::BTreeSet;

use super::{Holder, Instance, Locks, Part, Wants};
use crate::botmaster::ids::{AttemptId, SlaveIx};
use crate::config::{LockAccess, LockMode};
use crate::model::SlaveName;

impl Locks {
    /// Takes the locks of all slaves, as they are in a configuration.
    pub(in crate::botmaster) fn set_slaves<'a>(
        &mut self,
        slaves: impl Iterator<Item = (SlaveIx, &'a SlaveName, &'a [LockAccess])>,
    ) {
        self.slaves_by_lock.clear();
        for (slave, name, locks) in slaves {
            let wants = self.resolve(locks, name);
            for (instance, _) in &wants {
                let users = self.slaves_by_lock.entry(instance.clone()).or_default();
                users.push(slave);
            }
            self.of_slaves.insert(slave, wants);
            self.slaves_touched.insert(slave);
        }
    }

    /// The locks of a slave.
    pub(in crate::botmaster) fn of_slave(&self, slave: SlaveIx) -> &[(Instance, LockMode)] {
        self.of_slaves.get(&slave).map_or(&[], Wants::as_slice)
    }

    /// A build begins on the slave, whose locks are free. Answers whether it has them.
    #[must_use]
    pub(in crate::botmaster) fn take_slave(&mut self, owner: AttemptId, slave: SlaveIx) -> bool {
        let wants = self.of_slave(slave).to_vec();
        let part = Part::Slave;
        wants.is_empty() || self.take(&Holder { owner, part }, &wants)
    }

    /// The slaves with locks that were taken, given back or queued for since this was last asked,
    /// and whether all locks of the slave are free (LCK-08).
    pub(in crate::botmaster) fn take_touched(&mut self) -> Vec<(SlaveIx, bool)> {
        let mut slaves: BTreeSet<SlaveIx> = std::mem::take(&mut self.slaves_touched);
        for instance in std::mem::take(&mut self.touched) {
            let users = self.slaves_by_lock.get(&instance);
            slaves.extend(users.into_iter().flatten());
        }
        let slaves = slaves.into_iter();
        slaves
            .map(|slave| (slave, self.are_free(self.of_slave(slave))))
            .collect()
    }
}
