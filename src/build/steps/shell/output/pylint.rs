//! The output of `pylint`, in its old default form and in the parseable one (`PyLint`).

use std::sync::LazyLock;

use regex::Regex;

use super::{Ended, Findings, Lines, Reads, regex};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// The letters of messages, and what they stand for, in the order in which Buildbot tells them.
const KINDS: [(&str, &str); 6] = [
    ("C", "convention"),
    ("E", "error"),
    ("F", "fatal"),
    ("I", "info"),
    ("R", "refactor"),
    ("W", "warning"),
];

/// Bits of the exit status: a fatal message, an error, a wrong usage.
const BAD_STATUS: i64 = 1 | 2 | 32;

/// What `pylint` has found, by kind.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The form of its lines, as soon as one fitted.
    form: Option<&'static Regex>,
    /// The kind of the last message: lines that fit no form belong to it.
    last: Option<usize>,
    found: [Lines; KINDS.len()],
}

static PARSEABLE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[^:]+:\d+: \[([RCWEFI])(\d{4})?(\([a-z-]+\))?[,\]] .+"));
static USUAL: LazyLock<Regex> = LazyLock::new(|| regex(r"^([RCWEFI])(\d{4})?: *\d+(,\d+)?:.+"));

impl LineObserver for Messages {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log != STDIO {
            return;
        }
        let text = String::from_utf8_lossy(line);
        if self.form.is_none() {
            let mut forms = [&*PARSEABLE, &*USUAL].into_iter();
            self.form = forms.find(|form| form.is_match(&text));
        }
        let Some(form) = self.form else { return };
        if let Some(letter) = form.captures(&text).and_then(|found| found.get(1)) {
            let mut kinds = KINDS.iter();
            self.last = kinds.position(|(known, _)| *known == letter.as_str());
        }
        if let Some(lines) = self.last.and_then(|kind| self.found.get_mut(kind)) {
            lines.push(line);
        }
    }
}

impl Reads for Messages {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let mut findings = Findings::default();
        let total: u64 = self.found.iter().map(|lines| lines.count).sum();
        let is_bad_status = end.rc.is_none_or(|rc| rc & BAD_STATUS != 0);
        let mut is_bad = is_bad_status;
        for ((letter, kind), lines) in KINDS.into_iter().zip(self.found) {
            let count = lines.count;
            is_bad |= count > 0 && matches!(letter, "F" | "E");
            if count > 0 {
                findings.done.push(format!("{kind}={count}"));
                findings.log(kind, lines);
            }
            findings.property(format!("pylint-{kind}"), count);
        }
        findings.property("pylint-total", total);
        findings.result = Some(match total {
            _ if is_bad => Results::Failure,
            0 => Results::Success,
            _ => Results::Warnings,
        });
        findings
    }
}
