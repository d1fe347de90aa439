//! What the readers find: tests with their outcomes, within limits.

use std::collections::HashMap;
use std::sync::Arc;

use super::MOST_MESSAGE;
use crate::model::{TestCounts, TestHash, TestName, TestOutcome};

/// More tests are counted; only bad ones are named (TST-02).
const MOST_TESTS: usize = 500_000;
/// Names of tests use at most this much, in bytes. Further tests are counted.
const MOST_NAMES: usize = 32 << 20;
/// So many bad tests are named beyond the limits of all tests.
const MOST_FURTHER: usize = 10_000;
/// Messages use at most this much, in bytes.
const MOST_TEXT: usize = 4 << 20;
/// The text of a test that goes on until the next one is not longer, in bytes.
const MOST_OPEN_TEXT: u64 = 64 << 10;
/// Most notes of a report.
const MOST_NOTES: usize = 20;

/// A test of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Its name.
    pub name: TestName,
    /// How it ended: in its last attempt.
    pub outcome: TestOutcome,
    /// How long it took, in seconds.
    pub secs: Option<f64>,
    /// One line about the outcome.
    pub message: Option<String>,
    /// Where the full text of the message is in the report: offset and length in bytes (TST-08).
    pub place: Option<(u64, u64)>,
    /// The log that the place is in, if the report was read from one.
    pub log: Option<Arc<str>>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it failed in one attempt and passed in another.
    pub is_flaky: bool,
    /// The part of the report in which the same name is the same test.
    scope: u32,
}

/// Everything that a reader has found (TST-03, TST-05).
#[derive(Debug, Default)]
pub struct Report {
    /// The tests, in the order of the report.
    pub tests: Vec<Test>,
    /// The counts of all tests, also of those that are not named.
    pub counts: TestCounts,
    /// Whether the report has all tests: only then does the absence of one mean anything.
    pub is_complete: bool,
    /// What people should know about the report.
    pub notes: Vec<String>,
    index: HashMap<TestHash, Known>,
    /// Tests that are counted only.
    unnamed: TestCounts,
    name_bytes: usize,
    text_bytes: usize,
    /// Offset and length of the line that is being read.
    line: (u64, u64),
    /// The bad test whose text goes on until the next test.
    open: Option<usize>,
}

/// The tests of one name.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The place of the last one.
    last: usize,
    /// How many there are.
    count: u32,
}

/// What the same name a second time means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Same {
    /// Another test.
    Another,
    /// Another attempt at the test of this scope.
    Attempt(u32),
    /// The same attempt, which counts as its worst outcome.
    Worst,
}

/// A result as a reader finds it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) outcome: TestOutcome,
    pub(super) secs: Option<f64>,
    pub(super) message: Option<String>,
    pub(super) place: Option<(u64, u64)>,
    /// Further attempts that the result itself tells of.
    pub(super) more_attempts: u32,
    pub(super) is_flaky: bool,
}

impl Found {
    pub(super) const fn new(outcome: TestOutcome) -> Self {
        Self {
            outcome,
            secs: None,
            message: None,
            place: None,
            more_attempts: 0,
            is_flaky: false,
        }
    }

    pub(super) fn secs(mut self, secs: Option<f64>) -> Self {
        self.secs = secs.filter(|secs| secs.is_finite() && *secs >= 0.0);
        self
    }

    /// The first line of `message` that is not blank.
    pub(super) fn message(mut self, message: &str) -> Self {
        self.message = first_line(message).map(cut);
        self
    }
}

impl Report {
    /// A report without tests, to which others are added.
    #[must_use]
    pub fn new() -> Self {
        Self {
            is_complete: true,
            ..Self::default()
        }
    }

    /// Adds a test.
    pub(super) fn add(&mut self, name: &TestName, found: Found, same: Same) {
        let hash = name.hash();
        let Some(known) = self.index.get(&hash).copied() else {
            return self.push(name.clone(), hash, found, same, 1);
        };
        let scope_of = self.tests.get(known.last).map(|test| test.scope);
        match same {
            Same::Attempt(scope) if scope_of == Some(scope) => self.try_again(known.last, found),
            Same::Worst => self.worsen(known.last, found),
            Same::Another | Same::Attempt(_) => {
                let count = known.count.saturating_add(1);
                self.push(name.again(count), hash, found, same, count);
            }
        }
    }

    fn push(&mut self, name: TestName, hash: TestHash, found: Found, same: Same, count: u32) {
        let is_full = self.tests.len() >= MOST_TESTS || self.name_bytes >= MOST_NAMES;
        let has_room = self.tests.len() < MOST_TESTS + MOST_FURTHER
            && self.name_bytes < MOST_NAMES + MOST_FURTHER * TestName::MOST_BYTES;
        if is_full {
            self.note(format!(
                "more than {} tests: further ones are counted, and only bad ones named",
                self.tests.len().min(MOST_TESTS)
            ));
        }
        if is_full && !(found.outcome.is_bad() && has_room) {
            self.unnamed.add(found.outcome, found.is_flaky);
            return;
        }
        self.name_bytes += name.as_stored().len();
        let last = self.tests.len();
        self.index.insert(hash, Known { last, count });
        let message = self.kept(found.message);
        self.close_text();
        let is_open = found.outcome.is_bad() && found.place.is_none() && self.line.1 > 0;
        self.open = is_open.then_some(last);
        self.tests.push(Test {
            name,
            outcome: found.outcome,
            secs: found.secs,
            message,
            place: found.place.or(is_open.then_some(self.line)),
            log: None,
            attempts: found.more_attempts.saturating_add(1),
            is_flaky: found.is_flaky,
            scope: match same {
                Same::Attempt(scope) => scope,
                Same::Another | Same::Worst => 0,
            },
        });
    }

    fn try_again(&mut self, at: usize, found: Found) {
        self.explain_at(at, found.message, found.place);
        let Some(test) = self.tests.get_mut(at) else {
            return;
        };
        let tries = found.more_attempts.saturating_add(1);
        test.attempts = test.attempts.saturating_add(tries);
        test.is_flaky |= found.is_flaky || test.outcome.is_bad() != found.outcome.is_bad();
        test.outcome = found.outcome;
        test.secs = found.secs.or(test.secs);
    }

    fn worsen(&mut self, at: usize, found: Found) {
        self.explain_at(at, found.message, found.place);
        if let Some(test) = self.tests.get_mut(at)
            && found.outcome.is_bad()
            && !test.outcome.is_bad()
        {
            test.outcome = found.outcome;
        }
    }

    /// Ends the text that goes on until the line that is being read.
    fn close_text(&mut self) {
        if let Some(test) = self.open.take().and_then(|at| self.tests.get_mut(at))
            && let Some((begin, length)) = &mut test.place
        {
            *length = self
                .line
                .0
                .saturating_sub(*begin)
                .clamp(*length, MOST_OPEN_TEXT.max(*length));
        }
    }

    /// Adds the message of a bad test whose message comes after its result, and the place of its
    /// text. Answers whether the test is known.
    pub(super) fn explain(
        &mut self,
        name: &TestName,
        message: &str,
        place: Option<(u64, u64)>,
    ) -> bool {
        let Some(known) = self.index.get(&name.hash()).copied() else {
            return false;
        };
        self.explain_at(known.last, first_line(message).map(cut), None);
        if let Some(place) = place
            && let Some(test) = self.tests.get_mut(known.last)
        {
            test.place = Some(place);
            self.open.take_if(|at| *at == known.last);
        }
        true
    }

    fn explain_at(&mut self, at: usize, message: Option<String>, place: Option<(u64, u64)>) {
        let is_open = |test: &Test| test.message.is_none();
        if message.is_none() || !self.tests.get(at).is_some_and(is_open) {
            return;
        }
        let message = self.kept(message);
        if let Some(test) = self.tests.get_mut(at) {
            test.message = message;
            test.place = place.or(test.place);
        }
    }

    /// The message, if there is room for it.
    fn kept(&mut self, message: Option<String>) -> Option<String> {
        let message = message?;
        if self.text_bytes + message.len() > MOST_TEXT {
            self.note(format!("messages beyond {MOST_TEXT} bytes are left out"));
            return None;
        }
        self.text_bytes += message.len();
        Some(message)
    }

    /// Adds a note, once.
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < MOST_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds a note of those who got the report.
    pub fn add_note(&mut self, note: &str) {
        self.note(cut(note));
    }

    /// Says which line is being read.
    pub(super) const fn at(&mut self, begin: u64, length: u64) {
        self.line = (begin, length);
    }

    /// Where the line that is being read begins.
    pub(super) const fn here(&self) -> u64 {
        self.line.0
    }

    /// The stretch from `begin` to the line that is being read, which is not part of it.
    pub(super) const fn since(&self, begin: u64) -> Option<(u64, u64)> {
        Some((begin, self.line.0.saturating_sub(begin)))
    }

    /// Ends the report.
    pub(super) fn end(&mut self, is_complete: bool) {
        self.close_text();
        self.is_complete = is_complete;
        self.counts = self.unnamed;
        for test in &self.tests {
            self.counts.add(test.outcome, test.is_flaky);
        }
        self.index = HashMap::new();
    }

    /// Adds the tests of another report about the same step, which was read from this log if from
    /// one. The same name is another test.
    pub fn absorb(&mut self, other: Self, log: Option<&str>) {
        let log = log.map(Arc::<str>::from);
        if self.index.is_empty() {
            let tests = self.tests.iter().enumerate();
            let known = tests.map(|(last, test)| (test.name.hash(), Known { last, count: 1 }));
            self.index = known.collect();
        }
        for test in other.tests {
            let found = Found {
                outcome: test.outcome,
                secs: test.secs,
                message: test.message,
                place: test.place.filter(|_| log.is_some()),
                more_attempts: test.attempts.saturating_sub(1),
                is_flaky: test.is_flaky,
            };
            let at = self.tests.len();
            self.add(&test.name, found, Same::Another);
            if let Some(added) = self.tests.get_mut(at).filter(|test| test.place.is_some()) {
                added.log = log.clone();
            }
        }
        other.notes.into_iter().for_each(|note| self.note(note));
        let more = other.unnamed;
        self.unnamed.passed += more.passed;
        self.unnamed.failed += more.failed;
        self.unnamed.skipped += more.skipped;
        self.unnamed.expected_failures += more.expected_failures;
        self.unnamed.flaky += more.flaky;
        self.is_complete &= other.is_complete;
        let (index, is_complete) = (std::mem::take(&mut self.index), self.is_complete);
        self.end(is_complete);
        self.index = index;
    }

    /// Whether it says anything about a test.
    #[must_use]
    pub const fn has_tests(&self) -> bool {
        self.counts.total() > 0
    }
}

/// The first line that is not blank, without spaces around it.
pub(super) fn first_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty())
}

/// The beginning of a message: as much as is kept.
pub(super) fn cut(message: &str) -> String {
    let mut end = message.len().min(MOST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, _) = message.split_at(end);
    kept.to_owned()
}

/// A number of seconds: with commas between thousands, as some write it.
pub(super) fn secs(text: &str) -> Option<f64> {
    text.replace(',', "").trim().parse().ok()
}
