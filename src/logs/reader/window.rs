//! Some lines of a log, from any line on.

use std::io;

use super::LogReader;
use super::cursor::Cursor;
use crate::logs::Channel;
use crate::text::sgr::{Scanner, Style};

/// Lines of a log that follow each other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// The lines.
    pub lines: Vec<Line>,
    /// Whether the log has nothing after them so far.
    pub is_end: bool,
}

/// A line of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Its number, from 1, counted over all channels.
    pub number: u64,
    /// The position of its first byte in the text of the log.
    pub byte: u64,
    /// The style in force at its beginning.
    pub style: Style,
    /// Its bytes, without the line feed; of a very long line the first and the last ones.
    pub text: Vec<u8>,
    /// The channels of the text, in order.
    pub pieces: Vec<Piece>,
    /// What the text lacks of a very long line.
    pub cut: Option<Cut>,
    /// Whether a line feed ends it. Only the last line of a log may have none; it may still grow.
    pub is_whole: bool,
}

/// A piece of a line that is of one channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The channel.
    pub channel: Channel,
    /// Where it ends in the text of the line, in bytes. It begins where the one before ends.
    pub end: usize,
}

/// A gap in the text of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    /// Where the gap is in the text, in bytes.
    pub at: usize,
    /// Bytes of the line that are left out there.
    pub size_bytes: u64,
}

/// How much of a log there is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extent {
    /// Bytes of all channels.
    pub bytes: u64,
    /// Lines; text after the last line feed is a line, too.
    pub lines: u64,
}

impl LogReader {
    /// At most `most` lines from line `first` (from 1) on. They are fewer at the end of the log,
    /// and if they are long: the window ends with the line with which it has 512 KiB of text. Of a
    /// line of more than 32 KiB the middle is left out.
    ///
    /// Reads three pieces of the log's files, wherever the window is, and in a log of whatever
    /// size; more only for long lines, and for text that the index of lines lacks.
    ///
    /// # Errors
    /// Reading failed.
    pub fn window(&mut self, first: u64, most: usize) -> io::Result<Window> {
        let mut window = Window::default();
        let Some(mut cursor) = self.seek_line(first)? else {
            window.is_end = true;
            return Ok(window);
        };
        let mut size = 0;
        while window.lines.len() < most && size < WINDOW_BYTES {
            let line = self.line(&mut cursor)?;
            if line.byte == cursor.byte() {
                break;
            }
            size += line.text.len();
            let is_whole = line.is_whole;
            window.lines.push(line);
            if !is_whole {
                break;
            }
        }
        window.is_end = self.pass(&mut cursor, |_, _| 0)?.is_none();
        Ok(window)
    }

    /// How many bytes and lines the log has so far.
    ///
    /// # Errors
    /// Reading failed.
    pub fn extent(&mut self) -> io::Result<Extent> {
        let bytes = self.end()?;
        let feeds = self.seek_byte(bytes)?.place().feeds;
        let mut last = [b'\n'];
        if let Some(before) = bytes.checked_sub(1) {
            self.data.read_at(&mut last, before)?;
        }
        let lines = feeds + u64::from(last != [b'\n']);
        Ok(Extent { bytes, lines })
    }

    /// The number of the line that has this byte of the text (from 0).
    ///
    /// # Errors
    /// Reading failed.
    pub fn line_at(&mut self, byte: u64) -> io::Result<u64> {
        Ok(self.seek_byte(byte)?.place().feeds + 1)
    }

    /// The position of the first byte of line `number` (from 1); for the line after the last one,
    /// the end of the log. Nothing if the log is shorter.
    ///
    /// # Errors
    /// Reading failed.
    pub fn line_start(&mut self, number: u64) -> io::Result<Option<u64>> {
        let cursor = self.seek_line(number)?;
        Ok(cursor.map(|cursor| cursor.byte()))
    }

    /// Reads the line that begins at the cursor, and goes behind it. At the end of the log it is
    /// empty.
    fn line(&mut self, cursor: &mut Cursor) -> io::Result<Line> {
        let place = cursor.place();
        let mut line = Line {
            number: place.feeds + 1,
            byte: place.byte,
            style: place.style,
            text: Vec::new(),
            pieces: Vec::new(),
            cut: None,
            is_whole: false,
        };
        while !line.is_whole {
            let room = HEAD_BYTES - line.text.len();
            if room == 0 {
                self.end_of_line(cursor, &mut line)?;
                break;
            }
            let take = |channel, bytes: &[u8]| line.take(channel, bytes, room);
            if self.pass(cursor, take)?.is_none() {
                break;
            }
        }
        Ok(line)
    }

    /// Leaves out the middle of a long line, and reads its end.
    fn end_of_line(&mut self, cursor: &mut Cursor, line: &mut Line) -> io::Result<()> {
        let after = match self.seek_line(line.number + 1)? {
            Some(next) => next.byte(),
            None => self.end()?,
        };
        let tail = after.saturating_sub(TAIL_BYTES).max(cursor.byte());
        if tail > cursor.byte() {
            line.cut = Some(Cut {
                at: line.text.len(),
                size_bytes: tail - cursor.byte(),
            });
            *cursor = self.seek_byte(tail)?;
        }
        while cursor.byte() < after {
            let left = usize::try_from(after - cursor.byte()).unwrap_or(usize::MAX);
            let take = |channel, bytes: &[u8]| line.take(channel, bytes, left);
            if self.pass(cursor, take)?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl Line {
    /// The position of the byte after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        let text = u64::try_from(self.text.len()).unwrap_or_default();
        let cut = self.cut.map_or(0, |cut| cut.size_bytes);
        self.byte + text + cut + u64::from(self.is_whole)
    }

    /// The text without control sequences; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut scanner = Scanner::with_style(self.style);
        let seen = self.text.iter().filter(|byte| scanner.push(**byte));
        let seen: Vec<u8> = seen.copied().collect();
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Takes the beginning of `bytes`, to the end of the line, but at most `room` bytes of text.
    /// Returns how many.
    fn take(&mut self, channel: Channel, bytes: &[u8], room: usize) -> usize {
        let bytes = &bytes[..room.min(bytes.len())];
        let feed = memchr::memchr(b'\n', bytes);
        let text = &bytes[..feed.unwrap_or(bytes.len())];
        self.is_whole = feed.is_some();
        if !text.is_empty() {
            self.text.extend_from_slice(text);
            let end = self.text.len();
            match self.pieces.last_mut() {
                Some(last) if last.channel == channel => last.end = end,
                Some(_) | None => self.pieces.push(Piece { channel, end }),
            }
        }
        text.len() + usize::from(self.is_whole)
    }
}

/// Text with which a window ends.
const WINDOW_BYTES: usize = 512 * 1024;
/// Bytes of the beginning of a long line: more than 4096 characters.
const HEAD_BYTES: usize = 16 * 1024;
/// Bytes of the end of a long line, with its line feed: what a progress bar shows at last.
const TAIL_BYTES: u64 = 16 * 1024;

#[cfg(test)]
mod tests;
