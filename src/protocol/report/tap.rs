//! The Test Anything Protocol, versions 12 to 14 (TST-05).

use super::book::{Found, Same, secs};
use super::lines::LineReader;
use super::{MOST_NESTING, Report};
use crate::model::{TestName, TestOutcome};

/// So many tests wait for the name of their parent.
const MOST_WAITING: usize = 2_000;

/// A stream of points.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// What stands before each name: the file, for `prove`.
    prefix: String,
    planned: Option<u64>,
    points: u64,
    bad_points: u64,
    has_bailed_out: bool,
    /// Points of subtests whose parent has not come: the depth, the parts of the name so far, and
    /// the result.
    waiting: Vec<(usize, Vec<String>, Found)>,
    /// The last point, until it is known that no YAML about it follows.
    last: Option<Point>,
    /// The indentation of the YAML that is being read.
    yaml: Option<usize>,
}

/// A point that has been read.
#[derive(Debug)]
struct Point {
    depth: usize,
    name: String,
    found: Found,
    /// Where it begins.
    begin: u64,
}

impl Tap {
    /// A stream of the file `prefix`.
    pub(super) fn of_file(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            ..Self::default()
        }
    }

    /// Points of the outermost level.
    pub(super) const fn points(&self) -> u64 {
        self.points
    }

    /// Whether one of them is bad.
    pub(super) const fn has_bad_points(&self) -> bool {
        self.bad_points > 0
    }

    /// Whether there are as many points as planned.
    pub(super) fn is_as_planned(&self) -> bool {
        self.planned == Some(self.points)
    }

    /// Tells of the last point.
    pub(super) fn settle(&mut self, report: &mut Report) {
        let Some(point) = self.last.take() else {
            return;
        };
        let Point {
            depth,
            name,
            mut found,
            begin,
        } = point;
        if found.outcome.is_bad() {
            // Up to the next point: what is told about it follows it.
            found.place = report.since(begin);
        }
        // The subtests right before are its own.
        let first = self.waiting.iter().position(|(at, ..)| *at > depth);
        let children = self.waiting.split_off(first.unwrap_or(self.waiting.len()));
        let is_bad = |(_, _, found): &(usize, Vec<String>, Found)| found.outcome.is_bad();
        let counts = children.is_empty() || found.outcome.is_bad() && !children.iter().any(is_bad);
        let is_todo = found.outcome == TestOutcome::ExpectedFailure;
        for (_, mut parts, mut child) in children {
            if is_todo && child.outcome.is_bad() {
                child.outcome = TestOutcome::ExpectedFailure;
            }
            parts.insert(0, name.clone());
            self.give(depth, parts, child, report);
        }
        if counts {
            self.give(depth, vec![name], found, report);
        }
    }

    /// Tells of a test, or keeps it for its parent.
    fn give(&mut self, depth: usize, parts: Vec<String>, found: Found, report: &mut Report) {
        if depth > 0 && self.waiting.len() < MOST_WAITING {
            self.waiting.push((depth, parts, found));
            return;
        }
        if depth > 0 {
            report.note(format!(
                "more than {MOST_WAITING} subtests of one test: their names lack that of the test"
            ));
        }
        let parts = std::iter::once(self.prefix.as_str()).chain(parts.iter().map(String::as_str));
        report.add(&TestName::new(parts), found, Same::Another);
    }

    fn plan(&mut self, plan: &str) {
        let count = plan.split_once(|c: char| !c.is_ascii_digit());
        let count = count.map_or(plan, |(count, _)| count);
        self.planned = count.parse().ok().or(self.planned);
    }

    /// A line of YAML about the last point.
    fn about(&mut self, line: &str) {
        let Some(point) = &mut self.last else { return };
        let Some((key, value)) = line.trim().split_once(':') else {
            return;
        };
        let value = value.trim().trim_matches(['\'', '"']);
        match key {
            "message" if point.found.message.is_none() => {
                let found = point.found.clone();
                point.found = found.message(value);
            }
            "duration_ms" => {
                let found = point.found.clone();
                point.found = found.secs(secs(value).map(|ms| ms / 1000.0));
            }
            _ => {}
        }
    }
}

impl LineReader for Tap {
    fn line(&mut self, line: &str, report: &mut Report) {
        if self.has_bailed_out {
            return;
        }
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        if let Some(yaml) = self.yaml {
            if text == "..." && indent == yaml {
                self.yaml = None;
            } else if indent >= yaml {
                self.about(text);
            }
            if indent >= yaml || text.is_empty() {
                return;
            }
            self.yaml = None;
        }
        if text == "---" && self.last.is_some() && indent > 0 {
            self.yaml = Some(indent);
            return;
        }
        let depth = indent / 4;
        if let Some(why) = text.strip_prefix("Bail out!") {
            self.settle(report);
            self.has_bailed_out = true;
            report.note(format!("bailed out: {}", super::book::cut(why.trim())));
        } else if let Some(plan) = text.strip_prefix("1..") {
            if depth == 0 {
                self.plan(plan);
            }
        } else if let Some(point) = point(text) {
            self.settle(report);
            if depth >= MOST_NESTING {
                report.note(format!(
                    "subtests nested deeper than {MOST_NESTING} are not read"
                ));
                return;
            }
            let number = if depth == 0 { self.points + 1 } else { 0 };
            if depth == 0 {
                self.points += 1;
                self.bad_points += u64::from(point.1.outcome.is_bad());
            }
            let (name, found, said) = point;
            let name = match (name.is_empty(), said) {
                (false, _) => name,
                (true, Some(said)) => format!("test {said}"),
                (true, None) => format!("test {number}"),
            };
            self.last = Some(Point {
                depth,
                name,
                found,
                begin: report.here(),
            });
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        self.settle(report);
        for (_, parts, found) in std::mem::take(&mut self.waiting) {
            self.give(0, parts, found, report);
        }
        match self.planned {
            Some(planned) if planned != self.points && !self.has_bailed_out => {
                report.note(format!("planned {planned}, ran {}", self.points));
                false
            }
            Some(_) => !self.has_bailed_out,
            None => false,
        }
    }

    fn memory(&self) -> usize {
        let size = |(_, parts, found): &(usize, Vec<String>, Found)| {
            let parts = parts.iter().map(|part| part.capacity() + 24);
            parts.sum::<usize>() + found.message.as_ref().map_or(0, String::capacity) + 160
        };
        self.waiting.iter().map(size).sum()
    }
}

/// A point: its description, its result, and its number if it has one.
fn point(text: &str) -> Option<(String, Found, Option<u64>)> {
    let (is_good, rest) = match text.strip_prefix("not ") {
        Some(rest) => (false, rest.strip_prefix("ok")?),
        None => (true, text.strip_prefix("ok")?),
    };
    if rest.starts_with(|c: char| !c.is_whitespace()) {
        return None;
    }
    let rest = rest.trim();
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let (number, after) = rest.split_at(digits.unwrap_or(rest.len()));
    let is_number = !number.is_empty() && !after.starts_with(|c: char| !c.is_whitespace());
    let (number, rest) = if is_number {
        (number.parse().ok(), after.trim_start())
    } else {
        (None, rest)
    };
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let rest = if rest == "-" { "" } else { rest };
    let (name, directive) = split(rest);
    let word = directive.split_whitespace().next().unwrap_or_default();
    let why = directive.strip_prefix(word).unwrap_or_default().trim();
    let word = word.to_ascii_uppercase();
    let (outcome, message, time) = if word.starts_with("SKIP") {
        (TestOutcome::Skipped, why, None)
    } else if word == "TODO" && is_good {
        (TestOutcome::UnexpectedSuccess, why, None)
    } else if word == "TODO" {
        (TestOutcome::ExpectedFailure, why, None)
    } else {
        let time = directive.strip_prefix("time=");
        let time = time.and_then(|time| secs(time.trim_end_matches("ms")));
        let outcome = if is_good {
            TestOutcome::Passed
        } else {
            TestOutcome::Failed
        };
        (outcome, "", time.map(|ms| ms / 1000.0))
    };
    let name: String = name.chars().take(TestName::MOST_BYTES + 1).collect();
    Some((
        name,
        Found::new(outcome).message(message).secs(time),
        number,
    ))
}

/// The description of a point and its directive, which a `#` begins that is not escaped.
fn split(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, escaped)| escaped)),
            '#' => {
                let (_, directive) = text.split_at(at + 1);
                return (name.trim().to_owned(), directive.trim());
            }
            c => name.push(c),
        }
    }
    (name.trim().to_owned(), "")
}
