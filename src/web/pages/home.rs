//! Home: what is broken, what runs, what waits, what comes next; or the ways to a first build.

use askama::Template;

use super::changes::Row as ChangeRow;
use super::common::{Began, Running, error_of, outcome, pill_of_builder, running};
use super::tail::Tail;
use super::words;
use crate::model::BuilderName;
use crate::store::State;
use crate::store::read::{CrowdedRow, Wanted};
use crate::view::{Brief, Build, Builder, Change, Overview, Slave, Standing, Step};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Ago, Link, Numbers, Pill, Time, Tone, change, person, slave, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/",
    args: &[],
    permission: Permission::View,
    topics: &["summary"],
    api: Some("/api/v1/summary"),
    place: Place::Apart,
    show,
};

/// How many builds of a broken builder, changes, and builds that ended are shown.
const LAST_BUILDS: u32 = 6;
const CHANGES: u32 = 9;
const LATELY: u32 = 8;

#[derive(Debug, Template)]
#[template(path = "home.html", config = "src/web/askama.toml")]
struct Home {
    builders: usize,
    overview: Overview,
    away: Vec<(Link, String)>,
    /// Steps with too many tests in quarantine: the tests of the builder, and a sentence.
    crowded: Vec<(Link, String)>,
    last: Option<(Link, Link, Ago)>,
    broken: Vec<Broken>,
    running: Vec<Running>,
    waiting: Vec<Waiting>,
    soon: Vec<(Link, String)>,
    changes: Vec<ChangeRow>,
    lately: Vec<(Pill, String, Option<Time>)>,
}

/// How many broken builders are shown, and how many of them with lines of their logs.
const BROKEN: usize = 50;
const WITH_LINES: usize = 6;

/// How many lines of a log are shown.
const LINES: (u64, Numbers) = (3, Numbers::None);

/// A builder that is broken on a branch.
#[derive(Debug)]
struct Broken {
    name: Link,
    branch: Option<String>,
    tail: Option<Tail>,
    /// The first error, where no lines of the log are shown.
    error: Option<(String, String)>,
    what: String,
    pills: Vec<Pill>,
    since: Time,
    long: String,
    began: Began,
}

/// A builder with requests that wait.
#[derive(Debug)]
struct Waiting {
    pill: Link,
    why: String,
    count: u64,
    since: Option<Time>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (moment, live) = (scene.moment(), &scene.live);
    let overview = Overview::read(state, live, moment)?;
    let builders = Builder::all(Some(state), Some(&scene.config), live, moment)?;
    let running = running(state, scene, &builders)?;
    if !overview.has_built && running.is_empty() {
        return super::empty::show(state, scene);
    }
    let slaves = Slave::all(Some(state), None, live, moment)?;
    let mut broken = Vec::new();
    for (place, (name, line)) in Standing::broken(state)?.iter().take(BROKEN).enumerate() {
        broken.push(Broken::read(
            state,
            scene,
            (name, line),
            place < WITH_LINES,
        )?);
    }
    let away = slaves.iter().filter(|slave| slave.is_away()).take(5);
    let mut changes = Vec::new();
    let newest = state.changes(CHANGES)?;
    for known in &newest {
        changes.push(ChangeRow::read(state, scene, &Change::from(known))?);
    }
    let percent = scene.config.quarantine.quarantine_warning;
    let crowded = state.crowded_steps(percent, scene.now)?;
    let lately = Brief::finished_lately(state, LATELY)?;
    let home = Home {
        builders: builders.len(),
        away: away
            .map(|away| (slave(&away.name), words::slave(scene, away)))
            .collect(),
        crowded: crowded.into_iter().map(crowd).collect(),
        last: newest.first().map(|last| {
            let who = person(&last.content.who);
            (change(last.number), who, scene.ago(last.arrived_at))
        }),
        broken,
        waiting: waiting(scene, &builders),
        soon: words::soon(state, scene)?,
        changes,
        lately: lately
            .iter()
            .map(|build| {
                let at = build.finished_at.map(|at| scene.time(at));
                (pill_of_builder(build), build.text.join(" "), at)
            })
            .collect(),
        running,
        overview,
    };
    let runs = !home.running.is_empty() || !home.soon.is_empty();
    let (title, icon) = match overview.broken {
        0 => ("✓ all good".to_owned(), Tone::Ok),
        n => (format!("✕ {n} broken"), Tone::Fail),
    };
    let shown = Shown::new(title, &home)?.with_icon(icon).running(runs);
    Ok(shown.with_feed(&[("kind", "problems")]))
}

/// Of how many tests the quarantine says nothing good (FLK-07).
fn crowd(row: CrowdedRow) -> (Link, String) {
    let href = format!("{}/tests", address::builder(&row.builder));
    let says = format!(
        "{} of the {} tests of step {} are in quarantine",
        row.quarantined, row.tests, row.step
    );
    (Link::to(row.builder.as_str(), &href), says)
}

impl Broken {
    fn read(
        state: &State,
        scene: &Scene,
        (name, line): (&BuilderName, &Standing),
        with_lines: bool,
    ) -> Result<Self, Refusal> {
        let wanted = Wanted {
            branch: line.branch.as_deref(),
            ..Wanted::default()
        };
        let mut builds = Brief::newest(state, name, wanted, LAST_BUILDS)?;
        builds.retain(|build| build.result.is_some());
        let last = Build::find(state, name, line.last, scene.moment())?;
        let pills = builds.iter().rev();
        let tail = last.as_ref().filter(|_| with_lines);
        let tail = tail.and_then(|build| said(state, build));
        let error = last.as_ref().filter(|_| tail.is_none());
        let error = error.and_then(|build| build.first_error.as_ref());
        Ok(Self {
            error: error_of(name, line.last, error),
            name: Link::to(name.as_str(), &address::builder(name)),
            branch: line.branch.clone(),
            tail,
            what: last
                .as_ref()
                .map_or_else(String::new, |build| build.text.join(" ")),
            pills: pills
                .map(|build| Pill::number(name, build.number, outcome(build)))
                .collect(),
            since: scene.time(line.since_at),
            long: span(scene.since(line.since_at)),
            began: Began::new(name, line.since, &line.began),
        })
    }
}

/// What the log of the step says that failed first.
fn said(state: &State, build: &Build) -> Option<Tail> {
    let failed = |step: &&Step| build.failed_steps.contains(&step.name);
    let step = build.steps.iter().find(failed)?;
    Tail::read(state, build, step, step.logs.first()?, LINES)
}

fn waiting(scene: &Scene, builders: &[Builder]) -> Vec<Waiting> {
    let waiting = builders.iter().filter(|builder| builder.pending > 0);
    let waiting = waiting.map(|builder| {
        let queue = address::with_args("/queue", &[("builder", &builder.name)]);
        let why = scene.live.waits.get(&builder.name);
        Waiting {
            pill: Link::to(builder.name.as_str(), &queue),
            why: why.map_or_else(String::new, |why| scene.with_local_times(why)),
            count: builder.pending,
            since: builder.pending_since.map(|at| scene.time(at)),
        }
    });
    waiting.collect()
}

#[cfg(test)]
mod tests {
    use crate::model::{Results, SourceStamp};
    use crate::web::testing::{Farm, ago};

    #[test]
    fn home_says_what_is_broken_what_runs_and_what_waits() {
        let page = Farm::broken().page("/");
        for text in [
            r##"<a class="fail" href="#broken">1 builder is broken</a>"##,
            r##"<a class="run" href="#running">1 build runs</a>"##,
            r##"<a class="wait" href="#waiting">1 request waits</a>"##,
            r#"build <a href="/builders/linux/builds/1">1</a>, change <a href="/changes/7">7</a> or"#,
            "<title>✕ 1 broken · Brindle</title>",
            "has never connected",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn prb_23_a_builder_stays_broken_while_it_builds_another_branch() {
        let mut farm = Farm::broken();
        let stamp = SourceStamp {
            branch: Some("rel".to_owned()),
            ..SourceStamp::default()
        };
        let build = farm.start_of("linux", 4, stamp, ago(300));
        farm.finish(build, Results::Success, ago(200));
        let page = farm.page("/");
        assert!(page.contains("1 builder is broken"), "{page}");
        assert!(page.contains("test, on main"), "{page}");
        assert!(farm.page("/builders").contains("1 of them broken"));
    }
}
