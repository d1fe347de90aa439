//! One build set: its requests with their builds, its changes and its properties.

use askama::Template;

use super::buttons::Buttons;
use super::common::{ChangeLine, Changes, not_found, number_of};
use crate::model::SetId;
use crate::store::State;
use crate::view::{BuildSetPage, Request, RequestState};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Time, Tone, revision};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/buildsets/{set}",
    args: &[],
    permission: Permission::View,
    topics: &["buildset:{set}"],
    api: Some("/api/v1/buildsets/{set}"),
    place: Place::Below("Queue"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "build_set.html", config = "src/web/askama.toml")]
struct Contents {
    id: SetId,
    outcome: Outcome,
    word: &'static str,
    done: usize,
    requests: Vec<Row>,
    changes: Vec<ChangeLine>,
    scheduler: Option<Link>,
    parent: Option<String>,
    reason: String,
    external_id: Option<String>,
    branch: Option<String>,
    revision: Option<Link>,
    repository: String,
    /// The codebases with their sources, if there are several.
    sources: Vec<(String, String)>,
    is_try: bool,
    submitted: Time,
    finished: Option<Time>,
    properties: Vec<(String, String, String)>,
    buttons: Buttons,
}

#[derive(Debug)]
struct Row {
    id: Link,
    builder: Link,
    build: Option<Pill>,
    word: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let id = SetId(number_of(scene, "build set", "set")?);
    let Some(page) = BuildSetPage::find(state, id, &scene.live)? else {
        if state.was_set(id)? {
            return Err(Refusal::Gone {
                sentence: format!("Build set {id} was removed (build_horizon)."),
            });
        }
        return Err(not_found("build set", &id.to_string()));
    };
    let (set, requests) = (&page.set, &page.requests);
    let done = requests.iter().filter(|request| request.result.is_some());
    let (outcome, word) = match set.result {
        Some(result) => {
            let outcome = Outcome::of(Some(result), None);
            (outcome, outcome.word())
        }
        None => (Outcome::plain(Tone::Run), "in progress"),
    };
    let mut waiting = requests.iter();
    let waiting = waiting.find(|request| request.state == RequestState::Pending);
    let is_single = page.sources.is_empty();
    let sources = page.sources.iter();
    let sources = sources.map(|source| (source.title(), source.to_string()));
    let contents = Contents {
        id,
        outcome,
        word,
        done: done.count(),
        requests: requests.iter().map(row).collect(),
        changes: Changes::default().lines(state, &page.changes)?,
        scheduler: set
            .scheduler
            .as_ref()
            .map(|name| Link::to(name.as_str(), &address::scheduler(name))),
        parent: set.parent.clone(),
        reason: set.reason.clone(),
        external_id: set.external_id.clone(),
        branch: page.branch.clone().filter(|_| is_single),
        revision: page.revision.as_deref().filter(|_| is_single).map(revision),
        repository: match is_single {
            true => page.repository.clone(),
            false => String::new(),
        },
        sources: sources.collect(),
        is_try: page.is_try,
        submitted: scene.second(set.submitted_at),
        finished: set.finished_at.map(|at| scene.second(at)),
        properties: super::common::properties(&page.properties),
        buttons: Buttons::of_set(state, scene, id, waiting.map(|request| request.id))?,
    };
    let title = format!("Build set {id}: {word}");
    let shown = Shown::new(title, &contents)?.with_icon(outcome.tone());
    Ok(shown.running(set.result.is_none()))
}

fn row(request: &Request) -> Row {
    let builder = &request.builder;
    let outcome = Outcome::of(request.result, None);
    let pill = |number| Pill::number(builder, number, outcome);
    Row {
        id: Link::to(&request.id.to_string(), &address::request(request.id)),
        builder: Link::to(builder.as_str(), &address::builder(builder)),
        build: request.build.map(pill),
        word: match (request.build, request.result) {
            (None, Some(result)) => result.to_string(),
            (None, None) => "waiting".to_owned(),
            (Some(_), _) => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_build_set_shows_its_requests_and_changes() {
        let page = Farm::broken().page("/buildsets/2");
        assert!(page.contains("python: type stubs"), "{page}");
        assert!(
            page.contains(r#"href="/builders/linux/builds/1">1<b> failure"#),
            "{page}"
        );
        assert_eq!(Farm::broken().get("/buildsets/99").status, 404);
    }
}
