//! `buildmaster sources`: change sources of a running master (INT-11).

use std::process::ExitCode;

use clap::Subcommand;

use super::asking::ask;
use super::base_dir::Master;
use crate::control::Service;

/// Have change sources look for changes now, and approve pull requests.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Sources {
    #[command(flatten)]
    master: Master,
    #[command(subcommand)]
    what: What,
}

/// What to do with change sources.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Have a change source that polls look for changes now
    Poke(Poke),
    /// Have a pull request built that waits for an approval
    Approve(Approve),
}

/// Arguments of `poke`.
#[derive(Clone, Debug, clap::Args)]
struct Poke {
    /// The change source.
    source: String,
}

/// Arguments of `approve`.
#[derive(Clone, Debug, clap::Args)]
struct Approve {
    /// The change source that brings the pull request.
    source: String,
    /// Number of the pull request.
    pull: u64,
    /// The commit that was reviewed: its id, or at least 7 digits of it.
    commit: String,
}

impl Sources {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (service, done) = match self.what {
            What::Poke(Poke { source }) => {
                let done = format!("change source {source} looks for changes now");
                let source = source.into();
                (Service::Poke { source }, done)
            }
            What::Approve(Approve {
                source,
                pull,
                commit: head,
            }) => {
                let done = format!("pull request {pull} is built at {head}");
                let source = source.into();
                (Service::Approve { source, pull, head }, done)
            }
        };
        ask(&self.master.basedir, service, &done)
    }
}
