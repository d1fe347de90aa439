//! Runs a program until its end within limits.
//!
//! ```text
//! running ──exit──▶ ended ──end of its output, or drain──▶ over
//!    │ cancelled, out of time, too much output
//!    ▼
//! asked (SIGTERM, if there is a grace) ──grace──▶ killed ──exit──▶ ended
//! ```

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Output, Process, Program, Streams};
use crate::platform::{Signal, signal_of};

/// Limits on the run of a program.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Time limit for the program and its output; absent: no limit.
    pub time: Option<Duration>,
    /// Ends the program when cancelled.
    pub cancel: Option<CancellationToken>,
    /// Time between SIGTERM and SIGKILL when a limit ends the program; zero: kill at once.
    pub grace: Duration,
    /// How long to read output after the end of the program, if a background process keeps the
    /// output open; absent: until the output is closed.
    pub drain: Option<Duration>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Ended {
    /// How the program ended.
    pub how: How,
    /// Error while writing the standard input, if any.
    pub input_error: Option<io::Error>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// By itself, or by another process's signal.
    Exited(ExitStatus),
    /// [`Limits::cancel`] ended it.
    Cancelled,
    /// [`Limits::time`] had passed.
    OutOfTime,
    /// A sink rejected further output.
    TooMuchOutput,
}

impl How {
    /// Whether the program ended by itself with exit code 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        matches!(self, Self::Exited(status) if status.success())
    }
}

/// The text after the name of the program in a message.
impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => match (status.code(), signal_of(*status)) {
                (Some(code), _) => write!(f, "ended with exit code {code}"),
                (None, Some(signal)) => write!(f, "was killed by signal {signal}"),
                (None, None) => f.write_str("was killed"),
            },
            Self::Cancelled => f.write_str("was cancelled"),
            Self::OutOfTime => f.write_str("took too long"),
            Self::TooMuchOutput => f.write_str("wrote too much"),
        }
    }
}

/// Runs a program until its end. Writes `input`, if any, to its standard input, and its output to
/// the given destinations. Dropping the future drops the [`Process`].
///
/// # Errors
/// The program cannot be started, or the system cannot report its end.
pub async fn run(
    program: &Program,
    input: Option<&[u8]>,
    stdout: Output<'_>,
    stderr: Output<'_>,
    limits: Limits,
) -> io::Result<Ended> {
    let mut process = program.start(Streams {
        stdin: input.map_or_else(Stdio::null, |_| Stdio::piped()),
        stdout: stdout.stdio(),
        stderr: stderr.stdio(),
    })?;
    let out = read(process.take_stdout(), stdout);
    let err = read(process.take_stderr(), stderr);
    let output = async { tokio::try_join!(out, err).map(|_| ()) };
    let feed = feed(process.take_stdin(), input);
    tokio::pin!(output, feed);
    let mut input_error = None;
    let (mut output_open, mut input_open) = (true, true);
    let mut supervised = Supervised::new(&limits);
    let mut status = None;
    while status.is_none() || output_open {
        let deadline = supervised.deadline(status.is_some());
        tokio::select! {
            biased;
            // The limits come first, so that a program that writes without a pause cannot outrun
            // them.
            () = cancelled(&limits), if supervised.is_running() => {
                supervised.end(&process, How::Cancelled);
            }
            () = at(deadline) => {
                if supervised.on_deadline(&process, status.is_some()) {
                    break;
                }
            }
            ended = process.wait(), if status.is_none() => {
                status = Some(ended?);
                supervised.on_exit(&limits);
            }
            // A program that does not read its input may still succeed: the caller decides.
            fed = &mut feed, if input_open => {
                input_open = false;
                input_error = fed.err();
            }
            read = &mut output, if output_open => {
                output_open = false;
                if read.is_err() {
                    supervised.end(&process, How::TooMuchOutput);
                }
            }
        }
    }
    let exited = How::Exited(status.unwrap_or_default());
    Ok(Ended {
        how: supervised.ended_by.unwrap_or(exited),
        input_error,
    })
}

/// Tracks the end of a program.
#[derive(Debug)]
struct Supervised {
    /// The exceeded limit.
    ended_by: Option<How>,
    grace: Duration,
    /// End of the time limit.
    late_at: Option<Instant>,
    /// Time of SIGKILL after SIGTERM.
    kill_at: Option<Instant>,
    /// End of the wait for output after the program has ended.
    drained_at: Option<Instant>,
}

impl Supervised {
    fn new(limits: &Limits) -> Self {
        Self {
            ended_by: None,
            grace: limits.grace,
            late_at: limits.time.map(|time| Instant::now() + time),
            kill_at: None,
            drained_at: None,
        }
    }

    const fn is_running(&self) -> bool {
        self.ended_by.is_none()
    }

    /// The next deadline.
    fn deadline(&self, has_ended: bool) -> Option<Instant> {
        let late_at = self.late_at.filter(|_| self.is_running());
        let kill_at = self.kill_at.filter(|_| !has_ended);
        [late_at, kill_at, self.drained_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Ends the program because of a limit.
    fn end(&mut self, process: &Process, limit: How) {
        self.ended_by = Some(limit);
        if self.grace.is_zero() {
            process.signal(Signal::KILL);
        } else {
            process.signal(Signal::TERM);
            self.kill_at = Some(Instant::now() + self.grace);
        }
    }

    fn on_exit(&mut self, limits: &Limits) {
        // After our signal, do not wait for processes that left the group with the output open.
        let drain = match self.is_running() {
            true => limits.drain,
            false => Some(limits.drain.unwrap_or(DRAIN)),
        };
        self.drained_at = drain.map(|drain| Instant::now() + drain);
    }

    /// Whether the run is complete.
    fn on_deadline(&mut self, process: &Process, has_ended: bool) -> bool {
        let now = Instant::now();
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.drained_at) {
            return true;
        }
        if self.is_running() && is_over(self.late_at) {
            self.end(process, How::OutOfTime);
            // Only the output was late.
            return has_ended;
        }
        if is_over(self.kill_at) {
            self.kill_at = None;
            process.signal(Signal::KILL);
        }
        false
    }
}

impl Output<'_> {
    fn stdio(&self) -> Stdio {
        match self {
            Self::Inherited => Stdio::inherit(),
            Self::Discarded => Stdio::null(),
            Self::To(_) => Stdio::piped(),
        }
    }
}

/// A sink rejected further output.
struct Refused;

/// Passes a stream to its sink until the end of the stream. An error counts as the end.
async fn read(stream: Option<impl AsyncRead + Unpin>, output: Output<'_>) -> Result<(), Refused> {
    let (Some(mut stream), Output::To(sink)) = (stream, output) else {
        return Ok(());
    };
    let mut piece = vec![0; PIECE];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(amount) => {
                if !sink.take(piece.get(..amount).unwrap_or_default()) {
                    return Err(Refused);
                }
            }
        }
    }
}

/// Writes the input of a program and closes it.
async fn feed(stdin: Option<ChildStdin>, input: Option<&[u8]>) -> io::Result<()> {
    match (stdin, input) {
        (Some(mut stdin), Some(input)) => stdin.write_all(input).await,
        (Some(_) | None, _) => Ok(()),
    }
}

async fn cancelled(limits: &Limits) {
    match &limits.cancel {
        Some(cancel) => cancel.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Number of bytes to read at a time.
const PIECE: usize = 16 * 1024;
/// How long to read output after a limit ended the program.
const DRAIN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::process::{Beginning, Whole};

    fn shell(script: &str) -> Program {
        Program::new(["sh", "-c", script])
    }

    async fn run_shell(script: &str, limits: Limits) -> (How, String) {
        let mut out = Whole::up_to(1000);
        let program = shell(script);
        let (stdout, stderr) = (Output::To(&mut out), Output::Inherited);
        let ended = run(&program, None, stdout, stderr, limits).await.unwrap();
        (ended.how, String::from_utf8(out.bytes).unwrap())
    }

    fn exited(how: How) -> Option<i32> {
        match how {
            How::Exited(status) => status.code(),
            How::Cancelled | How::OutOfTime | How::TooMuchOutput => None,
        }
    }

    #[tokio::test]
    async fn a_program_is_fed_and_its_streams_are_kept_apart() {
        let (mut out, mut err) = (Whole::up_to(100), Beginning::up_to(2));
        let program = shell("cat; echo error >&2; exit 3");
        let ended = run(
            &program,
            Some(b"in"),
            Output::To(&mut out),
            Output::To(&mut err),
            Limits::default(),
        );
        let ended = ended.await.unwrap();
        assert_eq!(exited(ended.how), Some(3));
        assert!(ended.input_error.is_none());
        assert_eq!((out.bytes, err.bytes), (b"in".to_vec(), b"er".to_vec()));
    }

    #[tokio::test]
    async fn a_program_that_does_not_read_its_input_can_succeed() {
        let input = vec![b'x'; 1_000_000];
        let (stdout, stderr) = (Output::Discarded, Output::Discarded);
        let program = shell("exec 0<&-; exit 0");
        let ended = run(&program, Some(&input), stdout, stderr, Limits::default());
        let ended = ended.await.unwrap();
        assert_eq!(exited(ended.how), Some(0));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_its_group() {
        let limits = Limits {
            time: Some(Duration::from_millis(50)),
            ..Limits::default()
        };
        let (how, out) = run_shell("echo here; sleep 1000 & wait", limits).await;
        assert_eq!((how, out.as_str()), (How::OutOfTime, "here\n"));
    }

    #[tokio::test]
    async fn a_program_that_writes_too_much_is_ended() {
        let (how, out) = run_shell("yes", Limits::default()).await;
        assert_eq!(how, How::TooMuchOutput);
        assert!(out.len() <= 1000);
    }

    #[tokio::test]
    async fn a_cancelled_program_has_its_grace() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let limits = Limits {
            cancel: Some(cancel),
            grace: Duration::from_secs(600),
            ..Limits::default()
        };
        // It has the signal at the latest when it has set the trap.
        let script = "trap 'echo undone; exit' TERM; kill $$; while :; do sleep 0.01; done";
        let (how, _) = run_shell(script, limits).await;
        assert_eq!(how, How::Cancelled);
    }

    #[tokio::test]
    async fn a_program_that_ignores_its_grace_is_killed() {
        let limits = Limits {
            time: Some(Duration::from_millis(200)),
            grace: Duration::from_millis(20),
            ..Limits::default()
        };
        let script = "trap '' TERM; while :; do sleep 0.01; done";
        let (how, _) = run_shell(script, limits).await;
        assert_eq!(how, How::OutOfTime);
    }

    #[tokio::test]
    async fn output_that_runs_on_in_the_background_is_waited_for_as_long_as_is_said() {
        let limits = Limits {
            drain: Some(Duration::from_millis(50)),
            ..Limits::default()
        };
        let (how, out) = run_shell("echo up; sleep 5 & exit 0", limits).await;
        assert_eq!((exited(how), out.as_str()), (Some(0), "up\n"));
        let (how, out) = run_shell("(sleep 0.1; echo late) & exit 0", Limits::default()).await;
        assert_eq!((exited(how), out.as_str()), (Some(0), "late\n"));
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let program = Program::new(["/no/such/program"]);
        let (stdout, stderr) = (Output::Discarded, Output::Discarded);
        let error = run(&program, None, stdout, stderr, Limits::default()).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
