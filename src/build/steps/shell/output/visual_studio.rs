//! The output of Visual Studio and msbuild.

use std::sync::LazyLock;

use regex::Regex;

use super::{Ended, Findings, Lines, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// What was compiled.
#[derive(Debug)]
pub(super) struct Build {
    tells: bool,
    projects: u64,
    files: u64,
    warnings: u64,
    errors: u64,
    /// Headers of projects and the warnings below them.
    warning_lines: Lines,
    /// The same of errors.
    error_lines: Lines,
}

impl Build {
    pub(super) fn new(tells: bool) -> Self {
        Self {
            tells,
            projects: 0,
            files: 0,
            warnings: 0,
            errors: 0,
            warning_lines: Lines::default(),
            error_lines: Lines::default(),
        }
    }
}

impl LineObserver for Build {
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
        static PROJECT: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d+>)?-{5}.+-{5}$"));
        static FILE: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d+>)?[^ ]+\.(cpp|c)$"));
        static WARNING: LazyLock<Regex> = LazyLock::new(|| regex(r" ?: warning [A-Z]+[0-9]+:"));
        static ERROR: LazyLock<Regex> = LazyLock::new(|| regex(r" ?error ([A-Z]+[0-9]+)?\s?: "));
        if log != STDIO || channel != Channel::Stdout {
            return;
        }
        let text = String::from_utf8_lossy(line);
        if PROJECT.is_match(&text) {
            self.projects += 1;
            self.warning_lines.push(line);
            self.error_lines.push(line);
        } else if FILE.is_match(&text) {
            self.files += 1;
        } else if WARNING.is_match(&text) {
            self.warnings += 1;
            self.warning_lines.push(line);
        } else if ERROR.is_match(&text) {
            self.errors += 1;
            self.error_lines.push(line);
        }
    }
}

impl Reads for Build {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let counts = [
            ("projects", self.projects),
            ("files", self.files),
            ("warnings", self.warnings),
            ("errors", self.errors),
        ];
        let mut findings = Findings::default();
        for (name, count) in counts {
            findings.statistic(name, count);
            let is_told = count > 0 || matches!(name, "projects" | "files");
            if self.tells && is_told {
                findings.done.push(format!("{count} {name}"));
            }
        }
        findings.log("warnings", self.warning_lines);
        findings.log("errors", self.error_lines);
        findings.result = Some(end.or(match (self.errors, self.warnings) {
            (0, 0) => Results::Success,
            (0, _) => Results::Warnings,
            (_, _) => Results::Failure,
        }));
        findings
    }
}
