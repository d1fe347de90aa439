//! Changes.

use schemars::JsonSchema;
use serde::Serialize;

use super::{includes, missing, number, time};
use crate::model::{ChangeNumber, Judgement, Results};
use crate::store::State;
use crate::view::{self, Brief, Change};
use crate::web::api::resource::{Found, List, One, Part, Resource, Span};
use crate::web::args::Arg;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

pub(in crate::web) const ALL: Resource = Resource::new(
    "/api/v1/changes",
    "Changes, the newest first.",
    &[
        Arg::text("branch"),
        Arg::text("name"),
        Arg::text("file"),
        Arg::text("project"),
        Arg::text("repository"),
        Arg::text("codebase"),
        Arg::text("category"),
        Arg::text("revision"),
        Arg::text("q"),
        Arg::text("since"),
        Arg::text("until"),
    ],
    &List(all),
);

pub(in crate::web) const ONE: Resource = Resource::new(
    "/api/v1/changes/{change}",
    "A change, what each scheduler decided about it and why, and what became of it.",
    &[],
    &One(one),
)
.with(&[Part {
    name: "builds",
    path: "/api/v1/changes/{number}?include=builds",
}]);

/// How many changes are looked through for those that pass the filters.
const LOOKED_THROUGH: u32 = 2000;

/// A change with what became of it.
#[derive(Debug, JsonSchema, Serialize)]
struct ChangePage {
    #[serde(flatten)]
    page: view::ChangePage,
    /// The builds that began to fail with it, or with it and others.
    began: Vec<Brief>,
    /// The builds that were good again with it, or with it and others.
    fixed: Vec<Brief>,
    /// The builds that it is in.
    builds: Option<Vec<Brief>>,
}

fn all(state: &State, scene: &Scene, span: Span) -> Result<Found<Change>, Refusal> {
    let args = &scene.args;
    let (since, until) = (time(scene, "since")?, time(scene, "until")?);
    let query = args.text("q").unwrap_or_default().to_lowercase();
    let is = |name: &str, value: &str| {
        let wanted = args.all(name);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let passes = |change: &Change| {
        let files = args.all("file");
        is("branch", change.branch.as_deref().unwrap_or_default())
            && is("name", &change.who)
            && is("project", &change.project)
            && is("repository", &change.repository)
            && is("codebase", &change.codebase)
            && is("category", change.category.as_deref().unwrap_or_default())
            && is("revision", change.revision.as_deref().unwrap_or_default())
            && (files.is_empty() || files.iter().any(|file| change.files.contains(file)))
            && since.is_none_or(|since| change.arrived_at >= since)
            && until.is_none_or(|until| change.arrived_at < until)
            && has(change, &query)
    };
    let limit = usize::try_from(span.limit).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut last = None;
    let rows = state.changes_between(span.between(), LOOKED_THROUGH)?;
    let is_cut = rows.len() == usize::try_from(LOOKED_THROUGH).unwrap_or(usize::MAX);
    let mut rows = rows.iter().peekable();
    for row in rows.by_ref() {
        let change = Change::from(row);
        last = Some(row.number.0);
        if passes(&change) {
            items.push(change);
        }
        if items.len() == limit {
            break;
        }
    }
    let has_more = rows.peek().is_some() || is_cut;
    Ok(Found {
        items,
        next: last.filter(|_| has_more).map(|last| ("before", last)),
        total: None,
    })
}

fn has(change: &Change, query: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(query);
    has(&change.comments) || has(&change.who) || change.files.iter().any(|file| has(file))
}

fn one(state: &State, scene: &Scene) -> Result<ChangePage, Refusal> {
    let asked = number(scene, "change", "change")?;
    let number = ChangeNumber(asked);
    let page = view::ChangePage::find(state, number, &scene.live)?;
    let page = page.ok_or_else(|| missing("change", &asked.to_string(), []))?;
    let builds = Brief::of_change(state, number)?;
    let having = |news, is_failure| -> Vec<_> {
        let builds = builds.iter().filter(|build| {
            let failed = build.result == Some(Results::Failure);
            build.news == Some(news) && failed == is_failure
        });
        builds.cloned().collect()
    };
    Ok(ChangePage {
        page,
        began: having(Judgement::New, true),
        fixed: having(Judgement::Fixed, false),
        builds: includes(scene, "builds").then_some(builds),
    })
}
