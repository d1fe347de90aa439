//! The changes of a Perforce server, as `p4 changes` and `p4 describe -s` print them.

use super::plain_name;
use crate::vc::lines::Lines;

/// Prints the submitted changes below `base` after number `after`, or the newest one.
pub(crate) fn changes(base: &str, after: Option<u64>) -> Vec<String> {
    let mut words = vec![
        "changes".to_owned(),
        "-s".to_owned(),
        "submitted".to_owned(),
    ];
    match after {
        Some(after) => words.push(format!("{base}...@{},now", after.saturating_add(1))),
        None => words.extend(["-m".to_owned(), "1".to_owned(), format!("{base}...")]),
    }
    words
}

/// Parses the numbers that [`changes`] prints, and puts the oldest first.
///
/// # Errors
/// What is not a change.
pub(crate) fn parse_changes(printed: &str) -> Result<Vec<u64>, String> {
    let lines = printed.lines().map(str::trim);
    let numbers = lines.filter(|line| !line.is_empty()).map(|line| {
        let rest = line.strip_prefix("Change ");
        let number = rest.and_then(|rest| rest.split(' ').next()?.parse().ok());
        number.ok_or_else(|| format!("p4 changes printed {line:?}"))
    });
    let mut numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Prints the changes with these numbers for [`DescribeReader`].
pub(crate) fn describe(numbers: &[u64]) -> Vec<String> {
    let words = ["describe", "-s"].map(str::to_owned).into_iter();
    words.chain(numbers.iter().map(u64::to_string)).collect()
}

/// Prints a ticket for [`parse_ticket`], after it has read a password.
pub(crate) const LOGIN: [&str; 2] = ["login", "-p"];

/// Parses the ticket, which follows the question for the password.
pub(crate) fn parse_ticket(printed: &str) -> Option<String> {
    let last = printed
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())?;
    let ticket = last.rsplit(' ').next()?;
    let is_ticket = ticket.len() >= 16 && ticket.bytes().all(|b| b.is_ascii_alphanumeric());
    is_ticket.then(|| ticket.to_owned())
}

/// A submitted change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Described {
    pub(crate) number: u64,
    pub(crate) author: Vec<u8>,
    /// Time on the clock of the server, in seconds since 1970 began there.
    pub(crate) local_time: Option<i64>,
    pub(crate) message: Vec<u8>,
    /// Paths in the depot.
    pub(crate) files: Vec<String>,
    /// Number of further files.
    pub(crate) files_left_out: u64,
}

/// Limits on what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of a message.
    pub(crate) message: usize,
    /// Bytes of a path.
    pub(crate) name: usize,
    /// Files of a change.
    pub(crate) files: usize,
    /// Bytes of all changes; the change that exceeds it is the last.
    pub(crate) total: usize,
}

/// Reads the output of [`describe`] in pieces. Memory is bounded by the limits.
#[derive(Debug)]
pub(crate) struct DescribeReader {
    lines: Lines,
    reading: Reading,
}

#[derive(Debug)]
struct Reading {
    limits: LogLimits,
    part: Part,
    kept: usize,
    current: Option<Described>,
    complete: Vec<Described>,
    is_full: bool,
}

#[derive(Debug)]
enum Part {
    Message,
    Files,
    Other,
}

impl DescribeReader {
    pub(crate) const fn new(limits: LogLimits) -> Self {
        Self {
            lines: Lines::up_to(limits.name + 100),
            reading: Reading {
                limits,
                part: Part::Other,
                kept: 0,
                current: None,
                complete: Vec::new(),
                is_full: false,
            },
        }
    }

    /// Reads a piece. Returns whether more is wanted.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> bool {
        let reading = &mut self.reading;
        self.lines.feed(piece, |line| reading.line(line));
        !self.reading.is_full
    }

    /// The changes that were read completely.
    pub(crate) fn finish(self) -> Vec<Described> {
        let Self { lines, mut reading } = self;
        lines.finish(|line| reading.line(line));
        if !reading.is_full {
            reading.complete.extend(reading.current.take());
        }
        reading.complete
    }
}

impl Reading {
    fn line(&mut self, line: &[u8]) {
        if self.is_full {
            return;
        }
        if let Some(next) = header(line) {
            self.complete.extend(self.current.replace(next));
            self.is_full = self.kept > self.limits.total && !self.complete.is_empty();
            self.part = Part::Message;
            return;
        }
        let Some(change) = &mut self.current else {
            return;
        };
        match (&self.part, line) {
            (Part::Message, [b'\t', text @ ..]) => {
                let room = self.limits.message.saturating_sub(change.message.len());
                change.message.extend(text.iter().take(room));
                if room > text.len() {
                    change.message.push(b'\n');
                }
                self.kept += text.len().min(room);
            }
            (_, line) if line.starts_with(b"Affected files ") => self.part = Part::Files,
            (Part::Files, line) => {
                let Some(name) = file(line) else { return };
                if change.files.len() < self.limits.files {
                    self.kept += name.len();
                    change.files.push(name);
                } else {
                    change.files_left_out += 1;
                }
            }
            (Part::Message | Part::Other, b"") => {}
            // Such as the list of jobs.
            (Part::Message | Part::Other, _) => self.part = Part::Other,
        }
    }
}

/// Parses `Change 3 by bob@client on 2006/04/13 21:46:23`.
fn header(line: &[u8]) -> Option<Described> {
    let rest = line.strip_prefix(b"Change ")?;
    let at = memchr::memmem::find(rest, b" by ")?;
    let (number, rest) = rest.split_at(at);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    let rest = rest.get(4..)?;
    let at = memchr::memmem::rfind(rest, b" on ")?;
    let (who, time) = rest.split_at(at);
    let at = memchr::memrchr(b'@', who).unwrap_or(who.len());
    let time = String::from_utf8_lossy(time.get(4..)?);
    let time = time.get(..19).unwrap_or_default();
    let time = chrono::NaiveDateTime::parse_from_str(time, "%Y/%m/%d %H:%M:%S").ok();
    Some(Described {
        number,
        author: who.get(..at)?.to_vec(),
        local_time: time.map(|time| time.and_utc().timestamp()),
        ..Described::default()
    })
}

/// Parses the path from `... //depot/main/a.c#3 edit`.
fn file(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line.strip_prefix(b"... ")?);
    let (path, rest) = line.rsplit_once('#')?;
    let (revision, action) = rest.split_once(' ')?;
    revision.parse::<u64>().ok()?;
    (!action.is_empty()).then(|| plain_name(path))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LIMITS: LogLimits = LogLimits {
        message: 1_000,
        name: 1_000,
        files: 2,
        total: 1_000,
    };

    /// As a server prints it, with a time that has a stray end of line.
    const PRINTED: &str = "Change 3 by bob@testclient on 2006/04/13 21:46:23\r

\tshort desc truncated because this is a long description.
\tChange 9 by me@c on 2006/04/13 21:46:23

Jobs fixed ...

job000001 on 2006/04/13 by bob *closed*

\tA job.

Affected files ...

... //depot/myproject/branch_b/branch_b_file#1 add
... //depot/myproject/branch_b/we%40ird%23#12 move/delete
... //depot/myproject/branch_c/branch_c_file#1 add

Change 5 by ann lee@x on somewhere

Affected files ...
";

    fn read(printed: &[u8], size: usize, limits: LogLimits) -> Vec<Described> {
        let mut reader = DescribeReader::new(limits);
        for piece in printed.chunks(size) {
            if !reader.feed(piece) {
                break;
            }
        }
        reader.finish()
    }

    #[test]
    fn pol_12_descriptions_of_perforce_are_read_in_pieces() {
        for size in [1, 7, 10_000] {
            let all = read(PRINTED.as_bytes(), size, LIMITS);
            let [first, second] = all.as_slice() else {
                panic!("{all:?}");
            };
            assert_eq!((first.number, second.number), (3, 5));
            assert_eq!(first.author, b"bob");
            assert_eq!(first.local_time, Some(1_144_964_783));
            assert_eq!(
                String::from_utf8_lossy(&first.message),
                "short desc truncated because this is a long description.\n\
                 Change 9 by me@c on 2006/04/13 21:46:23\n"
            );
            assert_eq!(
                first.files,
                [
                    "//depot/myproject/branch_b/branch_b_file",
                    "//depot/myproject/branch_b/we@ird#"
                ]
            );
            assert_eq!((first.files_left_out, second.files_left_out), (1, 0));
            assert_eq!(
                (second.author.as_slice(), second.local_time),
                (&b"ann lee"[..], None)
            );
        }
    }

    #[test]
    fn int_09_a_reader_of_perforce_stops_at_its_limit() {
        let tight = LogLimits {
            total: 10,
            ..LIMITS
        };
        let numbers = |limits| {
            let all = read(PRINTED.as_bytes(), 10_000, limits);
            all.iter().map(|change| change.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(tight), [3]);
        let cut = LogLimits {
            message: 5,
            ..LIMITS
        };
        assert_eq!(read(PRINTED.as_bytes(), 9, cut)[0].message, b"short");
    }

    #[test]
    fn pol_12_lists_and_tickets_of_perforce_are_read() {
        let listed = "Change 5 on 2006/04/13 by b@c 'x'\nChange 3 on 2006/04/13 by b@c 'y'\n\n";
        assert_eq!(parse_changes(listed).unwrap(), [3, 5]);
        assert_eq!(parse_changes("").unwrap(), [0; 0]);
        assert!(parse_changes("Perforce is down\n").is_err());
        let ticket = "Enter password: \nABCDEF0123456789ABCDEF0123456789\n";
        let wanted = "ABCDEF0123456789ABCDEF0123456789";
        assert_eq!(parse_ticket(ticket).as_deref(), Some(wanted));
        assert_eq!(
            parse_ticket("Enter password: \nUser bob logged in.\n"),
            None
        );
        assert_eq!(parse_ticket(""), None);
    }
}
