//! Configuring, compiling and testing: `Configure`, `Compile`, `Test` and their relatives.

use std::collections::BTreeMap;

use super::words::{Words, join, text, texts};
use super::{COMMAND, Kind, Usual, WITHOUT_COMMAND, nothing, shell_of, warnings};
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::{OutputReader, WarningRules};
use crate::config::template::Template;

pub(super) static PROGRAMS: &[Kind] = &[
    Kind {
        shape: KindShape {
            name: "Configure",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: || {
            let usual = Usual {
                name: "configure",
                command: &["./configure"],
                doing: &["configuring"],
                done: &["configure"],
                reader: OutputReader::Nothing,
            };
            usual.halting()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "WarningCountingShellCommand",
            keys: &[COMMAND, WITHOUT_COMMAND, warnings::KEYS],
        },
        usual: || {
            let usual = Usual {
                name: "shell",
                command: &[],
                doing: &[],
                done: &[],
                reader: OutputReader::Warnings(Box::default()),
            };
            usual.step()
        },
        own: warnings::read,
    },
    Kind {
        shape: KindShape {
            name: "Compile",
            keys: &[COMMAND, WITHOUT_COMMAND, warnings::KEYS],
        },
        usual: || {
            let usual = Usual {
                name: "compile",
                command: &["make", "all"],
                doing: &["compiling"],
                done: &["compile"],
                reader: OutputReader::Warnings(Box::default()),
            };
            usual.halting()
        },
        own: warnings::read,
    },
    Kind {
        shape: KindShape {
            name: "Test",
            keys: &[COMMAND, WITHOUT_COMMAND, warnings::KEYS],
        },
        usual: || test(&["make", "test"], OutputReader::Warnings(Box::default())),
        own: warnings::read,
    },
    Kind {
        shape: KindShape {
            name: "PerlModuleTest",
            keys: &[COMMAND, WITHOUT_COMMAND, warnings::KEYS],
        },
        usual: || {
            let command = ["prove", "--lib", "lib", "-r", "t"];
            test(&command, OutputReader::PerlTests(Box::default()))
        },
        own: warnings::read,
    },
    Kind {
        shape: KindShape {
            name: "TreeSize",
            keys: &[COMMAND, WITHOUT_COMMAND],
        },
        usual: || {
            let usual = Usual {
                name: "treesize",
                command: &["du", "-s", "-k", "."],
                doing: &["measuring tree size"],
                done: &["tree size measured"],
                reader: OutputReader::TreeSize,
            };
            usual.step()
        },
        own: nothing,
    },
    Kind {
        shape: KindShape {
            name: "SubunitShellCommand",
            keys: &[COMMAND, WITHOUT_COMMAND, &["failure_on_no_tests"]],
        },
        usual: || {
            let usual = Usual {
                name: "shell",
                command: &[],
                doing: &[],
                done: &[],
                reader: OutputReader::Subunit {
                    failure_on_no_tests: false,
                },
            };
            usual.step()
        },
        own: |table, step| {
            if let OutputReader::Subunit {
                failure_on_no_tests,
            } = &mut shell_of(step).reader
            {
                table.set("failure_on_no_tests", failure_on_no_tests, Value::flag);
            }
        },
    },
    Kind {
        shape: KindShape {
            name: "SetPropertyFromCommand",
            keys: &[COMMAND, WITHOUT_COMMAND, &["property", "strip"]],
        },
        usual: || {
            let usual = Usual {
                name: "setproperty",
                command: &[],
                doing: &[],
                done: &[],
                reader: OutputReader::Nothing,
            };
            usual.step()
        },
        own: |table, step| {
            let mut strip = true;
            table.set("strip", &mut strip, Value::flag);
            if table.place("set").is_some() && table.place("property").is_none() {
                return;
            }
            let property = table.require("property", "\"version\"");
            if let Some(value) = &property
                && value
                    .data()
                    .as_str()
                    .is_some_and(|name| !name.contains('%'))
            {
                value.sets_property();
            }
            if let Some(property) = property.and_then(|value| value.template()) {
                shell_of(step).reader = OutputReader::Property { property, strip };
            }
        },
    },
    Kind {
        shape: KindShape {
            name: "CMake",
            keys: &[
                WITHOUT_COMMAND,
                &["path", "generator", "definitions", "options", "cmake"],
            ],
        },
        usual: || {
            let usual = Usual {
                name: "cmake",
                command: &["cmake"],
                doing: &["running", "cmake"],
                done: &["cmake"],
                reader: OutputReader::Nothing,
            };
            usual.halting()
        },
        own: cmake,
    },
    Kind {
        shape: KindShape {
            name: "Cppcheck",
            keys: &[
                WITHOUT_COMMAND,
                &["binary", "source", "enable", "inconclusive", "extra_args"],
            ],
        },
        usual: || {
            let usual = Usual {
                name: "cppcheck",
                command: &["cppcheck"],
                doing: &["running", "cppcheck"],
                done: &["cppcheck"],
                reader: OutputReader::Cppcheck,
            };
            usual.step()
        },
        own: cppcheck,
    },
    Kind {
        shape: KindShape {
            name: "MaxQ",
            keys: &[WITHOUT_COMMAND, &["testdir"]],
        },
        usual: || {
            let usual = Usual {
                name: "maxq",
                command: &["run_maxq.py"],
                doing: &[],
                done: &[],
                reader: OutputReader::Maxq,
            };
            usual.step()
        },
        own: |table, step| {
            let dir = table.require("testdir", "\"tests\"");
            if let Some(dir) = dir.and_then(|value| value.template()) {
                let line = join([&text("run_maxq.py "), &dir]);
                shell_of(step).command = crate::config::CommandWords::Line(line);
            }
        },
    },
];

/// A kind of `Test`.
pub(super) fn test(command: &[&str], reader: OutputReader) -> StepConfig {
    let usual = Usual {
        name: "test",
        command,
        doing: &["testing"],
        done: &["test"],
        reader,
    };
    StepConfig {
        warn_on_failure: true,
        ..usual.step()
    }
}

fn cmake(table: &mut Table<'_>, step: &mut StepConfig) {
    let mut cmake = text("cmake");
    table.set("cmake", &mut cmake, Value::template);
    let mut generator = None;
    table.set_some("generator", &mut generator, Value::template);
    let mut definitions = BTreeMap::<String, Template>::new();
    table.set("definitions", &mut definitions, |value| {
        let entries = value.entries().into_iter();
        let entries =
            entries.filter_map(|(name, value)| Some((name.to_owned(), value.template()?)));
        Some(entries.collect())
    });
    let mut options = Vec::new();
    table.set("options", &mut options, texts);
    let mut path = None;
    table.set_some("path", &mut path, Value::template);
    let mut words = Words::default();
    words.setting(&cmake).option("-G", &generator);
    for (name, value) in &definitions {
        words.setting(&join([&text(&format!("-D{name}=")), value]));
    }
    words.settings(&options).setting(&path);
    shell_of(step).command = words.command();
}

fn cppcheck(table: &mut Table<'_>, step: &mut StepConfig) {
    let mut binary = text("cppcheck");
    table.set("binary", &mut binary, Value::template);
    let mut source = vec![text(".")];
    table.set("source", &mut source, texts);
    let mut enable = Vec::new();
    table.set("enable", &mut enable, texts);
    let mut inconclusive = false;
    table.set("inconclusive", &mut inconclusive, Value::flag);
    let mut extra_args = Vec::new();
    table.set("extra_args", &mut extra_args, texts);
    let mut words = Words::default();
    words.setting(&binary).settings(&source);
    if !enable.is_empty() {
        let enable = super::words::join_list(&enable, ",");
        words.setting(&join([&text("--enable="), &enable]));
    }
    words.flag(inconclusive, "--inconclusive");
    words.settings(&extra_args);
    shell_of(step).command = words.command();
}

/// The rules of a step with another pattern.
pub(super) fn rules(pattern: &str) -> Box<WarningRules> {
    Box::new(WarningRules::with(pattern))
}
