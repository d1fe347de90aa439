//! What a step makes of the output of its command: results, texts, logs and properties. Pure.

mod cppcheck;
mod documents;
mod mysql;
mod packages;
mod perl;
mod pyflakes;
mod pylint;
mod small;
mod subunit;
#[cfg(test)]
mod tests;
mod trial;
mod visual_studio;
mod warnings;

use bytes::Bytes;
use serde_json::{Number, Value};

pub(super) use self::warnings::suppressions_of;
use crate::build::lines::LineObserver;
use crate::config::{OutputReader, Suppression};
use crate::model::Results;

/// Reads the lines of a command's logs.
pub(super) trait Reads: LineObserver {
    /// What was found, when the command has ended.
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings;
}

/// How a command has ended.
#[derive(Debug)]
pub(super) struct Ended<'e> {
    /// The result by its exit status.
    pub(super) by_status: Results,
    /// Its exit status, if it has one.
    pub(super) rc: Option<i64>,
    /// The name of the step.
    pub(super) step: &'e str,
    /// The beginning of its standard output.
    pub(super) output: &'e [u8],
}

impl Ended<'_> {
    fn has_failed(&self) -> bool {
        self.by_status == Results::Failure
    }

    /// Failure if the command has failed, else by what was found in its output.
    fn or(&self, found: Results) -> Results {
        if self.has_failed() {
            Results::Failure
        } else {
            found
        }
    }
}

/// What was found in the output of a command.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Findings {
    /// The result, if the exit status does not say it.
    pub(super) result: Option<Results>,
    /// What was done, in words, after what is said of it anyway.
    pub(super) done: Vec<String>,
    /// The whole text of the step, for those that do not follow the common form.
    pub(super) text: Option<Vec<String>>,
    /// What the text of the build says, instead of the name of the step.
    pub(super) build_text: Option<Vec<String>>,
    /// Further logs.
    pub(super) logs: Vec<(String, Bytes)>,
    /// Numbers.
    pub(super) statistics: Vec<(&'static str, Number)>,
    /// Properties of the build.
    pub(super) properties: Vec<(String, Value)>,
    /// How much is added to `warnings-count` of the build.
    pub(super) warnings: Option<u64>,
}

impl Findings {
    fn log(&mut self, name: impl Into<String>, lines: Lines) {
        self.logs.push((name.into(), lines.into_bytes()));
    }

    fn statistic(&mut self, name: &'static str, number: u64) {
        self.statistics.push((name, number.into()));
    }

    fn property(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.properties.push((name.into(), value.into()));
    }
}

/// So much of the output has to be at hand at the end.
pub(super) const fn collects(reader: &OutputReader) -> usize {
    if matches!(reader, OutputReader::Property { .. }) {
        small::LONGEST_PROPERTY + 1
    } else if matches!(reader, OutputReader::TreeSize) {
        64
    } else {
        0
    }
}

/// The reader of these settings, if they say that anything is read. `suppressions` are those of the
/// file on the slave.
pub(super) fn reader(
    settings: &OutputReader,
    suppressions: Vec<Suppression>,
) -> Option<Box<dyn Reads>> {
    use OutputReader as Of;
    Some(match settings {
        // The value of a property is not made of lines.
        Of::Nothing | Of::Property { .. } => return None,
        Of::Warnings(rules) => Box::new(warnings::Counting::new(rules, suppressions)),
        Of::Pbuilder(rules) => Box::new(packages::Pbuilder::new(rules, suppressions)),
        Of::PerlTests(rules) => Box::new(perl::Tests::new(rules, suppressions)),
        Of::MysqlTests(tests) => Box::new(mysql::Tests::new(tests, suppressions)),
        Of::TreeSize => Box::new(small::TreeSize),
        Of::Epydoc => Box::new(documents::Epydoc::default()),
        Of::Pyflakes => Box::new(pyflakes::Issues::default()),
        Of::Pylint => Box::new(pylint::Messages::default()),
        Of::Cppcheck => Box::new(cppcheck::Messages::default()),
        Of::Sphinx => Box::new(documents::Sphinx::default()),
        Of::Trial { reactor } => Box::new(trial::Tests::new(reactor.as_deref())),
        Of::Hlint => Box::new(small::Hlint::default()),
        Of::Maxq => Box::new(small::Maxq::default()),
        Of::Subunit {
            failure_on_no_tests,
        } => Box::new(subunit::Stream::new(*failure_on_no_tests)),
        Of::VisualStudio { tells } => Box::new(visual_studio::Build::new(*tells)),
        Of::Lintian => Box::new(packages::Lint::lintian()),
        Of::Rpmlint => Box::new(packages::Lint::rpmlint()),
        Of::Rpmbuild => Box::new(packages::Rpmbuild::default()),
        Of::MockSrpm => Box::new(packages::MockSrpm::default()),
    })
}

pub(super) use self::small::property;

/// Lines that are kept for a log.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
    left_out: u64,
}

impl Lines {
    /// So many bytes of lines are kept.
    const MOST_BYTES: usize = 4 << 20;

    fn push(&mut self, line: &[u8]) {
        self.count += 1;
        if self.bytes.len() + line.len() >= Self::MOST_BYTES {
            self.left_out += 1;
            return;
        }
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
    }

    const fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn into_bytes(mut self) -> Bytes {
        if self.left_out > 0 {
            let note = format!("({} further lines are left out)\n", self.left_out);
            self.bytes.extend_from_slice(note.as_bytes());
        }
        self.bytes.into()
    }
}

/// An amount in words: `1 test`, `2 tests`.
fn amount(count: u64, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A valid regular expression of the program's own.
fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a valid expression")
}
