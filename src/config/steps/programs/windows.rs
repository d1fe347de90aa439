//! `Robocopy`.

use super::words::{Words, texts};
use super::{Kind, Usual, WITHOUT_COMMAND, shell_of};
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::OutputReader;
use crate::model::Results;

pub(super) static PROGRAMS: &[Kind] = &[Kind {
    shape: KindShape {
        name: "Robocopy",
        keys: &[WITHOUT_COMMAND, KEYS],
    },
    usual: || {
        let usual = Usual {
            name: "shell",
            command: &["robocopy"],
            doing: &[],
            done: &[],
            reader: OutputReader::Nothing,
        };
        let mut step = usual.step();
        shell_of(&mut step).decode_rc = (0..64).map(|rc| (rc, meaning(rc).into())).collect();
        step
    },
    own: read,
}];

const KEYS: &[&str] = &[
    "source",
    "destination",
    "files",
    "recursive",
    "mirror",
    "move",
    "exclude_files",
    "exclude_dirs",
    "custom_opts",
    "verbose",
];

/// What an exit status means: its bits are 1 for files that were copied, 2 and 4 for files that
/// did not fit, 8 and 16 for errors.
const fn meaning(rc: i64) -> Results {
    match rc {
        0 | 1 => Results::Success,
        _ if rc & (8 | 16) != 0 => Results::Failure,
        _ if rc & (2 | 4) != 0 => Results::Warnings,
        _ => Results::Exception,
    }
}

fn read(table: &mut Table<'_>, step: &mut StepConfig) {
    let source = table.require("source", "\"out\"");
    let source = source.and_then(|value| value.template());
    let destination = table.require("destination", "\"//server/share\"");
    let destination = destination.and_then(|value| value.template());
    let mut words = Words::default();
    words.plain(&["robocopy"]);
    words.setting(&source).setting(&destination);
    list(table, &mut words, "files", &[]);
    for (key, word) in [("recursive", "/E"), ("mirror", "/MIR"), ("move", "/MOVE")] {
        words.flag(is_set(table, key), word);
    }
    list(table, &mut words, "exclude_files", &["/XF"]);
    list(table, &mut words, "exclude_dirs", &["/XD"]);
    if is_set(table, "verbose") {
        words.plain(&["/V", "/TS", "/FP"]);
    }
    let mut custom = Vec::new();
    table.set("custom_opts", &mut custom, texts);
    words.settings(&custom).plain(&["/TEE", "/NP"]);
    shell_of(step).command = words.command();
}

fn is_set(table: &mut Table<'_>, key: &'static str) -> bool {
    let mut flag = false;
    table.set(key, &mut flag, Value::flag);
    flag
}

/// Adds the texts of a list, if there are any, after the words that go before them.
fn list(table: &mut Table<'_>, words: &mut Words, key: &'static str, before: &[&str]) {
    let mut found = Vec::new();
    table.set(key, &mut found, texts);
    if !found.is_empty() {
        words.plain(before).settings(&found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_the_exit_status_are_the_result() {
        use Results::{Exception, Failure, Success, Warnings};
        let expected = [
            (0, Success),
            (1, Success),
            (2, Warnings),
            (3, Warnings),
            (7, Warnings),
            (8, Failure),
            (9, Failure),
            (16, Failure),
            (32, Exception),
        ];
        for (rc, result) in expected {
            assert_eq!(meaning(rc), result, "{rc}");
        }
    }
}
