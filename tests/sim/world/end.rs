//! What must be true of the sets when all is over.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::Arc;

use buildmaster::config::{ChangeRules, SchedulerConfig, SchedulerKind, TimedBuild, TreeStable};
use buildmaster::model::{Change, ChangeNumber, Decision, Results, SchedulerName, SourceStamp};

use super::World;
use crate::journal::Set;
use crate::setup;

/// What a scheduler is to make of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    /// It is built.
    Build,
    /// It is built if something that matters is.
    Keep,
    /// This scheduler has nothing to do with it.
    Ignore,
}

impl World {
    /// MAS-06: every accepted change is in exactly one finished set of each scheduler that wants
    /// it, also if that is changed meanwhile (SCB-10).
    pub(super) fn check_end(&self) {
        let all = self.versions.iter().flat_map(|c| &c.schedulers);
        for name in all.map(|s| &s.name).collect::<BTreeSet<_>>() {
            for (&number, &version) in &self.accepted {
                self.check_change(number, name, version);
            }
            self.check_try(name);
            match self.steady(name).map(|s| &s.kind) {
                Some(SchedulerKind::Dependent(config)) => {
                    self.check_dependent(name, &config.upstream);
                }
                Some(SchedulerKind::Periodic(config)) => self.check_timed(name, &config.what),
                Some(SchedulerKind::Nightly(nightly)) => self.check_timed(name, &nightly.what),
                _ => {}
            }
        }
    }

    fn check_change(&self, number: ChangeNumber, name: &SchedulerName, version: usize) {
        let change = self.disk.changes.get(&number).expect("accepted, then lost");
        let first = self.history(name, version).next().flatten();
        let wish = first.and_then(|s| wish(change, s));
        if let Some(wish) = wish {
            let said = self.decision(number, name);
            assert_eq!(said.counts(), wish == Wish::Build, "{said:?}");
            let kept = said.keeps() || said.counts();
            assert_eq!(kept, wish != Wish::Ignore, "{said:?}");
        }
        let times = self.times_built(number, name);
        // A Dependent may build it for more than one upstream, one after the other, and steps may
        // trigger it more than once.
        let mut all = self.history(name, version).flatten();
        let is_own = |s: &SchedulerConfig| {
            !matches!(s.kind, SchedulerKind::Dependent(_)) && !s.kind.takes_triggers()
        };
        if all.all(is_own) {
            assert!(times <= 1, "change {number} and {name}");
        }
        match self.lasting_wish(number, name, version) {
            Some(Wish::Build) => assert_eq!(times, 1, "change {number} and {name}"),
            Some(Wish::Ignore) => assert_eq!(times, 0, "change {number} and {name}"),
            Some(Wish::Keep) | None => {}
        }
    }

    /// What a scheduler is to make of a change by all the configurations since, if they agree and
    /// it stays of one kind.
    fn lasting_wish(
        &self,
        number: ChangeNumber,
        name: &SchedulerName,
        version: usize,
    ) -> Option<Wish> {
        let change = self.disk.changes.get(&number)?;
        let mut all = self.history(name, version);
        let first = all.next()??;
        let kind = discriminant(&first.kind);
        let same = wish(change, first)?;
        let agrees =
            |s: &SchedulerConfig| discriminant(&s.kind) == kind && wish(change, s) == Some(same);
        all.all(|s| s.is_some_and(agrees)).then_some(same)
    }

    /// What a scheduler said of an accepted change.
    fn decision(&self, number: ChangeNumber, scheduler: &SchedulerName) -> &Decision {
        let said = &self.disk.decisions[&number];
        let mut its = said.iter().filter(|(name, _)| name == scheduler);
        let (_, decision) = its.next().expect("everybody says something");
        assert_eq!(its.next(), None, "{scheduler} says one thing");
        decision
    }

    /// Whether a scheduler by the clock has an accepted change that it must build yet.
    pub(super) fn owes_changes(&self, scheduler: &SchedulerName) -> bool {
        let mut accepted = self.accepted.iter();
        accepted.any(|(&number, &version)| {
            self.lasting_wish(number, scheduler, version) == Some(Wish::Build)
                && self.times_built(number, scheduler) == 0
        })
    }

    /// NIG-12, PER-06: what builds changes builds nothing for unimportant ones alone.
    fn check_timed(&self, scheduler: &SchedulerName, what: &TimedBuild) {
        let has_file = |c: &Arc<Change>| c.files[0] == setup::IMPORTANT;
        for set in self.sets_of(scheduler) {
            let stamp = set.set.stamps.first();
            assert_eq!(stamp.branch, what.branch);
            if let Some(rules) = &what.only_if_changed {
                let any = rules.importance.is_none() || stamp.changes.iter().any(has_file);
                assert!(any && !stamp.changes.is_empty(), "nothing important");
            }
        }
    }

    fn times_built(&self, number: ChangeNumber, scheduler: &SchedulerName) -> usize {
        let its = |s: &&Set| {
            s.set
                .stamps
                .first()
                .changes
                .iter()
                .any(|c| c.number == number)
        };
        self.sets_of(scheduler).filter(its).count()
    }

    /// DEP-07: for every success of the upstream there is one set of the same sources.
    fn check_dependent(&self, scheduler: &SchedulerName, upstream: &SchedulerName) {
        let numbers =
            |stamp: &SourceStamp| -> Vec<_> { stamp.changes.iter().map(|c| c.number).collect() };
        let succeeded = |s: &&Set| s.finished == Some(Results::Success);
        let wins = self.sets_of(upstream).filter(succeeded);
        let mut wins: Vec<_> = wins.map(|s| numbers(s.set.stamps.first())).collect();
        let its = self.sets_of(scheduler);
        let mut its: Vec<_> = its.map(|s| numbers(s.set.stamps.first())).collect();
        wins.sort();
        its.sort();
        assert_eq!(its, wins, "{scheduler} after {upstream}");
    }

    pub(super) fn sets_of(&self, scheduler: &SchedulerName) -> impl Iterator<Item = &Set> {
        let sets = self.disk.sets.values();
        sets.filter(move |s| s.set.scheduler.as_ref() == Some(scheduler))
    }
}

/// What a scheduler is to make of a change; nothing is given if it looks at none.
fn wish(change: &Change, scheduler: &SchedulerConfig) -> Option<Wish> {
    let is_important =
        |rules: &ChangeRules| rules.importance.is_none() || change.files[0] == setup::IMPORTANT;
    let timed = |what: &TimedBuild| {
        let Some(rules) = &what.only_if_changed else {
            return (false, false);
        };
        let important = is_important(rules);
        let wanted = change.branch == what.branch && (important || !rules.only_important);
        (wanted, important)
    };
    let stable = |settings: &TreeStable, here: bool| {
        let rules = &settings.rules;
        let important = is_important(rules);
        let dropped = settings.tree_stable_timer.is_none() || rules.only_important;
        (here && (important || !dropped), important)
    };
    let (wanted, important) = match &scheduler.kind {
        SchedulerKind::Scheduler(one) => stable(&one.tree_stable, change.branch == one.branch),
        SchedulerKind::AnyBranch(any) => {
            let branches = any.branches.as_ref();
            stable(
                &any.tree_stable,
                branches.is_none_or(|b| b.contains(&change.branch)),
            )
        }
        SchedulerKind::Periodic(config) => timed(&config.what),
        SchedulerKind::Nightly(nightly) => timed(&nightly.what),
        _ => return None,
    };
    Some(match (wanted, important) {
        (true, true) => Wish::Build,
        (true, false) => Wish::Keep,
        (false, _) => Wish::Ignore,
    })
}
