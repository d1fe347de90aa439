//! Counting warnings of compilers (`WarningCountingShellCommand`, `Compile`, `Test`).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::{Ended, Findings, Lines, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::config::{LinePattern, Suppression, WarningExtractor, WarningRules};
use crate::logs::Channel;
use crate::model::Results;

/// Counts the lines that are warnings by the rules.
#[derive(Debug)]
pub(super) struct Counting {
    rules: WarningRules,
    /// Those of the file on the slave.
    further: Vec<Suppression>,
    /// Where the compiler is.
    directories: Vec<String>,
    lines: Lines,
}

/// Deeper directories are not told apart.
const DEEPEST: usize = 1000;

impl Counting {
    pub(super) fn new(rules: &WarningRules, further: Vec<Suppression>) -> Self {
        Self {
            rules: rules.clone(),
            further,
            directories: Vec::new(),
            lines: Lines::default(),
        }
    }

    /// Whether a line looks like a warning, wherever that is in it.
    pub(super) fn is_warning(&self, line: &str) -> bool {
        self.rules.pattern.is_match(line)
    }

    pub(super) fn look(&mut self, line: &str) {
        if let Some(found) = self.rules.directory_enter.captures(line) {
            let directory = found.get(1).map_or("", |group| group.as_str());
            if self.directories.len() < DEEPEST {
                self.directories.push(directory.to_owned());
            }
        } else if !self.directories.is_empty() && self.rules.directory_leave.is_match(line) {
            self.directories.pop();
        } else if self.counts(line) {
            self.lines.push(line.as_bytes());
        }
    }

    fn counts(&self, line: &str) -> bool {
        let Some(found) = self.rules.pattern.captures(line) else {
            return false;
        };
        let group = |n| found.get(n).map(|group| group.as_str());
        let (file, number, text) = match self.rules.extractor {
            WarningExtractor::Line => (None, None, line),
            WarningExtractor::Groups => {
                let number = group(2).and_then(|number| number.parse::<u64>().ok());
                (group(1), number, group(3).unwrap_or_default())
            }
        };
        let file = file.map(|file| {
            if file.is_empty() || self.directories.is_empty() {
                Cow::from(file)
            } else {
                format!("{}/{file}", self.directories.join("/")).into()
            }
        });
        let mut all = self.rules.suppressions.iter().chain(&self.further);
        !all.any(|rule| rule.covers(file.as_deref(), number, text))
    }

    /// What was found, and the result of that.
    pub(super) fn findings(self, end: &Ended<'_>) -> Findings {
        let count = self.lines.count;
        let mut findings = Findings {
            warnings: Some(count),
            ..Findings::default()
        };
        if count > 0 {
            findings.log(format!("warnings ({count})"), self.lines);
        }
        findings.statistic("warnings", count);
        let is_too_much = self.rules.max_count.is_some_and(|max| count > max.into());
        findings.result = Some(end.or(match count {
            _ if is_too_much => Results::Failure,
            0 => Results::Success,
            _ => Results::Warnings,
        }));
        findings
    }
}

impl Suppression {
    fn covers(&self, file: Option<&str>, number: Option<u64>, text: &str) -> bool {
        let is_file = |pattern: &LinePattern| file.is_none_or(|file| pattern.is_match(file));
        let is_line = match (self.first, self.last) {
            (None, None) => true,
            (first, last) => number.is_some_and(|number| {
                first.is_none_or(|first| first <= number) && last.is_none_or(|last| number <= last)
            }),
        };
        is_line
            && self.file.as_ref().is_none_or(is_file)
            && self
                .text
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
    }
}

impl LineObserver for Counting {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log == STDIO {
            self.look(&String::from_utf8_lossy(line));
        }
    }
}

impl Reads for Counting {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        self.findings(end)
    }
}

/// The suppressions of a file: lines of the form `FILE : TEXT` or `FILE : TEXT : FIRST-LAST`, with
/// two regular expressions. Answers too which lines are none.
pub(in crate::build::steps::shell) fn suppressions_of(
    file: &str,
) -> (Vec<Suppression>, Vec<usize>) {
    static LINE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\s*(.+?)\s*:\s*(.+?)\s*(?::\s*([0-9]+)(?:-([0-9]+))?\s*)?$"));
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(file.lines().take(MOST_SUPPRESSIONS)) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = LINE.captures(line).and_then(|groups| {
            let line = |n| groups.get(n)?.as_str().parse::<u64>().ok();
            let first = line(3);
            Some(Suppression {
                file: Some(LinePattern::from_start(groups.get(1)?.as_str()).ok()?),
                text: Some(LinePattern::anywhere(groups.get(2)?.as_str()).ok()?),
                first,
                last: line(4).or(first),
            })
        });
        match read {
            Some(read) => found.push(read),
            None => wrong.push(number),
        }
    }
    (found, wrong)
}

/// Further lines of a file are not read.
const MOST_SUPPRESSIONS: usize = 10_000;
