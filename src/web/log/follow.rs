//! The lines of a log as events, for pages that follow it.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::blocks::{Block, Blocks, Then, body};
use super::{Asked, Streams, as_it_comes};
use crate::logs::LogReader;
use crate::web::answer;
use crate::web::args::Arg;
use crate::web::parts::{Look, Rows};
use crate::web::refusal::Refusal;

/// The address.
pub(in crate::web) const PATH: &str =
    "/builders/{builder}/builds/{build}/steps/{step}/logs/{log}/follow";

/// The arguments: the last line that the page has.
const ARGS: &[Arg] = &[Arg::number("line", 0, u64::MAX)];

/// Lines of one event.
const MOST_LINES: usize = 500;

/// A reader who lacks more lines than this gets the last ones, and a link in place of the others.
const BEHIND: u64 = 5_000;

/// How long a line without its end waits before it is shown.
const UNFINISHED: Duration = Duration::from_secs(1);

/// How long a stream may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// Answers a request to follow a log.
///
/// # Errors
/// The log does not exist, or it cannot be read.
pub(in crate::web) async fn answer(streams: &Streams, asked: Asked) -> Result<Response, Refusal> {
    let place = streams.take(asked.peer)?;
    let args = asked.args(ARGS)?;
    let last = asked.headers.get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
    let line = args.number("line").max(last).unwrap_or_default();
    let (path, address, reader) = streams.open(&asked.hidden, args).await?;
    let events = Events {
        reader,
        address,
        line,
        unfinished: None,
        seen_bytes: 0,
        has_begun: false,
    };
    let mut head = HeaderMap::new();
    answer::put(&mut head, header::CONTENT_TYPE, "text/event-stream");
    as_it_comes(&mut head);
    let body = body(streams, &path, place, Box::new(events));
    Ok(answer::stream(StatusCode::OK, head, body))
}

/// The events of a log.
#[derive(Debug)]
struct Events {
    reader: LogReader,
    address: String,
    /// The last whole line that was sent.
    line: u64,
    /// The line after it, which has no end yet: its size, and whether it was sent.
    unfinished: Option<(u64, bool)>,
    seen_bytes: u64,
    has_begun: bool,
}

impl Blocks for Events {
    fn next(&mut self, is_closed: bool, is_quiet: bool) -> io::Result<Block> {
        let mut out = String::new();
        if !self.has_begun {
            self.has_begun = true;
            out += "retry: 2000\n\n";
        }
        let mut rows = Rows::default();
        let before = self.line;
        self.catch_up(&mut rows)?;
        let window = self.reader.window(self.line + 1, MOST_LINES)?;
        let address = self.address.clone();
        let look = Look::new(&address);
        let mut rest = None;
        for line in &window.lines {
            self.seen_bytes = line.end();
            if line.is_whole || is_closed {
                rows.push(line, &look);
                self.line = line.number;
            } else {
                rest = Some(line);
            }
        }
        self.unfinished = match rest {
            None => None,
            Some(line) => {
                let size = line.end() - line.byte;
                let was_sent = self.unfinished == Some((size, true));
                if is_quiet && !was_sent {
                    rows.push(line, &look);
                }
                Some((size, is_quiet || was_sent))
            }
        };
        if rows.size_bytes() > 0 {
            event(&mut out, self.line, &rows.to_string());
        } else if is_quiet && before == self.line {
            out += ":\n\n";
        }
        let is_end = is_closed && window.is_end;
        if is_end {
            out += "event: end\ndata:\n\n";
        }
        Ok(Block {
            bytes: out.into_bytes(),
            // Where more is there already, the wait is short.
            then: if is_end { Then::End } else { Then::Wait },
        })
    }

    fn seen_bytes(&self) -> u64 {
        self.seen_bytes
    }

    fn patience(&self) -> Option<Duration> {
        match self.unfinished {
            Some((_, false)) => Some(UNFINISHED),
            Some((_, true)) | None => Some(SILENCE),
        }
    }
}

impl Events {
    /// Leaves out lines if there are too many of them.
    fn catch_up(&mut self, rows: &mut Rows) -> io::Result<()> {
        let lines = self.reader.extent()?.lines;
        if lines <= self.line.saturating_add(BEHIND) {
            return Ok(());
        }
        let first = self.line + 1;
        let last = lines - u64::try_from(MOST_LINES).unwrap_or_default();
        let text = format!("{} lines between", last - self.line);
        rows.skip(&text, &format!("{}?from={first}", self.address));
        self.line = last;
        Ok(())
    }
}

/// Appends an event with this number.
fn event(out: &mut String, number: u64, data: &str) {
    let written = writeln!(out, "id: {number}");
    written.expect("writing to a string cannot fail");
    for line in data.split('\n') {
        let written = writeln!(out, "data: {line}");
        written.expect("writing to a string cannot fail");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use crate::logs::Channel::Stdout;
    use crate::model::Results;
    use crate::web::testing::{Farm, ago};

    fn follow(lines: usize, from: &str) -> String {
        let mut farm = Farm::new();
        let build = farm.start("linux", 0, Vec::new(), ago(1_000));
        farm.finish(build, Results::Success, ago(900));
        let text: String = (1..=lines).map(|n| format!("<{n}>\n")).collect();
        farm.step_log(
            "builders/b/0/0-test/stdio",
            &[(Stdout, text.as_bytes())],
            true,
        );
        let log = "/builders/linux/builds/0/steps/test/logs/stdio";
        farm.get(&format!("{log}/follow?line={from}")).text
    }

    #[test]
    fn the_events_have_the_lines_that_the_page_lacks_and_the_end() {
        let events = follow(3, "1");
        let href = "/builders/linux/builds/0/steps/test/logs/stdio?line";
        let row = |n: u32| {
            format!(
                "data: <span class=\"l\" id=\"L{n}\"><a href=\"{href}={n}#L{n}\">{n}</a>&#60;{n}&#62;\n\
                 data: </span>"
            )
        };
        let joined = row(2) + &row(3).replacen("data: ", "", 1);
        let expected = format!("retry: 2000\n\nid: 3\n{joined}\n\nevent: end\ndata:\n\n");
        assert_eq!(events, expected);
    }

    #[test]
    fn who_is_far_behind_gets_a_link_and_the_last_lines() {
        let events = follow(6_000, "10");
        assert!(events.contains("?from=11\">5490 lines between</a>"));
        assert_eq!(events.matches("<span class=\"l\"").count(), 500);
        assert!(events.contains("id: 6000\n"));
        let all = follow(4_000, "0");
        assert_eq!(all.matches("<span class=\"l\"").count(), 4_000);
    }
}
