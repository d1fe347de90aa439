//! What several pages say in the same way.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;

use crate::model::{BuildError, BuildNumber, BuilderName, ChangeNumber, Properties, SlaveName};
use crate::store::{State, StoreError};
use crate::view::{self, Brief, Build, Builder, Change};
use crate::web::address;
use crate::web::page::Scene;
use crate::web::parts::{Link, Links, Outcome, Pill, Progress, Square, change, person};
use crate::web::refusal::Refusal;

/// Maximum number of changes that a sentence names.
pub(super) const CHANGES_NAMED: usize = 3;

/// A build that runs, as lists show it.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) build: Build,
    pub(super) href: String,
    pub(super) name: String,
    /// The step that it is in; empty before the first.
    pub(super) step: String,
    pub(super) progress: Option<Progress>,
    pub(super) since: crate::web::parts::Since,
}

/// A change in a line of a list.
#[derive(Clone, Debug)]
pub(super) struct ChangeLine {
    pub(super) number: Link,
    pub(super) title: String,
    pub(super) who: Link,
}

/// Says since which build and by which changes something is as it is: `build 1187, 11:26, by change
/// 4187 or 4188`.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<a href="{{ href }}">{{ number }}</a>{% if !changes.is_empty() %}, change {{ changes }}{% endif %}"#,
    ext = "html"
)]
pub(super) struct Began {
    href: String,
    number: BuildNumber,
    changes: Links,
}

impl askama::filters::HtmlSafe for Began {}

impl Began {
    pub(super) fn new(
        builder: &BuilderName,
        number: BuildNumber,
        changes: &[ChangeNumber],
    ) -> Self {
        Self {
            href: address::build(builder, number),
            number,
            changes: or_changes(changes),
        }
    }
}

/// Changes of which one began something: `4187 or 4188`.
pub(super) fn or_changes(changes: &[ChangeNumber]) -> Links {
    let links = changes.iter().map(|&number| change(number));
    Links::new(links, "or", CHANGES_NAMED)
}

/// The builds that run, those that end first at the front.
///
/// # Errors
/// The state cannot be read.
pub(super) fn running(
    state: &State,
    scene: &Scene,
    builders: &[Builder],
) -> Result<Vec<Running>, StoreError> {
    let mut all = Vec::new();
    for builder in builders {
        for running in &builder.running {
            let found = Build::find(state, &builder.name, running.number, scene.moment())?;
            all.extend(found.map(|build| Running::new(build, scene)));
        }
    }
    let left = |running: &Running| running.build.remaining.map_or(f64::MAX, |left| left.0);
    all.sort_by(|a, b| left(a).total_cmp(&left(b)));
    Ok(all)
}

impl Running {
    pub(super) fn new(build: Build, scene: &Scene) -> Self {
        let name = format!("{} {}", build.builder, build.number);
        let gone = scene.since(build.started_at);
        let start = scene.local(build.started_at);
        let progress = build
            .remaining
            .map(|left| Progress::new(name.clone(), start, gone, left));
        let step = build.steps.iter().rev().find(|step| step.result.is_none());
        Self {
            href: address::build(&build.builder, build.number),
            step: step.map_or_else(String::new, |step| step.name.clone()),
            since: crate::web::parts::Since::new(start, gone),
            progress,
            name,
            build,
        }
    }
}

/// The squares of builds, the newest at the right.
pub(super) fn squares(builds: &[Brief]) -> Vec<Square> {
    let builds = builds.iter().rev();
    builds
        .map(|build| Square::number(&build.builder, build.number, outcome(build)))
        .collect()
}

/// What a build in a line says.
pub(super) const fn outcome(build: &Brief) -> Outcome {
    Outcome::of(build.result, build.news)
}

/// A build in a line by its number.
pub(super) fn pill(build: &Brief) -> Pill {
    Pill::number(&build.builder, build.number, outcome(build))
}

/// The first error of a build, and where it is.
pub(super) fn error_of(
    builder: &BuilderName,
    number: BuildNumber,
    error: Option<&BuildError>,
) -> Option<(String, String)> {
    let error = error?;
    let href = address::log_line(builder, number, error);
    Some((error.text.clone(), href))
}

/// The first line of what somebody wrote.
pub(super) fn first_line(comments: &str) -> String {
    let line = comments.trim_start().lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST_TITLE) {
        Some((end, _)) => format!("{}\u{2026}", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

/// Maximum number of characters of a title.
const LONGEST_TITLE: usize = 120;

/// Changes that are looked up once.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: BTreeMap<ChangeNumber, Option<Change>>,
}

impl Changes {
    /// The change of this number, if it was not pruned.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn get(
        &mut self,
        state: &State,
        number: ChangeNumber,
    ) -> Result<Option<&Change>, StoreError> {
        let known = match self.known.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let change = state.change(number)?;
                place.insert(change.as_ref().map(Change::from))
            }
        };
        Ok(known.as_ref())
    }

    /// The lines of the last of these changes, as many as a row has room for.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn last(
        &mut self,
        state: &State,
        numbers: &[ChangeNumber],
    ) -> Result<Vec<ChangeLine>, StoreError> {
        let left_out = numbers.len().saturating_sub(CHANGES_NAMED);
        self.lines(state, numbers.get(left_out..).unwrap_or_default())
    }

    /// The lines of these changes; those that were pruned have no title.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn lines(
        &mut self,
        state: &State,
        numbers: &[ChangeNumber],
    ) -> Result<Vec<ChangeLine>, StoreError> {
        let mut lines = Vec::new();
        for &number in numbers {
            let known = self.get(state, number)?;
            lines.push(ChangeLine {
                number: change(number),
                title: known.map_or_else(String::new, |change| first_line(&change.comments)),
                who: person(known.map_or("", |change| &change.who)),
            });
        }
        Ok(lines)
    }
}

/// The number in this part of the address.
///
/// # Errors
/// It is not a number.
pub(super) fn number_of(scene: &Scene, what: &'static str, part: &str) -> Result<u64, Refusal> {
    let text = scene.args.part(part);
    text.parse().map_err(|_| not_found(what, text))
}

/// What there is not, without others that are near.
pub(super) fn not_found(what: &'static str, name: &str) -> Refusal {
    Refusal::NotFound {
        what,
        name: name.to_owned(),
        near: Vec::new(),
    }
}

/// Slaves as links.
pub(super) fn slaves(names: &[SlaveName]) -> Links {
    let links = names.iter().map(crate::web::parts::slave);
    Links::new(links, "", 12)
}

/// A build in a line by its builder and number.
pub(super) fn pill_of_builder(build: &Brief) -> Pill {
    Pill::name(&build.builder, build.number, outcome(build))
}

/// The owners of the files of changes, each once, by name.
///
/// # Errors
/// The state cannot be read.
pub(super) fn owners_of<'c>(
    state: &State,
    scene: &Scene,
    changes: impl IntoIterator<Item = &'c Change>,
) -> Result<Vec<String>, StoreError> {
    let config = &scene.config;
    if !config.has_owners_of_files() {
        return Ok(Vec::new());
    }
    let changes = changes.into_iter();
    let files = changes.map(|change| (change.files.as_slice(), change.repository.as_str()));
    view::owners_of_files(state, config, files)
}

/// Properties: name, value, source.
pub(super) fn properties(properties: &Properties) -> Vec<(String, String, String)> {
    let all = properties.iter().map(|(name, property)| {
        let value = match property.value.as_str() {
            Some(text) => text.to_owned(),
            None => property.value.to_string(),
        };
        (name.to_owned(), value, property.source.clone())
    });
    all.collect()
}

/// The pages of people.
pub(super) fn links_to(people: Vec<String>) -> Vec<Link> {
    let people = people.into_iter();
    people
        .map(|name| Link::to(&name, &address::user(&name)))
        .collect()
}
