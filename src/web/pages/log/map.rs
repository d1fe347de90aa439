//! The map of a long log: where it has standard error, where a search has found something, and
//! which part of it the page shows.

use std::io;

use askama::Template;

use crate::logs::LogReader;
use crate::logs::reader::{Extent, Found, Stretch};
use crate::web::args::Args;

use super::search::link;

/// A log as a drawing of 1000 × 28.
#[derive(Clone, Debug, Eq, PartialEq, Template)]
#[template(
    source = r#"<svg class="map" viewBox="0 0 1000 28" preserveAspectRatio="none" role="group" aria-label="{{ label }}"><rect class="run" x="{{ shown.0 }}" y="0" width="{{ shown.1 }}" height="28" opacity=".25"/>{% for bar in bars %}<rect x="{{ bar.0 }}" y="{{ 28 - bar.1 }}" width="{{ width }}" height="{{ bar.1 }}"/>{% endfor %}{% for hit in hits %}<a class="warn" href="{{ hit.href }}"><title>hit in line {{ hit.line }}</title><rect x="{{ hit.x }}" width="3" height="28"/></a>{% endfor %}</svg>"#,
    ext = "html"
)]
pub(super) struct Map {
    label: String,
    /// Columns with standard error: where, and how high.
    bars: Vec<(u64, u64)>,
    /// The width of a column.
    width: u64,
    hits: Vec<Place>,
    /// Where the part that is shown begins, and how wide it is.
    shown: (u64, u64),
}

impl askama::filters::HtmlSafe for Map {}

/// A line that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    line: u64,
    x: u64,
    href: String,
}

/// Width of the drawing.
const WIDTH: u64 = 1000;
/// Height of the drawing.
const HEIGHT: u64 = 28;
/// Columns of the drawing.
const COLUMNS: u64 = 200;
/// Parts that a log must have to be drawn: those of half a mebibyte.
const FEWEST: usize = 8;
/// Hits that are drawn; with more, some are left out evenly.
const MOST_HITS: usize = 60;

impl Map {
    /// The map of a log of which the page shows the lines `first` to `last`. Nothing for a log that
    /// is not long.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn of(
        reader: &mut LogReader,
        extent: Extent,
        (first, last): (u64, u64),
        found: &Found,
        (page, args): (&str, &Args),
    ) -> io::Result<Option<Self>> {
        let stretches = reader.stretches(COLUMNS)?;
        if stretches.len() < FEWEST {
            return Ok(None);
        }
        let start = reader.line_start(first)?.unwrap_or(extent.bytes);
        let end = reader.line_start(last + 1)?.unwrap_or(extent.bytes);
        let x = |byte: u64| scaled(byte, extent.bytes, WIDTH);
        let every = found.hits.len().div_ceil(MOST_HITS).max(1);
        let hits = found.hits.iter().step_by(every).map(|hit| Place {
            line: hit.line,
            x: x(hit.bytes.start).min(WIDTH - 3),
            href: format!(
                "{}#L{}",
                link(page, args, &[("line", hit.line.to_string())]),
                hit.line
            ),
        });
        let (count, width) = columns(&stretches);
        Ok(Some(Self {
            label: label(&stretches, found),
            bars: bars(&stretches, count),
            width,
            hits: hits.collect(),
            shown: (x(start), x(end).saturating_sub(x(start)).max(3)),
        }))
    }
}

/// What the map shows, in words.
fn label(stretches: &[Stretch], found: &Found) -> String {
    let stderr = stretches.iter().any(|part| part.stderr > 0);
    let stderr = match stderr {
        true => "standard error and the part that is shown",
        false => "the part that is shown",
    };
    match found.hits.len() {
        0 => format!("Map of the log: {stderr}"),
        1 => format!("Map of the log: {stderr}, 1 hit"),
        hits => format!("Map of the log: {stderr}, {hits} hits"),
    }
}

/// How many columns there are, and how wide one is.
fn columns(stretches: &[Stretch]) -> (u64, u64) {
    let count = u64::try_from(stretches.len()).unwrap_or(COLUMNS);
    (count, (WIDTH / count).saturating_sub(1).max(1))
}

/// The columns with standard error. The highest one is as high as the drawing.
fn bars(stretches: &[Stretch], count: u64) -> Vec<(u64, u64)> {
    let share = |part: &Stretch| scaled(part.stderr, part.bytes, 1_000);
    let most = stretches.iter().map(share).max().unwrap_or_default();
    let bars = (0..count).zip(stretches);
    let bars = bars.filter(|(_, part)| part.stderr > 0);
    bars.map(|(at, part)| {
        let height = scaled(share(part), most, HEIGHT).clamp(1, HEIGHT);
        (scaled(at, count, WIDTH), height)
    })
    .collect()
}

/// `part` of `whole`, where `whole` is `size`.
fn scaled(part: u64, whole: u64, size: u64) -> u64 {
    let scaled = u128::from(part.min(whole)) * u128::from(size) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_standard_error_are_drawn_by_their_share() {
        let part = |stderr| Stretch {
            bytes: 1_000,
            stderr,
        };
        let parts = [part(0), part(500), part(5), part(0)];
        assert_eq!(columns(&parts), (4, 249));
        assert_eq!(bars(&parts, 4), [(250, 28), (500, 1)]);
        assert_eq!(bars(&[part(0)], 1), []);
    }
}
