//! What templates and pushes see of a build or a set (MSG-02): facts of the letter, and what the
//! state has to say of them.

use serde_json::{Map, Value as Json, json};

use crate::config::Config;
use crate::logs::{Channel, LogReader};
use crate::model::{BuildFacts, NewsMode, Results, SetId, build_url};
use crate::store::{State, StoreError};
use crate::view::{Build, Change, Moment, Step, StepTests, old_json};

/// Lines of the failing step (MAL-07).
const LINES: u64 = 20;

/// Problems of a build that are told.
const MOST_PROBLEMS: usize = 20;

/// Failing tests of a build that are told (MAL-07).
const MOST_TESTS: usize = 20;

/// Changes that are told of a build.
const MOST_CHANGES: usize = 50;

/// Characters of a line.
const LONGEST_LINE: usize = 1000;

/// A build with what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The build.
    pub(super) build: Build,
    /// What is said.
    pub(super) objects: Json,
}

/// What is said of a build; absent if it was pruned.
pub(super) fn of_build(
    state: &State,
    config: &Config,
    facts: &BuildFacts,
    modes: &[NewsMode],
) -> Result<Option<Told>, StoreError> {
    let moment = Moment {
        is_running: false,
        // Claims of problems are of the past when a letter is read.
        now: crate::model::Timestamp(i64::MAX),
    };
    let Some(build) = Build::of_id(state, facts.build, moment)? else {
        return Ok(None);
    };
    let mut changes = Vec::new();
    for &number in build.changes.iter().rev().take(MOST_CHANGES) {
        changes.extend(
            state
                .change(number)?
                .map(|change| json!(Change::from(&change))),
        );
    }
    let since = match facts.since.filter(|since| *since != facts.number) {
        Some(number) => {
            let first = state.build(&facts.builder, number)?;
            json!({ "number": number, "blamelist": first.map(|first| first.blamelist) })
        }
        None => Json::Null,
    };
    let url = build_url(&config.buildbot_url, &build.builder, build.number);
    let mut objects = json!({
        "master": master(config),
        "builder": builder(config, &build),
        "build": build,
        "stamps": stamps(&build),
        "changes": changes,
        "blamelist": build.blamelist,
        "previous": facts.ending.previous.map(Results::as_str),
        "judgement": facts.ending.judgement.map(crate::model::Judgement::as_str),
        "opening": facts.ending.opening(modes),
        "since": since,
        "problems": problems(config, &build),
        "cause": null,
        "person": null,
        "links": { "build": url, "master": config.buildbot_url },
        "failing_step": failing_step(state, config, &build),
        "failing_tests": failing_tests(state, &build)?,
    });
    if let Some(told) = objects.get_mut("build") {
        told["url"] = json!(url);
        // What it came to is a fact of the letter.
        told["result"] = json!(facts.ending.result.as_str());
    }
    Ok(Some(Told { build, objects }))
}

/// The problems that are new with a build, there still, or fixed by it (PRB-23).
fn problems(config: &Config, build: &Build) -> Vec<Json> {
    let base = config.buildbot_url.trim_end_matches('/');
    let problems = build.problems.iter().take(MOST_PROBLEMS).map(|one| {
        let mut problem = json!(one);
        problem["words"] = json!(one.words());
        problem["url"] = json!(format!("{base}/problems/{}", one.problem));
        problem
    });
    problems.collect()
}

/// What is said of a set with these builds.
pub(super) fn of_set(config: &Config, set: SetId, builds: &[Told], more: u64) -> Json {
    let first = builds.first().map(|told| &told.objects);
    let of_first = |name: &str| first.and_then(|first| first.get(name)).cloned();
    let mut blamelist: Vec<&String> = builds.iter().flat_map(|b| &b.build.blamelist).collect();
    blamelist.sort();
    blamelist.dedup();
    let base = config.buildbot_url.trim_end_matches('/');
    let builds: Vec<_> = builds.iter().map(|told| told.objects.clone()).collect();
    json!({
        "master": master(config),
        "set": { "number": set, "more": more },
        "builds": builds,
        "stamps": of_first("stamps"),
        "blamelist": blamelist,
        "problems": [],
        "cause": null,
        "person": null,
        "links": { "set": format!("{base}/buildsets/{set}"), "master": config.buildbot_url },
    })
}

pub(super) fn master(config: &Config) -> Json {
    json!({
        "title": config.title,
        "title_url": config.title_url,
        "url": config.buildbot_url,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn builder(config: &Config, build: &Build) -> Json {
    let known = config.builder(build.builder.as_str());
    json!({
        "name": build.builder,
        "tags": known.map_or(&[][..], |known| &known.tags),
        "description": known.map_or("", |known| &known.description),
    })
}

/// The sources of a build, one of each codebase.
fn stamps(build: &Build) -> Json {
    if !build.sources.is_empty() {
        let mut stamps = json!(build.sources);
        for stamp in stamps.as_array_mut().into_iter().flatten() {
            stamp["patch"] = json!(build.is_try);
        }
        return stamps;
    }
    json!([{
        "branch": build.branch,
        "revision": build.revision,
        "repository": build.repository,
        "project": build.project,
        "codebase": build.codebase,
        "patch": build.is_try,
    }])
}

/// The tests that failed in a build: those that are new before the others.
fn failing_tests(state: &State, build: &Build) -> Result<Json, StoreError> {
    let mut tests = Vec::new();
    for step in StepTests::of_build(state, build)? {
        let failing = step.tests.iter().filter(|test| test.result.is_bad());
        tests.extend(failing.map(|test| {
            let text = test.text.as_deref().map(shortened);
            let told = json!({
                "step": step.step, "name": test.name.shown(), "text": text,
                "is_new": test.is_new, "since": test.since,
            });
            (!test.is_new, told)
        }));
    }
    tests.sort_by_key(|(is_old, _)| *is_old);
    let more = tests.len().saturating_sub(MOST_TESTS);
    let tests = tests.into_iter().take(MOST_TESTS).map(|(_, told)| told);
    Ok(json!({ "tests": tests.collect::<Vec<_>>(), "more": more }))
}

/// A line as people can read it.
fn shortened(line: &str) -> String {
    let line = crate::text::printable(line);
    line.chars().take(LONGEST_LINE).collect()
}

/// The last lines of the step that made the build fail.
fn failing_step(state: &State, config: &Config, build: &Build) -> Json {
    let is_bad = |step: &&Step| {
        matches!(step.result, Some(Results::Failure | Results::Exception)) && !step.logs.is_empty()
    };
    let result = build.result.filter(|result| !result.is_success_like());
    let Some(step) = build.steps.iter().find(is_bad).filter(|_| result.is_some()) else {
        return Json::Object(Map::new());
    };
    let mut logs = step.logs.iter();
    let log = logs.find(|log| log.name == "stdio").or(step.logs.last());
    let Some(log) = log else {
        return Json::Object(Map::new());
    };
    let lines = last_lines(state, &log.path).unwrap_or_default();
    let url = log_url(config, build, &step.name, &log.name);
    json!({ "step": step.name, "log": log.name, "lines": lines, "url": url })
}

/// The address of a log.
pub(super) fn log_url(config: &Config, build: &Build, step: &str, log: &str) -> String {
    let of_build = (&build.builder, build.number);
    old_json::log_url(&config.buildbot_url, of_build, step, log)
}

fn last_lines(state: &State, path: &str) -> std::io::Result<Vec<String>> {
    let mut reader = LogReader::open(state.basedir(), path)?;
    let extent = reader.extent()?;
    // Beside what the master itself says at the end of a log.
    let first = extent.lines.saturating_sub(2 * LINES).max(1);
    let window = reader.window(first, usize::try_from(2 * LINES + 1).unwrap_or(0))?;
    let mut lines: Vec<String> = Vec::new();
    for line in &window.lines {
        let is_header = |piece: &crate::logs::reader::Piece| piece.channel == Channel::Header;
        if line.pieces.is_empty() || !line.pieces.iter().all(is_header) {
            let text = String::from_utf8_lossy(&line.text);
            lines.push(shortened(&text));
        }
    }
    let extra = lines
        .len()
        .saturating_sub(usize::try_from(LINES).unwrap_or(0));
    lines.drain(..extra);
    Ok(lines)
}

/// Objects of a build that never was, by which templates are checked (MSG-03).
pub(super) fn sample() -> Json {
    json!({
        "master": {
            "title": "Widget", "title_url": "https://example.org/",
            "url": "https://ci.example.org/", "version": env!("CARGO_PKG_VERSION"),
        },
        "builder": { "name": "full", "tags": ["release"], "description": "" },
        "build": {
            "number": 7, "result": "failure", "text": ["failed", "test"], "reason": "scheduler",
            "slave": "bot", "stop_reason": null, "failed_steps": ["test"], "steps": [],
            "properties": {}, "url": "https://ci.example.org/builders/full/builds/7",
            "started_at": "2020-01-01T00:00:00.000Z", "finished_at": "2020-01-01T00:01:00.000Z",
            "took": 60.0,
        },
        "stamps": [{
            "branch": "main", "revision": "abc", "repository": "https://example.org/widget.git",
            "project": "widget", "codebase": "", "patch": false,
        }],
        "changes": [{
            "number": 3, "who": "ann", "comments": "fix it\n", "revision": "abc", "files": ["a.c"],
            "branch": "main",
        }],
        "blamelist": ["ann"],
        "previous": "success",
        "judgement": "new",
        "opening": "new failure",
        "since": null,
        "problems": [],
        "cause": null,
        "person": null,
        "links": {
            "build": "https://ci.example.org/builders/full/builds/7",
            "master": "https://ci.example.org/",
        },
        "failing_step": {
            "step": "test", "log": "stdio", "lines": ["1 failed"],
            "url": "https://ci.example.org/builders/full/builds/7/steps/test/logs/stdio",
        },
        "failing_tests": {
            "tests": [{
                "step": "test", "name": "net.connect", "text": "refused", "is_new": true,
                "since": 7,
            }],
            "more": 0,
        },
        "not_attached": [],
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn msg_02_the_readme_names_all_objects_of_templates() {
        let readme = include_str!("../../../README.md");
        let (_, table) = readme.split_once("| object | meaning |").unwrap();
        let table = table.split("\n\n").next().unwrap();
        let not_told = ["problems", "cause", "person", "not_attached"];
        let sample = sample();
        let of_set = of_set(&Config::default(), SetId(1), &[], 0);
        let names = sample.as_object().unwrap().keys();
        for name in names.chain(of_set.as_object().unwrap().keys()) {
            let is_named = table.contains(&format!("`{name}`"));
            assert!(is_named || not_told.contains(&name.as_str()), "{name}");
        }
    }
}
