//! The output of `cppcheck` (`Cppcheck`).

use std::sync::LazyLock;

use regex::Regex;

use super::{Ended, Findings, Lines, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

const KINDS: [&str; 6] = [
    "error",
    "warning",
    "style",
    "performance",
    "portability",
    "information",
];

/// What `cppcheck` has found, by severity.
#[derive(Debug, Default)]
pub(super) struct Messages {
    found: [Lines; KINDS.len()],
}

impl LineObserver for Messages {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"^(?:\[.+\]: )?\((error|warning|style|performance|portability|information)\) .+")
        });
        if log != STDIO {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let Some(severity) = LINE.captures(&text).and_then(|found| found.get(1)) else {
            return;
        };
        let kind = KINDS.iter().position(|kind| *kind == severity.as_str());
        if let Some(lines) = kind.and_then(|kind| self.found.get_mut(kind)) {
            lines.push(line);
        }
    }
}

impl Reads for Messages {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        let total: u64 = self.found.iter().map(|lines| lines.count).sum();
        let [errors, ..] = &self.found;
        findings.result = match (end.by_status, errors.count, total) {
            (Results::Success, 0, 0) => Some(Results::Success),
            (Results::Success, 0, _) => Some(Results::Warnings),
            (Results::Success, _, _) => Some(Results::Failure),
            _ => None,
        };
        for (kind, lines) in KINDS.into_iter().zip(self.found) {
            let count = lines.count;
            findings.property(format!("cppcheck-{kind}"), count);
            if count > 0 {
                findings.done.push(format!("{kind}={count}"));
                findings.log(kind, lines);
            }
        }
        findings.property("cppcheck-total", total);
        findings
    }
}
