//! `buildmaster show`: the state on disk, for people and, with `--json`, for programs.
//!
//! It reads beside a running master and without one, and never writes; what only a running master knows, it is asked
//! for (`live`). What is shown of one command is one moment of the state.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use self::fate::Fate;
use self::screen::{Screen, Zone};
use super::base_dir::default_basedir;
use crate::logs::{Channel, LogReader};
use crate::model::{BuildNumber, BuilderName, ChangeNumber, Timestamp};
use crate::store::State;
use crate::store::read::{self, BuildRow, Which};

mod eta;
mod fate;
mod json;
mod live;
mod pages;
mod refused;
mod screen;
mod trail;

#[cfg(test)]
pub(super) use self::json::change as change_as_json;
pub(super) use self::screen::printable;

/// Arguments of `show`.
#[derive(Args, Clone, Debug)]
pub(super) struct ShowArgs {
    #[command(subcommand)]
    what: What,
    /// The master's base directory [default: $BUILDMASTER_BASEDIR, or the current directory]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value_os_t = default_basedir(),
        hide_default_value = true
    )]
    basedir: PathBuf,
    /// One JSON object a line, for programs; times are seconds since 1970-01-01 UTC
    #[arg(long, global = true)]
    json: bool,
    /// List at most this many, the newest [default: 20, with --json all]
    #[arg(long, global = true, value_name = "N")]
    limit: Option<u32>,
}

/// What to show.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Builders, what they do, and how their last build ended
    Builders,
    /// Slaves, whether they are connected, and what they told of themselves
    Slaves,
    /// The newest changes
    Changes,
    /// One change, what each scheduler made of it and why, and what it is built in
    Change {
        /// Its number
        number: u64,
    },
    /// Requests that have not finished, in the order in which they go
    Requests {
        /// Only those that wait: no build is being started for them yet
        #[arg(long, conflicts_with = "all")]
        pending: bool,
        /// Finished ones too, the newest first
        #[arg(long)]
        all: bool,
    },
    /// Builds and steps that wait for locks, who holds these, and whose turn it is
    Locks,
    /// The newest builds
    Builds {
        /// Only those of this builder
        builder: Option<String>,
    },
    /// One build with its steps, logs and properties
    Build {
        /// The builder
        builder: String,
        /// The build's number
        number: u64,
    },
    /// What a command printed, byte for byte: standard output and error in the order in which they came
    Log {
        /// The builder
        builder: String,
        /// The build's number
        number: u64,
        /// The step's name
        step: String,
        /// The log's name
        #[arg(default_value = "stdio")]
        log: String,
        /// Also what slave and master say about the command
        #[arg(long)]
        headers: bool,
    },
}

/// Runs `show`: exit code 0 when it was shown, 1 when there is no such thing.
#[must_use]
pub(super) fn run(args: &ShowArgs) -> ExitCode {
    let stdout = io::stdout().lock();
    let mut screen = Screen {
        is_coloured: stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        zone: Zone::Local,
        out: &mut BufWriter::new(stdout),
    };
    let now = Timestamp(chrono::Utc::now().timestamp_micros());
    let shown = show(args, &mut screen, now).and_then(|()| Ok(screen.out.flush()?));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough.
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            // There is nowhere left to complain about this one.
            writeln!(io::stderr(), "buildmaster show: {e:#}").unwrap_or_default();
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn show(args: &ShowArgs, screen: &mut Screen<'_>, now: Timestamp) -> anyhow::Result<()> {
    let state = State::open_readonly(&args.basedir)?;
    let is_running = state.is_master_running();
    // All that is read below is of one moment.
    let _moment = state
        .conn
        .unchecked_transaction()
        .context("cannot read the state")?;
    let conn = &state.conn;
    let with_left = |row: BuildRow| {
        let left = eta::left(&row, is_running, state.basedir(), now);
        (row, left)
    };
    let limit = match args.limit {
        Some(limit) => limit,
        None if args.json => u32::MAX,
        None => LIMIT,
    };
    match &args.what {
        What::Builders => {
            let mut builders = read::builders(conn)?;
            if !is_running {
                for builder in &mut builders {
                    "offline".clone_into(&mut builder.state);
                }
            }
            live::look(&args.basedir, is_running).correct_pending(&mut builders);
            if args.json {
                return json::lines(screen.out, builders.iter().map(json::builder));
            }
            pages::builders(screen, &builders)?;
        }
        What::Slaves => {
            let mut slaves = read::slaves(conn)?;
            for slave in &mut slaves {
                slave.connected &= is_running;
            }
            let live = live::look(&args.basedir, is_running);
            if args.json {
                let values = slaves.iter().map(|slave| {
                    let mut value = json::slave(slave, live.slaves.get(&slave.name));
                    refused::add_to_slave(&mut value, slave, &slaves, &live.refusals);
                    value
                });
                return json::lines(screen.out, values);
            }
            pages::slaves(screen, &slaves, &live.slaves)?;
            refused::page(screen, &slaves, &live.refusals)?;
        }
        What::Changes => {
            let changes = read::changes(conn, limit)?;
            if args.json {
                return json::lines(screen.out, changes.iter().map(json::change));
            }
            pages::changes(screen, &changes)?;
        }
        What::Change { number } => {
            let wanted = ChangeNumber(*number);
            let Some(change) = read::change(conn, wanted)? else {
                if read::was_change(conn, wanted)? {
                    bail!("change {number} was removed, as change_horizon says");
                }
                bail!("there is no change {number}");
            };
            let fate = Fate {
                decisions: read::decisions(conn, change.number)?,
                sets: read::sets_of_change(conn, change.number)?,
                requests: read::requests_of_change(conn, change.number)?,
                some_have_gone: read::were_sets(conn)?,
            };
            if args.json {
                return json::lines(screen.out, [json::change_with(&change, &fate)]);
            }
            pages::change(screen, &change)?;
            fate::page(screen, &fate)?;
        }
        What::Requests { pending, all } => {
            let which = match (pending, all) {
                (true, _) => Which::Pending,
                (false, true) => Which::All,
                (false, false) => Which::Open,
            };
            let live = live::look(&args.basedir, is_running);
            let requests = if which == Which::All {
                read::requests(conn, which, limit)?
            } else {
                // Which of them come first depends on what is not on disk.
                let priorities = live::priorities(&live, &args.basedir, is_running);
                let mut requests = read::requests(conn, which, u32::MAX)?;
                requests.retain(|row| which == Which::Open || !live.is_starting(row));
                live::put_in_order(&mut requests, &priorities);
                requests.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                requests
            };
            if args.json {
                let requests = requests.iter();
                return json::lines(screen.out, requests.map(|row| live.request(row)));
            }
            pages::requests(screen, &requests, &live)?;
        }
        What::Locks => {
            let waits = if is_running {
                live::ask(&args.basedir)?.locks
            } else {
                Vec::new()
            };
            if args.json {
                return json::lines(screen.out, waits.iter().map(live::lock_wait));
            }
            live::locks(screen, &waits)?;
        }
        What::Builds { builder } => {
            let builder = builder.as_deref().map(BuilderName::from);
            if let Some(builder) = &builder {
                check_builder(&state, builder)?;
            }
            let builds = read::builds(conn, builder.as_ref(), limit)?;
            let builds: Vec<_> = builds.into_iter().map(with_left).collect();
            if args.json {
                let builds = builds.iter().map(|(build, left)| json::build(build, left));
                return json::lines(screen.out, builds);
            }
            pages::builds(screen, &builds, is_running)?;
        }
        What::Build { builder, number } => {
            let (build, left) = with_left(find_build(&state, builder, *number)?);
            let trail = trail::of_build(conn, &build)?;
            if args.json {
                return json::lines(screen.out, [json::build_with(&build, &left, &trail)]);
            }
            pages::build(screen, &build, &left, is_running)?;
            trail::page(screen, &build, &trail)?;
        }
        What::Log {
            builder,
            number,
            step,
            log,
            headers,
        } => {
            let build = find_build(&state, builder, *number)?;
            if read::are_logs_gone(conn, build.summary.id)? {
                bail!("the logs of build {number} of {builder} were removed, as log_horizon says");
            }
            let path = find_log(&build, step, log)?;
            let channels: &[Channel] = if *headers {
                &Channel::ALL
            } else {
                &Channel::OUTPUT
            };
            let doing = || {
                format!(
                    "cannot read the log {}.log",
                    state.basedir().join(path).display()
                )
            };
            let mut reader = LogReader::open(state.basedir(), path).with_context(doing)?;
            reader.copy_to(channels, screen.out).with_context(doing)?;
        }
    }
    Ok(())
}

fn find_build(state: &State, builder: &str, number: u64) -> anyhow::Result<BuildRow> {
    let builder = BuilderName::from(builder);
    check_builder(state, &builder)?;
    match read::build(&state.conn, &builder, BuildNumber(number))? {
        Some(build) => Ok(build),
        None if read::was_build(&state.conn, &builder, BuildNumber(number))? => {
            bail!("build {number} of {builder} was removed, as build_horizon says")
        }
        None => match read::builds(&state.conn, Some(&builder), 1)?.first() {
            Some(last) => bail!(
                "there is no build {number} of {builder}; its last one is {}",
                last.summary.number
            ),
            None => bail!("{builder} has no builds yet"),
        },
    }
}

fn check_builder(state: &State, builder: &BuilderName) -> anyhow::Result<()> {
    let names = read::builder_names(&state.conn)?;
    if names.contains(builder) {
        return Ok(());
    }
    no_such(
        "builder",
        builder.as_str(),
        names.iter().map(|n| n.as_str()),
    )
}

fn find_log<'a>(build: &'a BuildRow, step: &str, log: &str) -> anyhow::Result<&'a str> {
    let steps = &build.summary.steps;
    let Some(index) = steps.iter().position(|s| s.name == step) else {
        let names = steps.iter().map(|s| s.name.as_str());
        return no_such("step", step, names).map(|()| "");
    };
    let logs = &build.logs[index];
    match logs.iter().find(|l| l.name == log) {
        Some(log) => Ok(&log.path),
        None => no_such("log", log, logs.iter().map(|l| l.name.as_str())).map(|()| ""),
    }
}

/// The error for a name that is not there, with those that are meant perhaps.
fn no_such<'a>(
    kind: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let mut names: Vec<_> = names
        .map(|name| {
            let distance =
                strsim::damerau_levenshtein(&name.to_lowercase(), &wanted.to_lowercase());
            (distance, name)
        })
        .collect();
    names.sort_unstable();
    let near = names
        .iter()
        .filter(|(distance, _)| *distance <= wanted.chars().count().div_ceil(3));
    let near: Vec<_> = near.take(3).map(|(_, name)| format!("{name:?}")).collect();
    if !near.is_empty() {
        bail!(
            "there is no {kind} {wanted:?}; did you mean {}?",
            near.join(" or ")
        );
    }
    let known: Vec<_> = names
        .iter()
        .take(8)
        .map(|(_, name)| format!("{name:?}"))
        .collect();
    match names.len() - known.len() {
        _ if known.is_empty() => bail!("there is no {kind} {wanted:?}; there are none yet"),
        0 => bail!(
            "there is no {kind} {wanted:?}; there are {}",
            known.join(", ")
        ),
        more => bail!(
            "there is no {kind} {wanted:?}; there are {} and {more} more",
            known.join(", ")
        ),
    }
}

/// How many people want to see.
const LIMIT: u32 = 20;

#[cfg(test)]
mod tests;
