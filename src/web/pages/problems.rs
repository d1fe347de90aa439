//! Problems: the builders that are broken, with since when, begun by which changes and by whom.
//!
//! The master keeps no problems yet, so none has a number, notes or somebody who sees to it.

use askama::Template;

use super::common::{Began, Changes, error_of, not_found};
use crate::model::BuilderName;
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::{Brief, Builder, Standing};
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
    api: None,
    place: Place::Entry("Problems"),
    show,
};

/// One problem. There is none until the master keeps them.
pub(in crate::web) const ONE: Page = Page {
    path: "/problems/{problem}",
    args: &[],
    permission: Permission::View,
    topics: &["problem"],
    api: None,
    place: Place::Below("Problems"),
    show: |_, scene| Err(not_found("problem", scene.args.part("problem"))),
};

/// Names of people in a row.
const PEOPLE: usize = 3;

#[derive(Debug, Template)]
#[template(path = "problems.html", config = "src/web/askama.toml")]
struct Contents {
    rows: Vec<Row>,
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
        let is_wanted = |one: &String| one.to_lowercase().contains(&who.to_lowercase());
        if who.is_empty() || guilty.iter().any(is_wanted) {
            rows.push(Row::read(state, scene, name, line, &guilty)?);
        }
    }
    let (title, icon) = match rows.len() {
        0 => ("Problems".to_owned(), Tone::Ok),
        count => (format!("✕ {count} · Problems"), Tone::Fail),
    };
    let contents = Contents {
        rows,
        name: who.to_owned(),
        is_filtered: !(who.is_empty() && names.is_empty() && tags.is_empty()),
    };
    let shown = Shown::new(title, &contents)?.with_icon(icon);
    Ok(shown.with_feed(&[("kind", "problems")]))
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

    #[test]
    fn a_problem_has_no_page_until_the_master_keeps_problems() {
        assert_eq!(Farm::broken().get("/problems/1").status, 404);
    }
}
