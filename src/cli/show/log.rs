//! `show log`: what a command printed, and what slave and master say about it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::builds::Shown;
use super::screen::Screen;
use super::{Moment, find_build, no_such};
use crate::cli::nth::Nth;
use crate::logs::{Channel, LogReader};
use crate::model::{Results, StepSummary};
use crate::store::State;
use crate::store::read::{BuildRow, LogRow};
use crate::text::Harmless;
use crate::text::table::Colour;

/// Which log, and what of it.
#[derive(Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// The builder
    builder: String,
    /// The build's number, `last` or `-1`, `-2`, as for `show build`
    #[arg(allow_negative_numbers = true)]
    number: Nth,
    /// The step's name [default: the step that failed, or that runs]
    step: Option<String>,
    /// The log's name [default: stdio, if there is one]
    log: Option<String>,
    /// Print what slave and master say about the command to standard output, and not to standard error if this is
    /// not a terminal
    #[arg(long, conflicts_with = "output")]
    headers: bool,
    /// Leave out what slave and master say about the command
    #[arg(long)]
    output: bool,
    /// Print what is added until the log is complete
    #[arg(long, short)]
    follow: bool,
}

/// How often a log that grows is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Prints the log.
pub(super) fn print(
    args: &LogArgs,
    state: &State,
    screen: &mut Screen<'_>,
    moment: Moment<'_>,
) -> anyhow::Result<()> {
    let build = find_build(state, &args.builder, args.number)?;
    let number = build.summary.number;
    let builder = &args.builder;
    if state.are_logs_gone(build.summary.id)? {
        bail!("the logs of build {builder}/{number} were pruned (log_horizon)");
    }
    let (id, mut build) = (build.summary.id, build);
    let step = loop {
        let step = choose_step(args, state, &build, moment)?;
        let has_logs = step.is_some_and(|step| !build.logs[step].is_empty());
        match step {
            Some(step) if has_logs || !args.follow || !goes_on(&build, state) => break step,
            Some(_) | None => {}
        }
        // The build runs and has come to no step or log yet.
        std::thread::sleep(POLL);
        build = find_build(state, builder, Nth::Number(number.0))?;
    };
    let log = find_log(&build, step, args.log.as_deref())?;
    let path = state.basedir().join(&log.path);
    let doing = || format!("cannot read the log {}.log", path.display());
    let mut reader = LogReader::open(state.basedir(), &log.path).with_context(doing)?;
    let mut printer = Printer::new(args, screen);
    loop {
        // Looked at first, so that nothing that was written before the end is left.
        let is_over =
            !args.follow || !state.is_master_running() || state.is_log_complete(id, &log.path)?;
        reader
            .copy_each(&mut |channel, bytes| printer.print(channel, bytes))
            .with_context(doing)?;
        printer.flush()?;
        if is_over {
            printer.finish()?;
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
}

/// The step that is meant; nothing if it has to be waited for.
fn choose_step(
    args: &LogArgs,
    state: &State,
    build: &BuildRow,
    moment: Moment<'_>,
) -> anyhow::Result<Option<usize>> {
    let steps = &build.summary.steps;
    let names = || steps.iter().map(|step| step.name.as_str());
    let place = |name: &str| steps.iter().position(|step| step.name == name);
    if let Some(step) = &args.step {
        return match place(step) {
            None => no_such("step", step, names()).map(|()| None),
            place => Ok(place),
        };
    }
    let Some(shown) = Shown::of(state, vec![build.clone()], moment)?.pop() else {
        return Ok(None);
    };
    let bad = shown.bad_steps();
    if let Some(place) = bad.first().and_then(|name| place(name)) {
        return Ok(Some(place));
    }
    // A step may fail without failing the build.
    let has_failed =
        |step: &StepSummary| matches!(step.result, Some(Results::Failure | Results::Exception));
    if let Some(place) = steps.iter().position(has_failed) {
        return Ok(Some(place));
    }
    let (builder, number) = (&build.summary.builder, build.summary.number);
    if goes_on(build, state) {
        let running = steps.iter().rposition(|step| step.finished_at.is_none());
        match running {
            Some(place) => return Ok(Some(place)),
            None if args.follow => return Ok(None),
            None => {}
        }
    }
    let known: Vec<_> = names().map(|name| format!("{name:?}")).collect();
    match (&known[..], build.summary.finished_at) {
        ([], _) => bail!("build {number} of {builder} has no steps"),
        (_, Some(_)) => bail!(
            "no step of build {number} of {builder} failed; say which step's log: {}",
            known.join(", ")
        ),
        (_, None) => bail!(
            "no step of build {number} of {builder} is running; say which step's log: {}",
            known.join(", ")
        ),
    }
}

/// Whether the build runs.
fn goes_on(build: &BuildRow, state: &State) -> bool {
    build.summary.finished_at.is_none() && state.is_master_running()
}

fn find_log<'a>(build: &'a BuildRow, step: usize, log: Option<&str>) -> anyhow::Result<&'a LogRow> {
    let logs = &build.logs[step];
    let named = |name: &str| logs.iter().find(|log| log.name == name);
    let found = match log {
        Some(name) => named(name),
        None => named(STDIO).or(logs.first()),
    };
    if let Some(log) = found {
        return Ok(log);
    }
    if let Some(name) = log {
        no_such("log", name, logs.iter().map(|l| l.name.as_str()))?;
    }
    bail!("step {:?} has no logs", build.summary.steps[step].name)
}

const STDIO: &str = "stdio";

/// Where the channels of a log go.
struct Printer<'a> {
    output: Out<'a>,
    /// Where headers go; absent: to where the output goes.
    headers: Option<Out<'a>>,
    leaves_out_headers: bool,
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
            leaves_out_headers: args.output,
            header_colour: (is_terminal && is_coloured).then_some(Colour::Cyan),
        }
    }

    fn print(&mut self, channel: Channel, bytes: &[u8]) -> io::Result<()> {
        match channel {
            Channel::Stdout | Channel::Stderr => self.output.write_all(bytes),
            Channel::Header if self.leaves_out_headers => Ok(()),
            Channel::Header => match (&mut self.headers, self.header_colour) {
                (Some(headers), _) => {
                    // So that both are in order where they go to the same place.
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
