//! What the two grids show: the newest sources, and what each builder made of them.
//!
//! They read the newest builds of each builder by its index, three times as many as there are
//! sources, the newest change of each by its number, and the waiting requests of these changes.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{self, BRANCH};
use super::common::{Changes, outcome};
use crate::model::{BuildNumber, BuilderName, ChangeNumber, Timestamp};
use crate::store::State;
use crate::view::{Brief, Sourced};
use crate::web::address;
use crate::web::page::Scene;
use crate::web::parts::{Link, Pill, change, person, revision};
use crate::web::refusal::Refusal;

/// What builds are made of.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Source {
    /// The newest change.
    Change(ChangeNumber),
    /// A revision on a branch.
    Revision(String, Option<String>),
}

/// A source with the builds of it.
#[derive(Debug, Default)]
struct Built {
    at: Option<Timestamp>,
    builds: BTreeMap<BuilderName, Brief>,
}

/// The matrix.
#[derive(Debug)]
pub(super) struct Sources {
    /// The builders.
    pub(super) builders: Vec<Link>,
    /// The sources, the newest first.
    pub(super) heads: Vec<SourceHead>,
    /// What is in each source, by builder.
    pub(super) cells: Vec<Vec<Cell>>,
    pub(super) runs: bool,
}

/// What a source is.
#[derive(Clone, Debug)]
pub(super) struct SourceHead {
    pub(super) revision: Link,
    pub(super) change: Option<(Link, Link)>,
}

/// What a builder made of a source.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    None,
    Waits(String),
    Build(Pill, &'static str),
}

impl Sources {
    /// The newest `count` sources that the arguments choose.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn read(state: &State, scene: &Scene, count: usize) -> Result<Self, Refusal> {
        let builders = columns::chosen(scene);
        let branches = columns::non_empty(scene, BRANCH.name);
        let looked_at = u32::try_from(count * 3).unwrap_or(u32::MAX);
        let mut all: BTreeMap<Source, Built> = BTreeMap::new();
        for builder in &builders {
            let newest = BuildNumber(u64::MAX);
            for build in Sourced::of_builder(state, &builder.name, newest, looked_at)? {
                let branch = build.branch().unwrap_or_default();
                let is_wanted = branches.is_empty() || branches.iter().any(|b| *b == branch);
                let source = Source::of(&build).filter(|_| is_wanted && !build.is_try);
                let Some(source) = source else { continue };
                let built = all.entry(source).or_default();
                built.at = built.at.max(Some(build.brief.started_at));
                // The newest build of a builder comes first.
                built
                    .builds
                    .entry(builder.name.clone())
                    .or_insert(build.brief);
            }
        }
        let mut changes = Changes::default();
        let mut named = with_changes(state, all, &mut changes)?;
        named.sort_by_key(|(source, built)| std::cmp::Reverse((built.at, source.clone())));
        named.truncate(count);
        let numbers: Vec<_> = named
            .iter()
            .filter_map(|(source, _)| source.change())
            .collect();
        let waiting: BTreeSet<_> = state
            .waiting_for_changes(&numbers)?
            .into_iter()
            .map(|(number, builder, _)| (number, builder))
            .collect();
        let mut heads = Vec::new();
        let mut cells = Vec::new();
        for (source, built) in &named {
            heads.push(source.head(state, &mut changes)?);
            let cell = |name: &BuilderName| match (built.builds.get(name), source.change()) {
                (Some(build), _) => Cell::of(build),
                (None, Some(number)) if waiting.contains(&(number, name.clone())) => {
                    Cell::Waits(address::with_args("/queue", &[("builder", name)]))
                }
                (None, _) => Cell::None,
            };
            cells.push(builders.iter().map(|builder| cell(&builder.name)).collect());
        }
        let mut shown = named.iter().flat_map(|(_, built)| built.builds.values());
        Ok(Self {
            builders: builders
                .iter()
                .map(|b| Link::to(b.name.as_str(), &address::builder(&b.name)))
                .collect(),
            heads,
            cells,
            runs: shown.any(|build| build.result.is_none()),
        })
    }
}

/// The sources with the times of their changes; a revision that a change has is that change.
fn with_changes(
    state: &State,
    all: BTreeMap<Source, Built>,
    changes: &mut Changes,
) -> Result<Vec<(Source, Built)>, Refusal> {
    let mut named: Vec<(Source, Built)> = Vec::new();
    let mut revisions: BTreeMap<String, usize> = BTreeMap::new();
    // In this order, changes are before revisions.
    for (source, mut built) in all {
        match &source {
            Source::Change(number) => {
                if let Some(known) = changes.get(state, *number)? {
                    built.at = Some(known.arrived_at);
                    let revision = known.revision.clone();
                    revisions.extend(revision.map(|revision| (revision, named.len())));
                }
            }
            Source::Revision(revision, _) => {
                let known = revisions.get(revision).and_then(|&at| named.get_mut(at));
                if let Some((_, known)) = known {
                    for (builder, build) in built.builds {
                        known.builds.entry(builder).or_insert(build);
                    }
                    continue;
                }
            }
        }
        named.push((source, built));
    }
    Ok(named)
}

impl Source {
    /// What a build is made of; absent if that is not known.
    fn of(build: &Sourced) -> Option<Self> {
        let branch = build.branch().map(str::to_owned);
        let revision = build.revision.clone();
        let change = build.brief.changes.last().copied().map(Self::Change);
        change.or_else(|| revision.map(|revision| Self::Revision(revision, branch)))
    }

    const fn change(&self) -> Option<ChangeNumber> {
        match self {
            Self::Change(number) => Some(*number),
            Self::Revision(..) => None,
        }
    }

    fn head(&self, state: &State, changes: &mut Changes) -> Result<SourceHead, Refusal> {
        Ok(match self {
            Self::Revision(known, branch) => SourceHead {
                revision: revision(known),
                change: branch
                    .as_ref()
                    .map(|branch| (Link::text(branch), Link::text(""))),
            },
            Self::Change(number) => {
                let known = changes.get(state, *number)?;
                let own = known.and_then(|known| known.revision.as_deref());
                SourceHead {
                    revision: own.map_or_else(|| Link::text("no revision"), revision),
                    change: Some((
                        change(*number),
                        person(known.map_or("", |known| &known.who)),
                    )),
                }
            }
        })
    }
}

impl Cell {
    fn of(build: &Brief) -> Self {
        let outcome = outcome(build);
        let word = match outcome.word() {
            "success" => "",
            word => word,
        };
        Self::Build(Pill::number(&build.builder, build.number, outcome), word)
    }
}
