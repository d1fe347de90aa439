//! Change sources: whether they work, and what they have brought.

use crate::store::State;
use crate::view::ChangeSource;
use crate::web::api::resource::{All, Resource};
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const ALL: Resource = Resource::new(
    "/api/v1/sources",
    "All change sources, whether they work, and what they have brought.",
    &[],
    &All(all),
);

fn all(state: &State, scene: &Scene) -> Result<Vec<ChangeSource>, Refusal> {
    Ok(ChangeSource::all(
        Some(state),
        &scene.config.change_sources,
    )?)
}
