//! The output of pytest (TST-05).

use std::collections::BTreeMap;

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// So many tests are run again at once.
const MOST_RERUN: usize = 300;
/// Outputs whose places are remembered.
const MOST_OUTPUTS: usize = 1_000;
/// Characters of the heading of an output that are remembered.
const MOST_HEADING: usize = 250;

/// The output of a run.
#[derive(Debug, Default)]
pub(super) struct Pytest {
    is_verbose: bool,
    is_interrupted: bool,
    is_summary: bool,
    /// Whether the output of failed tests is being read.
    is_output: bool,
    /// The outputs of failed tests, by the names in their headings, with their places.
    outputs: Vec<(String, (u64, u64))>,
    /// The heading of the output that is being read, and where it begins.
    heading: Option<(String, u64)>,
    has_ended: bool,
    /// A test whose result is on a later line.
    open: Option<String>,
    /// Tests that are run again, with the number of attempts so far.
    reruns: BTreeMap<String, u32>,
}

impl Pytest {
    fn tell(&mut self, test: &str, word: &str, why: &str, report: &mut Report) {
        self.is_verbose = true;
        let outcome = match word {
            "PASSED" => TestOutcome::Passed,
            "FAILED" => TestOutcome::Failed,
            "ERROR" => TestOutcome::Error,
            "SKIPPED" => TestOutcome::Skipped,
            "XFAIL" => TestOutcome::ExpectedFailure,
            "XPASS" => TestOutcome::UnexpectedSuccess,
            _ => {
                if self.reruns.len() < MOST_RERUN || self.reruns.contains_key(test) {
                    *self.reruns.entry(cut(test)).or_default() += 1;
                }
                return;
            }
        };
        let mut found = Found::new(outcome).message(why);
        if let Some(reruns) = self.reruns.remove(test) {
            found.more_attempts = reruns;
            found.is_flaky = outcome == TestOutcome::Passed;
        }
        // An error while a test is taken down comes after its own result.
        let same = if outcome == TestOutcome::Error {
            Same::Worst
        } else {
            Same::Another
        };
        report.add(&name_of(test), found, same);
    }

    fn running(&mut self, line: &str, report: &mut Report) {
        if let Some(rest) = line.strip_prefix("[gw") {
            let Some((_, rest)) = rest.split_once("%] ") else {
                return;
            };
            if let Some((word, test)) = rest.split_once(' ')
                && WORDS.contains(&word)
            {
                self.tell(test.trim(), word, "", report);
            }
            return;
        }
        let line = match line.trim_end().strip_suffix("%]") {
            Some(front) => front.rsplit_once('[').map_or(line, |(front, _)| front),
            None => line,
        };
        let Some((front, word, why)) = result(line.trim_end()) else {
            let is_test = line
                .split_once("::")
                .is_some_and(|(file, _)| !file.is_empty() && !file.contains(char::is_whitespace));
            if is_test {
                self.open = line.split_whitespace().next().map(cut);
            }
            return;
        };
        let is_test = front.contains("::") && !front.starts_with(char::is_whitespace);
        if is_test {
            self.open = None;
            self.tell(front.trim(), word, why, report);
        } else if let Some(test) = self.open.take() {
            self.tell(&test, word, why, report);
        }
    }

    /// A line of the output of failed tests. Headings are names between underscores.
    fn output(&mut self, line: &str, report: &Report) {
        let name = line
            .strip_prefix("____")
            .and_then(|l| l.strip_suffix("____"));
        let Some(name) = name.map(|name| name.trim_matches(['_', ' '])) else {
            return;
        };
        self.end_output(report);
        let name = name.rsplit_once(" of ").map_or(name, |(_, name)| name);
        let name = name.chars().take(MOST_HEADING).collect();
        self.heading = Some((name, report.here()));
    }

    fn end_output(&mut self, report: &Report) {
        if let Some((name, begin)) = self.heading.take()
            && let Some(place) = report.since(begin)
            && self.outputs.len() < MOST_OUTPUTS
        {
            self.outputs.push((name, place));
        }
    }

    /// Where the output of a test is. Each is the output of one test.
    fn output_of(&mut self, test: &str) -> Option<(u64, u64)> {
        let (_, rest) = test.split_once("::")?;
        let name = rest.replace("::", ".");
        let at = self.outputs.iter().position(|(known, _)| *known == name)?;
        Some(self.outputs.remove(at).1)
    }

    /// A line of the short summary.
    fn summary(&mut self, line: &str, report: &mut Report) {
        let Some((word, rest)) = line.split_once(' ') else {
            return;
        };
        let outcome = match word {
            "FAILED" => TestOutcome::Failed,
            "ERROR" => TestOutcome::Error,
            _ => return,
        };
        let (test, message) = rest.split_once(" - ").unwrap_or((rest, ""));
        let name = name_of(test.trim());
        let place = self.output_of(test.trim());
        if !report.explain(&name, message, place) {
            let mut found = Found::new(outcome).message(message);
            found.place = place;
            report.add(&name, found, Same::Another);
        }
    }

    fn end_run(&mut self, counts: &str, report: &mut Report) {
        self.has_ended = true;
        let has_counts = !counts.starts_with("no tests ran");
        if !self.is_verbose && has_counts {
            report.note("only failures are named".to_owned());
            report.note(format!("counts: {}", cut(counts)));
            self.is_interrupted = true;
        }
    }
}

impl LineReader for Pytest {
    fn line(&mut self, line: &str, report: &mut Report) {
        if line.starts_with("=====") {
            self.end_output(report);
        }
        if line.starts_with("!!!!") {
            self.is_interrupted = true;
        } else if line.starts_with("=====") && line.contains(" short test summary info ") {
            (self.is_summary, self.is_output) = (true, false);
        } else if line.starts_with("=====") && line.ends_with("=====") && !line.contains(" in ") {
            self.is_output = !line.contains(" test session starts ");
        } else if let Some(counts) = counts(line) {
            (self.is_summary, self.is_output) = (false, false);
            self.end_run(counts, report);
        } else if self.is_summary {
            self.summary(line, report);
        } else if self.is_output {
            self.output(line, report);
        } else {
            self.running(line, report);
        }
    }

    fn end(&mut self, _: &mut Report) -> bool {
        self.has_ended && !self.is_interrupted
    }

    fn memory(&self) -> usize {
        let reruns = self.reruns.keys().map(|test| test.capacity() + 64);
        let outputs = self.outputs.iter().map(|(name, _)| name.capacity() + 40);
        reruns.sum::<usize>() + outputs.sum::<usize>()
    }
}

const WORDS: [&str; 7] = [
    "PASSED", "FAILED", "SKIPPED", "XFAIL", "XPASS", "ERROR", "RERUN",
];

/// What stands before the result that ends a line, the word of the result, and the reason in
/// brackets.
fn result(line: &str) -> Option<(&str, &str, &str)> {
    for word in WORDS {
        if let Some(front) = line.strip_suffix(word)
            && (front.is_empty() || front.ends_with(' '))
        {
            return Some((front, word, ""));
        }
    }
    let inner = line.strip_suffix(')')?;
    for word in WORDS {
        if let Some((front, why)) = inner.split_once(&format!(" {word} (")) {
            return Some((front, word, why));
        }
    }
    None
}

/// The counts of the last line: `1 failed, 2 passed`.
fn counts(line: &str) -> Option<&str> {
    let inner = line.trim_matches(['=', ' ']);
    let (counts, time) = inner.rsplit_once(" in ")?;
    let is_time = time.starts_with(|c: char| c.is_ascii_digit())
        && time.split_whitespace().next()?.ends_with('s');
    let is_counts = counts == "no tests ran"
        || counts.split(", ").all(|part| {
            let (count, what) = part.split_once(' ').unwrap_or_default();
            let is_count = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
            is_count && what.chars().all(|c| c.is_ascii_alphabetic() || c == ' ')
        });
    (is_time && is_counts).then_some(counts)
}

fn name_of(test: &str) -> TestName {
    let (file, rest) = test.split_once("::").unwrap_or((test, ""));
    TestName::new([file, rest])
}
