//! `buildmaster checkconfig`: all that is wrong with a configuration (MAS-01), and on demand when its schedulers run.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::next_runs::{self, Asked, MOST_RUNS};
use super::{complain, moment, say, within, write_out};
use crate::config::{self, Config, ConfigErrors};
use crate::daemon::{self, machine_zone, wall};
use crate::model::Timestamp;
use crate::status::mail;

/// Checks a configuration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckConfig {
    /// Say nothing when all is well.
    #[arg(long, short)]
    quiet: bool,
    /// List the next N runs of each Nightly and each Periodic, all in order of time
    ///
    /// A Nightly runs later than the time given with --from, by the clock of its time zone; a Periodic starts
    /// at that time, runs at once, and again after each period.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=MOST_RUNS)
    )]
    next: Option<u32>,
    /// List the runs from this time on: seconds since 1970, or RFC 3339 such as 2026-06-01T03:00:00Z [default: now]
    #[arg(
        long,
        value_name = "TIME",
        requires = "next",
        value_parser = moment::parse
    )]
    from: Option<Timestamp>,
    /// List the runs for programs, one JSON object a line: `scheduler`, `at` in seconds since 1970, `builders`
    #[arg(long, requires = "next")]
    json: bool,
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
        if daemon::is_in_base_directory(&file) {
            let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
            within(dir.unwrap_or(Path::new(".")), || {
                tell_exposed(&config);
                Ok(())
            })?;
        }
        if !self.quiet && !self.json {
            say(&format!(
                "{}: good: {}, {}, {}",
                file.display(),
                count(config.builders.len(), "builder"),
                count(config.slaves.len(), "slave"),
                count(config.schedulers.len(), "scheduler"),
            ));
        }
        if let Some(count) = self.next {
            self.list_runs(&config, count)?;
        }
        Ok(true)
    }

    fn list_runs(&self, config: &Config, count: u32) -> anyhow::Result<()> {
        let asked = Asked {
            count,
            from: self.from.unwrap_or_else(wall),
            json: self.json,
            zone: &machine_zone(),
        };
        write_out(|out| {
            for note in next_runs::list(config, asked, out)? {
                if self.json {
                    complain(&format!("note: {note}"));
                } else {
                    writeln!(out, "{note}")?;
                }
            }
            Ok(())
        })
    }
}

/// Shows what others can do to the master whose base directory is the current one.
pub(super) fn tell_exposed(config: &Config) {
    for exposed in daemon::exposed(config) {
        complain(&format!("warning: {exposed}"));
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
            if tell == Tell::All
                && let Some(complaint) = mail_complaint(&config, file)
            {
                complain(&complaint);
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
            let mut shown = match report.warnings.is_empty() {
                true => String::new(),
                false => report.render(false),
            };
            shown.extend(mail_complaint(&config, file));
            Ok((config, shown))
        }
        Err(errors) => Err(errors.render(false)),
    }
}

/// What is wrong with how it mails, as far as that can be seen here.
fn mail_complaint(config: &Config, file: &Path) -> Option<String> {
    let dir = file.parent().unwrap_or(Path::new("."));
    mail::complaint(config, dir).map(|complaint| format!("warning: {complaint}"))
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
