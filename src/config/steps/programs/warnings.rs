//! The settings of steps that count warnings.

use crate::config::pattern::LinePattern;
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::{Suppression, WarningExtractor};

/// The keys of these settings.
pub(super) const KEYS: &[&str] = &[
    "warning_pattern",
    "warning_extractor",
    "directory_enter_pattern",
    "directory_leave_pattern",
    "suppression_file",
    "suppression_list",
    "max_warn_count",
];

pub(in crate::config) static SUPPRESSION: Shape = Shape {
    place: "steps.suppression_list",
    noun: "this suppression",
    keys: &["file", "text", "first_line", "last_line"],
    kinds: Vec::new,
};

/// Takes the rules of a step that has some.
pub(super) fn read(table: &mut Table<'_>, step: &mut StepConfig) {
    let Some(rules) = super::shell_of(step).reader.warnings_mut() else {
        return;
    };
    table.set("warning_pattern", &mut rules.pattern, from_start);
    table.set("warning_extractor", &mut rules.extractor, |value| {
        Some(match value.one_of(&["line", "groups"])? {
            "groups" => WarningExtractor::Groups,
            _ => WarningExtractor::Line,
        })
    });
    let enter = |value: &Value<'_>| {
        let pattern = anywhere(value)?;
        if pattern.groups() == 0 {
            let help = "for example \"Entering directory '(.*)'\"";
            value.error("has no group, which is to be the directory", help);
        }
        Some(pattern)
    };
    table.set("directory_enter_pattern", &mut rules.directory_enter, enter);
    let leave = &mut rules.directory_leave;
    table.set("directory_leave_pattern", leave, anywhere);
    let file = &mut rules.suppression_file;
    table.set_some("suppression_file", file, Value::template);
    table.set("suppression_list", &mut rules.suppressions, |value| {
        let tables = value.tables(&SUPPRESSION);
        Some(tables.into_iter().map(suppression).collect())
    });
    table.set_some("max_warn_count", &mut rules.max_count, |value| {
        value.integer(0..=u32::MAX)
    });
    if rules.extractor == WarningExtractor::Groups && rules.pattern.groups() < 3 {
        let message = "`warning_extractor = \"groups\"` needs three groups in `warning_pattern`";
        let help = "for example \"(.*?):(\\\\d+): warning: (.*)\": file, line number, text";
        let span = table.span.clone();
        table.sink.error(span, message.to_owned(), help);
    }
}

fn suppression(mut table: Table<'_>) -> Suppression {
    let mut suppression = Suppression {
        file: None,
        text: None,
        first: None,
        last: None,
    };
    table.set_some("file", &mut suppression.file, from_start);
    table.set_some("text", &mut suppression.text, anywhere);
    let number = |value: &Value<'_>| value.integer(0..=u32::MAX).map(u64::from);
    table.set_some("first_line", &mut suppression.first, number);
    table.set_some("last_line", &mut suppression.last, number);
    table.finish();
    suppression
}

fn from_start(value: &Value<'_>) -> Option<LinePattern> {
    pattern(value, true)
}

fn anywhere(value: &Value<'_>) -> Option<LinePattern> {
    pattern(value, false)
}

fn pattern(value: &Value<'_>, is_from_start: bool) -> Option<LinePattern> {
    let key = (is_from_start, value.text()?.to_owned());
    let read = |(is_from_start, text): &(bool, String)| match is_from_start {
        true => LinePattern::from_start(text),
        false => LinePattern::anywhere(text),
    };
    match value.sink.shared.lines.get(key, read) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let help = crate::config::pattern::help(&error.to_string());
            value.error(&format!("is not a regular expression: {error}"), help);
            None
        }
    }
}
