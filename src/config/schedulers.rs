//! `[[schedulers]]` (sections 3 to 8): what all kinds have; `rules` has what those share that look at changes,
//! `timed` those that look at the clock, `upstream` who waits for whom.

pub(super) mod rules;
mod timed;
pub(super) mod try_userpass;
mod trying;
mod upstream;
mod zones;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use self::try_userpass::Listeners;
use self::trying::Jobdirs;
use self::upstream::Upstreams;
use super::MachineZone;
use super::names::Names;
use super::quantities::{LONGEST, SHORTEST};
use super::reader::{Shape, Table, Value};
use super::scheduling::{LongestWait, SchedulerConfig, SchedulerKind, TreeStable};
use crate::model::{BuilderName, SchedulerName};

pub(super) static SHAPE: Shape = Shape {
    place: "schedulers",
    noun: "scheduler",
    keys: &[
        "type",
        "name",
        "builders",
        "properties",
        "reason",
        "priority",
        "branch",
        "branches",
        "separate",
        "tree_stable_timer",
        "timer_from",
        "longest_wait",
        "unimportant_resets_timer",
        "only_important",
        "important_files",
        "filter",
        "upstream",
        "period",
        "resume",
        "only_if_changed",
        "minute",
        "hour",
        "day_of_month",
        "month",
        "day_of_week",
        "force_at_minute",
        "force_at_hour",
        "force_at_day_of_month",
        "force_at_month",
        "force_at_day_of_week",
        "time_zone",
        "search_years",
        "dst_repeat",
        "dst_gap",
        "port",
        "userpass",
        "jobdir",
        "max_job_size",
        "poll_interval",
    ],
};

/// The kinds there are.
const KINDS: [&str; 7] = [
    "Scheduler",
    "AnyBranch",
    "Dependent",
    "Periodic",
    "Nightly",
    "Try_Userpass",
    "Try_Jobdir",
];

/// What schedulers refer to, and what they make of it.
#[derive(Debug)]
pub(super) struct Builders<'a> {
    /// Names of builders.
    pub(super) names: Names<'a>,
    /// Those that a scheduler names.
    pub(super) scheduled: BTreeSet<&'a str>,
}

/// Reads all schedulers; those that run by local time and name no zone run by that of the machine, `zone`.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    builders: &mut Builders<'a>,
    zone: &MachineZone,
    listeners: Listeners<'a, '_>,
) -> Vec<Arc<SchedulerConfig>> {
    let mut reader = Reader {
        names: Names::new("scheduler"),
        builders,
        upstreams: Upstreams::default(),
        jobdirs: Jobdirs::default(),
        zone,
        listeners,
        try_doors: try_userpass::Doors::default(),
    };
    let tables = root.take("schedulers").map(|v| v.tables(&SHAPE));
    let tables = tables.into_iter().flatten();
    let schedulers = tables.filter_map(|t| reader.scheduler(t)).map(Arc::new);
    let schedulers = schedulers.collect();
    reader.upstreams.check(&reader.names);
    schedulers
}

/// What is known while the schedulers are read one by one.
struct Reader<'a, 'r> {
    names: Names<'a>,
    builders: &'r mut Builders<'a>,
    upstreams: Upstreams<'a>,
    jobdirs: Jobdirs,
    zone: &'r MachineZone,
    listeners: Listeners<'a, 'r>,
    try_doors: try_userpass::Doors<'a>,
}

impl<'a> Reader<'a, '_> {
    fn scheduler(&mut self, mut table: Table<'a>) -> Option<SchedulerConfig> {
        let name = self.names.declare(&mut table).map(|(name, _)| name);
        let builders = read_builders(&mut table, self.builders);
        let kind = table.require("type", "\"Scheduler\"")?;
        if let (Some(name), Some(kind)) = (name, kind.raw().as_str()) {
            self.upstreams.add_kind(name, kind);
        }
        let kind = kind.one_of(&KINDS)?;
        let properties = table.properties("Scheduler");
        let reason = table.take("reason").and_then(|v| read_reason(&v));
        let priority = table.priority();
        let kind = match kind {
            "Scheduler" => Some(read_scheduler(&mut table)),
            "AnyBranch" => Some(read_any_branch(&mut table)),
            "Dependent" => self.read_dependent(&mut table, name),
            "Periodic" => timed::read_periodic(&mut table),
            "Nightly" => timed::read_nightly(&mut table, self.zone),
            "Try_Userpass" => self.try_doors.read(&mut table, self.listeners),
            _ => trying::read_jobdir(&mut table, &mut self.jobdirs),
        };
        table.finish();
        Some(SchedulerConfig {
            name: SchedulerName::from(name?),
            builders,
            properties,
            reason,
            priority,
            kind: kind?,
        })
    }

    fn read_dependent(
        &mut self,
        table: &mut Table<'a>,
        name: Option<&'a str>,
    ) -> Option<SchedulerKind> {
        let value = table.require("upstream", "\"SCHEDULER\"")?;
        let upstream = value.name()?;
        self.upstreams.add(name?, value);
        Some(SchedulerKind::Dependent {
            upstream: upstream.into(),
        })
    }
}

fn read_builders<'a>(table: &mut Table<'a>, builders: &mut Builders<'a>) -> Vec<BuilderName> {
    let Some(value) = table.require("builders", "[\"NAME\"]") else {
        return Vec::new();
    };
    let entries = value.list();
    if entries.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("{} has no builders", table.label);
        value
            .sink
            .warning(value.span(), message, "it starts nothing");
    }
    let entries = entries.unwrap_or_default();
    let names = entries.iter().filter_map(|e| builders.names.refer(e));
    let names: Vec<&str> = names.collect();
    builders.scheduled.extend(&names);
    names.into_iter().map(BuilderName::from).collect()
}

fn read_scheduler(table: &mut Table<'_>) -> SchedulerKind {
    let branch = table.take("branch");
    let settings = read_tree_stable(table, branch.as_ref());
    SchedulerKind::Scheduler {
        branch: branch.and_then(|v| v.text()).map(str::to_owned),
        settings,
    }
}

fn read_any_branch(table: &mut Table<'_>) -> SchedulerKind {
    let branches = table.take("branches");
    let settings = read_tree_stable(table, branches.as_ref());
    SchedulerKind::AnyBranch {
        branches: branches.and_then(|v| read_branches(&v)),
        settings,
    }
}

/// A list of branches, among which `false` is the default branch (ANY-02).
fn read_branches(value: &Value<'_>) -> Option<Vec<Option<String>>> {
    let entries = value.list()?;
    if entries.is_empty() {
        let message = format!("{} has no branches", value.label);
        let help = "it starts nothing; without `branches` it builds every branch";
        value.sink.warning(value.span(), message, help);
    }
    let text = |entry: &Value<'_>| match entry.is_false() {
        true => Some(None),
        false if entry.raw().is_str() => entry.text().map(|t| Some(t.to_owned())),
        false => entry.expected("a text", "a text, or `false` for the default branch"),
    };
    let texts: Vec<_> = entries.iter().map(text).collect();
    texts.into_iter().collect()
}

/// `branch` is the setting that a filter on the branch takes the place of.
fn read_tree_stable(table: &mut Table<'_>, branch: Option<&Value<'_>>) -> TreeStable {
    let timer = table.take("tree_stable_timer");
    let timer = timer.and_then(|v| v.optional_duration(Duration::ZERO..=LONGEST));
    let longest_wait = table.take("longest_wait");
    let longest_wait = longest_wait.and_then(|v| read_longest_wait(&v, timer.flatten()));
    let longest_wait = longest_wait.unwrap_or_default();
    let timer_from = table.take("timer_from");
    let timer_from = timer_from.and_then(|v| v.one_of(&["change", "arrival"]));
    TreeStable {
        tree_stable_timer: timer.flatten(),
        timer_from_arrival: timer_from == Some("arrival"),
        longest_wait,
        unimportant_resets_timer: table.flag("unimportant_resets_timer"),
        rules: rules::read(table, branch),
    }
}

/// A time that is not shorter than the timer, or `false` (TIM-05).
fn read_longest_wait(value: &Value<'_>, timer: Option<Duration>) -> Option<LongestWait> {
    let Some(limit) = value.optional_duration(SHORTEST..=LONGEST)? else {
        return Some(LongestWait::Unlimited);
    };
    if timer.is_some_and(|timer| timer > limit) {
        let help = "a tree that keeps still is built after the timer, which is longer";
        value.error("is shorter than `tree_stable_timer`", help);
        return None;
    }
    Some(LongestWait::AtMost(limit))
}

fn read_reason(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.replace("%(name)s", "").contains("%(") {
        value.error(
            "has an unknown form in it",
            "`%(name)s` is the scheduler's name; there are no others",
        );
        return None;
    }
    Some(text.to_owned())
}
