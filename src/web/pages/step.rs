//! A step: how it ended, the end of its log, and the same step in the builds around it.

use std::time::Duration;

use askama::Template;

use super::tail::{self, Tail};
use crate::model::{BuildNumber, StepCommand};
use crate::store::State;
use crate::text::size;
use crate::view::{Build, Log, Step};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Outcome, Pill, Progress, Time, span, took};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/builds/{build}/steps/{step}",
    args: &[],
    permission: Permission::View,
    topics: &["build:{builder}/{build}"],
    api: Some("/api/v1/builders/{builder}/builds/{build}/steps/{step}"),
    place: Place::Below("Builders"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "step.html", config = "src/web/askama.toml")]
struct StepPage {
    builder: Link,
    build: Link,
    name: String,
    outcome: Outcome,
    number: usize,
    of: usize,
    of_build: Link,
    took: Option<String>,
    text: String,
    before: Option<Link>,
    after: Option<Link>,
    /// The same step in the builds before and after.
    others: Vec<Pill>,
    tail: Option<Tail>,
    began: Time,
    waited: Option<String>,
    ended: Option<Time>,
    progress: Option<Progress>,
    numbers: Vec<(String, String)>,
    links: Vec<(String, Option<String>)>,
    logs: Vec<(Link, String)>,
    commands: Vec<Command>,
}

/// A command of the step.
#[derive(Debug)]
struct Command {
    line: String,
    directory: String,
    limits: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let build = place::build(state, &scene.args, scene.moment())?;
    let index = place::step(&build, &scene.args)?;
    let step = &build.steps[index];
    if scene.args.part("build") == "-1" {
        return Err(Refusal::Elsewhere {
            to: address::step(&build.builder, build.number, &step.name),
            for_ever: false,
        });
    }
    let page = StepPage::new(state, scene, &build, index)?;
    let (outcome, runs) = (page.outcome, step.finished_at.is_none());
    let title = format!("{} · {} {}", step.name, build.builder, build.number);
    Ok(Shown::new(title, &page)?.of(outcome).running(runs))
}

impl StepPage {
    fn new(state: &State, scene: &Scene, build: &Build, index: usize) -> Result<Self, Refusal> {
        let step = &build.steps[index];
        let (builder, number) = (&build.builder, build.number);
        let to_step = |step: &Step| {
            let href = address::step(builder, number, &step.name);
            Link::to(&step.name, &href)
        };
        let around = [number.0.checked_sub(1), number.0.checked_add(1)];
        let mut others = Vec::new();
        for other in around.into_iter().flatten().map(BuildNumber) {
            let found = Build::find(state, builder, other, scene.moment())?;
            let steps = found.map_or_else(Vec::new, |build| build.steps);
            if let Some(same) = steps.iter().find(|other| other.name == step.name) {
                let href = address::step(builder, other, &same.name);
                let outcome = Outcome::of(same.result, None);
                others.push(Pill::link(format!("in {other}"), href, outcome));
            }
        }
        let page = address::build(builder, number);
        let first = step.logs.first();
        let statistics = step.statistics.iter();
        let waited = step.working_since.map(|at| at.since(step.started_at));
        Ok(Self {
            builder: Link::to(builder.as_str(), &address::builder(builder)),
            build: Link::to(&number.to_string(), &page),
            name: step.name.clone(),
            outcome: Outcome::of(step.result, None),
            number: index + 1,
            of: build.planned.len().max(build.steps.len()),
            of_build: Link::to(&format!("{builder} {number}"), &page),
            took: step.took.map(took),
            text: step.text.join(" "),
            before: index.checked_sub(1).map(|at| to_step(&build.steps[at])),
            after: build.steps.get(index + 1).map(to_step),
            others,
            tail: first.and_then(|log| Tail::read(state, build, step, log, tail::LINES)),
            began: scene.second(step.started_at),
            waited: waited.filter(|time| time.as_secs() > 0).map(took),
            ended: step.finished_at.map(|at| scene.second(at)),
            progress: step.remaining.map(|left| {
                let start = scene.local(step.started_at);
                let gone = scene.since(step.started_at);
                Progress::new(step.name.clone(), start, gone, left)
            }),
            numbers: statistics
                .map(|(k, v)| (k.clone(), v.to_string()))
                .collect(),
            links: step.links.iter().map(outside).collect(),
            commands: step.commands.iter().map(Command::new).collect(),
            logs: step
                .logs
                .iter()
                .map(|log| listed(build, step, log))
                .collect(),
        })
    }
}

impl Command {
    fn new(command: &StepCommand) -> Self {
        let limit = |seconds: Option<f64>, what: &str| {
            let limit = Duration::try_from_secs_f64(seconds?).ok()?;
            Some(format!("{} {what}", span(limit)))
        };
        let limits = [
            limit(command.timeout, "without output"),
            limit(command.max_time, "in all"),
            command
                .max_lines
                .map(|lines| format!("{lines} lines of output")),
        ];
        let limits: Vec<_> = limits.into_iter().flatten().collect();
        Self {
            line: command.command.clone(),
            directory: command.workdir.clone(),
            limits: limits.join(", "),
        }
    }
}

/// A link of the step; without an address that is fit for a link, only its text.
fn outside(link: &crate::view::Link) -> (String, Option<String>) {
    let href = address::outside(&link.url).map(ToOwned::to_owned);
    (link.name.clone(), href)
}

/// A log in the list of logs.
fn listed(build: &Build, step: &Step, log: &Log) -> (Link, String) {
    let href = address::log(&build.builder, build.number, &step.name, &log.name);
    let size = match log.bytes {
        Some(bytes) => size(bytes),
        None if build.finished_at.is_none() => "grows".to_owned(),
        None => String::new(),
    };
    (Link::to(&log.name, &href), size)
}

#[cfg(test)]
mod tests {
    use crate::logs::Channel::{Header, Stdout};
    use crate::web::testing::Farm;

    fn farm() -> Farm {
        let mut farm = Farm::broken();
        let text: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let pieces = [(Stdout, text.as_bytes()), (Header, b"exit code 1\n")];
        farm.step_log("builders/b/1/0-test/stdio", &pieces, true);
        farm
    }

    #[test]
    fn a_step_shows_its_end_and_the_steps_around_it() {
        let page = farm().page("/builders/linux/builds/1/steps/test");
        for expected in [
            "<h1>test <span class=\"p fail big\">failure</span></h1>",
            "Step 1 of 2 of <a href=\"/builders/linux/builds/1\">linux 1</a>, 9 min 40 s",
            "31 lines, ",
            "?line=18#L18\">18</a>line 18",
            "<span class=\"l h\"><a",
            "href=\"/builders/linux/builds/0/steps/test\">in 0<b> success</b></a>",
            "href=\"/builders/linux/builds/2/steps/test\">in 2<b> failure</b></a>",
            "<a href=\"/builders/linux/builds/1/steps/test/logs/stdio\">stdio</a>",
        ] {
            assert!(page.contains(expected), "{expected}\n{page}");
        }
        assert!(!page.contains("line 17"));
    }

    #[test]
    fn a_step_that_failed_shows_the_first_error_of_its_output() {
        let mut farm = Farm::broken();
        let mut text: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        text += "a.c:1: error: no\n";
        text += &"more\n".repeat(30);
        let pieces = [
            (Header, &b"sh -c 'echo error: x'\n"[..]),
            (Stdout, text.as_bytes()),
        ];
        farm.step_log("builders/b/2/0-test/stdio", &pieces, true);
        farm.step_log("builders/b/1/0-test/stdio", &pieces, true);
        let page = farm.page("/builders/linux/builds/1/steps/test");
        assert!(page.contains("around the first error"), "{page}");
        let line = "<span class=\"l on\"><a";
        assert!(
            page.contains(line) && page.contains(">32</a>a.c:1: error: no"),
            "{page}"
        );
        assert!(page.contains("?line=32#L32\">Line 32</a>"), "{page}");
        let home = farm.page("/");
        assert!(home.contains("a.c:1: error: no"), "{home}");
    }

    #[test]
    fn a_step_may_be_named_by_its_number_and_runs_or_has_no_log() {
        let page = farm().page("/builders/linux/builds/3/steps/0");
        assert!(page.contains("<h1>test <span class=\"p run big\">running</span></h1>"));
        let last = farm().get("/builders/linux/builds/-1/steps/test");
        let to = "/builders/linux/builds/3/steps/test";
        assert_eq!((last.status.as_u16(), last.header("location")), (302, to));
        let missing = farm().get("/builders/linux/builds/1/steps/tset");
        assert_eq!(missing.status.as_u16(), 404);
        let near = "Did you mean <a href=\"/builders/linux/builds/1/steps/test\">test</a>?";
        assert!(missing.text.contains(near), "{}", missing.text);
    }
}
