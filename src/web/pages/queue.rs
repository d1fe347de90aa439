//! The queue: what waits, in the order in which it is built, and why; and what holds locks.

use askama::Template;

use super::buttons::Buttons;
use super::common::{ChangeLine, Changes};
use super::words;
use crate::model::{BuilderName, RequestId};
use crate::store::{State, StoreError};
use crate::view::{LockWait, Queue, Request};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/queue",
    args: &[
        Arg::text("builder").also(&["show"]),
        Arg::number("after", 0, u64::MAX),
    ],
    permission: Permission::View,
    topics: &["queue"],
    api: Some("/api/v1/requests"),
    place: Place::Entry("Queue"),
    show,
};

/// Maximum number of requests on the page.
const REQUESTS: u32 = 200;

#[derive(Debug, Template)]
#[template(path = "queue.html", config = "src/web/askama.toml")]
struct Contents {
    count: u64,
    of: Vec<String>,
    rows: Vec<Row>,
    /// Whether the reader can cancel one of them.
    can_cancel: bool,
    /// Whether the page begins after the first request.
    is_further: bool,
    /// What is built after the requests on the page.
    next: Option<String>,
    locks: Vec<String>,
    /// What schedulers hold.
    soon: Vec<(Link, String)>,
}

/// What a request is to be made of.
#[derive(Debug)]
struct Of {
    change: Option<ChangeLine>,
    /// Its branch and revision, and whether it has a patch.
    words: String,
}

#[derive(Debug)]
struct Row {
    number: Link,
    builder: Link,
    why: String,
    of: Of,
    reason: String,
    since: Time,
    priority: i32,
    cancel: Buttons,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let live = &scene.live;
    let mut of = scene.args.all("builder").to_vec();
    // A form that is sent as it is shown names none.
    of.retain(|name| !name.is_empty());
    let wanted: Vec<_> = of
        .iter()
        .map(|name| BuilderName::from(name.as_str()))
        .collect();
    let after = scene.args.number("after").map(RequestId);
    let queue = Queue {
        is_pending: true,
        builders: Some(wanted.as_slice()).filter(|wanted| !wanted.is_empty()),
        after,
        ..Queue::default()
    };
    let count = queue.count(state, live)?;
    let mut requests = queue.read(state, live, &live.priorities, REQUESTS + 1)?;
    let shown = usize::try_from(REQUESTS).unwrap_or(usize::MAX);
    let has_more = requests.len() > shown;
    requests.truncate(shown);
    let mut rows = Vec::new();
    let mut changes = Changes::default();
    for request in &requests {
        rows.push(row(state, scene, request, &mut changes)?);
    }
    let last = requests.last().filter(|_| has_more);
    let contents = Contents {
        count,
        next: last.map(|last| further(&of, last.id)),
        of,
        can_cancel: rows.iter().any(|row| !row.cancel.is_empty()),
        rows,
        is_further: after.is_some(),
        locks: locks(scene),
        soon: words::soon(state, scene)?,
    };
    let (title, icon) = match count {
        0 => ("Queue".to_owned(), Tone::Ok),
        1 => ("1 waits · Queue".to_owned(), Tone::Wait),
        n => (format!("{n} wait · Queue"), Tone::Wait),
    };
    Ok(Shown::new(title, &contents)?.with_icon(icon))
}

fn row(
    state: &State,
    scene: &Scene,
    request: &Request,
    changes: &mut Changes,
) -> Result<Row, StoreError> {
    let (live, builder) = (&scene.live, &request.builder);
    let first = live.queues.as_ref().and_then(|queues| queues.get(builder));
    let why = match (first, live.waits.get(builder)) {
        (Some(queue), Some(why)) if queue.first == request.id => scene.with_local_times(why),
        (Some(queue), _) if queue.first != request.id => {
            format!("Waits behind request {} of {builder}.", queue.first)
        }
        (Some(_) | None, _) => String::new(),
    };
    Ok(Row {
        number: Link::to(&request.id.to_string(), &address::request(request.id)),
        builder: Link::to(builder.as_str(), &address::builder(builder)),
        why,
        of: Of::read(state, request, changes)?,
        reason: request.reason.clone(),
        since: scene.time(request.submitted_at),
        priority: request.priority,
        cancel: Buttons::of_row(state, scene, request.id)?,
    })
}

impl Of {
    fn read(state: &State, request: &Request, changes: &mut Changes) -> Result<Self, StoreError> {
        let Some(origin) = state.origin_of(&[request.id])? else {
            return Ok(Self {
                change: None,
                words: String::new(),
            });
        };
        let newest = origin.newest.as_slice();
        let change = changes.lines(state, newest)?.pop();
        let mut words = Vec::new();
        if origin.is_try {
            words.push("patch on".to_owned());
        }
        match (&change, origin.revision, origin.line.branch) {
            (None, Some(revision), _) => words.push(revision),
            (Some(_), _, Some(branch)) => words.push(branch),
            (None, _, Some(branch)) => words.push(format!("newest of {branch}")),
            (None, _, None) => words.push("newest".to_owned()),
            (Some(_), _, None) => {}
        }
        Ok(Self {
            change,
            words: words.join(" "),
        })
    }
}

/// The address of what is built after a request.
fn further(builders: &[String], last: RequestId) -> String {
    let last = last.to_string();
    let builders = builders.iter().map(|name| ("builder", name.as_str()));
    let args: Vec<_> = builders.chain([("after", last.as_str())]).collect();
    address::with_args("/queue", &args)
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
    use crate::botmaster::Queued;
    use crate::model::RequestId;
    use crate::web::testing::{Farm, ago};

    fn queued(count: u64, first: u64) -> Queued {
        let (first, since) = (RequestId(first), ago(60));
        Queued {
            count,
            first,
            since,
        }
    }

    #[test]
    fn mas_10_each_request_says_why_it_waits() {
        let mut farm = Farm::broken();
        let why = "slave elm is away since 2026-11-25T13:00:00.000Z";
        farm.live.waits.insert("a/b c".into(), why.to_owned());
        farm.live.queues = Some([("a/b c".into(), queued(2, 5))].into());
        farm.request("a/b c", Vec::new(), ago(50));
        let page = farm.page("/queue");
        assert!(page.contains("slave elm is away since Wed 14:00"), "{page}");
        assert!(page.contains("Waits behind request 5 of a/b c."), "{page}");
        assert!(page.contains(r#"<a href="/queue/5">5</a>"#), "{page}");
        assert!(
            farm.page("/queue?builder=")
                .contains("Waits behind request 5")
        );
        let other = farm.page("/queue?builder=linux");
        assert!(other.contains("Nothing waits"), "{other}");
    }

    #[test]
    fn web_03_a_long_queue_goes_on_on_further_pages() {
        let mut farm = Farm::new();
        for _ in 0..250 {
            farm.request("linux", Vec::new(), ago(60));
        }
        farm.live.queues = Some([("linux".into(), queued(250, 1))].into());
        let page = farm.page("/queue?builder=linux");
        assert!(page.contains("Queue <small>250"), "{page}");
        assert!(page.contains(r#"href="/queue/200""#) && !page.contains("/queue/201"));
        let next = "/queue?builder=linux&#38;after=200";
        assert!(page.contains(next), "{page}");
        let page = farm.page("/queue?builder=linux&after=200");
        assert!(page.contains("Queue <small>250"), "{page}");
        assert!(page.contains(r#"href="/queue/201""#) && page.contains("/queue/250"));
        assert!(!page.contains("after=250"), "{page}");
    }
}
