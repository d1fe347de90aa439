//! Aligned and coloured text, safe to print: what comes from outside cannot steer the terminal.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use chrono::{DateTime, Local, Utc};

use crate::model::{Results, Timestamp};
use crate::text::printable;

mod table;

pub(super) use table::Cell;

/// Where pages are printed.
pub(super) struct Screen<'a> {
    pub(super) out: &'a mut dyn Write,
    /// Where goes what was not asked for: standard error.
    pub(super) notes: &'a mut dyn Write,
    pub(super) is_coloured: bool,
    /// How wide it is; absent if it is not a terminal, where nothing is cut.
    pub(super) width: Option<usize>,
    pub(super) zone: Zone,
}

/// Whose time is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zone {
    Local,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests do not depend on the place")
    )]
    Utc,
}

/// The colours of terminals.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Magenta = 35,
    Cyan = 36,
}

impl Colour {
    pub(super) fn of(result: Results) -> Self {
        match result {
            Results::Success => Self::Green,
            Results::Warnings => Self::Yellow,
            Results::Failure => Self::Red,
            Results::Skipped => Self::Cyan,
            Results::Exception | Results::Retry => Self::Magenta,
        }
    }

    /// The text in this colour.
    pub(super) fn paint(self, text: &str) -> String {
        format!("{}{text}{}", self.begin(), Self::END)
    }

    /// What begins it.
    pub(super) fn begin(self) -> String {
        format!("\x1b[{}m", self as u8)
    }

    /// What ends every colour.
    pub(super) const END: &str = "\x1b[0m";
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
        match self.zone {
            Zone::Local => utc.with_timezone(&Local).format(format).to_string(),
            Zone::Utc => utc.format(format).to_string(),
        }
    }
}

/// How wide the terminal is that `stream` is, if it is one.
pub(super) fn width_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|&width| width > 0)
}

/// How long something took, for people.
pub(super) fn duration(d: Duration) -> String {
    let secs = d.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, _) => format!("{:.1} s", d.as_secs_f64()),
        (0, minutes, secs) => format!("{minutes} min {secs} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// How much something is, for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / (1024 * 1024)),
    }
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
