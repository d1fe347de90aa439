//! Who is told what of problems, and when: pestering with measure (ESC-01 to ESC-07, PRB-17).
//!
//! What is due follows from what a person is to a problem, what they were told before, and the
//! time. So nothing has to be remembered but what was told, and a master that was down tells once
//! what it would have told several times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judging::{Problem, ProblemState};
use crate::model::{ChangeNumber, ProblemNumber, Role, Say, TellingRules, Timestamp};

/// A problem, as far as people are told of it.
#[derive(Clone, Debug)]
pub struct Affair {
    /// Its number.
    pub number: ProblemNumber,
    /// When the first problem of its cause was found.
    pub opened_at: Timestamp,
    /// How far it is.
    pub state: ProblemState,
    /// What it makes of whom.
    pub people: BTreeMap<String, Standing>,
}

/// What a problem makes of a person.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Why they are told.
    pub role: Role,
    /// Whether they do not want to hear of it (PRB-22).
    pub is_muted: bool,
    /// How often they may be reminded, unless they are responsible only.
    pub reminders: Reminders,
}

/// How often a person may be reminded of a problem.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reminders {
    /// As often as the rules say.
    All,
    /// Once, as nothing can be proved (ESC-03).
    One,
    /// Not now: somebody is on it, or it is late (ESC-04 to ESC-06).
    Later,
    /// Never: there is a doubt, or it is not seen (ESC-03).
    None,
}

/// What a person is to be told of problems now.
pub type Due = Vec<(ProblemNumber, Say)>;

/// What is due for whom at `now`. `said` has what each person was told of each problem, `written`
/// the times of the letters to each person in the last 24 hours.
#[must_use]
pub fn due(
    affairs: &[Affair],
    said: &BTreeMap<(ProblemNumber, String), Vec<Say>>,
    written: &BTreeMap<String, Vec<Timestamp>>,
    rules: &TellingRules,
    now: Timestamp,
) -> BTreeMap<String, Due> {
    let mut all: BTreeMap<String, Due> = BTreeMap::new();
    for affair in affairs {
        let mut tell = |person: &String, say| {
            let its = all.entry(person.clone()).or_default();
            its.push((affair.number, say));
        };
        for (person, standing) in &affair.people {
            let known = said.get(&(affair.number, person.clone()));
            let known = known.map_or(&[][..], Vec::as_slice);
            if let Some(say) = say(affair, standing, known, rules, now) {
                tell(person, say);
            }
        }
        // Those who were accused, and are nothing to it any more.
        let of = (affair.number, String::new());
        let told = said
            .range(of..)
            .take_while(|(key, _)| key.0 == affair.number);
        for ((_, person), known) in told {
            let is_over = |say: &Say| matches!(say, Say::Cleared | Say::Ended);
            let was_accused = |say: &Say| matches!(say, Say::Opened(role) if role.is_accused());
            let is_gone = !affair.people.contains_key(person);
            if is_gone && known.iter().any(was_accused) && !known.iter().any(is_over) {
                tell(person, Say::Cleared);
            }
        }
    }
    let none = Vec::new();
    all.retain(|person, _| may_write(written.get(person).unwrap_or(&none), rules, now));
    for due in all.values_mut() {
        due.sort_by_key(|(number, say)| (std::cmp::Reverse(say.harshness()), *say, *number));
    }
    all
}

/// Whether a person may get one more letter (ESC-07).
fn may_write(written: &[Timestamp], rules: &TellingRules, now: Timestamp) -> bool {
    let a_day = Duration::from_secs(86_400);
    let lately = written.iter().filter(|at| now.since(**at) < a_day).count();
    let has_paused = written.iter().all(|at| now.since(*at) >= rules.pause);
    has_paused && lately < usize::try_from(rules.most_a_day).unwrap_or(usize::MAX)
}

/// What a person is to be told of a problem, of which they were told `said`.
fn say(
    affair: &Affair,
    standing: &Standing,
    said: &[Say],
    rules: &TellingRules,
    now: Timestamp,
) -> Option<Say> {
    let is_over = said
        .iter()
        .any(|say| matches!(say, Say::Cleared | Say::Ended));
    if standing.is_muted || is_over {
        return None;
    }
    let is_open = affair.state == ProblemState::Open;
    let passed = now.since(affair.opened_at);
    if said.is_empty() {
        return (is_open && passed >= rules.gather).then_some(Say::Opened(standing.role));
    }
    match affair.state {
        ProblemState::Open => reminder(standing, said, rules, passed),
        ProblemState::Flaky | ProblemState::Withdrawn if standing.role.is_accused() => {
            Some(Say::Cleared)
        }
        // Of several, only the search says something (ESC-01).
        _ if standing.role == Role::Suspect => None,
        // It has not been mended (PRB-15).
        ProblemState::Gone if !matches!(standing.role, Role::Guilty | Role::Responsible) => None,
        ProblemState::Resolved
        | ProblemState::Gone
        | ProblemState::Dismissed
        | ProblemState::Flaky
        | ProblemState::Withdrawn => Some(Say::Ended),
    }
}

fn reminder(
    standing: &Standing,
    said: &[Say],
    rules: &TellingRules,
    passed: Duration,
) -> Option<Say> {
    if standing.role == Role::Responsible {
        let days = u16::try_from(passed.as_secs() / 86_400).unwrap_or(u16::MAX);
        let is_told = |say: &Say| matches!(say, Say::Daily(day) if *day >= days);
        return (days > 0 && !said.iter().any(is_told)).then_some(Say::Daily(days));
    }
    let most = match (standing.role, standing.reminders) {
        (Role::Guilty, Reminders::All) => rules.most_reminders,
        (Role::SoleSuspect, Reminders::One) => 1,
        _ => return None,
    };
    let times = times_by(rules, passed).min(most);
    // Who was the only one to suspect knows (ESC-01).
    let is_known = |say: &Say| {
        let accuses = matches!(say, Say::Opened(Role::Guilty | Role::SoleSuspect));
        accuses || matches!(say, Say::Proved(_))
    };
    if standing.role == Role::Guilty && !said.iter().any(is_known) {
        return Some(Say::Proved(times));
    }
    let is_told =
        |say: &Say| matches!(say, Say::Reminder(told) | Say::Proved(told) if *told >= times);
    (times > 0 && !said.iter().any(is_told)).then_some(Say::Reminder(times))
}

/// How many reminders are due by this time after the begin (ESC-02).
fn times_by(rules: &TellingRules, passed: Duration) -> u8 {
    let early = rules.reminders.iter().filter(|after| **after <= passed);
    let last = rules.reminders.last().copied().unwrap_or_default();
    let days = passed.saturating_sub(last).as_secs() / 86_400;
    let days = usize::try_from(days).unwrap_or(usize::MAX);
    let late = if passed >= last { days } else { 0 };
    u8::try_from(early.count().saturating_add(late)).unwrap_or(u8::MAX)
}

/// The first problem of the cause of each problem: those with the same guilty change, or with
/// exactly the same suspects, are one (PRB-17). The `problems` come with their guilty changes.
#[must_use]
pub fn causes(
    problems: &[(&Problem, Option<ChangeNumber>)],
) -> BTreeMap<ProblemNumber, ProblemNumber> {
    let mut first: BTreeMap<Vec<ChangeNumber>, ProblemNumber> = BTreeMap::new();
    let mut sorted: Vec<_> = problems.iter().collect();
    sorted.sort_by_key(|(problem, _)| problem.number);
    let cause = |(problem, guilty): &(&Problem, Option<ChangeNumber>)| {
        let changes: Vec<_> = match guilty {
            Some(guilty) => vec![*guilty],
            None => problem.suspects.iter().map(|one| one.change).collect(),
        };
        let number = match changes.is_empty() {
            true => problem.number,
            false => *first.entry(changes).or_insert(problem.number),
        };
        (problem.number, number)
    };
    sorted.into_iter().map(cause).collect()
}

#[cfg(test)]
mod tests;
