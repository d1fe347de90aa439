//! The slave as a build sees it.

use std::fmt;

use crate::net::slave::{RunningCommand, SlaveBuilderHandle};
use crate::protocol::CommandArgs;

/// Starts commands on a slave. A test makes one that plays the slave.
pub struct Remote(Box<dyn FnMut(&CommandArgs) -> RunningCommand + Send + Sync>);

impl Remote {
    /// Commands are started by `start`.
    pub fn new(start: impl FnMut(&CommandArgs) -> RunningCommand + Send + Sync + 'static) -> Self {
        Self(Box::new(start))
    }

    /// Starts a command, at once.
    pub(super) fn start(&mut self, args: &CommandArgs) -> RunningCommand {
        (self.0)(args)
    }
}

impl From<SlaveBuilderHandle> for Remote {
    fn from(handle: SlaveBuilderHandle) -> Self {
        Self::new(move |args| handle.start_command(args))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}
