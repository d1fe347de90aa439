//! Builds in a line each with what they were made of, and when their steps ran.

use std::collections::{BinaryHeap, VecDeque};

use serde_json::Value;

use super::Brief;
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Line, Origin, Results, Timestamp,
    revision_of_codebase,
};
use crate::store::read::{SourcedRow, StepSpanRow};
use crate::store::{State, StoreError};

/// A build in a line, with what it was made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sourced {
    /// Its number over all builders; those with a higher one started later.
    pub id: BuildId,
    /// The build.
    pub brief: Brief,
    /// The tree; absent if its build sets were pruned.
    pub line: Option<Line>,
    /// The revision that was asked for.
    pub asked_revision: Option<String>,
    /// The revision that was built, else the one that was asked for; absent of a build of several
    /// codebases.
    pub revision: Option<String>,
    /// The same of each codebase, in the order of the line.
    pub revisions: Vec<Option<String>>,
    /// Whether it tried a patch.
    pub is_try: bool,
}

/// When a step ran, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepSpan {
    /// Its name.
    pub name: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    pub finished_at: Option<Timestamp>,
    /// Its result; absent while it runs.
    pub result: Option<Results>,
    /// The name of its first log.
    pub log: Option<String>,
}

/// Builds of some builders by time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Timeline {
    /// The builds with their steps, those that started last at the front.
    pub builds: Vec<(Sourced, Vec<StepSpan>)>,
    /// Where it was cut, because there is no room for more: builds that ended before are left out.
    pub cut_at: Option<Timestamp>,
}

/// Which builds a timeline has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// Only builds that started until then; absent: until now.
    pub until: Option<Timestamp>,
    /// Only builds that ended after that.
    pub since: Option<Timestamp>,
    /// Maximum number of steps; at least one build is given.
    pub steps: usize,
}

impl Sourced {
    /// The newest `limit` builds of a builder below `before`, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_builder(
        state: &State,
        builder: &BuilderName,
        before: BuildNumber,
        limit: u32,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.sourced_of_builder(builder, before, limit)?))
    }

    /// The newest `limit` builds of all builders below `before`, newest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn newest(state: &State, before: BuildId, limit: u32) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.sourced(before, limit)?))
    }

    /// The builds that are made of any of these changes, in order of start.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_changes(state: &State, changes: &[ChangeNumber]) -> Result<Vec<Self>, StoreError> {
        Ok(all(state.sourced_of_changes(changes)?))
    }

    /// The branch; absent for the default branch, and if that is not known.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.line.as_ref().and_then(|line| line.branch.as_deref())
    }
}

impl StepSpan {
    /// The steps of a build that pages show, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn of_build(state: &State, build: BuildId) -> Result<Vec<Self>, StoreError> {
        let rows = state.step_spans(build)?.into_iter();
        Ok(rows.filter(|row| !row.hidden).map(Self::from).collect())
    }
}

/// How many builds of a builder are read at once, and looked at in all.
const AT_ONCE: u32 = 4;
const LOOKED_AT: u32 = 400;

/// The builds of one builder, from the newest on.
struct Cursor<'a> {
    builder: &'a BuilderName,
    before: BuildNumber,
    found: VecDeque<Sourced>,
    looked_at: u32,
}

impl Timeline {
    /// The newest builds of `builders` that are wanted. It reads from each builder a few builds at
    /// a time, by the index of builder and number, until there are enough steps: about as many rows
    /// as are shown, and never more than 400 of a builder.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn read<E: From<StoreError>>(
        state: &State,
        builders: &[BuilderName],
        stretch: Stretch,
        mut is_wanted: impl FnMut(&Sourced) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let mut cursors = Vec::with_capacity(builders.len());
        let mut heads = BinaryHeap::new();
        for (place, builder) in builders.iter().enumerate() {
            let before = match stretch.until {
                Some(until) => state.first_build_after(builder, until)?,
                None => BuildNumber(u64::MAX),
            };
            let mut cursor = Cursor {
                builder,
                before,
                found: VecDeque::new(),
                looked_at: 0,
            };
            cursor.fill(state, stretch, &mut is_wanted)?;
            heads.extend(cursor.found.front().map(|build| (build.id, place)));
            cursors.push(cursor);
        }
        let mut timeline = Self::default();
        let mut steps = 0;
        while let Some((_, place)) = heads.pop() {
            let cursor = &mut cursors[place];
            let Some(build) = cursor.found.pop_front() else {
                continue;
            };
            // Builds that still ran at the cut belong to it; further back nothing is looked for.
            if let Some(cut) = timeline.cut_at {
                if build.brief.finished_at.is_none_or(|end| end > cut) {
                    let spans = StepSpan::of_build(state, build.id)?;
                    timeline.builds.push((build, spans));
                }
                continue;
            }
            let spans = StepSpan::of_build(state, build.id)?;
            steps += spans.len().max(1);
            let started_at = build.brief.started_at;
            timeline.builds.push((build, spans));
            cursor.fill(state, stretch, &mut is_wanted)?;
            heads.extend(cursor.found.front().map(|build| (build.id, place)));
            if steps >= stretch.steps && !heads.is_empty() {
                timeline.cut_at = Some(started_at);
            }
        }
        Ok(timeline)
    }
}

impl Cursor<'_> {
    /// Reads on if nothing is left of what was read.
    fn fill<E: From<StoreError>>(
        &mut self,
        state: &State,
        stretch: Stretch,
        is_wanted: &mut impl FnMut(&Sourced) -> Result<bool, E>,
    ) -> Result<(), E> {
        while self.found.is_empty() && self.looked_at < LOOKED_AT {
            let builds = Sourced::of_builder(state, self.builder, self.before, AT_ONCE)?;
            let is_last = builds.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            self.looked_at += AT_ONCE;
            for build in builds {
                self.before = build.brief.number;
                let end = build.brief.finished_at;
                if stretch
                    .since
                    .is_some_and(|since| end.is_some_and(|end| end <= since))
                {
                    self.looked_at = LOOKED_AT;
                    break;
                }
                if is_wanted(&build)? {
                    self.found.push_back(build);
                }
            }
            if is_last {
                self.looked_at = LOOKED_AT;
            }
        }
        Ok(())
    }
}

impl From<SourcedRow> for Sourced {
    fn from(row: SourcedRow) -> Self {
        let Origin {
            line,
            revision: asked,
            more_revisions,
            is_try,
            ..
        } = row.origin.clone().unwrap_or_default();
        let asked_of_each = std::iter::once(asked.clone()).chain(more_revisions);
        // Steps in builds of several codebases report a table.
        let got = row.got_revision.as_deref().unwrap_or_default();
        let table: Option<Value> = got
            .starts_with('{')
            .then(|| serde_json::from_str(got).ok())
            .flatten();
        let revisions = line.trees().zip(asked_of_each);
        let revisions: Vec<_> = revisions
            .map(|(tree, asked)| match &table {
                Some(table) => revision_of_codebase(table, &tree.codebase).or(asked),
                None => row.got_revision.clone().or(asked),
            })
            .collect();
        let revision = match revisions.as_slice() {
            [one] => one.clone(),
            _ => None,
        };
        Self {
            id: row.id,
            brief: Brief::from(row.brief),
            line: row.origin.map(|_| line),
            asked_revision: asked,
            revision,
            revisions,
            is_try,
        }
    }
}

impl From<StepSpanRow> for StepSpan {
    fn from(row: StepSpanRow) -> Self {
        Self {
            name: row.name,
            started_at: row.started_at,
            finished_at: row.finished_at,
            result: row.result,
            log: row.log,
        }
    }
}

fn all(rows: Vec<SourcedRow>) -> Vec<Sourced> {
    rows.into_iter().map(Sourced::from).collect()
}
