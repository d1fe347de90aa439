//! Real Buildbot masters, for our slave and our clients.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;

use super::printed::netstrings;
use super::process::wait_for;
use super::setup::PASSWORD;
use super::{Process, Sandbox, free_port, peer, run, wait_until};

/// Which Buildbot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    /// 0.8.14.
    V0814,
    /// 4.3.0.
    V430,
}

/// A running master with one builder `full`, one slave `bot`, and a PB change source. Killed when
/// dropped.
#[derive(Debug)]
pub(crate) struct RealMaster {
    version: Version,
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    try_port: u16,
    process: Process,
}

/// The user and password of try jobs at a real master.
pub(crate) const TRY_USER: (&str, &str) = ("alice", "trypw");

/// A step of its factory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealStep<'a> {
    pub(crate) name: &'a str,
    /// A line of shell.
    pub(crate) line: &'a str,
    /// Further arguments in Python.
    pub(crate) settings: &'a str,
}

/// What became of a build.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RealBuild {
    /// Buildbot's number for the result: 0 success, 2 failure.
    pub(crate) result: i64,
    /// The steps that ran: name and number of the result.
    pub(crate) steps: Vec<(String, i64)>,
}

impl RealMaster {
    /// Starts a master. Absent, with the reason printed, where it cannot be had.
    pub(crate) fn start(
        version: Version,
        sandbox: &Sandbox,
        steps: &[RealStep<'_>],
    ) -> Option<Self> {
        Self::start_with(version, sandbox, steps, "")
    }

    /// The same, with further lines of Python in its configuration.
    pub(crate) fn start_with(
        version: Version,
        sandbox: &Sandbox,
        steps: &[RealStep<'_>],
        python: &str,
    ) -> Option<Self> {
        let bin = peer(version.peer())?;
        let dir = sandbox.path("real-master");
        let port = free_port();
        let try_port = free_port();
        let mut create = sandbox.command(bin.join("buildbot"));
        run(create.args(["create-master", "--quiet"]).arg(&dir)).ok();
        fs::write(
            dir.join("master.cfg"),
            version.master_cfg(port, try_port, steps) + python,
        )
        .unwrap();
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(dir.join("jobs").join(part)).unwrap();
        }
        let process = start_in(&dir, &bin, sandbox);
        let mut master = Self {
            version,
            bin,
            dir,
            port,
            try_port,
            process,
        };
        master.wait_until_running();
        Some(master)
    }

    /// Ends it with SIGKILL and starts it again; what it [said](Self::said) begins anew.
    pub(crate) fn kill_and_restart(&mut self, sandbox: &Sandbox) {
        self.process.kill();
        fs::remove_file(self.dir.join("twistd.log")).unwrap();
        fs::remove_file(self.dir.join("twistd.pid")).unwrap();
        self.process = start_in(&self.dir, &self.bin, sandbox);
        self.wait_until_running();
    }

    /// Stops it as `buildbot stop` does.
    pub(crate) fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait();
    }

    fn wait_until_running(&mut self) {
        wait_until("a real master", || {
            assert!(self.process.is_running(), "{}", self.said());
            self.said().contains("BuildMaster is running")
        });
    }

    /// The port of slaves and changes.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port of try jobs.
    pub(crate) fn try_port(&self) -> u16 {
        self.try_port
    }

    /// Its base directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What became of the steps of its first build, which is over: names, results, texts and names
    /// of logs that are not empty, beside `stdio`; a line each. Only of 0.8.
    pub(crate) fn told_steps(&self, sandbox: &Sandbox) -> Vec<String> {
        const PROGRAM: &str = "
import os, pickle, sys
from buildbot.status.results import Results
def size(log):
    return os.path.getsize(os.path.join(os.path.dirname(sys.argv[1]), log.filename))
for step in pickle.load(open(sys.argv[1], 'rb')).steps:
    logs = sorted(log.name for log in step.logs if log.name != 'stdio' and size(log))
    print step.name, Results[step.results], '|'.join(step.text), logs
";
        let mut python = sandbox.command(self.bin.join("python"));
        let printed = run(python.args(["-c", PROGRAM]).arg(self.dir.join("full/0"))).ok();
        printed.lines().map(str::to_owned).collect()
    }

    /// Sends a change without a revision, by its own program, to the master on `port`: itself or
    /// another one.
    pub(crate) fn send_change_to(&self, port: u16, sandbox: &Sandbox) {
        let mut change = sandbox.command(self.bin.join("buildbot"));
        change.args([
            "sendchange",
            "--who",
            "alice",
            "--auth",
            super::setup::CHANGE_AUTH,
        ]);
        run(change.args(["--master", &format!("127.0.0.1:{port}"), "src/main.c"])).ok();
    }

    /// Its job directory.
    pub(crate) fn jobdir(&self) -> PathBuf {
        self.dir.join("jobs")
    }

    /// The directory of its programs.
    pub(crate) fn bin(&self) -> &Path {
        &self.bin
    }

    /// What it wrote to its log.
    pub(crate) fn said(&self) -> String {
        let log = fs::read(self.dir.join("twistd.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned() + &self.process.printed()
    }

    /// Waits until its slave is attached.
    pub(crate) fn wait_until_attached(&self) {
        let line = match self.version {
            Version::V0814 => "bot attached to full",
            Version::V430 => "attached to full",
        };
        wait_until("the slave at a real master", || self.said().contains(line));
    }

    /// The changes in its database: author, revision, comments.
    pub(crate) fn changes(&self) -> Vec<(String, Option<String>, String)> {
        let database = self.database();
        let mut changes = database
            .prepare("SELECT author, revision, comments FROM changes ORDER BY changeid")
            .unwrap();
        let rows = changes.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Waits until its first build is over.
    pub(crate) fn finished_build(&self, sandbox: &Sandbox) -> RealBuild {
        wait_for("a build of a real master", || match self.version {
            Version::V0814 => self.pickled_build(sandbox),
            Version::V430 => self.build_row(),
        })
    }

    /// What a step of its first build printed on standard output and error.
    pub(crate) fn log(&self, step: &str) -> Vec<u8> {
        match self.version {
            Version::V0814 => {
                let path = self.dir.join(format!("full/0-log-{step}-stdio"));
                let file = fs::read(path).unwrap();
                let output = netstrings(&file).filter(|(channel, _)| b"01".contains(channel));
                output.flat_map(|(_, text)| text.to_vec()).collect()
            }
            Version::V430 => self.output_in_rows(step),
        }
    }

    /// 0.8 keeps builds as pickles, which only it can read; written when a build is over.
    fn pickled_build(&self, sandbox: &Sandbox) -> Option<RealBuild> {
        const PROGRAM: &str = "
import pickle, sys
build = pickle.load(open(sys.argv[1], 'rb'))
if build.finished is not None:
    print build.results
    for step in build.steps:
        if step.finished is not None and step.results is not None:
            print step.name, step.results
";
        let file = self.dir.join("full/0");
        if !file.exists() {
            return None;
        }
        let mut python = sandbox.command(self.bin.join("python"));
        let printed = run(python.args(["-c", PROGRAM]).arg(file)).ok();
        let mut lines = printed.lines();
        let result = lines.next()?.parse().unwrap();
        let steps = lines
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, result)| (name.to_owned(), result.parse().unwrap()))
            .collect();
        Some(RealBuild { result, steps })
    }

    fn build_row(&self) -> Option<RealBuild> {
        let database = self.database();
        let result = database
            .query_row(
                "SELECT results FROM builds WHERE number = 1 AND results IS NOT NULL",
                (),
                |row| row.get(0),
            )
            .ok()?;
        let mut steps = database
            .prepare(
                "SELECT name, results FROM steps WHERE name <> 'worker_preparation' AND results <> 3 ORDER BY number",
            )
            .unwrap();
        let rows = steps.query_map((), |row| Ok((row.get(0)?, row.get(1)?)));
        let steps = rows.unwrap().map(Result::unwrap).collect();
        Some(RealBuild { result, steps })
    }

    /// 4.x keeps logs as rows of lines, each with its channel in front.
    fn output_in_rows(&self, step: &str) -> Vec<u8> {
        let database = self.database();
        let mut chunks = database
            .prepare(
                "SELECT content FROM logchunks JOIN logs ON logs.id = logid JOIN steps ON steps.id = stepid \
                 WHERE steps.name = ? AND logs.slug = 'stdio' ORDER BY first_line",
            )
            .unwrap();
        let rows = chunks.query_map([step], |row| row.get::<_, Vec<u8>>(0));
        let mut output = Vec::new();
        for chunk in rows.unwrap().map(Result::unwrap) {
            for line in chunk.split(|byte| *byte == b'\n') {
                if let [b'o' | b'e', text @ ..] = line {
                    output.extend_from_slice(text);
                    output.push(b'\n');
                }
            }
        }
        output
    }

    fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(self.dir.join("state.sqlite"), flags).unwrap();
        database.busy_timeout(super::process::PATIENCE).unwrap();
        database
    }
}

fn start_in(dir: &Path, bin: &Path, sandbox: &Sandbox) -> Process {
    let mut start = sandbox.command(bin.join("buildbot"));
    Process::start("real master", start.args(["start", "--nodaemon"]).arg(dir))
}

impl Version {
    fn peer(self) -> &'static str {
        match self {
            Self::V0814 => "bb0814",
            Self::V430 => "bb43",
        }
    }

    fn master_cfg(self, port: u16, try_port: u16, steps: &[RealStep<'_>]) -> String {
        let mut text = String::from(match self {
            Self::V0814 => HEAD_0814,
            Self::V430 => HEAD_430,
        });
        for step in steps {
            writeln!(
                text,
                "factory.addStep(ShellCommand(name={:?}, command=['sh', '-c', {:?}], {}))",
                step.name, step.line, step.settings
            )
            .unwrap();
        }
        let (slaves, slave, slave_names) = match self {
            Self::V0814 => ("slaves", "BuildSlave", "slavenames"),
            Self::V430 => ("workers", "Worker", "workernames"),
        };
        write!(
            text,
            "c['{slaves}'] = [{slave}('bot', '{PASSWORD}')]\n\
             c['protocols'] = {{'pb': {{'port': 'tcp:{port}:interface=127.0.0.1'}}}}\n\
             c['change_source'] = [PBChangeSource(user='change', passwd='changepw')]\n\
             c['builders'] = [BuilderConfig(name='full', {slave_names}=['bot'], factory=factory)]\n\
             c['schedulers'] = [SingleBranchScheduler(name='quick', builderNames=['full'],\n    \
                 change_filter=ChangeFilter(branch=None), treeStableTimer=None),\n    \
                 Try_Userpass(name='try', builderNames=['full'], port='tcp:{try_port}:interface=127.0.0.1',\n    \
                 userpass=[('{user}', '{password}')]),\n    \
                 Try_Jobdir(name='jobs', builderNames=['full'], jobdir='jobs')]\n",
            user = TRY_USER.0,
            password = TRY_USER.1,
        )
        .unwrap();
        text
    }
}

const HEAD_0814: &str = "
from buildbot.buildslave import BuildSlave
from buildbot.changes.filter import ChangeFilter
from buildbot.changes.pb import PBChangeSource
from buildbot.config import BuilderConfig
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import Property
from buildbot.schedulers.basic import SingleBranchScheduler
from buildbot.schedulers.trysched import Try_Jobdir, Try_Userpass
from buildbot.steps.shell import ShellCommand
c = BuildmasterConfig = {'title': 't', 'titleURL': 'http://localhost/', 'buildbotURL': 'http://localhost/'}
c['db'] = {'db_url': 'sqlite:///state.sqlite'}
c['logCompressionLimit'] = False
factory = BuildFactory()
";

const HEAD_430: &str = "
from buildbot.changes.filter import ChangeFilter
from buildbot.changes.pb import PBChangeSource
from buildbot.config import BuilderConfig
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import Property
from buildbot.schedulers.basic import SingleBranchScheduler
from buildbot.schedulers.trysched import Try_Jobdir, Try_Userpass
from buildbot.steps.shell import ShellCommand
from buildbot.worker import Worker
c = BuildmasterConfig = {'title': 't', 'titleURL': 'http://localhost/', 'buildbotURL': 'http://localhost/'}
c['db'] = {'db_url': 'sqlite:///state.sqlite'}
c['buildbotNetUsageData'] = None
c['logCompressionMethod'] = 'raw'
factory = BuildFactory()
";
