//! Checking and documenting Python, and the other tools of Twisted's own build.

use super::words::{Words, join, text, texts};
use super::{COMMAND, Kind, Usual, WITHOUT_COMMAND, nothing, shell_of};
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::OutputReader;
use crate::config::steps::shell::ChangedFiles;
use crate::config::template::Template;
use crate::model::Results;

pub(super) static PROGRAMS: &[Kind] = &[
    Kind {
        shape: KindShape {
            name: "BuildEPYDoc",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: || {
            let usual = Usual {
                name: "epydoc",
                command: &["make", "epydocs"],
                doing: &["building", "epydocs"],
                done: &["epydoc"],
                reader: OutputReader::Epydoc,
            };
            usual.step()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "PyFlakes",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: pyflakes,
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "PyLint",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: || {
            let usual = Usual {
                name: "pylint",
                command: &[],
                doing: &["running", "pylint"],
                done: &["pylint"],
                reader: OutputReader::Pylint,
            };
            usual.step()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "Sphinx",
            keys: &[WITHOUT_COMMAND, SPHINX],
        },
        usual: || {
            let usual = Usual {
                name: "sphinx",
                command: &["sphinx-build"],
                doing: &["building"],
                done: &["sphinx"],
                reader: OutputReader::Sphinx,
            };
            usual.halting()
        },
        own: sphinx,
    },
    Kind {
        shape: KindShape {
            name: "RemovePYCs",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: || {
            let usual = Usual {
                name: "remove-.pyc",
                command: &["find", ".", "-name", "*.pyc", "-exec", "rm", "{}", ";"],
                doing: &["removing", ".pyc", "files"],
                done: &["remove", ".pycs"],
                reader: OutputReader::Nothing,
            };
            usual.step()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "HLint",
            keys: &[WITHOUT_COMMAND, &["python"]],
        },
        usual: || {
            let usual = Usual {
                name: "hlint",
                command: &["bin/lore"],
                doing: &["running", "hlint"],
                done: &["hlint"],
                reader: OutputReader::Hlint,
            };
            StepConfig {
                flunk_on_failure: false,
                warn_on_warnings: true,
                warn_on_failure: true,
                ..usual.step()
            }
        },
        own: |table, step| {
            let mut python = None;
            table.set_some("python", &mut python, Value::template);
            let shell = shell_of(step);
            let mut words = Words::default();
            words.setting(&python);
            words.plain(&["bin/lore", "-p", "--output", "lint"]);
            shell.command = words.command();
            shell.changed_files = Some(ChangedFiles {
                suffix: ".xhtml",
                not_below: "sandbox/",
                option: "",
                needed: true,
            });
        },
    },
];

/// Its exit status is 1 for warnings too, so that its output decides.
fn pyflakes() -> StepConfig {
    let usual = Usual {
        name: "pyflakes",
        command: &["make", "pyflakes"],
        doing: &["running", "pyflakes"],
        done: &["pyflakes"],
        reader: OutputReader::Pyflakes,
    };
    let mut step = StepConfig {
        flunk_on_failure: false,
        ..usual.step()
    };
    shell_of(&mut step).decode_rc =
        [(0, Results::Success.into()), (1, Results::Warnings.into())].into();
    step
}

const SPHINX: &[&str] = &[
    "sphinx_sourcedir",
    "sphinx_builddir",
    "sphinx_builder",
    "sphinx",
    "tags",
    "defines",
    "mode",
    "strict_warnings",
];

fn sphinx(table: &mut Table<'_>, step: &mut StepConfig) {
    let mut sphinx = text("sphinx-build");
    table.set("sphinx", &mut sphinx, Value::template);
    let mut builder = None;
    table.set_some("sphinx_builder", &mut builder, Value::template);
    let mut tags = Vec::new();
    table.set("tags", &mut tags, texts);
    let mut defines = Vec::new();
    table.set("defines", &mut defines, |value| {
        let entries = value.entries().into_iter();
        Some(
            entries
                .filter_map(|(name, value)| define(name, &value))
                .collect(),
        )
    });
    defines.sort_by(|(one, _), (other, _): &(String, _)| one.cmp(other));
    let mut mode = "incremental";
    table.set("mode", &mut mode, |value| {
        value.one_of(&["incremental", "full"])
    });
    let mut strict = false;
    table.set("strict_warnings", &mut strict, Value::flag);
    let mut source = text(".");
    table.set("sphinx_sourcedir", &mut source, Value::template);
    let build = table.require("sphinx_builddir", "\"_build\"");
    let build = build.and_then(|value| value.template());
    let mut words = Words::default();
    words.setting(&sphinx).option("-b", &builder);
    for tag in &tags {
        words.option("-t", tag);
    }
    for (_, define) in &defines {
        words.option("-D", define);
    }
    words.flag(mode == "full", "-E").flag(strict, "-W");
    words.setting(&source).setting(&build);
    shell_of(step).command = words.command();
}

/// A definition for `sphinx-build`: a string, a number, true or false.
fn define(name: &str, value: &Value<'_>) -> Option<(String, Template)> {
    let begin = text(&format!("{name}="));
    let defined = if let Some(flag) = value.data().as_bool() {
        join([&begin, &text(if flag { "1" } else { "0" })])
    } else if value.data().as_integer().is_some() {
        let number: i64 = value.integer(i64::MIN..=i64::MAX)?;
        join([&begin, &text(&number.to_string())])
    } else {
        join([&begin, &value.template()?])
    };
    Some((name.to_owned(), defined))
}
