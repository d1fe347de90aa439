//! Builds and steps that take locks, and what must be true of those who hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildmaster::botmaster::{BuildInput, BuildPlan, Event, InstanceEvent, LockUser, SessionId};
use buildmaster::config::{Config, LockAccess, LockConfig, LockMode, LockScope};
use buildmaster::model::{BuildId, BuilderName, LockName, SlaveName};

use super::World;
use crate::setup;

/// What a running build has to do with locks.
#[derive(Debug)]
pub(super) struct LockSide {
    slave: SlaveName,
    /// What it holds of its slave's locks.
    of_slave: Hold,
    /// The locks of its builder.
    own: Vec<LockAccess>,
    /// Those that its steps may want.
    of_steps: Vec<LockName>,
    waiting: Option<(LockUser, Vec<LockAccess>)>,
    held: BTreeMap<LockUser, Hold>,
    /// How often it has asked.
    asked: u32,
}

/// Locks that are held, since when, and under which configuration they were taken (LCK-09).
#[derive(Debug)]
pub(super) struct Hold {
    locks: Vec<LockAccess>,
    since: u64,
    config: Arc<Config>,
}

impl LockSide {
    pub(super) fn new(plan: &BuildPlan, of_slave: Hold) -> Self {
        Self {
            slave: plan.slave.clone(),
            of_slave,
            of_steps: setup::locks_after(&plan.builder),
            own: plan.builder.locks.clone(),
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

    fn on_grant(&mut self, user: &LockUser, since: u64, config: Arc<Config>) {
        let (whose, locks) = self.waiting.take().expect("granted to one who waits");
        assert_eq!(whose, *user);
        let hold = Hold {
            locks,
            since,
            config,
        };
        self.held.insert(whose, hold);
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
            self.input(BuildInput::LocksReleased { user }.of(build));
        } else if side.waits() || it.lost {
            // It has no effect, whatever is released that is not held.
            let user = LockUser::Step {
                index: 77,
                name: "none".into(),
            };
            self.input(BuildInput::LocksReleased { user }.of(build));
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
            self.input(BuildInput::LocksWanted { user, locks }.of(build));
        }
    }

    pub(super) fn on_grant(&mut self, build: BuildId, user: &LockUser) {
        self.last_id += 1;
        let (since, config) = (self.last_id, Arc::clone(&self.config));
        let it = self.builds.get_mut(&build).expect("grants to what runs");
        it.locks.on_grant(user, since, config);
        self.check_locks();
    }

    /// A build has the locks of a latent slave from the moment at which it chooses it.
    pub(super) fn note_instance(&mut self, event: &Event) {
        match event {
            Event::Instance(InstanceEvent::Substantiating { builder, slave }) => {
                let pair = (slave.clone(), builder.clone());
                self.substantiating.insert(pair, Arc::clone(&self.config));
            }
            Event::Instance(InstanceEvent::Substantiated { builder, slave }) => {
                let pair = (slave.clone(), builder.clone());
                if let Some(config) = self.substantiating.remove(&pair) {
                    self.substantiated.insert(pair, config);
                }
            }
            _ => {}
        }
    }

    /// A build may begin there: it has the locks of the slave from now on.
    pub(super) fn begin_on(&mut self, session: SessionId, builder: BuilderName) {
        self.last_id += 1;
        let slave = self.reference.sessions[&session].slave.clone();
        let pair = (slave, builder);
        let chosen = self.substantiated.remove(&pair);
        let config = chosen.unwrap_or_else(|| Arc::clone(&self.config));
        let (slave, builder) = pair;
        let its = config.slaves.iter().find(|s| s.name == slave);
        let hold = Hold {
            locks: its.map_or_else(Vec::new, |s| s.locks.clone()),
            since: self.last_id,
            config,
        };
        self.begun.insert((session, builder), hold);
    }

    /// LCK-02: no exclusive lock is held twice, and the count is kept that was in force when the
    /// last of its holders came.
    fn check_locks(&self) {
        type Holders<'a> = Vec<(&'a Hold, LockMode)>;
        let mut holders: BTreeMap<(&LockName, LockScope), Holders<'_>> = BTreeMap::new();
        for it in self.builds.values() {
            let its = it.locks.held.values().chain([&it.locks.of_slave]);
            for (hold, access) in its.flat_map(|h| h.locks.iter().map(move |a| (h, a))) {
                let scope = hold.defined(&access.lock).scope_on(&it.locks.slave);
                let its = holders.entry((&access.lock, scope)).or_default();
                its.push((hold, access.mode));
            }
        }
        for ((lock, scope), its) in holders {
            let last = its.iter().max_by_key(|(hold, _)| hold.since).unwrap().0;
            let defined = last.defined(lock);
            let max = match &scope {
                LockScope::Slave(slave) => defined.max_count_on(slave),
                LockScope::Master | LockScope::Group(_) => defined.max_count,
            };
            let is_exclusive = its.iter().any(|(_, mode)| *mode == LockMode::Exclusive);
            let max = if is_exclusive {
                1
            } else {
                usize::try_from(max).unwrap()
            };
            assert!(its.len() <= max, "{lock} {scope:?} is held {its:?}");
        }
    }
}

impl Hold {
    fn defined(&self, name: &LockName) -> &LockConfig {
        let mut locks = self.config.locks.iter();
        locks.find(|l| l.name == *name).unwrap()
    }
}
