//! Searching a log.

use std::io;
use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::LogReader;
use crate::logs::lines;

/// What a search has found so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// The first hit of each line that has one, in order.
    pub hits: Vec<Hit>,
    /// The byte from which to search on.
    pub next: u64,
    /// Whether all of the log was searched, as far as it is written.
    pub is_end: bool,
}

/// A place that matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// The number of its line, from 1.
    pub line: u64,
    /// Its bytes, as positions in the text of the log.
    pub bytes: Range<u64>,
}

/// The pattern that a user asks for: `/…/` is a regular expression, in which `^` and `$` match at
/// each line; all else is text, and matches itself.
///
/// # Errors
/// It is not a regular expression, or too large.
pub fn pattern(asked: &str) -> Result<Regex, regex::Error> {
    let expression = asked
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    let text = expression.map_or_else(|| regex::escape(asked), ToOwned::to_owned);
    let mut builder = RegexBuilder::new(&text);
    builder.multi_line(true).size_limit(PATTERN_BYTES).build()
}

impl LogReader {
    /// Searches the text from byte `from` on, in blocks of 1 MiB. Stops when `most` lines are
    /// found, when `go_on` answers no after a block (the time is over), or at the present end of
    /// the log. At least one block is searched.
    ///
    /// A hit is within one block or the 4 KiB after a line that does not fit into a block; of a
    /// match over several lines, the line where it begins counts.
    ///
    /// # Errors
    /// Reading failed.
    pub fn search(
        &mut self,
        pattern: &Regex,
        from: u64,
        most: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> io::Result<Found> {
        let end = self.end()?;
        let start = self.seek_byte(from.min(end))?.place();
        let (mut byte, mut feeds) = (start.byte, start.feeds);
        let mut found = Found::default();
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let filled = self.fill(&mut block, byte, end)?;
            let text = &block[..filled];
            let is_last = byte + size(text) >= end;
            let searched = match memchr::memrchr(b'\n', text) {
                _ if is_last => filled,
                Some(feed) => feed + 1,
                // A line without an end in sight: what may have begun in it is looked at again.
                None => filled.saturating_sub(OVERLAP_BYTES).max(1),
            };
            let is_enough = scan(pattern, (text, searched), (byte, feeds), most, &mut found);
            let passed = &text[..searched.min(filled)];
            (byte, feeds) = (byte + size(passed), feeds + lines::count(passed));
            found.is_end = is_last && !is_enough;
            if !is_enough {
                found.next = byte;
            }
            if is_enough || is_last || !go_on() {
                return Ok(found);
            }
        }
    }

    /// Fills the block with the text from `byte` on, to `end` at most; returns how much it is.
    fn fill(&mut self, block: &mut [u8], byte: u64, end: u64) -> io::Result<usize> {
        let most = usize::try_from(end - byte).map_or(block.len(), |left| left.min(block.len()));
        let mut filled = 0;
        while filled < most {
            let place = byte + size(&block[..filled]);
            let got = self.data.read_at(&mut block[filled..most], place)?;
            if got == 0 {
                let why = "the end of the log is missing";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            filled += got;
        }
        Ok(filled)
    }
}

/// Adds the hits that begin in the first `searched` bytes of the text, which begins at this byte
/// and has this many line feeds before it. Returns whether there are enough.
fn scan(
    pattern: &Regex,
    (text, searched): (&[u8], usize),
    (byte, feeds): (u64, u64),
    most: usize,
    found: &mut Found,
) -> bool {
    let (mut at, mut counted, mut feeds) = (0, 0, feeds);
    while at <= searched
        && let Some(hit) = pattern.find_at(text, at)
    {
        if hit.start() >= searched {
            break;
        }
        feeds += lines::count(&text[counted..hit.start()]);
        counted = hit.start();
        let position = |at: usize| byte + size(&text[..at]);
        let line = feeds + 1;
        let is_known = found.hits.last().is_some_and(|last| last.line == line);
        if !is_known && found.hits.len() == most {
            found.next = position(hit.start());
            return true;
        }
        if !is_known {
            found.hits.push(Hit {
                line,
                bytes: position(hit.start())..position(hit.end()),
            });
        }
        match memchr::memchr(b'\n', &text[hit.start()..]) {
            Some(feed) => at = hit.start() + feed + 1,
            None => break,
        }
    }
    false
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Bytes that are searched together.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Bytes of a long line that are looked at twice.
const OVERLAP_BYTES: usize = 4 * 1024;
/// Largest size of a compiled pattern, in bytes.
const PATTERN_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
