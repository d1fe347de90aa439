//! Aligned and coloured text, safe to print: what comes from outside cannot steer the terminal.

use std::io::{self, Write};
use std::os::fd::AsFd;

use chrono::{DateTime, Local, Utc};

use crate::model::{Results, Timestamp};
use crate::text::printable;
use crate::text::table::{self, Cell, Colour};

/// Where pages are printed.
pub(super) struct Screen<'a> {
    pub(super) out: &'a mut dyn Write,
    /// Where goes what was not asked for: standard error.
    pub(super) notes: &'a mut dyn Write,
    pub(super) is_coloured: bool,
    /// How wide it is; absent if it is not a terminal, where nothing is cut.
    pub(super) width: Option<usize>,
    /// Formats a time, in the time zone of the people who read.
    pub(super) format_time: fn(DateTime<Utc>, &str) -> String,
}

/// The colour of a result.
pub(super) const fn colour_of(result: Results) -> Colour {
    match result {
        Results::Success => Colour::Green,
        Results::Warnings => Colour::Yellow,
        Results::Failure => Colour::Red,
        Results::Skipped => Colour::Cyan,
        Results::Exception | Results::Retry => Colour::Magenta,
    }
}

impl From<Results> for Cell {
    fn from(result: Results) -> Self {
        Self::coloured(result.as_str(), colour_of(result))
    }
}

impl Screen<'_> {
    /// One line of text.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))
    }

    /// Text of several lines, indented.
    pub(super) fn block(&mut self, text: &str) -> io::Result<()> {
        text.lines()
            .try_for_each(|line| match printable(line).trim_end() {
                "" => writeln!(self.out),
                line => writeln!(self.out, "    {line}"),
            })
    }

    /// A table, its columns aligned; the heading is the first row.
    pub(super) fn table(&mut self, rows: &[Vec<Cell>]) -> io::Result<()> {
        let mut lines = table::lines(rows, self.width, self.is_coloured).into_iter();
        lines.try_for_each(|line| writeln!(self.out, "{line}"))
    }

    /// A moment in a cell: to the minute and without the year where there is no room.
    pub(super) fn moment(&self, at: Timestamp) -> Cell {
        Cell::shortened(self.time(at), &self.formatted(at, "%m-%d %H:%M"))
    }

    /// A moment as seen at `now`: of the same day only the time.
    pub(super) fn clock(&self, at: Timestamp, now: Timestamp) -> String {
        let day = "%Y-%m-%d";
        match self.formatted(at, day) == self.formatted(now, day) {
            true => self.formatted(at, "%H:%M:%S"),
            false => self.time(at),
        }
    }

    /// A moment, to the second.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.formatted(at, "%Y-%m-%d %H:%M:%S")
    }

    fn formatted(&self, at: Timestamp, format: &str) -> String {
        let utc = DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
        (self.format_time)(utc, format)
    }
}

/// A time in the time zone of this machine.
pub(super) fn local_time(at: DateTime<Utc>, format: &str) -> String {
    at.with_timezone(&Local).format(format).to_string()
}

/// How wide the terminal is that `stream` is, if it is one.
pub(super) fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|&width| width > 0)
}

/// The first line of a longer text.
pub(super) fn headline(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(HEADLINE).collect();
    if line.chars().nth(HEADLINE).is_some() {
        short.push('…');
    }
    short
}

const HEADLINE: usize = 60;
