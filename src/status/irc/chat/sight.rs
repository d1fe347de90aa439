//! What a command sees of the master: what the asker may view.

use std::time::Duration;

use crate::config::Validation;
use crate::model::{
    BuildId, BuildNumber, BuilderName, ChangeNumber, Duty, Ending, ProblemNumber, Results,
    Timestamp,
};

/// What a command sees. Only what the command needs is filled in.
#[derive(Clone, Debug, Default)]
pub(in crate::status::irc) struct Sight {
    /// The time.
    pub(in crate::status::irc) now: Timestamp,
    /// The name of the project.
    pub(in crate::status::irc) title: String,
    /// The address of the pages.
    pub(in crate::status::irc) url: String,
    /// The builders, in the order of the configuration.
    pub(in crate::status::irc) builders: Vec<BuilderSight>,
    /// What people may fill in.
    pub(in crate::status::irc) validation: Validation,
    /// Whether the master is stopping.
    pub(in crate::status::irc) is_stopping: bool,
    /// Who asks, if the register of people knows it.
    pub(in crate::status::irc) person: Option<String>,
    /// Whether anyone may do what changes something.
    pub(in crate::status::irc) is_open: bool,
    /// The names of the register of people.
    pub(in crate::status::irc) people: Vec<String>,
    /// Problems, the newest first.
    pub(in crate::status::irc) problems: Vec<ProblemSight>,
    /// Who is on duty.
    pub(in crate::status::irc) duties: Vec<Duty>,
    /// Why a request waits, in sentences; or why that cannot be said.
    pub(in crate::status::irc) reasons: Vec<String>,
}

/// A builder.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct BuilderSight {
    pub(in crate::status::irc) name: BuilderName,
    /// `offline`, `idle` or `building`.
    pub(in crate::status::irc) state: String,
    /// Whether the target is about it.
    pub(in crate::status::irc) is_told: bool,
    /// How many requests wait.
    pub(in crate::status::irc) pending: u64,
    pub(in crate::status::irc) running: Vec<RunningSight>,
    pub(in crate::status::irc) last: Option<LastSight>,
}

/// A build that runs.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct RunningSight {
    pub(in crate::status::irc) build: BuildId,
    pub(in crate::status::irc) number: BuildNumber,
    /// The step that runs.
    pub(in crate::status::irc) step: Option<String>,
    /// How long it will still take.
    pub(in crate::status::irc) left: Option<Duration>,
}

/// The last build that has ended.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct LastSight {
    pub(in crate::status::irc) number: BuildNumber,
    pub(in crate::status::irc) text: Vec<String>,
    pub(in crate::status::irc) finished_at: Timestamp,
}

/// A problem.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct ProblemSight {
    pub(in crate::status::irc) number: ProblemNumber,
    pub(in crate::status::irc) is_over: bool,
    pub(in crate::status::irc) builder: BuilderName,
    /// What fails.
    pub(in crate::status::irc) what: String,
    /// The newest change of the first build that fails.
    pub(in crate::status::irc) first: Option<ChangeNumber>,
    /// Who made the changes that may have caused it.
    pub(in crate::status::irc) suspects: Vec<String>,
    pub(in crate::status::irc) sole_suspect: Option<String>,
}

/// A build that has started.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct Started {
    pub(in crate::status::irc) build: BuildId,
    pub(in crate::status::irc) builder: BuilderName,
    pub(in crate::status::irc) number: BuildNumber,
    pub(in crate::status::irc) requests: Vec<crate::model::RequestId>,
    /// The revisions in it.
    pub(in crate::status::irc) revisions: Vec<String>,
    /// Whether the target is about its builder, and anyone may view it.
    pub(in crate::status::irc) is_told: bool,
}

/// A build that has ended.
#[derive(Clone, Debug)]
pub(in crate::status::irc) struct Ended {
    pub(in crate::status::irc) build: BuildId,
    pub(in crate::status::irc) builder: BuilderName,
    pub(in crate::status::irc) number: BuildNumber,
    pub(in crate::status::irc) ending: Ending,
    pub(in crate::status::irc) text: Vec<String>,
    pub(in crate::status::irc) revisions: Vec<String>,
    pub(in crate::status::irc) blamelist: Vec<String>,
    pub(in crate::status::irc) url: String,
    pub(in crate::status::irc) is_told: bool,
}

impl Sight {
    pub(super) fn builder(&self, name: &str) -> Option<&BuilderSight> {
        self.builders.iter().find(|b| b.name.as_str() == name)
    }
}

impl Ended {
    pub(super) fn result(&self) -> Results {
        self.ending.result
    }
}
