//! Packages of Debian and of rpm.

use std::sync::LazyLock;

use regex::Regex;

use super::warnings::Counting;
use super::{Ended, Findings, Lines, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::config::{Suppression, WarningRules};
use crate::logs::Channel;
use crate::model::Results;

/// The output of `pdebuild`: its warnings, and the file of changes that it made.
#[derive(Debug)]
pub(super) struct Pbuilder {
    warnings: Counting,
    changes: Option<String>,
}

impl Pbuilder {
    /// A missing `.pbuilderrc` is not a warning.
    pub(super) fn new(rules: &WarningRules, mut further: Vec<Suppression>) -> Self {
        let text = crate::config::LinePattern::anywhere(r"\.pbuilderrc does not exist");
        further.push(Suppression {
            file: None,
            text: text.ok(),
            first: None,
            last: None,
        });
        Self {
            warnings: Counting::new(rules, further),
            changes: None,
        }
    }
}

impl LineObserver for Pbuilder {
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
        static CHANGES: LazyLock<Regex> =
            LazyLock::new(|| regex(r"dpkg-genchanges  >\.\./(.+\.changes)"));
        self.warnings.line(log, channel, line);
        if log == STDIO && self.changes.is_none() {
            let text = String::from_utf8_lossy(line);
            let found = CHANGES.captures(&text).and_then(|found| found.get(1));
            self.changes = found.map(|name| name.as_str().to_owned());
        }
    }
}

impl Reads for Pbuilder {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = self.warnings.findings(end);
        if let Some(changes) = self.changes {
            findings.property("deb-changes", changes);
        }
        findings
    }
}

/// Lines that a checker of packages marks as warnings and errors.
#[derive(Debug)]
pub(super) struct Lint {
    warning: &'static str,
    error: &'static str,
    /// Whether they decide on the result.
    judges: bool,
    warnings: Lines,
    errors: Lines,
}

impl Lint {
    pub(super) fn lintian() -> Self {
        Self {
            warning: "W: ",
            error: "E: ",
            judges: true,
            warnings: Lines::default(),
            errors: Lines::default(),
        }
    }

    pub(super) fn rpmlint() -> Self {
        Self {
            warning: " W: ",
            error: " E: ",
            judges: false,
            ..Self::lintian()
        }
    }
}

impl LineObserver for Lint {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log != STDIO {
            return;
        }
        let text = String::from_utf8_lossy(line);
        if text.contains(self.warning) {
            self.warnings.push(line);
        } else if text.contains(self.error) {
            self.errors.push(line);
        }
    }
}

impl Reads for Lint {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let (warnings, errors) = (self.warnings.count, self.errors.count);
        let mut findings = Findings::default();
        if warnings > 0 {
            findings.log(format!("{warnings} Warnings"), self.warnings);
        }
        if errors > 0 {
            findings.log(format!("{errors} Errors"), self.errors);
        }
        let found = match (errors, warnings) {
            _ if !self.judges => Results::Success,
            (0, 0) => Results::Success,
            (0, _) => Results::Warnings,
            (_, _) => Results::Failure,
        };
        findings.result = Some(match end.rc {
            Some(0) => end.or(found),
            _ if self.judges => Results::Failure,
            _ => end.or(found),
        });
        findings
    }
}

/// The output of `rpmbuild`.
#[derive(Debug, Default)]
pub(super) struct Rpmbuild {
    commands: Lines,
    errors: Lines,
}

impl LineObserver for Rpmbuild {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        const COMMANDS: [&[u8]; 8] = [
            b"Provides:",
            b"Requires(",
            b"Requires:",
            b"Checking for unpackaged",
            b"Wrote:",
            b"Executing(%",
            b"+ ",
            b"Processing files:",
        ];
        const ERRORS: [&[u8]; 3] = [b"   ", b"RPM build errors:", b"error: "];
        if log != STDIO {
            return;
        }
        if COMMANDS.iter().any(|begin| line.starts_with(begin)) {
            self.commands.push(line);
        }
        if ERRORS.iter().any(|begin| line.starts_with(begin)) {
            self.errors.push(line);
        }
    }
}

impl Reads for Rpmbuild {
    fn conclude(self: Box<Self>, _: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        findings.log("RPM Command Log", self.commands);
        if !self.errors.is_empty() {
            findings.log("RPM Errors", self.errors);
        }
        findings
    }
}

/// The package that `mock --buildsrpm` has written, by its own log.
#[derive(Debug, Default)]
pub(super) struct MockSrpm(Option<String>);

impl LineObserver for MockSrpm {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        static WROTE: LazyLock<Regex> = LazyLock::new(|| regex(r"Wrote: .*/([^/]*.src.rpm)"));
        if log == "build.log" && self.0.is_none() {
            let text = String::from_utf8_lossy(line);
            let found = WROTE.captures(&text).and_then(|found| found.get(1));
            self.0 = found.map(|name| name.as_str().to_owned());
        }
    }
}

impl Reads for MockSrpm {
    fn conclude(self: Box<Self>, _: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        if let Some(name) = self.0 {
            findings.property("srpm", name);
        }
        findings
    }
}
