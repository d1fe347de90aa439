//! Which problems are searched by the master itself, and in which order (SRH-02, SRH-10, SRH-12).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::model::{BuilderName, ChangeNumber, ProblemNumber, ProblemSubject, Timestamp};
use crate::text::duration;
use crate::verdict::Suspect;

/// An open problem whose cause a search may find.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The problem.
    pub problem: ProblemNumber,
    /// Its builder.
    pub builder: BuilderName,
    /// What fails.
    pub subject: ProblemSubject,
    /// The fingerprints of the failure.
    pub symptoms: BTreeSet<String>,
    /// The first change that fails.
    pub first: ChangeNumber,
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
    /// What is in question; absent: whether the whole build succeeds.
    pub subject: Option<ProblemSubject>,
    /// The fingerprints of the failure in question.
    pub symptoms: BTreeSet<String>,
    /// The changes that were suspected, oldest first.
    pub changes: Vec<ChangeNumber>,
    /// Whether the master has begun it by itself.
    pub is_automatic: bool,
    /// Whether it goes on.
    pub goes_on: bool,
    /// The change that it has found, without a doubt.
    pub found: Option<ChangeNumber>,
}

/// A problem that is searched now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Chosen {
    /// The problem.
    pub problem: ProblemNumber,
    /// The change that another search has found for the same suspects: it is tried first.
    pub guess: Option<ChangeNumber>,
}

/// What a problem waits for that is to be searched (SRH-10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waits {
    /// Until this time, for others with the same cause.
    Gathers(Timestamp),
    /// For the search for the cause of a failure with the same suspects.
    SameCause,
    /// Nothing can be asked: the changes that may have caused it are not known.
    NoSuspects,
    /// The number of searches at once is limited.
    AtOnce(usize),
    /// The number of searches at once of the builder is limited.
    OfBuilder(usize),
    /// As many problems that began with the same change were searched as may be.
    OfBuild(usize),
    /// The builds of searches have had their time on the builder for today.
    DailyTime(Duration),
}

/// Which problems are searched now, and what the others wait for.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Those that are searched now, in this order.
    pub chosen: Vec<Chosen>,
    /// Those that wait.
    pub waiting: Vec<(ProblemNumber, Waits)>,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gathers(until) => write!(
                f,
                "until {}, for other problems with the same cause",
                until.to_rfc3339()
            ),
            Self::SameCause => f.write_str("for the search for another problem with its suspects"),
            Self::NoSuspects => f.write_str("for a change that can have caused the problem"),
            Self::AtOnce(most) => write!(f, "for another search to end: at most {most} at once"),
            Self::OfBuilder(most) => write!(
                f,
                "for another search on the builder to end: at most {most} at once"
            ),
            Self::OfBuild(most) => write!(
                f,
                "for people: {most} problems that began with the same change were searched"
            ),
            Self::DailyTime(most) => write!(
                f,
                "for tomorrow: searches had {} of the builder today",
                duration(*most)
            ),
        }
    }
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
    /// Searches for what began to fail with one change on a builder.
    pub of_build: usize,
}

/// The problems that are searched now, in this order. Of problems with the same suspects one is
/// searched, that of the builder that answers fastest. What it finds is presumed of those that fail
/// in the same way, and is tried first with those that fail in another way (SRH-12). Tests come
/// before steps. The changes of one author come after all others, for the person is known.
#[must_use]
pub fn choose(
    mut candidates: Vec<Candidate>,
    underway: &[Underway],
    limits: Limits,
    now: Timestamp,
) -> Choice {
    let mut choice = Choice::default();
    candidates.retain(|one| {
        let until = one.opened_at + limits.gather;
        let waits = (one.problem, Waits::Gathers(until));
        choice.waiting.extend((until > now).then_some(waits));
        until <= now
    });
    candidates.sort_by_key(|one| {
        let has_one_author = authors(&one.suspects) == 1;
        let secs = one.secs.unwrap_or(u64::MAX);
        let is_of_step = one.subject.test().is_none();
        (has_one_author, is_of_step, secs, one.problem)
    });
    let mut underway = underway.to_vec();
    for one in candidates {
        let changes: Vec<_> = one.suspects.iter().map(|suspect| suspect.change).collect();
        let mut same_cause = underway.iter().filter(|other| other.changes == changes);
        let is_settled = |other: &Underway| other.goes_on || is_same(other, &one);
        let guess = same_cause.clone().find_map(|other| other.found);
        let running = || underway.iter().filter(|other| other.goes_on);
        let on_builder = running().filter(|other| other.builder == one.builder);
        let of_build = underway.iter().filter(|other| {
            let begins_there = other.changes.last() == Some(&one.first);
            other.is_automatic && other.builder == one.builder && begins_there
        });
        let waits = if one.suspects.is_empty() {
            Some(Waits::NoSuspects)
        } else if same_cause.any(is_settled) {
            Some(Waits::SameCause)
        } else if running().count() >= limits.at_once {
            Some(Waits::AtOnce(limits.at_once))
        } else if on_builder.count() >= limits.of_builder {
            Some(Waits::OfBuilder(limits.of_builder))
        } else {
            let is_over = of_build.count() >= limits.of_build;
            is_over.then_some(Waits::OfBuild(limits.of_build))
        };
        if let Some(waits) = waits {
            choice.waiting.push((one.problem, waits));
            continue;
        }
        choice.chosen.push(Chosen {
            problem: one.problem,
            guess,
        });
        underway.push(Underway {
            builder: one.builder,
            subject: Some(one.subject),
            symptoms: one.symptoms,
            changes,
            is_automatic: true,
            goes_on: true,
            found: None,
        });
    }
    choice
}

/// Whether a search is for what fails in the same way.
fn is_same(search: &Underway, one: &Candidate) -> bool {
    let Some(subject) = &search.subject else {
        return false;
    };
    is_same_failure((subject, &search.symptoms), (&one.subject, &one.symptoms))
}

/// Whether two failures, each of a subject and with fingerprints, are of the same kind: the same
/// test fails, or the same error is seen. A step without errors of its own is like itself only.
pub fn is_same_failure(
    (subject, symptoms): (&ProblemSubject, &BTreeSet<String>),
    (other, others): (&ProblemSubject, &BTreeSet<String>),
) -> bool {
    if subject.test().is_some() || other.test().is_some() {
        return subject.test() == other.test();
    }
    let mut shared = symptoms.intersection(others);
    match symptoms.is_empty() || others.is_empty() {
        true => subject == other,
        false => shared.any(|print| print != "*" || subject == other),
    }
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
    use crate::model::TestName;

    const LIMITS: Limits = Limits {
        gather: Duration::from_secs(300),
        at_once: 4,
        of_builder: 1,
        of_build: 3,
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
            subject: ProblemSubject::Step("test".to_owned()),
            symptoms: ["no".to_owned()].into(),
            first: ChangeNumber(of.last().map_or(0, |(change, _)| *change)),
            suspects: suspects(of),
            opened_at: Timestamp::from_secs(0),
            secs: Some(secs),
        }
    }

    fn chosen(candidates: Vec<Candidate>, underway: &[Underway]) -> Vec<u64> {
        let now = Timestamp::from_secs(300);
        let chosen = choose(candidates, underway, LIMITS, now).chosen.into_iter();
        chosen.map(|one| one.problem.0).collect()
    }

    fn of_test(name: &str) -> ProblemSubject {
        ProblemSubject::Test {
            step: "test".to_owned(),
            test: TestName::new([name]),
        }
    }

    /// A search that has found change 7 of 7 and 8.
    fn searched() -> Underway {
        Underway {
            builder: "b30".into(),
            subject: Some(ProblemSubject::Step("test".to_owned())),
            symptoms: ["no".to_owned()].into(),
            changes: vec![ChangeNumber(7), ChangeNumber(8)],
            is_automatic: true,
            goes_on: false,
            found: Some(ChangeNumber(7)),
        }
    }

    #[test]
    fn srh_02_a_cause_gathers_before_it_is_searched() {
        let one = || vec![candidate(1, "a", &[(7, "ann"), (8, "bob")], 10)];
        let at = |secs| {
            choose(one(), &[], LIMITS, Timestamp::from_secs(secs))
                .chosen
                .len()
        };
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
        assert_eq!(chosen(all, &[searched()]), Vec::<u64>::new());
    }

    #[test]
    fn search_037_thirty_builders_with_different_tests_try_what_the_first_search_has_found() {
        let all = || {
            let broken = (1..=30).map(|number| {
                let name = format!("b{number}");
                Candidate {
                    subject: of_test(&format!("t{number}")),
                    symptoms: ["*".to_owned()].into(),
                    ..candidate(number, &name, &[(7, "ann"), (8, "bob")], 100 - number)
                }
            });
            broken.collect::<Vec<_>>()
        };
        assert_eq!(chosen(all(), &[]), [30], "one search");
        let first = Underway {
            subject: Some(of_test("t30")),
            ..searched()
        };
        let mut underway = vec![first];
        for problem in (1..30).rev() {
            let now = Timestamp::from_secs(300);
            let next = choose(all(), &underway, LIMITS, now).chosen;
            let guess = Some(ChangeNumber(7));
            let problem = ProblemNumber(problem);
            assert_eq!(next, [Chosen { problem, guess }]);
            underway.push(Underway {
                builder: format!("b{problem}").into(),
                subject: Some(of_test(&format!("t{problem}"))),
                ..searched()
            });
        }
        assert_eq!(chosen(all(), &underway), Vec::<u64>::new());
    }

    #[test]
    fn srh_12_failures_are_the_same_by_their_test_or_their_errors() {
        let step = |name: &str| ProblemSubject::Step(name.to_owned());
        let prints = |of: &[&str]| of.iter().map(|p| (*p).to_owned()).collect::<BTreeSet<_>>();
        let same = |one: (&ProblemSubject, &[&str]), other: (&ProblemSubject, &[&str])| {
            is_same_failure((one.0, &prints(one.1)), (other.0, &prints(other.1)))
        };
        let (test, make) = (step("test"), step("make"));
        assert!(same((&test, &["a", "b"]), (&make, &["b"])));
        assert!(!same((&test, &["a"]), (&test, &["b"])));
        assert!(same((&test, &["*"]), (&test, &["*"])));
        assert!(!same((&test, &["*"]), (&make, &["*"])));
        assert!(same((&test, &[]), (&test, &["b"])));
        assert!(!same((&of_test("a"), &["*"]), (&of_test("b"), &["*"])));
        assert!(!same((&of_test("a"), &["*"]), (&test, &["*"])));
    }

    #[test]
    fn srh_10_tests_come_before_steps_and_what_is_short_before_what_is_long() {
        let with = |problem, is_of_test, secs| Candidate {
            subject: match is_of_test {
                true => of_test("t"),
                false => ProblemSubject::Step("test".to_owned()),
            },
            ..candidate(
                problem,
                &problem.to_string(),
                &[(2 * problem, "ann"), (2 * problem + 1, "bob")],
                secs,
            )
        };
        let all = vec![
            with(1, false, 10),
            with(2, true, 900),
            with(3, true, 600),
            with(4, false, 5),
        ];
        assert_eq!(chosen(all, &[]), [3, 2, 4, 1]);
    }

    #[test]
    fn srh_10_three_causes_of_one_build_are_searched() {
        let of = |first| [(first, "ann"), (20, "bob")];
        let over = |first| Underway {
            builder: "a".into(),
            changes: vec![ChangeNumber(first), ChangeNumber(20)],
            found: None,
            ..searched()
        };
        let fourth = || vec![candidate(4, "a", &of(14), 1)];
        let three: Vec<_> = (11..14).map(over).collect();
        assert_eq!(chosen(fourth(), &three[..2]), [4]);
        assert_eq!(chosen(fourth(), &three), Vec::<u64>::new());
        let by_hand = three.into_iter().map(|one| Underway {
            is_automatic: false,
            ..one
        });
        let by_hand: Vec<_> = by_hand.collect();
        assert_eq!(chosen(fourth(), &by_hand), [4]);
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

    #[test]
    fn srh_10_a_problem_that_is_not_searched_yet_says_what_it_waits_for() {
        let waits = |candidates, underway: &[Underway], secs| {
            let choice = choose(candidates, underway, LIMITS, Timestamp::from_secs(secs));
            let [(problem, waits)] = &choice.waiting[..] else {
                panic!("{choice:?}");
            };
            (problem.0, *waits)
        };
        let one = |problem, changes: &[(u64, &str)]| vec![candidate(problem, "fast", changes, 5)];
        let until = Timestamp::from_secs(300);
        let early = waits(one(1, &[(2, "ann"), (3, "bob")]), &[], 299);
        assert_eq!(early, (1, Waits::Gathers(until)));
        assert_eq!(waits(one(1, &[]), &[], 300), (1, Waits::NoSuspects));
        let mut two = one(1, &[(2, "ann"), (3, "bob")]);
        two.extend(one(2, &[(4, "cid"), (5, "dan")]));
        assert_eq!(waits(two.clone(), &[], 300), (2, Waits::OfBuilder(1)));
        two[1].suspects = two[0].suspects.clone();
        assert_eq!(waits(two, &[], 300), (2, Waits::SameCause));
        let text = Waits::OfBuilder(1).to_string();
        assert_eq!(
            text,
            "for another search on the builder to end: at most 1 at once"
        );
    }
}
