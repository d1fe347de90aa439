//! Our master, as an operator handles it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use chrono::DateTime;
use rustix::process::Signal;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::process::wait_for;
use super::setup::CHANGE_AUTH;
use super::{Finished, Process, Sandbox, Setup, free_port, run, wait_until};

/// A master in a base directory of its own, running or not. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Master<'a> {
    sandbox: &'a Sandbox,
    dir: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// A build, as `show build --json` prints it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Build {
    pub(crate) builder: String,
    pub(crate) number: u64,
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) slave: Option<String>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
    #[serde(default)]
    changes: Vec<serde_json::Value>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

/// A step of a build.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) result: Option<String>,
    #[serde(default)]
    pub(crate) text: Vec<String>,
    #[serde(default)]
    pub(super) logs: Vec<StepLog>,
}

/// A log of a step.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct StepLog {
    pub(super) name: String,
}

impl Step {
    /// What became of it, as a real master of 0.8 tells: name, result, text and names of logs
    /// beside `stdio`, which every step has here that a slave says something of.
    fn told(&self) -> String {
        let result = self.result.as_deref().unwrap_or_default();
        let logs = self.logs.iter().filter(|log| log.name != "stdio");
        let mut logs: Vec<_> = logs.map(|log| format!("'{}'", log.name)).collect();
        logs.sort();
        let (text, logs) = (self.text.join("|"), logs.join(", "));
        format!("{} {result} {text} [{logs}]", self.name)
    }
}

/// A slave, as `show slaves --json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownSlave {
    pub(crate) name: String,
    pub(crate) connected: bool,
}

/// A change, as `show changes --json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownChange {
    pub(crate) number: u64,
    pub(crate) who: String,
    #[serde(default)]
    pub(crate) branch: Option<String>,
    #[serde(default)]
    pub(crate) revision: Option<String>,
    #[serde(default)]
    pub(crate) comments: Option<String>,
    #[serde(default)]
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) repository: String,
    #[serde(default)]
    pub(crate) codebase: String,
    #[serde(default)]
    pub(crate) project: String,
    #[serde(default, deserialize_with = "optional_time")]
    pub(crate) made_at: Option<f64>,
}

/// A time of `--json`, in seconds since 1970.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let text = String::deserialize(from)?;
    let time = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
    Ok(Duration::from_millis(time.timestamp_millis().unsigned_abs()).as_secs_f64())
}

/// A time of `--json` that may be null.
pub(crate) fn optional_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "time")] f64);
    Ok(Option::<Time>::deserialize(from)?.map(|Time(seconds)| seconds))
}

/// A request, as `show requests --json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ShownRequest {
    pub(crate) state: String,
}

impl ShownRequest {
    /// Whether it needs nothing more.
    pub(crate) fn is_over(&self) -> bool {
        !["pending", "starting", "building"].contains(&self.state.as_str())
    }
}

impl Build {
    /// The numbers of its changes.
    pub(crate) fn changes(&self) -> Vec<u64> {
        let number = |change: &serde_json::Value| {
            change
                .as_u64()
                .unwrap_or_else(|| change["number"].as_u64().unwrap())
        };
        self.changes.iter().map(number).collect()
    }

    /// What became of its steps, as a real master of 0.8 tells.
    pub(crate) fn told_steps(&self) -> Vec<String> {
        self.steps.iter().map(Step::told).collect()
    }

    /// Whether it is over.
    pub(crate) fn is_finished(&self) -> bool {
        self.result.is_some()
    }

    /// The steps that ran, with their results.
    pub(crate) fn ran(&self) -> Vec<(&str, &str)> {
        self.steps
            .iter()
            .filter_map(|step| Some((step.name.as_str(), step.result.as_deref()?)))
            .collect()
    }
}

impl<'a> Master<'a> {
    /// A running master.
    pub(crate) fn start(sandbox: &'a Sandbox, setup: &Setup) -> Self {
        let mut master = Self::prepare(sandbox, setup);
        master.run();
        master
    }

    /// A base directory with a configuration, and no master in it yet.
    pub(crate) fn prepare(sandbox: &'a Sandbox, setup: &Setup) -> Self {
        let dir = sandbox.private_dir("master");
        let port = free_port();
        std::fs::write(dir.join("master.toml"), setup.toml(port)).unwrap();
        Self {
            sandbox,
            dir,
            port,
            process: None,
        }
    }

    /// A base directory that somebody else has made, with its slave port.
    pub(crate) fn in_dir(sandbox: &'a Sandbox, dir: PathBuf, port: u16) -> Self {
        Self {
            sandbox,
            dir,
            port,
            process: None,
        }
    }

    /// Starts it in the foreground and waits until it is up.
    pub(crate) fn run(&mut self) {
        self.run_with(&[]);
    }

    /// The same, with these variables in its environment.
    pub(crate) fn run_with(&mut self, env: &[(&str, &str)]) {
        let mut command = self.sandbox.buildmaster();
        command.envs(env.iter().copied());
        self.run_as(command);
    }

    /// Starts it in the foreground with at most `most` open files.
    pub(crate) fn run_with_open_files(&mut self, most: u32) {
        let mut command = self.sandbox.command("sh");
        let line = format!("ulimit -n {most} && exec \"$@\"");
        command.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_buildmaster")]);
        self.run_as(command);
    }

    fn run_as(&mut self, mut command: Command) {
        command.args(["start", "--nodaemon"]).arg(&self.dir);
        let process = Process::start("buildmaster", &mut command);
        let line = process.wait_for_line(RUNNING);
        let address = format!("127.0.0.1:{}", self.port);
        assert!(line.split([' ', ',']).any(|word| word == address), "{line}");
        self.process = Some(process);
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Asks it to stop at once and waits for its end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        process.wait()
    }

    /// Its process.
    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// Our program, to be asked about this master.
    pub(crate) fn program(&self) -> Command {
        self.sandbox.buildmaster()
    }

    /// Its base directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether its state has this text somewhere.
    pub(crate) fn state_has(&self, text: &str) -> bool {
        let files = ["state.sqlite", "state.sqlite-wal"].map(|name| self.dir.join(name));
        let read = files
            .iter()
            .map(|file| std::fs::read(file).unwrap_or_default());
        read.into_iter().any(|bytes| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    }

    /// The port of slaves and changes.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sends a change with our own `buildbot sendchange`.
    pub(crate) fn send_change(&self, revision: &str) {
        self.try_to_send_change(revision).ok();
    }

    /// The same, on a branch.
    pub(crate) fn send_change_on(&self, branch: &str, revision: &str) {
        let branch = ["--branch", branch];
        self.send(&branch, revision).ok();
    }

    /// Sends a change to a master that may be gone.
    pub(crate) fn try_to_send_change(&self, revision: &str) -> Finished {
        self.send(&[], revision)
    }

    fn send(&self, options: &[&str], revision: &str) -> Finished {
        run(self
            .sandbox
            .buildbot()
            .args(["sendchange", "--auth", CHANGE_AUTH, "--who", "alice"])
            .args(["--master", &format!("127.0.0.1:{}", self.port)])
            .args(options)
            .args(["--revision", revision, "src/main.c"]))
    }

    /// What `show` prints, an object a line.
    pub(crate) fn show<T: DeserializeOwned>(&self, what: &[&str]) -> Vec<T> {
        let mut command = self.sandbox.buildmaster();
        command.arg("show").args(what).arg("--json");
        command.arg("--basedir").arg(&self.dir);
        run(&mut command)
            .ok()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}")))
            .collect()
    }

    /// One build, if it has begun.
    pub(crate) fn build(&self, builder: &str, number: u64) -> Option<Build> {
        let builds: Vec<Build> = self.show(&["builds", builder]);
        builds.iter().find(|build| build.number == number)?;
        let number = number.to_string();
        let shown: Vec<Build> = self.show(&["build", builder, &number]);
        shown.into_iter().next()
    }

    /// Waits until a build is over.
    pub(crate) fn finished_build(&self, builder: &str, number: u64) -> Build {
        wait_for(&format!("the end of build {builder} {number}"), || {
            self.build(builder, number).filter(Build::is_finished)
        })
    }

    /// What a log holds, without headers.
    pub(crate) fn log(&self, builder: &str, number: u64, step: &str) -> Vec<u8> {
        let mut command = self.sandbox.buildmaster();
        command.args(["show", "log", builder, &number.to_string(), step, "stdio"]);
        command.arg("--basedir").arg(&self.dir);
        run(&mut command).ok_bytes()
    }

    /// Waits until a slave is connected.
    pub(crate) fn wait_until_attached(&self, slave: &str) {
        wait_until(&format!("slave {slave}"), || self.is_attached(slave));
    }

    /// Waits until a slave is not connected.
    pub(crate) fn wait_until_detached(&self, slave: &str) {
        wait_until(&format!("the loss of slave {slave}"), || {
            !self.is_attached(slave)
        });
    }

    /// Whether a slave is connected.
    pub(crate) fn is_attached(&self, slave: &str) -> bool {
        self.show::<ShownSlave>(&["slaves"])
            .iter()
            .any(|shown| shown.name == slave && shown.connected)
    }
}

/// What the master prints when it is up, before the addresses.
pub(crate) const RUNNING: &str = "buildmaster is running: slaves and changes on ";
