//! Results of tests: names, outcomes and counts (TST-03, TST-04).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How a test ended (TST-03).
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It could not be run, or did not end.
    Error,
    /// It was not run.
    Skipped,
    /// It failed, as it was expected to.
    ExpectedFailure,
    /// It passed although it was expected to fail; the format does not count this as bad.
    UnexpectedSuccess,
    /// It passed although it was expected to fail; the format counts this as bad.
    BadSuccess,
}

impl TestOutcome {
    /// All outcomes, those first that people look at first.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Error,
        Self::BadSuccess,
        Self::UnexpectedSuccess,
        Self::ExpectedFailure,
        Self::Skipped,
        Self::Passed,
    ];

    /// Whether a step with such a test fails (TST-07).
    #[must_use]
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Failed | Self::Error | Self::BadSuccess => true,
            Self::Passed | Self::Skipped | Self::ExpectedFailure | Self::UnexpectedSuccess => false,
        }
    }

    /// Its letter in the store.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Passed => 'P',
            Self::Failed => 'F',
            Self::Error => 'E',
            Self::Skipped => 'S',
            Self::ExpectedFailure => 'X',
            Self::UnexpectedSuccess => 'u',
            Self::BadSuccess => 'U',
        }
    }

    /// The outcome of this letter.
    #[must_use]
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|all| all.letter() == letter)
    }

    /// Its name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::ExpectedFailure => "expected failure",
            Self::UnexpectedSuccess | Self::BadSuccess => "unexpected success",
        }
    }
}

/// The name of a test: a list of parts (TST-04). Each name has at most [`TestName::MOST_BYTES`]
/// bytes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TestName(Box<str>);

impl TestName {
    /// A longer name is cut, and ends with a hash of the whole name.
    pub const MOST_BYTES: usize = 1024;
    /// Stands between the parts. No part contains it.
    const SEPARATOR: char = '\u{1f}';

    /// The name with these parts. Empty parts are left out.
    #[must_use]
    pub fn new<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let mut name = String::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if !name.is_empty() {
                name.push(Self::SEPARATOR);
            }
            name.extend(part.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        Self::bounded(name)
    }

    /// The name of another test of the same name, in the place `number` from 2.
    #[must_use]
    pub fn again(&self, number: u32) -> Self {
        Self::bounded(format!("{} #{number}", self.0))
    }

    fn bounded(mut name: String) -> Self {
        if name.len() > Self::MOST_BYTES {
            let hash = TestHash::of_bytes(name.as_bytes());
            let end = format!("\u{2026}{:016x}", hash.0);
            let mut room = Self::MOST_BYTES.saturating_sub(end.len());
            while !name.is_char_boundary(room) {
                room -= 1;
            }
            name.truncate(room);
            name.push_str(&end);
        }
        Self(name.into())
    }

    /// The name as the store has it.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The parts with their separator, as the store has them.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The parts for people, with dots between them.
    #[must_use]
    pub fn shown(&self) -> String {
        self.0.replace(Self::SEPARATOR, ".")
    }

    /// Its number in the store.
    #[must_use]
    pub fn hash(&self) -> TestHash {
        TestHash::of_bytes(self.0.as_bytes())
    }
}

/// The first 64 bits of the SHA-256 hash of a test's name (TST-09).
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct TestHash(pub u64);

impl TestHash {
    /// The number as the store has it.
    #[must_use]
    pub const fn signed(self) -> i64 {
        self.0.cast_signed()
    }

    /// The number that the store has.
    #[must_use]
    pub const fn from_signed(number: i64) -> Self {
        Self(number.cast_unsigned())
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let first = digest.iter().take(8);
        Self(first.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// How many tests had each kind of outcome.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct TestCounts {
    /// Tests that passed, or that passed unexpectedly without harm.
    pub passed: u64,
    /// Tests with bad outcomes.
    pub failed: u64,
    /// Tests that were not run.
    pub skipped: u64,
    /// Tests that failed as expected.
    pub expected_failures: u64,
    /// Tests that passed only after a failed attempt. They are among those that passed.
    pub flaky: u64,
}

impl TestCounts {
    /// Counts a test.
    pub const fn add(&mut self, outcome: TestOutcome, is_flaky: bool) {
        match outcome {
            TestOutcome::Passed | TestOutcome::UnexpectedSuccess => self.passed += 1,
            TestOutcome::Failed | TestOutcome::Error | TestOutcome::BadSuccess => self.failed += 1,
            TestOutcome::Skipped => self.skipped += 1,
            TestOutcome::ExpectedFailure => self.expected_failures += 1,
        }
        if is_flaky {
            self.flaky += 1;
        }
    }

    /// All tests.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.passed + self.failed + self.skipped + self.expected_failures
    }

    /// The counts in words: `12 tests, 2 failed` (TST-07).
    #[must_use]
    pub fn in_words(&self) -> String {
        let total = self.total();
        let noun = if total == 1 { "test" } else { "tests" };
        let mut text = format!("{total} {noun}");
        for (count, what) in [
            (self.failed, "failed"),
            (self.flaky, "flaky"),
            (self.skipped, "skipped"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tst_04_a_name_keeps_its_parts_and_a_long_one_is_cut_with_a_hash() {
        let name = TestName::new(["a\u{1f}b", "", "c"]);
        assert_eq!(name.parts().collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(name.again(2).shown(), "a b.c #2");
        let fits = "x".repeat(TestName::MOST_BYTES);
        assert_eq!(TestName::new([fits.as_str()]).as_stored(), fits);
        let [one, other] = ["1", "2"].map(|end| {
            let text = format!("{}{end}", "\u{e9}".repeat(600));
            TestName::new([text.as_str()])
        });
        assert!(one.as_stored().len() <= TestName::MOST_BYTES);
        assert_ne!(one, other, "the hash tells them apart");
    }

    #[test]
    fn tst_07_counts_in_words() {
        let mut counts = TestCounts::default();
        assert_eq!(counts.in_words(), "0 tests");
        counts.add(TestOutcome::Passed, true);
        assert_eq!(counts.in_words(), "1 test, 1 flaky");
        for outcome in TestOutcome::ALL {
            counts.add(outcome, false);
            assert_eq!(TestOutcome::of_letter(outcome.letter()), Some(outcome));
        }
        assert_eq!(counts.in_words(), "8 tests, 3 failed, 1 flaky, 1 skipped");
    }
}
