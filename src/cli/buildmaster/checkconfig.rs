//! `buildmaster checkconfig`: shows all mistakes of a configuration (MAS-01), and on request the
//! next runs of its schedulers.

use super::configuration::{ConfigPath, Scope, Source, Tell, show};
use super::next_runs::{self, Asked, MOST_RUNS};
use super::{complain, moment, say, write_out};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::machine_zone;
use crate::model::Timestamp;

/// Check a configuration and show everything that would keep a master from starting
///
/// Besides the file, checkconfig checks that passwords can be read, that ports are free or held by
/// this master, that job directories and the base directory are usable, and that required programs
/// exist. Checkconfig changes nothing.
///
/// Exit code: 0 if a master could start, 2 if it could not, 1 if the file cannot be read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckConfig {
    /// Print nothing if there are no mistakes
    #[arg(long, short)]
    quiet: bool,
    /// List the next N runs of each Nightly and Periodic scheduler, sorted by time
    ///
    /// A Nightly scheduler runs after the time given with --from, in its own time zone. A Periodic
    /// scheduler runs at that time and again after each period.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=MOST_RUNS)
    )]
    next: Option<u32>,
    /// List runs after this time: seconds since 1970, or RFC 3339 such as 2026-06-01T03:00:00Z
    /// [default: now]
    #[arg(
        long,
        value_name = "TIME",
        requires = "next",
        value_parser = moment::parse
    )]
    from: Option<Timestamp>,
    /// Print one JSON object a line on standard output: mistakes and warnings, or with --next the
    /// runs
    ///
    /// A mistake or warning has `level`, `class`, `file`, `line`, `column`, `row`, `rows`, `via`,
    /// `message` and `help`. A run has `scheduler`, `at` in seconds since 1970, and `builders`.
    #[arg(long)]
    json: bool,
    /// Print the plain configuration that the file becomes
    ///
    /// Included files, rows, defaults, arguments and selectors are worked out. Mistakes and
    /// warnings go to standard error.
    #[arg(long, conflicts_with_all = ["next", "json"])]
    expand: bool,
    /// Check only the file, not the passwords, ports, directories and programs that it names
    #[arg(long)]
    file_only: bool,
    #[command(flatten)]
    path: ConfigPath,
}

impl CheckConfig {
    /// Reads the configuration and reports its mistakes. Returns true if there are none.
    ///
    /// # Errors
    /// The configuration cannot be read.
    pub(super) fn run(&self) -> anyhow::Result<bool> {
        let source = self.path.source()?;
        let scope = match self.file_only {
            true => Scope::File,
            false => Scope::Site,
        };
        if self.expand {
            return self.print_expansion(&source, scope);
        }
        if self.json && self.next.is_none() {
            let problems = source.read(scope, false)?.problems;
            write_out(|out| out.write_all(problems.json_lines().as_bytes()))?;
            return Ok(problems.errors.is_empty());
        }
        let Some(config) = source.load(scope, Tell::unless(self.quiet))? else {
            return Ok(false);
        };
        if !self.quiet && !self.json {
            say(&format!(
                "{}: good: {}, {}, {}",
                source.file.display(),
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

    /// Prints the expansion, if the language could be read.
    fn print_expansion(&self, source: &Source, scope: Scope) -> anyhow::Result<bool> {
        let reading = source.read(scope, true)?;
        let expansion = reading.expansion.clone().unwrap_or_default();
        write_out(|out| out.write_all(expansion.as_bytes()))?;
        let is_good = reading.problems.errors.is_empty();
        if !is_good || !self.quiet {
            show(&reading.problems);
        }
        Ok(is_good)
    }

    fn list_runs(&self, config: &Config, count: u32) -> anyhow::Result<()> {
        let asked = Asked {
            count,
            from: self.from.unwrap_or_else(|| Clock::system().wall()),
            json: self.json,
            zone: &machine_zone(),
        };
        write_out(|out| {
            for note in next_runs::list(config, asked, out)? {
                if self.json {
                    complain(&format!("buildmaster: note: {note}"));
                } else {
                    writeln!(out, "{note}")?;
                }
            }
            Ok(())
        })
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
