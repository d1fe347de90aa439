//! Builds and steps that take locks, and what must be true of those who hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildmaster::botmaster::{BuildPlan, Input, LockUser};
use buildmaster::config::{LockAccess, LockKind, LockMode};
use buildmaster::model::{BuildId, LockName, SlaveName};

use super::World;
use crate::setup;

/// What a running build has to do with locks.
#[derive(Debug)]
pub(super) struct LockSide {
    slave: SlaveName,
    /// The locks of its builder.
    own: Vec<LockAccess>,
    /// Those that its steps may want.
    of_steps: Vec<LockName>,
    waiting: Option<(LockUser, Vec<LockAccess>)>,
    held: BTreeMap<LockUser, Vec<LockAccess>>,
    /// How often it has asked.
    asked: u32,
}

impl LockSide {
    pub(super) fn new(plan: &BuildPlan) -> Self {
        let own = plan.builder.locks.clone();
        Self {
            slave: plan.slave.clone(),
            of_steps: setup::locks_after(&own),
            own,
            waiting: None,
            held: BTreeMap::new(),
            asked: 0,
        }
    }

    pub(super) fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// The build has been stopped, or lost its slave.
    pub(super) fn leave(&mut self) {
        self.waiting = None;
    }

    fn on_grant(&mut self, user: &LockUser) {
        let (whose, locks) = self.waiting.take().expect("granted to one who waits");
        assert_eq!(whose, *user);
        self.held.insert(whose, locks);
    }
}

impl World {
    /// A build wants the next locks, or gives some back.
    pub(super) fn move_locks(&mut self) {
        let Some(at) = self.pick(self.builds.len()) else {
            return;
        };
        let (rng, (&build, it)) = (&mut self.rng, self.builds.iter_mut().nth(at).unwrap());
        let side = &mut it.locks;
        let steps = side.held.keys().find(|user| **user != LockUser::Build);
        if let Some(user) = steps.cloned() {
            side.held.remove(&user);
            self.input(Input::LocksReleased { build, user });
        } else if side.waits() || it.lost {
            // It has no effect, whatever is released that is not held.
            let user = LockUser::Step {
                index: 77,
                name: "none".into(),
            };
            self.input(Input::LocksReleased { build, user });
        } else {
            let (user, locks) = if side.asked == 0 && !side.own.is_empty() {
                (LockUser::Build, side.own.clone())
            } else {
                let (index, name) = (side.asked, "step".into());
                let locks = setup::some_locks(rng, &side.of_steps);
                (LockUser::Step { index, name }, locks)
            };
            side.asked += 1;
            side.waiting = Some((user.clone(), locks.clone()));
            self.input(Input::LocksWanted { build, user, locks });
        }
    }

    pub(super) fn on_grant(&mut self, build: BuildId, user: &LockUser) {
        let it = self.builds.get_mut(&build).expect("grants to what runs");
        it.locks.on_grant(user);
        self.check_locks();
    }

    /// LCK-02: no exclusive lock is held twice, and counts are kept.
    fn check_locks(&self) {
        let mut holders: BTreeMap<(&LockName, Option<&SlaveName>), Vec<LockMode>> = BTreeMap::new();
        for it in self.builds.values() {
            let slaves = self.config.slaves.iter().map(Arc::as_ref);
            let of_slave = slaves.filter(|s| s.name == it.locks.slave);
            let of_slave = of_slave.flat_map(|s| &s.locks);
            for access in it.locks.held.values().flatten().chain(of_slave) {
                let defined = self.config.locks.iter().find(|l| l.name == access.lock);
                let slave = match defined.unwrap().kind {
                    LockKind::Master => None,
                    LockKind::Slave { .. } => Some(&it.locks.slave),
                };
                let modes = holders.entry((&access.lock, slave)).or_default();
                modes.push(access.mode);
            }
        }
        for ((lock, slave), modes) in holders {
            let defined = self.config.locks.iter().find(|l| l.name == *lock).unwrap();
            let max = slave.map_or(defined.max_count, |s| defined.max_count_on(s));
            let max = if modes.contains(&LockMode::Exclusive) {
                1
            } else {
                usize::try_from(max).unwrap()
            };
            assert!(modes.len() <= max, "{lock} {slave:?} is held {modes:?}");
        }
    }
}
