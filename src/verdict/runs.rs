//! Runs of failing points (PRB-05, FLK-02, FLK-03).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::evidence::At;
use crate::model::ChangeNumber;

/// How a problem ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It passes again since this point (PRB-13).
    Resolved(ChangeNumber),
    /// The subject is no longer there (PRB-15).
    Gone,
}

/// Failing points in a row.
#[derive(Debug)]
pub(super) struct Run {
    /// The first one.
    pub(super) first: ChangeNumber,
    /// The last point before it that is well; absent if there is none.
    pub(super) after: Option<ChangeNumber>,
    /// All of them, each with its fingerprints.
    pub(super) fails: Vec<(ChangeNumber, BTreeSet<String>)>,
    /// How it ended.
    pub(super) end: Option<End>,
}

/// How many points in a row open and end a problem of a flaky subject (FLK-02, FLK-03).
const IN_A_ROW: usize = 3;

/// After this number of complete reports without it, a subject is gone (PRB-15).
const ABSENT: usize = 5;

/// A passing point ends a run.
pub(super) fn of_steady(points: &BTreeMap<ChangeNumber, At>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: Option<Run> = None;
    let (mut well, mut absent) = (None, 0);
    for (&point, at) in points {
        match at {
            At::Fail(symptoms) => {
                absent = 0;
                let run = open.get_or_insert_with(|| Run::begun(point, well));
                run.fails.push((point, symptoms.clone()));
            }
            At::Pass => {
                (well, absent) = (Some(point), 0);
                runs.extend(open.take().map(|run| run.ended(End::Resolved(point))));
            }
            At::Absent => {
                absent += 1;
                if open.is_none() {
                    well = Some(point);
                } else if absent == ABSENT {
                    runs.extend(open.take().map(|run| run.ended(End::Gone)));
                    well = Some(point);
                }
            }
            At::Mixed => {}
        }
    }
    runs.extend(open);
    runs
}

/// Three failing points in a row begin a run, and three passing ones end it.
pub(super) fn of_flaky(points: &BTreeMap<ChangeNumber, At>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: Option<Run> = None;
    let (mut well, mut absent) = (None, 0);
    let mut passes: Vec<ChangeNumber> = Vec::new();
    for (&point, at) in points {
        match at {
            At::Fail(symptoms) => {
                absent = 0;
                passes.clear();
                let run = open.get_or_insert_with(|| Run::begun(point, well));
                run.fails.push((point, symptoms.clone()));
            }
            At::Pass => {
                absent = 0;
                passes.push(point);
                match open.take() {
                    Some(run) if run.is_real() && passes.len() < IN_A_ROW => open = Some(run),
                    Some(run) if run.is_real() => runs.push(run.ended(End::Resolved(passes[0]))),
                    // Too short a run is what a flaky subject does.
                    Some(_) | None => {}
                }
                if open.is_none() {
                    well = Some(point);
                }
            }
            At::Absent => {
                absent += 1;
                if absent == ABSENT {
                    let run = open.take().filter(Run::is_real);
                    runs.extend(run.map(|run| run.ended(End::Gone)));
                }
            }
            At::Mixed => {}
        }
    }
    runs.extend(open.filter(Run::is_real));
    runs
}

impl Run {
    fn begun(first: ChangeNumber, after: Option<ChangeNumber>) -> Self {
        Self {
            first,
            after,
            fails: Vec::new(),
            end: None,
        }
    }

    fn ended(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    fn is_real(&self) -> bool {
        self.fails.len() >= IN_A_ROW
    }
}
