//! The page of a log that grows, for readers without the script: rows come as they are written, and
//! the page ends when the log does, as in Buildbot 0.8.

use std::io;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::blocks::{Block, Blocks, Then, body};
use super::{Asked, Streams, as_it_comes};
use crate::logs::LogReader;
use crate::web::answer;
use crate::web::parts::{Look, Rows};
use crate::web::refusal::Refusal;

/// Stands in a page where further rows come, before the number of the last line that it has and
/// `-->`. Texts of pages are escaped, so that none looks like it.
pub(in crate::web) const MARK: &str = "<!--rows after ";

/// Lines that are read at once.
const MOST_LINES: usize = 500;

/// How long the page may be silent, and what is sent then.
const SILENCE: Duration = Duration::from_secs(15);
const SIGN_OF_LIFE: &str = "<!-- -->";

/// A page in two parts, between which rows are to come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::web) struct Cut {
    before: Bytes,
    after: Bytes,
    /// The last line that the page has.
    line: u64,
}

impl Cut {
    /// The parts of a page; absent if no rows are to come.
    pub(in crate::web) fn of(html: &Bytes) -> Option<Self> {
        let mark = memchr::memmem::find(html, MARK.as_bytes())?;
        let rest = html.get(mark + MARK.len()..)?;
        let end = memchr::memmem::find(rest, b"-->")?;
        let line = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
        let after = mark + MARK.len() + end + "-->".len();
        Some(Self {
            before: html.slice(..mark),
            after: html.slice(after..),
            line,
        })
    }
}

/// Answers with a page whose rows come as they are written.
///
/// # Errors
/// The log does not exist, or it cannot be read.
pub(in crate::web) async fn answer(
    streams: &Streams,
    asked: Asked,
    cut: Cut,
) -> Result<Response, Refusal> {
    let place = streams.take(asked.peer)?;
    let args = asked.args(&[])?;
    let (path, address, reader) = streams.open(&asked.hidden, args).await?;
    let page = Page {
        reader,
        address,
        line: cut.line,
        before: Some(cut.before),
        after: cut.after,
        seen_bytes: 0,
    };
    let mut head = HeaderMap::new();
    answer::as_page(&mut head);
    as_it_comes(&mut head);
    let body = body(streams, &path, place, Box::new(page));
    Ok(answer::stream(StatusCode::OK, head, body))
}

/// A page that is being sent.
#[derive(Debug)]
struct Page {
    reader: LogReader,
    address: String,
    /// The last line that was sent.
    line: u64,
    /// What was not sent yet of what stands before the rows.
    before: Option<Bytes>,
    after: Bytes,
    seen_bytes: u64,
}

impl Blocks for Page {
    fn next(&mut self, is_closed: bool, is_quiet: bool) -> io::Result<Block> {
        let mut bytes = self.before.take().map_or_else(Vec::new, Vec::from);
        let window = self.reader.window(self.line + 1, MOST_LINES)?;
        let address = self.address.clone();
        let look = Look::new(&address);
        let mut rows = Rows::default();
        for line in &window.lines {
            self.seen_bytes = line.end();
            // What has no end yet is sent when it has one: nothing that was sent can be replaced.
            if line.is_whole || is_closed {
                rows.push(line, &look);
                self.line = line.number;
            }
        }
        bytes.extend_from_slice(rows.to_string().as_bytes());
        if is_quiet && bytes.is_empty() {
            bytes.extend_from_slice(SIGN_OF_LIFE.as_bytes());
        }
        let then = match (window.is_end, is_closed) {
            (true, true) => {
                bytes.extend_from_slice(&self.after);
                Then::End
            }
            (true, false) => Then::Wait,
            (false, _) => Then::More,
        };
        Ok(Block { bytes, then })
    }

    fn seen_bytes(&self) -> u64 {
        self.seen_bytes
    }

    fn patience(&self) -> Option<Duration> {
        Some(SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_where_rows_are_to_come() {
        let html = Bytes::from_static(b"<pre>1\n<!--rows after 17--></pre>");
        let cut = Cut {
            before: Bytes::from_static(b"<pre>1\n"),
            after: Bytes::from_static(b"</pre>"),
            line: 17,
        };
        assert_eq!(Cut::of(&html), Some(cut));
        assert_eq!(Cut::of(&Bytes::from_static(b"<pre></pre>")), None);
    }
}
