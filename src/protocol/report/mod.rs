//! Reports of tests: what test programs print and write, read piece by piece (TST-02 to TST-06).
//!
//! Invariants: a reader gives the same [`Report`] however its input is cut. It keeps at most
//! [`MOST_MEMORY`] of its own; what it has found is in the report, whose parts have limits as well.
//! Nothing here trusts its input: whatever the bytes are, the worst outcome is a note.
//!
//! [`TestFormat`] lists the formats, each with a file of its own. Most are made of lines
//! (`lines`).

mod book;
mod ctest;
pub mod fuzz;
mod go;
mod gtest;
mod junit;
mod libtest;
mod lines;
mod lit;
mod nextest;
mod own;
mod prove;
mod pytest;
mod saying;
mod subunit1;
mod subunit2;
mod tap;
#[cfg(test)]
mod tests;
mod trial;
mod xml;

pub use self::book::{Report, Test};
use self::lines::Lines;
use crate::model::TestFormat;
use crate::text::sgr::plain;

/// A reader keeps at most this much memory of its own (TST-02).
pub const MOST_MEMORY: usize = 4 << 20;
/// A message of a test is not longer, in bytes.
pub const MOST_MESSAGE: usize = 8 << 10;
/// Suites or subtests deeper than this are not read.
pub const MOST_NESTING: usize = 64;

/// Reads one report. [`Reading::feed`] takes the bytes in any pieces.
#[derive(Debug)]
pub struct Reading {
    reader: Box<dyn Reader>,
    report: Report,
}

impl Reading {
    /// A reader of reports of this format.
    #[must_use]
    pub fn new(format: TestFormat) -> Self {
        let reader: Box<dyn Reader> = match format {
            TestFormat::Junit => Box::new(junit::Junit::default()),
            TestFormat::Subunit2 => Box::new(subunit2::Packets::default()),
            TestFormat::Tap => Box::new(Lines::new(tap::Tap::default())),
            TestFormat::Prove => Box::new(Lines::new(prove::Prove::default())),
            TestFormat::Subunit1 => Box::new(Lines::new(subunit1::Stream::default())),
            TestFormat::Gtest => Box::new(Lines::new(gtest::Gtest::default())),
            TestFormat::Go => Box::new(Lines::new(go::Go::default())),
            TestFormat::Libtest => Box::new(Lines::new(libtest::Libtest::default())),
            TestFormat::Nextest => Box::new(Lines::new(nextest::Nextest::default())),
            TestFormat::Pytest => Box::new(Lines::new(pytest::Pytest::default())),
            TestFormat::Ctest => Box::new(Lines::new(ctest::Ctest::default())),
            TestFormat::Lit => Box::new(Lines::new(lit::Lit::default())),
            TestFormat::Trial => Box::new(Lines::new(trial::Trial::default())),
            TestFormat::Own => Box::new(Lines::new(own::Own::default())),
        };
        Self {
            reader,
            report: Report::default(),
        }
    }

    /// Takes the next bytes of the report.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes, &mut self.report);
    }

    /// What was found, at the end of the input.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let is_complete = self.reader.finish(&mut self.report);
        self.report.end(is_complete);
        self.report
    }

    /// What was found so far.
    #[must_use]
    pub const fn so_far(&self) -> &Report {
        &self.report
    }

    /// How many bytes the reader keeps besides the report.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.reader.memory()
    }
}

/// The text of a stretch of a report (TST-08), as people read it.
#[must_use]
pub fn plain_text(format: TestFormat, stretch: &[u8]) -> String {
    match format {
        TestFormat::Junit => junit::plain_text(stretch),
        TestFormat::Tap
        | TestFormat::Prove
        | TestFormat::Subunit1
        | TestFormat::Subunit2
        | TestFormat::Gtest
        | TestFormat::Go
        | TestFormat::Libtest
        | TestFormat::Nextest
        | TestFormat::Pytest
        | TestFormat::Ctest
        | TestFormat::Lit
        | TestFormat::Trial
        | TestFormat::Own => plain(stretch),
    }
}

/// Reads the bytes of a format.
trait Reader: std::fmt::Debug + Send {
    /// Takes the next bytes.
    fn feed(&mut self, bytes: &[u8], report: &mut Report);

    /// Takes the end. Answers whether the report is complete: only then does the absence of a test
    /// mean anything.
    fn finish(&mut self, report: &mut Report) -> bool;

    /// How many bytes it keeps.
    fn memory(&self) -> usize;
}
