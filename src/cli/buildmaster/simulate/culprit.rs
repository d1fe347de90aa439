//! What a culprit search would ask for if a change of the simulation broke something (SRH-20).

use crate::model::{ChangeNumber, Said, Verdict};
use crate::verdict::{Next, Search};

/// How often the step had passed before: so often that one build of each end is a proof.
const PASSED_BEFORE: u64 = 1_000;

/// The course of a search.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Course {
    /// The changes with which it asks for builds, in that order; absent: the one before the set.
    pub(super) asks: Vec<Option<ChangeNumber>>,
    /// The change that it finds.
    pub(super) found: Option<ChangeNumber>,
}

/// The search among `changes`, in their order, of which everything fails from `broken` on. Absent
/// unless that is one of them.
pub(super) fn course(changes: &[ChangeNumber], broken: ChangeNumber) -> Option<Course> {
    let before = changes.iter().position(|change| *change == broken)?;
    let search = Search {
        changes: changes.len(),
        width: 1,
        passed_before: PASSED_BEFORE,
        ..Search::default()
    };
    let change_at = |point: usize| changes.get(point.checked_sub(1)?).copied();
    let mut answers: Vec<(usize, Said)> = Vec::new();
    loop {
        match search.next(&answers) {
            Next::Ask(points) => answers.extend(points.into_iter().map(|point| {
                let said = match point > before {
                    true => Said::Fail,
                    false => Said::Pass,
                };
                (point, said)
            })),
            Next::Over(verdict) => {
                let found = match verdict {
                    Verdict::Found { bad, .. } => change_at(bad),
                    Verdict::Range { .. }
                    | Verdict::Flaky
                    | Verdict::Environment
                    | Verdict::Unknown { .. }
                    | Verdict::Stopped { .. } => None,
                };
                let asks = answers.iter().map(|(point, _)| change_at(*point));
                return Some(Course {
                    asks: asks.collect(),
                    found,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srh_20_a_search_asks_for_the_ends_and_halves_what_is_between() {
        let changes: Vec<_> = (1..=8).map(ChangeNumber).collect();
        let course = |broken| {
            let course = course(&changes, ChangeNumber(broken))?;
            let asks = course
                .asks
                .iter()
                .map(|ask| ask.map_or(0, |change| change.0));
            Some((
                asks.collect::<Vec<_>>(),
                course.found.map(|change| change.0),
            ))
        };
        assert_eq!(course(3), Some((vec![8, 0, 4, 2, 3], Some(3))));
        assert_eq!(course(9), None);
    }
}
