//! The waterfall: time goes down from now, a column for each builder and one for changes.
//!
//! It reads the builds of each builder by their numbers, a few at a time, until there are as many
//! steps as `num_events` says, the steps of these builds, and at most 200 changes by their numbers.

use std::time::Duration;

use askama::Template;

use super::columns::{self, BRANCH, BUILDER, Head, RELOAD, TAG};
use super::common::{Changes, running};
use super::drawing::{Drawing, Inside, Row};
use crate::model::{BuilderName, ChangeNumber, Timestamp};
use crate::store::State;
use crate::view::{Builder, Change, Slave, Sourced, Standing, Stretch, Timeline};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Time, Tone};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/waterfall",
    args: &[
        BUILDER,
        TAG,
        BRANCH,
        RELOAD,
        Arg::text("project"),
        Arg::text("committer"),
        Arg::flag("failures_only"),
        Arg::flag("show_events"),
        Arg::number("first_time", 0, LATEST),
        Arg::number("last_time", 0, LATEST),
        Arg::number("show_time", 1, LATEST),
        Arg::number("num_events", 1, 1000),
        Arg::text("nobubble"),
    ],
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Entry("Waterfall"),
    show,
};

/// The address of the form with all filters.
pub(super) const HELP: &str = "/waterfall/help";

/// The greatest time in seconds that is understood.
const LATEST: u64 = 100_000_000_000;

/// How many steps are shown if the address does not say, and most changes.
const EVENTS: usize = 200;
const CHANGES: u32 = 200;

#[derive(Debug, Template)]
#[template(path = "waterfall.html", config = "src/web/askama.toml")]
struct Contents {
    since: Time,
    until: Option<Time>,
    tags: Vec<(String, bool)>,
    branch: String,
    failures_only: bool,
    show_events: bool,
    heads: Vec<Head>,
    rows: Vec<Row>,
    earlier: Option<String>,
    filters: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let (moment, live) = (scene.moment(), &scene.live);
    let builders = Builder::all(Some(state), Some(&scene.config), live, moment)?;
    let chosen = columns::chosen(scene).into_iter();
    let mut names: Vec<_> = chosen.map(|builder| builder.name.clone()).collect();
    if scene.args.flag("failures_only") {
        let standings = Standing::all(state)?;
        let is_broken = |name: &BuilderName| standings.get(name).is_some_and(Standing::is_broken);
        let is_offline = |name: &BuilderName| {
            let builder = builders.iter().find(|builder| builder.name == *name);
            builder.is_none_or(|builder| builder.state == "offline")
        };
        names.retain(|name| is_broken(name) || is_offline(name));
    }
    let seconds = |name| {
        scene
            .args
            .number(name)
            .and_then(|secs| i64::try_from(secs).ok())
    };
    let until = seconds("last_time").map(Timestamp::from_secs);
    let to = until.unwrap_or(scene.now);
    let shown_time = seconds("show_time").map(|secs| Timestamp(to.0 - secs * 1_000_000));
    let since = shown_time.or(seconds("first_time").map(Timestamp::from_secs));
    let steps = scene
        .args
        .number("num_events")
        .and_then(|n| usize::try_from(n).ok());
    let stretch = Stretch {
        until,
        since,
        steps: steps.unwrap_or(EVENTS),
    };
    let mut wanted = Wanted::new(scene);
    let timeline = Timeline::read(state, &names, stretch, |build| {
        wanted.is_build(state, build)
    })?;
    let from = beginning(&timeline, since, to);
    let mut drawing = Drawing::new(scene, (from, to));
    let changes = wanted.changes(state, from, until)?;
    drawing.ticks(&timeline);
    drawing.changes(&changes);
    let widths = drawing.builders(&names, &timeline);
    if scene.args.flag("show_events") && until.is_none() {
        let slaves = Slave::all(Some(state), None, live, moment)?;
        drawing.away(&names, &widths, &builders, &slaves);
    }
    let mut heads = Vec::with_capacity(names.len());
    for (name, width) in names.iter().zip(&widths) {
        let builder = builders.iter().find(|builder| builder.name == *name);
        heads.push(Head {
            running: running(state, scene, builder.map_or(&[], std::slice::from_ref))?,
            ..Head::new(name, builder, *width)
        });
    }
    let runs = heads.iter().any(|head| !head.running.is_empty());
    let contents = Contents {
        since: scene.time(from),
        until: until.map(|until| scene.time(until)),
        tags: columns::tags(scene),
        branch: scene.args.text(BRANCH.name).unwrap_or_default().to_owned(),
        failures_only: scene.args.flag("failures_only"),
        show_events: scene.args.flag("show_events"),
        heads,
        rows: drawing.rows(),
        earlier: earlier(scene, &timeline, since),
        filters: with_filters(scene, HELP, &[]),
    };
    let (title, icon) = columns::title(state, "Waterfall")?;
    Ok(Shown::new(title, &contents)?.with_icon(icon).running(runs))
}

/// Where the axis begins.
fn beginning(timeline: &Timeline, since: Option<Timestamp>, to: Timestamp) -> Timestamp {
    let builds = timeline.builds.iter();
    let first = builds.map(|(build, _)| build.brief.started_at).min();
    let from = since.or(timeline.cut_at).or(first);
    let from = from.unwrap_or_else(|| to - Duration::from_secs(3600));
    from.min(to)
}

/// The address of what was before.
fn earlier(scene: &Scene, timeline: &Timeline, since: Option<Timestamp>) -> Option<String> {
    let at = timeline.cut_at.or(since)?;
    let secs = at.0.div_euclid(1_000_000).to_string();
    Some(with_filters(scene, PAGE.path, &[("last_time", &secs)]))
}

/// An address with the filters of this page, those of the time aside, and `more`.
pub(super) fn with_filters(scene: &Scene, path: &str, more: &[(&str, &str)]) -> String {
    let mut args: Vec<(&str, &str)> = Vec::new();
    for arg in PAGE.args.iter().filter(|arg| !arg.name.ends_with("_time")) {
        let values = scene.args.all(arg.name).iter();
        args.extend(values.map(|value| (arg.name, value.as_str())));
    }
    args.extend_from_slice(more);
    address::with_args(path, &args)
}

/// Which builds and changes are wanted.
struct Wanted<'a> {
    branches: Vec<&'a String>,
    projects: Vec<&'a String>,
    committers: Vec<&'a String>,
    known: Changes,
}

impl<'a> Wanted<'a> {
    fn new(scene: &'a Scene) -> Self {
        Self {
            branches: columns::non_empty(scene, BRANCH.name),
            projects: columns::non_empty(scene, "project"),
            committers: columns::non_empty(scene, "committer"),
            known: Changes::default(),
        }
    }

    fn is_tree(&self, branch: Option<&str>, project: &str) -> bool {
        let (branches, projects) = (&self.branches, &self.projects);
        (branches.is_empty() || branches.iter().any(|b| Some(b.as_str()) == branch))
            && (projects.is_empty() || projects.iter().any(|p| p.as_str() == project))
    }

    fn is_build(&mut self, state: &State, build: &Sourced) -> Result<bool, Refusal> {
        let project = build.line.as_ref().map_or("", |line| &line.project);
        if !self.is_tree(build.branch(), project) {
            return Ok(false);
        }
        if self.committers.is_empty() {
            return Ok(true);
        }
        for &number in &build.brief.changes {
            let who = self.known.get(state, number)?.map(|change| &change.who);
            if who.is_some_and(|who| self.committers.contains(&who)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The changes of this time, the newest first.
    fn changes(
        &self,
        state: &State,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Vec<Change>, Refusal> {
        let before = match until {
            Some(until) => state.first_change_after(until)?,
            None => ChangeNumber(u64::MAX),
        };
        let changes = state.changes_before(before, CHANGES)?.into_iter();
        let changes = changes.take_while(|change| change.arrived_at >= from);
        let wanted = changes.filter(|change| {
            let content = &change.content;
            self.is_tree(content.branch.as_deref(), &content.project)
                && (self.committers.is_empty() || self.committers.contains(&&content.who))
        });
        Ok(wanted.map(|change| Change::from(&change)).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn the_waterfall_has_a_box_for_each_build_and_says_what_runs() {
        let page = Farm::broken().page("/waterfall");
        for text in [
            r#"<a class="p fail new" href="/builders/linux/builds/1">1<b> new failure</b></a>"#,
            r#"<a href="/builders/linux/builds/1/steps/test">test</a> <span class="v">failure </span>9:40<br>"#,
            r#"/builders/linux/builds/1/steps/test/logs/stdio">stdio</a>"#,
            r#"<a href="/builders/linux/builds/3/steps/test">test</a> <span class="v">running </span>for 7:00"#,
            r#"<a href="/changes/9">9</a> <span class="u">Jonas</span>"#,
            ">1 waits, no slave<",
            "<title>✕ 1 broken · Waterfall · Brindle</title>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn builds_are_left_out_by_builder_branch_committer_and_time() {
        let farm = Farm::broken();
        for (args, expected) in [
            ("builder=linux", "0123"),
            ("show=a%2Fb+c", ""),
            ("tag=required", "0123"),
            ("category=none", ""),
            ("branch=main", "0123"),
            ("branch=other", ""),
            ("committer=Jonas", "23"),
            ("failures_only=true&show_events=true", "0123"),
            ("num_events=1", "3"),
            ("show_time=3600", "3"),
            // 14:32:10 is 1795699930; build 2 started 6000 s before.
            ("last_time=1795694000", "012"),
            (
                "first_time=1795690000&last_time=1795694000&reload=none",
                "2",
            ),
        ] {
            let page = farm.page(&format!("/waterfall?{args}"));
            for number in ["0", "1", "2", "3"] {
                let href = format!(r#" href="/builders/linux/builds/{number}">{number}<b>"#);
                let is_there = page.contains(&href);
                assert_eq!(
                    is_there,
                    expected.contains(number),
                    "{args} {number}: {page}"
                );
            }
        }
        assert_eq!(farm.get("/waterfall?num_events=x").status, 400);
        let cut = farm.page("/waterfall?num_events=1&builder=linux");
        let earlier = "/waterfall?builder=linux&#38;num_events=1&#38;last_time=1795699510";
        assert!(cut.contains(earlier), "{cut}");
    }

    #[test]
    fn a_page_is_loaded_again_after_the_seconds_of_reload() {
        let farm = Farm::broken();
        assert_eq!(farm.get("/waterfall?reload=60").header("refresh"), "60");
        assert_eq!(farm.get("/waterfall?reload=1").header("refresh"), "15");
        assert_eq!(farm.get("/waterfall").header("refresh"), "");
    }

    #[test]
    fn the_help_of_the_waterfall_has_its_filters() {
        let page = Farm::broken().page("/waterfall/help?builder=linux");
        let chosen = r#"name="builder" value="linux" checked>"#;
        assert!(page.contains(chosen), "{page}");
        assert!(page.contains(r#"name="builder" value="a/b c">"#), "{page}");
    }
}
