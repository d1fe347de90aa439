//! One program, from its start to the end of its process group.
//!
//! ```text
//! running ──exit and end of output──▶ over
//!    │ interrupt, no output for too long, too long, too many lines, nobody listens any more
//!    ▼
//! asked (SIGTERM, if a time for it is set) ──that time──▶ killed ──5 s──▶ given up
//! ```
//!
//! Invariants: the program leads a process group (on a pseudo terminal, a session), and signals are
//! sent to the group. A command ends when its leader has ended and its output is closed. After a
//! kill, the command does not wait for output that a process outside the group holds open. Output
//! is read only as fast as the master takes it, and waiting for the master is not silence.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::activity::Activity;
use super::args::{RUNTIME_ERROR, duration, os};
use super::follow::Followed;
use super::header::{Header, shown_argv};
use super::in_turn::in_turn;
use super::outlet::Outlet;
use super::{Context, Stop};
use crate::buildslave::Settings;
use crate::buildslave::host::{Console, Running, Started, strerror};
use crate::pb::Failure;
use crate::platform::{self, Signal};
use crate::process::{Environment, Program};
use crate::protocol::{LogFile, ShellCommand, Update};

/// A program to run.
#[derive(Debug)]
pub(super) struct RunSpec {
    pub(super) command: ShellCommand<Bytes>,
    pub(super) workdir: PathBuf,
    pub(super) environment: Environment,
    pub(super) initial_stdin: Option<Bytes>,
    pub(super) want_stdout: bool,
    pub(super) want_stderr: bool,
    pub(super) logfiles: Vec<LogFile<Bytes>>,
    pub(super) timeout: Option<f64>,
    pub(super) max_time: Option<f64>,
    pub(super) max_lines: Option<u64>,
    pub(super) kill: Kill,
    pub(super) use_pty: bool,
    pub(super) log_environ: bool,
    /// Whether the exit status is sent; not if the program is a part of a larger command.
    pub(super) says_rc: bool,
}

/// How to kill a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    /// Seconds between SIGTERM and the signal; absent: the signal at once.
    pub(super) sigterm_time: Option<f64>,
    /// The signal that ends it.
    pub(super) signal: Signal,
}

impl Default for Kill {
    fn default() -> Self {
        Self {
            sigterm_time: None,
            signal: Signal::KILL,
        }
    }
}

/// Runs a program and sends its output. Returns the exit status, −1 if the program was killed.
///
/// # Errors
/// The process cannot be killed.
pub(super) async fn run(spec: RunSpec, context: &mut Context) -> Result<i64, Failure> {
    let outlet = context.outlet.clone();
    let header = Header {
        command: &spec.command,
        workdir: &spec.workdir,
        timeout: spec.timeout,
        max_time: spec.max_time,
        logfiles: &spec.logfiles,
        environment: spec.log_environ.then_some(&spec.environment),
        stdin_bytes: spec.initial_stdin.as_ref().map(Bytes::len),
        use_pty: spec.use_pty,
    };
    outlet.header(header.text()).await;
    let followed: Vec<_> = spec
        .logfiles
        .iter()
        .map(|file| Followed::new(&context.settings.host, &spec.workdir, file))
        .collect();
    let started = Instant::now();
    let rc = match start(&spec, &context.settings) {
        Ok(program) => supervise(program, followed, &spec, context).await?,
        Err(error) => {
            // The message is like a shell's; the status is that of Buildbot's slaves.
            let text = format!(
                "cannot run {}: {}\n",
                String::from_utf8_lossy(&shown_argv(&spec.command)),
                strerror(&error)
            );
            outlet.say(Update::Stderr(Bytes::from(text))).await;
            1
        }
    };
    if spec.says_rc {
        outlet.say(Update::Rc(rc)).await;
    }
    let elapsed = started.elapsed().as_secs_f64();
    outlet.header(format!("elapsedTime={elapsed:.6}\n")).await;
    Ok(rc)
}

/// The signal of a name without `SIG`.
pub(super) fn signal(name: &str) -> Option<Signal> {
    let (_, signal) = SIGNALS.iter().find(|(known, _)| *known == name)?;
    Some(*signal)
}

/// The words to execute.
fn words(command: &ShellCommand<Bytes>) -> Vec<OsString> {
    match command {
        ShellCommand::Line(line) => platform::shell_words(os(line)),
        ShellCommand::Words(words) => words.iter().map(|word| os(word.real())).collect(),
    }
}

fn start(spec: &RunSpec, settings: &Settings) -> io::Result<Started> {
    let program = Program {
        words: words(&spec.command),
        directory: Some(spec.workdir.clone()),
        environment: Some(spec.environment.clone()),
        ..Program::default()
    };
    let console = if spec.use_pty {
        Console::Terminal {
            helper: &settings.pty_helper,
        }
    } else {
        Console::Pipes {
            has_input: spec.initial_stdin.is_some(),
        }
    };
    settings.host.start(program, console)
}

/// The stages of stopping a program.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Running,
    /// The program got SIGTERM; the kill signal follows at this time.
    Asked(Instant),
    /// The program got its last signal; it is given up at this time.
    Killed(Instant),
}

/// The events of a running program.
enum Event {
    Exited(ExitStatus),
    /// The program is told to stop.
    End(Why),
    /// The deadline has passed.
    Late,
    /// The followed files are due.
    Look,
    /// The output is closed.
    Quiet,
    /// The input is written.
    Fed,
}

/// Waits for the end of a program, and stops the program if necessary.
async fn supervise(
    mut running: Started,
    followed: Vec<Followed>,
    spec: &RunSpec,
    context: &mut Context,
) -> Result<i64, Failure> {
    let outlet = &context.outlet.clone();
    let activity = Activity::new(spec.max_lines);
    let (out, err) = (running.stdout.take(), running.stderr.take());
    let output = async {
        let stdout = spec.want_stdout.then_some(outlet);
        let stderr = spec.want_stderr.then_some(outlet);
        in_turn(
            activity.pump(out, stdout, Update::Stdout),
            activity.pump(err, stderr, Update::Stderr),
        )
        .await;
    };
    let input = feed(running.stdin.take(), spec.initial_stdin.clone());
    tokio::pin!(output, input);
    let (mut output_open, mut input_open) = (true, true);
    let mut look = tokio::time::interval(FOLLOW_INTERVAL);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch {
        process: running.process,
        followed,
        status: None,
        stage: Stage::Running,
        late_at: spec.max_time.map(|s| Instant::now() + duration(s)),
        spec,
        activity: &activity,
        outlet,
    };
    while watch.status.is_none() || output_open {
        let deadline = watch.deadline();
        let timer = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let is_running = watch.stage == Stage::Running;
        let event = tokio::select! {
            // Stops come first, so that a program cannot outrun them by constant output.
            biased;
            stop = context.stop.wait(), if is_running => Event::End(match stop {
                Stop::Interrupted => Why::Interrupted,
                Stop::Abandoned => Why::Abandoned,
            }),
            () = activity.flooded(), if is_running => Event::End(Why::Lines),
            () = timer => Event::Late,
            ended = watch.process.wait(), if watch.status.is_none() => {
                Event::Exited(ended.unwrap_or_default())
            }
            _ = look.tick(), if !watch.followed.is_empty() => Event::Look,
            () = &mut input, if input_open => Event::Fed,
            () = &mut output, if output_open => Event::Quiet,
        };
        match event {
            Event::Exited(status) => watch.on_exit(status),
            Event::End(why) => watch.end(why).await,
            Event::Late => match watch.on_deadline().await {
                Late::GoesOn => {}
                Late::Over => break,
                Late::GivenUp => return Err(give_up(spec, &*watch.process, outlet).await),
            },
            Event::Look => watch.look().await,
            Event::Fed => input_open = false,
            Event::Quiet => output_open = false,
        }
    }
    Ok(watch.finish().await)
}

/// A running program.
struct Watch<'a> {
    process: Box<dyn Running>,
    followed: Vec<Followed>,
    status: Option<ExitStatus>,
    stage: Stage,
    /// The time at which `max_time` is over.
    late_at: Option<Instant>,
    spec: &'a RunSpec,
    activity: &'a Activity,
    outlet: &'a Outlet,
}

/// What to do after a deadline.
enum Late {
    GoesOn,
    /// Wait no longer.
    Over,
    /// The process cannot be killed.
    GivenUp,
}

impl Watch<'_> {
    fn silent_at(&self) -> Option<Instant> {
        let patience = self.spec.timeout.map(duration);
        patience.map(|patience| self.activity.silent_at(patience))
    }

    /// The next deadline.
    fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Running => [self.silent_at(), self.late_at].into_iter().flatten().min(),
            Stage::Asked(at) | Stage::Killed(at) => Some(at),
        }
    }

    fn on_exit(&mut self, status: ExitStatus) {
        self.status = Some(status);
        if let Stage::Killed(at) = self.stage {
            // Only killed processes can have left output in the pipes; do not wait for others.
            self.stage = Stage::Killed(at.min(Instant::now() + DRAIN));
        }
    }

    async fn on_deadline(&mut self) -> Late {
        match self.stage {
            Stage::Running => {
                // There may have been output just before the deadline.
                let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
                match (is_over(self.late_at), is_over(self.silent_at())) {
                    (true, _) => self.end(Why::Time).await,
                    (false, true) => self.end(Why::Silence).await,
                    (false, false) => {}
                }
                Late::GoesOn
            }
            Stage::Asked(_) => {
                self.kill();
                Late::GoesOn
            }
            Stage::Killed(_) if self.status.is_some() => Late::Over,
            Stage::Killed(_) => Late::GivenUp,
        }
    }

    /// Stops the program, and sends the reason.
    async fn end(&mut self, why: Why) {
        match self.spec.kill.sigterm_time {
            Some(seconds) => {
                self.process.signal(Signal::TERM);
                self.stage = Stage::Asked(Instant::now() + duration(seconds));
            }
            None => self.kill(),
        }
        why.say(self.spec, self.activity, self.outlet).await;
    }

    fn kill(&mut self) {
        self.process.signal(self.spec.kill.signal);
        self.stage = Stage::Killed(Instant::now() + GIVE_UP);
    }

    /// Sends the growth of the followed files.
    async fn look(&mut self) {
        for file in &mut self.followed {
            if file.poll(self.outlet).await {
                self.activity.note();
            }
        }
    }

    /// The exit status of the program, −1 if it was killed.
    async fn finish(mut self) -> i64 {
        self.look().await;
        let status = self.status.unwrap_or_default();
        if let Some(number) = platform::signal_of(status) {
            let text = format!("process killed by signal {number}\n");
            self.outlet.header(text).await;
            return -1;
        }
        let code = status.code().map_or(-1, i64::from);
        // An interrupted program has not succeeded, whatever its exit code.
        let was_killed = self.stage != Stage::Running;
        if was_killed && code == 0 { -1 } else { code }
    }
}

/// Why a program is killed.
#[derive(Clone, Copy, Debug)]
enum Why {
    Interrupted,
    Abandoned,
    Silence,
    Time,
    Lines,
}

impl Why {
    async fn say(self, spec: &RunSpec, activity: &Activity, outlet: &Outlet) {
        let argv = shown_argv(&spec.command);
        let argv = String::from_utf8_lossy(&argv);
        let (reason, text) = match self {
            Self::Interrupted | Self::Abandoned => (None, "command interrupted".to_owned()),
            Self::Silence => {
                let seconds = spec.timeout.unwrap_or_default();
                let what = format!("{seconds} seconds without output running {argv}");
                (
                    Some("timeout_without_output"),
                    format!("command timed out: {what}"),
                )
            }
            Self::Time => {
                let seconds = spec.max_time.unwrap_or_default();
                let what = format!("{seconds} seconds elapsed running {argv}");
                (Some("timeout"), format!("command timed out: {what}"))
            }
            Self::Lines => {
                let (lines, max) = (activity.lines(), spec.max_lines.unwrap_or_default());
                let what = format!("{lines}/{max} written/allowed running {argv}");
                (
                    Some("max_lines_failure"),
                    format!("command exceeds max lines: {what}"),
                )
            }
        };
        if let Some(reason) = reason {
            outlet.say(Update::FailureReason(reason.to_owned())).await;
        }
        outlet
            .header(format!("\n{text}, attempting to kill\n"))
            .await;
    }
}

/// Reports a process that survived its last signal. Its leader is left to the system.
async fn give_up(spec: &RunSpec, process: &dyn Running, outlet: &Outlet) -> Failure {
    // Nothing is left running on purpose, even if another signal was configured.
    process.signal(Signal::KILL);
    let name = SIGNALS
        .iter()
        .find(|(_, signal)| *signal == spec.kill.signal)
        .map_or("KILL", |(name, _)| name);
    let text = format!("SIG{name} failed to kill process");
    outlet.header(format!("{text}\n")).await;
    if spec.says_rc {
        outlet.header("using fake rc=-1\n").await;
        outlet.say(Update::Rc(-1)).await;
    }
    Failure::new(RUNTIME_ERROR, text)
}

/// Writes the input of a program and closes it. A program may ignore its input.
async fn feed(stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>, input: Option<Bytes>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        stdin.write_all(&input).await.ok();
    }
}

/// Interval at which followed files are read.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(2);
/// How long a process may survive its last signal.
const GIVE_UP: Duration = Duration::from_secs(5);
/// How long output is read after a process was killed, if someone else holds it open.
const DRAIN: Duration = Duration::from_secs(1);

/// The useful signals, by name.
const SIGNALS: &[(&str, Signal)] = &[
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ABRT", Signal::ABORT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
];
