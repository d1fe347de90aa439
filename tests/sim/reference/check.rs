//! What must hold after each input: the core and the model agree, and no request waits that could
//! start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildmaster::botmaster::{AttachmentState, BotMaster, InstanceState, SessionId};
use buildmaster::config::BuilderConfig;
use buildmaster::model::{BigState, BuilderName, Mono, SlaveName};

use super::{Reference, Session, State};

impl Reference {
    /// All of an input's commands are out: the invariants hold.
    /// For the builders in `waited_for`, people wait: builds of searches may stay behind.
    pub fn check(&mut self, now: Mono, core: &BotMaster, waited_for: &BTreeSet<BuilderName>) {
        self.check_attachments(now, core);
        self.check_max_builds(core);
        self.check_completeness();
        for builder in &self.config.builders {
            self.check_big_state(core, &builder.name);
            if !self.stopping && waited_for.contains(&builder.name) {
                let may_wait = |slave: &SlaveName| {
                    let config = self.config.slave(slave.as_str());
                    let is_held = config.is_none_or(|slave| !slave.hold.is_empty());
                    let is_checked =
                        builder.slave_check.is_some() && self.checks.may_wait(&builder.name, slave);
                    is_held
                        || is_checked
                        || builder.slave_rules.slave_if.is_some() && slave.as_str() == "s0"
                };
                if !builder.hold.is_empty() || self.may_be_full(core, builder) {
                    continue;
                }
                for slave in builder.slaves.iter().filter(|slave| !may_wait(slave)) {
                    assert!(
                        !(self.could_start(now, slave, &builder.name)
                            || self.could_be_started(now, slave, core))
                            || !core.slave_lock_blocks(slave).is_empty(),
                        "BLD-07: {} could start on {slave}",
                        builder.name
                    );
                }
            }
        }
    }

    /// Whether a build is being started somewhere, so that its requests are not in sight.
    pub fn is_starting(&self, core: &BotMaster) -> bool {
        let starting =
            |s: &AttachmentState| matches!(s, AttachmentState::Pinging { starting: true });
        core.attachments().iter().any(|a| starting(&a.state))
            || core.instances().iter().any(|i| !i.waiting.is_empty())
            || self.attached.values().any(|a| a.state == State::Starting)
    }

    /// SLB-01 (a), (b), (c).
    fn check_attachments(&self, now: Mono, core: &BotMaster) {
        let seen = core.attachments();
        assert_eq!(seen.len(), self.attached.len(), "SLB-01 (a)");
        for one in &seen {
            let it = &self.attached[&(one.session, one.builder.clone())];
            let expected = match it.state {
                State::Attaching => AttachmentState::Attaching,
                State::Idle => AttachmentState::Idle,
                State::Pinging(_) => match one.state {
                    pinging @ AttachmentState::Pinging { .. } => pinging,
                    _ => AttachmentState::Pinging { starting: true },
                },
                State::Starting | State::Building(_) => AttachmentState::Building,
            };
            assert_eq!(one.state, expected, "SLB-01 (a): {one:?} {it:?}");
            if it.state == State::Attaching {
                assert!(
                    now.since(it.since) <= self.config.attach_timeout,
                    "SLB-01 (b)"
                );
            }
            if one.state == (AttachmentState::Pinging { starting: true })
                && let State::Pinging(ping) = it.state
                && let Some(last) = self.paused.get(&one.slave)
                // A build that waited for its instance goes on.
                && !self.is_latent(&one.slave)
            {
                assert!(ping <= *last, "SLV-09: a build begins on {}", one.slave);
            }
        }
        for told in self.sessions.values().filter_map(|s| s.told) {
            assert!(now.since(told) <= Duration::from_secs(60), "SLV-08");
        }
        for session in self
            .sessions
            .values()
            .filter(|s| s.greeted && !s.ready && !s.graceful)
        {
            assert!(
                now.since(session.since) <= Duration::from_secs(130),
                "SLV-03"
            );
        }
    }

    /// SLV-10. What ran already when the limit was lowered goes on.
    fn check_max_builds(&mut self, core: &BotMaster) {
        let busy = self.busy(core);
        let of = |slave: &SlaveName| busy.get(slave).copied().unwrap_or(0);
        for (slave, allowed) in &mut self.before_change {
            *allowed = of(slave).min(*allowed);
        }
        let of_builders = Self::busy_builders(core);
        let of_builder = |builder: &BuilderName| of_builders.get(builder).copied().unwrap_or(0);
        for (builder, allowed) in &mut self.before_change_of {
            *allowed = of_builder(builder).min(*allowed);
        }
        for builder in &self.config.builders {
            let known = self.before_change_of.get(&builder.name);
            let allowed = known.copied().unwrap_or(0);
            let keeps = |max: u32| of_builder(&builder.name) <= max.max(allowed);
            assert!(
                builder.max_builds.is_none_or(keeps),
                "max_builds of a builder"
            );
        }
        for slave in &self.config.slaves {
            let allowed = self.before_change.get(&slave.name).copied().unwrap_or(0);
            let keeps = |max: u32| of(&slave.name) <= max.max(allowed);
            assert!(slave.max_builds.is_none_or(keeps), "max_builds");
        }
    }

    /// How many builds start or run on each slave.
    pub(super) fn busy(&self, core: &BotMaster) -> BTreeMap<SlaveName, u32> {
        let mut builds = BTreeMap::new();
        for one in core.attachments() {
            if let AttachmentState::Building | AttachmentState::Pinging { starting: true } =
                one.state
            {
                *builds.entry(one.slave).or_default() += 1;
            }
        }
        for instance in core.instances() {
            *builds.entry(instance.slave).or_default() +=
                u32::try_from(instance.waiting.len()).unwrap();
        }
        builds
    }

    /// How many builds start or run of each builder.
    pub(super) fn busy_builders(core: &BotMaster) -> BTreeMap<BuilderName, u32> {
        let mut builds = BTreeMap::new();
        for one in core.attachments() {
            if let AttachmentState::Building | AttachmentState::Pinging { starting: true } =
                one.state
            {
                *builds.entry(one.builder).or_default() += 1;
            }
        }
        for instance in core.instances() {
            for builder in instance.waiting {
                *builds.entry(builder).or_default() += 1;
            }
        }
        builds
    }

    /// Whether as many builds of a builder may start or run as can, or be seen so: a ping counts.
    fn may_be_full(&self, core: &BotMaster, builder: &BuilderConfig) -> bool {
        let its = self.attached.iter();
        let its = its.filter(|((_, its), it)| {
            *its == builder.name && !matches!(it.state, State::Idle | State::Attaching)
        });
        let instances = core.instances();
        let waiting = instances.iter().flat_map(|instance| &instance.waiting);
        let waiting = waiting.filter(|waiting| **waiting == builder.name).count();
        let busy = u32::try_from(its.count() + waiting).unwrap();
        builder.max_builds.is_some_and(|max| busy >= max)
    }

    /// SLV-12: a slave that is connected and has answered has all its builders.
    fn check_completeness(&self) {
        for (&session, it) in &self.sessions {
            if !it.ready || it.listing || it.rejoining {
                continue;
            }
            for builder in &self.config.builders {
                let attached = self.attached.contains_key(&(session, builder.name.clone()));
                let failed = it.failed.contains(&builder.name);
                let wanted = builder.slaves.contains(&it.slave) && !failed;
                assert!(attached || !wanted, "{} lacks {}", it.slave, builder.name);
            }
        }
    }

    /// BLD-13.
    fn check_big_state(&self, core: &BotMaster, builder: &BuilderName) {
        assert_eq!(core.big_state(builder), self.states.get(builder).copied());
        let mut its = self.attached.iter().filter(|((_, b), _)| b == builder);
        let attached = its.any(|(_, a)| a.state != State::Attaching);
        let config = self.config.builder(builder.as_str()).unwrap();
        let latent = config.slaves.iter().any(|slave| self.is_latent(slave));
        assert_eq!(
            core.big_state(builder) == Some(BigState::Offline),
            !attached && !latent
        );
    }

    /// BLD-04, from outside.
    fn could_start(&self, now: Mono, slave: &SlaveName, builder: &BuilderName) -> bool {
        let ready = |(_, s): &(&SessionId, &Session)| {
            s.slave == *slave && s.ready && !s.graceful && !s.rejoining
        };
        let Some((&session, _)) = self.sessions.iter().find(ready) else {
            return false;
        };
        let config = self
            .config
            .slaves
            .iter()
            .find(|s| s.name == *slave)
            .unwrap();
        let its = self.attached.iter().filter(|((s, _), _)| *s == session);
        let busy = its.filter(|(_, a)| !matches!(a.state, State::Idle | State::Attaching));
        let busy = u32::try_from(busy.count()).unwrap();
        let held = self.is_held(slave, now);
        let attachment = self.attached.get(&(session, builder.clone()));
        let idle = attachment.is_some_and(|a| a.state == State::Idle);
        let wanted = !held && !self.paused.contains_key(slave);
        idle && wanted && config.max_builds.is_none_or(|max| busy < max)
    }

    fn is_latent(&self, slave: &SlaveName) -> bool {
        let slave = self.config.slave(slave.as_str());
        slave.is_some_and(|slave| slave.kind.latent().is_some())
    }

    /// A latent slave of which there is nothing, and which is not held back.
    fn could_be_started(&self, now: Mono, slave: &SlaveName, core: &BotMaster) -> bool {
        let held = self.is_held(slave, now);
        let instances = core.instances();
        let instance = instances.iter().find(|i| i.slave == *slave);
        let down = instance.is_some_and(|i| i.state == InstanceState::Down);
        let connected = self.sessions.values().any(|s| s.slave == *slave);
        down && !connected && !held && !self.paused.contains_key(slave)
    }
}
