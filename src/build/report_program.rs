//! Programs of the master that read reports of tests (TST-05).
//!
//! A program gets the log on its standard input while the log grows, and writes a JSON object for
//! each test. It runs in a process group of its own, which is killed when the program exceeds a
//! limit or the step gives it up. The step does the waiting, never the core.

use std::process::Stdio;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::model::TestFormat;
use crate::process::{Beginning, How, Process, Program, Sink as _, Streams};
use crate::protocol::report::{Reading, Report};

/// How long a program may leave a piece of the log unread.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a program may run after the end of the log.
const WORK: Duration = Duration::from_secs(300);
/// A program writes at most this much, in bytes.
const MOST_OUTPUT: u64 = 64 << 20;
/// So much of standard error is kept for the note about a failure, in bytes.
const MOST_ERRORS: usize = 1024;
/// Bytes that are read at once.
const PIECE: usize = 16 << 10;

/// A program that reads a log.
#[derive(Debug)]
pub(super) struct ReportProgram {
    /// What it is called in notes.
    name: String,
    running: Option<Running>,
    reading: Reading,
    errors: Beginning,
    /// How much it has written.
    written: u64,
    /// Why its report is not complete.
    problem: Option<String>,
}

/// The process and its streams, each as long as it is open.
#[derive(Debug)]
struct Running {
    process: Process,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    out: BytesMut,
    err: BytesMut,
}

/// What a program does.
enum Happens {
    /// It has read this number of bytes; none if it does not read any more.
    Read(Option<usize>),
    Written,
    Complained,
}

impl ReportProgram {
    /// Starts the program. A program that cannot be started has an empty report that says so.
    pub(super) fn start(program: &Program) -> Self {
        let name = program.words.first();
        let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let started = program.start(Streams {
            stdin: Stdio::piped(),
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
        });
        let problem = started.as_ref().err();
        let problem = problem.map(|error| format!("cannot run {name}: {error} (see `tests`)"));
        let running = started.ok().map(|mut process| Running {
            stdin: process.take_stdin(),
            stdout: process.take_stdout(),
            stderr: process.take_stderr(),
            out: BytesMut::new(),
            err: BytesMut::new(),
            process,
        });
        Self {
            name,
            running,
            reading: Reading::new(TestFormat::Own),
            errors: Beginning::up_to(MOST_ERRORS),
            written: 0,
            problem,
        }
    }

    /// Gives it the next piece of the log, and reads what it writes meanwhile. The rest of the log
    /// is not given to a program that does not read any more.
    pub(super) async fn give(&mut self, data: &[u8]) {
        let is_open = |running: &Running| running.stdin.is_some();
        if !self.running.as_ref().is_some_and(is_open) {
            return;
        }
        if timeout(PATIENCE, self.pass(data)).await.is_err() {
            let seconds = PATIENCE.as_secs();
            self.give_up(&format!("has not read its input for {seconds} seconds"));
        }
    }

    /// What it has found, at the end of the log.
    pub(super) async fn finish(mut self) -> Report {
        match timeout(WORK, self.end()).await {
            Ok(Ok(how)) if !how.is_success() && self.problem.is_none() => {
                self.give_up(&how.to_string());
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.give_up(&format!("has ended unknown: {error}")),
            Err(_) => self.give_up(&format!("ran for {} seconds too long", WORK.as_secs())),
        }
        let mut report = self.reading.finish();
        if let Some(problem) = &self.problem {
            report.add_note(problem);
            report.is_complete = false;
        }
        report
    }

    async fn pass(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let Some(running) = &mut self.running else {
                return;
            };
            match running.step(data).await {
                Happens::Read(Some(size)) => data = data.get(size..).unwrap_or_default(),
                Happens::Read(None) => {
                    running.stdin = None;
                    return;
                }
                Happens::Written | Happens::Complained => self.take(),
            }
        }
    }

    /// Reads what it writes until its end.
    async fn end(&mut self) -> std::io::Result<How> {
        loop {
            let Some(running) = &mut self.running else {
                return Ok(How::Cancelled);
            };
            running.stdin = None;
            if running.stdout.is_none() && running.stderr.is_none() {
                return running.process.wait().await.map(How::Exited);
            }
            running.step(&[]).await;
            self.take();
        }
    }

    /// Takes what it has written.
    fn take(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        self.reading.feed(&running.out);
        self.errors.take(&running.err);
        self.written = self.written.saturating_add(running.out.len() as u64);
        running.out.clear();
        running.err.clear();
        if self.written > MOST_OUTPUT {
            self.give_up(&format!("has written more than {MOST_OUTPUT} bytes"));
        }
    }

    /// Kills it, and remembers why.
    fn give_up(&mut self, why: &str) {
        self.running = None;
        let errors = String::from_utf8_lossy(&self.errors.bytes);
        let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
        let colon = if last.is_some() { ": " } else { "" };
        let last = last.unwrap_or_default();
        let problem = format!("{} {why}{colon}{last}", self.name);
        self.problem.get_or_insert(problem);
    }
}

impl Running {
    /// Waits until it reads of `data`, or writes.
    async fn step(&mut self, data: &[u8]) -> Happens {
        let Self {
            stdin,
            stdout,
            stderr,
            out,
            err,
            ..
        } = self;
        tokio::select! {
            biased;
            () = read(stdout, out) => Happens::Written,
            () = read(stderr, err) => Happens::Complained,
            size = write(stdin, data) => Happens::Read(size),
        }
    }
}

/// Reads a piece. A stream that has ended is absent afterwards. Cancel-safe.
async fn read<S: AsyncRead + Unpin>(stream: &mut Option<S>, piece: &mut BytesMut) {
    let Some(open) = stream else {
        return std::future::pending().await;
    };
    piece.reserve(PIECE);
    if !matches!(open.read_buf(piece).await, Ok(size) if size > 0) {
        *stream = None;
    }
}

/// Writes some of `data`; nothing if the stream is closed. Cancel-safe.
async fn write(stream: &mut Option<ChildStdin>, data: &[u8]) -> Option<usize> {
    match stream {
        Some(open) => open.write(data).await.ok().filter(|size| *size > 0),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn report(script: &str, log: &[&str]) -> Report {
        let mut program = ReportProgram::start(&Program::new(["sh", "-c", script]));
        for piece in log {
            program.give(piece.as_bytes()).await;
        }
        program.finish().await
    }

    fn names(report: &Report) -> Vec<String> {
        report.tests.iter().map(|test| test.name.shown()).collect()
    }

    #[tokio::test]
    async fn tst_05_a_program_reads_the_log_and_tells_of_tests() {
        let script = "while read how name; do \
            echo \"{\\\"name\\\": \\\"$name\\\", \\\"outcome\\\": \\\"$how\\\"}\"; done; \
            echo '{\"complete\": true}'";
        let told = report(script, &["passed opens\nfai", "led closes\n"]).await;
        assert_eq!(names(&told), ["opens", "closes"]);
        assert!(
            told.is_complete && told.notes.is_empty(),
            "{:?}",
            told.notes
        );
        assert_eq!((told.counts.passed, told.counts.failed), (1, 1));
    }

    #[tokio::test]
    async fn tst_05_more_than_the_pipes_hold_goes_through_a_program() {
        let line = "{\"name\": \"t\", \"outcome\": \"passed\"}\n";
        let piece = line.repeat(10_000);
        let told = report("cat", &[&piece, &piece]).await;
        assert_eq!(told.counts.passed, 20_000);
    }

    #[tokio::test]
    async fn tst_05_a_program_that_fails_leaves_a_note_and_an_incomplete_report() {
        let one = "echo '{\"name\": \"t\", \"outcome\": \"passed\"}'";
        let ends = "echo '{\"complete\": true}'; echo oh >&2; echo no >&2; exit 3";
        let told = report(&format!("cat > /dev/null; {one}; {ends}"), &["x"]).await;
        assert_eq!(names(&told), ["t"]);
        assert!(!told.is_complete);
        assert_eq!(told.notes, ["sh ended with exit code 3: no"]);
        let mut missing = ReportProgram::start(&Program::new(["/no/such/program"]));
        missing.give(b"x").await;
        let told = missing.finish().await;
        assert!(told.notes[0].starts_with("cannot run /no/such/program: "));
    }

    #[tokio::test]
    async fn tst_05_a_program_need_not_read_its_log() {
        let script = "exec <&-; echo '{\"name\": \"t\", \"outcome\": \"passed\"}'";
        let told = report(script, &[&"x".repeat(1 << 20), "y"]).await;
        assert_eq!(names(&told), ["t"]);
    }

    #[tokio::test]
    async fn tst_05_a_program_that_writes_without_end_is_killed() {
        let told = report("exec cat /dev/zero", &["x"]).await;
        assert_eq!(
            told.notes.last().map(String::as_str),
            Some("sh has written more than 67108864 bytes")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn tst_05_a_program_that_takes_too_long_is_killed() {
        // Time passes by itself, since nothing else happens.
        let big = "x".repeat(1 << 20);
        let told = report("sleep 1000", &[&big]).await;
        assert_eq!(told.notes, ["sh has not read its input for 30 seconds"]);
        let told = report("sleep 1000", &[]).await;
        assert_eq!(told.notes, ["sh ran for 300 seconds too long"]);
    }
}
