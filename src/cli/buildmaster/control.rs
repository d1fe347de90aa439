//! The verbs that ask a running master for something, over its control socket.

use std::process::ExitCode;

use super::asking::{answer, ask};
use super::base_dir::{BaseDir, Master};
use super::nth::Nth;
use super::say;
use crate::botmaster::{Ask, Pinged};
use crate::model::{BuilderName, RequestId};
use crate::store::read::Among;
use crate::text::{commas, printable};

/// Stop a running build.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StopBuild {
    #[command(flatten)]
    master: Master,
    /// Why; shown with the build.
    #[arg(long, default_value = "stopped from the command line")]
    reason: String,
    /// The build's builder.
    builder: String,
    /// The build's number; `last` is the newest that runs and is not a try, `-1` the newest that
    /// runs.
    #[arg(allow_negative_numbers = true)]
    number: Nth,
}

/// Stop the build of a request.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StopRequest {
    #[command(flatten)]
    master: Master,
    /// Why; shown with the build.
    #[arg(long, default_value = "stopped from the command line")]
    reason: String,
    /// The request's number.
    request: u64,
}

/// Cancel a queued request.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    master: Master,
    /// Why; shown in the audit log.
    #[arg(long, default_value = "")]
    reason: String,
    /// The request's number.
    request: u64,
}

/// Ping all slaves of a builder.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Ping {
    #[command(flatten)]
    master: Master,
    /// The builder.
    builder: String,
}

/// Cancel a clean stop; fails if the master is not stopping, or is already ending.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CancelStop {
    #[command(flatten)]
    dir: BaseDir,
}

impl StopBuild {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self {
            master,
            reason,
            builder,
            number,
        } = self;
        let builder = BuilderName::from(builder);
        let number = number.find_in(&master.basedir, &builder, Among::Running)?;
        let done = format!("build {number} of {builder} is being stopped");
        ask(
            &master.basedir,
            Ask::StopBuild {
                builder,
                number,
                reason,
            },
            &done,
        )
    }
}

impl StopRequest {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("the build of request {} is being stopped", self.request);
        let request = Ask::StopRequest {
            request: RequestId(self.request),
            reason: self.reason,
        };
        ask(&self.master.basedir, request, &done)
    }
}

impl Cancel {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let done = format!("request {} is cancelled", self.request);
        let request = Ask::Cancel {
            request: RequestId(self.request),
            reason: self.reason,
        };
        ask(&self.master.basedir, request, &done)
    }
}

impl Ping {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let request = Ask::Ping {
            builder: self.builder.as_str().into(),
        };
        let pinged = serde_json::from_value(answer(&self.master.basedir, request)?)?;
        say(&sentence(&self.builder, &pinged));
        Ok(ExitCode::SUCCESS)
    }
}

/// `of the 3 slaves of full 1 answers; not connected: two; latent and not started: three`
fn sentence(builder: &str, pinged: &Pinged) -> String {
    let Pinged {
        answered,
        away,
        down,
    } = pinged;
    let slaves = answered.len() + away.len() + down.len();
    let mut text = match (answered.len(), slaves) {
        (1, 1) => format!("the only slave of {builder} answers"),
        (all, slaves) if all == slaves => format!("all {all} slaves of {builder} answer"),
        (1, _) => format!("of the {slaves} slaves of {builder} 1 answers"),
        (some, _) => format!("of the {slaves} slaves of {builder} {some} answer"),
    };
    for (what, names) in [("not connected", away), ("latent and not started", down)] {
        if !names.is_empty() {
            text += &format!("; {what}: {}", printable(&commas(names)));
        }
    }
    text
}

impl CancelStop {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        ask(self.dir.path(), Ask::CancelShutdown, "the master goes on")
    }
}
