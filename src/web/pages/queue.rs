//! The queue: what waits, in the order in which it is built, and why; and what holds locks.

use askama::Template;

use super::buttons::Buttons;
use crate::model::BuilderName;
use crate::store::State;
use crate::store::read::Which;
use crate::view::{LockWait, Request};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/queue",
    args: &[Arg::text("builder")],
    permission: Permission::View,
    topics: &["queue"],
    api: Some("/api/v1/requests"),
    place: Place::Entry("Queue"),
    show,
};

/// Maximum number of requests on the page.
const REQUESTS: usize = 200;

#[derive(Debug, Template)]
#[template(path = "queue.html", config = "src/web/askama.toml")]
struct Contents {
    count: usize,
    of: Vec<String>,
    rows: Vec<Row>,
    /// Whether the reader can cancel one of them.
    can_cancel: bool,
    more: usize,
    locks: Vec<String>,
}

#[derive(Debug)]
struct Row {
    number: Link,
    builder: Link,
    why: String,
    reason: String,
    since: Time,
    priority: i32,
    cancel: Buttons,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let live = &scene.live;
    let mut requests = Request::list(state, Which::Pending, u32::MAX, live, &live.priorities)?;
    let wanted = scene.args.all("builder");
    let is_wanted = |name: &BuilderName| wanted.iter().any(|wanted| wanted == name.as_str());
    requests.retain(|request| wanted.is_empty() || is_wanted(&request.builder));
    let count = requests.len();
    let mut firsts: Vec<BuilderName> = Vec::new();
    requests.truncate(REQUESTS);
    let mut rows = Vec::new();
    for request in &requests {
        let is_first = !firsts.contains(&request.builder);
        if is_first {
            firsts.push(request.builder.clone());
        }
        let why = match live.waits.get(&request.builder).filter(|_| is_first) {
            Some(why) => scene.with_local_times(why),
            None if is_first => String::new(),
            None => format!("Waits behind the first request of {}.", request.builder),
        };
        let builder = request.builder.as_str();
        rows.push(Row {
            number: Link::to(&request.id.to_string(), &address::request(request.id)),
            builder: Link::to(builder, &address::builder(&request.builder)),
            why,
            reason: request.reason.clone(),
            since: scene.time(request.submitted_at),
            priority: request.priority,
            cancel: Buttons::of_row(state, scene, request.id)?,
        });
    }
    let contents = Contents {
        count,
        of: wanted.to_vec(),
        can_cancel: rows.iter().any(|row| !row.cancel.is_empty()),
        rows,
        more: count.saturating_sub(REQUESTS),
        locks: locks(scene),
    };
    let (title, icon) = match count {
        0 => ("Queue".to_owned(), Tone::Ok),
        1 => ("1 waits · Queue".to_owned(), Tone::Wait),
        n => (format!("{n} wait · Queue"), Tone::Wait),
    };
    Ok(Shown::new(title, &contents)?.with_icon(icon))
}

/// What waits for locks, in sentences.
fn locks(scene: &Scene) -> Vec<String> {
    let waits = scene.live.locks.iter().map(LockWait::from);
    waits
        .map(|wait| scene.with_local_times(&wait.text))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn mas_10_each_request_says_why_it_waits() {
        let mut farm = Farm::broken();
        let why = "slave elm is away since 2026-11-25T13:00:00.000Z";
        farm.live.waits.insert("a/b c".into(), why.to_owned());
        let page = farm.page("/queue");
        assert!(page.contains("slave elm is away since Wed 14:00"), "{page}");
        assert!(page.contains(r#"<a href="/queue/5">5</a>"#), "{page}");
        let other = farm.page("/queue?builder=linux");
        assert!(other.contains("Nothing waits"), "{other}");
    }
}
