//! The journal: the closed list of state changes, and the result of recovery.
//!
//! Every write to the state is an [`Op`]. The ops of one [`super::Ticket`] are one transaction, so
//! a change and its build sets are stored together or not at all, and a finished build never has
//! open requests. Tickets are committed in the order of submission.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::person_op::PersonOp;
pub use super::state_id::StateId;
use super::{
    AuditRecord, BigState, BuildId, BuildNumber, BuildRequest, BuildSet, BuilderName, Change,
    ChangeNumber, ChannelOp, Decision, DoneAct, Expectations, Forecast, InstanceRecord, KnownLogin,
    LetterOp, LoginRecord, OfferTaken, PatchBody, Pause, Properties, QuarantineOp, Remark,
    RequestId, Results, SchedulerName, SearchOp, SetId, SlaveName, SourceAttempt, SourceName,
    StepOutcome, TestHash, TestsReport, Timestamp, WaitingChange,
};

/// The format number of serialized ops. It increases when ops of an earlier version become
/// unreadable; `tests/data/ops.jsonl` has an example of each op.
pub const OP_FORMAT: u32 = 1;

/// A state change. The names of variants and fields are part of the format of serialized ops: a
/// renamed item keeps its old name there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// A change was accepted.
    ChangeAdded(Arc<Change>),
    /// A change was offered to the schedulers after its arrival was recorded.
    ChangeOffered {
        /// Number of the change.
        change: ChangeNumber,
        /// The decision of each scheduler, in the order of the configuration.
        decisions: Vec<(SchedulerName, Decision)>,
    },
    /// An offer of a source was taken; its new changes are in the same transaction (INT-02).
    OfferTaken(Box<OfferTaken>),
    /// A source was offered a delivery that was taken before (INT-03).
    Redelivered {
        /// Name of the source.
        source: SourceName,
        /// Time of the event.
        at: Timestamp,
    },
    /// A source has tried to get something (INT-01).
    SourceTried(Box<SourceAttempt>),
    /// A set was submitted; its requests are queued with the set's submit time.
    SetSubmitted(Arc<BuildSet>),
    /// The diff of a set's patch. The set is submitted in the same transaction.
    PatchKept {
        /// Number of the set.
        set: SetId,
        /// The diff, or the set from which the diff is copied.
        body: PatchBody,
    },
    /// The last request of a set has finished.
    SetFinished {
        /// Number of the set.
        set: SetId,
        /// Result.
        result: Results,
        /// Time of the event.
        at: Timestamp,
    },
    /// A request has finished, by a build or without one.
    RequestFinished {
        /// Number of the request.
        request: RequestId,
        /// Result.
        result: Results,
        /// Reason, if no build has the reason: the request was cancelled, or stopped before its
        /// build started (BUI-11).
        why: Option<String>,
        /// Time of the event.
        at: Timestamp,
    },
    /// A build has started; its requests are no longer queued.
    BuildStarted(Arc<BuildStart>),
    /// A user has stopped a running build; the first reason counts. If the master is
    /// killed before the build ends, the build is not repeated (BUI-10).
    BuildStopped {
        /// Number of the build.
        build: BuildId,
        /// Reason of the stop (BUI-11).
        reason: String,
    },
    /// A build has finished. Its requests are finished, or requeued with [`Op::RequestRetries`], in
    /// the same transaction.
    BuildFinished(BuildFinish),
    /// A build of these requests failed to start, which counts as a start of each request (BRQ-06).
    StartFailed {
        /// Numbers of the requests.
        requests: Vec<RequestId>,
    },
    /// A request is requeued after its build, with its old submit time (BUI-13, BUI-14).
    RequestRetries {
        /// Number of the request.
        request: RequestId,
        /// Number of retries so far.
        retries: u32,
    },
    /// A step has started.
    StepStarted(StepStart),
    /// A waiting step has got its locks; its work begins.
    StepHasLocks {
        /// Number of the build.
        build: BuildId,
        /// Position of the step in the build.
        index: u32,
        /// Time of the event.
        at: Timestamp,
    },
    /// The description of a step has changed.
    StepText {
        /// Number of the build.
        build: BuildId,
        /// Position of the step in the build.
        index: u32,
        /// New description.
        text: Vec<String>,
    },
    /// A step has added steps after itself.
    StepsAdded {
        /// Number of the build.
        build: BuildId,
        /// Names of all steps of the build, in order.
        planned: Vec<String>,
    },
    /// A step has added a link.
    StepLink {
        /// Number of the build.
        build: BuildId,
        /// Position of the step in the build.
        index: u32,
        /// Text of the link.
        name: String,
        /// Address.
        url: String,
    },
    /// A step that runs has counted something by which its progress is estimated.
    StepCounted {
        /// Number of the build.
        build: BuildId,
        /// Position of the step in the build.
        index: u32,
        /// What it has counted so far, by name.
        counts: BTreeMap<String, u64>,
    },
    /// A step has finished.
    StepFinished(StepFinish),
    /// A step has told of its tests (TST-09).
    TestsReported(Box<TestsReport>),
    /// A step has opened a log.
    LogOpened(LogOpening),
    /// A log is complete.
    LogClosed {
        /// Number of the build.
        build: BuildId,
        /// The step's position in the build.
        step: u32,
        /// The log's name.
        name: String,
        /// Bytes of all channels together.
        size_bytes: u64,
    },
    /// The state of a scheduler after a restart; `None` if it has none.
    SchedulerState {
        /// Name of the scheduler.
        scheduler: SchedulerName,
        /// The state, in the scheduler's own format.
        state: Option<Value>,
    },
    /// One more change waits with a scheduler, whose state is too large to be written for each.
    SchedulerWaits {
        /// Name of the scheduler.
        scheduler: SchedulerName,
        /// The change.
        waits: WaitingChange,
    },
    /// A slave connected, disconnected, or reported its properties.
    SlaveState {
        /// Name of the slave.
        slave: SlaveName,
        /// Whether the slave is connected now.
        connected: bool,
        /// The reported properties: `admin`, `host`, `version` and so on; `None` keeps the known
        /// properties.
        info: Option<Arc<BTreeMap<String, String>>>,
        /// Time of the event.
        at: Timestamp,
    },
    /// A slave was paused or unpaused.
    SlavePaused {
        /// Name of the slave.
        slave: SlaveName,
        /// The pause; absent: unpaused.
        pause: Option<Pause>,
    },
    /// A letter about a missing slave was written. Reset when the slave connects (SLV-07).
    SlaveMissed {
        /// Name of the slave.
        slave: SlaveName,
        /// Time of the event.
        at: Timestamp,
    },
    /// A slave was heard from while it was connected.
    SlaveHeard {
        /// Name of the slave.
        slave: SlaveName,
        /// Time of the event.
        at: Timestamp,
    },
    /// A user has logged in from a network without a recent record.
    LoginKnown {
        /// The login.
        record: LoginRecord,
        /// Time of the event.
        at: Timestamp,
    },
    /// An instance of a latent slave is about to start, has started, or is gone (LAT-07).
    SlaveInstance {
        /// Name of the slave.
        slave: SlaveName,
        /// The instance; absent: gone.
        instance: Option<InstanceRecord>,
    },
    /// The big state of a builder has changed (BLD-13).
    BuilderState {
        /// Name of the builder.
        builder: BuilderName,
        /// The new state.
        state: BigState,
    },
    /// An act over the API was done, and is not done again for its key.
    ActDone(Box<DoneAct>),
    /// A builder was paused or resumed (MAY-03).
    BuilderPaused {
        /// Name of the builder.
        builder: BuilderName,
        /// The pause; `None` if the builder was resumed.
        pause: Option<Pause>,
    },
    /// The new expectations for the steps of a builder, in place of the old ones (PRG-03, PRG-04).
    StepsExpected {
        /// Name of the builder.
        builder: BuilderName,
        /// The expectations.
        expected: Expectations,
    },
    /// The builders and slaves of the current configuration, so that `show` matches the
    /// configuration.
    Configured {
        /// Builder names with the names of their slaves, in the order of the configuration.
        builders: Vec<(BuilderName, Vec<SlaveName>)>,
        /// Slave names, in the order of the configuration.
        slaves: Vec<SlaveName>,
    },
    /// A builder has another name; all its history goes with it (PRB-25).
    BuilderRenamed {
        /// Its name so far.
        was: BuilderName,
        /// Its name from now on.
        name: BuilderName,
    },
    /// The steps of the current configuration. Open problems of other builders and steps are gone
    /// (PRB-15).
    StepsConfigured {
        /// Builder names with the names of their steps; these are absent where builds add more.
        builders: Vec<(BuilderName, Option<Vec<String>>)>,
        /// When.
        at: Timestamp,
    },
    /// History older than a horizon was pruned (MAS-08).
    Pruned(Pruned),
    /// The register of people, their tokens or their sessions have changed.
    Person(Box<PersonOp>),
    /// The outbox has changed.
    Letter(Box<LetterOp>),
    /// A channel on IRC has asked a bot for something (IRC-02).
    Channel(Box<ChannelOp>),
    /// Somebody has said something of a problem (PRB-16).
    ProblemRemarked(Box<Remark>),
    /// A culprit search has come further.
    Search(SearchOp),
    /// A test was put in quarantine, or taken out (FLK-07).
    Quarantine(Box<QuarantineOp>),
    /// A user did something, or was refused (MAY-05).
    Audited(Box<AuditRecord>),
    /// A master has started on the state.
    EpochBegun {
        /// Number of the start, greater than all earlier numbers.
        epoch: u64,
    },
}

/// Pruned history. Unfinished builds and sets need none of it, and its numbers are never reused.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruned {
    /// Finished builds with their steps and logs, and finished sets without remaining builds.
    Builds(Vec<BuildId>),
    /// The logs of finished builds.
    Logs(Vec<BuildId>),
    /// Finished sets; sets with remaining builds are kept.
    Sets(Vec<SetId>),
    /// Changes.
    Changes(Vec<ChangeNumber>),
    /// Entries of the audit log from before this time.
    Audit(Timestamp),
    /// Sessions that have ended by this time.
    Sessions(Timestamp),
    /// Deliveries of sources from before this time, some at a time (INT-03).
    Deliveries(Timestamp),
    /// Letters that ended before this time, some at a time.
    Letters(Timestamp),
    /// Problems that ended before this time and whose steps are not followed any more, some at a
    /// time.
    Problems(Timestamp),
    /// Lines of tests whose builds are gone, some rows at a time (TST-09).
    TestLines,
    /// Changes of the outcomes of tests from before the oldest builds.
    TestChanges(Vec<OldTestChanges>),
    /// Names of tests that nothing refers to.
    TestNames(Vec<TestHash>),
    /// Log directories that were deleted from the disk after the state had pruned them, relative to
    /// the base directory.
    LogDirs(Vec<String>),
}

/// Changes of the outcome of a test on a line that are to be pruned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OldTestChanges {
    /// The id of the line.
    pub line: i64,
    /// The test.
    pub test: TestHash,
    /// Those at builds below this number.
    pub before: u64,
}

/// The start of a build.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
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
    /// Time of the event.
    pub at: Timestamp,
}

/// The end of a build.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BuildFinish {
    /// Number of the build.
    pub build: BuildId,
    /// Result.
    pub result: Results,
    /// Short text (BUI-08).
    pub text: Vec<String>,
    /// Reason of the stop, if a user stopped the build (BUI-11).
    pub stop_reason: Option<String>,
    /// All properties at the end.
    pub properties: Properties,
    /// Time of the event.
    pub at: Timestamp,
}

/// The start of a step.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepStart {
    /// Number of the build.
    pub build: BuildId,
    /// Position of the step in the build, from 0.
    pub index: u32,
    /// Name of the step, unique within the build.
    pub name: String,
    /// Description while running.
    pub text: Vec<String>,
    /// Whether the step has to wait for its locks before its work begins (STP-02).
    pub waits: bool,
    /// Time of the event.
    pub at: Timestamp,
}

/// The end of a step.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepFinish {
    /// Number of the build.
    pub build: BuildId,
    /// Position of the step in the build.
    pub index: u32,
    /// Result.
    pub result: Results,
    /// Description when finished.
    pub text: Vec<String>,
    /// Effect on the build.
    pub outcome: Box<StepOutcome>,
    /// Time of the event.
    pub at: Timestamp,
}

/// A log that a step has opened.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LogOpening {
    /// Number of the build.
    pub build: BuildId,
    /// The step's position in the build.
    pub step: u32,
    /// The log's position in the step, from 0.
    pub position: u32,
    /// The log's name, such as `stdio`.
    pub name: String,
    /// The log's file, relative to the base directory.
    pub path: String,
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
    /// The builders that are paused, whether or not they are configured now.
    pub paused_builders: BTreeMap<BuilderName, Pause>,
    /// The expected durations of the steps of each builder, including builders that are no longer
    /// configured (PRG-04).
    pub expectations: BTreeMap<BuilderName, Expectations>,
    /// The slave of the last build of each builder that has one on record (CFL-132).
    pub used_last: BTreeMap<BuilderName, SlaveName>,
    /// Users and the networks they have logged in from, the oldest record first.
    pub known_logins: Vec<KnownLogin>,
    /// Builds that the last run of the master left open, in order of id. Their requests are in
    /// `requests`.
    pub open_builds: Vec<OpenBuild>,
    /// The fingerprints of the identities and deliveries on record, in no order (INT-03, INT-04).
    pub fingerprints: Vec<u64>,
    /// Builders that the state does not record as offline.
    pub online: Vec<BuilderName>,
    /// Identity of the state, and number of starts on it.
    pub state: StateId,
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
    /// Whether a letter about the missing slave was written (SLV-07).
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
