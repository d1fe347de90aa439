//! `show log`: what a command printed, and what slave and master say about it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::build::missing;
use super::screen::Screen;
use super::source::Source;
use crate::cli::buildmaster::names::{check_builder, no_such};
use crate::cli::buildmaster::nth::Nth;
use crate::logs::{Channel, LogReader, LogWatcher, Marks};
use crate::model::{BuilderName, Results};
use crate::store::State;
use crate::store::read::Among;
use crate::text::Harmless;
use crate::text::table::Colour;
use crate::view::{Build, Log, Step};

/// Which log, and what of it.
#[derive(Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// The builder
    builder: String,
    /// The number of the build, `last`, `-1` or `-2`, as for `show build`
    #[arg(allow_negative_numbers = true)]
    number: Nth,
    /// The name of the step [default: the step that failed, or the one that is running]
    step: Option<String>,
    /// The name of the log [default: stdio, else the first log]
    log: Option<String>,
    /// Print what slave and master say about the command to standard output as well; without this
    /// it is printed to standard error if standard output is not a terminal
    #[arg(long, conflicts_with = "output")]
    headers: bool,
    /// Leave out what slave and master say about the command, except where output was cut
    #[arg(long)]
    output: bool,
    /// Keep printing what is added until the log is complete
    #[arg(long, short)]
    follow: bool,
    /// Start at this line of the log, counted from 1 with the lines about the command
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    line: Option<u64>,
}

/// How often a build without a step or log is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Prints the log.
pub(super) fn print(
    args: &LogArgs,
    source: &Source<'_>,
    screen: &mut Screen<'_>,
) -> anyhow::Result<()> {
    let state = source.state()?;
    let mut build = find_build(args, source)?;
    if state.are_logs_gone(build.id)? {
        bail!(
            "the logs of build {}/{} were pruned (log_horizon)",
            build.builder,
            build.number
        );
    }
    let step = loop {
        let step = choose_step(args, &build, state)?;
        let has_logs = step.is_some_and(|step| !build.steps[step].logs.is_empty());
        match step {
            Some(step) if has_logs || !args.follow || !is_running(&build, state) => break step,
            Some(_) | None => {}
        }
        // The build runs and has come to no step or log yet.
        std::thread::sleep(POLL);
        let found = Build::find(state, &build.builder, build.number, source.moment)?;
        build = found.map_or_else(|| find_build(args, source), Ok)?;
    };
    let log = find_log(&build.steps[step], args.log.as_deref())?;
    copy(args, state, screen, (&build, log))
}

/// Prints what is in a log, and with `--follow` what is added to it.
fn copy(
    args: &LogArgs,
    state: &State,
    screen: &mut Screen<'_>,
    (build, log): (&Build, &Log),
) -> anyhow::Result<()> {
    let path = state.basedir().join(&log.path);
    let doing = || format!("cannot read the log {}.log", path.display());
    let watcher = || LogWatcher::new(state.basedir(), &log.path);
    // Made before the log is read, so that no change is missed.
    let mut watcher = args.follow.then(watcher);
    let mut reader = LogReader::open(state.basedir(), &log.path).with_context(doing)?;
    if let Some(line) = args.line
        && !reader.skip_to_line(line).with_context(doing)?
    {
        bail!("the log {:?} has no line {line}", log.name);
    }
    let mut printer = Printer::new(args, screen);
    loop {
        // Looked at first, so that nothing that was written before the end is left.
        let is_over = !args.follow
            || !state.is_master_running()
            || state.is_log_complete(build.id, &log.path)?;
        reader
            .copy_each(&mut |channel, bytes| printer.print(channel, bytes))
            .with_context(doing)?;
        printer.flush()?;
        match watcher.as_mut().filter(|_| !is_over) {
            Some(watcher) => watcher.wait(),
            None => return Ok(printer.finish()?),
        }
    }
}

fn find_build(args: &LogArgs, source: &Source<'_>) -> anyhow::Result<Build> {
    let (state, builder) = (source.state()?, BuilderName::from(args.builder.as_str()));
    check_builder(state, &builder)?;
    let number = args.number.find(state, &builder, Among::All)?;
    match Build::find(state, &builder, number, source.moment)? {
        Some(build) => Ok(build),
        None => Err(missing(state, &builder, number)?),
    }
}

/// The step that is meant; nothing if it has to be waited for.
fn choose_step(args: &LogArgs, build: &Build, state: &State) -> anyhow::Result<Option<usize>> {
    let steps = &build.steps;
    let names = || steps.iter().map(|step| step.name.as_str());
    let place = |name: &str| steps.iter().position(|step| step.name == name);
    if let Some(step) = &args.step {
        let found = place(step).ok_or_else(|| no_such("step", step, names()))?;
        return Ok(Some(found));
    }
    if let Some(place) = build.failed_steps.first().and_then(|name| place(name)) {
        return Ok(Some(place));
    }
    // A step may fail without failing the build.
    let has_failed =
        |step: &Step| matches!(step.result, Some(Results::Failure | Results::Exception));
    if let Some(place) = steps.iter().position(has_failed) {
        return Ok(Some(place));
    }
    if is_running(build, state) {
        let running = steps.iter().rposition(|step| step.finished_at.is_none());
        match running {
            Some(place) => return Ok(Some(place)),
            None if args.follow => return Ok(None),
            None => {}
        }
    }
    let (builder, number) = (&build.builder, build.number);
    if steps.is_empty() {
        bail!("build {builder}/{number} has no steps");
    }
    let what = match build.finished_at {
        Some(_) => "failed",
        None => "is running",
    };
    let known: Vec<_> = names().map(|name| format!("{name:?}")).collect();
    bail!(
        "no step of build {builder}/{number} {what}; name the step: {}",
        known.join(", ")
    )
}

/// Whether the build runs.
fn is_running(build: &Build, state: &State) -> bool {
    build.finished_at.is_none() && state.is_master_running()
}

fn find_log<'a>(step: &'a Step, log: Option<&str>) -> anyhow::Result<&'a Log> {
    let logs = &step.logs;
    let named = |name: &str| logs.iter().find(|log| log.name == name);
    let found = match log {
        Some(name) => named(name),
        None => named(STDIO).or(logs.first()),
    };
    match (found, log) {
        (Some(log), _) => Ok(log),
        (None, Some(name)) => Err(no_such(
            "log",
            name,
            logs.iter().map(|log| log.name.as_str()),
        )),
        (None, None) => bail!("step {:?} has no logs", step.name),
    }
}

const STDIO: &str = "stdio";

/// Where the channels of a log are printed.
struct Printer<'a> {
    output: Out<'a>,
    /// Where headers are printed; absent if that is where the output is printed.
    headers: Option<Out<'a>>,
    /// Present if headers are left out.
    marks: Option<Marks>,
    header_colour: Option<Colour>,
}

/// A stream, made harmless if it is a terminal.
enum Out<'a> {
    Raw(&'a mut dyn Write),
    Terminal(Harmless<&'a mut dyn Write>),
}

impl<'a> Printer<'a> {
    fn new(args: &LogArgs, screen: &'a mut Screen<'_>) -> Self {
        let (is_terminal, is_coloured) = (screen.width.is_some(), screen.is_coloured);
        let out: &'a mut dyn Write = screen.out;
        let notes: &'a mut dyn Write = screen.notes;
        Self {
            output: Out::new(out, is_terminal, is_coloured),
            headers: (!is_terminal && !args.headers)
                .then(|| Out::new(notes, io::stderr().is_terminal(), false)),
            marks: args.output.then(Marks::default),
            header_colour: (is_terminal && is_coloured).then_some(Colour::Cyan),
        }
    }

    fn print(&mut self, channel: Channel, bytes: &[u8]) -> io::Result<()> {
        match channel {
            Channel::Stdout | Channel::Stderr => self.output.write_all(bytes),
            Channel::Header if let Some(marks) = &mut self.marks => {
                marks.pass(bytes, &mut |mark| self.output.write_all(mark))
            }
            Channel::Header => match (&mut self.headers, self.header_colour) {
                (Some(headers), _) => {
                    // So that both are in order where they are the same place.
                    self.output.flush()?;
                    headers.write_all(bytes)?;
                    headers.flush()
                }
                (None, Some(colour)) => {
                    self.output.write_all(colour.begin().as_bytes())?;
                    self.output.write_all(bytes)?;
                    self.output.write_all(Colour::END.as_bytes())
                }
                (None, None) => self.output.write_all(bytes),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.output.finish()?;
        self.headers.as_mut().map_or(Ok(()), Out::finish)
    }
}

impl<'a> Out<'a> {
    fn new(out: &'a mut dyn Write, is_terminal: bool, keeps_colours: bool) -> Self {
        match is_terminal {
            true => Self::Terminal(Harmless::new(out, keeps_colours)),
            false => Self::Raw(out),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Raw(out) => out.flush(),
            Self::Terminal(out) => out.finish(),
        }
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Raw(out) => out.write(bytes),
            Self::Terminal(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Raw(out) => out.flush(),
            Self::Terminal(out) => out.flush(),
        }
    }
}
