//! One program, from its start to the end of its process group.
//!
//! ```text
//! running ──exit and end of output──▶ over
//!    │ interrupt, no output for too long, too long, too many lines, nobody listens any more
//!    ▼
//! asked (SIGTERM, if a time for it is set) ──that time──▶ killed ──5 s──▶ given up
//! ```
//!
//! Invariants: the program leads a process group (on a pseudo terminal a session), and signals go
//! to the group; a command is over when its leader has ended and its output is closed; after a
//! kill, output that a process outside the group holds open is not waited for. Output is read only
//! as fast as it can be handed on, and that time does not count as silence.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::args::RUNTIME_ERROR;
use super::follow::Followed;
use super::header::{Header, shown_argv};
use super::outlet::Outlet;
use super::shell::{LogFileArg, Program, duration};
use super::{Context, Stop, files};
use crate::buildslave::{Environment, pty};
use crate::pb::Failure;
use crate::protocol::Update;

/// What to run and how.
#[derive(Debug)]
pub(super) struct RunSpec {
    pub(super) program: Program,
    pub(super) workdir: PathBuf,
    pub(super) environment: Environment,
    pub(super) initial_stdin: Option<Bytes>,
    pub(super) want_stdout: bool,
    pub(super) want_stderr: bool,
    pub(super) logfiles: Vec<LogFileArg>,
    pub(super) timeout: Option<f64>,
    pub(super) max_time: Option<f64>,
    pub(super) max_lines: Option<u64>,
    pub(super) kill: Kill,
    pub(super) use_pty: bool,
    pub(super) log_environ: bool,
    /// Whether the exit status is told; part of a larger command otherwise.
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

/// Runs a program and says what it does. Its exit status, −1 when it was killed.
///
/// # Errors
/// The process does not die.
pub(super) async fn run(spec: RunSpec, context: &mut Context) -> Result<i64, Failure> {
    let outlet = context.outlet.clone();
    let header = Header {
        program: &spec.program,
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
        .map(|file| Followed::new(&spec.workdir, file))
        .collect();
    let started = Instant::now();
    let rc = match start(&spec, &context.settings.pty_helper) {
        Ok(program) => supervise(program, followed, &spec, context).await?,
        Err(error) => {
            // As a shell would, and with the status that Buildbot's slaves give.
            let text = format!(
                "cannot run {}: {}\n",
                String::from_utf8_lossy(&shown_argv(&spec.program)),
                files::strerror(&error)
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

/// A program that was started, with our ends of its pipes or of its terminal.
struct Running {
    child: Child,
    /// The leader's process, which is also the number of its group.
    group: Option<Pid>,
    stdin: Option<ChildStdin>,
    stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

fn start(spec: &RunSpec, pty_helper: &std::path::Path) -> io::Result<Running> {
    let argv = spec.program.argv();
    let (program, args) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut terminal = None;
    let mut command;
    if spec.use_pty {
        let (ours, theirs) = pty::open()?;
        command = Command::new(pty_helper);
        command
            .args(pty::helper_args(&argv))
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs.try_clone()?))
            .stderr(Stdio::from(theirs));
        terminal = Some(tokio::net::unix::pipe::Receiver::from_file_unchecked(ours)?);
    } else {
        command = Command::new(program);
        let stdin = if spec.initial_stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        command
            .args(args)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
    }
    let mut child = command
        .env_clear()
        .envs(&spec.environment)
        .current_dir(&spec.workdir)
        .spawn()?;
    // It holds the terminal's other end, which only the command must.
    drop(command);
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<_>);
    Ok(Running {
        group: pid.and_then(Pid::from_raw),
        stdin: child.stdin.take(),
        stdout: stdout.or_else(|| terminal.map(|tty| Box::new(tty) as Box<_>)),
        stderr: child.stderr.take().map(|pipe| Box::new(pipe) as Box<_>),
        child,
    })
}

/// What the program's output is doing, for the timers.
#[derive(Debug)]
struct Activity {
    state: Mutex<ActivityState>,
    /// Told when there were too many lines.
    flooded: Notify,
    max_lines: Option<u64>,
}

#[derive(Debug)]
struct ActivityState {
    /// When something was written last.
    last: Instant,
    /// How many readers wait for the master to take what was written.
    blocked: usize,
    lines: u64,
}

impl Activity {
    fn note(&self, change: impl FnOnce(&mut ActivityState)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last = Instant::now();
        change(&mut state);
    }

    /// When the program will have been silent for `patience`.
    fn silent_at(&self, patience: Duration) -> Instant {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let last = if state.blocked > 0 {
            Instant::now()
        } else {
            state.last
        };
        last + patience
    }

    fn lines(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines
    }

    /// Hands on what a pipe gives, until its end.
    async fn pump(
        &self,
        pipe: Option<Box<dyn AsyncRead + Send + Unpin>>,
        outlet: Option<&Outlet>,
        update: fn(Bytes) -> Update,
    ) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE);
            // A terminal that nobody has open any more gives an error in place of the end.
            match pipe.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let piece = buffer.split().freeze();
            let lines = self.max_lines.map_or(0, |_| line_ends(&piece));
            self.note(|state| {
                state.blocked += 1;
                state.lines += lines;
            });
            if self.max_lines.is_some_and(|max| self.lines() > max) {
                self.flooded.notify_one();
            }
            if let Some(outlet) = outlet {
                outlet.say(update(piece)).await;
            }
            self.note(|state| state.blocked -= 1);
        }
    }
}

/// How far a program that is to end has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Running,
    /// It got SIGTERM; at this time it gets the harder signal.
    Asked(Instant),
    /// It got its last signal; at this time it is given up.
    Killed(Instant),
}

/// Waits for the end of a program, or brings it about.
async fn supervise(
    mut running: Running,
    mut followed: Vec<Followed>,
    spec: &RunSpec,
    context: &mut Context,
) -> Result<i64, Failure> {
    let outlet = &context.outlet.clone();
    let activity = Activity {
        state: Mutex::new(ActivityState {
            last: Instant::now(),
            blocked: 0,
            lines: 0,
        }),
        flooded: Notify::new(),
        max_lines: spec.max_lines,
    };
    let stdout = spec.want_stdout.then_some(outlet);
    let stderr = spec.want_stderr.then_some(outlet);
    let (out, err) = (running.stdout.take(), running.stderr.take());
    let output = async {
        tokio::join!(
            activity.pump(out, stdout, Update::Stdout),
            activity.pump(err, stderr, Update::Stderr),
        );
    };
    let input = feed(running.stdin.take(), spec.initial_stdin.clone());
    tokio::pin!(output, input);
    let (mut output_open, mut input_open) = (true, true);
    let mut status: Option<ExitStatus> = None;
    let mut stage = Stage::Running;
    let max_time = spec.max_time.map(|s| Instant::now() + duration(s));
    let mut watch = tokio::time::interval(FOLLOW_INTERVAL);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);

    while status.is_none() || output_open {
        let silent = spec.timeout.map(|s| activity.silent_at(duration(s)));
        let deadline = match stage {
            Stage::Running => [silent, max_time].into_iter().flatten().min(),
            Stage::Asked(at) | Stage::Killed(at) => Some(at),
        };
        let timer = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            biased;
            () = &mut output, if output_open => { output_open = false; continue }
            () = &mut input, if input_open => { input_open = false; continue }
            ended = running.child.wait(), if status.is_none() => {
                status = Some(ended.unwrap_or_default());
                if let Stage::Killed(at) = stage {
                    // What is still in the pipes is theirs who were killed; nobody else is waited for.
                    stage = Stage::Killed(at.min(Instant::now() + DRAIN));
                }
                continue
            }
            _ = watch.tick(), if !followed.is_empty() => {
                for file in &mut followed {
                    if file.poll(outlet).await {
                        activity.note(|_| ());
                    }
                }
                continue
            }
            stop = context.stop.wait(), if stage == Stage::Running => match stop {
                Stop::Interrupted => Why::Interrupted,
                Stop::Abandoned => Why::Abandoned,
            },
            () = activity.flooded.notified(), if stage == Stage::Running => Why::Lines,
            () = timer => match stage {
                Stage::Running => {
                    // Something may have been written just when the time was over.
                    let silent = spec.timeout.map(|s| activity.silent_at(duration(s)));
                    let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
                    match (is_over(max_time), is_over(silent)) {
                        (true, _) => Why::Time,
                        (false, true) => Why::Silence,
                        (false, false) => continue,
                    }
                }
                Stage::Asked(_) => {
                    send(spec.kill.signal, running.group, status.is_none());
                    stage = Stage::Killed(Instant::now() + GIVE_UP);
                    continue
                }
                Stage::Killed(_) if status.is_some() => break,
                Stage::Killed(_) => return Err(give_up(spec, running.group, outlet).await),
            },
        };
        stage = match spec.kill.sigterm_time {
            Some(seconds) => {
                send(Signal::TERM, running.group, status.is_none());
                Stage::Asked(Instant::now() + duration(seconds))
            }
            None => {
                send(spec.kill.signal, running.group, status.is_none());
                Stage::Killed(Instant::now() + GIVE_UP)
            }
        };
        why.say(spec, &activity, outlet).await;
    }
    for file in &mut followed {
        file.poll(outlet).await;
    }
    let status = status.unwrap_or_default();
    if let Some(number) = status.signal() {
        outlet
            .header(format!("process killed by signal {number}\n"))
            .await;
        return Ok(-1);
    }
    let code = status.code().map_or(-1, i64::from);
    // A program that was told to end has not succeeded, whatever it says.
    let was_killed = stage != Stage::Running;
    Ok(if was_killed && code == 0 { -1 } else { code })
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
        let argv = shown_argv(&spec.program);
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

/// The process outlived its last signal: says so. Its leader is left to the system.
async fn give_up(spec: &RunSpec, group: Option<Pid>, outlet: &Outlet) -> Failure {
    // Whatever the wanted signal was, nothing is left running on purpose.
    send(Signal::KILL, group, true);
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

/// Signals the group of a program, or its leader when it has no group yet.
fn send(signal: Signal, group: Option<Pid>, leader_lives: bool) {
    let Some(pid) = group else { return };
    let sent = rustix::process::kill_process_group(pid, signal);
    if sent.is_err() && leader_lives {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Writes the input of a program and closes it; a program that does not read it is no error.
async fn feed(stdin: Option<ChildStdin>, input: Option<Bytes>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        stdin.write_all(&input).await.ok();
    }
}

/// Ends of lines: LF, and CR, which progress bars use; CR LF counts once where it is not cut.
fn line_ends(piece: &[u8]) -> u64 {
    let crs = piece.iter().filter(|b| **b == b'\r').count();
    let lfs = piece.iter().filter(|b| **b == b'\n').count();
    let pairs = piece.windows(2).filter(|w| w == b"\r\n").count();
    u64::try_from(crs + lfs - pairs).unwrap_or(u64::MAX)
}

/// Bytes read from a pipe at a time.
const PIECE: usize = 64 * 1024;
/// How often followed files are looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(2);
/// How long a process may outlive its last signal.
const GIVE_UP: Duration = Duration::from_secs(5);
/// How long output is read after a process was killed, if someone else holds it open.
const DRAIN: Duration = Duration::from_secs(1);

/// The signals that have a use here, by name.
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
