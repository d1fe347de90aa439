//! Schedulers: what waits in them, until when, and when they run next.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::{Value, json};

use super::builds::runs;
use super::json::secs;
use super::pages::heading;
use super::screen::Screen;
use crate::config::SchedulerConfig;
use crate::model::{
    BuilderName, ChangeNumber, Decision, Line, Results, SchedulerName, SetId, Timestamp,
};
use crate::schedulers::next_run_of;
use crate::store::{State, StoreError};
use crate::text::commas;
use crate::text::table::Cell;

/// A scheduler of the configuration, with what the state knows of it.
#[derive(Debug)]
pub(super) struct Scheduler {
    name: SchedulerName,
    kind: &'static str,
    builders: Vec<BuilderName>,
    /// What it waits for, if not for changes of its own.
    upstream: Option<SchedulerName>,
    /// What waits, by tree.
    waiting: Vec<Tree>,
    /// When it runs next by the clock.
    next: Option<Timestamp>,
    last: Option<(SetId, Timestamp, Option<Results>)>,
}

/// Changes of one tree that wait in a scheduler.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    line: Line,
    changes: Vec<ChangeNumber>,
    /// When they are built; absent while none of them is important.
    until: Option<Timestamp>,
    /// Whether that is when the tree will have been stable for long enough.
    is_timer: bool,
}

impl Scheduler {
    /// Reads what the state knows of the schedulers with these settings; `state` is absent if there is no state.
    pub(super) fn all<'a>(
        state: Option<&State>,
        configs: impl IntoIterator<Item = &'a SchedulerConfig>,
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let mut waiting = match state {
            Some(state) => waiting(state)?,
            None => BTreeMap::new(),
        };
        let mut all = Vec::new();
        for config in configs {
            let last = match state {
                Some(state) => state.last_set_of(&config.name)?,
                None => None,
            };
            let last_at = last.as_ref().map(|(_, at, _)| *at);
            let next = next_run_of(&config.kind, last_at, now);
            all.push(Self {
                name: config.name.clone(),
                kind: config.kind.name(),
                builders: config.builders.clone(),
                upstream: config.kind.upstream().cloned(),
                waiting: waiting.remove(&config.name).unwrap_or_default(),
                next,
                last,
            });
        }
        Ok(all)
    }

    /// What waits in it for this builder.
    pub(super) fn waiting_for(&self, builder: &BuilderName) -> &[Tree] {
        match self.builders.contains(builder) {
            true => &self.waiting,
            false => &[],
        }
    }

    /// What waits in it.
    pub(super) fn waiting(&self) -> &[Tree] {
        &self.waiting
    }

    /// What it does, in words.
    fn state(&self, screen: &Screen<'_>, now: Timestamp, is_running: bool) -> String {
        if !is_running {
            return match self.waiting.is_empty() {
                true => "offline".to_owned(),
                false => {
                    let kept = self.waiting.iter().map(Tree::kept);
                    format!("offline, keeps {}", commas(kept))
                }
            };
        }
        let mut parts: Vec<_> = self
            .waiting
            .iter()
            .map(|tree| tree.sentence(screen, now))
            .collect();
        if let Some(next) = self.next {
            parts.push(format!("runs next at {}", screen.clock(next, now)));
        }
        if let Some(upstream) = &self.upstream {
            parts.push(format!("waits for {upstream} to succeed"));
        }
        match parts.is_empty() {
            true => "idle".to_owned(),
            false => parts.join("; "),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "builders": self.builders,
            "upstream": self.upstream,
            "waiting": self.waiting.iter().map(Tree::json).collect::<Vec<_>>(),
            "next": self.next.map(secs),
            "last_set": self.last.map(|(set, at, result)| json!({
                "id": set, "submitted_at": secs(at), "result": result,
            })),
        })
    }
}

impl Tree {
    /// Whether a timer runs until it is built.
    pub(super) const fn has_timer(&self) -> bool {
        self.is_timer
    }

    /// `waiting for the tree to be stable until 08:02:00: changes 7, 8`
    pub(super) fn sentence(&self, screen: &Screen<'_>, now: Timestamp) -> String {
        let kept = self.kept();
        match self.until {
            None => format!("keeps {kept} for the next important change"),
            Some(until) if until <= now => format!("about to build {kept}"),
            Some(until) if self.is_timer => format!(
                "waiting for the tree to be stable until {}: {kept}",
                screen.clock(until, now)
            ),
            Some(until) => format!("keeps {kept} for the run at {}", screen.clock(until, now)),
        }
    }

    /// `changes 7, 8 of trunk`
    fn kept(&self) -> String {
        let word = match self.changes.len() {
            1 => "change",
            _ => "changes",
        };
        let numbers = runs(self.changes.iter().map(|change| change.0));
        let branch = self
            .line
            .branch
            .as_deref()
            .filter(|branch| !branch.is_empty());
        match branch {
            Some(branch) => format!("{word} {numbers} of {branch}"),
            None => format!("{word} {numbers}"),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "branch": self.line.branch,
            "repository": self.line.repository,
            "project": self.line.project,
            "codebase": self.line.codebase,
            "changes": self.changes,
            "until": self.until.map(secs),
        })
    }
}

/// The changes that each scheduler waits with.
fn waiting(state: &State) -> Result<BTreeMap<SchedulerName, Vec<Tree>>, StoreError> {
    let mut all = BTreeMap::new();
    for (scheduler, numbers) in state.held_changes()? {
        let trees = trees(state, &scheduler, &numbers)?;
        all.insert(scheduler, trees);
    }
    Ok(all)
}

fn trees(
    state: &State,
    scheduler: &SchedulerName,
    numbers: &BTreeSet<ChangeNumber>,
) -> Result<Vec<Tree>, StoreError> {
    let mut trees: BTreeMap<Line, Tree> = BTreeMap::new();
    for &number in numbers {
        let Some(change) = state.change(number)? else {
            continue;
        };
        let line = Line {
            branch: change.branch.clone(),
            repository: change.repository.clone(),
            project: change.project.clone(),
            codebase: change.codebase.clone(),
        };
        let decisions = state.decisions(number)?.unwrap_or_default();
        let decision = decisions.into_iter().find(|(name, _)| name == scheduler);
        let decision = decision.map(|(_, decision)| decision);
        let tree = trees.entry(line.clone()).or_insert_with(|| Tree {
            line,
            changes: Vec::new(),
            until: None,
            is_timer: false,
        });
        tree.changes.push(number);
        tree.is_timer |= matches!(decision, Some(Decision::TimerRuns { .. }));
        tree.until = tree.until.max(decision.and_then(Decision::time));
    }
    Ok(trees.into_values().collect())
}

/// All schedulers.
pub(super) fn table(
    screen: &mut Screen<'_>,
    schedulers: &[Scheduler],
    now: Timestamp,
    is_running: bool,
) -> io::Result<()> {
    if schedulers.is_empty() {
        return screen.line("the configuration has no schedulers");
    }
    let mut rows = vec![heading(&[
        "scheduler",
        "type",
        "state",
        "last set",
        "builders",
    ])];
    for scheduler in schedulers {
        let last = match scheduler.last {
            Some((set, at, result)) => {
                let result = result.map_or_else(|| "not finished".to_owned(), |r| r.to_string());
                format!("{set} at {}: {result}", screen.time(at))
            }
            None => "none".to_owned(),
        };
        rows.push(vec![
            scheduler.name.as_str().into(),
            Cell::kept(scheduler.kind),
            Cell::wrapped(scheduler.state(screen, now, is_running)),
            Cell::wrapped(last),
            Cell::wrapped(commas(&scheduler.builders)),
        ]);
    }
    screen.table(&rows)
}
