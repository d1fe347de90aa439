//! `buildmaster show`: what is on disk, for people and, with `--json`, for programs.
//!
//! It reads beside a running master and without one, and never writes; a running master is asked
//! for what only it knows (`source`). One command shows the state of one moment.
//!
//! Each page has a file, with a function `show` that gathers [`view`](crate::view)s and prints
//! them. A new page is such a file, a line in [`What`], and a line in the `match` of [`show`].

use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::output::Output;
use self::screen::Screen;
use self::source::Source;
use super::base_dir::default_basedir;
use super::nth::Nth;
use super::{USAGE, complain};
use crate::clock::Clock;
use crate::model::Timestamp;

mod build;
mod build_tests;
mod builders;
mod builds;
mod change;
mod changes;
mod fields;
mod locks;
mod log;
mod output;
mod requests;
mod schedulers;
mod screen;
mod set;
mod slaves;
mod source;
mod sources;
mod status;
mod wait;

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
    /// Print one JSON object a line, for programs; times are RFC 3339 in UTC
    #[arg(long, global = true)]
    json: bool,
    /// List at most this many, the newest [default: 20, with --json all]
    #[arg(long, global = true, value_name = "N")]
    limit: Option<u32>,
}

/// What to show.
#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List builders, what they do, and how their last build ended
    Builders,
    /// List schedulers, the changes that wait in them and until when, and when they run next
    Schedulers,
    /// List slaves, whether they are connected, and which connections were refused
    Slaves,
    /// List change sources, whether they work, and what they have brought
    Sources,
    /// List the newest changes
    Changes,
    /// Show one change, what each scheduler decided about it and why, and where it is built
    Change {
        /// The number of the change
        number: u64,
    },
    /// List requests that have not finished, in the order in which they will be built
    Requests {
        /// List only requests that wait: no build is being started for them yet
        #[arg(long, conflicts_with = "all")]
        pending: bool,
        /// List finished requests too, the newest first
        #[arg(long)]
        all: bool,
    },
    /// Show one build set, what it is made of, its requests and their builds
    Set {
        /// The number of the set
        number: u64,
    },
    /// List builds and steps that wait for locks, who holds these, and whose turn it is
    Locks,
    /// List the newest builds
    Builds(builds::BuildsArgs),
    /// Show one build with its steps, logs and properties
    Build {
        /// The builder
        builder: String,
        /// The number of the build; `last` is the newest that is not a try, `-1` the newest of all,
        /// `-2` the one before
        #[arg(allow_negative_numbers = true)]
        number: Nth,
    },
    /// Show the tests of one build, those that failed first
    Tests {
        /// The builder
        builder: String,
        /// The number of the build; `last` is the newest that is not a try, `-1` the newest of all,
        /// `-2` the one before
        #[arg(allow_negative_numbers = true)]
        number: Nth,
    },
    /// Print what a command printed: standard output and error in the order in which they came,
    /// byte for byte if standard output is not a terminal
    Log(log::LogArgs),
}

/// Runs `show`.
///
/// # Errors
/// What is asked for does not exist, or cannot be printed.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    if args.json && matches!(args.what, What::Log(_)) {
        complain("buildmaster: error: show log prints the log itself; leave out --json");
        return Ok(ExitCode::from(USAGE));
    }
    on_screen(|screen, now| show(args, screen, now)).map(|()| ExitCode::SUCCESS)
}

/// Lets `work` print to standard output at this moment. A reader that closes its end has seen
/// enough.
///
/// # Errors
/// Standard output cannot be written, or `work` fails.
fn on_screen(
    work: impl FnOnce(&mut Screen<'_>, Timestamp) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stdout = io::stdout().lock();
    let mut screen = Screen {
        is_coloured: stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        width: screen::width_of(&stdout),
        format_time: screen::local_time,
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
    let mut source = Source::open(&args.basedir, now)?;
    if let What::Log(args) = &args.what {
        return log::print(args, &source, screen);
    }
    if let What::Builds(args) = &args.what {
        args.wait(&mut source, screen)?;
    }
    // All that is read below is of one moment.
    let state = source.state.as_ref();
    let _moment = state.map(|state| state.at_one_moment()).transpose()?;
    let out = &mut Output::new(screen, args.json, args.limit);
    match &args.what {
        What::Builders => builders::show(&source, out),
        What::Schedulers => schedulers::show(&source, out),
        What::Slaves => slaves::show(&source, out),
        What::Sources => sources::show(&source, out),
        What::Changes => changes::show(&source, out),
        What::Change { number } => change::show(&source, out, *number),
        What::Requests { pending, all } => requests::show(&source, out, *pending, *all),
        What::Set { number } => set::show(&source, out, *number),
        What::Locks => locks::show(&source, out),
        What::Builds(args) => builds::show(&source, out, args),
        What::Build { builder, number } => build::show(&source, out, builder, *number),
        What::Tests { builder, number } => build_tests::show(&source, out, builder, *number),
        What::Log(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
