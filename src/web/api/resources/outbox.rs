//! Letters of the outbox.

use crate::model::{Action, LetterId};
use crate::store::State;
use crate::store::read::LetterFilter;
use crate::view::Letter;
use crate::web::api::resource::{Found, List, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const OUTBOX: Resource = Resource::new(
    "/api/v1/outbox",
    "What the master has to tell people and programs, and what it could not tell, the newest \
     first. Letters that were delivered or dropped too with state=all.",
    &[Arg::word("state", &["open", "all"]), Arg::text("target")],
    &List(letters),
)
.only_for(Action::Outbox);

fn letters(state: &State, scene: &Scene, span: Span) -> Result<Found<Letter>, Refusal> {
    let wanted = LetterFilter {
        states: LetterFilter::states_of(scene.args.text("state") == Some("all")),
        target: scene.args.text("target").map(ToOwned::to_owned),
        since: None,
        before: span.before.map(LetterId),
    };
    let rows = state.letters(&wanted, span.read())?;
    Ok(span.page(rows, |row| row.id.0, Letter::from))
}
