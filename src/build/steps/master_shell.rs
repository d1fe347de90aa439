//! `MasterShellCommand`: a command on the machine of the master.
//!
//! Its output is read only as fast as the log takes it. A stop of the build, or the loss of the
//! slave, sends its signal; what does not end then is killed.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, sleep_until};

use super::shell::{Unrenderable, describe, put_in, put_in_env, put_in_words};
use crate::build::control::{FOREVER, Paused};
use crate::build::secrets::own_environment;
use crate::build::step::{Performed, StepRun};
use crate::build::steplogs::STDIO;
use crate::config::{CommandWords, MasterShellConfig};
use crate::logs::Channel;
use crate::model::{Results, StepCommand};
use crate::process::{Process, Program, Streams, pty};
use crate::protocol::{ShellCommand, Word};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// How long output is read after the end, if a process in the background keeps it open.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &MasterShellConfig,
) -> Performed {
    let job = match prepare(step, config) {
        Ok(job) => job,
        Err(problem) => return Performed::Raised(format!("step '{}': {problem}\n", step.name)),
    };
    step.begin(job.doing, job.done, &[STDIO]).await;
    step.logs.note(job.header).await;
    step.note_command(job.command);
    let (process, streams) = match start(job.program, config.use_pty) {
        Ok(started) => started,
        Err(error) => {
            step.logs.note(format!("it cannot run: {error}\n")).await;
            step.text = Some(vec!["failed".to_owned(), "(cannot run)".to_owned()]);
            return ended(Results::Failure);
        }
    };
    let mut running = Running {
        process,
        signal: signal_of(&config.interrupt_signal),
        out_of_time: false,
        is_lost: false,
        late_at: config.max_time.map(|time| Instant::now() + time),
        kill_at: None,
    };
    let status = running.run(step, streams).await;
    for ((log, channel), data) in step.logs.rest() {
        step.logs.store(channel, &log, data).await;
    }
    if running.is_lost {
        return Performed::SlaveLost;
    }
    let (note, words) = match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => {
                step.logs.note("exit status 0\n".to_owned()).await;
                return ended(Results::Success);
            }
            (Some(code), _) => (format!("exit status {code}"), format!("failed ({code})")),
            (None, signal) => {
                let signal = signal.unwrap_or_default();
                (format!("signal {signal}"), format!("killed ({signal})"))
            }
        },
        Err(error) => return Performed::Raised(format!("{error}\n")),
    };
    step.logs.note(format!("{note}\n")).await;
    let mut text = vec![words];
    if running.out_of_time {
        text.push("(timed out)".to_owned());
    }
    step.text = Some(text);
    ended(Results::Failure)
}

/// A stream of output.
type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// Starts the command. Returns also its standard output and error; a terminal is both.
fn start(program: Program, use_pty: bool) -> std::io::Result<(Process, [Option<Stream>; 2])> {
    if use_pty {
        let (process, terminal) = pty::start(program, &pty::this_program())?;
        return Ok((process, [Some(Box::new(terminal)), None]));
    }
    let mut process = program.start(Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::piped(),
    })?;
    let out = process.take_stdout().map(|pipe| Box::new(pipe) as Stream);
    let err = process.take_stderr().map(|pipe| Box::new(pipe) as Stream);
    Ok((process, [out, err]))
}

fn ended(result: Results) -> Performed {
    Performed::Ended {
        result,
        detail: Vec::new(),
    }
}

/// What is to be run.
struct Job {
    program: Program,
    header: String,
    command: StepCommand,
    doing: Vec<String>,
    done: Vec<String>,
}

fn prepare(step: &StepRun<'_>, config: &MasterShellConfig) -> Result<Job, Unrenderable> {
    let values = step.values();
    let (words, command) = match &config.command {
        CommandWords::Line(line) => {
            let line = put_in(line, values, "command")?;
            let words = ["/bin/sh", "-c", line.as_str()].map(OsString::from);
            (words.to_vec(), ShellCommand::Line(line))
        }
        CommandWords::Words(words) => {
            let words = put_in_words(words, values)?;
            let real = words.iter().map(|word| match word {
                Word::Plain(real) | Word::Obfuscated { real, .. } => OsString::from(real),
            });
            (real.collect(), ShellCommand::Words(words))
        }
    };
    let path = match &config.path {
        Some(path) => Some(PathBuf::from(put_in(path, values, "path")?)),
        None => None,
    };
    let mut environment = own_environment(&step.around.plan.builder);
    let mut shown_env = String::new();
    for (name, value) in put_in_env(&config.env, values, |_| true)? {
        let Some(value) = value else {
            environment.remove(&OsString::from(name));
            continue;
        };
        let value = with_variables(&value, |name| std::env::var(name).ok());
        shown_env.push_str(&format!("  {name}={value}\n"));
        environment.insert(name.into(), value.into());
    }
    let shown = command.shown();
    let place = path.as_ref().map_or_else(
        || "the master's directory".to_owned(),
        |path| path.display().to_string(),
    );
    let mut header = format!("{shown}\n on the machine of the master, in {place}\n");
    if !shown_env.is_empty() {
        header.push_str(&format!(" with these variables:\n{shown_env}"));
    }
    Ok(Job {
        program: Program {
            directory: path,
            environment: Some(environment),
            ..Program::new(words)
        },
        header,
        command: StepCommand {
            command: shown,
            workdir: place,
            max_time: config.max_time.map(|time| time.as_secs_f64()),
            ..StepCommand::default()
        },
        doing: describe(step.config, &command, false, values)?,
        done: describe(step.config, &command, true, values)?,
    })
}

/// `text` with the values of `${NAME}`; nothing for variables that are not there.
fn with_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match after.split_once('}') {
            Some((name, after)) if name.chars().all(is_of_name) => {
                out.push_str(&value(name).unwrap_or_default());
                rest = after;
            }
            Some(_) | None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A command that runs.
struct Running {
    process: Process,
    signal: Signal,
    out_of_time: bool,
    is_lost: bool,
    late_at: Option<Instant>,
    kill_at: Option<Instant>,
}

/// What happens to a command that runs.
enum Happens {
    Disturbed(Paused),
    Deadline,
    Output(Channel, std::io::Result<usize>),
    Exited(std::io::Result<ExitStatus>),
}

impl Running {
    /// Reads its output until it ends.
    async fn run(
        &mut self,
        step: &mut StepRun<'_>,
        [mut out, mut err]: [Option<Stream>; 2],
    ) -> std::io::Result<ExitStatus> {
        let (mut of_out, mut of_err) = (BytesMut::new(), BytesMut::new());
        let mut status = None;
        let mut drained_at = None;
        let mut is_disturbed = false;
        while status.is_none() || out.is_some() || err.is_some() {
            let deadlines = [self.late_at, self.kill_at, drained_at];
            let deadline = deadlines.into_iter().flatten().min();
            let happens = tokio::select! {
                biased;
                what = step.controls.pause(FOREVER), if !is_disturbed && status.is_none() => {
                    Happens::Disturbed(what)
                }
                () = at(deadline) => Happens::Deadline,
                read = read(&mut out, &mut of_out) => Happens::Output(Channel::Stdout, read),
                read = read(&mut err, &mut of_err) => Happens::Output(Channel::Stderr, read),
                ended = self.process.wait(), if status.is_none() => Happens::Exited(ended),
            };
            match happens {
                Happens::Disturbed(what) => {
                    is_disturbed = true;
                    self.disturb(step, what);
                }
                Happens::Deadline if status.is_some() => break,
                Happens::Deadline => self.on_deadline(step),
                Happens::Output(channel, Ok(size)) if size > 0 => {
                    let buffer = match channel {
                        Channel::Stdout => &mut of_out,
                        Channel::Stderr | Channel::Header => &mut of_err,
                    };
                    let data = buffer.split().freeze();
                    step.logs.put((STDIO, channel), data).await;
                }
                Happens::Output(Channel::Stdout, _) => out = None,
                Happens::Output(Channel::Stderr | Channel::Header, _) => err = None,
                Happens::Exited(ended) => {
                    status = Some(ended?);
                    drained_at = Some(Instant::now() + DRAIN);
                    (self.late_at, self.kill_at) = (None, None);
                }
            }
        }
        Ok(status.unwrap_or_default())
    }

    /// A stop of the build, or the loss of its slave.
    fn disturb(&mut self, step: &mut StepRun<'_>, what: Paused) {
        match what {
            Paused::Over => return,
            Paused::Stopped(reason) => step.interrupted = Some(reason),
            Paused::SlaveLost => self.is_lost = true,
        }
        self.process.signal(self.signal);
        self.kill_at = Some(Instant::now() + step.around.plan.interrupt_grace);
    }

    /// It is out of time, or does not heed its signal.
    fn on_deadline(&mut self, step: &StepRun<'_>) {
        let now = Instant::now();
        if self.kill_at.is_some_and(|at| at <= now) {
            self.process.signal(Signal::KILL);
            self.kill_at = None;
        }
        if self.late_at.is_some_and(|at| at <= now) {
            self.out_of_time = true;
            self.late_at = None;
            self.process.signal(self.signal);
            self.kill_at = Some(now + step.around.plan.interrupt_grace);
        }
    }
}

/// Waits until there is output. Cancel-safe.
async fn read(stream: &mut Option<Stream>, buffer: &mut BytesMut) -> std::io::Result<usize> {
    match stream {
        Some(stream) => {
            buffer.reserve(PIECE);
            stream.read_buf(buffer).await
        }
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The signal of this name, which the configuration has checked.
fn signal_of(name: &str) -> Signal {
    match name {
        "ABRT" => Signal::ABORT,
        "ALRM" => Signal::ALARM,
        "CONT" => Signal::CONT,
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "PIPE" => Signal::PIPE,
        "QUIT" => Signal::QUIT,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        "TSTP" => Signal::TSTP,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        _ => Signal::KILL,
    }
}

#[cfg(test)]
mod tests;
