//! What the core wants done: the closed list of commands.

use std::sync::Arc;

use super::{
    Blocker, BuildPlan, Epoch, Event, InstanceId, Live, LockUser, PingId, Pinged, ReplyId,
    SessionId,
};
use crate::config::SlaveConfig;
use crate::model::{
    BuildId, BuildSet, BuilderName, ChangeNumber, InstanceRecord, Op, SlaveName, Ticket,
};

/// Something for the shell around the core to do. Commands are carried out in the order in which
/// they are given; none is waited for, their outcomes come back as inputs.
#[derive(Clone, Debug)]
#[must_use]
pub enum Command {
    /// Remember `ops`, as one transaction, after all earlier ones.
    Persist {
        /// To be confirmed with [`super::Input::Persisted`]; absent: nobody waits.
        ticket: Option<Ticket>,
        /// What to remember.
        ops: Vec<Op>,
    },
    /// Answer somebody; exactly once for every [`ReplyId`] handed in.
    Reply {
        /// Whom.
        to: ReplyId,
        /// With what; the error is a sentence for people.
        result: Result<Answer, String>,
    },
    /// Greet a slave that has logged in and ask what it is; answered by
    /// [`super::Input::SlaveDescribed`], or [`super::Input::SlaveLost`].
    Greet {
        /// The connection.
        session: SessionId,
    },
    /// See whether an old connection still answers, by any round trip; another of the same name is waiting.
    PingSlave {
        /// The old connection.
        session: SessionId,
    },
    /// Close a connection, refusing its login if that is not answered yet. The core has already
    /// forgotten the connection.
    DropSlave {
        /// The connection.
        session: SessionId,
        /// Why, for the log and the slave.
        why: String,
    },
    /// Tell the slave its builders.
    SendBuilderList {
        /// The connection.
        session: SessionId,
        /// Each builder with its directory on the slave.
        builders: Vec<(BuilderName, String)>,
    },
    /// Introduce the master's side of a builder to the slave (row 1).
    SetMaster {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// Print "attached" on the builder (row 3).
    GreetBuilder {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// All builders are attached: answer the login.
    CompleteLogin {
        /// The connection.
        session: SessionId,
    },
    /// Print "ping" on the builder (SLB-04). The core has the deadline.
    Ping {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// Which ping, to be given back with the answer.
        ping: PingId,
    },
    /// Tell the slave that a build begins (row 13).
    StartBuild {
        /// The connection.
        session: SessionId,
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// Run a build; it ends with one [`super::Input::BuildFinished`].
    RunBuild {
        /// The connection to run it over. If it is gone by now, the build ends like one whose slave is lost.
        session: SessionId,
        /// What to run.
        plan: Box<BuildPlan>,
    },
    /// Tell a running build that it, or one of its steps, has the locks that it wanted.
    GrantLocks {
        /// Which.
        build: BuildId,
        /// What of it.
        user: LockUser,
    },
    /// Stop a running build (BUI-10).
    InterruptBuild {
        /// Which.
        build: BuildId,
        /// Why.
        reason: String,
    },
    /// Tell a running build that its slave is lost (BUI-13).
    SlaveGone {
        /// Which.
        build: BuildId,
        /// Why.
        why: String,
    },
    /// Tell the slave's process to end (SLV-08).
    ShutdownSlave {
        /// The connection.
        session: SessionId,
    },
    /// Start an instance of a latent slave; answered by [`super::Input::InstanceStarted`], unless it is to be stopped
    /// before.
    StartInstance {
        /// Which.
        instance: InstanceId,
        /// The slave, and how it is started.
        slave: Arc<SlaveConfig>,
    },
    /// Stop an instance, also one that is being started; answered by [`super::Input::InstanceStopped`]. It may have been
    /// started by an earlier run of the master.
    StopInstance {
        /// Which.
        instance: InstanceId,
        /// Its slave, which the configuration may not have any more.
        slave: SlaveName,
        /// How it is stopped, and what its start said of it, as far as the core knows.
        record: InstanceRecord,
    },
    /// Tell whoever watches.
    Announce(Event),
    /// The work is over: commit what is handed in, and end. Nothing but replies follows.
    Exit,
}

/// What somebody gets who asked for something.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The change is accepted under this number.
    Change(ChangeNumber),
    /// This set is submitted.
    Set(Arc<BuildSet>),
    /// This keeps the request from being built; nothing if it is not open.
    Why(Option<Vec<Blocker>>),
    /// This is known beyond what is on disk.
    Live(Box<Live>),
    /// The slaves of a builder were pinged, and all that are connected have answered.
    Pinged(Pinged),
    /// It is done.
    Done,
}
