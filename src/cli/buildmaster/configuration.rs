//! Reads a configuration for a verb, and on request checks what the configuration needs outside its
//! file.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use super::asking::answer_soon;
use super::base_dir::{PID_FILE, default_basedir};
use super::complain;
use super::config_files::FilesBelow;
use crate::config::{self, Config, ConfigErrors, Reading};
use crate::control::{Facts, Service};
use crate::daemon::{Holds, Site, machine_zone, preflight};
use crate::daemonize;

/// Name of the configuration in the base directory.
pub(super) const CONFIG_FILE: &str = "master.toml";

/// The configuration of a verb that accepts a file of any name.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigPath {
    /// Configuration file, or base directory with a master.toml [default: $BUILDMASTER_BASEDIR, or
    /// the current directory]
    #[arg(value_name = "FILE|DIR")]
    path: Option<PathBuf>,
    /// Base directory of the master; with FILE, the base directory that FILE is for [default: the
    /// directory of FILE]
    #[arg(long, value_name = "DIR")]
    basedir: Option<PathBuf>,
}

/// A configuration file and the base directory of its master.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file.
    pub(super) file: PathBuf,
    /// The base directory.
    pub(super) basedir: PathBuf,
}

/// What is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scope {
    /// The file alone.
    File,
    /// The file, and everything outside the file that a master needs to start.
    Site,
}

/// Which findings are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tell {
    /// Errors and warnings.
    All,
    /// Errors alone: the warnings are unwanted, or have been shown before.
    Errors,
}

impl Tell {
    /// Errors and warnings; errors alone if `quiet`.
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

    /// Reads the configuration and prints its problems to standard error. Returns the configuration
    /// if it has no errors.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn load(&self, scope: Scope, tell: Tell) -> anyhow::Result<Option<Config>> {
        Ok(match self.read(scope, false)?.into_result() {
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

    /// Reads the configuration; `prints` its expansion.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(&self, scope: Scope, prints: bool) -> anyhow::Result<Reading> {
        let mut reading = read_in(&self.file, &self.basedir, prints).map_err(|error| {
            anyhow!("{error}; create a base directory with `buildmaster create-master DIR`")
        })?;
        if scope == Scope::Site {
            let site = Site {
                basedir: &self.basedir,
                holds: holds(&self.basedir),
            };
            preflight::check(&mut reading, &site);
        }
        Ok(reading)
    }
}

/// Reads a configuration file, and what it includes from its own directory.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: &Path) -> Result<Reading, String> {
    let dir = file.parent().unwrap_or(Path::new(""));
    read_in(file, dir, false)
}

/// Reads a configuration file, and what it includes from `basedir`; `prints` its expansion.
fn read_in(file: &Path, basedir: &Path, prints: bool) -> Result<Reading, String> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let files = FilesBelow::new(basedir);
    let zone = machine_zone();
    Ok(match prints {
        true => config::read_and_print(&text, &name, &files, &zone),
        false => config::read(&text, &name, &files, &zone),
    })
}

/// Prints problems to standard error.
pub(super) fn show(problems: &ConfigErrors) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let shown = problems.render(colours);
    if !shown.is_empty() {
        complain(&shown);
    }
}

/// The ports that the master running in `basedir` holds.
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
        // The master is starting or stopping, or its version has another answer.
        Ok(Err(_)) | Err(_) => Holds::Unknown,
    }
}
