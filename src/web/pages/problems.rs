//! Problems: the builders that are broken, with since when, begun by which changes and by whom, and
//! the steps that fail on each tree.

use askama::Template;

use super::common::{Began, Changes, error_of, or_changes};
use super::problem::{cause, tree};
use crate::model::BuilderName;
use crate::store::State;
use crate::store::read::{ProblemFilter, Wanted};
use crate::text::commas;
use crate::view::{Brief, Builder, Problem, Standing};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Links, Time, Tone, person, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/problems",
    args: &[
        Arg::text("name"),
        Arg::text("builder").also(&["show"]),
        Arg::text("tag").also(&["category"]),
    ],
    permission: Permission::View,
    topics: &["problem"],
    api: Some("/api/v1/problems"),
    place: Place::Entry("Problems"),
    show,
};

/// Names of people in a row.
const PEOPLE: usize = 3;

#[derive(Debug, Template)]
#[template(path = "problems.html", config = "src/web/askama.toml")]
struct Contents {
    rows: Vec<Row>,
    problems: Vec<ProblemRow>,
    name: String,
    is_filtered: bool,
}

#[derive(Debug)]
struct Row {
    builder: Link,
    what: String,
    /// The first error of the last build, and where it is.
    error: Option<(String, String)>,
    began: Began,
    since: Time,
    long: String,
    builds: usize,
    guilty: Links,
}

/// An open problem.
#[derive(Debug)]
struct ProblemRow {
    link: Link,
    builder: Link,
    what: String,
    cause: String,
    suspects: Links,
    since: Time,
    long: String,
}

/// How many problems are shown.
const SHOWN: u32 = 200;

/// How many builds are counted since a builder broke.
const COUNTED: u32 = 100;

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let args = &scene.args;
    let (names, tags) = (args.all("builder"), args.all("tag"));
    let who = args.text("name").unwrap_or_default();
    let all = Builder::all(
        Some(state),
        Some(&scene.config),
        &scene.live,
        scene.moment(),
    )?;
    let standings = Standing::all(state)?;
    let mut broken: Vec<_> = all
        .iter()
        .filter(|builder| {
            let own = builder.tags.as_deref().unwrap_or_default();
            let is_named = names.iter().any(|name| name == builder.name.as_str());
            (names.is_empty() || is_named)
                && (tags.is_empty() || tags.iter().any(|tag| own.contains(tag)))
        })
        .filter_map(|builder| Some((&builder.name, standings.get(&builder.name)?)))
        .filter(|(_, line)| line.is_broken())
        .collect();
    broken.sort_by_key(|(_, line)| std::cmp::Reverse(line.since_at));
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    for (name, line) in broken {
        let guilty = guilty(state, line, &mut changes)?;
        if who.is_empty() || guilty.iter().any(|one| is_named_in(who, one)) {
            rows.push(Row::read(state, scene, name, line, &guilty)?);
        }
    }
    let problems = problems(state, scene, |problem| {
        let own = all.iter().find(|builder| builder.name == problem.builder);
        let own = own
            .and_then(|builder| builder.tags.as_deref())
            .unwrap_or_default();
        let is_named = names.iter().any(|name| name == problem.builder.as_str());
        (names.is_empty() || is_named)
            && (tags.is_empty() || tags.iter().any(|tag| own.contains(tag)))
            && (who.is_empty()
                || problem
                    .suspects
                    .iter()
                    .any(|one| is_named_in(who, &one.who)))
    })?;
    let (title, icon) = match rows.len() {
        0 => ("Problems".to_owned(), Tone::Ok),
        count => (format!("✕ {count} · Problems"), Tone::Fail),
    };
    let contents = Contents {
        rows,
        problems,
        name: who.to_owned(),
        is_filtered: !(who.is_empty() && names.is_empty() && tags.is_empty()),
    };
    let shown = Shown::new(title, &contents)?.with_icon(icon);
    Ok(shown.with_feed(&[("kind", "problems")]))
}

fn is_named_in(who: &str, name: &str) -> bool {
    name.to_lowercase().contains(&who.to_lowercase())
}

/// The newest open problems that are wanted, the newest first.
fn problems(
    state: &State,
    scene: &Scene,
    is_wanted: impl Fn(&Problem) -> bool,
) -> Result<Vec<ProblemRow>, Refusal> {
    let rows = state.problems(&ProblemFilter::default(), SHOWN)?;
    let all = rows.into_iter().map(|row| Problem::at(scene.now, row));
    let row = |problem: Problem| {
        let changes: Vec<_> = problem.suspects.iter().map(|one| one.change).collect();
        ProblemRow {
            link: Link::to(
                &problem.number.to_string(),
                &address::problem(problem.number),
            ),
            builder: Link::to(
                problem.builder.as_str(),
                &address::builder(&problem.builder),
            ),
            what: format!("{}{}", problem.what, tree(&problem)),
            cause: with_claims(cause(&problem), &problem),
            suspects: or_changes(&changes),
            since: scene.time(problem.opened_at),
            long: span(scene.since(problem.opened_at)),
        }
    };
    Ok(all.filter(is_wanted).map(row).collect())
}

/// The cause, and who sees to it.
fn with_claims(cause: String, problem: &Problem) -> String {
    let claims = problem.hands.claims.iter();
    let names: Vec<_> = claims.map(|claim| claim.person.as_str()).collect();
    match names.is_empty() {
        true => cause,
        false => format!("{cause} Claimed by {}.", commas(&names)),
    }
}

/// Who made the changes that a builder broke with.
///
/// # Errors
/// The state cannot be read.
pub(super) fn guilty(
    state: &State,
    line: &Standing,
    changes: &mut Changes,
) -> Result<Vec<String>, Refusal> {
    let mut people: Vec<String> = Vec::new();
    for &number in &line.began {
        if let Some(change) = changes.get(state, number)?
            && !people.contains(&change.who)
        {
            people.push(change.who.clone());
        }
    }
    Ok(people)
}

impl Row {
    fn read(
        state: &State,
        scene: &Scene,
        name: &BuilderName,
        line: &Standing,
        guilty: &[String],
    ) -> Result<Self, Refusal> {
        let builds = Brief::newest(state, name, Wanted::default(), COUNTED)?;
        let last = builds.iter().find(|build| build.number == line.last);
        let failed = builds
            .iter()
            .filter(|build| build.number >= line.since && build.result == Some(line.result));
        Ok(Self {
            builder: Link::to(name.as_str(), &address::builder(name)),
            what: last.map_or_else(String::new, |build| build.text.join(" ")),
            error: error_of(
                name,
                line.last,
                last.and_then(|last| last.first_error.as_ref()),
            ),
            began: Began::new(name, line.since, &line.began),
            since: scene.time(line.since_at),
            long: span(scene.since(line.since_at)),
            builds: failed.count(),
            guilty: Links::new(guilty.iter().map(|who| person(who)), "", PEOPLE),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn problems_are_the_broken_builders_with_those_who_are_guilty() {
        let page = Farm::broken().page("/problems");
        for text in [
            "Problems <small>1 builder is broken</small>",
            r#"<a href="/builders/linux">linux</a>"#,
            "<span class=\"u\">Ines Okafor</span>, <span class=\"u\">Yuki Arai</span>",
            "2 builds",
            "<title>✕ 1 · Problems · Brindle</title>",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn problems_are_chosen_by_name_builder_and_tag() {
        let farm = Farm::broken();
        for (query, count) in [
            ("name=yuki", 1),
            ("name=jonas", 0),
            ("builder=a/b%20c", 0),
            ("tag=required", 1),
            ("tag=other", 0),
        ] {
            let page = farm.page(&format!("/problems?{query}"));
            assert_eq!(
                page.matches("<td class=\"s f\">build ").count(),
                count,
                "{query}: {page}"
            );
        }
        let none = Farm::new().page("/problems");
        assert!(none.contains("No builder is broken."), "{none}");
    }
}
