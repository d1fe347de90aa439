//! What evidence says: the problems of a subject, its points as they lie on the line (PRB-05 to
//! PRB-07, FLK-01 to FLK-03).

mod on_slave;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{Answer, At, Evidence, PROBED_POINTS};
use super::runs::{self, End, Run};
use crate::model::{ChangeNumber, SlaveName};

/// What the evidence about a subject says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Its problems, in the order of their begins.
    pub problems: Vec<Found>,
    /// For how many more points that answer it is proved to be flaky; 0: it is not (FLK-01).
    pub flaky_for: u32,
}

impl Reading {
    /// Whether the subject is proved to be flaky.
    #[must_use]
    pub const fn is_flaky(&self) -> bool {
        self.flaky_for > 0
    }
}

/// A problem, as the evidence has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Found {
    /// The first failing point.
    pub first: ChangeNumber,
    /// The last one where it was seen.
    pub last: ChangeNumber,
    /// The last point before it where it was well; absent if there is none.
    pub after: Option<ChangeNumber>,
    /// Its fingerprints.
    pub symptoms: BTreeSet<String>,
    /// How it ended; absent while it is open.
    pub end: Option<End>,
    /// Why nobody is accused.
    pub doubt: Option<Doubt>,
    /// The first point at which the subject fails otherwise, if it does (PRB-07).
    pub unseen_since: Option<ChangeNumber>,
    /// The slave that alone has it (FLK-05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slave: Option<SlaveName>,
}

/// Why a conclusion may be wrong (PRB-12).
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// It was never seen passing on this line (PRB-09).
    NeverSeenPassing,
    /// The subject is flaky (FLK-02).
    Flaky,
    /// Another error may have hidden it (PRB-07).
    Masked,
    /// Its error is another one each time (PRB-07).
    UnstableSymptom,
    /// The test fails with another message than at first.
    SymptomChanged,
    /// Of a build between the last good one and the first bad one it is not known what it built.
    PointUnknown,
    /// It fails on one slave, and passes on others (FLK-05).
    OnlyOnOneSlave,
}

impl Doubt {
    /// The doubt in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverSeenPassing => "never seen passing",
            Self::Flaky => "flaky",
            Self::Masked => "masked",
            Self::UnstableSymptom => "unstable symptom",
            Self::SymptomChanged => "symptom changed",
            Self::PointUnknown => "point unknown in between",
            Self::OnlyOnOneSlave => "only on one slave",
        }
    }
}

/// The fingerprint of a failure that has none of its own.
const ANY: &str = "*";

/// Makes problems of evidence about a step. The order of the evidence does not matter (PRB-06).
#[must_use]
pub fn read(evidence: &[Evidence]) -> Reading {
    let Some(slave) = on_slave::bound(evidence) else {
        return read_any(evidence.iter());
    };
    let its = evidence
        .iter()
        .filter(|one| one.slave.as_ref() == Some(slave));
    let found = on_slave::problems(slave, evidence, &points_of(its));
    let is_explained = |one: &&Evidence| {
        let mut all = found.iter();
        one.slave.as_ref() == Some(slave)
            && all.any(|found| (found.first..=found.last).contains(&one.point))
    };
    let mut reading = read_any(evidence.iter().filter(|one| !is_explained(one)));
    reading.problems.extend(found);
    reading.problems.sort_by_key(|found| found.first);
    reading
}

/// Makes problems of evidence about a test, which is its own symptom (PRB-03).
#[must_use]
pub fn read_test(evidence: &[Evidence]) -> Reading {
    let plain = evidence.iter().cloned().map(|one| match one.answer {
        Answer::Fail(_) => Evidence {
            answer: Answer::Fail(BTreeSet::new()),
            ..one
        },
        Answer::Pass | Answer::Absent | Answer::Mixed => one,
    });
    let mut reading = read(&plain.collect::<Vec<_>>());
    for found in &mut reading.problems {
        if found.doubt.is_none() && has_other_message(evidence, found) {
            found.doubt = Some(Doubt::SymptomChanged);
        }
    }
    reading
}

/// Whether a test has failed with a message that it did not have at first (PRB-12).
fn has_other_message(evidence: &[Evidence], found: &Found) -> bool {
    let failing = evidence.iter().filter_map(|one| match &one.answer {
        Answer::Fail(prints) if !prints.is_empty() => Some((one.point, prints)),
        Answer::Fail(_) | Answer::Pass | Answer::Absent | Answer::Mixed => None,
    });
    let at_first = failing.clone().filter(|(point, _)| *point == found.first);
    let at_first: BTreeSet<_> = at_first.flat_map(|(_, prints)| prints).collect();
    let mut later = failing.filter(|(point, _)| found.first < *point && *point <= found.last);
    !at_first.is_empty()
        && later.any(|(_, prints)| prints.iter().all(|one| !at_first.contains(one)))
}

/// What each point says.
pub(super) fn points_of<'a>(
    evidence: impl Iterator<Item = &'a Evidence>,
) -> BTreeMap<ChangeNumber, At> {
    let mut points: BTreeMap<ChangeNumber, At> = BTreeMap::new();
    for one in evidence {
        let at = match points.remove(&one.point) {
            Some(at) => at.with(&one.answer),
            None => At::of(&one.answer),
        };
        points.insert(one.point, at);
    }
    for at in points.values_mut() {
        if let At::Fail(symptoms) = at
            && symptoms.is_empty()
        {
            symptoms.insert(ANY.to_owned());
        }
    }
    points
}

fn read_any<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> Reading {
    let points = points_of(evidence);
    let answered = points.values().rev().filter(|at| **at != At::Absent);
    let proof = answered.take(PROBED_POINTS).position(|at| *at == At::Mixed);
    let flaky_for = proof.map_or(0, |at| {
        u32::try_from(PROBED_POINTS - at).unwrap_or(u32::MAX)
    });
    let is_flaky = proof.is_some();
    let runs = match is_flaky {
        true => runs::of_flaky(&points),
        false => runs::of_steady(&points),
    };
    let problems = runs.into_iter().flat_map(|run| match is_flaky {
        true => vec![as_one(&run, Doubt::Flaky)],
        false => by_symptom(&run),
    });
    Reading {
        problems: problems.collect(),
        flaky_for,
    }
}

/// From this number of problems of one run on, its symptom counts as unstable (PRB-07).
const UNSTABLE: usize = 4;

/// A problem for each set of fingerprints that appeared together (PRB-07).
fn by_symptom(run: &Run) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut point_before = run.after;
    for (point, symptoms) in &run.fails {
        let mut new: BTreeSet<String> = symptoms.clone();
        let mut is_old_seen = false;
        for old in &mut found {
            let is_seen = !old.symptoms.is_disjoint(symptoms);
            is_old_seen |= is_seen;
            match is_seen {
                true => (old.last, old.unseen_since) = (*point, None),
                false => old.unseen_since = old.unseen_since.or(Some(*point)),
            }
            new.retain(|print| !old.symptoms.contains(print));
        }
        if !new.is_empty() {
            let is_first = found.is_empty();
            let is_masked = !is_first && !is_old_seen;
            found.push(Found {
                first: *point,
                last: *point,
                after: if is_masked { run.after } else { point_before },
                symptoms: new,
                end: run.end,
                doubt: match (run.after, is_masked) {
                    (_, true) => Some(Doubt::Masked),
                    (None, false) if is_first => Some(Doubt::NeverSeenPassing),
                    (_, false) => None,
                },
                unseen_since: None,
                slave: None,
            });
        }
        if found.len() == UNSTABLE {
            let prints = found.into_iter().flat_map(|one| one.symptoms);
            let mut one = as_one(run, Doubt::UnstableSymptom);
            one.symptoms = prints.collect();
            return vec![one];
        }
        point_before = Some(*point);
    }
    if run.end.is_some() {
        found.iter_mut().for_each(|one| one.unseen_since = None);
    }
    found
}

fn as_one(run: &Run, doubt: Doubt) -> Found {
    let last = run.fails.last().map(|(point, _)| *point);
    let prints = run.fails.iter().flat_map(|(_, symptoms)| symptoms);
    Found {
        first: run.first,
        last: last.unwrap_or(run.first),
        after: run.after,
        symptoms: prints.take(super::MOST_FINGERPRINTS).cloned().collect(),
        end: run.end,
        doubt: Some(doubt),
        unseen_since: None,
        slave: None,
    }
}
