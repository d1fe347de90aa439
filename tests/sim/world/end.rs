//! What must be true of the sets when all is over.

use buildmaster::config::{SchedulerKind, TreeStable};
use buildmaster::model::{ChangeNumber, Results, SchedulerName, SourceStamp};

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
                other => panic!("no such scheduler is made: {other:?}"),
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
        let dropped = !important && (settings.tree_stable_timer.is_none() || rules.only_important);
        let elsewhere = branches.is_some_and(|b| !b.contains(&change.branch));
        if elsewhere || dropped {
            assert_eq!(count, 0, "change {number} is not wanted by {scheduler}");
        } else if important {
            assert_eq!(count, 1, "change {number} and {scheduler}");
        } else {
            assert!(count <= 1, "change {number} and {scheduler}");
        }
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

    fn sets_of(&self, scheduler: &SchedulerName) -> impl Iterator<Item = &Set> {
        let sets = self.disk.sets.values();
        sets.filter(move |s| s.set.scheduler.as_ref() == Some(scheduler))
    }
}
