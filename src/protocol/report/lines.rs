//! Formats that are made of lines.

use super::{Reader, Report};
use crate::text::sgr::Scanner;

/// So much of a line is looked at, in bytes.
const MOST_LINE: usize = 64 << 10;

/// Reads the lines of a format.
pub(super) trait LineReader: std::fmt::Debug + Send {
    /// A line without its end and without colours: what is seen of it in the end, if carriage
    /// returns write it several times.
    fn line(&mut self, line: &str, report: &mut Report);

    /// The end. Answers whether the report is complete.
    fn end(&mut self, report: &mut Report) -> bool;

    /// How many bytes the reader keeps.
    fn memory(&self) -> usize {
        0
    }
}

/// Makes lines of bytes.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    /// The beginning of a line.
    open: Vec<u8>,
    /// Where the open line begins in the input.
    begin: u64,
    /// Bytes of the open line, including those that are not kept.
    length: u64,
    is_cut: bool,
}

impl<R: LineReader> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            open: Vec::new(),
            begin: 0,
            length: 0,
            is_cut: false,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST_LINE.saturating_sub(self.open.len());
        self.is_cut |= bytes.len() > room;
        self.open.extend(bytes.iter().take(room));
        self.length += bytes.len() as u64;
    }

    fn end_line(&mut self, report: &mut Report) {
        if std::mem::take(&mut self.is_cut) {
            report.note(format!(
                "a line is longer than {MOST_LINE} bytes and was cut"
            ));
        }
        report.at(self.begin, self.length);
        self.begin += self.length;
        self.length = 0;
        let line = seen(&mut self.open);
        self.reader.line(&line, report);
        self.open.clear();
    }
}

impl<R: LineReader> Reader for Lines<R> {
    fn feed(&mut self, bytes: &[u8], report: &mut Report) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.keep(piece);
            if piece.ends_with(b"\n") {
                self.end_line(report);
            }
        }
    }

    fn finish(&mut self, report: &mut Report) -> bool {
        if self.length > 0 {
            self.end_line(report);
        }
        report.at(self.begin, 0);
        self.reader.end(report)
    }

    fn memory(&self) -> usize {
        self.open.capacity() + self.reader.memory()
    }
}

/// What a terminal shows of a line, without its end.
fn seen(line: &mut Vec<u8>) -> std::borrow::Cow<'_, str> {
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    if let Some(at) = line.iter().rposition(|byte| *byte == b'\r') {
        line.drain(..=at);
    }
    if line.contains(&0x1b) {
        let mut scanner = Scanner::default();
        line.retain(|byte| scanner.push(*byte));
    }
    String::from_utf8_lossy(line)
}
