//! The settings of `ShellCommand`, and of the steps that are one with other defaults (STP-05).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::kind::{Output, Printed, StepSettings};
use super::output::OutputReader;
use super::reports::TestSettings;
use super::source::TIMEOUT;
use crate::config::env::Environment;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::shape::Shape;
use crate::config::spelling;
use crate::config::template::Template;
use crate::config::trace::Wanted;
use crate::model::Results;

/// Settings of `ShellCommand` (STP-05).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShellStepConfig {
    /// What to run.
    pub command: CommandWords,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Environment, over the builder's (BUI-16).
    pub env: Environment,
    /// Whether its output is kept.
    pub want_stdout: bool,
    /// Whether its errors are kept.
    pub want_stderr: bool,
    /// Log name to path of a file to follow, and whether to start at its present end.
    pub logfiles: Vec<(String, Template, bool)>,
    /// Logs are made when there is something in them, instead of at once.
    pub lazy_logfiles: bool,
    /// Longest time without output: 20 min.
    pub timeout: Option<Duration>,
    /// Longest time at all.
    pub max_time: Option<Duration>,
    /// Time between SIGTERM and the harder signal.
    pub sigterm_time: Option<Duration>,
    /// The harder signal, without `SIG`.
    pub interrupt_signal: Option<String>,
    /// Whether to use a pseudo terminal; absent: as the slave says.
    pub use_pty: Option<bool>,
    /// Whether the environment is shown in the log: false.
    pub log_environ: bool,
    /// What it reads.
    pub initial_stdin: Option<Template>,
    /// What exit codes mean; 0 is SUCCESS and the rest FAILURE where it says nothing.
    pub decode_rc: BTreeMap<i64, ExitCode>,
    /// Lines of output after which it is killed.
    pub max_lines: Option<u64>,
    /// What is made of its output.
    pub reader: OutputReader,
    /// The reports of tests that it makes.
    #[serde(flatten)]
    pub tests: TestSettings,
    /// Further entries of variables with directories, in order.
    pub search_paths: Vec<SearchPath>,
    /// Which changed files are further words of the command.
    pub changed_files: Option<ChangedFiles>,
    /// What is done before the command.
    pub preparation: Option<Preparation>,
    /// Several commands instead of the one.
    pub sequence: Vec<SequenceCommand>,
    /// A number that the command ends with, and the rest of the command.
    pub release: Option<Box<ReleaseCounter>>,
}

/// What an exit code means. Serialized as the result alone, as people write it, unless it ends the
/// build.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExitCode {
    /// The result of the step.
    pub result: Results,
    /// Whether only steps with `always_run` run after it, whatever the result.
    pub ends_build: bool,
}

impl From<Results> for ExitCode {
    fn from(result: Results) -> Self {
        Self {
            result,
            ends_build: false,
        }
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.ends_build {
            return self.result.serialize(serializer);
        }
        let mut table = serializer.serialize_struct("ExitCode", 2)?;
        table.serialize_field("result", &self.result)?;
        table.serialize_field("ends_build", &true)?;
        table.end()
    }
}

/// Numbers of releases, counted by the master (`RpmBuild`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleaseCounter {
    /// The spec file; its name up to the first dot names the counter.
    pub spec: Template,
    /// The end of the command line, after the number.
    pub rest: Template,
}

/// An entry of a variable of the environment that has several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchPath {
    /// Name of the variable.
    pub variable: &'static str,
    /// The entry.
    pub entry: Template,
    /// Whether it goes after the entries that are there, each of which has this separator after
    /// it, as on Windows. Else it goes before them, and is not added if it is there already.
    pub ends_in: Option<char>,
}

impl SearchPath {
    /// An entry of `PYTHONPATH`.
    pub(in crate::config) fn of_python(entry: Template) -> Self {
        Self {
            variable: "PYTHONPATH",
            entry,
            ends_in: None,
        }
    }

    /// An entry of a variable on Windows.
    pub(super) fn of_windows(variable: &'static str, entry: Template) -> Self {
        Self {
            variable,
            entry,
            ends_in: Some(';'),
        }
    }
}

/// Changed files that are words of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedFiles {
    /// How their names end.
    pub suffix: &'static str,
    /// The directory that does not count; empty: all do.
    pub not_below: &'static str,
    /// What goes before each of them in its word.
    pub option: &'static str,
    /// Whether the step is skipped if there are none.
    pub needed: bool,
}

/// What a step does before its command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Preparation {
    /// Removes files below the work directory.
    Remove(Vec<Template>),
    /// Makes or renews the base image of a builder of packages.
    BaseImage(Box<BaseImage>),
}

/// The base image of `pbuilder` or `cowbuilder`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaseImage {
    /// Its file or directory.
    pub path: Template,
    /// The command that makes it.
    pub create: CommandWords,
    /// The command that renews it, when it is older than a week.
    pub update: CommandWords,
}

/// A command of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SequenceCommand {
    /// What to run.
    pub command: CommandWords,
    /// The log of its output; absent: `stdio`.
    pub log: Option<String>,
    /// The commands after it are not run if it fails.
    pub halt_on_failure: bool,
    /// Its warnings fail the step.
    pub flunk_on_warnings: bool,
    /// Its failure fails the step.
    pub flunk_on_failure: bool,
    /// Its warnings are the step's.
    pub warn_on_warnings: bool,
    /// Its failure is a warning of the step.
    pub warn_on_failure: bool,
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandWords {
    /// A line for the slave's shell.
    Line(Template),
    /// Words, with what is shown in place of those that are secrets.
    Words(Vec<(Template, Option<String>)>),
}

impl CommandWords {
    /// These words.
    #[must_use]
    pub fn of(words: &[&str]) -> Self {
        let words = words.iter().map(|word| (Template::literal(*word), None));
        Self::Words(words.collect())
    }
}

/// The keys of the command and of what it says of tests; some kinds make the command themselves.
pub(super) const COMMAND: &[&str] = &["command", "tests", "tests_decide", "tests_required"];

/// The other keys that only these steps have.
pub(in crate::config) const KEYS: &[&str] = &[
    "workdir",
    "env",
    "want_stdout",
    "want_stderr",
    "logfiles",
    "lazy_logfiles",
    "timeout",
    "max_time",
    "sigterm_time",
    "interrupt_signal",
    "use_pty",
    "log_environ",
    "initial_stdin",
    "decode_rc",
    "max_lines",
];

pub(in crate::config) static LOG_FILE: Shape = Shape {
    place: "steps.logfiles",
    noun: "this log file",
    keys: &["filename", "follow"],
    kinds: Vec::new,
};

pub(in crate::config) static EXIT_CODE: Shape = Shape {
    place: "steps.decode_rc",
    noun: "this exit code",
    keys: &["result", "ends_build"],
    kinds: Vec::new,
};

impl Serialize for CommandWords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Line(line) => line.serialize(serializer),
            Self::Words(words) => serializer.collect_seq(words),
        }
    }
}

impl Default for ShellStepConfig {
    fn default() -> Self {
        Self {
            command: CommandWords::Words(Vec::new()),
            workdir: Template::literal("build"),
            env: Environment::default(),
            want_stdout: true,
            want_stderr: true,
            logfiles: Vec::new(),
            lazy_logfiles: false,
            timeout: Some(TIMEOUT),
            max_time: None,
            sigterm_time: None,
            interrupt_signal: None,
            use_pty: None,
            log_environ: false,
            initial_stdin: None,
            decode_rc: BTreeMap::new(),
            max_lines: None,
            reader: OutputReader::Nothing,
            tests: TestSettings::default(),
            search_paths: Vec::new(),
            changed_files: None,
            preparation: None,
            sequence: Vec::new(),
            release: None,
        }
    }
}

impl StepSettings for ShellStepConfig {
    fn output(&self) -> Output {
        if self.want_stdout {
            Output::Kept
        } else {
            Output::Lines
        }
    }

    fn prints(&self) -> Option<Printed> {
        let is_plain = self.reader == OutputReader::Nothing && self.sequence.is_empty();
        is_plain.then(|| Printed {
            has_output: self.want_stdout || self.want_stderr,
            logs: self
                .logfiles
                .iter()
                .map(|(name, ..)| name.clone())
                .collect(),
        })
    }
}

impl ShellStepConfig {
    /// Takes what the table has. A step that has no command by default must be given one.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let command = if self.command == CommandWords::Words(Vec::new()) {
            table.require("command", "[\"make\", \"all\"]")
        } else if table.has_key("command") {
            table.take("command")
        } else {
            None
        };
        if let Some(command) = command.and_then(|v| read_command(&v)) {
            self.command = command;
        }
        table.set("workdir", &mut self.workdir, Value::template);
        table.set("env", &mut self.env, Value::environment);
        table.set("want_stdout", &mut self.want_stdout, Value::flag);
        table.set("want_stderr", &mut self.want_stderr, Value::flag);
        table.set("logfiles", &mut self.logfiles, read_log_files);
        table.set("lazy_logfiles", &mut self.lazy_logfiles, Value::flag);
        let time = |v: &Value<'_>| v.optional_duration(SHORTEST..=LONGEST);
        table.set("timeout", &mut self.timeout, time);
        table.set("max_time", &mut self.max_time, time);
        table.set("sigterm_time", &mut self.sigterm_time, time);
        table.set_some("interrupt_signal", &mut self.interrupt_signal, read_signal);
        table.set("use_pty", &mut self.use_pty, read_use_pty);
        table.set("log_environ", &mut self.log_environ, Value::flag);
        let initial_stdin = &mut self.initial_stdin;
        table.set_some("initial_stdin", initial_stdin, Value::secret_template);
        table.set("decode_rc", &mut self.decode_rc, read_decode_rc);
        table.set_some("max_lines", &mut self.max_lines, |v| {
            v.integer(1..=MOST_LINES).map(u64::from)
        });
        self.tests.read(table);
    }
}

/// Reads a command line or a list of words.
pub(in crate::config) fn read_command(value: &Value<'_>) -> Option<CommandWords> {
    let raw = value.among([Wanted::Text, Wanted::List, Wanted::AnyTable]);
    if raw.as_str().is_some_and(|line| line.trim().is_empty())
        || raw.as_array().is_some_and(|words| words.is_empty())
    {
        value.error("is empty", "say what to run");
        return None;
    }
    if raw.is_str() {
        return value.template().map(CommandWords::Line);
    }
    if !raw.is_array() {
        return value.expected(
            "a string or a list of strings",
            "for example `[\"make\", \"all\"]`",
        );
    }
    let words = value.list()?;
    Some(CommandWords::Words(
        words.iter().filter_map(Value::word).collect(),
    ))
}

fn read_log_files(value: &Value<'_>) -> Option<Vec<(String, Template, bool)>> {
    Some(value.entries().iter().filter_map(read_log_file).collect())
}

fn read_log_file((name, value): &(&str, Value<'_>)) -> Option<(String, Template, bool)> {
    if name.is_empty() || *name == "stdio" || name.contains(char::is_control) {
        let message = format!("a log file cannot be called `{}`", name.escape_debug());
        let help = "`stdio` is the log of the command's own output; choose another name";
        value.sink.error(value.key_span.clone(), message, help);
    }
    if value.data().is_str() {
        return Some(((*name).to_owned(), value.template()?, false));
    }
    if !value.data().is_table() {
        let help = "for example \"build/test.log\", or { filename = \"…\", follow = true }";
        return value.expected("a path", help);
    }
    let mut table = value.table(&LOG_FILE)?;
    let filename = table.require("filename", "\"build/test.log\"");
    let filename = filename.and_then(|v| v.template());
    let follow = table.take("follow").and_then(|v| v.flag());
    table.finish();
    Some(((*name).to_owned(), filename?, follow.unwrap_or(false)))
}

/// Reads the name of a signal, with or without `SIG`.
pub(super) fn read_signal(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if SIGNALS.contains(&name) {
        return Some(name.to_owned());
    }
    let help = match spelling::nearest(name, SIGNALS.into_iter()) {
        Some(near) => format!("did you mean `{near:?}`?"),
        None => "for example \"KILL\", \"INT\", \"HUP\"".to_owned(),
    };
    value.error("is not a signal", help);
    None
}

fn read_use_pty(value: &Value<'_>) -> Option<Option<bool>> {
    let forms = [Wanted::Flag, Wanted::Word("slave-config")];
    match value.among(forms).as_str() {
        Some("slave-config") => Some(None),
        Some(_) | None => value.flag().map(Some),
    }
}

fn read_decode_rc(value: &Value<'_>) -> Option<BTreeMap<i64, ExitCode>> {
    let mut meanings = BTreeMap::new();
    for (code, value) in value.entries() {
        let number: Option<i64> = code.parse().ok();
        if number.is_none() {
            let message = format!("`{code}` is not an exit code");
            value
                .sink
                .error(value.key_span.clone(), message, "exit codes are integers");
        }
        if let (Some(number), Some(meaning)) = (number, read_exit_code(&value)) {
            meanings.insert(number, meaning);
        }
    }
    Some(meanings)
}

/// Reads what an exit code means: a result, or a table that has one.
fn read_exit_code(value: &Value<'_>) -> Option<ExitCode> {
    let result_of = |value: &Value<'_>| {
        let name = value.one_of(&Results::ALL.map(Results::as_str));
        name.and_then(Results::from_name)
    };
    if !value.data().is_table() {
        return result_of(value).map(ExitCode::from);
    }
    let mut table = value.table(&EXIT_CODE)?;
    let result = table.require("result", "\"success\"");
    let result = result.and_then(|value| result_of(&value));
    let mut ends_build = false;
    table.set("ends_build", &mut ends_build, Value::flag);
    table.finish();
    Some(ExitCode {
        result: result?,
        ends_build,
    })
}

const MOST_LINES: u32 = u32::MAX;

const SIGNALS: [&str; 14] = [
    "ABRT", "ALRM", "BREAK", "CONT", "HUP", "INT", "KILL", "PIPE", "QUIT", "STOP", "TERM", "TSTP",
    "USR1", "USR2",
];
