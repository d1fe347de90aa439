//! `tests`: the reports of tests that a step makes (TST-01, TST-07).

use serde::Serialize;

use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::template::Template;
use crate::config::trace::Wanted;
use crate::model::TestFormat;

/// What a step says of its tests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestSettings {
    /// Its reports.
    pub tests: Vec<TestReports>,
    /// Whether the step fails if a test has a bad outcome: true.
    pub tests_decide: bool,
    /// Whether the step fails if there are no tests: false.
    pub tests_required: bool,
}

/// Reports of one format.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReports {
    /// Their format.
    pub format: ReportFormat,
    /// Where they are.
    pub from: ReportPlace,
}

/// The format of reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ReportFormat {
    /// One that the master reads.
    Known(TestFormat),
    /// One that a program of the master reads: the program with its arguments. It gets the log on
    /// its standard input and writes a JSON object a test.
    Program(Vec<String>),
}

/// Where reports are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ReportPlace {
    /// The log of this name, which is read while it grows.
    Log(String),
    /// Files on the slave, below the work directory of the step: paths and patterns.
    Files(Vec<Template>),
}

/// The keys of steps that run a command of the user's.
pub(super) const KEYS: [&str; 3] = ["tests", "tests_decide", "tests_required"];

pub(in crate::config) static REPORT: Shape = Shape {
    place: "steps.tests",
    noun: "report",
    keys: &["format", "log", "files"],
    kinds: Vec::new,
};

pub(in crate::config) static PROGRAM: Shape = Shape {
    place: "steps.tests.format",
    noun: "format",
    keys: &["command"],
    kinds: Vec::new,
};

impl Default for TestSettings {
    fn default() -> Self {
        Self {
            tests: Vec::new(),
            tests_decide: true,
            tests_required: false,
        }
    }
}

impl TestSettings {
    /// Takes what the table has. Kinds that run programs of their own have no such keys.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let [tests, decide, required] = KEYS;
        if !table.has_key(decide) {
            return;
        }
        let place = table.place(tests);
        table.set(tests, &mut self.tests, read_reports);
        table.set(decide, &mut self.tests_decide, Value::flag);
        table.set(required, &mut self.tests_required, Value::flag);
        if self.tests.is_empty()
            && self.tests_required
            && let Some(place) = place
        {
            let message = "`tests` names no reports, but tests are required".to_owned();
            table.sink.error(place, message, "name a report");
        }
    }
}

/// Most reports of a step.
const MOST_REPORTS: usize = 20;

fn read_reports(value: &Value<'_>) -> Option<Vec<TestReports>> {
    let tables = value.tables(&REPORT);
    if tables.len() > MOST_REPORTS {
        value.error(
            &format!("has more than {MOST_REPORTS} reports"),
            "name several files in one of them",
        );
        return None;
    }
    Some(tables.into_iter().filter_map(read_report).collect())
}

fn read_report(mut table: Table<'_>) -> Option<TestReports> {
    let format = table.require("format", "\"junit\"");
    let format = format.and_then(|value| read_format(&value));
    let log = table
        .take("log")
        .map(|value| value.name().map(str::to_owned));
    let files = table.take("files").map(|value| {
        let entries = value.one_or_list()?;
        if entries.is_empty() {
            value.error("is empty", "name the files");
        }
        Some(entries.iter().filter_map(Value::template).collect())
    });
    let from = match (log, files) {
        (Some(log), None) => log.map(ReportPlace::Log),
        (None, Some(_)) if matches!(format, Some(ReportFormat::Program(_))) => {
            let message = format!("{} has a program read files", table.label);
            let help = "programs read logs: name one as `log`, such as \"stdio\"";
            table.sink.error(table.span.clone(), message, help);
            None
        }
        (None, Some(files)) => files.map(ReportPlace::Files),
        (None, None) | (Some(_), Some(_)) => {
            let message = format!("{} does not say where it is", table.label);
            let help = "give it either `log`, such as \"stdio\", or `files`";
            table.sink.missing(table.span.clone(), message, help);
            None
        }
    };
    table.finish();
    Some(TestReports {
        format: format?,
        from: from?,
    })
}

/// Reads the name of a format, or a table with the program that reads it.
fn read_format(value: &Value<'_>) -> Option<ReportFormat> {
    let names = TestFormat::ALL.map(|(name, _)| name);
    value.wants(names.map(Wanted::Word));
    if !value.among([Wanted::Table]).is_table() {
        return TestFormat::named(value.one_of(&names)?).map(ReportFormat::Known);
    }
    let mut table = value.table(&PROGRAM)?;
    let command = table.require("command", "[\"scripts/read-tests\"]");
    let words = command.and_then(|value| {
        let entries = value.list()?;
        if entries.is_empty() {
            value.error("is empty", "name the program and its arguments");
        }
        let words = entries.iter().map(|word| word.text().map(str::to_owned));
        words.collect::<Option<Vec<_>>>()
    });
    table.finish();
    words
        .filter(|words| !words.is_empty())
        .map(ReportFormat::Program)
}
