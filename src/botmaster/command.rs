//! What the core wants done: the closed list of commands, grouped by the one that carries them out.

use std::sync::Arc;

use serde_json::Value as Json;

use super::asked::{NotTriggered, RelatedEnds, TriggerOver, Triggered};
use super::{
    Answer, BuildPlan, CheckId, Epoch, Event, InstanceId, LockUser, PingId, ReplyId, SessionId,
};
use crate::config::{AskedProgram, SlaveConfig};
use crate::model::{BuildId, BuilderName, InstanceRecord, Op, SlaveName, Ticket};

/// Something for the shell around the core to do. Commands are carried out in the order in which
/// they are given; none is waited for, their outcomes come back as inputs.
#[derive(Clone, Debug)]
#[must_use]
pub enum Command {
    /// Store `ops`, as one transaction, after all earlier ones.
    Persist {
        /// To be confirmed with [`super::Input::Persisted`]; absent: nobody waits.
        ticket: Option<Ticket>,
        /// What to store.
        ops: Vec<Op>,
    },
    /// Answer a question; exactly once for every [`ReplyId`] handed in.
    Reply {
        /// Which question.
        to: ReplyId,
        /// The answer; the error is a sentence for people.
        result: Result<Answer, String>,
    },
    /// For the connection of a slave.
    Slave {
        /// The connection. One that is lost has reported its loss, or will.
        session: SessionId,
        /// What to do.
        what: SlaveCommand,
    },
    /// For a build that has a number.
    Build {
        /// Which build.
        build: BuildId,
        /// What to do.
        what: BuildCommand,
    },
    /// For an instance of a latent slave.
    Instance {
        /// Which instance.
        instance: InstanceId,
        /// What to do.
        what: InstanceCommand,
    },
    /// Ask a program of the configuration whether a slave may take a build; answered by
    /// [`super::Input::Checked`].
    Check {
        /// Which question.
        check: CheckId,
        /// What it is to say.
        what: Box<CheckWanted>,
    },
    /// Tell the subscribers.
    Announce(Event),
    /// Log that an event did not fit the state of an attachment (section 13) and changed nothing,
    /// like an answer that came too late.
    Unexpected {
        /// The slave.
        slave: SlaveName,
        /// The builder.
        builder: BuilderName,
        /// The state.
        state: &'static str,
        /// The event.
        event: &'static str,
    },
    /// The master has nothing left to do: commit what is handed in, and end. Only replies follow.
    Exit,
}

/// What a check is to say.
#[derive(Clone, Debug)]
pub struct CheckWanted {
    /// The program to ask.
    pub program: AskedProgram,
    /// Whose build it is about.
    pub builder: BuilderName,
    /// The slave that might take it.
    pub slave: SlaveName,
    /// What is known of the slave: `slave`, as expressions see it.
    pub facts: Arc<Json>,
}

/// What to do with the connection of a slave.
#[derive(Clone, Debug)]
#[must_use]
pub enum SlaveCommand {
    /// Greet a slave that has logged in and ask for its description; answered by
    /// [`super::SlaveInput::Described`], or [`super::SlaveInput::Lost`].
    Greet,
    /// See by any round trip whether this old connection still answers, because another connection
    /// of the same slave waits; answered by [`super::SlaveInput::AliveChecked`].
    CheckAlive,
    /// Close the connection, and reject its login if that is not answered yet. The core has already
    /// forgotten the connection.
    Drop {
        /// Why, for the log and the slave.
        why: String,
    },
    /// Tell the slave its builders.
    SendBuilderList {
        /// Each builder with its directory on the slave.
        builders: Vec<(BuilderName, String)>,
    },
    /// Introduce the master's side of a builder to the slave (row 1).
    SetMaster {
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// Print "attached" on the builder (row 3).
    GreetBuilder {
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// All builders are attached: answer the login.
    CompleteLogin,
    /// Print "ping" on the builder (SLB-04). The core has the deadline.
    Ping {
        /// The builder.
        builder: BuilderName,
        /// Which ping, to be given back with the answer.
        ping: PingId,
    },
    /// Tell the slave that a build begins (row 13).
    StartBuild {
        /// The builder.
        builder: BuilderName,
        /// The attachment, to be given back with the answer.
        epoch: Epoch,
    },
    /// Tell the slave's process to end (SLV-08).
    Shutdown,
}

impl SlaveCommand {
    /// The command, for the connection `session`.
    pub(super) const fn to(self, session: SessionId) -> Command {
        Command::Slave {
            session,
            what: self,
        }
    }
}

/// What to do with a build.
#[derive(Clone, Debug)]
#[must_use]
pub enum BuildCommand {
    /// Run the build; it ends with one [`super::BuildInput::Finished`].
    Run {
        /// The connection to run it over. If the connection is lost by now, the build ends like a
        /// build whose slave is lost.
        session: SessionId,
        /// What to run.
        plan: Box<BuildPlan>,
    },
    /// Tell the running build that it, or one of its steps, has the locks that it wanted.
    GrantLocks {
        /// The build or the step.
        user: LockUser,
    },
    /// Tell the running build what became of what one of its steps has asked to trigger; the answer
    /// to [`super::BuildInput::TriggerWanted`].
    Triggered {
        /// The step that has asked.
        step: u32,
        /// What was triggered, for each wish; or why nothing was.
        result: Result<Vec<Triggered>, NotTriggered>,
    },
    /// Tell the running build that a set is over that it triggered and waits for; once for each
    /// set, unless the build is stopped or its slave is lost first.
    TriggerOver(TriggerOver),
    /// Tell the running build what was ended for one of its steps; the answer to
    /// [`super::BuildInput::RelatedFound`].
    RelatedEnded {
        /// The step that has asked.
        step: u32,
        /// What was ended.
        ends: RelatedEnds,
    },
    /// Stop the running build (BUI-10).
    Interrupt {
        /// Why.
        reason: String,
    },
    /// Tell the running build that its slave is lost (BUI-13).
    LoseSlave {
        /// Why.
        why: String,
    },
}

impl BuildCommand {
    /// The command, for `build`.
    pub(super) const fn to(self, build: BuildId) -> Command {
        Command::Build { build, what: self }
    }
}

/// What to do with an instance of a latent slave.
#[derive(Clone, Debug)]
#[must_use]
pub enum InstanceCommand {
    /// Start the instance; answered by [`super::InstanceInput::Started`], unless it is stopped
    /// first.
    Start {
        /// The slave, and how its instance is started.
        slave: Arc<SlaveConfig>,
    },
    /// Stop the instance, also one that is being started; answered by
    /// [`super::InstanceInput::Stopped`]. An earlier run of the master may have started it.
    Stop {
        /// The slave, which may have been removed from the configuration.
        slave: SlaveName,
        /// How the instance is stopped, and what its start reported, as far as the core knows.
        record: InstanceRecord,
    },
}

impl InstanceCommand {
    /// The command, for `instance`.
    pub(super) const fn to(self, instance: InstanceId) -> Command {
        Command::Instance {
            instance,
            what: self,
        }
    }
}
