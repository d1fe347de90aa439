//! What fails on one slave and passes on others (FLK-05).

use std::collections::{BTreeMap, BTreeSet};

use super::{Doubt, Found, as_one};
use crate::model::{ChangeNumber, SlaveName};
use crate::verdict::evidence::{Answer, At, Evidence};
use crate::verdict::runs;

/// How often it must fail on the one, and pass on others.
const TWICE: usize = 2;

/// The points at which one slave fails and others pass, and how often each happens.
#[derive(Default)]
struct Against {
    points: BTreeSet<ChangeNumber>,
    fails: usize,
    passes: usize,
}

/// The slave that alone has all the failures at the points that have both answers.
pub(super) fn bound(evidence: &[Evidence]) -> Option<&SlaveName> {
    let failing = evidence.iter().filter(|one| fails(one));
    let mut slaves: Vec<_> = failing.filter_map(|one| one.slave.as_ref()).collect();
    slaves.sort();
    slaves.dedup();
    slaves.into_iter().find(|slave| {
        let against = against(slave, evidence);
        against.is_some_and(|found| found.fails >= TWICE && found.passes >= TWICE)
    })
}

/// What speaks for it; absent if the failure is not of this slave alone.
fn against(slave: &SlaveName, evidence: &[Evidence]) -> Option<Against> {
    let mut points: BTreeMap<ChangeNumber, Vec<&Evidence>> = BTreeMap::new();
    for one in evidence {
        points.entry(one.point).or_default().push(one);
    }
    let mut found = Against::default();
    for (point, answers) in points {
        let failing = answers.iter().filter(|one| fails(one));
        let passing = answers.iter().filter(|one| one.answer == Answer::Pass);
        let (bad, good) = (failing.clone().count(), passing.clone().count());
        if answers.iter().any(|one| one.answer == Answer::Mixed) {
            return None;
        }
        if bad == 0 || good == 0 {
            continue;
        }
        let is_its = |one: &&&Evidence| one.slave.as_ref() == Some(slave);
        if failing.clone().filter(is_its).count() < bad || passing.clone().any(|one| is_its(&one)) {
            return None;
        }
        found.points.insert(point);
        found.fails += bad;
        found.passes += good;
    }
    Some(found)
}

fn fails(one: &Evidence) -> bool {
    matches!(one.answer, Answer::Fail(_))
}

/// The runs of failing points of the slave that others contradict. `own` has its answers alone.
pub(super) fn problems(
    slave: &SlaveName,
    evidence: &[Evidence],
    own: &BTreeMap<ChangeNumber, At>,
) -> Vec<Found> {
    let points = against(slave, evidence).map_or_else(BTreeSet::new, |found| found.points);
    let runs = runs::of_steady(own).into_iter();
    let found = runs.map(|run| Found {
        slave: Some(slave.clone()),
        ..as_one(&run, Doubt::OnlyOnOneSlave)
    });
    found
        .filter(|found| points.range(found.first..=found.last).next().is_some())
        .collect()
}
