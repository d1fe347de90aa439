//! What the core is told: the closed list of inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BuildOutcome, Epoch, Forced, InstanceId, LockUser, PingId, ReplyId, SessionId};
use crate::config::{Config, LockAccess};
use crate::model::{
    BuildId, BuildNumber, BuilderName, NewChange, RequestId, SchedulerName, SlaveName, Ticket,
    TryJob,
};

/// How the start of an instance went (LAT-03).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InstanceStart {
    /// It is on its way, and is called this.
    Started(String),
    /// There is none to be had now, which is no failure (row 22).
    NotNow,
    /// It failed; there may be something left of it, which is stopped (row 23).
    Failed(String),
}

/// Something that has happened outside, or that somebody asks for.
///
/// Every input is legal at any time: one about a session, an epoch, a ping, a build or a ticket that
/// the core no longer knows changes nothing (SB-23).
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A change has arrived. Answered with its number when the change and all that follows from it
    /// are durable, or refused while the master stops.
    ChangeSubmitted {
        /// The change.
        change: NewChange,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// A try job has arrived (section 9). Answered with its set when that is durable, or refused.
    TrySubmitted {
        /// The try scheduler it was handed to.
        scheduler: SchedulerName,
        /// The job.
        job: TryJob,
        /// Who has logged in to hand it in.
        user: Option<String>,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// A slave gave the right password. The core goes on with [`super::SlaveCommand::Greet`], arbitrates
    /// between it and an older connection of the same name (SLV-04), or drops it. Its login is not
    /// answered before [`super::SlaveCommand::CompleteLogin`].
    SlaveLoggedIn {
        /// The slave's name.
        slave: SlaveName,
        /// A new identity of this connection; never used before.
        session: SessionId,
        /// Where it comes from, for the log.
        address: String,
    },
    /// The answer to [`super::SlaveCommand::CheckAlive`]. The core has a deadline of its own for it.
    OldSlaveAnswered {
        /// The connection that was pinged.
        session: SessionId,
        /// Whether it answered.
        alive: bool,
    },
    /// A slave has been greeted and has told of itself; the answer to [`super::SlaveCommand::Greet`].
    SlaveDescribed {
        /// The connection.
        session: SessionId,
        /// `admin`, `host`, `version`, `basedir`, `system` …
        info: Arc<BTreeMap<String, String>>,
    },
    /// The answer to [`super::SlaveCommand::SendBuilderList`].
    BuilderListAnswered {
        /// The connection.
        session: SessionId,
        /// The builders for which the slave has made an object, or its error.
        result: Result<Vec<BuilderName>, String>,
    },
    /// The answer to [`super::SlaveCommand::SetMaster`].
    MasterSet {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether it went well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::GreetBuilder`].
    Greeted {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether it went well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::Ping`].
    PingAnswered {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// Which ping.
        ping: PingId,
        /// Whether it was answered well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::StartBuild`].
    BuildStartAnswered {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether the slave agreed, or why not.
        ok: Result<(), String>,
    },
    /// A connection is gone, for whatever reason. After [`super::SlaveCommand::Drop`] it is not needed.
    SlaveLost {
        /// The connection.
        session: SessionId,
        /// Why, for the log.
        why: String,
    },
    /// A start of an instance has ended; the answer to [`super::InstanceCommand::Start`]. The slave may have connected
    /// before, or may take its time.
    InstanceStarted {
        /// The slave.
        slave: SlaveName,
        /// Its instance.
        instance: InstanceId,
        /// How it went.
        result: InstanceStart,
    },
    /// A stop of an instance has ended; the answer to [`super::InstanceCommand::Stop`].
    InstanceStopped {
        /// The slave.
        slave: SlaveName,
        /// Its instance.
        instance: InstanceId,
        /// Whether it is gone; or why that is not known: it will be stopped again.
        result: Result<(), String>,
    },
    /// The slave asks to be shut down when it is idle (SLV-08).
    SlaveWantsShutdown {
        /// The connection.
        session: SessionId,
    },
    /// A build has ended; once for every [`super::BuildCommand::Run`].
    BuildFinished {
        /// Which build.
        build: BuildId,
        /// How.
        outcome: BuildOutcome,
    },
    /// A running build, or one of its steps, wants locks, all at once (LCK-04). Answered with
    /// [`super::BuildCommand::GrantLocks`] when it has them, unless it is stopped or its slave is lost first.
    LocksWanted {
        /// Which build.
        build: BuildId,
        /// What of it; it has asked for nothing else since it released what it had.
        user: LockUser,
        /// What it wants, each lock once.
        locks: Vec<LockAccess>,
    },
    /// It needs its locks no longer, or no longer wants those it waits for. Without effect if it has none
    /// (LCK-06). At the end of the build it is not needed.
    LocksReleased {
        /// Which build.
        build: BuildId,
        /// What of it.
        user: LockUser,
    },
    /// Somebody wants a numbered build to stop (BUI-10). When it is stopped again, what it does by then is interrupted.
    StopBuild {
        /// Its builder.
        builder: BuilderName,
        /// Its number.
        number: BuildNumber,
        /// Why (BUI-11).
        reason: String,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants the build to stop that a request is in, also one that is still being prepared
    /// and has no number yet (BUI-10).
    StopRequest {
        /// The request.
        request: RequestId,
        /// Why.
        reason: String,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants a build (BLD-16). Answered with its set when that is durable, or refused.
    ForceBuild {
        /// What is wanted.
        forced: Box<Forced>,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants a slave to get no new builds, also after a restart (SLV-09).
    PauseSlave {
        /// The slave.
        slave: SlaveName,
        /// Who wants it.
        by: String,
        /// Why.
        reason: String,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// A paused slave is to get builds again.
    UnpauseSlave {
        /// The slave.
        slave: SlaveName,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants a slave's process to end when it is idle (SLV-08).
    EndSlave {
        /// The slave.
        slave: SlaveName,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// A slave that was told to end when it is idle is to stay, or to be started again if it is inside the master.
    KeepSlave {
        /// The slave.
        slave: SlaveName,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants a queued request to be given up (BRQ-04).
    CancelRequest {
        /// The request.
        request: RequestId,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// Somebody wants all slaves of a builder to be pinged (BLD-16).
    PingSlaves {
        /// The builder.
        builder: BuilderName,
        /// Where the answer goes: an error names the first slave that did not answer.
        reply: ReplyId,
    },
    /// Everything up to and including this ticket is on disk.
    Persisted(Ticket),
    /// There is another configuration, read and checked; from now on it is the one in force (MAS-03), unless builds that
    /// run have locks that are of another type now, or could wait with new ones for ever (LCK-04, LCK-09).
    Reconfigured {
        /// The configuration.
        config: Arc<Config>,
        /// Only tell whether it would be taken.
        dry_run: bool,
        /// Where it is told that it is in force, or why it is not.
        reply: ReplyId,
    },
    /// Stop: with `clean` running builds are waited for, else they are interrupted and will be
    /// built again (MAS-05). A second one that is not clean hastens a clean one.
    Shutdown {
        /// Whether to wait.
        clean: bool,
    },
    /// Go on after all; only a clean shutdown can be cancelled.
    CancelShutdown {
        /// Where it is told whether that was possible.
        reply: ReplyId,
    },
}
