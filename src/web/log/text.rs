//! The text of a log, as it was written, for tools.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::blocks::{Block, Blocks, Then, body};
use super::{Asked, Streams};
use crate::logs::reader::Extent;
use crate::logs::{Channel, LogReader, file_name};
use crate::web::answer::{self, TEXT};
use crate::web::args::{Arg, Args};
use crate::web::place::{LogPlace, unreadable};
use crate::web::refusal::Refusal;

/// The address.
pub(in crate::web) const PATH: &str =
    "/builders/{builder}/builds/{build}/steps/{step}/logs/{log}/text";

/// The arguments.
const ARGS: &[Arg] = &[
    Arg::flag("headers"),
    Arg::word("channel", CHANNELS),
    Arg::text("lines"),
    Arg::number("tail", 1, u64::MAX),
];

/// The channels of the argument `channel`.
pub(in crate::web) const CHANNELS: &[&str] = &["stdout", "stderr", "header"];

/// Bytes of a block.
const BLOCK_BYTES: usize = 64 * 1024;

/// The channel of this name.
pub(in crate::web) fn channel(name: &str) -> Option<Channel> {
    let names = CHANNELS.iter().zip(Channel::ALL);
    let mut names = names.filter(|(known, _)| **known == name);
    names.next().map(|(_, channel)| channel)
}

/// Which part of a log is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Part {
    channels: Vec<Channel>,
    lines: Lines,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lines {
    All,
    /// From a line to a line, or without end.
    Range(u64, Option<u64>),
    /// The last ones, and what comes after them.
    Last(u64),
}

impl Part {
    fn of(args: &Args) -> Result<Self, Refusal> {
        let channels = match args.text("channel").and_then(channel) {
            Some(channel) => vec![channel],
            None if args.text("headers") == Some("0") => Channel::OUTPUT.to_vec(),
            None => Channel::ALL.to_vec(),
        };
        let lines = match (args.text("lines"), args.number("tail")) {
            (Some(asked), _) => lines(asked)?,
            (None, Some(last)) => Lines::Last(last),
            (None, None) => Lines::All,
        };
        Ok(Self { channels, lines })
    }

    fn is_all(&self) -> bool {
        self.lines == Lines::All && self.channels == Channel::ALL
    }
}

/// `7-9`, `7-` or `7`.
fn lines(asked: &str) -> Result<Lines, Refusal> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0_u64);
    let parsed = match asked.split_once('-') {
        None => number(asked).map(|line| Lines::Range(line, Some(line))),
        Some((first, "")) => number(first).map(|first| Lines::Range(first, None)),
        Some((first, last)) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| Lines::Range(first, Some(last))),
    };
    parsed.ok_or_else(|| Refusal::Argument {
        sentence: format!(
            "The argument lines is \u{201c}{asked}\u{201d}. It must be a line number or a range \
             such as 7-9 or 7-."
        ),
    })
}

/// A log that was found, and what is to be sent of it.
#[derive(Debug)]
struct Opened {
    path: String,
    file_name: String,
    etag: String,
    is_growing: bool,
    extent: Extent,
    source: Source,
    /// The compressed file, if all of the log is to be sent.
    packed: Option<File>,
}

/// Answers a request for the text of a log.
///
/// # Errors
/// The log does not exist, it cannot be read, or an argument is wrong.
pub(in crate::web) async fn answer(streams: &Streams, asked: Asked) -> Result<Response, Refusal> {
    let place = streams.take(asked.peer)?;
    let args = asked.args(ARGS)?;
    let part = Part::of(&args)?;
    let is_all = part.is_all();
    let range = asked.headers.get(header::RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let range = range.filter(|_| is_all).map(ToOwned::to_owned);
    let moment = streams.moment();
    let state = asked.hidden.in_state(&streams.reader);
    let opened = state.read(move |state| {
        let found = LogPlace::find(state, &args, moment)?;
        Opened::new(state.basedir(), &found, part)
    });
    let mut opened = opened.await?;
    let mut head = opened.head();
    if !opened.is_growing && answer::is_known(&asked.headers, &opened.etag) {
        return Ok(answer::stream(
            StatusCode::NOT_MODIFIED,
            head,
            Body::empty(),
        ));
    }
    let if_range = asked.headers.get(header::IF_RANGE);
    let is_same = if_range.is_none_or(|tag| tag.as_bytes() == opened.etag.as_bytes());
    let range = range.filter(|_| is_same);
    if let Some(range) = range.as_deref().and_then(Range::parse) {
        return opened.part(streams, place, head, range).await;
    }
    let packed = opened.packed.take();
    if let Some(file) = packed.filter(|_| answer::takes_gzip(&asked.headers)) {
        let size = file.metadata().map_err(unreadable)?.len();
        answer::put(&mut head, header::CONTENT_ENCODING, "gzip");
        answer::put(&mut head, header::CONTENT_LENGTH, &size.to_string());
        let raw = Box::new(Raw { file, position: 0 });
        let body = body(streams, &opened.path, place, raw);
        return Ok(answer::stream(StatusCode::OK, head, body));
    }
    if is_all && !opened.is_growing {
        let size = opened.extent.bytes.to_string();
        answer::put(&mut head, header::CONTENT_LENGTH, &size);
    }
    let body = body(streams, &opened.path, place, Box::new(opened.source));
    Ok(answer::stream(StatusCode::OK, head, body))
}

impl Opened {
    fn new(basedir: &std::path::Path, found: &LogPlace, part: Part) -> Result<Self, Refusal> {
        let log = found.log();
        let mut reader = found.open(basedir)?;
        let extent = reader.extent().map_err(unreadable)?;
        let is_growing = found.is_growing();
        let is_packed = part.is_all() && !is_growing;
        let packed = if is_packed { reader.packed() } else { Ok(None) };
        let end = found.step().finished_at.or(found.build.finished_at);
        Ok(Self {
            path: log.path.clone(),
            file_name: file_name(&format!("{}.{}", found.step().name, log.name)),
            etag: format!("\"{:x}-{:x}\"", extent.bytes, end.unwrap_or_default().0),
            is_growing,
            extent,
            packed: packed.map_err(unreadable)?,
            source: Source::new(reader, part, extent),
        })
    }

    /// The headers of every answer about this log.
    fn head(&self) -> HeaderMap {
        let mut head = HeaderMap::new();
        answer::put(&mut head, header::CONTENT_TYPE, TEXT);
        answer::put(
            &mut head,
            header::CONTENT_DISPOSITION,
            &format!("inline; filename=\"{}.txt\"", self.file_name),
        );
        answer::put(
            &mut head,
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        );
        answer::put(&mut head, header::VARY, "Accept-Encoding, Cookie");
        if self.is_growing {
            answer::put(&mut head, header::CACHE_CONTROL, "no-store");
            return head;
        }
        answer::put(&mut head, header::ETAG, &self.etag);
        answer::put(&mut head, header::ACCEPT_RANGES, "bytes");
        let kept = "private, max-age=86400";
        answer::put(&mut head, header::CACHE_CONTROL, kept);
        head
    }

    /// Answers with a range of the bytes. Of a log that grows, it has what is there so far; where
    /// nothing is there yet, the answer waits for it.
    async fn part(
        mut self,
        streams: &Streams,
        place: super::Taken,
        mut head: HeaderMap,
        range: Range,
    ) -> Result<Response, Refusal> {
        let mut size = self.extent.bytes;
        if let Range::From(first, _) = range
            && self.is_growing
            && first == size
        {
            tokio::select! {
                // A master that stops does not wait for a log that grows.
                biased;
                () = streams.tasks.stopping() => {}
                grown = streams.growing.beyond(&self.path, size) => {
                    size = size.max(grown.size_bytes);
                }
            }
        }
        let whole = match self.is_growing {
            true => "*".to_owned(),
            false => size.to_string(),
        };
        let Some((first, end)) = range.within(size) else {
            let unknown = format!("bytes */{size}");
            answer::put(&mut head, header::CONTENT_RANGE, &unknown);
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(answer::stream(status, head, Body::empty()));
        };
        let last = end - 1;
        let sent = format!("bytes {first}-{last}/{whole}");
        answer::put(&mut head, header::CONTENT_RANGE, &sent);
        let length = (end - first).to_string();
        answer::put(&mut head, header::CONTENT_LENGTH, &length);
        self.source.next = Some(first);
        self.source.end = Some(end);
        let body = body(streams, &self.path, place, Box::new(self.source));
        Ok(answer::stream(StatusCode::PARTIAL_CONTENT, head, body))
    }
}

/// A range of bytes that is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Range {
    /// From a byte to a byte (inclusive), or to the end.
    From(u64, Option<u64>),
    /// The last bytes.
    Last(u64),
}

impl Range {
    /// A single range; several at once are not answered as such.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.trim().split_once('-')?;
        match (first, last) {
            ("", last) => last.parse().ok().map(Self::Last),
            (first, "") => Some(Self::From(first.parse().ok()?, None)),
            (first, last) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The first byte and the byte after the last one, of `size` bytes.
    fn within(self, size: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            Self::From(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                (first, end)
            }
            Self::Last(bytes) => (size.saturating_sub(bytes), size),
        };
        (first < end).then_some((first, end))
    }
}

/// The text of a log, block by block.
#[derive(Debug)]
struct Source {
    reader: LogReader,
    channels: Vec<Channel>,
    /// The line with which it begins, as long as the log does not have it.
    first_line: u64,
    /// The next byte; absent as long as the log does not have the first line.
    next: Option<u64>,
    /// The last line, as long as its end is not known.
    last_line: Option<u64>,
    /// The byte before which it ends, once that is known.
    end: Option<u64>,
    seen_bytes: u64,
}

impl Source {
    fn new(reader: LogReader, part: Part, extent: Extent) -> Self {
        let (first_line, last_line) = match part.lines {
            Lines::All => (1, None),
            Lines::Range(first, last) => (first, last),
            Lines::Last(count) => (extent.lines.saturating_sub(count) + 1, None),
        };
        Self {
            reader,
            channels: part.channels,
            first_line,
            next: (first_line == 1).then_some(0),
            last_line,
            end: None,
            seen_bytes: 0,
        }
    }
}

impl Blocks for Source {
    fn next(&mut self, is_closed: bool, _: bool) -> io::Result<Block> {
        let mut bytes = Vec::new();
        let at_end = if is_closed { Then::End } else { Then::Wait };
        if self.next.is_none() {
            self.seen_bytes = self.reader.extent()?.bytes;
            self.next = self.reader.line_start(self.first_line)?;
        }
        let Some(next) = self.next else {
            let then = at_end;
            return Ok(Block { bytes, then });
        };
        if let Some(last) = self.last_line
            && let Some(end) = self.reader.line_start(last + 1)?
        {
            self.end = Some(end);
            self.last_line = None;
        }
        let end = self.end.unwrap_or(u64::MAX);
        let most = BLOCK_BYTES;
        let after = (self.reader).read_block(next..end, &self.channels, most, &mut bytes)?;
        self.next = Some(after);
        self.seen_bytes = after;
        let then = match after {
            _ if after >= end => Then::End,
            _ if after == next => at_end,
            _ => Then::More,
        };
        Ok(Block { bytes, then })
    }

    fn seen_bytes(&self) -> u64 {
        self.seen_bytes
    }
}

/// A file as it is.
#[derive(Debug)]
struct Raw {
    file: File,
    position: u64,
}

impl Blocks for Raw {
    fn next(&mut self, _: bool, _: bool) -> io::Result<Block> {
        let mut bytes = vec![0; BLOCK_BYTES];
        let got = self.file.read_at(&mut bytes, self.position)?;
        bytes.truncate(got);
        self.position += u64::try_from(got).unwrap_or_default();
        let then = if got == 0 { Then::End } else { Then::More };
        Ok(Block { bytes, then })
    }

    fn seen_bytes(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests;
