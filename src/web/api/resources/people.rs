//! People, and what they did.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{missing, time};
use crate::model::{Action, Person};
use crate::store::State;
use crate::store::read::AuditFilter;
use crate::view::{self, Audit};
use crate::web::api::resource::{All, Found, List, One, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const USERS: Resource = Resource::new(
    "/api/v1/users",
    "The people of the register, by name.",
    &[],
    &All(users),
)
.only_for(Action::Users);

pub(in crate::web) const USER: Resource = Resource::new(
    "/api/v1/users/{user}",
    "Somebody in the register.",
    &[],
    &One(user),
)
.only_for(Action::Users);

pub(in crate::web) const AUDIT: Resource = Resource::new(
    "/api/v1/audit",
    "Who did what, or was refused, the newest first.",
    &[Arg::text("who"), Arg::text("action"), Arg::text("since")],
    &List(audit),
)
.only_for(Action::Audit);

/// Somebody in the register.
#[derive(Debug, JsonSchema, Serialize)]
struct User {
    /// The name.
    name: String,
    /// The roles, which permissions name.
    roles: BTreeSet<String>,
    /// What else is known: mail addresses, and authors of changes by version control system.
    attributes: Vec<Attribute>,
}

/// Something that is known of somebody.
#[derive(Debug, JsonSchema, Serialize)]
struct Attribute {
    /// The kind: `email`, `git` and so on.
    kind: String,
    /// The value.
    value: String,
}

impl From<Person> for User {
    fn from(person: Person) -> Self {
        let attributes = person.attributes.into_iter().map(|attribute| Attribute {
            kind: attribute.kind.name().to_owned(),
            value: attribute.value,
        });
        Self {
            name: person.name,
            roles: person.roles.into_iter().collect(),
            attributes: attributes.collect(),
        }
    }
}

fn users(state: &State, scene: &Scene) -> Result<Vec<User>, Refusal> {
    let register = view::register_at(state, &scene.config, scene.now)?;
    Ok(register.iter().cloned().map(User::from).collect())
}

fn user(state: &State, scene: &Scene) -> Result<User, Refusal> {
    let asked = scene.args.part("user");
    let register = view::register_at(state, &scene.config, scene.now)?;
    let names = || register.iter().map(|person| person.name.as_str());
    let person = register.get(asked).cloned();
    person
        .map(User::from)
        .ok_or_else(|| missing("user", asked, names()))
}

fn audit(state: &State, scene: &Scene, span: Span) -> Result<Found<Audit>, Refusal> {
    let action = scene.args.text("action");
    let wanted = Action::ALL
        .into_iter()
        .find(|known| Some(known.name()) == action);
    if let (Some(asked), None) = (action, wanted) {
        return Err(missing(
            "permission",
            asked,
            Action::ALL.iter().map(|known| known.name()),
        ));
    }
    let filter = AuditFilter {
        who: scene.args.text("who").map(ToOwned::to_owned),
        action: wanted,
        since: time(scene, "since")?,
        before: span.before,
    };
    let limit = u64::from(span.limit);
    let mut rows = state.audit(&filter, limit + 1)?;
    rows.retain(|row| span.after.is_none_or(|after| row.number > after));
    let has_more = u64::try_from(rows.len()).unwrap_or(u64::MAX) > limit;
    rows.truncate(usize::try_from(span.limit).unwrap_or(usize::MAX));
    let next = rows.last().map(|row| row.number).filter(|_| has_more);
    Ok(Found {
        items: rows.into_iter().map(Audit::from).collect(),
        next: next.map(|next| ("before", next)),
        total: None,
    })
}
