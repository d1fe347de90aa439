//! Aligned and coloured text, safe to print: what comes from outside cannot steer the terminal.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, Local, Utc};

use crate::model::{Results, Timestamp};

/// Where pages are printed.
pub(super) struct Screen<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) is_coloured: bool,
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

/// A cell of a table.
pub(super) struct Cell {
    text: String,
    colour: Option<Colour>,
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
}

impl Cell {
    pub(super) fn coloured(text: impl AsRef<str>, colour: Colour) -> Self {
        Self {
            text: printable(text.as_ref()),
            colour: Some(colour),
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: printable(text.as_ref()),
            colour: None,
        }
    }
}

impl From<Results> for Cell {
    fn from(result: Results) -> Self {
        Self::coloured(result.as_str(), Colour::of(result))
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
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                cells.map(|c| c.text.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in rows {
            let mut line = String::new();
            let last = row.iter().rposition(|cell| !cell.text.is_empty());
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if last.is_none_or(|last| i > last) {
                    break;
                }
                if i > 0 {
                    line.push_str("  ");
                }
                match cell.colour.filter(|_| self.is_coloured) {
                    Some(colour) => {
                        write!(line, "\x1b[{}m{}\x1b[0m", colour as u8, cell.text)
                            .expect("writing to a string cannot fail");
                    }
                    None => line.push_str(&cell.text),
                }
                if Some(i) != last {
                    let pad = width - cell.text.chars().count();
                    line.extend(std::iter::repeat_n(' ', pad));
                }
            }
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// A moment, to the second.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let utc = DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
        let format = "%Y-%m-%d %H:%M:%S";
        match self.zone {
            Zone::Local => utc.with_timezone(&Local).format(format).to_string(),
            Zone::Utc => utc.format(format).to_string(),
        }
    }
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

/// The text with characters that steer a terminal replaced.
pub(in crate::cli) fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

const HEADLINE: usize = 60;
