//! `buildmaster force` and `rebuild`: builds that people ask for (BLD-16).

use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

use super::asking::answer;
use super::base_dir::Master;
use super::nth::Nth;
use super::say;
use crate::botmaster::{Ask, FORCED, Forced};
use crate::control::{Request, Service};
use crate::model::{BuilderName, Properties, SourceStamp};
use crate::store::read::Among;

/// Force a build.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Force {
    #[command(flatten)]
    master: Master,
    /// Refuse if no slave is connected to the builder and no latent one could be started.
    #[arg(long)]
    soon: bool,
    /// The force scheduler whose parameters are given; otherwise the builder's first.
    #[arg(long, value_name = "NAME")]
    scheduler: Option<String>,
    /// The branch; without it the default one.
    #[arg(long)]
    branch: Option<String>,
    /// The revision; without it the latest.
    #[arg(long)]
    revision: Option<String>,
    /// The project, where builds of several are told apart.
    #[arg(long, default_value = "")]
    project: String,
    /// The repository; otherwise that of the builder's steps.
    #[arg(long, default_value = "")]
    repository: String,
    /// The codebase, where builds have several.
    #[arg(long, default_value = "")]
    codebase: String,
    /// How urgent it is: those with a higher number go first.
    #[arg(long, value_name = "N", default_value_t = 0)]
    priority: i32,
    /// Why; shown with the build.
    #[arg(long, default_value = "forced from the command line")]
    reason: String,
    /// A property of the build, or a parameter of its force scheduler; can be given several times.
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// The user who wants the build; its property `owner`.
    #[arg(long)]
    owner: Option<String>,
    /// The builder.
    builder: String,
}

/// Build again what a finished build has built.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Rebuild {
    #[command(flatten)]
    master: Master,
    /// Why; shown with the build.
    #[arg(long, default_value = "")]
    reason: String,
    /// Take the source stamp as it was asked for, which may build a newer revision
    #[arg(long)]
    updated: bool,
    /// The build's builder.
    builder: String,
    /// The build's number; `last` is the newest that has finished and was no try, `-1` the newest
    /// that has finished.
    #[arg(allow_negative_numbers = true)]
    number: Nth,
}

/// What the master says.
#[derive(Debug, Deserialize)]
struct Done {
    set: u64,
    request: u64,
}

impl Force {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut properties = Properties::new();
        for (name, value) in self.properties {
            properties.set(name, value, FORCED);
        }
        if let Some(owner) = self.owner {
            properties.set("owner", owner, FORCED);
        }
        let stamp = SourceStamp {
            branch: self.branch,
            revision: self.revision,
            project: self.project,
            repository: self.repository,
            codebase: self.codebase,
            ..SourceStamp::default()
        };
        let request = Ask::Force(Box::new(Forced {
            builder: self.builder.as_str().into(),
            scheduler: self.scheduler.as_deref().map(Into::into),
            soon: self.soon,
            stamps: stamp.into(),
            reason: self.reason,
            properties,
            priority: self.priority,
        }));
        submit(&self.master.basedir, request, &self.builder)
    }
}

impl Rebuild {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let builder = BuilderName::from(self.builder.as_str());
        let number = self
            .number
            .find_in(&self.master.basedir, &builder, Among::Finished)?;
        let request = Service::Rebuild {
            builder,
            number,
            reason: self.reason,
            updated: self.updated,
        };
        submit(&self.master.basedir, request, &self.builder)
    }
}

fn submit(basedir: &Path, request: impl Into<Request>, builder: &str) -> anyhow::Result<ExitCode> {
    let Done { set, request } = serde_json::from_value(answer(basedir, request)?)?;
    say(&format!(
        "request {request} (set {set}) is queued for {builder}"
    ));
    Ok(ExitCode::SUCCESS)
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
