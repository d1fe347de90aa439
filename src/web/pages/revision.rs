//! One revision: what it broke and fixed, what was broken before, what is good, and what was not
//! built and why; and the changes in it.
//!
//! It reads the changes of the revision by their index, their builds and requests by the index of
//! sets that a change is in, and the newest 500 builds by their ids for those that are made of no
//! change.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::common::{ChangeLine, Changes, outcome, pill_of_builder};
use crate::model::{BuildId, BuilderName, ChangeNumber, Judgement, Line, Results};
use crate::store::State;
use crate::view::{Change, Sourced, Verdict};
use crate::web::address;
use crate::web::args::Arg;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Pill, Tone, change, person, revision, took};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/revisions/{revision}",
    args: &[Arg::text("repository"), Arg::text("codebase")],
    permission: Permission::View,
    topics: &["change", "summary"],
    api: Some("/api/v1/revisions/{revision}"),
    place: Place::Below("Changes"),
    show,
};

/// Characters from which on the beginning of a revision is enough.
const BEGINNING: usize = 4;

/// How many changes of one revision are looked at, and how many builds for those of no change.
const CHANGES: u32 = 50;
const BUILDS: u32 = 500;

/// Changes, build sets and builders that are listed at most, and changes that are looked through
/// for the revision before.
const LISTED: usize = 50;
const BEFORE: u32 = 100;

#[derive(Debug, Template)]
#[template(path = "revision.html", config = "src/web/askama.toml")]
struct Contents {
    revision: String,
    short: String,
    classes: &'static str,
    says: String,
    about: Option<(String, Link, Option<String>)>,
    commit: Option<String>,
    groups: Vec<(&'static str, Vec<Row>)>,
    not_built: Vec<NotBuilt>,
    changes: Vec<ChangeLine>,
    before: Option<(Link, Link)>,
    sets: Vec<(Link, Option<Link>, String)>,
}

#[derive(Debug)]
struct Row {
    pill: Pill,
    text: String,
    /// The change with which it was built, if that is a later one.
    with: Option<Link>,
    took: String,
}

/// A builder that has not built the revision.
#[derive(Debug)]
struct NotBuilt {
    name: String,
    href: String,
    waits: bool,
    why: String,
}

/// What became of the revision for one builder.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Group {
    Broken,
    Fixed,
    Before,
    Running,
    Good,
    Silent,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let asked = scene.args.part("revision");
    let wanted = Wanted {
        repository: scene.args.text("repository"),
        codebase: scene.args.text("codebase"),
    };
    let (known, own) = find(state, asked, &wanted)?;
    let numbers: Vec<_> = own.iter().map(|change| change.number).collect();
    let builds = builds(state, &known, &own)?;
    let groups = grouped(&builds, &numbers);
    let inside = inside(&builds, &numbers);
    let mut changes = Changes::default();
    let newest: Vec<_> = inside.iter().rev().take(LISTED).copied().collect();
    let (tone, classes, says) = verdict(&groups);
    let first = own.first();
    let contents = Contents {
        short: short(&known),
        classes,
        says: says.clone(),
        about: first.map(|change| {
            let title = super::common::first_line(&change.comments);
            (title, person(&change.who), change.branch.clone())
        }),
        commit: first.and_then(|change| address::outside(&change.revlink).map(str::to_owned)),
        groups: groups
            .into_iter()
            .map(|(group, rows)| (group.title(), rows))
            .collect(),
        not_built: not_built(state, scene, &builds, &numbers)?,
        changes: changes.lines(state, &newest)?,
        before: before(state, first, inside.first().copied())?,
        sets: sets(state, &numbers)?,
        revision: known,
    };
    let title = format!("{}{says} · Revision {}", tone.symbol(), contents.short);
    let runs = tone == Tone::Run;
    Ok(Shown::new(title, &contents)?.with_icon(tone).running(runs))
}

/// How a revision is in a few words, for its badge: the revision as people quote it, the words, and
/// their tone.
///
/// # Errors
/// No change and no build has this revision.
pub(in crate::web) fn in_words(
    state: &State,
    asked: &str,
) -> Result<(String, String, Tone), Refusal> {
    let (known, own) = find(state, asked, &Wanted::default())?;
    let numbers: Vec<_> = own.iter().map(|change| change.number).collect();
    let builds = builds(state, &known, &own)?;
    let (tone, _, says) = verdict(&grouped(&builds, &numbers));
    Ok((short(&known), says, tone))
}

fn grouped(
    builds: &BTreeMap<BuilderName, Sourced>,
    numbers: &[ChangeNumber],
) -> BTreeMap<Group, Vec<Row>> {
    let mut groups: BTreeMap<Group, Vec<Row>> = BTreeMap::new();
    for build in builds.values() {
        let rows = groups.entry(Group::of(build)).or_default();
        rows.push(Row::new(build, numbers));
    }
    groups
}

/// A revision as people quote it.
fn short(revision: &str) -> String {
    revision
        .chars()
        .take(if revision.len() >= 32 { 12 } else { 40 })
        .collect()
}

/// Which of several revisions of the same name is meant: a number, for example, is a revision of
/// each repository.
#[derive(Debug, Default)]
struct Wanted<'a> {
    repository: Option<&'a str>,
    codebase: Option<&'a str>,
}

impl Wanted<'_> {
    fn takes(&self, change: &Change) -> bool {
        self.repository
            .is_none_or(|wanted| change.repository == wanted)
            && self.codebase.is_none_or(|wanted| change.codebase == wanted)
    }
}

/// The revision that the address names, and its changes, the newest first. They are of one codebase
/// of one repository.
fn find(state: &State, asked: &str, wanted: &Wanted<'_>) -> Result<(String, Vec<Change>), Refusal> {
    let found = state.changes_of_revision(asked, CHANGES)?;
    let mut found: Vec<_> = found.iter().map(Change::from).collect();
    found.retain(|change| wanted.takes(change));
    let is = |change: &Change| change.revision.as_deref() == Some(asked);
    if found.iter().any(is) {
        found.retain(is);
    }
    let mut revisions: Vec<_> = found.iter().filter_map(|c| c.revision.clone()).collect();
    revisions.dedup();
    let place = |change: &Change| (change.repository.clone(), change.codebase.clone());
    let places: BTreeSet<_> = found.iter().map(place).collect();
    match revisions.as_slice() {
        [] => without_change(state, asked),
        [one] if places.len() > 1 => {
            let near = places.iter().map(|place| in_place(one, place));
            Err(several(asked, near.collect()))
        }
        [one] if one == asked => {
            found.sort_by_key(|change| std::cmp::Reverse(change.number));
            Ok((one.clone(), found))
        }
        [one] if asked.chars().count() >= BEGINNING => Err(Refusal::Elsewhere {
            to: address::revision(one),
            for_ever: false,
        }),
        several_found => {
            let near = several_found
                .iter()
                .map(|one| (short(one), address::revision(one)));
            Err(several(asked, near.collect()))
        }
    }
}

/// A revision of a codebase of a repository: the place in words, and the address.
fn in_place(revision: &str, (repository, codebase): &(String, String)) -> (String, String) {
    let words = match (repository.as_str(), codebase.as_str()) {
        (repository, "") => repository.to_owned(),
        ("", codebase) => format!("codebase {codebase}"),
        (repository, codebase) => format!("codebase {codebase} of {repository}"),
    };
    let args = [
        ("repository", repository.as_str()),
        ("codebase", codebase.as_str()),
    ];
    (
        words,
        address::with_args(&address::revision(revision), &args),
    )
}

/// The refusal of an address that names several revisions.
fn several(asked: &str, near: Vec<(String, String)>) -> Refusal {
    Refusal::NotFound {
        what: "single revision",
        name: asked.to_owned(),
        near,
    }
}

/// A revision of no change, that a build was made of lately.
fn without_change(state: &State, asked: &str) -> Result<(String, Vec<Change>), Refusal> {
    let is_long_enough = asked.chars().count() >= BEGINNING;
    let builds = Sourced::newest(state, BuildId(u64::MAX), BUILDS)?;
    let revisions = builds.into_iter().flat_map(|build| build.revisions);
    let revisions = revisions.flatten();
    let mut found: Vec<_> = revisions
        .filter(|known| known == asked || (is_long_enough && known.starts_with(asked)))
        .collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] if one == asked => Ok((one.clone(), Vec::new())),
        [one] => Err(Refusal::Elsewhere {
            to: address::revision(one),
            for_ever: false,
        }),
        [] => Err(super::common::not_found("revision", asked)),
        many => {
            let near = many.iter().map(|one| (short(one), address::revision(one)));
            Err(several(asked, near.collect()))
        }
    }
}

/// The build of each builder: the newest one of this very revision, else the first one with its
/// changes. Tries are not counted.
fn builds(
    state: &State,
    known: &str,
    own: &[Change],
) -> Result<BTreeMap<BuilderName, Sourced>, Refusal> {
    let numbers: Vec<_> = own.iter().map(|change| change.number).collect();
    let numbers = numbers.as_slice();
    let mut all = Sourced::of_changes(state, numbers)?;
    let lately = Sourced::newest(state, BuildId(u64::MAX), BUILDS)?;
    let of_revision = |build: &Sourced| is_of_revision(build, known, own.first());
    all.extend(lately.into_iter().filter(of_revision));
    all.sort_by_key(|build| build.id);
    all.dedup_by_key(|build| build.id);
    let mut builds: BTreeMap<BuilderName, Sourced> = BTreeMap::new();
    for build in all.into_iter().filter(|build| !build.is_try) {
        let is_own = is_of(&build, numbers);
        match builds.get(&build.brief.builder) {
            Some(_) if !is_own => {}
            Some(_) | None => {
                builds.insert(build.brief.builder.clone(), build);
            }
        }
    }
    Ok(builds)
}

/// Whether a build is of this revision in any of its codebases: in that of `change`, and in its
/// repository as far as both are known, if there is a change.
fn is_of_revision(build: &Sourced, known: &str, change: Option<&Change>) -> bool {
    let Some(line) = &build.line else {
        return build.revision.as_deref() == Some(known);
    };
    let is_of = |tree: &Line| {
        change.is_none_or(|change| {
            let is_known = !tree.repository.is_empty() && !change.repository.is_empty();
            let is_other = is_known && tree.repository != change.repository;
            tree.codebase == change.codebase && !is_other
        })
    };
    let mut sources = line.trees().zip(&build.revisions);
    sources.any(|(tree, revision)| revision.as_deref() == Some(known) && is_of(tree))
}

/// Whether a build is made of nothing newer than these changes.
fn is_of(build: &Sourced, numbers: &[ChangeNumber]) -> bool {
    let newest = build.brief.changes.last();
    newest.is_none_or(|newest| numbers.contains(newest))
}

/// The changes of the builds of this very revision, or else its own.
fn inside(
    builds: &BTreeMap<BuilderName, Sourced>,
    numbers: &[ChangeNumber],
) -> BTreeSet<ChangeNumber> {
    let own = builds.values().filter(|build| is_of(build, numbers));
    let inside = own.flat_map(|build| &build.brief.changes);
    inside.chain(numbers).copied().collect()
}

impl Group {
    fn of(build: &Sourced) -> Self {
        match (build.brief.result, build.brief.news) {
            (None, _) => Self::Running,
            (Some(Results::Failure | Results::Warnings), Some(Judgement::New)) => Self::Broken,
            (Some(Results::Success | Results::Warnings), Some(Judgement::Fixed)) => Self::Fixed,
            (Some(Results::Failure | Results::Warnings), _) => Self::Before,
            (Some(Results::Success), _) => Self::Good,
            (Some(Results::Exception | Results::Retry | Results::Skipped), _) => Self::Silent,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Broken => "Newly broken",
            Self::Fixed => "Fixed",
            Self::Before => "Broken before",
            Self::Running => "Running",
            Self::Good => "Good",
            Self::Silent => "Ended without a result",
        }
    }
}

/// The state of a revision: its colour, its classes and its words.
fn verdict(groups: &BTreeMap<Group, Vec<Row>>) -> (Tone, &'static str, String) {
    let count = |group| groups.get(&group).map_or(0, Vec::len);
    let builders = |n: usize| match n {
        1 => "1 builder".to_owned(),
        n => format!("{n} builders"),
    };
    let (broken, running) = (count(Group::Broken), count(Group::Running));
    if broken > 0 {
        return (
            Tone::Fail,
            "fail new",
            format!("broke {}", builders(broken)),
        );
    }
    if running > 0 {
        return (Tone::Run, "run", format!("{} running", builders(running)));
    }
    if count(Group::Fixed) > 0 {
        let says = format!("fixed {}", builders(count(Group::Fixed)));
        return (Tone::Ok, "ok fixed", says);
    }
    if count(Group::Before) > 0 {
        return (Tone::Fail, "fail still", "broken before".to_owned());
    }
    match count(Group::Good) {
        0 => (Tone::Off, "off", "not built".to_owned()),
        _ => (Tone::Ok, "ok", "good".to_owned()),
    }
}

impl Row {
    fn new(build: &Sourced, numbers: &[ChangeNumber]) -> Self {
        let brief = &build.brief;
        let newest = brief.changes.last().filter(|_| !is_of(build, numbers));
        Self {
            pill: pill_of_builder(brief),
            text: match brief.text.is_empty() {
                true => outcome(brief).word().to_owned(),
                false => brief.text.join(" "),
            },
            with: newest.copied().map(change),
            took: brief.took.map_or_else(String::new, took),
        }
    }
}

/// The builders without a build, and why they have none.
fn not_built(
    state: &State,
    scene: &Scene,
    builds: &BTreeMap<BuilderName, Sourced>,
    numbers: &[ChangeNumber],
) -> Result<Vec<NotBuilt>, Refusal> {
    let waiting: BTreeMap<_, _> = state
        .waiting_for_changes(numbers)?
        .into_iter()
        .map(|(_, builder, request)| (builder, request))
        .collect();
    let decisions = match numbers.first() {
        Some(&newest) => state.decisions(newest)?.unwrap_or_default(),
        None => Vec::new(),
    };
    let verdicts: Vec<_> = decisions
        .into_iter()
        .map(|(scheduler, decision)| Verdict::new(scheduler, decision))
        .collect();
    let schedulers = &scene.config.schedulers;
    let why = |name: &BuilderName| {
        let own = schedulers
            .iter()
            .filter(|scheduler| scheduler.builders.contains(name));
        let own: Vec<_> = own.map(|scheduler| &scheduler.name).collect();
        let verdict = verdicts
            .iter()
            .find(|verdict| own.contains(&&verdict.scheduler));
        match verdict {
            Some(verdict) => {
                let why = scene.with_local_times(&verdict.why);
                format!("scheduler {}: {why}", verdict.scheduler)
            }
            None if own.is_empty() => "no scheduler builds it".to_owned(),
            None => "no scheduler of the builder looked at these changes".to_owned(),
        }
    };
    let names = scene.config.builders.iter().map(|builder| &builder.name);
    let names = names
        .filter(|name| !builds.contains_key(*name))
        .take(LISTED);
    let rows = names.map(|name| match waiting.get(name) {
        Some(&request) => NotBuilt {
            name: name.to_string(),
            href: address::request(request),
            waits: true,
            why: match scene.live.waits.get(name) {
                Some(why) => scene.with_local_times(why),
                None => "waits for its turn".to_owned(),
            },
        },
        None => NotBuilt {
            name: name.to_string(),
            href: address::builder(name),
            waits: false,
            why: why(name),
        },
    });
    Ok(rows.collect())
}

/// The revision before the oldest of these changes, on the same branch, and its change.
fn before(
    state: &State,
    own: Option<&Change>,
    oldest: Option<ChangeNumber>,
) -> Result<Option<(Link, Link)>, Refusal> {
    let (Some(own), Some(oldest)) = (own, oldest) else {
        return Ok(None);
    };
    let before = state.changes_before(oldest, BEFORE)?;
    let is_same = |content: &crate::model::NewChange| {
        content.branch == own.branch
            && content.repository == own.repository
            && content.codebase == own.codebase
            && content.revision.is_some()
    };
    let found = before.into_iter().find(|known| is_same(&known.content));
    Ok(found.and_then(|known| {
        let known_revision = known.content.revision.as_deref()?;
        Some((revision(known_revision), change(known.number)))
    }))
}

/// The build sets of these changes, with their schedulers and reasons.
fn sets(
    state: &State,
    numbers: &[ChangeNumber],
) -> Result<Vec<(Link, Option<Link>, String)>, Refusal> {
    let mut rows = Vec::new();
    for &number in numbers {
        for set in state.sets_of_change(number)? {
            let scheduler = set.scheduler.as_ref();
            rows.push((
                Link::to(&set.id.to_string(), &address::build_set(set.id)),
                scheduler.map(|name| Link::to(name.as_str(), &address::scheduler(name))),
                set.reason.clone(),
            ));
        }
    }
    rows.truncate(LISTED);
    Ok(rows)
}

#[cfg(test)]
mod tests;
