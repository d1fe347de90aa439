//! A slave as the master drives it: its bot, its builders, its commands (PROTOCOL section 9).

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{CallError, Peer, Reply};
use crate::model::{BuilderName, SlaveName};
use crate::pb::{Failure, Luid};
use crate::protocol::{CommandArgs, SlaveInfo, Update};

/// A connected slave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SlaveHandle {
    /// Its name.
    pub name: SlaveName,
    /// Its connection.
    pub peer: Peer,
    /// Its bot object.
    pub bot: Luid,
    /// What it told of itself.
    pub info: Arc<SlaveInfo>,
}

impl SlaveHandle {
    /// Greets a slave that has just logged in and asks what it is: `print`, `getWorkerInfo`, and for old slaves
    /// `getSlaveInfo`, `getVersion`, `getCommands`. Calls that fail with an exception do not prevent it (SLV-02).
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn greet(name: SlaveName, peer: Peer, bot: Luid) -> Result<Self, CallError> {
        let _ = (name, peer, bot);
        std::future::ready(()).await;
        todo!()
    }

    /// Tells the slave its builders, with their directories; answers with the slave's object for each.
    ///
    /// # Errors
    /// The slave's exception, a malformed answer, or the connection is gone.
    pub async fn set_builder_list(
        &self,
        builders: &[(BuilderName, String)],
    ) -> Result<Vec<(BuilderName, SlaveBuilderHandle)>, CallError> {
        let _ = builders;
        std::future::ready(()).await;
        todo!()
    }

    /// A round trip on the bot: keepalive, notices.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn print(&self, message: &str) -> Result<(), CallError> {
        let _ = message;
        std::future::ready(()).await;
        todo!()
    }

    /// Asks the slave's process to end (PROTOCOL section 9.5).
    pub async fn shutdown(&self) {
        std::future::ready(()).await;
        todo!()
    }
}

/// One builder on a connected slave. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SlaveBuilderHandle {
    // The slave, and the builder's object on it.
}

impl SlaveBuilderHandle {
    /// Introduces the master's side of the builder to slaves that need it (before 0.9), else nothing (row 1).
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn set_master(&self) -> Result<(), CallError> {
        std::future::ready(()).await;
        todo!()
    }

    /// `print`: the greeting "attached" and the "ping" (SLB-04); on the builder's object for slaves, on the bot for workers.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn print(&self, message: &str) -> Result<(), CallError> {
        let _ = message;
        std::future::ready(()).await;
        todo!()
    }

    /// Tells the slave that a build begins.
    ///
    /// # Errors
    /// The slave's exception, or the connection is gone.
    pub async fn start_build(&self) -> Result<(), CallError> {
        std::future::ready(()).await;
        todo!()
    }

    /// Starts a remote command. It is sent at once; what it says comes on [`RunningCommand::events`].
    #[must_use]
    pub fn start_command(&self, args: &CommandArgs) -> RunningCommand {
        let _ = args;
        todo!()
    }
}

/// A command that a slave runs. A test makes one from channels of its own and plays the slave.
#[derive(Debug)]
pub struct RunningCommand {
    /// What it says; ends after [`CommandEvent::Ended`].
    pub events: mpsc::Receiver<CommandEvent>,
    /// Asks for its interruption, with the reason; it then ends the usual way, or not at all.
    pub interrupt: mpsc::UnboundedSender<String>,
}

/// What a running command does.
#[derive(Debug)]
pub enum CommandEvent {
    /// It says something. The acknowledgement is to be given when that is stored (LOG-01).
    Updates(Vec<Update>, Acknowledge),
    /// It is over; nothing follows.
    Ended(CommandEnd),
}

/// How a command ended.
#[derive(Debug)]
pub enum CommandEnd {
    /// The slave says that it is complete; the exit status came as an update.
    Complete,
    /// The slave's own code failed, or the command could not be started.
    Failed(Failure),
    /// The connection is gone.
    Lost,
}

/// The acknowledgement of updates; given when it is dropped or by [`Acknowledge::stored`].
#[derive(Debug)]
pub struct Acknowledge(pub Option<AckReply>);

/// Where an acknowledgement goes.
#[derive(Debug)]
pub enum AckReply {
    /// To the slave.
    Slave(Reply),
    /// To a test.
    Test(oneshot::Sender<()>),
}

impl Acknowledge {
    /// The updates are stored.
    pub fn stored(self) {
        drop(self);
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        todo!()
    }
}
