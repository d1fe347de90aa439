//! One request: every reason why it waits, or what became of it.

use askama::Template;

use super::buttons::Buttons;
use super::common::{not_found, number_of};
use crate::model::RequestId;
use crate::store::State;
use crate::view::{Request, RequestState};
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
        assert_eq!(Farm::broken().get("/queue/99").status, 404);
        assert_eq!(Farm::broken().get("/queue/x").status, 404);
    }
}
