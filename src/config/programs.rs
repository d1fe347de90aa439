//! Programs of this machine that the configuration names, and those among them that are asked for
//! something, whose last answer counts for a while.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::needs::Needed;
use super::quantities::LONGEST;
use super::reader::Value;
use super::shape::Shape;

/// A program that answers a question on its standard output.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AskedProgram {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long its answer is used before it is asked again.
    pub every: Duration,
    /// How long it may take.
    pub timeout: Duration,
}

impl AskedProgram {
    /// The longest time after a failure before it is asked again.
    const PAUSE: Duration = Duration::from_secs(60);

    /// How long it is not asked again after it has answered, or has failed.
    #[must_use]
    pub fn wait(&self, has_answered: bool) -> Duration {
        if has_answered {
            self.every
        } else {
            self.every.min(Self::PAUSE)
        }
    }
}

pub(super) static SLAVE_CHECK: Shape = Shape {
    place: "slave_check",
    noun: "slave_check",
    keys: &["command", "every", "timeout"],
    kinds: Vec::new,
};

/// How long an answer may be used.
pub(super) const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=LONGEST;

/// How long a check of a slave may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);

/// What says whether a slave may take a build of a builder.
pub(super) fn slave_check(value: &Value<'_>) -> Option<AskedProgram> {
    let mut table = value.table(&SLAVE_CHECK)?;
    let given = table.require("command", "[\"./may-build\"]");
    let mut check = AskedProgram {
        command: Vec::new(),
        every: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
    };
    table.set("every", &mut check.every, |v| v.duration(EVERY));
    table.set("timeout", &mut check.timeout, |v| v.duration(TIMEOUT));
    table.finish();
    check.command = command(&given?, "no slave takes a build of the builder")?;
    Some(check)
}

/// A program with its arguments; `otherwise` is what happens without it.
pub(super) fn command(value: &Value<'_>, otherwise: &str) -> Option<Vec<String>> {
    let words = words(value)?;
    if words.first().is_none_or(String::is_empty) {
        value.error("names no program", "its first string is the program to run");
        return None;
    }
    if let Some(program) = words.first() {
        needs_program(value, program, otherwise);
    }
    Some(words)
}

/// Notes that `value` needs `program`; `otherwise` is what happens without it.
pub(super) fn needs_program(value: &Value<'_>, program: &str, otherwise: &str) {
    value.needs(Needed::Program {
        program: program.to_owned(),
        otherwise: otherwise.to_owned(),
        help: "install it, or correct its path, which is relative to the base directory".to_owned(),
    });
}

/// Arguments of a program.
pub(super) fn words(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    entries
        .iter()
        .map(|entry| {
            let text = entry.text()?;
            if text.contains('\0') {
                entry.error(
                    "contains a null character",
                    "arguments of programs cannot contain one",
                );
                return None;
            }
            Some(text.to_owned())
        })
        .collect()
}
