//! One request: every reason why it waits, or what became of it.

use askama::Template;

use super::buttons::Buttons;
use super::common::{not_found, number_of};
use crate::model::{BuildNumber, RequestId};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Request, RequestState};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/queue/{request}",
    args: &[],
    permission: Permission::View,
    topics: &["request", "queue"],
    api: Some("/api/v1/requests/{request}"),
    place: Place::Below("Queue"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "request.html", config = "src/web/askama.toml")]
struct Contents {
    id: RequestId,
    builder: Link,
    outcome: Outcome,
    word: &'static str,
    blockers: Vec<String>,
    build: Option<Pill>,
    set: Link,
    reason: String,
    submitted: Time,
    finished: Option<Time>,
    why: Option<String>,
    trail: Vec<(Time, String, Option<Link>)>,
    merged: Option<Link>,
    priority: i32,
    retries: u32,
    buttons: Buttons,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let id = RequestId(number_of(scene, "request", "request")?);
    let Some(row) = state.request(id)? else {
        if state.was_request(id)? {
            return Err(Refusal::Gone {
                sentence: format!("Request {id} was removed (build_horizon)."),
            });
        }
        return Err(not_found("request", &id.to_string()));
    };
    let request = Request::new(row, &scene.live);
    let (outcome, word) = match request.state {
        RequestState::Pending => (Outcome::plain(Tone::Wait), "waiting"),
        RequestState::Starting => (Outcome::plain(Tone::Wait), "starting"),
        RequestState::Building => (Outcome::plain(Tone::Run), "being built"),
        RequestState::Finished => {
            let outcome = Outcome::of(request.result, None);
            (outcome, outcome.word())
        }
    };
    let builder = &request.builder;
    let is_open = request.state != RequestState::Finished;
    let blockers = scene.blockers.iter().filter(|_| is_open);
    let contents = Contents {
        id,
        builder: Link::to(builder.as_str(), &address::builder(builder)),
        outcome,
        word,
        blockers: blockers.map(|b| scene.with_local_times(&b.text)).collect(),
        build: request
            .build
            .map(|number| Pill::name(builder, number, outcome)),
        set: Link::to(&request.set.to_string(), &address::build_set(request.set)),
        reason: request.reason.clone(),
        submitted: scene.second(request.submitted_at),
        finished: request.finished_at.map(|at| scene.second(at)),
        why: request.why.clone(),
        trail: trail(state, scene, &request)?,
        merged: request
            .merged_into
            .map(|other| Link::to(&other.to_string(), &address::request(other))),
        priority: request.priority,
        retries: request.retries,
        buttons: match request.state {
            RequestState::Pending => Buttons::of_request(state, scene, id)?,
            RequestState::Starting | RequestState::Building | RequestState::Finished => {
                Buttons::default()
            }
        },
    };
    let title = format!("Request {id}: {word}");
    let shown = Shown::new(title, &contents)?.with_icon(outcome.tone());
    Ok(shown.running(is_open))
}

/// How the request came about, and what became of it: when, what, and what that leads to.
fn trail(
    state: &State,
    scene: &Scene,
    request: &Request,
) -> Result<Vec<(Time, String, Option<Link>)>, Refusal> {
    let mut trail = Vec::new();
    if let Some(set) = state.build_set(request.set)? {
        let what = match &set.scheduler {
            Some(scheduler) => format!("scheduler {scheduler} made build set"),
            None => "somebody asked for build set".to_owned(),
        };
        let link = Link::to(&set.id.to_string(), &address::build_set(set.id));
        trail.push((scene.second(set.submitted_at), what, Some(link)));
    }
    let build = match request.build {
        Some(number) => {
            let wanted = Wanted {
                before: Some(BuildNumber(number.0.saturating_add(1))),
                tries: true,
                ..Wanted::default()
            };
            let found = Brief::newest(state, &request.builder, wanted, 1)?;
            found.into_iter().find(|build| build.number == number)
        }
        None => None,
    };
    if let Some(build) = build {
        let (builder, number) = (&build.builder, build.number);
        let link = Link::to(&number.to_string(), &address::build(builder, number));
        let what = format!("slave {} began build", build.slave);
        trail.push((scene.second(build.started_at), what, Some(link)));
    }
    if let (Some(result), Some(at)) = (request.result, request.finished_at) {
        trail.push((scene.second(at), format!("it ended: {result}"), None));
    }
    Ok(trail)
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_request_leads_to_its_build_and_its_set() {
        let page = Farm::broken().page("/queue/2");
        for link in [
            r#"href="/builders/linux/builds/1""#,
            r#"href="/buildsets/2""#,
        ] {
            assert!(page.contains(link), "{link}: {page}");
        }
        for line in [
            "scheduler quick made build set",
            "slave oak began build",
            "it ended: failure",
        ] {
            assert!(page.contains(line), "{line}: {page}");
        }
        assert_eq!(Farm::broken().get("/queue/99").status, 404);
        assert_eq!(Farm::broken().get("/queue/x").status, 404);
    }
}
