//! The output of Twisted's `trial` (TST-05).

use super::Report;
use super::book::{Found, Same, cut};
use super::lines::LineReader;
use crate::model::{TestName, TestOutcome};

/// So many tests have the same failure.
const MOST_ALIKE: usize = 1_000;

/// The output of a run.
#[derive(Debug, Default)]
pub(super) struct Trial {
    module: String,
    class: String,
    /// A test whose result is on a later line.
    open: Option<TestName>,
    /// What follows the first line across.
    section: Option<Section>,
    has_total: bool,
}

/// A failure, and the tests that it belongs to.
#[derive(Debug, Default)]
struct Section {
    begin: u64,
    /// The last line of the paragraph before the last one.
    message: String,
    /// The last paragraph.
    last: Vec<String>,
    is_blank: bool,
}

impl Trial {
    fn running(&mut self, line: &str, report: &mut Report) {
        if let Some((name, rest)) = line.split_once(" ...") {
            let test = name.trim();
            let parts = if name.starts_with(' ') {
                TestName::new([self.module.as_str(), self.class.as_str(), test])
            } else {
                name_of(test)
            };
            match outcome(rest) {
                Some(outcome) => report.add(&parts, Found::new(outcome), Same::Another),
                None => self.open = Some(parts),
            }
        } else if let Some(outcome) = outcome(line)
            && let Some(name) = self.open.take()
        {
            report.add(&name, Found::new(outcome), Same::Another);
        } else if self.open.is_none() {
            let text = line.trim();
            match line.len() - line.trim_start().len() {
                0 if !text.is_empty() => self.module = cut(text),
                2 => self.class = cut(text),
                _ => {}
            }
        }
    }

    fn end_section(&mut self, report: &mut Report) {
        let Some(section) = self.section.take() else {
            return;
        };
        let place = report.since(section.begin);
        for test in &section.last {
            report.explain(&name_of(test), &section.message, place);
        }
    }
}

impl Section {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            self.is_blank = true;
            return;
        }
        if std::mem::take(&mut self.is_blank) {
            self.message = self.last.pop().unwrap_or_default();
            self.last.clear();
        }
        if self.last.len() >= MOST_ALIKE {
            self.last.remove(0);
        }
        self.last.push(line.chars().take(500).collect());
    }
}

impl LineReader for Trial {
    fn line(&mut self, line: &str, report: &mut Report) {
        let is_across = |mark: &str| line.starts_with(&mark.repeat(60));
        if is_across("=") {
            self.end_section(report);
            let begin = report.here();
            self.section = Some(Section {
                begin,
                ..Section::default()
            });
        } else if is_across("-") {
            self.end_section(report);
        } else if line.starts_with("Ran ") && line.contains(" test") && line.contains(" in ") {
            self.end_section(report);
            self.has_total = true;
        } else if let Some(section) = &mut self.section {
            section.line(line);
        } else if !self.has_total {
            self.running(line, report);
        }
    }

    fn end(&mut self, report: &mut Report) -> bool {
        self.end_section(report);
        if let Some(name) = self.open.take() {
            let found = Found::new(TestOutcome::Error).message("did not end");
            report.add(&name, found, Same::Another);
        }
        self.has_total
    }

    fn memory(&self) -> usize {
        let last = self.section.iter().flat_map(|section| &section.last);
        last.map(|line| line.capacity() + 24).sum()
    }
}

/// The result that a line ends with.
fn outcome(line: &str) -> Option<TestOutcome> {
    let (_, word) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    Some(match word {
        "OK" => TestOutcome::Passed,
        "FAIL" | "FAILURE" => TestOutcome::Failed,
        "ERROR" => TestOutcome::Error,
        "SKIPPED" => TestOutcome::Skipped,
        "TODO" => TestOutcome::ExpectedFailure,
        "SUCCESS!?!" => TestOutcome::BadSuccess,
        _ => return None,
    })
}

fn name_of(test: &str) -> TestName {
    let mut parts = test.rsplitn(3, '.');
    let (method, class) = (parts.next().unwrap_or(test), parts.next());
    TestName::new([
        parts.next().unwrap_or_default(),
        class.unwrap_or_default(),
        method,
    ])
}
