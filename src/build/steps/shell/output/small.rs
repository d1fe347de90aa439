//! Readers of a few lines: `TreeSize`, `HLint`, `MaxQ`, `SetPropertyFromCommand`.

use super::{Ended, Findings, Lines, Reads, words};
use crate::build::lines::LineObserver;
use crate::build::steplogs::STDIO;
use crate::logs::Channel;
use crate::model::Results;

/// What `du` says.
#[derive(Debug)]
pub(super) struct TreeSize;

impl LineObserver for TreeSize {
    fn line(&mut self, _: &str, _: Channel, _: &[u8]) {}
}

impl Reads for TreeSize {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let text = String::from_utf8_lossy(end.output);
        let digits = text.split(|c: char| !c.is_ascii_digit()).next();
        let kib = digits.and_then(|digits| digits.parse::<u64>().ok());
        let mut findings = Findings::default();
        let size = kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{kib} KiB"));
        findings.text = Some(vec!["treesize".to_owned(), size]);
        findings.result = Some(end.or(match kib {
            Some(_) => Results::Success,
            None => Results::Warnings,
        }));
        if let Some(kib) = kib {
            findings.property("tree-size-KiB", kib);
        }
        findings
    }
}

/// Lines with a colon are warnings of `lore`.
#[derive(Debug, Default)]
pub(super) struct Hlint(Lines);

impl LineObserver for Hlint {
    fn line(&mut self, log: &str, _: Channel, line: &[u8]) {
        if log == STDIO && line.contains(&b':') {
            self.0.push(line);
        }
    }
}

impl Reads for Hlint {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let count = self.0.count;
        let mut findings = Findings::default();
        if count > 0 {
            findings.log("warnings", self.0);
        }
        findings.result = Some(end.or(match count {
            0 => Results::Success,
            _ => Results::Warnings,
        }));
        findings.build_text = Some(vec![if end.has_failed() {
            "hlint".to_owned()
        } else {
            super::amount(count, "hlint", "hlints")
        }]);
        findings
    }
}

/// Lines that begin with `TEST FAILURE:`.
#[derive(Debug, Default)]
pub(super) struct Maxq(u64);

impl LineObserver for Maxq {
    fn line(&mut self, log: &str, channel: Channel, line: &[u8]) {
        let is_output = log == STDIO && channel == Channel::Stdout;
        if is_output && line.starts_with(b"TEST FAILURE:") {
            self.0 += 1;
        }
    }
}

impl Reads for Maxq {
    fn conclude(self: Box<Self>, end: &Ended<'_>) -> Findings {
        let failures = match self.0 {
            0 => u64::from(end.has_failed()),
            some => some,
        };
        let (result, text) = match failures {
            0 => (Results::Success, words(&["maxq", "tests"])),
            _ => {
                let count = failures.to_string();
                (Results::Failure, words(&[&count, "maxq", "failures"]))
            }
        };
        Findings {
            result: Some(result),
            text: Some(text),
            ..Findings::default()
        }
    }
}

/// A longer output does not become a property.
pub(super) const LONGEST_PROPERTY: usize = 64 * 1024;

/// The output of a command as the value of the property `name`. A command that has failed sets
/// none.
///
/// # Errors
/// The output is too long.
pub(in crate::build::steps::shell) fn property(
    end: &Ended<'_>,
    name: &str,
    strip: bool,
) -> Result<Findings, String> {
    let mut findings = Findings::default();
    if end.has_failed() {
        return Ok(findings);
    }
    if end.output.len() > LONGEST_PROPERTY {
        return Err(format!(
            "the output of the command is longer than {LONGEST_PROPERTY} bytes: too long for \
             property {name}\n"
        ));
    }
    let value = String::from_utf8_lossy(end.output);
    let value = if strip { value.trim() } else { &value };
    let quoted = serde_json::Value::from(value);
    let log = format!("{name}: {quoted}\n");
    findings
        .logs
        .push(("property changes".to_owned(), log.into()));
    findings.text = Some(vec![format!("property '{name}' set")]);
    findings.property(name, value);
    Ok(findings)
}
