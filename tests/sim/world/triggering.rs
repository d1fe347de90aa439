//! Builds that trigger others, and perhaps wait for them: what each is told, and what must be left
//! of it when it waits no longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildmaster::botmaster::{
    Ask, BuildInput, BuilderPattern, Input, NotTriggered, Related, RelatedEnds, StampField,
    Trigger, TriggerOver, TriggerWish, Triggered, Wished,
};
use buildmaster::model::{BuildId, PatchBody, Properties, SetId, SourceStamp, SourceStamps};
use rand::RngExt;

use super::World;

/// What a running build has to do with what it triggers.
#[derive(Debug, Default)]
pub(super) struct TriggerSide {
    /// The steps that have asked and were not answered, each with whether it waits for the sets.
    asked: BTreeMap<u32, bool>,
    /// How often it has asked.
    steps: u32,
    /// The sets that it waits for.
    open: BTreeSet<SetId>,
    /// All sets of whose ends it was told.
    over: BTreeSet<SetId>,
}

impl TriggerSide {
    pub(super) fn waits(&self) -> bool {
        self.asked.values().any(|&waits| waits) || !self.open.is_empty()
    }

    /// The build has been stopped, or has lost its slave.
    pub(super) fn leave(&mut self) {
        self.asked.values_mut().for_each(|waits| *waits = false);
        self.open.clear();
    }
}

impl World {
    /// A step of a build wants others to be built.
    pub(super) fn trigger(&mut self) {
        let Some(at) = self.pick(self.builds.len()) else {
            return;
        };
        let (&build, it) = self.builds.iter().nth(at).unwrap();
        // More would come of each.
        let is_deep = self.disk.sets.len() > 60;
        if !it.is_free() || it.lost || is_deep {
            return;
        }
        let stamp = match self.rng.random_range(0..3) {
            0 => Arc::default(),
            1 => Arc::new(SourceStamps::from(SourceStamp {
                revision: Some("77".to_owned()),
                ..SourceStamp::default()
            })),
            _ => self.stamp_of(build),
        };
        let wishes = (0..self.rng.random_range(1..3)).map(|_| self.wish(&stamp));
        let wishes: Vec<_> = wishes.collect();
        let wait = self.rng.random_bool(0.7);
        let it = self.builds.get_mut(&build).unwrap();
        let step = it.triggers.steps;
        it.triggers.steps += 1;
        it.triggers.asked.insert(step, wait);
        let trigger = Box::new(Trigger { step, wait, wishes });
        self.input(BuildInput::TriggerWanted { trigger }.of(build));
    }

    /// A step of a build wants others to end.
    pub(super) fn end_related(&mut self) {
        let Some(at) = self.pick(self.builds.len()) else {
            return;
        };
        let (&build, it) = self.builds.iter().nth(at).unwrap();
        if !it.is_free() || it.lost {
            return;
        }
        let related = Box::new(Related {
            step: 0,
            builders: vec!["b*".to_owned()],
            same: vec![StampField::Branch],
            properties: Vec::new(),
            only_older: self.rng.random_bool(0.5),
            waiting: self.rng.random_bool(0.7),
            running: self.rng.random_bool(0.5).then(|| "related".to_owned()),
        });
        self.input(BuildInput::RelatedFound { related }.of(build));
    }

    /// What was cancelled waits no longer.
    pub(super) fn on_related_ended(&self, ends: &RelatedEnds) {
        for (request, builder) in &ends.cancelled {
            assert!(!self.core.queued(builder).contains(request));
        }
    }

    /// Somebody stops a build that waits for others, if there is one.
    pub(super) fn stop_one_that_waits(&mut self) -> bool {
        let mut all = self.builds.iter();
        let Some((build, _)) = all.find(|(_, it)| it.triggers.waits()) else {
            return false;
        };
        let start = &self.disk.builds[build].start;
        let ask = Ask::StopBuild {
            builder: start.builder.clone(),
            number: start.number,
            reason: "it waits".to_owned(),
        };
        let reply = self.new_reply();
        self.input(Input::Asked { ask, reply });
        true
    }

    /// What the first request of a build is for.
    fn stamp_of(&self, build: BuildId) -> Arc<SourceStamps> {
        let request = self.disk.builds[&build].start.requests[0];
        let set = &self.disk.sets[&self.disk.requests[&request].set];
        Arc::clone(&set.set.stamps)
    }

    fn wish(&mut self, stamps: &Arc<SourceStamps>) -> TriggerWish {
        let config = Arc::clone(&self.config);
        let takes = config.schedulers.iter();
        let takes: Vec<_> = takes.filter(|s| s.kind.takes_triggers()).collect();
        let what = match self.pick(takes.len() + 1) {
            Some(at) if at < takes.len() => Wished::Scheduler(takes[at].name.clone()),
            _ => Wished::Builders(BuilderPattern {
                names: vec![["b*", "b1", "none"][self.rng.random_range(0..3)].to_owned()],
                tags: Vec::new(),
            }),
        };
        let mut properties = Properties::new();
        properties.set("n", self.rng.random_range(0..2), "Trigger");
        TriggerWish {
            what,
            stamps: Arc::clone(stamps),
            properties,
        }
    }

    /// What a build hears of is on disk, and is what it has asked for.
    pub(super) fn on_triggered(
        &mut self,
        build: BuildId,
        step: u32,
        result: Result<Vec<Triggered>, NotTriggered>,
    ) {
        let it = self.builds.get_mut(&build).expect("tells what runs");
        let asked = it.triggers.asked.remove(&step);
        assert!(asked.is_some(), "answered twice");
        for triggered in result.into_iter().flatten() {
            let Triggered::Set(set) = triggered else {
                continue;
            };
            let stored = &self.disk.sets[&set.id].set;
            assert_eq!(*stored, set, "not durable");
            let parent = set.parent.as_ref().expect("it is triggered");
            assert_eq!(parent.build, build);
            if let Some(patch) = &set.stamps.first().patch {
                assert_eq!(patch.body, PatchBody::Kept(set.id));
                assert!(self.disk.diffs.contains_key(&set.id), "without its patch");
            }
            if asked == Some(true) {
                assert!(parent.waits);
                it.triggers.open.insert(set.id);
            }
        }
    }

    /// A build hears once of the end of each set that it waits for.
    pub(super) fn on_trigger_over(&mut self, build: BuildId, over: &TriggerOver) {
        let it = self.builds.get_mut(&build).expect("tells what runs");
        let side = &mut it.triggers;
        assert!(side.over.insert(over.set), "told twice");
        let waits = side.open.remove(&over.set);
        // Or the end had been handed in before it was stopped.
        let stopped = it.interrupted.is_some() || it.lost;
        assert!(waits || stopped, "nobody waits for set {}", over.set);
        let set = &self.disk.sets[&over.set];
        assert_eq!(set.finished, Some(over.result), "not durable");
        assert_eq!(over.builds.len(), set.set.requests.len());
    }

    /// Sets that somebody has waited for until he was stopped, or until power went: none of their
    /// requests is queued.
    pub(super) fn check_left_sets(&self) {
        for builder in &self.config.builders {
            for request in self.core.queued(&builder.name) {
                let Some(known) = self.disk.requests.get(&request) else {
                    continue;
                };
                let set = &self.disk.sets[&known.set].set;
                let Some(parent) = set.parent.as_ref().filter(|parent| parent.waits) else {
                    continue;
                };
                let side = self.builds.get(&parent.build).map(|it| &it.triggers);
                let waits = side.is_some_and(|side| side.waits());
                assert!(waits, "request {request} of {parent} is left in a queue");
            }
        }
    }
}
