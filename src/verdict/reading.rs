//! What evidence says: the problems of a subject, its points as they lie on the line (PRB-05 to
//! PRB-07, FLK-01 to FLK-03).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{At, Evidence, PROBED_POINTS};
use super::runs::{self, End, Run};
use crate::model::ChangeNumber;

/// What the evidence about a subject says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Its problems, in the order of their begins.
    pub problems: Vec<Found>,
    /// Whether it is proved to be flaky (FLK-01).
    pub is_flaky: bool,
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
        }
    }
}

/// The fingerprint of a failure that has none of its own.
const ANY: &str = "*";

/// Makes problems of evidence. The order of the evidence does not matter (PRB-06).
#[must_use]
pub fn read(evidence: &[Evidence]) -> Reading {
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
    let answered = points.values().rev().filter(|at| **at != At::Absent);
    let is_flaky = answered.take(PROBED_POINTS).any(|at| *at == At::Mixed);
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
        is_flaky,
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
    }
}
