//! The lines of a log that say what went wrong, or its last ones.

use crate::logs::reader::Line;
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

impl Tail {
    /// Some lines around the first error of a step that failed; else the last ones. Nothing if the
    /// log cannot be read, which its own page explains.
    pub(super) fn read(
        state: &State,
        build: &Build,
        step: &Step,
        log: &Log,
        (most, numbers): (u64, Numbers),
    ) -> Option<Self> {
        let mut reader = LogReader::open(state.basedir(), &log.path).ok()?;
        let extent = reader.extent().ok()?;
        let error = first_error(&mut reader, step, log);
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

/// The line of the first error in a log of a step that has failed. Of builds of earlier versions it
/// is not on record.
pub(in crate::web) fn first_error(reader: &mut LogReader, step: &Step, log: &Log) -> Option<u64> {
    match &step.first_error {
        Some(error) => Some(error.line).filter(|_| error.log == log.name),
        None if matches!(step.result, Some(Results::Failure | Results::Exception)) => {
            let found = reader.first_error(None).ok()?;
            found.map(|(line, _)| line)
        }
        None => None,
    }
}
