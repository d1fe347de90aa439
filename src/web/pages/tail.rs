//! The lines of a log that say what went wrong, or its last ones.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::logs::reader::{self, Line};
use crate::logs::{Channel, LogReader};
use crate::model::Results;
use crate::store::State;
use crate::text::size;
use crate::view::{Build, Log, Step};
use crate::web::address;
use crate::web::parts::{Look, Numbers, Rows};

/// Lines on the pages of builds and steps.
pub(super) const LINES: (u64, Numbers) = (14, Numbers::Links);

/// Some lines of a log.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) name: String,
    pub(super) size: String,
    pub(super) address: String,
    pub(super) rows: Rows,
    /// The line of the first error, if one was found; else the lines are the last ones.
    pub(super) error: Option<u64>,
}

/// What error messages look like.
static ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let like = [
        r"\b(fatal |internal )?[Ee]rror(\[\w+\]|\s+\w*\d+)?:",
        r"\bERROR\b",
        r"\bFAIL(ED|URE)?\b",
        r"^Traceback ",
        r"\bpanicked at\b",
        r"\bfatal:",
        r"\b[Aa]ssertion\b.*\bfailed\b",
        r"\bundefined reference\b",
        r"\bcommand not found\b",
        r"\bNo such file or directory\b",
        r"\bSegmentation fault\b",
    ];
    reader::pattern(&format!("/{}/", like.join("|"))).ok()
});

/// How much of the end of a log is searched for an error: one block of the search.
const SEARCHED: u64 = 1 << 20;

/// How many lines are looked at that may be errors: a command may have the words of one.
const HITS: usize = 20;

/// Whether a line is of the output of a command, and not of what is told about the command.
fn is_output(reader: &mut LogReader, line: u64) -> bool {
    let window = reader.window(line, 1).ok();
    let first = window.as_ref().and_then(|window| window.lines.first());
    first.is_some_and(|line| {
        line.pieces
            .iter()
            .any(|piece| piece.channel != Channel::Header)
    })
}

impl Tail {
    /// Some lines around the first error of a step that failed, in the last MiB of a log; else the
    /// last ones. Nothing if the log cannot be read, which its own page explains.
    pub(super) fn read(
        state: &State,
        build: &Build,
        step: &Step,
        log: &Log,
        (most, numbers): (u64, Numbers),
    ) -> Option<Self> {
        let mut reader = LogReader::open(state.basedir(), &log.path).ok()?;
        let extent = reader.extent().ok()?;
        let has_failed = matches!(step.result, Some(Results::Failure | Results::Exception));
        let error = ERROR.as_ref().filter(|_| has_failed).and_then(|pattern| {
            let from = extent.bytes.saturating_sub(SEARCHED);
            let found = reader.search(pattern, from, HITS, &mut || false).ok()?;
            let mut lines = found.hits.iter().map(|hit| hit.line);
            lines.find(|&line| is_output(&mut reader, line))
        });
        let end = extent.lines.saturating_sub(most - 1).max(1);
        let first = error.map_or(end, |line| line.saturating_sub(most / 4).clamp(1, end));
        let window = reader.window(first, usize::try_from(most).ok()?).ok()?;
        let address = address::log(&build.builder, build.number, &step.name, &log.name);
        let look = Look {
            chosen: error
                .map(|line| (line, line))
                .filter(|_| numbers != Numbers::None),
            numbers,
            ..Look::new(&address)
        };
        let mut rows = Rows::default();
        let is_told = |line: &&Line| {
            line.pieces
                .iter()
                .all(|piece| piece.channel == Channel::Header)
        };
        // Beside other things, there is room for what the command has said itself only.
        let shown = window.lines.iter();
        for line in shown.filter(|line| numbers != Numbers::None || !is_told(line)) {
            rows.push(line, &look);
        }
        Some(Self {
            name: log.name.clone(),
            size: format!("{} lines, {}", extent.lines, size(extent.bytes)),
            address,
            rows,
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_of_usual_programs_are_found() {
        let pattern = ERROR.as_ref().expect("it is a pattern");
        for (line, is_error) in [
            ("src/a.c:3:1: error: expected ';'", true),
            ("include\\a.h(118): error C2061: syntax error", true),
            ("error[E0382]: borrow of moved value", true),
            (
                "==31877==ERROR: AddressSanitizer: heap-buffer-overflow",
                true,
            ),
            ("Traceback (most recent call last):", true),
            ("thread 'main' panicked at src/main.rs:1:1:", true),
            ("fatal: not a git repository", true),
            ("test_a ... FAILED", true),
            ("a.c:1: undefined reference to `x'", true),
            ("sh: 1: nosuch: command not found", true),
            ("0 errors, 0 warnings", false),
            ("  OK test_error_handling", false),
            ("terror: a film", false),
        ] {
            assert_eq!(pattern.is_match(line.as_bytes()), is_error, "{line}");
        }
    }
}
