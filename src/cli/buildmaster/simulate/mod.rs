//! `buildmaster simulate`: shows what the schedulers build from a file of changes, on virtual time.
//!
//! Invariants: the schedulers are the daemon's ([`Foresight`]). Nothing on disk is touched, and the
//! state of an existing master is not used. Nothing is printed before the whole file is checked.
//! Sets are printed one by one, so a long simulation needs no memory.

mod changes;
mod culprit;
mod report;
#[cfg(test)]
pub(super) mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use self::changes::History;
use self::report::{Printed, Report};
use super::configuration::{ConfigPath, Scope, Tell};
use super::{USAGE, complain, moment, write_out};
use crate::config::Config;
use crate::daemon::machine_zone;
use crate::model::Timestamp;
use crate::schedulers::{Foresight, Outlook};

/// Show the build sets that the schedulers would submit for a file of changes
///
/// The schedulers of the configuration start at --from without history, receive each change at its
/// arrival time, and run until --until, inclusive, on virtual time. Each build set succeeds at
/// once, so Dependent schedulers follow immediately. The simulation neither needs nor touches a
/// master.
///
/// FILE contains one JSON object per line, in any order. The arrival time `at` is required.
/// Optional members are `id` (default: the line's position, from 1), `when` (default: the arrival
/// time), `branch` (default: the default branch), `revision`, `files`, `who`, `project`,
/// `repository`, `category`, `comments`, `codebase`, `revlink`, `src` and `properties`.
/// `buildmaster show changes --json` prints such a file.
///
/// With --json, each build set is one JSON object per line: `at` in seconds since 1970,
/// `scheduler`, `branch`, `changes` (ids in the order of the source stamp) and `builders`. With
/// --broken, each search is another one: `search` (the builder), `asks` (ids; null is the change
/// before the set) and `found`, or `refused` and why. With --explain, each decision is another one:
/// `at`, `change`, `scheduler`, `decision` and `why`. With --orders, build sets have `orders`, the
/// values of `request_order` by builder.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Simulate {
    #[command(flatten)]
    path: ConfigPath,
    /// File with the changes, one JSON object per line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    changes: PathBuf,
    /// Start of the simulation: seconds since 1970, or RFC 3339 such as 2026-06-01T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    from: Timestamp,
    /// End of the simulation, inclusive: seconds since 1970, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Timestamp,
    /// The `id` of a change that breaks every build with it: show what the culprit searches would
    /// ask for after the set with it
    #[arg(long, value_name = "ID")]
    broken: Option<String>,
    /// Print one JSON object per build set
    #[arg(long)]
    json: bool,
    /// Print what each scheduler makes of each change, and why
    #[arg(long)]
    explain: bool,
    /// Print the values of request_order for each build set and builder
    #[arg(long)]
    orders: bool,
}

impl Simulate {
    /// Reads the configuration and the changes, and prints the build sets. The exit code is 2 if
    /// the configuration or a change is invalid.
    ///
    /// # Errors
    /// A file cannot be read, or standard output cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        if self.until < self.from {
            complain(
                "buildmaster: error: --until is before --from; the simulation starts at --from",
            );
            return Ok(ExitCode::from(USAGE));
        }
        let Some(config) = self.path.source()?.load(Scope::File, Tell::All)? else {
            return Ok(ExitCode::from(USAGE));
        };
        let history = match self.read_changes()? {
            Ok(history) => history,
            Err(errors) => {
                complain(&errors.join("\n"));
                return Ok(ExitCode::from(USAGE));
            }
        };
        let span = Span {
            from: self.from,
            until: self.until,
        };
        let broken = self.broken.as_ref().map(|id| history.with_id(id));
        if broken == Some(None) {
            complain("buildmaster: error: --broken is the `id` of no change in the file");
            return Ok(ExitCode::from(USAGE));
        }
        let zone = machine_zone();
        let late = history.arrive_after(self.until);
        write_out(|out| {
            let what = Printed {
                json: self.json,
                explain: self.explain,
                orders: self.orders,
            };
            let mut report = Report::new(out, &config, &history, &zone, what);
            report.broken = broken.flatten();
            simulate(&config, &history, span, &mut report)
        })?;
        if late > 0 {
            complain(&format!(
                "buildmaster: note: {late} of {} changes arrive after --until and are ignored",
                history.len()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn read_changes(&self) -> anyhow::Result<Result<History, Vec<String>>> {
        let (name, input): (_, Box<dyn BufRead>) = if self.changes == Path::new("-") {
            ("standard input".to_owned(), Box::new(io::stdin().lock()))
        } else {
            let name = self.changes.display().to_string();
            let file = File::open(&self.changes).with_context(|| format!("cannot read {name}"))?;
            (name, Box::new(BufReader::new(file)))
        };
        changes::read(input, &name, self.from).with_context(|| format!("cannot read {name}"))
    }
}

/// From when to when, both inclusive.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

/// Runs the schedulers of `config` over `history`.
fn simulate(
    config: &Config,
    history: &History,
    span: Span,
    report: &mut Report<'_>,
) -> io::Result<()> {
    let changes = history.changes().iter().cloned();
    report.begin()?;
    for foreseen in Foresight::new(&config.schedulers, changes, span.from, span.until) {
        match foreseen.event {
            Outlook::Decided {
                change,
                scheduler,
                decision,
            } => report.decision(foreseen.at, (change, &scheduler), &decision)?,
            Outlook::Set(set) => {
                report.set(foreseen.at, &set)?;
                report.searches(config, &set)?;
            }
            Outlook::Problem { scheduler, why } => {
                report.problem(foreseen.at, &format!("{scheduler}: {why}"))?;
            }
        }
    }
    report.end(span.from, span.until)
}
