//! `ShellSequence`: several commands, each with flags and a log of its own.

use super::{Kind, Usual, WITHOUT_COMMAND, shell_of};
use crate::config::reader::{Table, Value};
use crate::config::shape::{KindShape, Shape};
use crate::config::steps::output::OutputReader;
use crate::config::steps::shell::{SequenceCommand, read_command};

pub(super) static PROGRAMS: &[Kind] = &[Kind {
    shape: KindShape {
        name: "ShellSequence",
        keys: &[WITHOUT_COMMAND, &["commands"]],
    },
    usual: || {
        let usual = Usual {
            name: "shell_sequence",
            command: &["?"],
            doing: &[],
            done: &[],
            reader: OutputReader::Nothing,
        };
        usual.step()
    },
    own: |table, step| {
        let commands = table.require("commands", "[{ command = [\"make\"] }]");
        let Some(commands) = commands else { return };
        let tables = commands.tables(&SEQUENCE_COMMAND);
        if tables.is_empty() {
            commands.error("is empty", "say what to run");
        }
        shell_of(step).sequence = tables.into_iter().filter_map(read).collect();
    },
}];

pub(in crate::config) static SEQUENCE_COMMAND: Shape = Shape {
    place: "steps.commands",
    noun: "this command",
    keys: &[
        "command",
        "logname",
        "halt_on_failure",
        "flunk_on_warnings",
        "flunk_on_failure",
        "warn_on_warnings",
        "warn_on_failure",
    ],
    kinds: Vec::new,
};

fn read(mut table: Table<'_>) -> Option<SequenceCommand> {
    let command = table.require("command", "[\"make\"]");
    let command = command.and_then(|value| read_command(&value));
    let mut read = SequenceCommand {
        command: command?,
        log: None,
        halt_on_failure: false,
        flunk_on_warnings: false,
        flunk_on_failure: true,
        warn_on_warnings: false,
        warn_on_failure: false,
    };
    table.set_some("logname", &mut read.log, |value| {
        value.name().map(str::to_owned)
    });
    for (key, flag) in [
        ("halt_on_failure", &mut read.halt_on_failure),
        ("flunk_on_warnings", &mut read.flunk_on_warnings),
        ("flunk_on_failure", &mut read.flunk_on_failure),
        ("warn_on_warnings", &mut read.warn_on_warnings),
        ("warn_on_failure", &mut read.warn_on_failure),
    ] {
        table.set(key, flag, Value::flag);
    }
    table.finish();
    Some(read)
}
