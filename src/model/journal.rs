//! The journal: the closed list of state changes, and the result of recovery.
//!
//! Every write to the state is an [`Op`]. The ops of one [`super::Ticket`] are one transaction, so
//! a change and its build sets are stored together or not at all, and a finished build never has
//! open requests. Tickets are committed in the order of submission.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    BigState, BuildId, BuildNumber, BuildRequest, BuildSet, BuilderName, Change, ChangeNumber,
    Decision, Effort, Expectations, Forecast, InstanceRecord, KnownLogin, LoginRecord, PatchBody,
    Pause, Properties, RequestId, Results, SchedulerName, SetId, SlaveName, Timestamp,
};

/// The format number of serialized ops. It increases when ops of an earlier version become
/// unreadable; `tests/data/ops.jsonl` has an example of each op.
pub const OP_FORMAT: u32 = 1;

/// A state change. The names of its variants and fields are part of the format of serialized
/// ops: what is renamed here keeps its old name there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A change was accepted.
    ChangeAdded(Arc<Change>),
    /// A change was offered to the schedulers, after it was added.
    ChangeOffered {
        /// Which change.
        change: ChangeNumber,
        /// The decision of each scheduler, in the order of the configuration.
        decisions: Vec<(SchedulerName, Decision)>,
    },
    /// A set was submitted; its requests are queued with the set's submit time.
    SetSubmitted(Arc<BuildSet>),
    /// The diff of the patch of a set, which was submitted in the same transaction.
    PatchKept {
        /// Which set.
        set: SetId,
        /// The diff, or the set whose diff is copied.
        body: PatchBody,
    },
    /// The last request of a set has finished.
    SetFinished {
        /// Which set.
        set: SetId,
        /// Its result.
        result: Results,
        /// When.
        at: Timestamp,
    },
    /// A request has finished, by a build or without one.
    RequestFinished {
        /// Which request.
        request: RequestId,
        /// Its result.
        result: Results,
        /// Why it ended, if no build says so: somebody cancelled it, or stopped it before its build
        /// began (BUI-11).
        why: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A build has started; its requests are no longer queued.
    BuildStarted(Arc<BuildStart>),
    /// Somebody has stopped a build that has not ended; the first reason counts. If the master is
    /// killed before the build ends, the build is not repeated (BUI-10).
    BuildStopped {
        /// Which build.
        build: BuildId,
        /// Why (BUI-11).
        reason: String,
    },
    /// A build has ended. Its requests are finished, or queued again with [`Op::RequestRetries`],
    /// in the same transaction.
    BuildFinished {
        /// Which build.
        build: BuildId,
        /// Its result.
        result: Results,
        /// Short text (BUI-08).
        text: Vec<String>,
        /// Why it was stopped, if somebody stopped it (BUI-11).
        stop_reason: Option<String>,
        /// All properties at the end.
        properties: Properties,
        /// When.
        at: Timestamp,
    },
    /// A build of these requests failed to start, which counts as a start of each request (BRQ-06).
    StartFailed {
        /// Which requests.
        requests: Vec<RequestId>,
    },
    /// A request goes back from its build to the queue, with its old submit time (BUI-13, BUI-14).
    RequestRetries {
        /// Which request.
        request: RequestId,
        /// Retries so far.
        retries: u32,
    },
    /// A step has started.
    StepStarted {
        /// The build it belongs to.
        build: BuildId,
        /// Its position in the build, from 0.
        index: u32,
        /// Its unique name.
        name: String,
        /// What it does.
        text: Vec<String>,
        /// Whether the step has to wait for its locks before its work begins (STP-02).
        waits: bool,
        /// When.
        at: Timestamp,
    },
    /// A waiting step has got its locks; its work begins.
    StepHasLocks {
        /// The build it belongs to.
        build: BuildId,
        /// Its position in the build.
        index: u32,
        /// When.
        at: Timestamp,
    },
    /// What a step does has changed.
    StepText {
        /// The build it belongs to.
        build: BuildId,
        /// Its position in the build.
        index: u32,
        /// What it does now.
        text: Vec<String>,
    },
    /// A step has ended.
    StepFinished {
        /// The build it belongs to.
        build: BuildId,
        /// Its position in the build.
        index: u32,
        /// Its result.
        result: Results,
        /// What it did.
        text: Vec<String>,
        /// What that means for its build.
        outcome: Box<StepOutcome>,
        /// When.
        at: Timestamp,
    },
    /// A step has opened a log.
    LogOpened {
        /// The build it belongs to.
        build: BuildId,
        /// The step's position in the build.
        step: u32,
        /// The log's position in the step, from 0.
        position: u32,
        /// The log's name, such as `stdio`.
        name: String,
        /// The log's file, relative to the base directory.
        path: String,
    },
    /// A log is complete.
    LogClosed {
        /// The build it belongs to.
        build: BuildId,
        /// The step's position in the build.
        step: u32,
        /// The log's name.
        name: String,
        /// Bytes of all channels together.
        size_bytes: u64,
    },
    /// What a scheduler must know after a restart; `None` when there is nothing.
    SchedulerState {
        /// Which scheduler.
        scheduler: SchedulerName,
        /// Its own form of it.
        state: Option<Value>,
    },
    /// A slave came, went, or told of itself.
    SlaveState {
        /// Which slave.
        slave: SlaveName,
        /// Whether it is connected now.
        connected: bool,
        /// What it told of itself: `admin`, `host`, `version` …; `None` leaves what is known.
        info: Option<Arc<BTreeMap<String, String>>>,
        /// When.
        at: Timestamp,
    },
    /// A slave was paused, or is no longer.
    SlavePaused {
        /// Which slave.
        slave: SlaveName,
        /// How it is paused; absent: no longer.
        pause: Option<Pause>,
    },
    /// Somebody was told that a slave is away; over when it has connected (SLV-07).
    SlaveMissed {
        /// Which slave.
        slave: SlaveName,
        /// When.
        at: Timestamp,
    },
    /// Something was heard of a slave that is connected, or was.
    SlaveHeard {
        /// Which slave.
        slave: SlaveName,
        /// When.
        at: Timestamp,
    },
    /// A user has logged in from a network that is not on record, or not lately.
    LoginKnown {
        /// The login.
        record: LoginRecord,
        /// When.
        at: Timestamp,
    },
    /// An instance of a latent slave is about to be started, was started, or is gone (LAT-07).
    SlaveInstance {
        /// Which slave.
        slave: SlaveName,
        /// The instance; absent: there is none any more.
        instance: Option<InstanceRecord>,
    },
    /// The big state of a builder changed (BLD-13).
    BuilderState {
        /// Which builder.
        builder: BuilderName,
        /// Its state.
        state: BigState,
    },
    /// What is expected of a builder's steps from now on, and of no others (PRG-03, PRG-04).
    StepsExpected {
        /// Which builder.
        builder: BuilderName,
        /// All that is expected.
        expected: Expectations,
    },
    /// The builders and slaves of the configuration that is now in force, so that what is shown
    /// from disk is what is configured.
    Configured {
        /// Builder names with the names of their slaves, in the order of the configuration.
        builders: Vec<(BuilderName, Vec<SlaveName>)>,
        /// Slave names, in the order of the configuration.
        slaves: Vec<SlaveName>,
    },
    /// What is beyond a horizon has gone (MAS-08).
    Pruned(Pruned),
    /// A master has begun on the state.
    EpochBegun {
        /// Greater than all before.
        epoch: u64,
    },
}

/// What has gone, or goes with this, because it is beyond a horizon. Nothing that is open needs it;
/// its numbers are never used again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruned {
    /// Finished builds with their steps and logs, and finished sets of which no build is left.
    Builds(Vec<BuildId>),
    /// The logs of finished builds.
    Logs(Vec<BuildId>),
    /// Finished sets; those of which a build is left stay.
    Sets(Vec<SetId>),
    /// Changes.
    Changes(Vec<ChangeNumber>),
    /// Directories of logs, relative to the base directory, which the state has forgotten: now they
    /// are not on the disk any more either.
    LogDirs(Vec<String>),
}

/// What a step that has ended means for its build: enough to go on after it without running it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct StepOutcome {
    /// What it adds to the build's result (BUI-07); absent if it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contribution: Option<Results>,
    /// Whether only `always_run` steps run after it (BUI-06).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminates: bool,
    /// What it adds to the build's text (BUI-08).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build_text: Vec<String>,
    /// What it took.
    pub took: Effort,
    /// The properties that it set.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub properties: Properties,
}

/// The start of a build.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildStart {
    /// Number over all builders.
    pub build: BuildId,
    /// Name of the builder.
    pub builder: BuilderName,
    /// Number within the builder.
    pub number: BuildNumber,
    /// Directory of the builder. No other build ever had this number in the directory.
    pub builddir: String,
    /// The slave it runs on.
    pub slave: SlaveName,
    /// Requests that the build serves, in queue order.
    pub requests: Vec<RequestId>,
    /// Changes of the merged source stamp.
    pub changes: Vec<ChangeNumber>,
    /// Blame list (BUI-09).
    pub blamelist: Vec<String>,
    /// Reason of the build (BRQ-08).
    pub reason: String,
    /// Properties at the start.
    pub properties: Properties,
    /// Estimates for the steps, kept while the build runs (PRG-01).
    pub forecast: Forecast,
    /// Why this slave was chosen, in words (BLD-05).
    pub choice: String,
    /// Names of all steps, in order (BUI-04).
    pub planned: Vec<String>,
    /// When.
    pub at: Timestamp,
}

/// The state at the start of the master. Builds, steps and logs that the last run left open are
/// included unchanged; the core ends them.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The next free numbers.
    pub next: NextNumbers,
    /// Sets that have not finished, in order of number.
    pub sets: Vec<RecoveredSet>,
    /// Requests that have not finished, in order of submit time and number.
    pub requests: Vec<BuildRequest>,
    /// The state each scheduler stored.
    pub schedulers: BTreeMap<SchedulerName, Value>,
    /// The pending changes of schedulers. The state of a scheduler refers to them by number, in
    /// arrays under the key `changes` at any depth.
    pub changes: BTreeMap<ChangeNumber, Arc<Change>>,
    /// All known slaves, whether or not they are configured now.
    pub slaves: BTreeMap<SlaveName, RecoveredSlave>,
    /// The expected durations of the steps of each builder, including builders that are no longer
    /// configured (PRG-04).
    pub expectations: BTreeMap<BuilderName, Expectations>,
    /// Users and the networks they have logged in from, the oldest record first.
    pub known_logins: Vec<KnownLogin>,
    /// Builds that the last run of the master left open, in order of id. Their requests are in
    /// `requests`.
    pub open_builds: Vec<OpenBuild>,
    /// Builders that the state does not record as offline.
    pub online: Vec<BuilderName>,
    /// Identity of the state, and number of starts on it.
    pub state: StateId,
}

/// The identity of a state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StateId {
    /// 32 random hexadecimal digits, created with the state and kept by copies.
    pub identity: String,
    /// Number of starts of a master on the state; 0 before the first start.
    pub epoch: u64,
}

/// An unfinished build.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenBuild {
    /// Number over all builders.
    pub build: BuildId,
    /// Name of the builder.
    pub builder: BuilderName,
    /// Number within the builder.
    pub number: BuildNumber,
    /// Unfinished requests that the build serves.
    pub requests: Vec<RequestId>,
    /// Reason of the stop, if a user stopped the build.
    pub stop_reason: Option<String>,
    /// Properties of the build.
    pub properties: Properties,
    /// The last recorded time of the build. The clock may have been set back since.
    pub last_at: Timestamp,
    /// Unfinished steps: their positions in the build and their texts.
    pub steps: Vec<(u32, Vec<String>)>,
    /// Logs that were not closed.
    pub logs: Vec<OpenLog>,
}

/// A log that was not closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenLog {
    /// The step's position in the build.
    pub step: u32,
    /// Name of the log.
    pub name: String,
    /// Bytes on the disk.
    pub size_bytes: u64,
}

/// The next free numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NextNumbers {
    /// Next change.
    pub change: ChangeNumber,
    /// Next set.
    pub set: SetId,
    /// Next request.
    pub request: RequestId,
    /// Next build over all builders.
    pub build: BuildId,
    /// Next build of each builder that has had one.
    pub build_of: BTreeMap<BuilderName, BuildNumber>,
    /// Next build in each builder directory, which may belong to another builder by now.
    pub build_in: BTreeMap<String, BuildNumber>,
}

impl Default for NextNumbers {
    fn default() -> Self {
        Self {
            change: ChangeNumber(1),
            set: SetId(1),
            request: RequestId(1),
            build: BuildId(1),
            build_of: BTreeMap::new(),
            build_in: BTreeMap::new(),
        }
    }
}

/// What is known of a slave.
#[derive(Clone, Debug, Default)]
pub struct RecoveredSlave {
    /// Whether the slave was connected when the last run of the master ended.
    pub connected: bool,
    /// Time of the last attach or detach.
    pub seen_at: Option<Timestamp>,
    /// The pause of the slave, if it is paused (SLV-09).
    pub paused: Option<Pause>,
    /// Whether mail about the missing slave was sent (SLV-07).
    pub missed: bool,
    /// Properties that the slave reported.
    pub info: Arc<BTreeMap<String, String>>,
    /// An instance of the slave that was not stopped (LAT-07).
    pub instance: Option<InstanceRecord>,
}

/// An unfinished set.
#[derive(Clone, Debug)]
pub struct RecoveredSet {
    /// The set.
    pub set: Arc<BuildSet>,
    /// The finished requests of the set, with their results.
    pub finished: Vec<(RequestId, Results)>,
}
