//! The culprit searches (SRH-17): what each has found, and its builds.

use askama::Template;

use super::buttons::Buttons;
use super::common::{not_found, number_of};
use crate::model::{Said, SearchNumber};
use crate::store::State;
use crate::view::{ProbeView, Search};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time, change, person, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/searches",
    args: &[Arg::number("before", 0, u64::MAX)],
    permission: Permission::View,
    topics: &["problem", "build"],
    api: Some("/api/v1/searches"),
    place: Place::Below("Problems"),
    show: list,
};

pub(in crate::web) const ONE: Page = Page {
    path: "/searches/{search}",
    args: &[],
    permission: Permission::View,
    topics: &["problem", "build"],
    api: Some("/api/v1/searches/{search}"),
    place: Place::Below("Problems"),
    show: one,
};

/// How many searches a page has.
const SEARCHES: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "searches.html", config = "src/web/askama.toml")]
struct List {
    rows: Vec<Row>,
    older: Option<String>,
}

/// A search in a list.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) link: Link,
    pub(super) builder: Link,
    pub(super) what: String,
    pub(super) began: Time,
    pub(super) verdict: String,
    pub(super) class: &'static str,
    pub(super) summary: String,
    pub(super) builds: usize,
    pub(super) took: String,
}

impl Row {
    pub(super) fn new(search: &Search, scene: &Scene) -> Self {
        Self {
            link: Link::to(&search.number.to_string(), &address::search(search.number)),
            builder: Link::to(search.builder.as_str(), &address::builder(&search.builder)),
            what: search.what.clone(),
            began: scene.second(search.began_at),
            verdict: verdict(search),
            class: class(search),
            summary: search.summary.clone(),
            builds: search.builds.len(),
            took: span(std::time::Duration::from_secs(search.took_secs)),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "one_search.html", config = "src/web/askama.toml")]
struct Contents {
    row: Row,
    number: SearchNumber,
    sought: &'static str,
    ends: (Link, Link),
    changes: usize,
    /// Whether it looks through commits inside a change.
    is_inside: bool,
    who: Option<Link>,
    problem: Option<Link>,
    ended: Option<Time>,
    why: Option<String>,
    chance: Option<String>,
    probes: Vec<Probe>,
    buttons: Buttons,
}

/// A build that a search has asked for.
#[derive(Debug)]
struct Probe {
    change: Link,
    said: &'static str,
    class: &'static str,
    request: Link,
    build: Option<Link>,
}

fn list(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let before = scene.args.number("before").map(SearchNumber);
    let found = state.searches(before, SEARCHES)?;
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count == SEARCHES);
    let last = found.last().map(|search| search.record.number.0);
    let older = last.filter(|_| is_full);
    let rows = found.into_iter().map(Search::from);
    let contents = List {
        rows: rows.map(|search| Row::new(&search, scene)).collect(),
        older: older.map(|number| format!("/searches?before={number}")),
    };
    Shown::new("Culprit searches", &contents)
}

fn one(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let number = number_of(scene, "search", "search")?;
    let found = state.search(SearchNumber(number))?.map(Search::from);
    let search = found.ok_or_else(|| not_found("search", &number.to_string()))?;
    let contents = Contents {
        row: Row::new(&search, scene),
        number: search.number,
        sought: if search.seeks_fix { "fix" } else { "culprit" },
        ends: (change(search.good), change(search.bad)),
        changes: search.changes,
        is_inside: !search.commits.is_empty(),
        who: (!search.who.is_empty()).then(|| person(&search.who)),
        problem: search
            .problem
            .map(|problem| Link::to(&problem.to_string(), &address::problem(problem))),
        ended: search.ended_at.map(|at| scene.second(at)),
        why: search.why.clone(),
        chance: search
            .chance_wrong
            .map(|chance| format!("{:.1} %", 100.0 * chance)),
        probes: search
            .builds
            .iter()
            .map(|build| probe(&search, build))
            .collect(),
        buttons: Buttons::of_search(state, scene, &search)?,
    };
    Shown::new(format!("Search {number}: {}", search.what), &contents)
}

fn probe(search: &Search, probe: &ProbeView) -> Probe {
    let link = |number: u64, href: String| Link::to(&number.to_string(), &href);
    Probe {
        change: match &probe.commit {
            Some(commit) => Link::to(commit, &address::change(probe.change)),
            None => change(probe.change),
        },
        said: probe.said.map_or("waits or runs", Said::as_str),
        class: match probe.said {
            Some(Said::Pass) => "ok",
            Some(Said::Fail) => "fail",
            Some(Said::Unclear) => "exc",
            None => "run",
        },
        request: link(probe.request.0, address::request(probe.request)),
        build: probe
            .build
            .map(|build| link(build.0, address::build(&search.builder, build))),
    }
}

fn verdict(search: &Search) -> String {
    let verdict = search.verdict.as_ref();
    verdict.map_or_else(|| "goes on".to_owned(), |one| one.verdict.clone())
}

fn class(search: &Search) -> &'static str {
    match &search.verdict {
        Some(outcome) if outcome.verdict == "found" => "ok",
        Some(_) => "skip",
        None => "run",
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Op, RequestId, Said, SearchNumber, SearchOp, Timestamp, Verdict};
    use crate::web::testing::Farm;

    #[test]
    fn srh_17_a_search_shows_its_points_builds_and_verdict() {
        let running = Farm::broken();
        let list = running.page("/searches");
        assert!(list.contains("<a href=\"/searches/1\">1</a>"), "{list}");
        assert!(list.contains("goes on"), "{list}");
        let problem = running.page("/problems/1");
        assert!(
            problem.contains("<a href=\"/searches/1\">1</a>"),
            "{problem}"
        );
        let mut farm = Farm::broken();
        let search = SearchNumber(1);
        let request = RequestId(5);
        farm.add([
            Op::Search(SearchOp::Asked {
                search,
                point: 1,
                request,
            }),
            Op::Search(SearchOp::Answered {
                request,
                said: Said::Fail,
                build: Some(crate::model::BuildNumber(2)),
                took_secs: 60,
            }),
            Op::Search(SearchOp::Over {
                search,
                verdict: Verdict::Found {
                    good: 0,
                    bad: 1,
                    is_not_monotone: false,
                    is_flaky: false,
                },
                why: None,
                at: Timestamp::from_secs(1),
            }),
        ]);
        let page = farm.page("/searches/1");
        for text in [
            "found: change 7 fails, change 6 passes",
            "<a href=\"/changes/7\">7</a>",
            "/builds/2\">2</a>",
            "<a href=\"/queue/5\">5</a>",
            "<a href=\"/problems/1\">1</a>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert_eq!(farm.get("/searches/2").status, 404);
    }
}
