//! One build: what failed, whether that is news, since which change; its steps, changes and facts.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;

use super::build_problems::{ProblemRow, began, count, links};
use super::buttons::Buttons;
use super::common::{
    Changes, Running, error_of, first_line, links_to, not_found, or_changes, owners_of,
    pill_of_builder, properties,
};
use super::tail::{self, Tail};
use crate::model::{BuildNumber, BuilderName, ChangeNumber, Results};
use crate::store::State;
use crate::store::read::{Among, FromEnd, Wanted};
use crate::text::{and, size};
use crate::view::{Brief, Build, BuildPage, Change, Log, Source, Sourced, Step};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{
    Bar, Link, Links, Mark, Outcome, Pill, Since, Time, Tone, change, person, revision, slave,
    span, took,
};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/builders/{builder}/builds/{build}",
    args: &[],
    permission: Permission::View,
    topics: &["build:{builder}/{build}"],
    api: Some("/api/v1/builders/{builder}/builds/{build}"),
    place: Place::Below("Builders"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "build.html", config = "src/web/askama.toml")]
struct Contents {
    builder: BuilderName,
    builder_href: String,
    number: BuildNumber,
    outcome: Outcome,
    sentence: String,
    good: Option<Pill>,
    began: Links,
    previous: Option<(BuildNumber, String)>,
    next: Option<(BuildNumber, String)>,
    running: Option<Running>,
    /// How many problems there are of which kind.
    problem_count: String,
    problems: Vec<ProblemRow>,
    steps: Vec<StepRow>,
    /// Steps that a running build has not begun.
    to_come: Vec<String>,
    not_run: Vec<String>,
    properties: Vec<(String, String, String)>,
    changes: Vec<ChangeRow>,
    since_good: bool,
    revision: Option<Link>,
    branch: Option<String>,
    /// The codebases with their sources, if there are several.
    sources: Vec<(String, String)>,
    is_try: bool,
    elsewhere: Vec<Pill>,
    blamelist: Links,
    /// Who cares for the builder and for the changed files.
    owners: Links,
    slave: Link,
    slave_choice: String,
    started: Time,
    finished: Option<Time>,
    took: String,
    usual: String,
    reason: String,
    stop_reason: Option<String>,
    /// The first error, and where it is.
    error: Option<(String, String)>,
    trail: Vec<(Time, Vec<Piece>)>,
    logs_pruned: bool,
    buttons: Buttons,
}

/// Some words of a sentence, or a link.
#[derive(Debug)]
enum Piece {
    Text(String),
    Link(Link),
}

#[derive(Debug)]
struct StepRow {
    index: usize,
    name: String,
    href: String,
    mark: Mark,
    text: String,
    links: Vec<(String, Option<String>)>,
    logs: Vec<(String, String, String)>,
    took: String,
    since: Option<Since>,
    bar: Bar,
    tail: Option<Tail>,
}

#[derive(Debug)]
struct ChangeRow {
    number: Link,
    title: String,
    who: Link,
    when: Time,
    revision: Option<Link>,
    files: String,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let builder = place::builder(state, &scene.args)?;
    let number = number(state, scene, &builder)?;
    let Some(page) = BuildPage::find(state, &builder, number, scene.moment())? else {
        return Err(missing(state, &builder, number)?);
    };
    let build = &page.build;
    let outcome = Outcome::of(build.result, build.news);
    let wanted = Wanted {
        before: Some(number),
        ..Wanted::default()
    };
    let before = Brief::newest(state, &builder, wanted, BEFORE)?;
    let good = last_good(build, &before);
    let numbers = changes_since(build, &before, good);
    let began = began(state, build, &numbers)?;
    let whole = build.took.unwrap_or_default() + remaining(build);
    let running = build
        .result
        .is_none()
        .then(|| Running::new(build.clone(), scene));
    let contents = Contents {
        builder_href: address::builder(&builder),
        number,
        outcome,
        sentence: sentence(build),
        good: good.map(|good| {
            let outcome = Outcome::of(good.result, good.news);
            Pill::number(&builder, good.number, outcome)
        }),
        began: or_changes(&began),
        previous: before
            .first()
            .map(|b| (b.number, address::build(&builder, b.number))),
        next: state
            .build(&builder, number.next())?
            .map(|row| (row.number, address::build(&builder, row.number))),
        running,
        problem_count: count(build),
        problems: ProblemRow::all(build),
        steps: build
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.hidden)
            .map(|(index, step)| StepRow::new(state, scene, build, (index, step), whole))
            .collect(),
        to_come: to_come(build),
        not_run: build.not_run.clone(),
        properties: properties(&build.properties),
        since_good: numbers.len() > build.changes.len(),
        changes: change_rows(state, scene, &numbers)?,
        revision: build.revision.as_deref().map(revision),
        branch: build.branch.clone().filter(|_| build.sources.is_empty()),
        sources: Source::in_words(&build.sources),
        is_try: build.is_try,
        elsewhere: elsewhere(state, build)?,
        blamelist: Links::new(build.blamelist.iter().map(|who| person(who)), "", 20),
        owners: owners(state, scene, build)?,
        slave: slave(&build.slave),
        slave_choice: build.slave_choice.clone(),
        started: scene.second(build.started_at),
        finished: build.finished_at.map(|at| scene.second(at)),
        took: build.took.map_or_else(String::new, took),
        usual: usual(build, &before),
        reason: build.reason.clone(),
        stop_reason: build.stop_reason.clone(),
        error: error_of(&build.builder, build.number, build.first_error.as_ref()),
        trail: trail(scene, &page),
        logs_pruned: page.logs_pruned,
        buttons: Buttons::of_build(state, scene, build)?,
        builder: builder.clone(),
    };
    let title = title(build, outcome);
    let shown = Shown::new(title, &contents)?.of(outcome);
    Ok(shown.running(build.result.is_none()))
}

/// The newest build of each other builder that has the same newest change.
fn elsewhere(state: &State, build: &Build) -> Result<Vec<Pill>, Refusal> {
    let Some(&newest) = build.changes.last() else {
        return Ok(Vec::new());
    };
    let mut others = BTreeMap::new();
    for other in Sourced::of_changes(state, &[newest])? {
        let is_same = other.brief.changes.last() == Some(&newest) && !other.is_try;
        if is_same && other.brief.builder != build.builder {
            others.insert(other.brief.builder.clone(), other.brief);
        }
    }
    Ok(others
        .values()
        .take(ELSEWHERE)
        .map(pill_of_builder)
        .collect())
}

/// Who cares for the builder, and for the files of the newest changes of the build.
fn owners(state: &State, scene: &Scene, build: &Build) -> Result<Links, Refusal> {
    let mut owners = scene.config.owners_of_builder(build.builder.as_str());
    let numbers = build.changes.iter().rev().take(OWNED);
    let mut changes = Vec::new();
    for &number in numbers {
        changes.extend(state.change(number)?.as_ref().map(Change::from));
    }
    owners.extend(owners_of(state, scene, &changes)?);
    owners.sort();
    owners.dedup();
    Ok(Links::new(links_to(owners), "", 20))
}

/// How many changes of a build are looked at for the owners of their files.
const OWNED: usize = 50;

/// How many builds of other builders are shown.
const ELSEWHERE: usize = 60;

/// How many builds before this one are compared with it.
const BEFORE: u32 = 100;

/// The number in the address: `-1` is the last build and leads to its number.
pub(super) fn number(
    state: &State,
    scene: &Scene,
    builder: &BuilderName,
) -> Result<BuildNumber, Refusal> {
    let asked = scene.args.part("build");
    let back = asked.strip_prefix('-').and_then(|back| back.parse().ok());
    if let Some(back) = back {
        let place = FromEnd::Back(back);
        let found = state.build_from_end(builder, place, Among::All)?;
        let found = found.ok_or_else(|| not_found("build", asked))?;
        return Err(Refusal::Elsewhere {
            to: address::build(builder, found),
            for_ever: false,
        });
    }
    let number = asked.parse().map_err(|_| not_found("build", asked))?;
    Ok(BuildNumber(number))
}

/// The refusal of a build that is not there: pruned, or not built yet.
pub(super) fn missing(
    state: &State,
    builder: &BuilderName,
    number: BuildNumber,
) -> Result<Refusal, Refusal> {
    if state.was_build(builder, number)? {
        return Ok(Refusal::Gone {
            sentence: format!("Build {number} of {builder} was removed (build_horizon)."),
        });
    }
    let newest = state.build_from_end(builder, FromEnd::Back(1), Among::All)?;
    let near = newest.map(|newest| {
        let name = format!("{newest}, the newest build");
        (name, address::build(builder, newest))
    });
    Ok(Refusal::NotFound {
        what: "build",
        name: format!("{builder} {number}"),
        near: near.into_iter().collect(),
    })
}

/// The last good build before a build that failed.
fn last_good<'a>(build: &Build, before: &'a [Brief]) -> Option<&'a Brief> {
    let is_bad = build.result == Some(Results::Failure);
    let mut good = before
        .iter()
        .filter(|b| b.result.is_some_and(Results::is_success_like));
    is_bad.then(|| good.next()).flatten()
}

/// The changes since the last good build, this build's own at the end.
fn changes_since(build: &Build, before: &[Brief], good: Option<&Brief>) -> Vec<ChangeNumber> {
    let after = |b: &&Brief| good.is_some_and(|good| b.number > good.number);
    let between = before.iter().filter(after).flat_map(|b| &b.changes);
    let mut all: Vec<_> = between.chain(&build.changes).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn sentence(build: &Build) -> String {
    let after = build.took.map(|time| format!(" after {}", took(time)));
    let after = after.unwrap_or_default();
    let steps = and(&build.failed_steps);
    match build.result {
        None => {
            let step = build.steps.iter().rev().find(|step| step.result.is_none());
            match step {
                Some(step) => format!("In {}.", step.name),
                None => "Between two steps.".to_owned(),
            }
        }
        Some(Results::Success) => format!("Succeeded{after}."),
        Some(Results::Warnings) => format!("Succeeded with warnings{after}."),
        Some(Results::Failure) if steps.is_empty() => format!("Failed{after}."),
        Some(Results::Failure) => format!("Failed in {steps},{after}."),
        Some(Results::Exception) => format!("Ended with an exception{after}."),
        Some(Results::Retry) => format!("Interrupted{after}; it is built again."),
        Some(Results::Skipped) => "Skipped.".to_owned(),
    }
}

fn title(build: &Build, outcome: Outcome) -> String {
    let name = format!("{} {}", build.builder, build.number);
    match (build.result, build.failed_steps.first()) {
        (None, _) => match build.remaining.filter(|left| left.0 > 0.0) {
            Some(left) => {
                let left = Duration::try_from_secs_f64(left.0).unwrap_or_default();
                format!("{}: {name}", span(left))
            }
            None => format!("{name}: running"),
        },
        (Some(_), Some(step)) => format!("{name}: {} in {step}", outcome.word()),
        (Some(_), None) => format!("{name}: {}", outcome.word()),
    }
}

fn remaining(build: &Build) -> Duration {
    let left = build.remaining.map_or(0.0, |left| left.0.max(0.0));
    Duration::try_from_secs_f64(left).unwrap_or_default()
}

/// How the time of a build compares with the usual.
fn usual(build: &Build, before: &[Brief]) -> String {
    let (Some(time), Some(usual)) = (build.took, Brief::usual(before)) else {
        return String::new();
    };
    if build.result.is_none() {
        return format!("usually {}", took(usual));
    }
    let (more, less) = (time.saturating_sub(usual), usual.saturating_sub(time));
    match more.max(less).as_secs() {
        0..2 => "as usual".to_owned(),
        _ if more > less => format!("{} longer than usual", took(more)),
        _ => format!("{} less than usual", took(less)),
    }
}

fn change_rows(
    state: &State,
    scene: &Scene,
    numbers: &[ChangeNumber],
) -> Result<Vec<ChangeRow>, Refusal> {
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    for &number in numbers.iter().rev().take(MOST_CHANGES) {
        if let Some(known) = changes.get(state, number)? {
            let shown = known.files.iter().take(MOST_FILES);
            let mut files = crate::text::commas(shown);
            let more = known.files.len().saturating_sub(MOST_FILES);
            if more > 0 {
                files += &format!(" and {more} more");
            }
            rows.push(ChangeRow {
                number: change(number),
                title: first_line(&known.comments),
                who: person(&known.who),
                when: scene.time(known.when),
                revision: known.revision.as_deref().map(revision),
                files,
            });
        }
    }
    Ok(rows)
}

/// Maximum number of changes on the page, and of files of each.
const MOST_CHANGES: usize = 50;
const MOST_FILES: usize = 8;

/// How the build came about.
fn trail(scene: &Scene, page: &BuildPage) -> Vec<(Time, Vec<Piece>)> {
    let text = |text: &str| Piece::Text(text.to_owned());
    let mut trail = Vec::new();
    for set in &page.trail.sets {
        let id = set.id.to_string();
        let mut pieces = vec![
            text("build set "),
            Piece::Link(Link::to(&id, &address::build_set(set.id))),
        ];
        if let Some(scheduler) = &set.scheduler {
            let link = Link::to(scheduler.as_str(), &address::scheduler(scheduler));
            pieces.extend([text(" of scheduler "), Piece::Link(link)]);
        }
        trail.push((set.submitted_at, pieces));
    }
    for request in &page.trail.requests {
        let id = request.id.to_string();
        let waited = page.build.started_at.since(request.submitted_at);
        let link = Link::to(&id, &address::request(request.id));
        let pieces = vec![
            text("request "),
            Piece::Link(link),
            Piece::Text(format!(" waited {}", took(waited))),
        ];
        trail.push((request.submitted_at, pieces));
    }
    let began = vec![text("began on "), Piece::Link(slave(&page.build.slave))];
    trail.push((page.build.started_at, began));
    if let (Some(at), Some(result)) = (page.build.finished_at, page.build.result) {
        trail.push((at, vec![Piece::Text(format!("ended: {result}"))]));
    }
    let trail = trail.into_iter();
    trail
        .map(|(at, pieces)| (scene.second(at), pieces))
        .collect()
}

impl StepRow {
    fn new(
        state: &State,
        scene: &Scene,
        build: &Build,
        (index, step): (usize, &Step),
        whole: Duration,
    ) -> Self {
        let outcome = Outcome::of(step.result, None);
        let href = |log: &Log| address::log(&build.builder, build.number, &step.name, &log.name);
        let logs = step.logs.iter().map(|log| {
            let bytes = log.bytes.map_or_else(String::new, size);
            (log.name.clone(), href(log), bytes)
        });
        let is_of_interest = step.result.is_none() || outcome.tone() == Tone::Fail;
        let shown = step.logs.first().filter(|_| is_of_interest);
        let begin = step.started_at.since(build.started_at);
        let since = scene.since(step.started_at);
        Self {
            index,
            name: step.name.clone(),
            href: address::step(&build.builder, build.number, &step.name),
            mark: Mark::new(outcome),
            text: step.text.join(" "),
            links: links(build, step),
            logs: logs.collect(),
            took: step.took.map_or_else(String::new, took),
            since: step
                .result
                .is_none()
                .then(|| Since::new(scene.local(step.started_at), since)),
            bar: Bar::new(
                outcome.tone(),
                begin,
                begin + step.took.unwrap_or_default(),
                whole,
            ),
            tail: shown.and_then(|log| Tail::read(state, build, step, log, tail::LINES)),
        }
    }
}

/// The steps that a running build has not begun.
fn to_come(build: &Build) -> Vec<String> {
    let begun = |name: &String| build.steps.iter().any(|step| step.name == *name);
    let planned = build.planned.iter().filter(|_| build.result.is_none());
    planned.filter(|name| !begun(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use crate::logs::Channel;
    use crate::model::Results;
    use crate::web::testing::{Farm, ago};

    #[test]
    fn a_running_build_names_the_steps_to_come() {
        let farm = Farm::broken();
        let to_come = r#"pack</span><span class="d">not begun</span>"#;
        let page = farm.page("/builders/linux/builds/3");
        assert!(page.contains(to_come), "{page}");
        let over = farm.page("/builders/linux/builds/2");
        assert!(!over.contains("not begun"), "{over}");
    }

    #[test]
    fn a_failed_step_shows_the_end_of_its_log_as_text() {
        let farm = Farm::broken();
        let lines: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let text = format!("{lines}\x1b[31m<script>alert(1)</script>\x1b[0m\n");
        farm.log("builders/b/1/0-test/stdio", &[(Channel::Stdout, &text)]);
        let page = farm.page("/builders/linux/builds/1");
        assert!(
            page.contains("line 18\n") && !page.contains("line 17\n"),
            "{page}"
        );
        assert!(
            page.contains("<span class=\"a1\">&#60;script&#62;alert(1)&#60;/script&#62;</span>\n"),
            "{page}"
        );
        assert!(
            page.contains(r##"/steps/test/logs/stdio?line=31#L31"##),
            "{page}"
        );
    }

    #[test]
    fn builds_are_named_from_the_end_and_those_that_are_not_there_name_the_newest() {
        let farm = Farm::broken();
        let last = farm.get("/builders/linux/builds/-1");
        assert_eq!(last.status, 302);
        assert_eq!(last.header("location"), "/builders/linux/builds/3");
        let none = farm.get("/builders/linux/builds/9");
        assert_eq!(none.status, 404);
        assert!(none.text.contains("3, the newest build"), "{}", none.text);
        assert_eq!(farm.get("/builders/linux/builds/x").status, 404);
    }

    #[test]
    fn a_running_build_says_what_it_is_in() {
        let page = Farm::broken().page("/builders/linux/builds/3");
        assert!(page.contains("In test."), "{page}");
        assert!(page.contains(r#"<span data-since="2026-11-26T14:25:10+01:00">7 min</span>"#));
    }

    #[test]
    fn prb_23_a_build_says_whether_its_failure_is_news_and_which_change_began_it() {
        let page = Farm::broken().page("/builders/linux/builds/1");
        for text in [
            r#"<span class="p fail new big">new failure</span>"#,
            r#"/builds/0">0<b> success</b></a> was good, so change <a href="/changes/7">7</a> or <a href="/changes/8">8</a> began it."#,
            "Failed in test, after 9 min 40 s.",
            "no other slave was idle",
            r#"href="/builders/linux/builds/2" rel="next""#,
            "<title>✕ linux 1: new failure in test · Brindle</title>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        let still = Farm::broken().page("/builders/linux/builds/2");
        assert!(still.contains("still failing"), "{still}");
        assert!(still.contains("since the last good build"), "{still}");
    }

    #[test]
    fn text_from_outside_is_never_html() {
        let hostile = "\"><script>alert(1)</script>\u{202e}\u{0}\u{1b}[2J";
        let mut farm = Farm::new();
        let change = farm.change(1, hostile, hostile);
        let build = farm.start("linux", 0, vec![change], ago(60));
        farm.hostile_step(build, hostile);
        farm.finish(build, Results::Failure, ago(30));
        for address in [
            "/",
            "/builders",
            "/builders/linux",
            "/builders/linux/builds/0",
            "/changes",
            "/changes/1",
            "/queue/1",
            "/buildsets/1",
            "/buildslaves/oak",
            "/schedulers/quick",
            "/waterfall",
            "/console",
            "/grid",
            "/tgrid",
            "/one_line_per_build",
            "/buildstatus?builder=linux",
            "/revisions/r1",
            "/search?q=script",
        ] {
            let page = farm.page(address);
            assert!(!page.contains("<script>alert"), "{address}: {page}");
            assert!(!page.contains("javascript:"), "{address}: {page}");
        }
    }
}
