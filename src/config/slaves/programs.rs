//! The programs that start and stop instances of latent slaves.

use crate::config::needs::Needed;
use crate::config::reader::Value;

/// A program with its arguments.
pub(super) fn command(value: &Value<'_>) -> Option<Vec<String>> {
    let words = words(value)?;
    if words.first().is_none_or(String::is_empty) {
        value.error("names no program", "its first string is the program to run");
        return None;
    }
    if let Some(program) = words.first() {
        needs_program(value, program);
    }
    Some(words)
}

/// Notes that the slave of `value` needs `program`.
pub(super) fn needs_program(value: &Value<'_>, program: &str) {
    value.needs(Needed::Program {
        program: program.to_owned(),
        otherwise: format!("no instance of {} can be started or stopped", value.label),
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
