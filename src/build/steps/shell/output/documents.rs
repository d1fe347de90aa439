//! Making documents: `BuildEPYDoc`, `Sphinx`.

use super::{Ended, Findings, Lines, Reads, words};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// What `epydoc` complains of.
#[derive(Debug, Default)]
pub(super) struct Epydoc {
    import_errors: u64,
    warnings: u64,
    errors: u64,
}

impl LineObserver for Epydoc {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log != STDIO {
            return;
        }
        let line = String::from_utf8_lossy(line);
        self.import_errors += u64::from(line.starts_with("Error importing "));
        self.warnings += u64::from(line.contains("Warning: "));
        self.errors += u64::from(line.contains("Error: "));
    }
}

impl Reads for Epydoc {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        for (what, count) in [
            ("ierr", self.import_errors),
            ("warn", self.warnings),
            ("err", self.errors),
        ] {
            if count > 0 {
                findings.done.push(format!("{what}={count}"));
            }
        }
        findings.result = Some(end.or(if self.warnings + self.errors > 0 {
            Results::Warnings
        } else {
            Results::Success
        }));
        findings
    }
}

/// What `sphinx-build` says. Its own last words decide, whatever its exit status is.
#[derive(Debug, Default)]
pub(super) struct Sphinx {
    has_succeeded: bool,
    warnings: Lines,
}

impl LineObserver for Sphinx {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log != STDIO {
            return;
        }
        let text = String::from_utf8_lossy(line);
        if text.starts_with("build succeeded") || text.starts_with("no targets are out of date.") {
            self.has_succeeded = true;
            return;
        }
        let marks = ["WARNING", "ERROR", "SEVERE"].iter();
        for _ in marks.filter(|mark| text.contains(**mark)) {
            self.warnings.push(line);
        }
    }
}

impl Reads for Sphinx {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let count = self.warnings.count;
        let mut findings = Findings::default();
        if !self.warnings.is_empty() {
            findings.log("warnings", self.warnings);
        }
        findings.statistic("warnings", count);
        let result = match count {
            _ if !self.has_succeeded => Results::Failure,
            0 => Results::Success,
            _ => Results::Warnings,
        };
        let mut text = words(&[end.step, &format!("{count} warnings")]);
        match result {
            Results::Failure => text.push("failed".to_owned()),
            Results::Warnings => text.push("warnings".to_owned()),
            Results::Success | Results::Skipped | Results::Exception | Results::Retry => {}
        }
        findings.text = Some(text);
        findings.result = Some(result);
        findings
    }
}
