//! One change: its text and files, its builds, and what each scheduler made of it.

use askama::Template;

use super::common::{
    first_line, links_to, not_found, number_of, outcome, pill_of_builder, properties,
};
use crate::model::ChangeNumber;
use crate::store::State;
use crate::view::{Brief, ChangePage, RequestState};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Pill, Time, Tone, person, revision, took};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/changes/{change}",
    args: &[],
    permission: Permission::View,
    topics: &["change"],
    api: Some("/api/v1/changes/{change}"),
    place: Place::Below("Changes"),
    show,
};

/// Maximum number of files on the page.
const FILES: usize = 500;

#[derive(Debug, Template)]
#[template(path = "change.html", config = "src/web/askama.toml")]
struct Contents {
    number: ChangeNumber,
    title: String,
    text: String,
    who: Link,
    when: Time,
    arrived: Time,
    revision: Option<Link>,
    revlink: Option<String>,
    notes: Vec<String>,
    branch: Option<String>,
    repository: String,
    project: String,
    category: Option<String>,
    /// Who cares for the files.
    owners: Vec<Link>,
    files: Vec<String>,
    more_files: u64,
    builds: Vec<Build>,
    waiting: Vec<(Link, Link)>,
    verdicts: Option<Vec<Verdict>>,
    properties: Vec<(String, String, String)>,
}

#[derive(Debug)]
struct Build {
    pill: Pill,
    text: String,
    took: String,
    started: Time,
}

#[derive(Debug)]
struct Verdict {
    scheduler: Link,
    counts: bool,
    why: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let number = ChangeNumber(number_of(scene, "change", "change")?);
    let Some(page) = ChangePage::find(state, number, &scene.live)? else {
        if state.was_change(number)? {
            return Err(Refusal::Gone {
                sentence: format!("Change {number} was removed (change_horizon)."),
            });
        }
        return Err(not_found("change", &number.to_string()));
    };
    let change = &page.change;
    let mut builds = Brief::of_change(state, number)?;
    // What is wrong is seen first, of however many builds.
    builds.sort_by_key(|build| outcome(build).tone() == Tone::Ok);
    let runs = builds.iter().any(|build| build.result.is_none());
    let waits = page.requests.iter().filter(|request| {
        matches!(
            request.state,
            RequestState::Pending | RequestState::Starting
        )
    });
    let title = first_line(&change.comments);
    let files = change.files.iter().take(FILES);
    let left_out = change.files.len().saturating_sub(FILES);
    let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
    let contents = Contents {
        number,
        text: change.comments.clone(),
        who: person(&change.who),
        when: scene.second(change.when),
        arrived: scene.second(change.arrived_at),
        revision: change.revision.as_deref().map(revision),
        notes: change.notes.clone(),
        revlink: address::outside(&change.revlink).map(str::to_owned),
        branch: change.branch.clone(),
        repository: change.repository.clone(),
        project: change.project.clone(),
        category: change.category.clone(),
        owners: links_to(
            scene
                .config
                .owners_of_files(&change.files, &change.repository),
        ),
        files: files.cloned().collect(),
        more_files: change.files_left_out.saturating_add(left_out),
        builds: builds
            .iter()
            .map(|build| Build {
                pill: pill_of_builder(build),
                text: build.text.join(" "),
                took: build.took.map_or_else(String::new, took),
                started: scene.time(build.started_at),
            })
            .collect(),
        waiting: waits
            .map(|request| {
                let builder = &request.builder;
                let id = request.id.to_string();
                (
                    Link::to(builder.as_str(), &address::builder(builder)),
                    Link::to(&id, &address::request(request.id)),
                )
            })
            .collect(),
        verdicts: page.schedulers.as_ref().map(|all| {
            let all = all.iter().map(|verdict| Verdict {
                scheduler: Link::to(
                    verdict.scheduler.as_str(),
                    &address::scheduler(&verdict.scheduler),
                ),
                counts: verdict.counts,
                why: scene.with_local_times(&verdict.why),
            });
            all.collect()
        }),
        properties: properties(&change.properties),
        title: title.clone(),
    };
    let shown = Shown::new(format!("Change {number}: {title}"), &contents)?;
    Ok(shown.running(runs))
}
