//! A log: 200 lines of it, a search, and its end while it grows.

use std::time::{Duration, Instant};

use askama::Template;

use super::tail::first_error;
use crate::logs::reader::{Extent, Found, pattern};
use crate::logs::{Channel, LogReader};
use crate::model::Remaining;
use crate::store::State;
use crate::text::size;
use crate::web::address;
use crate::web::args::{Arg, Args};
use crate::web::log::rows::MARK;
use crate::web::log::text::{CHANNELS, channel};
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Look, Mark, Outcome, Rows, Time, span};
use crate::web::place::{LogPlace, unreadable};
use crate::web::refusal::Refusal;

mod map;
mod search;

use map::Map;
use search::{Search, link, searched};

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/builds/{build}/steps/{step}/logs/{log}",
    args: &[
        Arg::text("line"),
        Arg::number("from", 1, u64::MAX),
        Arg::text("q"),
        Arg::word("channel", CHANNELS),
        Arg::flag("wrap"),
        Arg::flag("follow"),
        Arg::flag("raw"),
        Arg::number("after", 0, u64::MAX),
    ],
    permission: Permission::View,
    topics: &["log:{builder}/{build}/{step}/{log}"],
    api: Some("/api/v1/builders/{builder}/builds/{build}/steps/{step}/logs/{log}"),
    place: Place::Below("Builders"),
    show,
};

/// Lines of a window.
const WINDOW: u64 = 200;

/// Lines before the one that is looked for.
const BEFORE: u64 = 73;

/// Lines of the beginning and of the end of a log that grows.
const LIVE: (u64, u64) = (6, 16);

/// Bytes of rows after which a window ends.
const MOST_BYTES: usize = 512 * 1024;

/// Lines that are looked through at most for those of one channel.
const MOST_LOOKED_THROUGH: usize = 20_000;

#[derive(Debug, Template)]
#[template(path = "log.html", config = "src/web/askama.toml")]
struct LogPage {
    place: Crumbs,
    mark: Mark,
    name: String,
    size: String,
    ended: Option<Time>,
    left: Option<String>,
    address: String,
    others: Vec<Link>,
    first_error: Option<String>,
    q: String,
    line: String,
    channel: Option<String>,
    search: Option<Search>,
    first: String,
    before: Option<String>,
    says: String,
    after: Option<String>,
    last: String,
    stop: Option<String>,
    wraps: bool,
    wrap: String,
    /// The last line that is shown, if the script follows the log.
    follow: Option<u64>,
    /// The mark after which rows come as they are written, if the page does not end before the log.
    rows_after: Option<String>,
    /// The address of such a page.
    follow_without_script: String,
    map: Option<Map>,
    rows: Rows,
}

/// The way to a log.
#[derive(Debug)]
struct Crumbs {
    builder: Link,
    build: Link,
    step: Link,
    log: String,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Aim {
    /// Lines, which are marked, with those around them.
    Around(u64, u64),
    /// A window that begins there.
    From(u64),
    /// The last window.
    Last,
    /// The beginning and the end of a log that grows.
    Live,
    /// The end of a log that grows; further rows come as they are written.
    Following,
}

impl Aim {
    fn of(args: &Args, is_growing: bool) -> Result<Self, Refusal> {
        if let Some(asked) = args.text("line") {
            return Self::parse(asked).ok_or_else(|| Refusal::Argument {
                sentence: format!(
                    "The argument line is \u{201c}{asked}\u{201d}. It must be a line number, a \
                     range such as 7-9, or -1 for the last lines."
                ),
            });
        }
        Ok(match args.number("from") {
            Some(from) => Self::From(from),
            None if args.flag("follow") && is_growing => Self::Following,
            None if is_growing && args.text("channel").is_none() => Self::Live,
            None => Self::From(1),
        })
    }

    fn parse(asked: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().filter(|number: &u64| *number > 0);
        match asked.split_once('-') {
            Some(("", "1")) => Some(Self::Last),
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                Some(Self::Around(first.min(last), first.max(last)))
            }
            None => number(asked).map(|line| Self::Around(line, line)),
        }
    }

    /// The first line of the window.
    fn first(self, lines: u64) -> u64 {
        let latest = lines.saturating_sub(WINDOW - 1).max(1);
        match self {
            Self::Around(first, _) => first.saturating_sub(BEFORE).clamp(1, latest),
            Self::From(first) => first.min(lines.max(1)),
            Self::Last | Self::Following => latest,
            Self::Live => 1,
        }
    }
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let args = &scene.args;
    let place = LogPlace::find(state, args, scene.moment())?;
    let address = place.address();
    if args.part("build") == "-1" {
        let (to, for_ever) = (address, false);
        return Err(Refusal::Elsewhere { to, for_ever });
    }
    let mut reader = place.open(state.basedir())?;
    let extent = reader.extent().map_err(unreadable)?;
    let is_growing = place.is_growing();
    let wanted = args.text("q").map(pattern).transpose();
    let wanted = wanted.map_err(|error| Refusal::Argument {
        sentence: wrong_pattern(&error),
    })?;
    let mut aim = Aim::of(args, is_growing)?;
    let found = match &wanted {
        None => Found::default(),
        Some(wanted) => {
            let began = Instant::now();
            let mut go_on = || began.elapsed() < search::TIME;
            let from = args.number("after").unwrap_or_default();
            let found = reader.search(wanted, from, search::MOST_HITS, &mut go_on);
            found.map_err(unreadable)?
        }
    };
    if args.text("line").is_none()
        && args.number("from").is_none()
        && let Some(hit) = found.hits.first()
    {
        aim = Aim::Around(hit.line, hit.line);
    }
    let look = Look {
        pattern: wanted.as_ref(),
        chosen: match aim {
            Aim::Around(first, last) => Some((first, last)),
            Aim::From(_) | Aim::Last | Aim::Live | Aim::Following => None,
        },
        only: args.text("channel").and_then(channel),
        is_raw: args.flag("raw"),
        ..Look::new(&address)
    };
    let lines = Lines::read(&mut reader, aim, extent, &look).map_err(unreadable)?;
    let search = wanted
        .as_ref()
        .map(|_| searched(&address, args, &found, extent, look.chosen, lines.first));
    let map = Map::of(
        &mut reader,
        extent,
        (lines.first, lines.last),
        &found,
        (&address, args),
    );
    let map = map.map_err(unreadable)?;
    let step = place.step();
    let outcome = Outcome::of(step.result, None);
    let title = format!(
        "{}, {} · {} {}",
        step.name,
        place.log().name,
        place.build.builder,
        place.build.number
    );
    let error = first_error(&mut reader, step, place.log());
    let page = LogPage::new(scene, &place, extent, aim, error, (lines, search, map));
    let shown = Shown::new(title, &page)?.of(outcome);
    Ok(shown.running(is_growing).unkept())
}

/// The lines of a page.
#[derive(Debug)]
struct Lines {
    rows: Rows,
    first: u64,
    /// The last line that was looked at.
    last: u64,
    /// The last whole line.
    whole: u64,
    is_end: bool,
}

impl Lines {
    fn read(
        reader: &mut LogReader,
        aim: Aim,
        extent: Extent,
        look: &Look<'_>,
    ) -> std::io::Result<Self> {
        let first = aim.first(extent.lines);
        let mut lines = Self {
            rows: Rows::default(),
            first,
            last: first - 1,
            whole: first - 1,
            is_end: false,
        };
        let (head, tail) = LIVE;
        if aim == Aim::Live && extent.lines > head + tail {
            lines.add(reader, head, aim, look)?;
            let between = extent.lines - head - tail;
            let href = format!("{}?from={}", look.log, head + 1);
            lines.rows.skip(&format!("{between} lines between"), &href);
            lines.last += between;
        }
        lines.add(reader, WINDOW, aim, look)?;
        Ok(lines)
    }

    /// Adds the next `count` lines of the wanted channel.
    fn add(
        &mut self,
        reader: &mut LogReader,
        count: u64,
        aim: Aim,
        look: &Look<'_>,
    ) -> std::io::Result<()> {
        let (mut added, mut looked_at) = (0, 0);
        while added < count && looked_at < MOST_LOOKED_THROUGH && !self.is_end {
            let most = usize::try_from(count - added).unwrap_or(usize::MAX);
            let most = if look.only.is_some() { 1_000 } else { most };
            let window = reader.window(self.last + 1, most)?;
            looked_at += window.lines.len();
            self.is_end = window.is_end || window.lines.is_empty();
            let all = window.lines.len();
            for (at, line) in window.lines.iter().enumerate() {
                if !line.is_whole && aim == Aim::Following {
                    continue;
                }
                self.last = line.number;
                if line.is_whole {
                    self.whole = line.number;
                }
                let has = |only: Channel| line.pieces.iter().any(|piece| piece.channel == only);
                if look.only.is_none_or(has) {
                    self.rows.push(line, look);
                    added += 1;
                }
                if added == count || self.rows.size_bytes() > MOST_BYTES {
                    self.is_end &= at + 1 == all;
                    added = count;
                    break;
                }
            }
        }
        Ok(())
    }
}

impl LogPage {
    fn new(
        scene: &Scene,
        place: &LogPlace,
        extent: Extent,
        aim: Aim,
        error: Option<u64>,
        (lines, search, map): (Lines, Option<Search>, Option<Map>),
    ) -> Self {
        let args = &scene.args;
        let (build, step) = (&place.build, place.step());
        let address = place.address();
        let is_growing = place.is_growing();
        let to = |name: &str, value: String| link(&address, args, &[(name, value)]);
        let logs = step.logs.iter().filter(|log| log.name != place.log().name);
        let of = |log: &str| address::log(&build.builder, build.number, &step.name, log);
        let from = |line: u64| to("from", line.to_string());
        let follows = matches!(aim, Aim::Live | Aim::Following) && is_growing;
        let so_far = if is_growing { " so far" } else { "" };
        Self {
            place: Crumbs {
                builder: Link::to(build.builder.as_str(), &address::builder(&build.builder)),
                build: Link::to(
                    &build.number.to_string(),
                    &address::build(&build.builder, build.number),
                ),
                step: Link::to(
                    &step.name,
                    &address::step(&build.builder, build.number, &step.name),
                ),
                log: place.log().name.clone(),
            },
            mark: Mark::new(Outcome::of(step.result, None)),
            name: format!("{}, {}", step.name, place.log().name),
            size: format!("{} lines{so_far}, {}", extent.lines, size(extent.bytes)),
            ended: step.finished_at.map(|at| scene.time(at)),
            left: step.remaining.and_then(left),
            others: logs
                .map(|log| Link::to(&log.name, &of(&log.name)))
                .collect(),
            first_error: error.map(|line| {
                let args = [("line", line.to_string())];
                format!("{}#L{line}", address::with_args(&address, &args))
            }),
            q: args.text("q").unwrap_or_default().to_owned(),
            line: args.text("line").unwrap_or_default().to_owned(),
            channel: args.text("channel").map(ToOwned::to_owned),
            search,
            first: from(1),
            before: (lines.first > 1).then(|| from(lines.first.saturating_sub(WINDOW).max(1))),
            says: match follows {
                true => "following".to_owned(),
                false if extent.lines == 0 => "empty".to_owned(),
                false => format!("lines {} to {}", lines.first, lines.last),
            },
            after: (!lines.is_end).then(|| from(lines.last + 1)),
            last: to("line", "-1".to_owned()),
            stop: follows.then(|| from(lines.last.saturating_sub(LIVE.1).max(1))),
            wraps: args.flag("wrap"),
            wrap: address::with_args(&address, &[("wrap", "1")]),
            follow: (aim == Aim::Live).then_some(lines.whole),
            rows_after: (aim == Aim::Following).then(|| format!("{}{}-->", MARK, lines.whole)),
            follow_without_script: address::with_args(&address, &[("follow", "1")]),
            map,
            rows: lines.rows,
            address,
        }
    }
}

/// What is wrong with a regular expression.
fn wrong_pattern(error: &impl ToString) -> String {
    let error = error.to_string();
    let why = error.lines().last().unwrap_or_default();
    let why = why.trim_start_matches("error: ");
    format!("The argument q is not a regular expression: {why}.")
}

/// How long a step will still take, in words.
fn left(Remaining(seconds): Remaining) -> Option<String> {
    let left = Duration::try_from_secs_f64(seconds).ok()?;
    Some(format!("about {} left", span(left)))
}

#[cfg(test)]
mod tests;
