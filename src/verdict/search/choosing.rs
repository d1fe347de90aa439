//! Which problems are searched by the master itself, and in which order (SRH-02, SRH-10, SRH-12).

use std::time::Duration;

use crate::model::{BuilderName, ChangeNumber, ProblemNumber, Timestamp};
use crate::verdict::Suspect;

/// An open problem whose cause a search may find.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The problem.
    pub problem: ProblemNumber,
    /// Its builder.
    pub builder: BuilderName,
    /// The changes that may have caused it.
    pub suspects: Vec<Suspect>,
    /// When it was found.
    pub opened_at: Timestamp,
    /// How long builds of the builder take up to the step in question, in seconds; absent: unknown.
    pub secs: Option<u64>,
}

/// A search that goes on, or has gone on.
#[derive(Clone, Debug)]
pub struct Underway {
    /// Its builder.
    pub builder: BuilderName,
    /// The changes that were suspected.
    pub changes: Vec<ChangeNumber>,
    /// Whether it goes on.
    pub goes_on: bool,
}

/// How much the master searches by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a problem waits for others with the same cause.
    pub gather: Duration,
    /// Searches at once.
    pub at_once: usize,
    /// Searches of a builder at once.
    pub of_builder: usize,
}

/// The problems that are searched now, in this order. Of problems with the same suspects one is
/// searched, that of the builder that answers fastest. The changes of one author come after all
/// others, for the person is known.
#[must_use]
pub fn choose(
    mut candidates: Vec<Candidate>,
    underway: &[Underway],
    limits: Limits,
    now: Timestamp,
) -> Vec<ProblemNumber> {
    candidates.retain(|one| one.opened_at + limits.gather <= now);
    candidates.sort_by_key(|one| {
        let has_one_author = authors(&one.suspects) == 1;
        (has_one_author, one.secs.unwrap_or(u64::MAX), one.problem)
    });
    let mut underway = underway.to_vec();
    let mut chosen = Vec::new();
    for one in candidates {
        let changes: Vec<_> = one.suspects.iter().map(|suspect| suspect.change).collect();
        let same_cause = |other: &Underway| other.changes == changes;
        let running = || underway.iter().filter(|other| other.goes_on);
        let on_builder = running().filter(|other| other.builder == one.builder);
        if one.suspects.is_empty()
            || underway.iter().any(same_cause)
            || running().count() >= limits.at_once
            || on_builder.count() >= limits.of_builder
        {
            continue;
        }
        chosen.push(one.problem);
        underway.push(Underway {
            builder: one.builder,
            changes,
            goes_on: true,
        });
    }
    chosen
}

fn authors(suspects: &[Suspect]) -> usize {
    let mut names: Vec<_> = suspects.iter().map(|suspect| &suspect.who).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        gather: Duration::from_secs(300),
        at_once: 4,
        of_builder: 1,
    };

    fn suspects(of: &[(u64, &str)]) -> Vec<Suspect> {
        let suspect = |(change, who): &(u64, &str)| Suspect {
            change: ChangeNumber(*change),
            who: (*who).to_owned(),
        };
        of.iter().map(suspect).collect()
    }

    fn candidate(problem: u64, builder: &str, of: &[(u64, &str)], secs: u64) -> Candidate {
        Candidate {
            problem: ProblemNumber(problem),
            builder: builder.into(),
            suspects: suspects(of),
            opened_at: Timestamp::from_secs(0),
            secs: Some(secs),
        }
    }

    fn chosen(candidates: Vec<Candidate>, underway: &[Underway]) -> Vec<u64> {
        let now = Timestamp::from_secs(300);
        let chosen = choose(candidates, underway, LIMITS, now).into_iter();
        chosen.map(|problem| problem.0).collect()
    }

    #[test]
    fn srh_02_a_cause_gathers_before_it_is_searched() {
        let one = || vec![candidate(1, "a", &[(7, "ann"), (8, "bob")], 10)];
        let at = |secs| choose(one(), &[], LIMITS, Timestamp::from_secs(secs)).len();
        assert_eq!([at(0), at(299), at(300)], [0, 0, 1]);
    }

    #[test]
    fn search_029_changes_of_one_author_come_after_all_others() {
        let all = vec![
            candidate(1, "a", &[(1, "ann"), (2, "ann"), (3, "ann")], 1),
            candidate(2, "b", &[(4, "ann"), (5, "bob")], 900),
            candidate(3, "c", &[(6, "cid"), (7, "bob")], 60),
        ];
        assert_eq!(chosen(all, &[]), [3, 2, 1]);
    }

    #[test]
    fn search_036_thirty_builders_with_one_cause_are_one_search_on_the_fastest() {
        let broken = (1..=30).map(|number| {
            let name = format!("b{number}");
            candidate(number, &name, &[(7, "ann"), (8, "bob")], 100 - number)
        });
        let all: Vec<_> = broken.collect();
        assert_eq!(chosen(all.clone(), &[]), [30]);
        let searched = Underway {
            builder: "b30".into(),
            changes: vec![ChangeNumber(7), ChangeNumber(8)],
            goes_on: false,
        };
        assert_eq!(chosen(all, &[searched]), Vec::<u64>::new());
    }

    #[test]
    fn srh_10_there_are_so_many_searches_at_once() {
        let all = |of: &dyn Fn(u64) -> String| {
            let all = (1..=9).map(|number| {
                let who = [(2 * number, "ann"), (2 * number + 1, "bob")];
                candidate(number, &of(number), &who, number)
            });
            all.collect::<Vec<_>>()
        };
        assert_eq!(chosen(all(&|number| number.to_string()), &[]), [1, 2, 3, 4]);
        assert_eq!(chosen(all(&|_| "a".to_owned()), &[]), [1]);
    }
}
