//! Culprit searches.

use super::{missing, number};
use crate::model::SearchNumber;
use crate::store::State;
use crate::view::Search;
use crate::web::api::resource::{Found, List, One, Resource, Span};
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const SEARCHES: Resource = Resource::new(
    "/api/v1/searches",
    "The searches for changes that broke something, the newest first.",
    &[],
    &List(searches),
);

pub(in crate::web) const SEARCH: Resource = Resource::new(
    "/api/v1/searches/{search}",
    "A search for the change that broke something: its builds, what they say, and the verdict.",
    &[],
    &One(search),
);

fn searches(state: &State, _: &Scene, span: Span) -> Result<Found<Search>, Refusal> {
    let before = span.before.map(SearchNumber);
    let rows = state.searches(before, span.read())?;
    Ok(span.page(rows, |row| row.record.number.0, Search::from))
}

fn search(state: &State, scene: &Scene) -> Result<Search, Refusal> {
    let asked = number(scene, "search", "search")?;
    let found = state.search(SearchNumber(asked))?.map(Search::from);
    found.ok_or_else(|| missing("search", &asked.to_string(), []))
}
