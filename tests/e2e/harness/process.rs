//! Child processes: output captured line by line, ends observed, no process left behind.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long an event may take on a crowded machine before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A running program. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

/// What a program printed so far, standard output and standard error together.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Printed>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    lines: Vec<String>,
    /// Streams that are at their end; there are two.
    ended: usize,
}

impl Process {
    /// Starts a program without standard input; `name` is for messages.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}: {command:?}"));
        let output = Arc::new(Output::default());
        follow(child.stdout.take().unwrap(), &output);
        follow(child.stderr.take().unwrap(), &output);
        Self {
            name: name.to_owned(),
            child,
            output,
        }
    }

    /// Waits for a line that contains `text`, among those printed since the start, and returns it.
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut printed = self.output.lines.lock().unwrap();
        loop {
            if let Some(line) = printed.lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let hopeless = left.is_zero() || printed.ended == 2;
            assert!(
                !hopeless,
                "{}: no line with {text:?} in\n{}",
                self.name,
                tail(&printed.lines)
            );
            printed = self.output.more.wait_timeout(printed, left).unwrap().0;
        }
    }

    /// All that was printed so far.
    pub(crate) fn printed(&self) -> String {
        self.output.lines.lock().unwrap().lines.join("\n")
    }

    /// Sends a signal to this process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let child = &mut self.child;
        wait_until(&format!("the end of {}", self.name), || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Ends the process with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            // Poisoned if it was the wait for a line that failed.
            let printed = self.output.lines.lock();
            let printed = printed.unwrap_or_else(PoisonError::into_inner);
            if !printed.lines.is_empty() {
                eprintln!("--- {} printed\n{}", self.name, tail(&printed.lines));
            }
        }
    }
}

/// How a program ended that was run to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code, absent when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The bytes of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error.
    pub(crate) stderr: String,
    what: String,
}

impl Finished {
    /// Its standard output as text, after the check that it ended well.
    pub(crate) fn ok(self) -> String {
        String::from_utf8_lossy(&self.ok_bytes()).into_owned()
    }

    /// The bytes of its standard output, after the check that it ended well.
    pub(crate) fn ok_bytes(self) -> Vec<u8> {
        assert!(self.code == Some(0), "{self}");
        self.stdout
    }

    /// Its standard error, after the check that it ended with `code`.
    pub(crate) fn fails_with(self, code: i32) -> String {
        assert!(self.code == Some(code), "{self}");
        self.stderr
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ended with {:?}\n{}\n{}",
            self.what,
            self.code,
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        )
    }
}

/// Runs a program to its end, without standard input. Its output must end with it: a daemon that it
/// leaves behind must have let go of the streams.
pub(crate) fn run(command: &mut Command) -> Finished {
    let what = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let collected = stdout
        .recv_timeout(PATIENCE)
        .and_then(|out| Ok((out, stderr.recv_timeout(PATIENCE)?)));
    let Ok((stdout, stderr)) = collected else {
        drop(child.kill());
        panic!("{what} did not end in time");
    };
    Finished {
        code: child.wait().unwrap().code(),
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        what,
    }
}

/// Waits until `condition` holds. For events of other processes, which can only be asked for.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until `look` finds something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_until(what, || {
        found = look();
        found.is_some()
    });
    found.unwrap()
}

fn follow(stream: impl Read + Send + 'static, output: &Arc<Output>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            output.lines.lock().unwrap().lines.push(line);
            output.more.notify_all();
        }
        output.lines.lock().unwrap().ended += 1;
        output.more.notify_all();
    });
}

fn read_all(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A stream that breaks off has ended as well.
        drop(stream.read_to_end(&mut bytes));
        drop(done.send(bytes));
    });
    result
}

fn tail(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

const LINES_SHOWN: usize = 60;
