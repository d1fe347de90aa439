//! `buildmaster pause`, `unpause` and `graceful`: keeping slaves from builds (SLV-08, SLV-09).

use std::process::ExitCode;

use super::base_dir::Master;
use super::control::ask;
use crate::botmaster::Ask;

/// Gives a slave no new builds; those that run go on.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    master: Master,
    /// Why; shown to those who wait.
    #[arg(long, default_value = "")]
    reason: String,
    /// Who wants it.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// The slave.
    slave: String,
}

/// Gives a paused slave builds again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Unpause {
    #[command(flatten)]
    master: Master,
    /// The slave.
    slave: String,
}

/// Has a slave's process end when it is idle.
///
/// It takes builds again when it has connected again. A slave inside the master (`type = "local"`) stays down until
/// that is taken back, or the master is restarted.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Graceful {
    #[command(flatten)]
    master: Master,
    /// Take it back: a slave that has not been told to end yet stays, and one inside the master is started again.
    #[arg(long)]
    cancel: bool,
    /// The slave.
    slave: String,
}

impl Pause {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("slave {} is paused", self.slave);
        let request = Ask::Pause {
            slave: self.slave.into(),
            by: self.by,
            reason: self.reason,
        };
        ask(&self.master.basedir, request, &done)
    }
}

impl Unpause {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("slave {} takes builds again", self.slave);
        let request = Ask::Unpause {
            slave: self.slave.into(),
        };
        ask(&self.master.basedir, request, &done)
    }
}

impl Graceful {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = match self.cancel {
            false => format!("slave {} ends when it is idle", self.slave),
            true => format!("slave {} need not end any more", self.slave),
        };
        let request = Ask::Graceful {
            slave: self.slave.into(),
            cancel: self.cancel,
        };
        ask(&self.master.basedir, request, &done)
    }
}
