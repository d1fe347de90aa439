//! The output of Twisted's `trial` (`Trial`).

use std::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;

use regex::Regex;

use super::{Ended, Findings, Lines, Reads, amount, regex, words};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// What `trial` has said.
#[derive(Debug)]
pub(super) struct Tests {
    /// The reactor, in brackets.
    reactor: Option<String>,
    /// Its last lines, where its counts are.
    tail: VecDeque<String>,
    tail_bytes: usize,
    warnings: BTreeSet<String>,
    /// The tests that have ended.
    tests: u64,
    /// A warning whose next line is its source.
    open: Option<String>,
    /// What follows the first line across; absent before it.
    problems: Option<Lines>,
}

/// The counts are within this number of bytes of the end: tracebacks of imports may follow the
/// line with the total.
const TAIL_BYTES: usize = 10_000;
/// Further warnings are not kept.
const MOST_WARNINGS: usize = 10_000;

impl Tests {
    pub(super) fn new(reactor: Option<&str>) -> Self {
        Self {
            reactor: reactor.map(|name| format!("({name})").replace("reactor", "")),
            tail: VecDeque::new(),
            tail_bytes: 0,
            warnings: BTreeSet::new(),
            tests: 0,
            open: None,
            problems: None,
        }
    }

    fn look(&mut self, line: &str) {
        // A test that has ended: its name, dots and its result.
        let (_, result) = line.rsplit_once(" ... [").unwrap_or_default();
        if self.problems.is_none() && result.ends_with(']') {
            self.tests += 1;
        }
        self.tail_bytes += line.len() + 1;
        self.tail.push_back(line.to_owned());
        while self.tail_bytes > TAIL_BYTES {
            let Some(gone) = self.tail.pop_front() else {
                break;
            };
            self.tail_bytes -= gone.len() + 1;
        }
        let is_across = line.starts_with(&"=".repeat(60)) || line.starts_with(&"-".repeat(60));
        if is_across && self.problems.is_none() {
            self.problems = Some(Lines::default());
        }
        if let Some(problems) = &mut self.problems {
            problems.push(line.as_bytes());
            return;
        }
        let warning = if let Some(open) = self.open.take() {
            format!("{open}\n{line}")
        } else if line.contains(" exceptions.DeprecationWarning: ") {
            line.to_owned()
        } else if line.contains(" DeprecationWarning: ") || line.contains(" UserWarning: ") {
            self.open = Some(line.to_owned());
            return;
        } else if line.contains("Warning: ") {
            line.to_owned()
        } else {
            return;
        };
        if self.warnings.len() < MOST_WARNINGS {
            self.warnings.insert(warning);
        }
    }
}

/// How many tests there were.
#[derive(Debug, Default)]
struct Counts {
    total: Option<u64>,
    failures: u64,
    errors: u64,
    skips: u64,
    expected_failures: u64,
}

impl Counts {
    fn of<'l>(lines: impl Iterator<Item = &'l String>) -> Self {
        static RAN: LazyLock<Regex> = LazyLock::new(|| regex(r"Ran (\d+) tests"));
        static COUNT: LazyLock<Regex> =
            LazyLock::new(|| regex(r"\b(failures|errors|skips|expectedFailures)=(\d+)"));
        let mut counts = Self::default();
        for line in lines {
            if let Some(ran) = RAN.captures(line) {
                counts.total = ran.get(1).and_then(|total| total.as_str().parse().ok());
            }
            if !["OK", "FAILED ", "PASSED"]
                .iter()
                .any(|word| line.starts_with(word))
            {
                continue;
            }
            for found in COUNT.captures_iter(line) {
                let group = |n| found.get(n).map_or("", |group| group.as_str());
                let count = group(2).parse().unwrap_or(0);
                match group(1) {
                    "failures" => counts.failures = count,
                    "errors" => counts.errors = count,
                    "skips" => counts.skips = count,
                    _ => counts.expected_failures = count,
                }
            }
        }
        counts
    }
}

impl LineObserver for Tests {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log == STDIO {
            self.look(&String::from_utf8_lossy(line));
        }
    }

    fn tests(&self) -> Option<u64> {
        Some(self.tests)
    }
}

impl Reads for Tests {
    fn conclude(mut self: Box<Self>, end: &Ended<'_>) -> Findings {
        let counts = Counts::of(self.tail.iter());
        let (mut text, mut about) = (Vec::new(), None);
        let result = match (end.has_failed(), counts.total) {
            (false, Some(0)) => {
                text = words(&["no tests", "run"]);
                Results::Success
            }
            (false, Some(total)) => {
                text = words(&[&amount(total, "test", "tests"), "passed"]);
                Results::Success
            }
            (false, None) => {
                text = words(&["testlog", "unparseable"]);
                about = Some("tests".to_owned());
                Results::Failure
            }
            (true, Some(_)) => {
                text.push("tests".to_owned());
                if counts.failures > 0 {
                    text.push(amount(counts.failures, "failure", "failures"));
                }
                if counts.errors > 0 {
                    text.push(amount(counts.errors, "error", "errors"));
                }
                let bad = counts.failures + counts.errors;
                about = Some(amount(bad, "test", "tests"));
                Results::Failure
            }
            (true, None) => {
                text = words(&["tests", "failed"]);
                about = Some("tests".to_owned());
                Results::Failure
            }
        };
        if counts.skips > 0 {
            text.push(amount(counts.skips, "skip", "skips"));
        }
        if counts.expected_failures > 0 {
            text.push(amount(counts.expected_failures, "todo", "todos"));
        }
        if let Some(reactor) = &self.reactor {
            text.push(reactor.clone());
            about = about.map(|about| format!("{about} {reactor}"));
        }
        let mut findings = Findings {
            result: Some(result),
            text: Some(text),
            build_text: about.map(|about| vec![about]),
            ..Findings::default()
        };
        if let Some(problems) = self.problems.take() {
            findings.log("problems", problems);
        }
        self.warnings.extend(self.open.take());
        if !self.warnings.is_empty() {
            let mut lines = Lines::default();
            for warning in &self.warnings {
                lines.push(warning.as_bytes());
            }
            findings.log("warnings", lines);
        }
        findings
    }
}
