//! `buildslave`: the native slave and its administration (CLI-70 to CLI-75).

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::buildslave::{AllowShutdown, BaseDir, NewSlave, Password, program};
use crate::daemonize::{self, Readiness, Started, Stopped};
use crate::platform::{HAS_SIGNALS, Signal};

/// The native slave: runs what a buildmaster or a Buildbot tells it.
#[derive(Debug, Parser)]
#[command(name = "buildslave", version)]
pub(super) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a base directory for a slave
    CreateSlave(CreateSlave),
    /// Start a slave, and wait until it is attached or keeps trying
    Start(Start),
    /// Stop a slave; what it runs is killed
    Stop(Where),
    /// Stop a slave if it runs, and start it
    Restart(Start),
}

#[derive(Args, Debug)]
struct CreateSlave {
    /// Replace the configuration of a slave that exists
    #[arg(short, long)]
    force: bool,
    /// Accepted for Buildbot's sake: a base directory can always be moved
    #[arg(short, long)]
    relocatable: bool,
    /// Never rotate the log file
    #[arg(short, long)]
    no_logrotate: bool,
    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
    /// Seconds between keepalives; 0: never
    #[arg(short, long, default_value_t = 600)]
    keepalive: u64,
    /// Whether commands run on a pseudo terminal when their master leaves it to the slave
    #[arg(long, default_value = "0", value_parser = ["0", "1"])]
    usepty: String,
    /// File mode mask, such as 022
    #[arg(long)]
    umask: Option<String>,
    /// Longest wait between attempts to connect, in seconds
    #[arg(long, default_value_t = 300)]
    maxdelay: u64,
    /// Size in bytes at which the log file is rotated
    #[arg(short = 's', long, default_value_t = 10_000_000)]
    log_size: u64,
    /// How many old log files are kept, or None for all
    #[arg(short, long, default_value = "10", value_parser = log_count)]
    log_count: LogCount,
    /// Let this ask the master for a graceful end: SIGHUP, or the file shutdown.stamp
    #[arg(short, long)]
    allow_shutdown: Option<Allow>,
    /// Read the password from the first line of a file each time the slave starts
    #[arg(long, conflicts_with = "password")]
    password_file: Option<PathBuf>,
    /// Directory to make
    basedir: PathBuf,
    /// The master: HOST or HOST:PORT (9989)
    master: String,
    /// Name of the slave, as the master knows it
    name: String,
    /// Password of the slave
    #[arg(required_unless_present = "password_file")]
    password: Option<String>,
}

#[derive(Args, Debug)]
struct Start {
    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
    /// Stay in the foreground
    #[arg(long)]
    nodaemon: bool,
    /// This is the process that `start` made.
    #[arg(long, hide = true)]
    daemon_child: bool,
    /// The slave's base directory
    #[arg(default_value = ".")]
    basedir: PathBuf,
}

#[derive(Args, Debug)]
struct Where {
    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
    /// The slave's base directory
    #[arg(default_value = ".")]
    basedir: PathBuf,
}

#[derive(Clone, Copy, Debug)]
struct LogCount(Option<u32>);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Allow {
    Signal,
    File,
}

/// The program `buildslave`.
pub(super) fn buildslave(args: Vec<OsString>) -> ExitCode {
    let cli = match super::parse::<Cli>(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let done = match cli.verb {
        Verb::CreateSlave(args) => create(args),
        Verb::Start(args) => start(&args),
        Verb::Stop(args) => stop(&args).map(|_| ()),
        Verb::Restart(args) => restart(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(&format!("buildslave: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn create(args: CreateSlave) -> anyhow::Result<()> {
    let password = match (args.password_file, args.password) {
        (Some(file), _) => Password::File(std::path::absolute(file)?),
        (None, password) => Password::Plain(password.unwrap_or_default()),
    };
    let base = BaseDir::create(NewSlave {
        path: args.basedir,
        master: args.master,
        name: args.name,
        password,
        keepalive_secs: args.keepalive,
        max_delay_secs: args.maxdelay,
        use_pty: args.usepty == "1",
        umask: args.umask,
        allow_shutdown: args.allow_shutdown.map(|allow| match allow {
            Allow::Signal => AllowShutdown::Signal,
            Allow::File => AllowShutdown::File,
        }),
        log_size: (!args.no_logrotate).then_some(args.log_size),
        log_count: args.log_count.0,
        force: args.force,
    })?;
    let path = base.path().display();
    say(args.quiet, &format!("slave made in {path}"));
    let text = format!(
        "say who looks after it in {path}/info/admin and what it is in {path}/info/host; \
         start it with: buildslave start {path}"
    );
    say(args.quiet, &text);
    Ok(())
}

fn start(args: &Start) -> anyhow::Result<()> {
    if args.daemon_child {
        let readiness = Readiness::in_background();
        return serve(args, readiness);
    }
    if args.nodaemon {
        return serve(args, Readiness::in_foreground());
    }
    let base = BaseDir::open(&args.basedir)?;
    let child: [OsString; 3] = ["start".into(), "--daemon-child".into(), base.path().into()];
    let note = |text: &str| say(args.quiet, text);
    match daemonize::spawn("buildslave", &child, base.path(), START_PATIENCE, note)? {
        Started::Ready(text) => say(args.quiet, &text),
        Started::StillStarting => say(args.quiet, "started; not attached yet"),
    }
    Ok(())
}

fn serve(args: &Start, readiness: Readiness) -> anyhow::Result<()> {
    let base = BaseDir::open(&args.basedir)?;
    program::serve(&base, readiness).map(|_| ())
}

/// Whether it ran.
fn stop(args: &Where) -> anyhow::Result<bool> {
    let base = BaseDir::open(&args.basedir)?;
    if !HAS_SIGNALS {
        return stop_by_request(args, &base);
    }
    let stopped = daemonize::stop(&base.pid_file(), Signal::TERM, STOP_PATIENCE)
        .with_context(|| format!("cannot stop the slave in {}", base.path().display()))?;
    match stopped {
        Stopped::Ended(pid) => {
            say(args.quiet, &format!("process {pid} has ended"));
            Ok(true)
        }
        Stopped::NotRunning => {
            say(args.quiet, "not running");
            Ok(false)
        }
        Stopped::StillRunning(pid) => bail!("process {pid} is still running after SIGTERM"),
    }
}

/// Whether it ran.
fn stop_by_request(args: &Where, base: &BaseDir) -> anyhow::Result<bool> {
    let request = base.stop_request();
    let stopped = daemonize::stop_by_request(&base.pid_file(), &request, STOP_PATIENCE)
        .with_context(|| format!("cannot stop the slave in {}", base.path().display()))?;
    let text = match stopped {
        Some(true) => "the slave has ended",
        None => "not running",
        Some(false) => bail!("the slave is still running"),
    };
    say(args.quiet, text);
    Ok(stopped.is_some())
}

fn restart(args: &Start) -> anyhow::Result<()> {
    let place = Where {
        quiet: args.quiet,
        basedir: args.basedir.clone(),
    };
    stop(&place)?;
    start(args)
}

fn log_count(text: &str) -> Result<LogCount, String> {
    if text == "None" {
        return Ok(LogCount(None));
    }
    let count = text.parse().map_err(|_| "a number or None is wanted")?;
    Ok(LogCount(Some(count)))
}

fn say(quiet: bool, text: &str) {
    if !quiet {
        super::say(text);
    }
}

/// How long `start` waits for the slave to attach.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long `stop` waits for the slave to end; it gives its commands ten seconds.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
