//! The output of `pyflakes` (`PyFlakes`).

use super::{Ended, Findings, Lines, Reads};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

const KINDS: [&str; 5] = ["unused", "undefined", "redefs", "import*", "misc"];
const UNDEFINED: usize = 1;
const MISC: usize = 4;

/// What `pyflakes` has found, by kind.
#[derive(Debug, Default)]
pub(super) struct Issues {
    /// Whether its own lines have begun, after those that `make` echoes, which have no colon.
    has_begun: bool,
    has_syntax_error: bool,
    found: [Lines; KINDS.len()],
}

impl LineObserver for Issues {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        self.has_begun |= line.contains(&b':');
        if log != STDIO || !self.has_begun {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let kind = if text.contains("imported but unused") {
            0
        } else if text.contains("*' used; unable to detect undefined names") {
            3
        } else if text.contains("undefined name") {
            UNDEFINED
        } else if text.contains("redefinition of unused") {
            2
        } else {
            self.has_syntax_error |= text.contains("invalid syntax");
            MISC
        };
        if let Some(lines) = self.found.get_mut(kind) {
            lines.push(line);
        }
    }
}

impl Reads for Issues {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        let total: u64 = self.found.iter().map(|lines| lines.count).sum();
        let [_, undefined, ..] = &self.found;
        let is_bad = self.has_syntax_error || undefined.count > 0;
        findings.result = Some(end.or(match total {
            _ if is_bad => Results::Failure,
            0 => Results::Success,
            _ => Results::Warnings,
        }));
        if self.has_syntax_error {
            let [.., misc] = self.found;
            findings.log("syntax-error", misc);
            return findings;
        }
        for (kind, lines) in KINDS.into_iter().zip(self.found) {
            let count = lines.count;
            if count > 0 {
                findings.done.push(format!("{kind}={count}"));
                findings.log(kind, lines);
            }
            findings.property(format!("pyflakes-{kind}"), count);
        }
        findings.property("pyflakes-total", total);
        findings
    }
}
