//! What Perl's `prove` prints: a line a file, or the points of each file, and a summary (TST-05).

use std::collections::BTreeMap;

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
use super::tap::Tap;
use crate::model::{TestName, TestOutcome};

/// So many files with points are remembered.
const MOST_FILES: usize = 10_000;
/// So many tests of one range are told of.
const MOST_OF_RANGE: u64 = 10_000;

/// The output of `prove`.
#[derive(Debug, Default)]
pub(super) struct Prove {
    /// The file that runs, and its points.
    file: Option<(String, Tap)>,
    /// The files with points, and whether one of them is bad.
    verbose: BTreeMap<String, bool>,
    /// Whether the summary has begun.
    is_summary: bool,
    /// The file of the summary, whether something was told of it, and what is said of its end.
    summed_up: Option<(String, bool, Option<String>)>,
    has_result: bool,
}

impl Prove {
    /// Ends the points of a file.
    fn end_file(&mut self, report: &mut Report) {
        if let Some((file, mut points)) = self.file.take() {
            points.settle(report);
            if points.points() > 0 && self.verbose.len() < MOST_FILES {
                self.verbose.insert(file, points.has_bad_points());
            }
        }
    }

    /// A line before the summary.
    fn running(&mut self, line: &str, report: &mut Report) {
        if let Some((file, rest)) = file_line(line) {
            self.end_file(report);
            let name = TestName::new([file]);
            let mut words = rest.split_whitespace();
            let found = if let Some(why) = rest.strip_prefix("skipped:") {
                Found::new(TestOutcome::Skipped).message(why)
            } else {
                match words.next() {
                    Some("ok") => Found::new(TestOutcome::Passed),
                    Some("skipped") => Found::new(TestOutcome::Skipped),
                    _ => {
                        self.file = Some((file.to_owned(), Tap::of_file(file)));
                        return;
                    }
                }
            };
            report.add(&name, found, Same::Another);
            return;
        }
        let Some((_, points)) = &mut self.file else {
            return;
        };
        // The end of a file whose points were shown.
        if line == "ok" && points.points() > 0 && points.is_as_planned() {
            self.end_file(report);
        } else {
            points.line(line, report);
        }
    }

    /// Ends what the summary says of a file.
    fn end_sum(&mut self, report: &mut Report) {
        let Some((file, is_told, end)) = self.summed_up.take() else {
            return;
        };
        let has_bad_points = self.verbose.get(&file).copied();
        if !is_told
            && has_bad_points != Some(true)
            && let Some(end) = end
        {
            let found = Found::new(TestOutcome::Error).message(&end);
            report.add(&TestName::new([file.as_str()]), found, Same::Another);
        }
    }

    fn summary(&mut self, line: &str, report: &mut Report) {
        if let Some((file, _)) = line.split_once(" (Wstat: ") {
            self.end_sum(report);
            self.summed_up = Some((file.trim_end().to_owned(), false, None));
            return;
        }
        let Some((file, is_told, end)) = &mut self.summed_up else {
            return;
        };
        let line = line.trim();
        let (what, numbers) = line.split_once(':').unwrap_or((line, ""));
        match what {
            "Failed test" | "Failed tests" => {
                *is_told = true;
                if !self.verbose.contains_key(file) {
                    for number in numbers.split(',').flat_map(range) {
                        let name = format!("test {number}");
                        let name = TestName::new([file.as_str(), name.as_str()]);
                        report.add(&name, Found::new(TestOutcome::Failed), Same::Another);
                    }
                }
            }
            "Non-zero exit status" | "Parse errors" | "Non-zero wait status" => {
                end.get_or_insert_with(|| cut(line));
            }
            _ => {}
        }
    }
}

impl LineReader for Prove {
    fn line(&mut self, line: &str, report: &mut Report) {
        if line.starts_with("Test Summary Report") {
            self.end_file(report);
            self.is_summary = true;
        } else if line.starts_with("Result: ") {
            self.end_file(report);
            self.end_sum(report);
            self.is_summary = false;
            self.has_result = true;
        } else if line.starts_with("Files=") {
            self.end_sum(report);
        } else if self.is_summary {
            self.summary(line, report);
        } else {
            self.running(line, report);
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        self.end_file(report);
        self.end_sum(report);
        self.has_result
    }

    fn memory(&self) -> usize {
        let files = self.verbose.keys().map(|file| file.capacity() + 64);
        let points = self.file.as_ref().map_or(0, |(_, points)| points.memory());
        files.sum::<usize>() + points
    }
}

/// The file of a line `t/a.t .. ok`, and what follows the dots.
fn file_line(line: &str) -> Option<(&str, &str)> {
    // With a timer there is a time in front.
    let line = match line.strip_prefix('[') {
        Some(timed) => timed.split_once("] ")?.1,
        None => line,
    };
    let (file, rest) = line.split_once(" ..")?;
    let rest = rest.trim_start_matches('.');
    let is_file = !file.is_empty() && !file.starts_with([' ', '#']) && file.len() <= 1024;
    let has_end = rest.is_empty() || rest.starts_with(' ');
    (is_file && has_end).then(|| (file.trim_end(), rest.trim()))
}

/// The numbers of `3` or of `2-4`.
fn range(text: &str) -> std::ops::RangeInclusive<u64> {
    let text = text.trim();
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (Ok(from), Ok(to)) = (from.parse::<u64>(), to.parse::<u64>()) else {
        return std::ops::RangeInclusive::new(1, 0);
    };
    from..=to.min(from.saturating_add(MOST_OF_RANGE))
}
