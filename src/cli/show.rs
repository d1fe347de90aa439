//! `buildmaster show`: the state on disk, for people and, with `--json`, for programs.
//!
//! It reads beside a running master and without one, and never writes; what only a running master knows, it is asked
//! for (`live`). What is shown of one command is one moment of the state.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use self::builds::{Moment, Shown};
use self::fate::Fate;
use self::schedulers::Scheduler;
use self::screen::{Screen, Zone};
use super::base_dir::default_basedir;
use super::nth::Nth;
use super::{USAGE, complain};
use crate::clock::Clock;
use crate::model::{BuilderName, ChangeNumber, Timestamp};
use crate::store::State;
use crate::store::read::{Among, BuildRow, Which};
use crate::text::{and_more, or};

mod builds;
mod configured;
mod eta;
mod fate;
mod json;
mod live;
mod log;
mod pages;
mod refused;
mod schedulers;
mod screen;
mod status;
mod trail;
mod wait;

#[cfg(test)]
pub(super) use self::json::change as change_as_json;
pub(super) use self::status::Status;

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
    /// Schedulers, what waits in them and until when, and when they run next
    Schedulers,
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
        /// Wait until there are some, and until all have ended that run or wait: requests, and changes for which the
        /// tree is to be stable
        #[arg(long)]
        wait: bool,
    },
    /// One build with its steps, logs and properties
    Build {
        /// The builder
        builder: String,
        /// Its number; `last` is the newest that is not a try, `-1` the newest of all, `-2` the one before
        #[arg(allow_negative_numbers = true)]
        number: Nth,
    },
    /// What a command printed: standard output and error in the order in which they came, byte for byte if standard
    /// output is not a terminal
    Log(log::LogArgs),
}

/// Runs `show`.
///
/// # Errors
/// What is asked for does not exist, or it cannot be printed.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    if args.json && matches!(args.what, What::Log(_)) {
        complain("buildmaster: error: a log is printed as it is; leave out --json");
        return Ok(ExitCode::from(USAGE));
    }
    on_screen(|screen, now| show(args, screen, now)).map(|()| ExitCode::SUCCESS)
}

/// Lets `work` print to standard output at this moment; a reader that has gone away has seen enough.
///
/// # Errors
/// It cannot be printed, or what `work` says.
fn on_screen(
    work: impl FnOnce(&mut Screen<'_>, Timestamp) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stdout = io::stdout().lock();
    let mut screen = Screen {
        is_coloured: stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        width: screen::width_of(&stdout),
        zone: Zone::Local,
        out: &mut BufWriter::new(stdout),
        notes: &mut io::stderr(),
    };
    let now = Clock::system().wall();
    match work(&mut screen, now).and_then(|()| Ok(screen.out.flush()?)) {
        Err(e) if !is_broken_pipe(&e) => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn show(args: &ShowArgs, screen: &mut Screen<'_>, now: Timestamp) -> anyhow::Result<()> {
    let Some(state) = State::open_if_any(&args.basedir)? else {
        return show_unstarted(args, screen, now);
    };
    let mut now = now;
    if let What::Builds {
        builder,
        wait: true,
    } = &args.what
    {
        let builder = builder.as_deref().map(BuilderName::from);
        if let Some(builder) = &builder {
            check_builder(&state, builder)?;
        }
        wait::until_quiet(&state, builder.as_ref(), screen)?;
        now = Clock::system().wall();
    }
    let is_running = state.is_master_running();
    let moment = Moment {
        basedir: state.basedir(),
        is_running,
        now,
    };
    if let What::Log(args) = &args.what {
        return log::print(args, &state, screen, moment);
    }
    // All that is read below is of one moment.
    let _moment = state.at_one_moment()?;
    let limit = match args.limit {
        Some(limit) => limit,
        None if args.json => u32::MAX,
        None => LIMIT,
    };
    match &args.what {
        What::Builders => {
            let mut builders = state.builders()?;
            if !is_running {
                for builder in &mut builders {
                    "offline".clone_into(&mut builder.state);
                }
            }
            let config = configured::read(&args.basedir);
            if let Some(config) = &config
                && (!is_running || builders.is_empty())
            {
                builders = configured::builders(config, builders);
            }
            live::look(&args.basedir, is_running).correct_pending(&mut builders);
            let schedulers = config.iter().flat_map(|config| &config.schedulers);
            let schedulers = Scheduler::all(Some(&state), schedulers.map(AsRef::as_ref), now)?;
            let configs = configured::by_name(config.as_ref());
            if args.json {
                let builders = builders.iter();
                let builders = builders.map(|builder| {
                    json::builder(builder, configs.get(&builder.name).copied(), &schedulers)
                });
                return json::lines(screen.out, builders);
            }
            pages::builders(screen, &builders, &configs, &schedulers, now)?;
        }
        What::Schedulers => {
            let config = configured::read(&args.basedir)
                .context("the schedulers are not known: `buildmaster checkconfig` shows what is wrong with the configuration")?;
            let configs = config.schedulers.iter().map(AsRef::as_ref);
            let schedulers = Scheduler::all(Some(&state), configs, now)?;
            if args.json {
                return json::lines(screen.out, schedulers.iter().map(Scheduler::json));
            }
            schedulers::table(screen, &schedulers, now, is_running)?;
        }
        What::Slaves => {
            let mut slaves = state.slaves()?;
            for slave in &mut slaves {
                slave.connected &= is_running;
            }
            if (!is_running || slaves.is_empty())
                && let Some(config) = configured::read(&args.basedir)
            {
                slaves = configured::slaves(&config, slaves);
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
            let changes = state.changes(limit)?;
            if args.json {
                return json::lines(screen.out, changes.iter().map(json::change));
            }
            pages::changes(screen, &changes)?;
        }
        What::Change { number } => {
            let wanted = ChangeNumber(*number);
            let Some(change) = state.change(wanted)? else {
                if state.was_change(wanted)? {
                    bail!("change {number} was pruned (change_horizon)");
                }
                bail!("there is no change {number}");
            };
            let fate = Fate {
                decisions: state.decisions(change.number)?,
                sets: state.sets_of_change(change.number)?,
                requests: state.requests_of_change(change.number)?,
                some_have_gone: state.were_sets()?,
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
                state.requests(which, limit)?
            } else {
                // Which of them come first depends on what is not on disk.
                let priorities = live::priorities(&live, &args.basedir, is_running);
                let mut requests = state.requests(which, u32::MAX)?;
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
        What::Builds { builder, .. } => {
            let builder = builder.as_deref().map(BuilderName::from);
            if let Some(builder) = &builder {
                check_builder(&state, builder)?;
            }
            let builds = state.builds(builder.as_ref(), limit)?;
            let builds = Shown::of(&state, builds, moment)?;
            if args.json {
                let builds = builds.iter().map(|build| json::build(build, moment));
                return json::lines(screen.out, builds);
            }
            builds::table(screen, &builds, moment)?;
        }
        What::Build { builder, number } => {
            let build = find_build(&state, builder, *number)?;
            let trail = trail::of_build(&state, &build)?;
            for build in &Shown::of(&state, vec![build], moment)? {
                if args.json {
                    return json::lines(screen.out, [json::build_with(build, &trail, moment)]);
                }
                builds::page(screen, build, moment)?;
                trail::page(screen, &build.row, &trail)?;
            }
        }
        What::Log(_) => {}
    }
    Ok(())
}

/// Shows what there is to see before the first start: what is configured.
fn show_unstarted(args: &ShowArgs, screen: &mut Screen<'_>, now: Timestamp) -> anyhow::Result<()> {
    let nothing = || State::open_readonly(&args.basedir).map(drop);
    let Some(config) = configured::read(&args.basedir) else {
        return Ok(nothing()?);
    };
    let configs = config.schedulers.iter().map(AsRef::as_ref);
    let schedulers = Scheduler::all(None, configs, now)?;
    match args.what {
        What::Builders => {
            let builders = configured::builders(&config, Vec::new());
            let configs = configured::by_name(Some(&config));
            if args.json {
                let builders = builders.iter().map(|builder| {
                    json::builder(builder, configs.get(&builder.name).copied(), &[])
                });
                return json::lines(screen.out, builders);
            }
            pages::builders(screen, &builders, &configs, &[], now)?;
        }
        What::Slaves => {
            let slaves = configured::slaves(&config, Vec::new());
            if args.json {
                return json::lines(
                    screen.out,
                    slaves.iter().map(|slave| json::slave(slave, None)),
                );
            }
            pages::slaves(screen, &slaves, &BTreeMap::new())?;
        }
        What::Schedulers if args.json => {
            json::lines(screen.out, schedulers.iter().map(Scheduler::json))?;
        }
        What::Schedulers => schedulers::table(screen, &schedulers, now, false)?,
        What::Changes
        | What::Change { .. }
        | What::Requests { .. }
        | What::Locks
        | What::Builds { .. }
        | What::Build { .. }
        | What::Log(_) => nothing()?,
    }
    Ok(())
}

fn find_build(state: &State, builder: &str, nth: Nth) -> anyhow::Result<BuildRow> {
    let builder = BuilderName::from(builder);
    check_builder(state, &builder)?;
    let number = nth.find(state, &builder, Among::All)?;
    match state.build(&builder, number)? {
        Some(build) => Ok(build),
        None if state.was_build(&builder, number)? => {
            bail!("build {builder}/{number} was pruned (build_horizon)")
        }
        None => match state.builds(Some(&builder), 1)?.first() {
            Some(last) => bail!(
                "there is no build {number} of {builder}; its last one is {}",
                last.summary.number
            ),
            None => bail!("{builder} has no builds yet"),
        },
    }
}

pub(super) fn check_builder(state: &State, builder: &BuilderName) -> anyhow::Result<()> {
    let mut names = state.builder_names()?;
    if names.contains(builder) {
        return Ok(());
    }
    // The state learns of a new builder a moment after the master has started.
    let config = configured::read(state.basedir());
    let configured = config.iter().flat_map(|config| &config.builders);
    names.extend(configured.map(|configured| configured.name.clone()));
    if names.contains(builder) {
        return Ok(());
    }
    names.sort_unstable();
    names.dedup();
    no_such(
        "builder",
        builder.as_str(),
        names.iter().map(|n| n.as_str()),
    )
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
        bail!("there is no {kind} {wanted:?}; did you mean {}?", or(near));
    }
    if names.is_empty() {
        bail!("there is no {kind} {wanted:?}; there are none yet");
    }
    let names = names.iter().map(|(_, name)| format!("{name:?}"));
    bail!(
        "there is no {kind} {wanted:?}; there are {}",
        and_more(names, 8)
    )
}

/// How many people want to see.
const LIMIT: u32 = 20;

#[cfg(test)]
mod tests;
