//! `buildmaster checkconfig`: all that is wrong with a configuration, and nothing else (MAS-01).

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{complain, say};
use crate::config::{self, Config, ConfigErrors};
use crate::daemon::machine_zone;

/// Checks a configuration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckConfig {
    /// Say nothing when all is well.
    #[arg(long, short)]
    quiet: bool,
    /// The configuration, or the base directory that it is in.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
}

impl CheckConfig {
    /// Reads the configuration and reports; says whether it is right.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn run(&self) -> anyhow::Result<bool> {
        let file = config_file(&self.path);
        let Some(config) = load(&file, Tell::All)? else {
            return Ok(false);
        };
        if !self.quiet {
            say(&format!(
                "{}: good: {}, {}, {}",
                file.display(),
                count(config.builders.len(), "builder"),
                count(config.slaves.len(), "slave"),
                count(config.schedulers.len(), "scheduler"),
            ));
        }
        Ok(true)
    }
}

/// The configuration file that `path` means: itself, or the one in that directory.
#[must_use]
pub(super) fn config_file(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join("master.toml")
    } else {
        path.to_owned()
    }
}

/// Which findings are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tell {
    /// Errors and warnings.
    All,
    /// Errors alone: whoever started this process has told the warnings.
    Errors,
}

/// Reads a configuration, shows what is found on standard error, and hands it back if it has no
/// errors.
///
/// # Errors
/// The file cannot be read.
pub(super) fn load(file: &Path, tell: Tell) -> anyhow::Result<Option<Config>> {
    let text = std::fs::read_to_string(file).with_context(|| {
        let at = file.display();
        format!("cannot read {at} (`buildmaster create-master DIR` makes a base directory)")
    })?;
    let name = file.display().to_string();
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match config::parse(&text, &name, &machine_zone()) {
        Ok((config, warnings)) => {
            if tell == Tell::All && !warnings.is_empty() {
                let report = ConfigErrors {
                    file: name,
                    text,
                    errors: Vec::new(),
                    warnings,
                };
                complain(&report.render(colours));
            }
            Ok(Some(config))
        }
        Err(errors) => {
            complain(&errors.render(colours));
            Ok(None)
        }
    }
}

/// Reads a configuration for a master that runs: with its warnings, or all that is wrong with it, as plain text.
///
/// # Errors
/// What is wrong with it, or that it cannot be read.
pub(super) fn reload(file: &Path) -> Result<(Config, String), String> {
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    match config::parse(&text, &name, &machine_zone()) {
        Ok((config, warnings)) => {
            let report = ConfigErrors {
                file: name,
                text,
                errors: Vec::new(),
                warnings,
            };
            let shown = match report.warnings.is_empty() {
                true => String::new(),
                false => report.render(false),
            };
            Ok((config, shown))
        }
        Err(errors) => Err(errors.render(false)),
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
