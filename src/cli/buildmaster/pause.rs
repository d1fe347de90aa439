//! `buildmaster pause`, `unpause` and `graceful`: keeping slaves from builds (SLV-08, SLV-09);
//! `pause-builder` and `unpause-builder`: keeping builders from builds (MAY-03).

use std::process::ExitCode;

use super::asking::ask;
use super::base_dir::Master;
use crate::botmaster::Ask;

/// Give a slave no new builds; its running builds continue.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    master: Master,
    /// Why; shown to people whose builds wait.
    #[arg(long, default_value = "")]
    reason: String,
    /// The user who pauses it.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// The slave.
    slave: String,
}

/// Give a paused slave builds again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Unpause {
    #[command(flatten)]
    master: Master,
    /// The slave.
    slave: String,
}

/// Start no builds on a builder; its running builds continue.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PauseBuilder {
    #[command(flatten)]
    master: Master,
    /// Why; shown to people whose builds wait.
    #[arg(long, default_value = "")]
    reason: String,
    /// The user who pauses it.
    #[arg(long, env = "USER", default_value = "")]
    by: String,
    /// The builder.
    builder: String,
}

/// Start builds on a paused builder again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct UnpauseBuilder {
    #[command(flatten)]
    master: Master,
    /// The builder.
    builder: String,
}

/// Shut a slave down when it is idle.
///
/// The slave takes builds again after it has connected again. A slave inside the master (`type =
/// "local"`) stays down until the shutdown is cancelled or the master is restarted.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Graceful {
    #[command(flatten)]
    master: Master,
    /// Cancel the shutdown: a slave that still runs stays, and a slave inside the master is started
    /// again.
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

impl PauseBuilder {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("builder {} is paused", self.builder);
        let request = Ask::PauseBuilder {
            builder: self.builder.into(),
            by: self.by,
            reason: self.reason,
        };
        ask(&self.master.basedir, request, &done)
    }
}

impl UnpauseBuilder {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("builder {} starts builds again", self.builder);
        let request = Ask::UnpauseBuilder {
            builder: self.builder.into(),
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
