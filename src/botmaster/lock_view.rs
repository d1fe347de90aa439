//! Who waits for which lock, who holds it, and whose turn it is (LCK-11), as data and as a
//! sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::locks::{Holder, Instance, LockUser, Part, Seen};
use super::{AttemptId, BotMaster};
use crate::config::{LockMode, LockScope};
use crate::model::{BuildNumber, BuilderName, LockName, SlaveName, Timestamp};
use crate::text;

/// A running build, or a step of one, that waits for locks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LockWait {
    /// The builder.
    pub builder: BuilderName,
    /// The build's number.
    pub number: BuildNumber,
    /// What of it waits.
    pub user: LockUser,
    /// Since when.
    pub since: Timestamp,
    /// What it cannot have yet; it gets all that it wants at once.
    pub blocks: Vec<LockBlock>,
}

/// A lock that somebody cannot have yet.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LockBlock {
    /// Which lock.
    pub lock: LockName,
    /// Who shares it.
    pub scope: LockScope,
    /// How it is wanted.
    pub mode: LockMode,
    /// Who holds it now; nobody, if it is kept for those who came before.
    pub holders: Vec<LockHolder>,
    /// The place in the queue of the lock, from 1; 0 for what does not queue.
    pub place: usize,
}

/// Who holds a lock.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LockHolder {
    /// The builder.
    pub builder: BuilderName,
    /// The build's number; absent while the build is being started.
    pub number: Option<BuildNumber>,
    /// What of it; absent for its use of the slave.
    pub user: Option<LockUser>,
}

impl BotMaster {
    /// Every build and step that waits for locks, in order of arrival.
    #[must_use]
    pub fn lock_waits(&self) -> Vec<LockWait> {
        let waiters = self.locks.waiters().into_iter();
        waiters
            .filter_map(|seen| self.describe_wait(seen))
            .collect()
    }

    /// The locks of a slave's own that are not free, so that it takes no build (BLD-04).
    #[must_use]
    pub fn slave_lock_blocks(&self, slave: &SlaveName) -> Vec<LockBlock> {
        let slave = self.out.layout.slave_named(slave);
        let locks = slave.map(|slave| self.locks.of_slave(slave));
        let locks = locks.into_iter().flatten();
        locks
            .filter(|(instance, mode)| !self.locks.is_free(instance, *mode))
            .map(|(instance, mode)| {
                let holders = self.locks.holders(instance);
                self.describe_block(instance, *mode, &holders, 0)
            })
            .collect()
    }

    /// Whether no lock is held or waited for.
    #[must_use]
    pub fn has_no_locks_taken(&self) -> bool {
        self.locks.is_empty()
    }

    pub(super) fn lock_wait(&self, holder: &Holder) -> Option<LockWait> {
        self.describe_wait(self.locks.waiter(holder)?)
    }

    /// What a build or one of its steps waits for, if it waits.
    pub(super) fn lock_wait_of(&self, owner: AttemptId) -> Option<LockWait> {
        self.describe_wait(self.locks.waiter_of(owner)?)
    }

    fn describe_wait(&self, seen: Seen<'_>) -> Option<LockWait> {
        let (builder, number) = self.build_of(seen.holder.owner)?;
        let Part::User(user) = &seen.holder.part else {
            return None;
        };
        let blocks = seen.blocks.into_iter();
        let blocks = blocks.map(|(instance, mode, holders, place)| {
            self.describe_block(instance, mode, &holders, place)
        });
        Some(LockWait {
            builder,
            number: number?,
            user: user.clone(),
            since: seen.since,
            blocks: blocks.collect(),
        })
    }

    fn describe_block(
        &self,
        instance: &Instance,
        mode: LockMode,
        holders: &[&Holder],
        place: usize,
    ) -> LockBlock {
        let holders = holders.iter().filter_map(|holder| {
            let (builder, number) = self.build_of(holder.owner)?;
            let user = match &holder.part {
                Part::Slave => None,
                Part::User(user) => Some(user.clone()),
            };
            Some(LockHolder {
                builder,
                number,
                user,
            })
        });
        LockBlock {
            lock: instance.lock.clone(),
            scope: instance.scope.clone(),
            mode,
            holders: holders.collect(),
            place,
        }
    }

    pub(super) fn build_of(&self, id: AttemptId) -> Option<(BuilderName, Option<BuildNumber>)> {
        let attempt = self.builds.get(id)?;
        let number = attempt.build().map(|(_, number)| number);
        Some((self.out.layout.builder_name(attempt.builder), number))
    }
}

impl fmt::Display for LockWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let LockUser::Step { name, .. } = &self.user {
            write!(f, "step {name} of ")?;
        }
        write!(f, "build {}/{} waits for ", self.builder, self.number)?;
        for (at, block) in self.blocks.iter().enumerate() {
            if at > 0 {
                f.write_str(" and for ")?;
            }
            block.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for LockBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lock {}", self.lock)?;
        match &self.scope {
            LockScope::Master => {}
            LockScope::Slave(slave) => write!(f, " of slave {slave}")?,
            LockScope::Group(group) => write!(f, " ({group})")?,
        }
        if self.holders.is_empty() {
            f.write_str(", kept for those who came before")?;
        } else {
            write!(f, ", held by {}", text::and(&self.holders))?;
        }
        if self.place > 0 {
            write!(f, ", place {}", self.place)?;
        }
        Ok(())
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(LockUser::Step { name, .. }) => write!(f, "step {name} of ")?,
            Some(LockUser::Build) | None => {}
        }
        match self.number {
            Some(number) => write!(f, "{}/{number}", self.builder),
            None => write!(f, "a build of {} that is starting", self.builder),
        }
    }
}
