//! `show requests`: what waits, is built or has finished.

use std::io;

use super::fields::heading;
use super::output::Output;
use super::screen::{Screen, colour_of, headline};
use super::source::{Source, configuration_of};
use crate::text::table::{Cell, Colour};
use crate::view::{Queue, Request, RequestState, add_orders};

/// Shows requests: open ones, only `pending` ones, or `all`.
pub(super) fn show(
    source: &Source<'_>,
    out: &mut Output<'_, '_>,
    pending: bool,
    all: bool,
) -> anyhow::Result<()> {
    let (state, live) = (source.state()?, source.live());
    let config = configuration_of(source.basedir);
    let mut requests: Vec<Request> = match all && !pending {
        true => {
            let rows = state.requests_between((None, u64::MAX), out.limit())?;
            rows.into_iter()
                .map(|row| Request::new(row, &live))
                .collect()
        }
        false => {
            let queue = Queue {
                is_pending: pending,
                orders: config.as_ref(),
                ..Queue::default()
            };
            queue.read(state, &live, &source.priorities(&live), out.limit())?
        }
    };
    let waits = |request: &Request| request.state == RequestState::Pending;
    if requests.iter().any(waits)
        && let Some(config) = &config
    {
        add_orders(&mut requests, state, config)?;
    }
    out.print(&requests, page)
}

/// Prints requests.
pub(super) fn page(screen: &mut Screen<'_>, requests: &[Request]) -> io::Result<()> {
    if requests.is_empty() {
        return screen.line("no requests");
    }
    let mut rows = vec![heading(&[
        "request", "builder", "state", "queued", "set", "reason",
    ])];
    for request in requests {
        rows.push(vec![
            Cell::kept(request.id),
            request.builder.as_str().into(),
            state(request),
            screen.moment(request.submitted_at),
            Cell::kept(request.set),
            headline(&request.reason).into(),
        ]);
    }
    screen.table(&rows)
}

/// How far a request is, and how it ended.
pub(super) fn state(request: &Request) -> Cell {
    let with = merged_with(request);
    match (request.state, request.result, request.build) {
        (_, Some(result), _) => {
            let why = request.why.iter().map(|why| format!(", {why}"));
            let why: String = why.collect();
            Cell::coloured(format!("{result}{with}{why}"), colour_of(result))
        }
        (_, None, Some(build)) => Cell::coloured(format!("build {build}{with}"), Colour::Yellow),
        (RequestState::Starting, None, None) => Cell::coloured("starting", Colour::Yellow),
        (RequestState::Pending | RequestState::Building | RequestState::Finished, None, None) => {
            "pending".into()
        }
    }
}

/// What is added for a request that was merged into the build of another one (BRQ-07).
pub(super) fn merged_with(request: &Request) -> String {
    let first = request.merged_into;
    first.map_or_else(String::new, |first| format!(", merged with {first}"))
}
