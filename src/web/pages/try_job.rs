//! One try job: each builder with the patch and without it, what that means, and the patch.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;

use super::buttons::Buttons;
use super::common::{Running, not_found, number_of, outcome};
use crate::model::{BuilderName, PatchBody, Results, SetId};
use crate::store::State;
use crate::view::{Brief, Build, BuildSetPage, Request, RequestState, Standing};
use crate::web::address;
use crate::web::outlet::{Document, Outlet, Readers};
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Progress, Time, Tone, person, revision};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/try/{set}",
    args: &[],
    permission: Permission::View,
    topics: &["buildset:{set}", "try"],
    api: None,
    place: Place::Below("Queue"),
    show,
};

/// The patch as it was sent.
pub(in crate::web) const PATCH: Outlet = Outlet {
    path: "/try/{set}/patch",
    args: &[],
    readers: Readers::OfPages,
    show: patch,
    refuse: Document::sentence,
};

/// Lines of the patch on the page, and characters of a line.
const LINES: usize = 400;
const LONGEST_LINE: usize = 300;

#[derive(Debug, Template)]
#[template(path = "try_job.html", config = "src/web/askama.toml")]
struct Contents {
    id: SetId,
    outcome: Outcome,
    word: String,
    who: Option<Link>,
    comment: String,
    submitted: Time,
    branch: Option<String>,
    revision: Option<Link>,
    scheduler: Option<Link>,
    job: Option<String>,
    level: u32,
    set: Link,
    buttons: Buttons,
    rows: Vec<Row>,
    size: String,
    lines: Vec<(&'static str, String)>,
    more: usize,
}

/// A builder of the job.
#[derive(Debug)]
struct Row {
    builder: Link,
    with: Pill,
    without: Option<Pill>,
    means: String,
    now: String,
    progress: Option<Progress>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (id, page) = find(state, scene)?;
    let first: Vec<_> = page
        .requests
        .iter()
        .take(1)
        .map(|request| request.id)
        .collect();
    let (stamps, _) = state.wishes(&first)?;
    let patch = stamps.first().and_then(|stamps| stamps.patch());
    let diff = diff(state, id, patch.map(|patch| &patch.body))?;
    let diff = String::from_utf8_lossy(&diff);
    let standings = Standing::all(state)?;
    let mut rows = Vec::new();
    for request in &page.requests {
        rows.push(Row::read(state, scene, request, &standings)?);
    }
    let done = page
        .requests
        .iter()
        .filter(|request| request.result.is_some());
    let (done, all) = (done.count(), page.requests.len());
    let (outcome, word) = match page.set.result {
        Some(result) => {
            let outcome = Outcome::of(Some(result), None);
            (outcome, outcome.word().to_owned())
        }
        None => (Outcome::plain(Tone::Run), format!("{done} of {all} done")),
    };
    let lines: Vec<_> = diff.lines().collect();
    let mut waiting = page.requests.iter();
    let waiting = waiting.find(|request| request.state == RequestState::Pending);
    let contents = Contents {
        id,
        outcome,
        who: patch.and_then(|patch| patch.who.as_deref()).map(person),
        comment: patch
            .and_then(|patch| patch.comment.clone())
            .unwrap_or_default(),
        submitted: scene.second(page.set.submitted_at),
        branch: page.branch.clone(),
        revision: page.revision.as_deref().map(revision),
        scheduler: page
            .set
            .scheduler
            .as_ref()
            .map(|name| Link::to(name.as_str(), &address::scheduler(name))),
        job: page.set.external_id.clone(),
        level: patch.map_or(0, |patch| patch.level),
        buttons: Buttons::of_set(state, scene, id, waiting.map(|request| request.id))?,
        set: Link::to(&id.to_string(), &address::build_set(id)),
        rows,
        size: size_of(&lines),
        more: lines.len().saturating_sub(LINES),
        lines: lines
            .iter()
            .take(LINES)
            .map(|line| coloured(line))
            .collect(),
        word,
    };
    let title = format!("Try job {id}: {}", contents.word);
    let shown = Shown::new(title, &contents)?.with_icon(outcome.tone());
    Ok(shown.running(page.set.result.is_none()))
}

/// The try job that the address names.
fn find(state: &State, scene: &Scene) -> Result<(SetId, BuildSetPage), Refusal> {
    let id = SetId(number_of(scene, "try job", "set")?);
    match BuildSetPage::find(state, id, &scene.live)? {
        Some(page) if page.is_try => Ok((id, page)),
        Some(_) => Err(not_found("try job", &id.to_string())),
        None if state.was_set(id)? => Err(Refusal::Gone {
            sentence: format!("Build set {id} was removed (build_horizon)."),
        }),
        None => Err(not_found("try job", &id.to_string())),
    }
}

fn diff(state: &State, id: SetId, body: Option<&PatchBody>) -> Result<Vec<u8>, Refusal> {
    Ok(match body {
        Some(PatchBody::Given(body)) => body.to_vec(),
        Some(PatchBody::Kept(set)) => state.diff(*set)?.unwrap_or_default(),
        None => state.diff(id)?.unwrap_or_default(),
    })
}

fn patch(state: &State, scene: &Scene) -> Result<Document, Refusal> {
    let (id, _) = find(state, scene)?;
    let diff = state.diff(id)?.unwrap_or_default();
    Ok(Document::new("text/plain; charset=utf-8", diff).with_status(StatusCode::OK))
}

impl Row {
    fn read(
        state: &State,
        scene: &Scene,
        request: &Request,
        standings: &BTreeMap<BuilderName, Standing>,
    ) -> Result<Self, Refusal> {
        let name = &request.builder;
        let build = match request.build {
            Some(number) => Build::find(state, name, number, scene.moment())?,
            None => None,
        };
        let standing = standings.get(name);
        let without = match standing {
            Some(line) => without(state, name, line)?,
            None => None,
        };
        let with = match (&build, request.result) {
            (Some(build), _) => {
                let outcome = Outcome::of(build.result, None);
                Pill::number(name, build.number, outcome)
            }
            (None, result) => {
                let outcome = result.map_or(Outcome::plain(Tone::Wait), |result| {
                    Outcome::of(Some(result), None)
                });
                Pill::link(
                    request.id.to_string(),
                    address::request(request.id),
                    outcome,
                )
            }
        };
        let means = meaning(request.result, standing);
        let now = match (&build, request.result) {
            (_, Some(_)) => request.finished_at.map_or_else(String::new, |at| {
                format!("done {}", scene.local(at).short(scene.local(scene.now)))
            }),
            (Some(_), None) => String::new(),
            (None, None) => {
                let why = scene.live.waits.get(name);
                why.map_or_else(String::new, |why| scene.with_local_times(why))
            }
        };
        let running = build.filter(|build| build.result.is_none());
        let running = running.map(|build| Running::new(build, scene));
        Ok(Self {
            builder: Link::to(name.as_str(), &address::builder(name)),
            with,
            without,
            means,
            now: running.as_ref().map_or(now, |running| running.step.clone()),
            progress: running.and_then(|running| running.progress),
        })
    }
}

/// The last build without the patch that says something.
fn without(state: &State, name: &BuilderName, line: &Standing) -> Result<Option<Pill>, Refusal> {
    let wanted = crate::store::read::Wanted {
        before: Some(crate::model::BuildNumber(line.last.0 + 1)),
        ..crate::store::read::Wanted::default()
    };
    let found = Brief::newest(state, name, wanted, 1)?;
    let build = found.first();
    Ok(build.map(|build| Pill::number(name, build.number, outcome(build))))
}

/// What the result with the patch means, compared with where the builder stands without it.
fn meaning(with: Option<Results>, without: Option<&Standing>) -> String {
    let since = without.map(|line| line.since);
    match (with, without.map(|line| line.result), since) {
        (None, Some(Results::Failure), Some(since)) => {
            format!("not known yet; without the patch it fails since build {since}")
        }
        (None, ..) => "not known yet".to_owned(),
        (Some(Results::Exception | Results::Retry | Results::Skipped), ..) => {
            "says nothing about the patch".to_owned()
        }
        (Some(_), None, _) => "nothing to compare with".to_owned(),
        (Some(Results::Failure), Some(Results::Failure), Some(since)) => {
            format!("fails without the patch too, since build {since}")
        }
        (Some(Results::Failure), ..) => "worse: it is good without the patch".to_owned(),
        (Some(_), Some(Results::Failure), _) => "better: it fails without the patch".to_owned(),
        (Some(Results::Warnings), Some(Results::Success), _) => {
            "warnings that are not there without the patch".to_owned()
        }
        (Some(Results::Success), Some(Results::Warnings), _) => {
            "better: the warnings are gone".to_owned()
        }
        (Some(Results::Success | Results::Warnings), ..) => "as without the patch".to_owned(),
    }
}

/// `1 file, 3 lines more, 2 less`.
fn size_of(lines: &[&str]) -> String {
    let count = |sign: &str, head: &str| {
        let lines = lines
            .iter()
            .filter(|line| line.starts_with(sign) && !line.starts_with(head));
        lines.count()
    };
    let files = lines.iter().filter(|line| line.starts_with("+++ ")).count();
    let words = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let (more, less) = (count("+", "+++ "), count("-", "--- "));
    format!(
        "{}, {} more, {less} less",
        words(files, "file"),
        words(more, "line")
    )
}

/// A line of a patch, with its class.
fn coloured(line: &str) -> (&'static str, String) {
    let class = match line {
        _ if line.starts_with("+++ ") || line.starts_with("--- ") => "x",
        _ if line.starts_with('+') => "ok",
        _ if line.starts_with('-') => "fail",
        _ if line.starts_with("@@") => "d",
        _ => "x",
    };
    (class, crate::web::xml::shortened(line, LONGEST_LINE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BuildNumber;
    use crate::web::testing::{Farm, ago};

    #[test]
    fn a_try_job_shows_each_builder_with_the_patch_and_without_it() {
        let mut farm = Farm::broken();
        let set = farm.try_job(
            &["linux", "a/b c"],
            b"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-<b>\n+c\n",
        );
        let page = farm.page(&format!("/try/{set}"));
        for text in [
            "Try job 6 <span class=\"p run big\">0 of 2 done</span>",
            "<q>a comment</q>",
            r#"<a class="p fail still" href="/builders/linux/builds/2">2<b> still failing</b></a>"#,
            "not known yet; without the patch it fails since build 1",
            "<small>1 file, 1 line more, 1 less</small>",
            "<span class=\"fail\">-&#60;b&#62;\n</span><span class=\"ok\">+c\n</span>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        let patch = farm.get(&format!("/try/{set}/patch"));
        assert_eq!(patch.header("content-type"), "text/plain; charset=utf-8");
        assert!(patch.text.ends_with("-<b>\n+c\n"), "{}", patch.text);
    }

    #[test]
    fn what_is_not_a_try_job_is_not_found() {
        for address in ["/try/1", "/try/99", "/try/x", "/try/1/patch"] {
            assert_eq!(Farm::broken().get(address).status, 404, "{address}");
        }
    }

    #[test]
    fn a_result_with_the_patch_is_compared_with_the_one_without() {
        let line = |result| Standing {
            branch: None,
            last: BuildNumber(7),
            result,
            finished_at: ago(9),
            since: BuildNumber(5),
            since_at: ago(9),
            before: None,
            began: Vec::new(),
        };
        use Results::{Failure, Retry, Success, Warnings};
        for (with, without, expected) in [
            (None, Some(Success), "not known yet"),
            (Some(Success), None, "nothing to compare with"),
            (Some(Success), Some(Success), "as without the patch"),
            (
                Some(Success),
                Some(Failure),
                "better: it fails without the patch",
            ),
            (
                Some(Success),
                Some(Warnings),
                "better: the warnings are gone",
            ),
            (
                Some(Failure),
                Some(Success),
                "worse: it is good without the patch",
            ),
            (
                Some(Failure),
                Some(Failure),
                "fails without the patch too, since build 5",
            ),
            (
                Some(Warnings),
                Some(Success),
                "warnings that are not there without the patch",
            ),
            (Some(Retry), Some(Success), "says nothing about the patch"),
        ] {
            let line = without.map(line);
            assert_eq!(meaning(with, line.as_ref()), expected);
        }
    }
}
