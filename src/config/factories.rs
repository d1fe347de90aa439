//! `[factories.NAME]`: lists of steps, and the kinds of factory that bring their steps along (FAC).
//!
//! A factory of any kind becomes a plain list of steps here; nothing else knows the kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::locks::Locks;
use super::names::Names;
use super::reader::{Table, Value};
use super::shape::{KindShape, Shape};
use super::steps::programs::trial;
use super::steps::shell::{self, read_command};
use super::steps::{
    self, CommandWords, STEP, SearchPath, SourceMethod, SourceMode, StepConfig, StepKind, cvs,
    source, svn,
};
use super::template::Template;
use super::trace::Wanted;

/// A list of steps. Two are equal if their steps are, whatever they are called (CFL-76).
#[derive(Clone, Debug, Default, Serialize)]
pub struct FactoryConfig {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// Its steps.
    pub steps: Vec<StepConfig>,
}

impl PartialEq for FactoryConfig {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

pub(super) static SHAPE: Shape = Shape {
    place: "factories",
    noun: "factory",
    keys: &["type", "workdir"],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// Its steps.
    steps: for<'t, 'a> fn(&mut Reading<'t, 'a>) -> Vec<StepConfig>,
}

/// The kinds of factory.
static KINDS: &[Kind] = &[
    Kind {
        shape: KindShape {
            name: PLAIN,
            keys: &[&["steps"]],
        },
        steps: plain,
    },
    Kind {
        shape: KindShape {
            name: "GNUAutoconf",
            keys: &[SOURCE, AUTOCONF],
        },
        steps: gnu_autoconf,
    },
    Kind {
        shape: KindShape {
            name: "Distutils",
            keys: &[SOURCE, &["python", "test"]],
        },
        steps: distutils,
    },
    Kind {
        shape: KindShape {
            name: "CPAN",
            keys: &[SOURCE, &["perl"]],
        },
        steps: cpan,
    },
    Kind {
        shape: KindShape {
            name: "Trial",
            keys: &[SOURCE, &["build_python"], shell::KEYS, trial::KEYS],
        },
        steps: twisted_trial,
    },
    Kind {
        shape: KindShape {
            name: "BasicSVN",
            keys: &[AUTOCONF, svn::KEYS, source::LOCATION_KEYS, source::KEYS],
        },
        steps: basic_svn,
    },
    Kind {
        shape: KindShape {
            name: "BasicBuildFactory",
            keys: &[AUTOCONF, &["cvs_copy"], cvs::KEYS, source::KEYS],
        },
        steps: basic_cvs,
    },
    Kind {
        shape: KindShape {
            name: "QuickBuildFactory",
            keys: &[AUTOCONF, cvs::KEYS, source::KEYS],
        },
        steps: quick_cvs,
    },
];

/// The kind of a factory that does not name one.
const PLAIN: &str = "BuildFactory";
const SOURCE: &[&str] = &["source"];
const AUTOCONF: &[&str] = &[
    "reconf",
    "configure",
    "configure_env",
    "configure_flags",
    "compile",
    "test",
    "distcheck",
];

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
        let Some(mut table) = value.table(&SHAPE) else {
            continue;
        };
        table.label = format!("factory `{name}`").into();
        let kind = table.kind(KINDS, |kind| kind.shape, Some(PLAIN));
        let mut steps = Vec::new();
        if let Some(kind) = kind {
            let workdir = table.peek("workdir");
            let workdir = workdir.filter(|value| value.template().is_some());
            let mut reading = Reading {
                table: &mut table,
                name,
                workdir,
                locks,
            };
            steps = (kind.steps)(&mut reading);
            drop(table.take("workdir"));
            table.finish();
        }
        let name_of = name.to_owned();
        let factory = FactoryConfig {
            name: name_of,
            steps,
        };
        factories.insert(name, Arc::new(factory));
    }
    factories
}

/// A factory that is being read.
struct Reading<'t, 'a> {
    table: &'t mut Table<'a>,
    name: &'a str,
    /// The work directory of its steps that do not say their own.
    workdir: Option<Value<'a>>,
    locks: &'t mut Locks<'a>,
}

impl<'a> Reading<'_, 'a> {
    /// The steps of `tables`.
    fn steps(&mut self, tables: Vec<Table<'a>>) -> Vec<StepConfig> {
        let mut steps = Vec::with_capacity(tables.len());
        for (at, table) in tables.into_iter().enumerate() {
            let (place, workdir) = ((self.name, at), self.workdir.as_ref());
            let step = steps::read_step(table, place, workdir, &steps, self.locks);
            steps.extend(step);
        }
        steps
    }

    /// A step of the kind `name`, which runs a command, in the work directory of the factory.
    fn usual(&self, name: &str) -> StepConfig {
        let mut step = steps::usual(name);
        let workdir = self.workdir.as_ref().and_then(Value::template);
        if let (Some(workdir), Some(shell)) = (workdir, step.kind.shell_mut()) {
            shell.workdir = workdir;
        }
        step
    }

    /// The step that gets the source, which comes first.
    fn source(&mut self) -> Vec<StepConfig> {
        let source = self.table.require("source", "{ type = \"Git\", … }");
        let table = source.and_then(|value| value.table(&STEP));
        self.steps(table.into_iter().collect())
    }

    /// The command of `key`: as the table says, else `usual`. `false` stands for no step.
    fn command(&mut self, key: &'static str, usual: Option<&[&str]>) -> Option<CommandWords> {
        match self.table.take(key) {
            None => usual.map(CommandWords::of),
            Some(value) if value.is_false() => None,
            Some(value) => read_command(&value),
        }
    }

    /// The name of a program, with its default.
    fn program(&mut self, key: &'static str, usual: &'static str) -> &'a str {
        let value = self.table.take(key);
        value.and_then(|value| value.name()).unwrap_or(usual)
    }
}

/// Its steps are listed.
fn plain(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let example = "[{ type = \"ShellCommand\", command = \"…\" }]";
    let steps = reading.table.require("steps", example);
    let tables = steps.map(|v| v.tables(&STEP)).unwrap_or_default();
    reading.steps(tables)
}

/// FAC-01 to FAC-08.
fn gnu_autoconf(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = reading.source();
    steps.extend(autoconf(reading, AUTOCONF_WORDS));
    steps
}

/// What the steps of an autoconf project run by default.
#[derive(Clone, Copy, Debug)]
struct AutoconfWords {
    configure: Option<&'static [&'static str]>,
    compile: &'static [&'static str],
    test: &'static [&'static str],
    distcheck: Option<&'static [&'static str]>,
}

const AUTOCONF_WORDS: AutoconfWords = AutoconfWords {
    configure: Some(&["./configure"]),
    compile: &["make", "all"],
    test: &["make", "check"],
    distcheck: Some(&["make", "distcheck"]),
};

fn autoconf(reading: &mut Reading<'_, '_>, usual: AutoconfWords) -> Vec<StepConfig> {
    let mut steps = Vec::new();
    if let Some(command) = reconf(reading) {
        let mut step = reading.usual("ShellCommand").with_command(command);
        "autoreconf".clone_into(&mut step.name);
        steps.push(step);
    }
    if let Some(command) = configure(reading, usual.configure) {
        let mut step = reading.usual("Configure").with_command(command);
        let env = reading.table.take("configure_env");
        if let (Some(env), Some(shell)) = (env, step.kind.shell_mut()) {
            shell.env = env.environment().unwrap_or_default();
        }
        steps.push(step);
    }
    let compile = reading.command("compile", Some(usual.compile));
    let test = reading.command("test", Some(usual.test));
    let distcheck = reading.command("distcheck", usual.distcheck);
    for (kind, command) in [("Compile", compile), ("Test", test), ("Test", distcheck)] {
        steps.extend(command.map(|command| reading.usual(kind).with_command(command)));
    }
    steps
}

/// The command that makes `configure`: `true` stands for the usual one.
fn reconf(reading: &mut Reading<'_, '_>) -> Option<CommandWords> {
    let value = reading.table.take("reconf")?;
    match value
        .among([Wanted::Flag, Wanted::Text, Wanted::List])
        .as_bool()
    {
        Some(true) => Some(CommandWords::of(&["autoreconf", "-si"])),
        Some(false) => None,
        None => read_command(&value),
    }
}

/// The command that configures, with its flags.
fn configure(
    reading: &mut Reading<'_, '_>,
    usual: Option<&'static [&'static str]>,
) -> Option<CommandWords> {
    let flags = reading.table.take("configure_flags");
    let command = reading.command("configure", usual);
    let words: Vec<Template> = flags
        .as_ref()
        .and_then(Value::list)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::template)
        .collect();
    match command? {
        CommandWords::Words(mut command) => {
            command.extend(words.into_iter().map(|word| (word, None)));
            Some(CommandWords::Words(command))
        }
        CommandWords::Line(line) => {
            if let Some(flags) = flags.filter(|_| !words.is_empty()) {
                let help = "write `configure` as a list, for example `[\"./configure\"]`";
                flags.error("needs a `configure` that is a list", help);
            }
            Some(CommandWords::Line(line))
        }
    }
}

/// FAC-11 to FAC-13.
fn distutils(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = reading.source();
    let python = reading.program("python", "python");
    let build = CommandWords::of(&[python, "./setup.py", "build"]);
    steps.push(reading.usual("Compile").with_command(build));
    if let Some(test) = reading.command("test", None) {
        steps.push(reading.usual("Test").with_command(test));
    }
    steps
}

/// FAC-09, FAC-10.
fn cpan(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = reading.source();
    let perl = reading.program("perl", "perl");
    for (kind, words) in [
        ("Configure", [perl, "Makefile.PL"]),
        ("Compile", ["make", ""]),
        ("PerlModuleTest", ["make", "test"]),
    ] {
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        steps.push(reading.usual(kind).with_command(CommandWords::of(&words)));
    }
    steps
}

/// FAC-14 to FAC-23. The settings of the `Trial` step stand in the factory.
fn twisted_trial(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = reading.source();
    let python = reading.program("build_python", "python");
    let here = reading.table.place("test_path").is_none();
    let mut tests = steps::read_as("Trial", reading.table);
    let build = CommandWords::of(&[python, "./setup.py", "build"]);
    let mut build = reading.usual("Compile").with_command(build);
    if let (Some(build), Some(tests)) = (build.kind.shell_mut(), tests.kind.shell_mut()) {
        build.env = tests.env.clone();
        if here {
            let path = SearchPath::of_python(Template::literal("."));
            tests.search_paths.push(path);
        }
    }
    steps.extend([build, tests]);
    steps
}

/// What the factories with a repository run by default.
const BASIC_WORDS: AutoconfWords = AutoconfWords {
    configure: None,
    ..AUTOCONF_WORDS
};

/// FAC-31 to FAC-35. The settings of the `SVN` step stand in the factory.
fn basic_svn(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = vec![steps::read_as("SVN", reading.table)];
    steps.extend(autoconf(reading, BASIC_WORDS));
    steps
}

/// FAC-24 to FAC-30. The settings of the `CVS` step stand in the factory.
fn basic_cvs(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let says_mode = ["mode", "method"]
        .iter()
        .any(|key| reading.table.place(key).is_some());
    let mut checkout = steps::read_as("CVS", reading.table);
    let copies = reading.table.take("cvs_copy").and_then(|v| v.flag());
    if let (false, StepKind::Cvs(checkout)) = (says_mode, &mut checkout.kind) {
        checkout.source.mode = SourceMode::Full(match copies {
            Some(true) => SourceMethod::Copy,
            Some(false) | None => SourceMethod::Clobber,
        });
    }
    let mut steps = vec![checkout];
    steps.extend(autoconf(reading, BASIC_WORDS));
    steps
}

/// FAC-38: updates the tree, and does not count for when builds are expected to end.
fn quick_cvs(reading: &mut Reading<'_, '_>) -> Vec<StepConfig> {
    let mut steps = vec![steps::read_as("CVS", reading.table)];
    steps.extend(autoconf(reading, BASIC_WORDS));
    for step in &mut steps {
        step.use_progress = false;
    }
    steps
}
