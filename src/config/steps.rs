//! `[factories.NAME]` and their steps (STP-01, STP-05, STP-06).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::checked::{
    CommandWords, FactoryConfig, ShellStepConfig, StepConfig, StepKind, Template,
};
use super::locks::{Locks, User};
use super::names::Names;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Shape, Table, Value};
use super::spelling;
use crate::model::Results;

mod git;

pub(super) static FACTORY: Shape = Shape {
    place: "factories",
    noun: "factory",
    keys: &["steps"],
};

pub(super) static STEP: Shape = Shape {
    place: "steps",
    noun: "step",
    keys: &[
        "type",
        "name",
        "halt_on_failure",
        "flunk_on_warnings",
        "flunk_on_failure",
        "warn_on_warnings",
        "warn_on_failure",
        "always_run",
        "use_progress",
        "locks",
        "description",
        "description_done",
        "description_suffix",
        "command",
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
        "repourl",
        "branch",
        "mode",
        "method",
        "always_use_latest",
        "submodules",
        "shallow",
        "retry",
    ],
};

pub(super) static SECRET_WORD: Shape = Shape {
    place: "steps.command",
    noun: "this word",
    keys: &["secret", "shown"],
};

pub(super) static LOG_FILE: Shape = Shape {
    place: "steps.logfiles",
    noun: "this log file",
    keys: &["filename", "follow"],
};

/// Reads all factories; their names go to `names`.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    names: &mut Names<'a>,
    locks: &mut Locks<'a>,
) -> BTreeMap<&'a str, Arc<FactoryConfig>> {
    let mut factories = BTreeMap::new();
    let entries = root.take("factories").map(|v| v.entries());
    for (name, value) in entries.into_iter().flatten() {
        names.insert(name, value.key_span.clone());
        let Some(mut table) = value.table(&FACTORY) else {
            continue;
        };
        table.label = format!("factory `{name}`").into();
        let steps = table.require("steps", "[{ type = \"ShellCommand\", command = \"…\" }]");
        let tables = steps.map(|v| v.tables(&STEP)).unwrap_or_default();
        let mut steps = Vec::with_capacity(tables.len());
        for table in tables {
            let user = User::Step(name, steps.len());
            steps.extend(read_step(table, locks, &user));
        }
        let factory = FactoryConfig {
            name: name.to_owned(),
            steps,
        };
        factories.insert(name, Arc::new(factory));
        table.finish();
    }
    factories
}

fn read_step<'a>(
    mut table: Table<'a>,
    locks: &mut Locks<'a>,
    user: &User<'a>,
) -> Option<StepConfig> {
    let kind = table.require("type", "\"ShellCommand\"")?;
    let kind = kind.one_of(&PRESETS.each_ref().map(|preset| preset.kind))?;
    let preset = PRESETS.iter().find(|preset| preset.kind == kind)?;
    let name = table.take("name").map_or(Some(preset.name), |v| v.name());
    let locks = locks.read_uses(&mut table, user);
    let mut flag = |key, default| table.take(key).and_then(|v| v.flag()).unwrap_or(default);
    let step = StepConfig {
        name: name.unwrap_or_default().to_owned(),
        locks,
        halt_on_failure: flag("halt_on_failure", preset.halts),
        flunk_on_warnings: flag("flunk_on_warnings", false),
        flunk_on_failure: flag("flunk_on_failure", true),
        warn_on_warnings: flag("warn_on_warnings", false),
        warn_on_failure: flag("warn_on_failure", preset.warns),
        always_run: flag("always_run", false),
        use_progress: flag("use_progress", true),
        description: templates(&mut table, "description").or_else(|| words(preset.doing)),
        description_done: templates(&mut table, "description_done").or_else(|| words(preset.done)),
        description_suffix: templates(&mut table, "description_suffix"),
        kind: if preset.kind == "Git" {
            StepKind::Git(Box::new(git::read(&mut table)))
        } else {
            StepKind::Shell(Box::new(read_shell(&mut table, preset.command)))
        },
    };
    table.finish();
    Some(step)
}

/// What a type of step has where its table says nothing (STP-01).
struct Preset {
    kind: &'static str,
    name: &'static str,
    /// `halt_on_failure`.
    halts: bool,
    /// `warn_on_failure`.
    warns: bool,
    /// Words of the command; none: it must be told, or there is none.
    command: &'static [&'static str],
    /// `description`; empty: made from the command.
    doing: &'static str,
    /// `description_done`.
    done: &'static str,
}

static PRESETS: [Preset; 5] = [
    Preset {
        kind: "ShellCommand",
        name: "shell",
        halts: false,
        warns: false,
        command: &[],
        doing: "",
        done: "",
    },
    Preset {
        kind: "Configure",
        name: "configure",
        halts: true,
        warns: false,
        command: &["./configure"],
        doing: "configuring",
        done: "configure",
    },
    Preset {
        kind: "Compile",
        name: "compile",
        halts: true,
        warns: false,
        command: &["make", "all"],
        doing: "compiling",
        done: "compile",
    },
    Preset {
        kind: "Test",
        name: "test",
        halts: false,
        warns: true,
        command: &["make", "test"],
        doing: "testing",
        done: "test",
    },
    Preset {
        kind: "Git",
        name: "git",
        halts: true,
        warns: false,
        command: &[],
        doing: "updating",
        done: "update",
    },
];

/// A text of a preset.
fn words(text: &str) -> Option<Vec<Template>> {
    (!text.is_empty()).then(|| vec![Template::literal(text)])
}

fn read_shell(table: &mut Table<'_>, default: &[&str]) -> ShellStepConfig {
    let command = if default.is_empty() {
        table.require("command", "[\"make\", \"all\"]")
    } else {
        table.take("command")
    };
    let default = default.iter().map(|word| (Template::literal(*word), None));
    let command = command.and_then(|v| read_command(&v));
    let workdir = table.take("workdir").and_then(|v| v.template());
    let env = table.env();
    let mut flag = |key, default| table.take(key).and_then(|v| v.flag()).unwrap_or(default);
    let want_stdout = flag("want_stdout", true);
    let want_stderr = flag("want_stderr", true);
    let lazy_logfiles = flag("lazy_logfiles", false);
    let log_environ = flag("log_environ", false);
    let mut time = |key, default| {
        let time = table
            .take(key)
            .and_then(|v| v.optional_duration(SHORTEST..=LONGEST));
        time.unwrap_or(default)
    };
    let timeout = time("timeout", Some(TIMEOUT));
    let max_time = time("max_time", None);
    let sigterm_time = time("sigterm_time", None);
    let logfiles = table
        .take("logfiles")
        .map(|v| v.entries())
        .unwrap_or_default();
    ShellStepConfig {
        command: command.unwrap_or_else(|| CommandWords::Words(default.collect())),
        workdir: workdir.unwrap_or_else(|| Template::literal("build")),
        env,
        want_stdout,
        want_stderr,
        logfiles: logfiles.iter().filter_map(read_log_file).collect(),
        lazy_logfiles,
        timeout,
        max_time,
        sigterm_time,
        interrupt_signal: table.take("interrupt_signal").and_then(|v| read_signal(&v)),
        use_pty: table.take("use_pty").and_then(|v| read_use_pty(&v)),
        log_environ,
        initial_stdin: table.take("initial_stdin").and_then(|v| v.template()),
        decode_rc: table
            .take("decode_rc")
            .map(|v| read_decode_rc(&v))
            .unwrap_or_default(),
        max_lines: table
            .take("max_lines")
            .and_then(|v| v.integer(1..=MOST_LINES))
            .map(u64::from),
    }
}

impl Table<'_> {
    /// The environment under the key `env`; `false` removes a variable.
    pub(super) fn env(&mut self) -> BTreeMap<String, Option<Template>> {
        let mut env = BTreeMap::new();
        let entries = self.take("env").map(|v| v.entries());
        for (name, value) in entries.into_iter().flatten() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{name}` is no name of an environment variable");
                value
                    .sink
                    .error(value.key_span.clone(), message, "leave out `=`");
            } else if value.is_false() {
                env.insert(name.to_owned(), None);
            } else if !value.raw().is_str() && !value.raw().is_array() {
                let help = "put it in quotes; `false` removes a variable";
                value.expected::<()>("a text or a list of texts", help);
            } else if let Some(template) = value.path_template() {
                env.insert(name.to_owned(), Some(template));
            }
        }
        env
    }
}

fn read_command(value: &Value<'_>) -> Option<CommandWords> {
    let raw = value.raw();
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
            "a text or a list of texts",
            "for example `[\"make\", \"all\"]`",
        );
    }
    let words = value.list()?;
    Some(CommandWords::Words(
        words.iter().filter_map(read_word).collect(),
    ))
}

fn read_word(value: &Value<'_>) -> Option<(Template, Option<String>)> {
    if !value.raw().is_table() {
        return Some((value.template()?, None));
    }
    let mut table = value.table(&SECRET_WORD)?;
    let secret = table.require("secret", "\"…\"").and_then(|v| v.template());
    let shown = table.take("shown").map_or(Some("XXXXXX"), |v| v.text());
    table.finish();
    Some((secret?, Some(shown?.to_owned())))
}

fn templates(table: &mut Table<'_>, key: &'static str) -> Option<Vec<Template>> {
    let entries = table.take(key)?.one_or_list()?;
    Some(entries.iter().filter_map(Value::template).collect())
}

fn read_log_file((name, value): &(&str, Value<'_>)) -> Option<(String, Template, bool)> {
    if name.is_empty() || *name == "stdio" || name.contains(char::is_control) {
        let message = format!("a log file cannot be called {name:?}");
        let help = "`stdio` is the log of the command's own output; choose another name";
        value.sink.error(value.key_span.clone(), message, help);
    }
    if value.raw().is_str() {
        return Some(((*name).to_owned(), value.template()?, false));
    }
    if !value.raw().is_table() {
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

fn read_signal(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if SIGNALS.contains(&name) {
        return Some(name.to_owned());
    }
    let help = match spelling::nearest(name, SIGNALS.into_iter()) {
        Some(near) => format!("did you mean `{near:?}`?"),
        None => "for example \"KILL\", \"INT\", \"HUP\"".to_owned(),
    };
    value.error("is no signal", help);
    None
}

fn read_use_pty(value: &Value<'_>) -> Option<bool> {
    match value.raw().as_str() {
        Some("slave-config") => None,
        Some(_) | None => value.flag(),
    }
}

fn read_decode_rc(value: &Value<'_>) -> BTreeMap<i64, Results> {
    let mut results = BTreeMap::new();
    for (code, value) in value.entries() {
        let number: Option<i64> = code.parse().ok();
        if number.is_none() {
            let message = format!("`{code}` is no exit code");
            value.sink.error(
                value.key_span.clone(),
                message,
                "exit codes are whole numbers",
            );
        }
        let result = value.one_of(&Results::ALL.map(Results::as_str));
        if let (Some(number), Some(result)) = (number, result.and_then(Results::from_name)) {
            results.insert(number, result);
        }
    }
    results
}

const TIMEOUT: Duration = Duration::from_secs(20 * 60);

const MOST_LINES: u32 = u32::MAX;

const SIGNALS: [&str; 14] = [
    "ABRT", "ALRM", "BREAK", "CONT", "HUP", "INT", "KILL", "PIPE", "QUIT", "STOP", "TERM", "TSTP",
    "USR1", "USR2",
];
