//! Permissions: what people may do, and to what (MAY-01 to MAY-03).

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that needs a permission (MAY-03).
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// See a thing. What a person may not view does not exist for that person (MAY-04).
    View,
    /// Force a build.
    Force,
    /// Repeat a finished build.
    Rebuild,
    /// Stop a running build.
    Stop,
    /// Cancel a pending request, or all of a build set.
    Cancel,
    /// Ping the slaves of a builder.
    Ping,
    /// Pause a slave, or resume it.
    PauseSlave,
    /// Shut a slave down when it is idle, or cancel that.
    StopSlave,
    /// Pause a builder, or resume it.
    PauseBuilder,
    /// Stop the master, or cancel a clean stop.
    Shutdown,
    /// Reconfigure the master.
    Reconfigure,
    /// Take, mute or dismiss a problem.
    Problem,
    /// Start a search for the change that broke something.
    Search,
    /// Retry or drop letters of the outbox.
    Outbox,
    /// Manage the register of people.
    Users,
    /// Read the audit log.
    Audit,
    /// Make a change source poll now.
    Poll,
    /// Submit a try job.
    Try,
    /// Submit a change.
    Submit,
}

impl Action {
    /// All actions, in the order of the specification.
    pub const ALL: [Self; 19] = [
        Self::View,
        Self::Force,
        Self::Rebuild,
        Self::Stop,
        Self::Cancel,
        Self::Ping,
        Self::PauseSlave,
        Self::StopSlave,
        Self::PauseBuilder,
        Self::Shutdown,
        Self::Reconfigure,
        Self::Problem,
        Self::Search,
        Self::Outbox,
        Self::Users,
        Self::Audit,
        Self::Poll,
        Self::Try,
        Self::Submit,
    ];

    /// The name of the action in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Force => "force",
            Self::Rebuild => "rebuild",
            Self::Stop => "stop",
            Self::Cancel => "cancel",
            Self::Ping => "ping",
            Self::PauseSlave => "pause-slave",
            Self::StopSlave => "stop-slave",
            Self::PauseBuilder => "pause-builder",
            Self::Shutdown => "shutdown",
            Self::Reconfigure => "reconfigure",
            Self::Problem => "problem",
            Self::Search => "search",
            Self::Outbox => "outbox",
            Self::Users => "users",
            Self::Audit => "audit",
            Self::Poll => "poll",
            Self::Try => "try",
            Self::Submit => "submit",
        }
    }

    /// The actions that `name` stands for: one of ours, or those that the name covers in Buildbot
    /// 0.8, where one permission for forcing also covers rebuilding.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static [Self]> {
        if let Some(at) = Self::ALL.iter().position(|action| action.name() == name) {
            return Self::ALL.get(at..=at);
        }
        let (_, actions) = SPELLINGS.iter().find(|(theirs, _)| *theirs == name)?;
        Some(actions)
    }

    /// All names of actions, ours first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let theirs = SPELLINGS.iter().map(|(name, _)| *name);
        Self::ALL.iter().map(|action| action.name()).chain(theirs)
    }
}

/// The names of the permissions of Buildbot 0.8. Those for "all" are the same actions, needed on
/// all builders.
const SPELLINGS: &[(&str, &[Action])] = &[
    ("forceBuild", &[Action::Force, Action::Rebuild]),
    ("forceAllBuilds", &[Action::Force, Action::Rebuild]),
    ("stopBuild", &[Action::Stop]),
    ("stopAllBuilds", &[Action::Stop]),
    ("stopChange", &[Action::Stop]),
    ("cancelPendingBuild", &[Action::Cancel]),
    ("cancelAllPendingBuilds", &[Action::Cancel]),
    ("pingBuilder", &[Action::Ping]),
    ("pauseSlave", &[Action::PauseSlave]),
    ("gracefulShutdown", &[Action::StopSlave]),
    ("cleanShutdown", &[Action::Shutdown]),
    ("showUsersPage", &[Action::Users]),
    ("takeProblem", &[Action::Problem]),
    ("reconfig", &[Action::Reconfigure]),
];

/// A list of actions; `*` stands for all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Actions {
    all: bool,
    some: BTreeSet<Action>,
}

impl Actions {
    /// Adds the actions that `name` stands for. Returns false if the name is unknown.
    pub fn add(&mut self, name: &str) -> bool {
        if name == "*" {
            self.all = true;
            return true;
        }
        let Some(actions) = Action::named(name) else {
            return false;
        };
        self.some.extend(actions);
        true
    }

    /// Whether `action` is in the list.
    #[must_use]
    pub fn contains(&self, action: Action) -> bool {
        self.all || self.some.contains(&action)
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.some.is_empty()
    }

    /// Whether the list covers every action.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.all
    }

    /// The names in the list.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let all = self.all.then_some("*");
        all.into_iter()
            .chain(self.some.iter().map(|action| action.name()))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self {
            all: false,
            some: actions.into_iter().collect(),
        }
    }
}

impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut actions = Self::default();
        for name in Vec::<String>::deserialize(deserializer)? {
            if !actions.add(&name) {
                let message = format!("unknown action {name:?}");
                return Err(serde::de::Error::custom(message));
            }
        }
        Ok(actions)
    }
}

/// Names of things, with `*`, `?`, `[ab]` and `{a,b}` as in the shell; `*` matches everything, also
/// slashes.
#[derive(Clone, Debug)]
pub struct NamePatterns {
    written: Vec<String>,
    set: GlobSet,
}

/// A pattern that cannot be understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{pattern:?} is not a pattern: {why}")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with the pattern.
    pub why: String,
}

impl NamePatterns {
    /// The names that match one of `patterns`.
    ///
    /// # Errors
    /// The first pattern that cannot be understood.
    pub fn new(patterns: Vec<String>) -> Result<Self, BadPattern> {
        let mut set = GlobSetBuilder::new();
        let bad = |pattern: &str, error: &globset::Error| BadPattern {
            pattern: pattern.to_owned(),
            why: error.kind().to_string(),
        };
        for pattern in &patterns {
            let glob = GlobBuilder::new(pattern).literal_separator(false).build();
            set.add(glob.map_err(|error| bad(pattern, &error))?);
        }
        let set = set.build().map_err(|error| bad("", &error))?;
        Ok(Self {
            written: patterns,
            set,
        })
    }

    /// Whether `name` matches one of the patterns.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// Whether `pattern` is a plain name.
    #[must_use]
    pub fn is_plain(pattern: &str) -> bool {
        !pattern.contains(['*', '?', '[', '{', '\\'])
    }
}

impl PartialEq for NamePatterns {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Serialize for NamePatterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamePatterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patterns = Vec::deserialize(deserializer)?;
        Self::new(patterns).map_err(serde::de::Error::custom)
    }
}

/// The things that a rule or a token is limited to; every list that is given must match.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectPatterns {
    /// Names of builders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builders: Option<NamePatterns>,
    /// Tags of builders, of which the builder has at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<NamePatterns>,
    /// Names of slaves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slaves: Option<NamePatterns>,
    /// Repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repositories: Option<NamePatterns>,
    /// Names of schedulers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedulers: Option<NamePatterns>,
}

impl ObjectPatterns {
    /// Whether `object` is covered. An object without a builder is not covered if the list names
    /// builders, and so on.
    #[must_use]
    pub fn covers(&self, object: &Object) -> bool {
        let one = |patterns: &Option<NamePatterns>, name: &Option<String>| {
            let Some(patterns) = patterns else {
                return true;
            };
            name.as_ref().is_some_and(|name| patterns.is_match(name))
        };
        let tags = self.tags.as_ref();
        one(&self.builders, &object.builder)
            && one(&self.slaves, &object.slave)
            && one(&self.repositories, &object.repository)
            && one(&self.schedulers, &object.scheduler)
            && tags.is_none_or(|tags| object.tags.iter().any(|tag| tags.is_match(tag)))
    }
}

/// What an action is done to. Without any of these it is the master as a whole.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Object {
    /// The builder, also of a build or a request.
    pub builder: Option<String>,
    /// The tags of the builder.
    pub tags: Vec<String>,
    /// The slave.
    pub slave: Option<String>,
    /// The repository.
    pub repository: Option<String>,
    /// The scheduler.
    pub scheduler: Option<String>,
    /// The names of the people who own the thing.
    pub owners: Vec<String>,
}
