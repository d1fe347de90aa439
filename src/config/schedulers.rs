//! `[[schedulers]]` (sections 3 to 9): the table of the kinds, and what all of them have.
//! `tree_stable` and `rules` have what those share that look at changes, `timed` those that look at
//! the clock, `upstream` who waits for whom.

mod any_branch;
mod branches;
pub(in crate::config) mod codebases;
mod dependent;
mod force;
mod kind;
mod nightly;
mod nightly_triggerable;
mod periodic;
pub(super) mod rules;
mod single_branch;
mod timed;
mod tree_stable;
mod triggerable;
mod try_jobdir;
pub(super) mod try_userpass;
mod upstream;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use self::kind::SchedulerSettings;
use self::try_jobdir::Jobdirs;
use self::try_userpass::Listeners;
use self::upstream::Upstreams;
use super::names::Names;
use super::properties;
use super::reader::{Table, Value};
use super::shape::{KindShape, Shape};
use super::zones::MachineZone;
use crate::model::{BuilderName, Properties, SchedulerName, Zone};

pub use self::any_branch::AnyBranchConfig;
pub use self::codebases::{CodebaseSource, Codebases};
pub use self::dependent::DependentConfig;
pub(in crate::config) use self::force::{CODEBASE as FORCED_CODEBASE, PARAMETER};
pub use self::force::{ForceConfig, ForcedCodebase, Parameter, ParameterKind, full_name};
pub use self::nightly::NightlyConfig;
pub use self::nightly_triggerable::NightlyTriggerableConfig;
pub use self::periodic::PeriodicConfig;
pub use self::rules::{ChangeRules, Importance};
pub use self::single_branch::SingleBranchConfig;
pub use self::timed::TimedBuild;
pub use self::tree_stable::{LongestWait, TreeStable};
pub use self::triggerable::TriggerableConfig;
pub use self::try_jobdir::TryJobdirConfig;
pub use self::try_userpass::TryUserpassConfig;

/// A scheduler.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SchedulerConfig {
    /// Its name.
    pub name: SchedulerName,
    /// Its builders, in order, as they are listed; duplicates make one request (SCB-02).
    pub builders: Vec<BuilderName>,
    /// Properties of its sets, with source "Scheduler".
    #[serde(serialize_with = "properties::plain")]
    pub properties: Properties,
    /// Text of its sets' reasons, with `%(name)s` for its name; absent: kind and name (SCB-12).
    pub reason: Option<String>,
    /// Of its requests: those with a higher number go before all others (BRQ-09); 0.
    pub priority: i32,
    /// What it is.
    #[serde(flatten)]
    pub kind: SchedulerKind,
}

/// Kinds of scheduler.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum SchedulerKind {
    /// `Scheduler`: one branch (section 4).
    Scheduler(SingleBranchConfig),
    /// `AnyBranch`: each branch for itself (section 5).
    AnyBranch(AnyBranchConfig),
    /// `Dependent`: builds what another scheduler has built with success (section 6).
    Dependent(DependentConfig),
    /// `Periodic`: builds again and again (section 7).
    Periodic(PeriodicConfig),
    /// `Nightly`: builds by the clock on the wall (section 8).
    Nightly(Box<NightlyConfig>),
    /// `Triggerable`: builds when a step of another build asks for it.
    Triggerable(TriggerableConfig),
    /// `NightlyTriggerable`: keeps what a step of another build asks for, and builds it by the
    /// clock on the wall.
    NightlyTriggerable(Box<NightlyTriggerableConfig>),
    /// `Try_Jobdir`: builds what is dropped into a directory (section 9).
    #[serde(rename = "Try_Jobdir")]
    TryJobdir(TryJobdirConfig),
    /// `Try_Userpass`: builds what users hand in over the wire (section 9).
    #[serde(rename = "Try_Userpass")]
    TryUserpass(TryUserpassConfig),
    /// `ForceScheduler`: builds what people ask for with a form (FRC-01).
    ForceScheduler(Box<ForceConfig>),
}

/// A row of [`KINDS`].
struct Kind {
    shape: KindShape,
    /// The settings of a scheduler of this kind whose table says nothing.
    usual: fn() -> SchedulerKind,
}

/// The kinds of scheduler that a configuration can have.
static KINDS: [Kind; 10] = [
    Kind {
        shape: KindShape {
            name: "Scheduler",
            keys: &[single_branch::KEYS, tree_stable::KEYS],
        },
        usual: || SchedulerKind::Scheduler(SingleBranchConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "AnyBranch",
            keys: &[any_branch::KEYS, tree_stable::KEYS],
        },
        usual: || SchedulerKind::AnyBranch(AnyBranchConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "Dependent",
            keys: &[dependent::KEYS],
        },
        usual: || SchedulerKind::Dependent(DependentConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "Periodic",
            keys: &[periodic::KEYS, timed::KEYS],
        },
        usual: || SchedulerKind::Periodic(PeriodicConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "Nightly",
            keys: &[nightly::CALENDAR, nightly::KEYS, timed::KEYS],
        },
        usual: || SchedulerKind::Nightly(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "Triggerable",
            keys: &[triggerable::KEYS],
        },
        usual: || SchedulerKind::Triggerable(TriggerableConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "NightlyTriggerable",
            keys: &[nightly::CALENDAR, nightly_triggerable::KEYS],
        },
        usual: || SchedulerKind::NightlyTriggerable(Box::default()),
    },
    Kind {
        shape: KindShape {
            name: "Try_Userpass",
            keys: &[try_userpass::KEYS],
        },
        usual: || SchedulerKind::TryUserpass(TryUserpassConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "Try_Jobdir",
            keys: &[try_jobdir::KEYS],
        },
        usual: || SchedulerKind::TryJobdir(TryJobdirConfig::default()),
    },
    Kind {
        shape: KindShape {
            name: "ForceScheduler",
            keys: &[force::KEYS],
        },
        usual: || SchedulerKind::ForceScheduler(Box::default()),
    },
];

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
    ],
    kinds: || KINDS.iter().map(|kind| kind.shape).collect(),
};

impl Default for SchedulerKind {
    fn default() -> Self {
        Self::Scheduler(SingleBranchConfig::default())
    }
}

impl SchedulerKind {
    /// The name of the kind, as the file has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Scheduler(_) => "Scheduler",
            Self::AnyBranch(_) => "AnyBranch",
            Self::Dependent(_) => "Dependent",
            Self::Periodic(_) => "Periodic",
            Self::Nightly(_) => "Nightly",
            Self::Triggerable(_) => "Triggerable",
            Self::NightlyTriggerable(_) => "NightlyTriggerable",
            Self::TryJobdir(_) => "Try_Jobdir",
            Self::TryUserpass(_) => "Try_Userpass",
            Self::ForceScheduler(_) => "ForceScheduler",
        }
    }

    /// The scheduler whose successes it waits for.
    #[must_use]
    pub fn upstream(&self) -> Option<&SchedulerName> {
        self.settings().upstream()
    }

    /// What it builds when its time has come, if it looks at the clock.
    #[must_use]
    pub fn timed(&self) -> Option<&TimedBuild> {
        self.settings().timed()
    }

    /// Its rules on changes, if it looks at changes.
    #[must_use]
    pub fn change_rules(&self) -> Option<&ChangeRules> {
        match self {
            Self::Scheduler(one) => Some(&one.tree_stable.rules),
            Self::AnyBranch(any) => Some(&any.tree_stable.rules),
            Self::Dependent(_)
            | Self::Periodic(_)
            | Self::Nightly(_)
            | Self::Triggerable(_)
            | Self::NightlyTriggerable(_)
            | Self::TryJobdir(_)
            | Self::TryUserpass(_)
            | Self::ForceScheduler(_) => self.timed()?.only_if_changed.as_ref(),
        }
    }

    /// Whose local time counts, if it looks at a local clock.
    #[must_use]
    pub fn zone(&self) -> Option<Zone> {
        self.settings().zone()
    }

    /// For how many calendar years it looks for a next run, if there may be none.
    #[must_use]
    pub fn search_years(&self) -> Option<u16> {
        self.settings().search_years()
    }

    /// Whether it builds what people hand it, and only that.
    #[must_use]
    pub fn takes_try_jobs(&self) -> bool {
        self.settings().takes_try_jobs()
    }

    /// The branches of the try jobs that it takes, among which `None` is the default branch;
    /// absent: every branch.
    #[must_use]
    pub fn try_branches(&self) -> Option<&[Option<String>]> {
        self.settings().try_branches()
    }

    /// The codebases of the try jobs that it takes; absent: it takes none.
    #[must_use]
    pub fn try_codebases(&self) -> Option<&Codebases> {
        self.settings().try_codebases()
    }

    /// Whether it builds what steps of builds ask for.
    #[must_use]
    pub fn takes_triggers(&self) -> bool {
        self.settings().takes_triggers()
    }

    /// Its settings, if people fill in a form to have it build.
    #[must_use]
    pub fn force(&self) -> Option<&ForceConfig> {
        if let Self::ForceScheduler(settings) = self {
            return Some(settings);
        }
        None
    }

    /// Its settings, if it finds try jobs in a directory.
    #[must_use]
    pub const fn try_jobdir(&self) -> Option<&TryJobdirConfig> {
        if let Self::TryJobdir(settings) = self {
            return Some(settings);
        }
        None
    }

    /// Its settings, if users log in to hand it try jobs.
    #[must_use]
    pub const fn try_userpass(&self) -> Option<&TryUserpassConfig> {
        if let Self::TryUserpass(settings) = self {
            return Some(settings);
        }
        None
    }

    fn settings(&self) -> &dyn SchedulerSettings {
        match self {
            Self::Scheduler(settings) => settings,
            Self::AnyBranch(settings) => settings,
            Self::Dependent(settings) => settings,
            Self::Periodic(settings) => settings,
            Self::Nightly(settings) => &**settings,
            Self::Triggerable(settings) => settings,
            Self::NightlyTriggerable(settings) => &**settings,
            Self::TryJobdir(settings) => settings,
            Self::TryUserpass(settings) => settings,
            Self::ForceScheduler(settings) => &**settings,
        }
    }
}

/// What schedulers refer to, and what they make of it.
#[derive(Debug)]
pub(super) struct Builders<'a> {
    /// Names of builders.
    pub(super) names: Names<'a>,
    /// Those that a scheduler names.
    pub(super) scheduled: BTreeSet<&'a str>,
}

impl Builders<'_> {
    /// The builder that `value` names, which must exist; that does not start it.
    pub(super) fn refer_to<'v>(&self, value: &Value<'v>) -> Option<&'v str> {
        let name = value.name()?;
        self.names.check(name, value).then_some(name)
    }
}

/// Reads all schedulers; those that run by local time and name no zone run by that of the machine,
/// `zone`.
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
    let schedulers: Vec<Arc<SchedulerConfig>> = schedulers.collect();
    reader.upstreams.check(&reader.names);
    let triggered = root.sink.take_triggers();
    for triggered in &triggered {
        triggerable::check(root.sink, triggered, &reader.names, &schedulers);
    }
    if !root.sink.triggers_any.get() {
        let mut used: BTreeSet<&str> = triggered.iter().map(|t| t.name.as_str()).collect();
        let others = schedulers.iter();
        let others = others.filter(|s| !matches!(s.kind, SchedulerKind::Triggerable(_)));
        used.extend(others.map(|scheduler| scheduler.name.as_str()));
        reader.names.warn_unused(root.sink, &used, |name| {
            format!("no step triggers the scheduler `{name}`")
        });
    }
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
        let mut scheduler = SchedulerConfig {
            builders: read_builders(&mut table, self.builders),
            ..SchedulerConfig::default()
        };
        let kind = table.kind(&KINDS, |kind| kind.shape, None)?;
        scheduler.kind = (kind.usual)();
        scheduler.properties = table.properties("Scheduler");
        let read_reason = match scheduler.kind.force() {
            Some(_) => force::read_reason,
            None => read_reason,
        };
        table.set_some("reason", &mut scheduler.reason, read_reason);
        scheduler.priority = table.priority();
        match &mut scheduler.kind {
            SchedulerKind::Scheduler(settings) => settings.read(&mut table),
            SchedulerKind::AnyBranch(settings) => settings.read(&mut table),
            SchedulerKind::Dependent(settings) => {
                settings.read(&mut table, name, &mut self.upstreams);
            }
            SchedulerKind::Periodic(settings) => settings.read(&mut table),
            SchedulerKind::Nightly(settings) => settings.read(&mut table, self.zone),
            SchedulerKind::Triggerable(settings) => settings.read(&mut table),
            SchedulerKind::NightlyTriggerable(settings) => settings.read(&mut table, self.zone),
            SchedulerKind::TryJobdir(settings) => settings.read(&mut table, &mut self.jobdirs),
            SchedulerKind::TryUserpass(settings) => {
                settings.read(&mut table, &mut self.try_doors, self.listeners);
            }
            SchedulerKind::ForceScheduler(settings) => settings.read(&mut table),
        }
        table.finish();
        let name = name?;
        if scheduler.kind.takes_try_jobs() {
            self.upstreams.add_of_try(name, kind.shape.name);
        }
        scheduler.name = SchedulerName::from(name);
        Some(scheduler)
    }
}

fn read_builders<'a>(table: &mut Table<'a>, builders: &mut Builders<'a>) -> Vec<BuilderName> {
    let Some(value) = table.require("builders", "[\"NAME\"]") else {
        return Vec::new();
    };
    let entries = value.list();
    // A selector that finds nothing has been told.
    let is_told = table.sink.incomplete.contains("builder") || table.sink.has_warned(&value.span());
    if entries.as_ref().is_some_and(Vec::is_empty) && !is_told {
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

fn read_reason(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.replace("%(name)s", "").contains("%(") {
        value.error(
            "contains an unknown form",
            "`%(name)s` is the scheduler's name; there are no others",
        );
        return None;
    }
    Some(text.to_owned())
}
