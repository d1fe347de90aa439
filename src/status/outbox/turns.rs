//! Which letters are sent now, and what an attempt comes to.
//!
//! Invariants: letters of one order leave one after the other (OUT-07); at most [`MOST_AT_ONCE`]
//! letters of a target are on their way; a target that fails again and again is asked with one
//! letter at a time (OUT-14).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::backoff::Backoff;
use crate::model::{Fate, Letter, LetterFacts, Timestamp};
use crate::store::read::LetterRow;

/// Letters of a target that are on their way at once (OUT-07).
pub(super) const MOST_AT_ONCE: usize = 4;

/// After as many failures in a row the target is only probed (OUT-14).
const BREAKING: u32 = 5;

/// Pauses after failures (OUT-05); a fifth more or less.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(5), LONGEST_PAUSE);

/// The longest pause, whatever a target asks for (OUT-05).
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A letter that could not be sent for so long is dead (OUT-05).
const LONGEST: Duration = Duration::from_secs(3 * 86_400);

/// A letter is sent so long after it was written (OUT-09). The state of a commit is sent however
/// old it is: nothing else would correct it.
const FRESH: Duration = Duration::from_secs(7 * 86_400);

/// A letter for channels, or for somebody who is there, is sent so long after it was written
/// (OUT-09).
pub(super) const FRESH_FOR_CHANNELS: Duration = Duration::from_mins(10);

/// Letters of a target that is gone are kept for so long (OUT-11).
const KEPT: Duration = Duration::from_secs(86_400);

/// A letter that is to be tried after a longer time was written by a wrong clock.
const BELIEVABLE: Duration = Duration::from_secs(2 * 3600);

/// Why a letter was not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// It may be taken later.
    Later(String),
    /// It may be taken after a pause that the target asks for.
    Pause {
        /// Why it was not taken.
        why: String,
        /// How long the target is to be left alone.
        pause: Duration,
    },
    /// It will never be taken.
    Never(String),
    /// It becomes one for each of these recipients (MAL-05).
    Split(Vec<String>),
    /// The target is not in the configuration, since this time.
    Gone(Timestamp),
    /// It is too old to be sent (OUT-09).
    Stale(String),
}

/// The letters that are on their way, and how their targets do.
#[derive(Debug, Default)]
pub(super) struct Turns {
    targets: BTreeMap<String, Target>,
}

#[derive(Debug, Default)]
struct Target {
    /// The orders of the letters that are on their way.
    sending: BTreeSet<String>,
    /// Failures in a row that concern the target.
    failures: u32,
    /// When it is probed next.
    probed_at: Option<Timestamp>,
    /// Since when it is not in the configuration, as far as that was noticed.
    gone_since: Option<Timestamp>,
}

impl Turns {
    /// Those of `heads`, the first letters of their orders, that are sent now.
    pub(super) fn take(&mut self, heads: &[LetterRow], now: Timestamp) -> Vec<LetterRow> {
        let mut taken = Vec::new();
        for letter in heads {
            let target = self.targets.entry(letter.target.clone()).or_default();
            if target.can_take(letter, now) {
                target.sending.insert(letter.order.clone());
                taken.push(letter.clone());
            }
        }
        taken
    }

    /// How long it is until one of `heads` is to be sent that is not on its way. Those that wait
    /// for others are looked at when these have ended.
    pub(super) fn pause(&self, heads: &[LetterRow], now: Timestamp) -> Option<Duration> {
        let waiting = heads.iter().filter_map(|letter| {
            let target = self.targets.get(&letter.target)?;
            let is_next = !target.sending.contains(&letter.order) && target.has_room();
            let due = due(letter, now).max(target.probed_at.unwrap_or(letter.made_at));
            is_next.then(|| due.since(now))
        });
        waiting.min()
    }

    /// A letter that was on its way has come to this.
    pub(super) fn ended(&mut self, letter: &LetterRow, fate: &Fate) {
        let target = self.targets.entry(letter.target.clone()).or_default();
        target.sending.remove(&letter.order);
        match fate {
            Fate::Delivered | Fate::DeliveredInPart { .. } => {
                target.failures = 0;
                target.probed_at = None;
            }
            Fate::Later { next_at, .. } => {
                target.failures = target.failures.saturating_add(1);
                target.probed_at = (target.failures >= BREAKING).then_some(*next_at);
            }
            // It says nothing of the target.
            Fate::Split { .. } | Fate::Dead { .. } | Fate::Dropped { .. } => {}
        }
    }

    /// Since when the target of a letter has been gone: since it was noticed.
    pub(super) fn gone_since(&mut self, target: &str, now: Timestamp) -> Timestamp {
        let target = self.targets.entry(target.to_owned()).or_default();
        *target.gone_since.get_or_insert(now)
    }

    /// The targets that were gone and are there again, which are not probed first.
    pub(super) fn returned(&mut self, is_there: impl Fn(&str) -> bool) -> Vec<String> {
        let mut returned = Vec::new();
        for (name, target) in &mut self.targets {
            if target.gone_since.is_some() && is_there(name) {
                target.gone_since = None;
                target.failures = 0;
                target.probed_at = None;
                returned.push(name.clone());
            }
        }
        returned
    }

    /// Whether letters are on their way.
    pub(super) fn are_sending(&self) -> bool {
        self.targets
            .values()
            .any(|target| !target.sending.is_empty())
    }
}

impl Target {
    fn has_room(&self) -> bool {
        let most = if self.failures >= BREAKING {
            1
        } else {
            MOST_AT_ONCE
        };
        self.sending.len() < most
    }

    fn can_take(&self, letter: &LetterRow, now: Timestamp) -> bool {
        self.has_room()
            && !self.sending.contains(&letter.order)
            && due(letter, now) <= now
            && self
                .probed_at
                .is_none_or(|at| at <= now || at.since(now) > BELIEVABLE)
    }
}

/// When a letter is to be tried.
fn due(letter: &LetterRow, now: Timestamp) -> Timestamp {
    match letter.next_at.since(now) > BELIEVABLE {
        true => now,
        false => letter.next_at,
    }
}

/// What a target has taken: who was refused by it, and why.
pub(super) type Refused = Option<String>;

/// What an attempt comes to that was made at `now`.
pub(super) fn fate(sent: Result<Refused, Failure>, letter: &LetterRow, now: Timestamp) -> Fate {
    match sent {
        Ok(None) => Fate::Delivered,
        Ok(Some(why)) => Fate::DeliveredInPart { why },
        Err(Failure::Split(to)) => Fate::Split { to },
        Err(Failure::Never(why)) => Fate::Dead { why },
        Err(Failure::Stale(why)) => Fate::Dropped { why },
        Err(Failure::Gone(since)) if now.since(since.max(letter.made_at)) >= KEPT => {
            let why = format!("there is no status target `{}` any more", letter.target);
            Fate::Dropped { why }
        }
        Err(Failure::Gone(_)) => Fate::Later {
            why: format!("there is no status target `{}`", letter.target),
            next_at: now + pause(letter),
        },
        Err(Failure::Later(why) | Failure::Pause { why, .. })
            if now.since(letter.made_at) > LONGEST =>
        {
            Fate::Dead { why }
        }
        Err(Failure::Pause { why, pause }) => Fate::Later {
            why,
            next_at: now + pause.min(LONGEST_PAUSE),
        },
        Err(Failure::Later(why)) => Fate::Later {
            why,
            next_at: now + pause(letter),
        },
    }
}

/// Why a letter is not sent any more at `now`, if it is too old (OUT-09).
pub(super) fn stale(letter: &LetterRow, now: Timestamp) -> Option<Failure> {
    let is_state = matches!(letter.facts, LetterFacts::Commit(_));
    let age = now.since(letter.made_at);
    if Letter::is_for_now(&letter.order) && age >= FRESH_FOR_CHANNELS {
        return Some(Failure::Stale("it was older than 10 minutes".to_owned()));
    }
    let is_stale = !is_state && age > FRESH;
    is_stale.then(|| Failure::Stale("it was older than 7 days".to_owned()))
}

/// The pause after a failure: a fifth more or less, by the number of the letter, so that letters
/// that failed together are not tried together.
fn pause(letter: &LetterRow) -> Duration {
    let part = (letter.id.0.wrapping_mul(37) + u64::from(letter.tries) * 11) % 41;
    let percent = 80 + u32::try_from(part).unwrap_or(0);
    PAUSES.nth(letter.tries) * percent / 100
}

#[cfg(test)]
mod tests;
