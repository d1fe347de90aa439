//! Builds in a line each, the newest first: of all builders, or of one.
//!
//! It reads builds by their ids, or those of one builder by its index, 100 at a time and at most
//! 2000 to find those that are wanted.

use askama::Template;

use super::columns::{self, BRANCH, BUILDER, RELOAD};
use super::common::{Changes, first_line, outcome, pill_of_builder};
use crate::config::MOST_BUILDS;
use crate::model::{BuildId, BuildNumber, BuilderName, Results};
use crate::store::State;
use crate::view::Sourced;
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Pill, Since, Time, person, revision, took};
use crate::web::place;
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/one_line_per_build",
    args: ARGS,
    permission: Permission::View,
    topics: &["summary"],
    api: None,
    place: Place::Below("Builders"),
    show,
};

/// The builds of one builder.
pub(in crate::web) const OF_BUILDER: Page = Page {
    path: "/one_line_per_build/{builder}",
    topics: &["builder:{builder}"],
    ..PAGE
};

/// Buildbot's page with a box for each builder, which the page of the builders has become.
pub(in crate::web) const BOXES: Page = Page {
    path: "/one_box_per_builder",
    args: super::builders::PAGE.args,
    show: to_builders,
    ..PAGE
};

const ARGS: &[Arg] = &[
    BUILDER,
    BRANCH,
    RELOAD,
    Arg::number("numbuilds", 1, MOST_BUILDS as u64),
    Arg::text("name"),
    Arg::text("result"),
    Arg::number("before", 0, u64::MAX),
];

/// How many builds are read at once, and looked at in all.
const AT_ONCE: u32 = 100;
const LOOKED_AT: u32 = 2000;

#[derive(Debug, Template)]
#[template(path = "one_line.html", config = "src/web/askama.toml")]
struct Contents {
    path: String,
    of: Option<Link>,
    builder: String,
    branch: String,
    results: Vec<(&'static str, bool)>,
    count: u32,
    rows: Vec<Row>,
    older: Option<String>,
}

#[derive(Debug)]
struct Row {
    started: Time,
    pill: Pill,
    revision: Option<Link>,
    change: Option<Link>,
    more: usize,
    reason: &'static str,
    who: Link,
    text: String,
    took: String,
    since: Option<Since>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let of = match scene.args.part("builder") {
        "" => None,
        _ => Some(place::builder(state, &scene.args)?),
    };
    let names = columns::non_empty(scene, BUILDER.name);
    let only = match names.as_slice() {
        [one] => Some(BuilderName::from(one.as_str())),
        _ => None,
    };
    let only = of.clone().or(only);
    let result = scene.args.text("result").map(wanted_result).transpose()?;
    let count = scene.num_builds();
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    let mut reading = Reading::new(scene, only.as_ref());
    let mut changes = Changes::default();
    let mut rows = Vec::new();
    let mut last = None;
    while rows.len() < wanted
        && let Some(build) = reading.next(state)?
    {
        let is_wanted =
            is_wanted(scene, &build, result) && is_by(state, scene, &build, &mut changes)?;
        if is_wanted {
            last = Some(reading.place_of(&build));
            rows.push(Row::read(state, scene, &build, &mut changes)?);
        }
    }
    let is_full = rows.len() == wanted;
    let path = match &of {
        Some(builder) => format!("{}/{}", PAGE.path, address::segment(builder.as_str())),
        None => PAGE.path.to_owned(),
    };
    let runs = rows.iter().any(|row| row.since.is_some());
    let contents = Contents {
        older: last
            .filter(|_| is_full)
            .map(|last| older(scene, &path, last)),
        path,
        of: of.map(|name| Link::to(name.as_str(), &address::builder(&name))),
        builder: scene.args.text(BUILDER.name).unwrap_or_default().to_owned(),
        branch: scene.args.text(BRANCH.name).unwrap_or_default().to_owned(),
        results: RESULTS
            .map(|name| (name, scene.args.text("result") == Some(name)))
            .into(),
        count,
        rows,
    };
    let (title, icon) = columns::title(state, "Builds")?;
    Ok(Shown::new(title, &contents)?.with_icon(icon).running(runs))
}

const RESULTS: [&str; 6] = [
    "success",
    "warnings",
    "failure",
    "exception",
    "retry",
    "skipped",
];

/// The result of this name.
fn wanted_result(name: &str) -> Result<Results, Refusal> {
    Results::from_name(name).ok_or_else(|| Refusal::Argument {
        sentence: format!(
            "The argument result is \u{201c}{name}\u{201d}. It must be {}.",
            crate::text::or(RESULTS)
        ),
    })
}

fn is_wanted(scene: &Scene, build: &Sourced, result: Option<Results>) -> bool {
    let names = columns::non_empty(scene, BUILDER.name);
    let branches = columns::non_empty(scene, BRANCH.name);
    let branch = build.branch().unwrap_or_default();
    (names.is_empty()
        || names
            .iter()
            .any(|name| *name == build.brief.builder.as_str()))
        && (branches.is_empty() || branches.iter().any(|known| *known == branch))
        && (result.is_none() || build.brief.result == result)
}

/// Whether a build has a change of the person that is wanted.
fn is_by(
    state: &State,
    scene: &Scene,
    build: &Sourced,
    changes: &mut Changes,
) -> Result<bool, Refusal> {
    let Some(name) = scene.args.text("name") else {
        return Ok(true);
    };
    for &number in &build.brief.changes {
        if changes
            .get(state, number)?
            .is_some_and(|change| change.who.contains(name))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The address of the builds before `last`.
fn older(scene: &Scene, path: &str, last: u64) -> String {
    let before = last.to_string();
    let mut args: Vec<(&str, &str)> = Vec::new();
    for arg in ARGS.iter().filter(|arg| arg.name != "before") {
        let values = scene.args.all(arg.name).iter();
        args.extend(values.map(|value| (arg.name, value.as_str())));
    }
    args.push(("before", &before));
    address::with_args(path, &args)
}

/// Builds that are read one after the other.
struct Reading<'a> {
    builder: Option<&'a BuilderName>,
    before: u64,
    looked_at: u32,
    found: std::vec::IntoIter<Sourced>,
}

impl<'a> Reading<'a> {
    fn new(scene: &Scene, builder: Option<&'a BuilderName>) -> Self {
        Self {
            builder,
            before: scene.args.number("before").unwrap_or(u64::MAX),
            looked_at: 0,
            found: Vec::new().into_iter(),
        }
    }

    fn next(&mut self, state: &State) -> Result<Option<Sourced>, Refusal> {
        if self.found.len() == 0 && self.looked_at < LOOKED_AT {
            self.looked_at += AT_ONCE;
            let found = match self.builder {
                Some(builder) => {
                    Sourced::of_builder(state, builder, BuildNumber(self.before), AT_ONCE)?
                }
                None => Sourced::newest(state, BuildId(self.before), AT_ONCE)?,
            };
            self.found = found.into_iter();
        }
        let build = self.found.next();
        if let Some(build) = &build {
            self.before = self.place_of(build);
        }
        Ok(build)
    }

    /// The number by which builds are read.
    const fn place_of(&self, build: &Sourced) -> u64 {
        match self.builder {
            Some(_) => build.brief.number.0,
            None => build.id.0,
        }
    }
}

impl Row {
    fn read(
        state: &State,
        scene: &Scene,
        build: &Sourced,
        changes: &mut Changes,
    ) -> Result<Self, Refusal> {
        let brief = &build.brief;
        let newest = match brief.changes.last() {
            Some(&number) => changes.get(state, number)?,
            None => None,
        };
        let revision_known = build.revision.as_deref();
        let change_revision = newest.and_then(|change| change.revision.as_deref());
        let since = scene.since(brief.started_at);
        Ok(Self {
            started: scene.time(brief.started_at),
            pill: pill_of_builder(brief),
            revision: revision_known.or(change_revision).map(revision),
            change: newest.map(|change| {
                let title = first_line(&change.comments);
                let title = if title.is_empty() { "no text" } else { &title };
                Link::to(title, &address::change(change.number))
            }),
            more: brief.changes.len().saturating_sub(1),
            reason: if build.is_try { "a try" } else { "" },
            who: person(newest.map_or("", |change| &change.who)),
            text: match brief.text.is_empty() {
                true => outcome(brief).word().to_owned(),
                false => brief.text.join(" "),
            },
            took: brief.took.map_or_else(String::new, took),
            since: brief
                .finished_at
                .is_none()
                .then(|| Since::new(scene.local(brief.started_at), since)),
        })
    }
}

fn to_builders(_state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let page = super::builders::PAGE;
    let mut args: Vec<(&str, &str)> = Vec::new();
    for arg in page.args {
        let values = scene.args.all(arg.name).iter();
        args.extend(values.map(|value| (arg.name, value.as_str())));
    }
    Err(Refusal::Elsewhere {
        to: address::with_args(page.path, &args),
        for_ever: true,
    })
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn builds_have_a_line_each_and_are_left_out_by_their_facts() {
        let farm = Farm::broken();
        for (address, expected) in [
            ("/one_line_per_build", "0123"),
            ("/one_line_per_build/linux", "0123"),
            ("/one_line_per_build/a%2Fb%20c", ""),
            ("/one_line_per_build?builder=linux&builder=x", "0123"),
            ("/one_line_per_build?show=x", ""),
            ("/one_line_per_build?numbuilds=2", "23"),
            ("/one_line_per_build/linux?before=2", "01"),
            ("/one_line_per_build?result=failure", "12"),
            ("/one_line_per_build?name=Yuki", "1"),
            ("/one_line_per_build?branch=other", ""),
        ] {
            let page = farm.page(address);
            for number in ["0", "1", "2", "3"] {
                let link = format!(r#"href="/builders/linux/builds/{number}">linux {number}<b>"#);
                let is_there = page.contains(&link);
                assert_eq!(
                    is_there,
                    expected.contains(number),
                    "{address} {number}: {page}"
                );
            }
        }
        let page = farm.page("/one_line_per_build/linux?numbuilds=1&branch=main");
        assert!(
            page.contains("/one_line_per_build/linux?branch=main&#38;numbuilds=1&#38;before=3"),
            "{page}"
        );
        assert!(page.contains("api: ssize_t"), "{page}");
        assert_eq!(farm.get("/one_line_per_build?result=sad").status, 400);
        assert_eq!(farm.get("/one_line_per_build/none").status, 404);
    }

    #[test]
    fn the_boxes_of_builders_are_elsewhere_for_ever() {
        let answer = Farm::broken().get("/one_box_per_builder?category=a&show=linux");
        let to = "/builders?tag=a&builder=linux";
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (308, to)
        );
    }
}
