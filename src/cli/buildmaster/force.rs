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
use crate::model::{BuilderName, Properties, SourceStamp, SourceStamps};
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
    /// The source of one of several codebases, such as codebase=core,branch=main; can be given
    /// several times. Keys: codebase, branch, revision, repository, project.
    #[arg(
        long = "source",
        value_name = "KEY=VALUE,...",
        value_parser = source,
        conflicts_with_all = ["branch", "revision", "project", "repository", "codebase"]
    )]
    sources: Vec<SourceStamp>,
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
        let stamps = match self.sources.is_empty() {
            true => stamp.into(),
            false => one_for_each(self.sources)?,
        };
        let request = Ask::Force(Box::new(Forced {
            builder: self.builder.as_str().into(),
            scheduler: self.scheduler.as_deref().map(Into::into),
            soon: self.soon,
            stamps,
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

/// These sources, of which no two are of one codebase.
fn one_for_each(sources: Vec<SourceStamp>) -> anyhow::Result<SourceStamps> {
    let count = sources.len();
    let stamps: SourceStamps = sources.into_iter().collect();
    if stamps.iter().count() < count {
        anyhow::bail!(
            "two of the options --source are of one codebase; give one for each codebase"
        );
    }
    Ok(stamps)
}

/// Reads the value of `--source`.
fn source(text: &str) -> Result<SourceStamp, String> {
    let mut stamp = SourceStamp::default();
    for part in text.split(',') {
        let value = part.split_once('=').filter(|(_, value)| !value.is_empty());
        let (key, value) = value.ok_or_else(|| format!("{part:?} is not KEY=VALUE"))?;
        let value = value.to_owned();
        match key {
            "codebase" => stamp.codebase = value,
            "branch" => stamp.branch = Some(value),
            "revision" => stamp.revision = Some(value),
            "repository" => stamp.repository = value,
            "project" => stamp.project = value,
            _ => {
                return Err(format!(
                    "{key} is not a part of a source; write codebase, branch, revision, repository \
                     or project"
                ));
            }
        }
    }
    Ok(stamp)
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbs_05_a_source_is_read_by_its_parts_and_each_codebase_has_one() {
        let core = source("codebase=core,branch=main,revision=r1");
        let expected = SourceStamp {
            codebase: "core".to_owned(),
            branch: Some("main".to_owned()),
            revision: Some("r1".to_owned()),
            ..SourceStamp::default()
        };
        assert_eq!(core, Ok(expected.clone()));
        assert_eq!(
            source("branch"),
            Err("\"branch\" is not KEY=VALUE".to_owned())
        );
        let unknown = source("brnach=main").unwrap_or_default();
        assert_eq!(unknown, SourceStamp::default());
        let lib = SourceStamp {
            codebase: "lib".to_owned(),
            ..SourceStamp::default()
        };
        let both = one_for_each(vec![lib, expected.clone()]).ok();
        let both = both.map(|stamps| stamps.codebases().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(both, Some(vec!["core".to_owned(), "lib".to_owned()]));
        assert!(one_for_each(vec![expected.clone(), expected]).is_err());
    }
}
