//! Reading a configuration for a verb: its file, and on demand what it needs outside of that.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::base_dir::default_basedir;
use super::complain;
use super::control::answer_soon;
use super::start::PID_FILE;
use crate::config::{self, Config, ConfigErrors, Reading};
use crate::control::{Facts, Service};
use crate::daemon::{Holds, Site, machine_zone, preflight};
use crate::daemonize;

/// Name of the configuration in the base directory.
pub(super) const CONFIG_FILE: &str = "master.toml";

/// Which configuration, for the verbs that take a file of any name.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigPath {
    /// The configuration, or the base directory that it is in [default: $BUILDMASTER_BASEDIR, or
    /// the current directory]
    #[arg(value_name = "FILE|DIR")]
    path: Option<PathBuf>,
    /// The master's base directory; with FILE, the one that FILE is meant for, by default the one
    /// that it is in
    #[arg(long, value_name = "DIR")]
    basedir: Option<PathBuf>,
}

/// A configuration file, and the base directory of the master that it is for.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file.
    pub(super) file: PathBuf,
    /// The base directory.
    pub(super) basedir: PathBuf,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// The file alone.
    File,
    /// Also what it needs outside of the file, without which no master starts.
    Site,
}

/// Which findings are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tell {
    /// Errors and warnings.
    All,
    /// Errors alone: nobody wants the warnings, or somebody has told them.
    Errors,
}

impl Tell {
    /// All, unless somebody wants to be told nothing when all is well.
    pub(super) const fn unless(quiet: bool) -> Self {
        if quiet { Self::Errors } else { Self::All }
    }
}

impl ConfigPath {
    /// The file and its base directory.
    ///
    /// # Errors
    /// Two base directories are named.
    pub(super) fn source(&self) -> anyhow::Result<Source> {
        let Self { path, basedir } = self;
        Ok(match (path, basedir) {
            (Some(dir), Some(_)) if dir.is_dir() => bail!(
                "{} and --basedir both name a base directory; leave one of them out",
                dir.display()
            ),
            (Some(dir), None) if dir.is_dir() => Source::of(dir),
            (Some(file), basedir) => {
                let dir = file.parent().filter(|dir| *dir != Path::new(""));
                Source {
                    file: file.clone(),
                    basedir: match basedir {
                        Some(basedir) => basedir.clone(),
                        None => dir.unwrap_or(Path::new(".")).to_owned(),
                    },
                }
            }
            (None, Some(dir)) => Source::of(dir),
            (None, None) => Source::of(&default_basedir()),
        })
    }
}

impl Source {
    /// The configuration of the master in `basedir`.
    pub(super) fn of(basedir: &Path) -> Self {
        Self {
            file: basedir.join(CONFIG_FILE),
            basedir: basedir.to_owned(),
        }
    }

    /// Reads the configuration, shows what is found on standard error, and hands the configuration
    /// back if it has no errors.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn load(&self, scope: Scope, tell: Tell) -> anyhow::Result<Option<Config>> {
        let mut reading = read(&self.file).map_err(|error| {
            anyhow!("{error} (`buildmaster create-master DIR` makes a base directory)")
        })?;
        if scope == Scope::Site {
            let site = Site {
                basedir: &self.basedir,
                holds: holds(&self.basedir),
            };
            preflight::check(&mut reading, &site);
        }
        Ok(match reading.into_result() {
            Ok((config, warnings)) => {
                if tell == Tell::All {
                    show(&warnings);
                }
                Some(config)
            }
            Err(problems) => {
                show(&problems);
                None
            }
        })
    }
}

/// Reads a configuration file.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(file: &Path) -> Result<Reading, String> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    Ok(config::read(&text, &name, &machine_zone()))
}

fn show(problems: &ConfigErrors) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let shown = problems.render(colours);
    if !shown.is_empty() {
        complain(&shown);
    }
}

/// What the master that runs in `basedir` holds.
fn holds(basedir: &Path) -> Holds {
    let Ok(Some(_)) = daemonize::running(&basedir.join(PID_FILE)) else {
        return Holds::Nothing;
    };
    let facts = answer_soon(basedir, Service::Status).map(serde_json::from_value::<Facts>);
    match facts {
        Ok(Ok(facts)) => {
            let ports = facts.ports.into_iter().map(|port| port.configured);
            Holds::Ports(ports.collect())
        }
        // The master starts, ends, or is of a version with another answer.
        Ok(Err(_)) | Err(_) => Holds::Unknown,
    }
}
