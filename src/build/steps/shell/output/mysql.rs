//! The output of `mysql-test-run.pl` (`MTR`).

use std::sync::LazyLock;

use regex::Regex;

use super::warnings::Counting;
use super::{Ended, Findings, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::config::{MysqlTests, Suppression};
use crate::logs::Channel;

/// The tests that have failed, and those with warnings.
#[derive(Debug)]
pub(super) struct Tests {
    settings: MysqlTests,
    warnings: Counting,
    /// The tests that have ended.
    ended: u64,
    failed: Vec<String>,
    with_warnings: Vec<String>,
}

/// Further names are not kept.
const MOST_NAMES: usize = 10_000;

impl Tests {
    pub(super) fn new(settings: &MysqlTests, further: Vec<Suppression>) -> Self {
        Self {
            settings: settings.clone(),
            warnings: Counting::new(&settings.warnings, further),
            ended: 0,
            failed: Vec::new(),
            with_warnings: Vec::new(),
        }
    }

    fn look(&mut self, line: &str) {
        static TEST: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"^([-._0-9a-zA-z]+)( '[-_ a-zA-Z]+')?\s+(w[0-9]+\s+)?\[ (fail|pass) \]\s*(.*)$")
        });
        const WARNED: &str =
            "***Warnings generated in error logs during shutdown after running tests: ";
        if let Some(found) = TEST.captures(line) {
            self.ended += 1;
            let group = |n| found.get(n).map_or("", |group| group.as_str());
            if group(4) == "fail" && self.failed.len() < MOST_NAMES {
                self.failed.push(format!("F:{}", self.short(group(1))));
            }
        } else if let Some(tests) = line.strip_prefix(WARNED) {
            for test in tests.split(' ') {
                if self.with_warnings.len() < MOST_NAMES {
                    self.with_warnings.push(format!("W:{}", self.short(test)));
                }
            }
        }
    }

    /// The name of a test without its suite, cut if it is long.
    fn short(&self, name: &str) -> String {
        let limit = self.settings.name_limit;
        let suite = name.split_once('.').filter(|(suite, _)| {
            !suite.is_empty() && suite.bytes().all(|byte| byte.is_ascii_lowercase())
        });
        let name = suite.map_or(name, |(_, rest)| rest);
        if name.chars().count() <= limit {
            return name.to_owned();
        }
        let cut: String = name.chars().take(limit.saturating_sub(2)).collect();
        format!("{cut}...")
    }
}

impl LineObserver for Tests {
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
        self.warnings.line(log, channel, line);
        if log == STDIO && channel == Channel::Stdout {
            self.look(&String::from_utf8_lossy(line));
        }
    }

    fn tests(&self) -> Option<u64> {
        Some(self.ended)
    }
}

impl Reads for Tests {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = self.warnings.findings(end);
        let mut text = vec!["test".to_owned()];
        text.extend(self.settings.test_type);
        for mut names in [self.failed, self.with_warnings] {
            names.sort();
            text.extend(names.into_iter().take(self.settings.text_limit));
        }
        findings.text = Some(text);
        findings
    }
}
