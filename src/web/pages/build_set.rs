//! One build set: its requests with their builds, its changes and its properties.

use askama::Template;

use super::buttons::Buttons;
use super::common::{ChangeLine, Changes, Running, not_found, number_of, outcome};
use crate::model::SetId;
use crate::store::State;
use crate::view::{Brief, Build, BuildSetPage, Request, RequestState};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Progress, Time, Tone, revision, slave};
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
    /// What became of it without a build.
    word: String,
    /// What the build does, or why the request waits.
    now: String,
    progress: Option<Progress>,
    slave: Option<Link>,
    began: Option<Time>,
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
        requests: rows(state, scene, &page)?,
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

fn rows(state: &State, scene: &Scene, page: &BuildSetPage) -> Result<Vec<Row>, Refusal> {
    let builds = Brief::of_set(state, page.set.id)?;
    let mut rows = Vec::new();
    for request in &page.requests {
        let mut builds = builds.iter();
        let build = builds
            .find(|build| build.builder == request.builder && Some(build.number) == request.build);
        rows.push(row(state, scene, request, build)?);
    }
    Ok(rows)
}

fn row(
    state: &State,
    scene: &Scene,
    request: &Request,
    build: Option<&Brief>,
) -> Result<Row, Refusal> {
    let builder = &request.builder;
    let full = match build {
        Some(build) if build.result.is_none() => {
            Build::find(state, builder, build.number, scene.moment())?
        }
        _ => None,
    };
    let running = full.map(|build| Running::new(build, scene));
    let waits = scene.live.waits.get(builder);
    let waits = waits.map(|why| scene.with_local_times(why));
    let (word, now) = match (build, request.result, &running) {
        (None, Some(result), _) => (result.to_string(), String::new()),
        (None, None, _) => ("waiting".to_owned(), waits.unwrap_or_default()),
        (Some(_), _, Some(running)) => (String::new(), running.step.clone()),
        (Some(build), ..) => (String::new(), build.text.join(" ")),
    };
    Ok(Row {
        id: Link::to(&request.id.to_string(), &address::request(request.id)),
        builder: Link::to(builder.as_str(), &address::builder(builder)),
        build: build.map(|build| Pill::number(builder, build.number, outcome(build))),
        word,
        now,
        progress: running.and_then(|running| running.progress),
        slave: build.map(|build| slave(&build.slave)),
        began: build.map(|build| scene.second(build.started_at)),
    })
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_build_set_shows_its_requests_and_changes() {
        let page = Farm::broken().page("/buildsets/2");
        assert!(page.contains("python: type stubs"), "{page}");
        assert!(
            page.contains(r#"href="/builders/linux/builds/1">1<b> new failure"#),
            "{page}"
        );
        let slave = r#"<td class="d"><a href="/buildslaves/oak">oak</a></td>"#;
        assert!(page.contains(slave), "{page}");
        assert_eq!(Farm::broken().get("/buildsets/99").status, 404);
    }
}
