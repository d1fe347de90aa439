//! The table of resources. The routes, the checks of arguments and the OpenAPI document come from
//! it.

use schemars::JsonSchema;
use serde::Serialize;

use super::resource::{One, Resource};
use super::resources::{
    builders, builds, change_sources, changes, logs, master, outbox, people, problems, queue,
    schedulers, searches, slaves, sources, tests as test_results,
};
use crate::store::State;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

const INDEX: Resource = Resource::new(super::PATH, "The resources of the API.", &[], &One(index));

/// All resources that are read.
pub(in crate::web) const RESOURCES: &[&Resource] = &[
    &INDEX,
    &master::SUMMARY,
    &master::MASTER,
    &builders::ALL,
    &builders::ONE,
    &builds::OF_ALL,
    &builds::OF_BUILDER,
    &builds::ONE,
    &builds::STEPS,
    &builds::STEP,
    &test_results::OF_BUILD,
    &test_results::OF_BUILDER,
    &test_results::ONE,
    &logs::LOG,
    &logs::LINES,
    &logs::SEARCH,
    &changes::ALL,
    &changes::ONE,
    &queue::SET,
    &sources::REVISION,
    &sources::SEARCH,
    &queue::TRY,
    &outbox::OUTBOX,
    &problems::PROBLEMS,
    &problems::PROBLEM,
    &searches::SEARCHES,
    &searches::SEARCH,
    &queue::REQUESTS,
    &queue::REQUEST,
    &queue::WHY,
    &queue::LOCKS,
    &slaves::ALL,
    &slaves::ONE,
    &slaves::VISITS,
    &slaves::LOGINS,
    &schedulers::ALL,
    &schedulers::ONE,
    &schedulers::NEXT,
    &change_sources::ALL,
    &people::USERS,
    &people::USER,
    &people::AUDIT,
];

/// What there is.
#[derive(Debug, JsonSchema, Serialize)]
struct Index {
    /// The resources.
    resources: Vec<Entry>,
    /// What happens, as a stream.
    events: &'static str,
    /// The document that describes all of this.
    openapi: &'static str,
}

/// A resource.
#[derive(Debug, JsonSchema, Serialize)]
struct Entry {
    /// Its address, with `{name}` for each variable part.
    path: &'static str,
    /// What it is, in a sentence.
    about: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "as all answers")]
fn index(_: &State, _: &Scene) -> Result<Index, Refusal> {
    let entry = |resource: &&Resource| Entry {
        path: resource.path,
        about: resource.about,
    };
    Ok(Index {
        resources: RESOURCES.iter().map(entry).collect(),
        events: super::events::PATH,
        openapi: "/api/v1/openapi.json",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::table::PAGES;

    #[test]
    fn each_twin_of_a_page_is_there() {
        let known: BTreeSet<_> = RESOURCES.iter().map(|resource| resource.path).collect();
        assert_eq!(known.len(), RESOURCES.len(), "an address is there twice");
        for page in PAGES {
            let is_there = page.api.is_none_or(|twin| known.contains(twin));
            assert!(is_there, "{}: {:?}", page.path, page.api);
        }
    }

    #[test]
    fn arguments_are_there_once() {
        for resource in RESOURCES {
            let mut names = BTreeSet::new();
            for arg in resource.all_args() {
                for name in arg.also.iter().chain([&arg.name]) {
                    assert!(names.insert(*name), "{}: {name} twice", resource.path);
                }
            }
        }
    }
}
