//! The slave as a build sees it.

use crate::model::CommandId;
use crate::net::RunningCommand;
use crate::net::slave::SlaveBuilderHandle;
use crate::protocol::CommandArgs;
use crate::transfer::Lent;

/// A slave that runs the commands of a build. A test has one of its own, which plays the slave.
///
/// A build that outlives a lost connection gets what it needs of its slave here: a method that
/// resumes a command the slave has kept, and word that the slave is away.
pub trait Remote: Send + Sync {
    /// Starts a command, at once. No other command has this id. `lent` is the master's end of a
    /// transfer, and is dropped when the command is over.
    fn start(&mut self, id: CommandId, args: &CommandArgs, lent: Option<Lent>) -> RunningCommand;
}

impl Remote for SlaveBuilderHandle {
    fn start(&mut self, id: CommandId, args: &CommandArgs, lent: Option<Lent>) -> RunningCommand {
        self.start_command(id, args, lent)
    }
}
