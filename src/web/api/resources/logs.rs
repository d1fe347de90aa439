//! Logs of steps: how large, their lines, and what a search finds.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::logs::reader::pattern;
use crate::logs::{Channel, LogReader};
use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::web::address;
use crate::web::api::resource::{Found, List, One, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::pages::first_error;
use crate::web::place::{LogPlace, unreadable};
use crate::web::refusal::Refusal;

pub(in crate::web) const LOG: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/steps/{step}/logs/{log}",
    "A log: how large it is so far, and where it first tells of an error.",
    &[],
    &One(log),
);

pub(in crate::web) const LINES: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/steps/{step}/logs/{log}/lines",
    "Lines of a log from one on, in order; a line of several channels is in several pieces.",
    &[
        Arg::number("from", 1, u64::MAX),
        Arg::word("channel", &["stdout", "stderr", "header"]),
    ],
    &List(lines),
);

pub(in crate::web) const SEARCH: Resource = Resource::new(
    "/api/v1/builders/{builder}/builds/{build}/steps/{step}/logs/{log}/search",
    "The lines of a log that match a text, or a regular expression between slashes.",
    &[
        Arg::text("q"),
        Arg::number("from_byte", 0, u64::MAX),
        Arg::number("limit", 1, 10_000),
    ],
    &One(search),
);

/// Time for a search.
const TIME: Duration = Duration::from_millis(300);

/// Hits, unless `limit` says otherwise.
const HITS: u64 = 1000;

/// A log.
#[derive(Debug, JsonSchema, Serialize)]
struct LogPage {
    /// The builder.
    builder: BuilderName,
    /// The number of the build.
    build: BuildNumber,
    /// The name of the step.
    step: String,
    /// The name of the log.
    name: String,
    /// Bytes of all channels so far.
    bytes: u64,
    /// Lines so far.
    lines: u64,
    /// Whether nothing is added any more.
    complete: bool,
    /// The line that says first what went wrong, if the step has failed.
    first_error: Option<u64>,
    /// Where the text is.
    text: String,
}

/// A piece of a line.
#[derive(Debug, JsonSchema, Serialize)]
struct Piece {
    /// The number of the line, from 1.
    n: u64,
    /// `stdout`, `stderr` or `header`.
    channel: &'static str,
    /// The text; bytes that are not UTF-8 are replaced.
    text: String,
    /// Bytes in the middle of a very long line that are left out.
    left_out: u64,
}

/// What a search has found.
#[derive(Debug, JsonSchema, Serialize)]
struct Hits {
    /// The numbers of the lines.
    lines: Vec<u64>,
    /// Bytes that were searched, from the beginning of the log.
    searched: u64,
    /// Whether all of the log was searched, as far as it is written.
    complete: bool,
    /// The address to search on; null if all was searched.
    next: Option<String>,
}

fn open(state: &State, scene: &Scene) -> Result<(LogPlace, LogReader), Refusal> {
    let place = LogPlace::find(state, &scene.args, scene.moment())?;
    let reader = place.open(state.basedir())?;
    Ok((place, reader))
}

fn log(state: &State, scene: &Scene) -> Result<LogPage, Refusal> {
    let (place, mut reader) = open(state, scene)?;
    let extent = reader.extent().map_err(unreadable)?;
    let first_error = first_error(&mut reader, place.step(), place.log());
    Ok(LogPage {
        builder: place.build.builder.clone(),
        build: place.build.number,
        step: place.step().name.clone(),
        name: place.log().name.clone(),
        bytes: extent.bytes,
        lines: extent.lines,
        complete: !place.is_growing(),
        first_error,
        text: format!("{}/text", place.address()),
    })
}

fn lines(state: &State, scene: &Scene, span: Span) -> Result<Found<Piece>, Refusal> {
    let (_, mut reader) = open(state, scene)?;
    let first = scene.args.number("from");
    let first = first.or(span.after.map(|after| after.saturating_add(1)));
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let window = reader
        .window(first.unwrap_or(1), limit)
        .map_err(unreadable)?;
    let channel = scene.args.text("channel");
    let before = span.before.unwrap_or(u64::MAX);
    let mut items = Vec::new();
    for line in window.lines.iter().filter(|line| line.number < before) {
        let mut begin = 0;
        for piece in &line.pieces {
            let text = line.text.get(begin..piece.end).unwrap_or_default();
            let cut = line.cut.filter(|cut| (begin..piece.end).contains(&cut.at));
            begin = piece.end;
            let name = name(piece.channel);
            if channel.is_none_or(|channel| channel == name) {
                items.push(Piece {
                    n: line.number,
                    channel: name,
                    text: String::from_utf8_lossy(text).into_owned(),
                    left_out: cut.map_or(0, |cut| cut.size_bytes),
                });
            }
        }
    }
    let last = window.lines.last().map(|line| line.number + 1);
    let next = last.filter(|next| !window.is_end && *next < before);
    let total = match span.counts {
        true => Some(reader.extent().map_err(unreadable)?.lines),
        false => None,
    };
    Ok(Found {
        items,
        next: next.map(|next| ("from", next)),
        total,
    })
}

fn search(state: &State, scene: &Scene) -> Result<Hits, Refusal> {
    let (place, mut reader) = open(state, scene)?;
    let asked = scene.args.text("q").unwrap_or_default();
    if asked.is_empty() {
        let sentence = "The argument q is missing: the text to search for.".to_owned();
        return Err(Refusal::Argument { sentence });
    }
    let most = scene.args.number("limit").unwrap_or(HITS);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let from = scene.args.number("from_byte").unwrap_or_default();
    let found = within_time(&mut reader, asked, from, most)?;
    let next = (!found.is_end).then(|| {
        let path = format!("/api/v1{}/search", place.address());
        let from = found.next.to_string();
        address::with_args(&path, &[("q", asked), ("from_byte", &from)])
    });
    Ok(Hits {
        lines: found.hits.iter().map(|hit| hit.line).collect(),
        searched: found.next,
        complete: found.is_end,
        next,
    })
}

fn within_time(
    reader: &mut LogReader,
    asked: &str,
    from: u64,
    most: usize,
) -> Result<crate::logs::reader::Found, Refusal> {
    let pattern = pattern(asked).map_err(|error| Refusal::Argument {
        sentence: format!("The argument q is not a regular expression: {error}."),
    })?;
    let began = Instant::now();
    let mut go_on = || began.elapsed() < TIME;
    let found = reader.search(&pattern, from, most, &mut go_on);
    found.map_err(unreadable)
}

const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Stdout => "stdout",
        Channel::Stderr => "stderr",
        Channel::Header => "header",
    }
}
