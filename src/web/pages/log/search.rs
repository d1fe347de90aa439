//! What a page says of a search in its log.

use std::time::Duration;

use crate::logs::reader::{Extent, Found};
use crate::text::size;
use crate::web::address;
use crate::web::args::Args;

/// What was found, in words and as links.
#[derive(Debug)]
pub(super) struct Search {
    /// `hit 3 of 12`.
    pub(super) says: String,
    /// The hit before.
    pub(super) before: Option<String>,
    /// The next hit.
    pub(super) next: Option<String>,
    /// Where to search on, if not all was searched, and how much was.
    pub(super) go_on: Option<(String, String)>,
}

/// Time for a search in one request.
pub(super) const TIME: Duration = Duration::from_millis(300);

/// Lines with hits that are counted.
pub(super) const MOST_HITS: usize = 10_000;

/// What is said of a search; the page shows the `chosen` line, or begins with line `first`.
pub(super) fn searched(
    page: &str,
    args: &Args,
    found: &Found,
    extent: Extent,
    chosen: Option<(u64, u64)>,
    first: u64,
) -> Search {
    let at = chosen.map_or(first, |(line, _)| line);
    let hits = &found.hits;
    let position = hits.partition_point(|hit| hit.line < at);
    let to = |hit: usize| {
        let line = hits.get(hit)?.line;
        let href = link(page, args, &[("line", line.to_string())]);
        Some(format!("{href}#L{line}"))
    };
    let is_here = hits.get(position).is_some_and(|hit| hit.line == at);
    let count = hits.len();
    let so_far = if found.is_end { "" } else { " so far" };
    let says = match (count, is_here) {
        (0, _) => format!("not found{so_far}"),
        (_, true) => format!("hit {} of {count}{so_far}", position + 1),
        (1, false) => format!("1 hit{so_far}"),
        (_, false) => format!("{count} hits{so_far}"),
    };
    let go_on = (!found.is_end).then(|| {
        let after = found.next.to_string();
        let q = args.text("q").unwrap_or_default().to_owned();
        let href = address::with_args(page, &[("q", q), ("after", after)]);
        let done = format!("searched {} of {}", size(found.next), size(extent.bytes));
        (href, done)
    });
    Search {
        says,
        before: position.checked_sub(1).and_then(to),
        next: to(if is_here { position + 1 } else { position }),
        go_on,
    }
}

/// The page with the search and the channel of now, and other arguments.
pub(super) fn link(page: &str, args: &Args, others: &[(&str, String)]) -> String {
    let kept = ["q", "channel", "wrap", "raw", "after"];
    let kept = kept.iter().filter_map(|name| {
        let value = args.text(name)?.to_owned();
        Some((*name, value))
    });
    let mut all: Vec<_> = kept.collect();
    all.extend_from_slice(others);
    address::with_args(page, &all)
}
