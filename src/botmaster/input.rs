//! What the core is told: the closed list of inputs, grouped by the one that they come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asked::{Related, Trigger};
use super::{Ask, BuildOutcome, CheckId, Epoch, InstanceId, LockUser, PingId, ReplyId, SessionId};
use crate::config::{Config, LockAccess};
use crate::model::{AdmittedOffer, AuditRecord, BuildId, BuilderName, SlaveName, Ticket};

/// Something that has happened outside, or a question.
///
/// Every input is legal at any time: one about a session, an epoch, a ping, a build or a ticket
/// that the core no longer knows changes nothing (SB-23).
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// From the connection of a slave.
    Slave {
        /// The connection.
        session: SessionId,
        /// What has happened.
        what: SlaveInput,
    },
    /// From a build that runs.
    Build {
        /// Which build.
        build: BuildId,
        /// What has happened.
        what: BuildInput,
    },
    /// From an instance of a latent slave.
    Instance {
        /// The slave.
        slave: SlaveName,
        /// Its instance.
        instance: InstanceId,
        /// What has happened.
        what: InstanceInput,
    },
    /// A check of slaves has said something; the answer to [`super::Command::Check`].
    Checked {
        /// Which question.
        check: CheckId,
        /// What it has said.
        answer: CheckAnswer,
    },
    /// A question; answered with exactly one [`super::Command::Reply`].
    Asked {
        /// The question.
        ask: Ask,
        /// Where the answer is sent.
        reply: ReplyId,
    },
    /// A question of a user, whose act goes into the audit log with what the act writes (MAY-05);
    /// answered as others are.
    Acted {
        /// The question.
        ask: Ask,
        /// The entry for the audit log.
        audit: Box<AuditRecord>,
        /// Where the answer is sent.
        reply: ReplyId,
    },
    /// A change source offers changes (GRD-01); answered with [`super::Answer::Taken`] when they
    /// and all that follows from them are on disk.
    Offered {
        /// The offer, whose changes were looked up by their identities.
        offer: Box<AdmittedOffer>,
        /// Where the answer is sent.
        reply: ReplyId,
    },
    /// Another configuration, read and checked: from now on it is in force (MAS-03), unless running
    /// builds have locks that are of another type now, or could wait for each other with new ones
    /// (LCK-04, LCK-09).
    Reconfigured {
        /// The configuration.
        config: Arc<Config>,
        /// Only answer whether it would be in force.
        dry_run: bool,
        /// Where the answer is sent.
        reply: ReplyId,
    },
    /// Everything up to and including this ticket is on disk.
    Persisted(Ticket),
    /// Stop: with `clean` running builds are waited for, else they are interrupted and will be
    /// built again (MAS-05). A second one that is not clean hastens a clean one.
    Shutdown {
        /// Whether to wait.
        clean: bool,
    },
}

/// What happens on the connection of a slave.
#[derive(Clone, Debug, PartialEq)]
pub enum SlaveInput {
    /// A slave gave the right password. The core goes on with [`super::SlaveCommand::Greet`],
    /// arbitrates between it and an older connection of the same name (SLV-04), or drops it. Its
    /// login is not answered before [`super::SlaveCommand::CompleteLogin`]. The session is new: no
    /// earlier connection had it.
    LoggedIn {
        /// The slave's name.
        slave: SlaveName,
        /// Where it comes from, for the log.
        address: String,
    },
    /// The answer to [`super::SlaveCommand::CheckAlive`]. The core has a deadline of its own for
    /// it.
    AliveChecked {
        /// Whether the connection answered.
        alive: bool,
    },
    /// A slave has been greeted and has described itself; the answer to
    /// [`super::SlaveCommand::Greet`].
    Described {
        /// `admin`, `host`, `version`, `basedir`, `system` …
        info: Arc<BTreeMap<String, String>>,
    },
    /// The answer to [`super::SlaveCommand::SendBuilderList`].
    BuilderListAnswered {
        /// The builders for which the slave has made an object, or its error.
        result: Result<Vec<BuilderName>, String>,
    },
    /// The answer to [`super::SlaveCommand::SetMaster`].
    MasterSet {
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether it went well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::GreetBuilder`].
    BuilderGreeted {
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether it went well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::Ping`].
    PingAnswered {
        /// The builder.
        builder: BuilderName,
        /// Which ping.
        ping: PingId,
        /// Whether it was answered well.
        ok: bool,
    },
    /// The answer to [`super::SlaveCommand::StartBuild`].
    BuildStartAnswered {
        /// The builder.
        builder: BuilderName,
        /// The attachment it belongs to.
        epoch: Epoch,
        /// Whether the slave agreed, or why not.
        ok: Result<(), String>,
    },
    /// The slave asks to be shut down when it is idle (SLV-08).
    WantsShutdown,
    /// The connection is lost, for whatever reason. After [`super::SlaveCommand::Drop`] it is not
    /// needed.
    Lost {
        /// Why, for the log.
        why: String,
    },
}

impl SlaveInput {
    /// The input, from the connection `session`.
    #[must_use]
    pub const fn of(self, session: SessionId) -> Input {
        Input::Slave {
            session,
            what: self,
        }
    }
}

/// What happens in a build that runs.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildInput {
    /// The build has ended; once for every [`super::BuildCommand::Run`].
    Finished {
        /// How.
        outcome: BuildOutcome,
    },
    /// The build, or one of its steps, wants locks, all at once (LCK-04). Answered with
    /// [`super::BuildCommand::GrantLocks`] when it has them, unless the build is stopped or its
    /// slave is lost first.
    LocksWanted {
        /// The build or the step; it has asked for nothing else since it released what it had.
        user: LockUser,
        /// What it wants, each lock once.
        locks: Vec<LockAccess>,
    },
    /// A step of the build wants sets to be built. Answered with
    /// [`super::BuildCommand::Triggered`], when they are on disk.
    TriggerWanted {
        /// What it wants.
        trigger: Box<Trigger>,
    },
    /// A step of the build wants other requests and builds to end. Answered with
    /// [`super::BuildCommand::RelatedEnded`].
    RelatedFound {
        /// Which.
        related: Box<Related>,
    },
    /// The build, or one of its steps, releases its locks, or stops waiting for them. Without
    /// effect if it has none (LCK-06). At the end of the build it is not needed.
    LocksReleased {
        /// The build or the step.
        user: LockUser,
    },
}

impl BuildInput {
    /// The input, from `build`.
    #[must_use]
    pub const fn of(self, build: BuildId) -> Input {
        Input::Build { build, what: self }
    }
}

/// What happens to an instance of a latent slave.
#[derive(Clone, Debug, PartialEq)]
pub enum InstanceInput {
    /// The start has ended; the answer to [`super::InstanceCommand::Start`]. The slave may have
    /// connected before, or may take its time.
    Started {
        /// How it went.
        result: InstanceStart,
    },
    /// The stop has ended; the answer to [`super::InstanceCommand::Stop`].
    Stopped {
        /// Whether the instance is gone; or why that is not known: it will be stopped again.
        result: Result<(), String>,
    },
}

/// How the start of an instance went (LAT-03).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InstanceStart {
    /// The instance starts, and has this identity.
    Started(String),
    /// No instance can be had now, which is not a failure (row 22).
    NotNow,
    /// It failed; there may be something left of it, which is stopped (row 23).
    Failed(String),
}

/// What a check has said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CheckAnswer {
    /// The slave may take a build.
    Yes,
    /// It may not, for this reason, which may be empty.
    No(String),
    /// The program has failed, in this way.
    Failed(String),
}
