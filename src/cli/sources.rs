//! `buildmaster sources`: change sources of a running master (INT-11).

use std::process::ExitCode;

use clap::Subcommand;

use super::asking::ask;
use super::base_dir::Master;
use crate::control::Service;

/// Have change sources look for changes now.
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
}

/// Arguments of `poke`.
#[derive(Clone, Debug, clap::Args)]
struct Poke {
    /// The change source.
    source: String,
}

impl Sources {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let What::Poke(Poke { source }) = self.what;
        let done = format!("change source {source} looks for changes now");
        let source = source.into();
        ask(&self.master.basedir, Service::Poke { source }, &done)
    }
}
