//! What must be true of the sets when all is over.

use std::sync::Arc;

use buildmaster::config::{SchedulerKind, TimedBuild, TreeStable};
use buildmaster::model::{Change, ChangeNumber, Decision, Results, SchedulerName, SourceStamp};

use super::World;
use crate::journal::Set;
use crate::setup;

impl World {
    /// MAS-06: every accepted change is in exactly one finished set of each scheduler that wants it.
    pub(super) fn check_end(&self) {
        for scheduler in &self.config.schedulers {
            let (branches, settings) = match &scheduler.kind {
                SchedulerKind::Scheduler { branch, settings } => {
                    (Some(vec![branch.clone()]), settings)
                }
                SchedulerKind::AnyBranch {
                    branches, settings, ..
                } => (branches.clone(), settings),
                SchedulerKind::Dependent { upstream } => {
                    self.check_dependent(&scheduler.name, upstream);
                    continue;
                }
                SchedulerKind::TryJobdir(_) | SchedulerKind::TryUserpass(_) => {
                    self.check_try(&scheduler.name);
                    continue;
                }
                SchedulerKind::Periodic { what, .. } => {
                    self.check_timed(&scheduler.name, what);
                    continue;
                }
                SchedulerKind::Nightly(nightly) => {
                    self.check_timed(&scheduler.name, &nightly.what);
                    continue;
                }
                SchedulerKind::Triggerable => panic!("no such scheduler is made"),
            };
            for number in &self.accepted {
                self.check_change(*number, &scheduler.name, branches.as_deref(), settings);
            }
        }
    }

    fn check_change(
        &self,
        number: ChangeNumber,
        scheduler: &SchedulerName,
        branches: Option<&[Option<String>]>,
        settings: &TreeStable,
    ) {
        let change = self.disk.changes.get(&number).expect("accepted, then lost");
        let rules = &settings.rules;
        let important = rules.importance.is_none() || change.files[0] == setup::IMPORTANT;
        let holds = |stamp: &SourceStamp| stamp.changes.iter().any(|c| c.number == number);
        let count = self
            .sets_of(scheduler)
            .filter(|s| holds(&s.set.stamp))
            .count();
        let said = self.decision(number, scheduler);
        let dropped = !important && (settings.tree_stable_timer.is_none() || rules.only_important);
        let elsewhere = branches.is_some_and(|b| !b.contains(&change.branch));
        if elsewhere || dropped {
            assert_eq!(count, 0, "change {number} is not wanted by {scheduler}");
            assert!(!said.keeps() && !said.counts(), "{said:?}");
        } else if important {
            assert!(said.counts(), "{said:?}");
            assert_eq!(count, 1, "change {number} and {scheduler}");
        } else {
            assert!(count <= 1, "change {number} and {scheduler}");
            assert!(said.keeps() && !said.counts(), "{said:?}");
        }
    }

    /// What a scheduler said of an accepted change.
    fn decision(&self, number: ChangeNumber, scheduler: &SchedulerName) -> Decision {
        let said = &self.disk.decisions[&number];
        let mut its = said.iter().filter(|(name, _)| name == scheduler);
        let decision = its.next().expect("everybody says something").1;
        assert_eq!(its.next(), None, "{scheduler} says one thing");
        decision
    }

    /// Whether a scheduler by the clock has an accepted change that it must build yet.
    pub(super) fn owes_changes(&self, scheduler: &SchedulerName, what: &TimedBuild) -> bool {
        let mut accepted = self.accepted.iter();
        accepted.any(|number| {
            self.wants(*number, what) == Some(true) && self.times_built(*number, scheduler) == 0
        })
    }

    /// NIG-12, PER-06: what builds changes builds each that is important once, and nothing for others alone.
    fn check_timed(&self, scheduler: &SchedulerName, what: &TimedBuild) {
        for number in &self.accepted {
            let times = self.times_built(*number, scheduler);
            let said = self.decision(*number, scheduler);
            match self.wants(*number, what) {
                Some(true) => {
                    assert_eq!(times, 1, "change {number} and {scheduler}");
                    assert!(said.counts());
                }
                Some(false) => {
                    assert!(times <= 1, "change {number} and {scheduler}");
                    assert!(said.keeps() && !said.counts());
                }
                None => {
                    assert_eq!(times, 0, "change {number} and {scheduler}");
                    assert!(!said.keeps() && !said.counts());
                }
            }
        }
        let has_file = |c: &Arc<Change>| c.files[0] == setup::IMPORTANT;
        for set in self.sets_of(scheduler) {
            let stamp = &set.set.stamp;
            assert_eq!(stamp.branch, what.branch);
            if let Some(rules) = &what.only_if_changed {
                let any = rules.importance.is_none() || stamp.changes.iter().any(has_file);
                assert!(any && !stamp.changes.is_empty(), "nothing important");
            }
        }
    }

    /// Whether a change is important to a scheduler by the clock that wants it.
    fn wants(&self, number: ChangeNumber, what: &TimedBuild) -> Option<bool> {
        let rules = what.only_if_changed.as_ref()?;
        let change = &self.disk.changes[&number];
        let important = rules.importance.is_none() || change.files[0] == setup::IMPORTANT;
        let wanted = change.branch == what.branch && (important || !rules.only_important);
        wanted.then_some(important)
    }

    fn times_built(&self, number: ChangeNumber, scheduler: &SchedulerName) -> usize {
        let its = |s: &&Set| s.set.stamp.changes.iter().any(|c| c.number == number);
        self.sets_of(scheduler).filter(its).count()
    }

    /// DEP-07: for every success of the upstream there is one set of the same sources.
    fn check_dependent(&self, scheduler: &SchedulerName, upstream: &SchedulerName) {
        let numbers =
            |stamp: &SourceStamp| -> Vec<_> { stamp.changes.iter().map(|c| c.number).collect() };
        let succeeded = |s: &&Set| s.finished == Some(Results::Success);
        let wins = self.sets_of(upstream).filter(succeeded);
        let mut wins: Vec<_> = wins.map(|s| numbers(&s.set.stamp)).collect();
        let its = self.sets_of(scheduler);
        let mut its: Vec<_> = its.map(|s| numbers(&s.set.stamp)).collect();
        wins.sort();
        its.sort();
        assert_eq!(its, wins, "{scheduler} after {upstream}");
    }

    pub(super) fn sets_of(&self, scheduler: &SchedulerName) -> impl Iterator<Item = &Set> {
        let sets = self.disk.sets.values();
        sets.filter(move |s| s.set.scheduler.as_ref() == Some(scheduler))
    }
}
