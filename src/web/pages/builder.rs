//! One builder: its state in a sentence, its builds, what waits, its slaves and schedulers.

use askama::Template;

use super::buttons::Buttons;
use super::common::{
    Began, ChangeLine, Changes, Running, error_of, links_to, outcome, pill, running,
};
use super::force::Force;
use super::words;
use crate::botmaster::Live;
use crate::config::MOST_BUILDS;
use crate::model::{BuildNumber, BuilderName, Results};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Builder, Queue, Scheduler, Slave, Standing};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Time, TimeChart, slave, took};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}",
    args: &[
        Arg::number("numbuilds", 1, MOST_BUILDS as u64),
        Arg::number("before", 0, u64::MAX),
        Arg::text("branch"),
        Arg::word(
            "result",
            &[
                "success",
                "warnings",
                "failure",
                "skipped",
                "exception",
                "retry",
            ],
        ),
        Arg::flag("try"),
    ],
    permission: Permission::View,
    topics: &["builder:{builder}", "queue"],
    api: Some("/api/v1/builders/{builder}"),
    place: Place::Below("Builders"),
    show,
};

/// How many builds the usual time is made of.
const BUILDS_FOR_TIME: u32 = 100;

/// Maximum number of waiting requests on the page.
const REQUESTS: u32 = 50;

#[derive(Debug, Template)]
#[template(path = "builder.html", config = "src/web/askama.toml")]
struct Contents {
    name: BuilderName,
    description: String,
    tags: Vec<(String, String)>,
    state: Option<Outcome>,
    began: Option<Began>,
    since: Option<Time>,
    is_broken: bool,
    running: Vec<Running>,
    builds: Vec<Row>,
    older: Option<String>,
    links: Vec<(String, String)>,
    chart: Option<TimeChart>,
    usually: String,
    good: usize,
    counted: usize,
    waiting: Vec<Waiting>,
    more_waiting: u64,
    /// The queue of the builder.
    queue: String,
    trees: Vec<String>,
    owners: Vec<Link>,
    slaves: Vec<(Link, String)>,
    schedulers: Vec<(Link, String)>,
    force: Force,
    buttons: Buttons,
    /// Since when, by whom and why people have paused it.
    paused: Option<(Time, String, String)>,
}

/// A build in the list.
#[derive(Debug)]
struct Row {
    pill: Pill,
    changes: Vec<ChangeLine>,
    slave: Link,
    took: String,
    started: Time,
    text: String,
    /// The first error, and where it is.
    error: Option<(String, String)>,
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    link: Link,
    reason: String,
    since: Time,
    cancel: Buttons,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let name = place::builder(state, &scene.args)?;
    let (moment, live) = (scene.moment(), &scene.live);
    let builder = Builder::find(state, &scene.config, live, moment, &name)?;
    let standing = Standing::all(state)?.remove(&name);
    let limit = scene.num_builds();
    let found = Brief::newest(state, &name, wanted(scene), limit)?;
    let timed = Brief::newest(state, &name, Wanted::default(), BUILDS_FOR_TIME)?;
    let running = running(state, scene, builder.as_slice())?;
    let (waiting, more_waiting) = waiting(state, scene, &name, live)?;
    let config = scene.config.builder(name.as_str());
    let schedulers = scene.config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(Some(state), schedulers, scene.now)?;
    let slaves = Slave::all(Some(state), None, live, moment)?;
    let is_broken = standing.as_ref().is_some_and(Standing::is_broken);
    let ended = timed.iter().filter(|build| build.result.is_some());
    let good = ended
        .clone()
        .filter(|build| matches!(build.result, Some(Results::Success | Results::Warnings)));
    let paused = builder.as_ref().and_then(|builder| builder.paused.as_ref());
    let paused = paused.map(|p| (scene.time(p.since), p.by.clone(), p.reason.clone()));
    let page = Contents {
        owners: links_to(scene.config.owners_of_builder(name.as_str())),
        description: config.map(|c| c.description.clone()).unwrap_or_default(),
        tags: tags(config.map_or(&[], |config| &config.tags)),
        state: standing
            .as_ref()
            .map(|line| Outcome::of(Some(line.result), None)),
        began: standing
            .as_ref()
            .map(|line| Began::new(&name, line.since, &line.began)),
        since: standing.as_ref().map(|line| scene.time(line.since_at)),
        is_broken,
        older: older(scene, &name, &found, limit),
        builds: rows(state, scene, &found)?,
        links: links(&name),
        chart: chart(&timed),
        usually: Brief::usual(&timed).map_or_else(String::new, took),
        good: good.count(),
        counted: ended.count(),
        waiting,
        more_waiting,
        queue: address::with_args("/queue", &[("builder", name.as_str())]),
        trees: trees(scene, builder.as_ref()),
        slaves: slave_rows(scene, builder.as_ref(), &slaves),
        schedulers: scheduler_rows(scene, &name, &schedulers),
        force: Force::new(state, scene, &name)?,
        buttons: Buttons::of_builder(state, scene, &name, paused.is_some())?,
        paused,
        running,
        name: name.clone(),
    };
    let title = match standing.as_ref().filter(|_| is_broken) {
        Some(line) => format!("{name}, broken since {}", line.since),
        None => name.to_string(),
    };
    let shown = Shown::new(title, &page)?.running(!page.running.is_empty());
    let shown = shown.with_feed(&[("builder", scene.args.part("builder"))]);
    Ok(match standing {
        Some(line) => shown.of(Outcome::of(Some(line.result), None)),
        None => shown,
    })
}

/// How long these builds, the newest first, took.
fn chart(builds: &[Brief]) -> Option<TimeChart> {
    let said = builds.iter().rev().filter_map(|build| {
        let is_good = match build.result? {
            Results::Success | Results::Warnings => true,
            Results::Failure => false,
            Results::Exception | Results::Retry | Results::Skipped => return None,
        };
        Some((build.number, (build.took?, is_good)))
    });
    let (numbers, times): (Vec<_>, Vec<_>) = said.unzip();
    let name = |number: Option<&BuildNumber>| {
        number.map_or_else(String::new, |number| format!("build {number}"))
    };
    TimeChart::new(&times, (name(numbers.first()), name(numbers.last())))
}

fn wanted(scene: &Scene) -> Wanted<'_> {
    let result = scene.args.text("result");
    Wanted {
        before: scene.args.number("before").map(BuildNumber),
        result: result.and_then(Results::from_name),
        branch: scene.args.text("branch"),
        tries: scene.args.flag("try"),
    }
}

fn tags(tags: &[String]) -> Vec<(String, String)> {
    let tags = tags.iter();
    tags.map(|tag| {
        (
            tag.clone(),
            address::with_args("/builders", &[("tag", tag)]),
        )
    })
    .collect()
}

fn rows(state: &State, scene: &Scene, builds: &[Brief]) -> Result<Vec<Row>, Refusal> {
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    for build in builds {
        rows.push(Row {
            pill: pill(build),
            changes: changes.last(state, &build.changes)?,
            slave: slave(&build.slave),
            took: match build.took {
                Some(time) => took(time),
                None => outcome(build).word().to_owned(),
            },
            started: scene.time(build.started_at),
            text: build.text.join(" "),
            error: error_of(&build.builder, build.number, build.first_error.as_ref()),
        });
    }
    Ok(rows)
}

/// The address of the builds before those that are shown.
fn older(scene: &Scene, name: &BuilderName, shown: &[Brief], limit: u32) -> Option<String> {
    let is_full = u32::try_from(shown.len()).is_ok_and(|count| count >= limit);
    let last = shown.last().filter(|build| is_full && build.number.0 > 0)?;
    let before = last.number.to_string();
    let mut args = vec![("before", before.as_str())];
    for kept in ["numbuilds", "branch", "result", "try"] {
        args.extend(scene.args.text(kept).map(|value| (kept, value)));
    }
    Some(address::with_args(&address::builder(name), &args))
}

fn links(name: &BuilderName) -> Vec<(String, String)> {
    let own = address::builder(name);
    let lines = format!("/one_line_per_build/{}", address::segment(name.as_str()));
    let mut links = vec![("one line each".to_owned(), lines)];
    let args = [
        ("200", "numbuilds", "200"),
        ("failures only", "result", "failure"),
        ("try builds too", "try", "1"),
    ]
    .map(|(text, arg, value)| (text.to_owned(), address::with_args(&own, &[(arg, value)])));
    links.extend(args);
    links
}

fn waiting(
    state: &State,
    scene: &Scene,
    name: &BuilderName,
    live: &Live,
) -> Result<(Vec<Waiting>, u64), Refusal> {
    let queue = Queue {
        is_pending: true,
        builders: Some(std::slice::from_ref(name)),
        after: None,
        ..Queue::default()
    };
    let requests = queue.read(state, live, &live.priorities, REQUESTS)?;
    let shown = u64::try_from(requests.len()).unwrap_or(u64::MAX);
    let more = queue.count(state, live)?.saturating_sub(shown);
    let mut rows = Vec::new();
    for request in requests {
        rows.push(Waiting {
            link: Link::to(&request.id.to_string(), &address::request(request.id)),
            reason: request.reason,
            since: scene.time(request.submitted_at),
            cancel: Buttons::of_row(state, scene, request.id)?,
        });
    }
    Ok((rows, more))
}

/// What schedulers hold for the builder, in words.
fn trees(scene: &Scene, builder: Option<&Builder>) -> Vec<String> {
    let trees = builder.into_iter().flat_map(|builder| &builder.waiting);
    trees.map(|tree| words::held(scene, tree)).collect()
}

fn slave_rows(scene: &Scene, builder: Option<&Builder>, slaves: &[Slave]) -> Vec<(Link, String)> {
    let names = builder.into_iter().flat_map(|builder| &builder.slaves);
    let rows = names.map(|name| {
        let known = slaves.iter().find(|slave| slave.name == *name);
        let says = known.map_or_else(String::new, |known| words::slave(scene, known));
        (slave(name), says)
    });
    rows.collect()
}

fn scheduler_rows(
    scene: &Scene,
    name: &BuilderName,
    schedulers: &[Scheduler],
) -> Vec<(Link, String)> {
    let own = schedulers.iter().filter(|s| s.builders.contains(name));
    let rows = own.map(|scheduler| {
        let link = Link::to(
            scheduler.name.as_str(),
            &address::scheduler(&scheduler.name),
        );
        (link, words::scheduler(scene, scheduler))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn a_builder_says_since_when_it_is_broken_and_lists_its_builds() {
        let page = Farm::broken().page("/builders/linux");
        let state = r#"<span class="p fail">broken</span> since build <a href="/builders/linux/builds/1">1</a>, change <a href="/changes/7">7</a> or <a href="/changes/8">8</a>"#;
        assert!(page.contains(state), "{page}");
        assert!(page.contains("block: decode without a check"), "{page}");
        assert!(page.contains("9 min 40 s"), "{page}");
        let only = Farm::broken().page("/builders/linux?result=failure&numbuilds=1");
        assert!(only.contains("/builders/linux/builds/2"));
        assert!(!only.contains(r#"href="/builders/linux/builds/0""#));
        assert!(
            only.contains("?before=2&#38;numbuilds=1&#38;result=failure"),
            "{only}"
        );
    }

    #[test]
    fn brq_03_a_builder_lists_what_waits_for_it() {
        let page = Farm::broken().page("/builders/a%2Fb%20c");
        assert!(page.contains(r#"<a href="/queue/5">5</a>"#), "{page}");
    }

    #[test]
    fn an_unknown_builder_is_answered_with_the_nearest() {
        let answer = Farm::broken().get("/builders/linus");
        assert_eq!(answer.status, 404);
        let expected = r#"Did you mean <a href="/builders/linux">linux</a>?"#;
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
}
