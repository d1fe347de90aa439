//! The log output of a program, which never fails.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt as lines};

/// Writes the lines of a log. Cheap to clone.
///
/// Writing never fails and never ends the program. A line that cannot be written, because the disk
/// is full or the reader is gone, is dropped and counted. When writing works again, a note gives
/// the number of missing lines.
#[derive(Debug)]
pub struct LogOutput<W>(Arc<Mutex<Inner<W>>>);

#[derive(Debug)]
struct Inner<W> {
    out: W,
    lost: Option<Lost>,
}

/// The lines that were dropped since the last successful write.
#[derive(Debug)]
struct Lost {
    lines: u64,
    /// The first error.
    why: String,
    /// Whether a line was written in part.
    is_cut: bool,
}

impl<W: Write> LogOutput<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(Arc::new(Mutex::new(Inner { out, lost: None })))
    }
}

impl<W: Write + Send + 'static> LogOutput<W> {
    /// Makes this the log of the process, with the lines that pass `filter`. A process has one log:
    /// a second call changes nothing.
    pub fn install(self, filter: EnvFilter, format: Format) {
        let subscriber = lines()
            .with_env_filter(filter)
            .with_ansi(format.colours)
            .with_target(format.target)
            // The default reports errors to standard error, and panics if that fails too.
            .log_internal_errors(false)
            .with_writer(self)
            .finish();
        subscriber.try_init().ok();
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Whether lines are coloured.
    pub colours: bool,
    /// Whether lines name the part of the program.
    pub target: bool,
}

impl<W> Clone for LogOutput<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Write> Write for LogOutput<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a, W: Write> MakeWriter<'a> for LogOutput<W> {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl<W: Write> Inner<W> {
    fn line(&mut self, line: &[u8]) {
        if let Some(lost) = &self.lost {
            let note = lost.to_string();
            match write_all(&mut self.out, note.as_bytes()) {
                Ok(()) => self.lost = None,
                Err((_, written)) => {
                    self.lose(written > 0, None);
                    return;
                }
            }
        }
        if let Err((error, written)) = write_all(&mut self.out, line) {
            self.lose(written > 0, Some(&error));
        }
    }

    fn lose(&mut self, is_cut: bool, error: Option<&io::Error>) {
        let lost = self.lost.get_or_insert_with(|| Lost {
            lines: 0,
            why: error.map_or_else(String::new, io::Error::to_string),
            is_cut: false,
        });
        lost.lines += 1;
        lost.is_cut |= is_cut;
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, why, is_cut } = self;
        let begin = if *is_cut { "\n" } else { "" };
        let noun = if *lines == 1 { "line is" } else { "lines are" };
        writeln!(
            f,
            "{begin}{lines} {noun} missing here, which could not be written: {why}"
        )
    }
}

/// Writes all of `text`. An error comes with the number of bytes written.
fn write_all(out: &mut impl Write, text: &[u8]) -> Result<(), (io::Error, usize)> {
    let mut written = 0;
    while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return Err((ErrorKind::WriteZero.into(), written)),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((error, written)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::VecDeque;

    use super::*;

    /// Accepts a given number of bytes in each write, or fails.
    #[derive(Default)]
    struct Disk {
        text: String,
        takes: VecDeque<Option<usize>>,
    }

    impl Write for Disk {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let takes = self.takes.pop_front().unwrap_or(Some(usize::MAX));
            let count = takes.ok_or(ErrorKind::StorageFull)?.min(text.len());
            self.text += std::str::from_utf8(&text[..count]).unwrap();
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(takes: &[Option<usize>], lines: &[&str]) -> String {
        let takes = takes.iter().copied().collect();
        let text = String::new();
        let mut log = LogOutput::new(Disk { text, takes });
        for line in lines {
            log.write_all(line.as_bytes()).unwrap();
        }
        let inner = log.0.lock().unwrap();
        inner.out.text.clone()
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_told_when_writing_works_again() {
        assert_eq!(written(&[None], &["a\n"]), "");
        assert_eq!(
            written(&[None, None, None], &["a\n", "b\n", "c\n", "d\n", "e\n"]),
            "3 lines are missing here, which could not be written: no storage space\nd\ne\n"
        );
        assert_eq!(
            written(&[None], &["a\n", "b\n"]),
            "1 line is missing here, which could not be written: no storage space\nb\n"
        );
    }

    #[test]
    fn a_line_that_was_cut_is_ended() {
        assert_eq!(
            written(&[Some(2), None], &["abc\n", "d\n"]),
            "ab\n1 line is missing here, which could not be written: no storage space\nd\n"
        );
        assert_eq!(written(&[Some(1), Some(2)], &["abc\n"]), "abc\n");
    }
}
