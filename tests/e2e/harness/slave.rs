//! Slaves of every kind that connect to a master, ours or a real one.

use std::path::PathBuf;
use std::process::Command;

use super::setup::PASSWORD;
use super::{Process, Sandbox, peer, run};

/// Which program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Our own.
    Native,
    /// The slave of Buildbot 0.8.14.
    Slave0814,
    /// The worker of Buildbot 0.9.15.
    Worker0915,
    /// The worker of Buildbot 3.11.9.
    Worker3119,
    /// The worker of Buildbot 4.3.0.
    Worker430,
}

/// A slave in a directory of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Slave {
    /// Its process.
    pub(crate) process: Process,
    /// Its base directory.
    pub(crate) dir: PathBuf,
}

impl Kind {
    fn peer(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Native => None,
            Self::Slave0814 => Some(("bb0814", "buildslave", "create-slave")),
            Self::Worker0915 => Some(("bw0915", "buildbot-worker", "create-worker")),
            Self::Worker3119 => Some(("bw3119", "buildbot-worker", "create-worker")),
            Self::Worker430 => Some(("bb43", "buildbot-worker", "create-worker")),
        }
    }

    /// The program, and its word for making a base directory; absent where it cannot be had.
    fn program(self, sandbox: &Sandbox) -> Option<(Command, &'static str)> {
        match self.peer() {
            None => Some((sandbox.buildslave(), "create-slave")),
            Some((name, program, create)) => {
                Some((sandbox.command(peer(name)?.join(program)), create))
            }
        }
    }
}

impl Slave {
    /// Starts a slave with the right password. Absent, with the reason printed, where the peer
    /// cannot be had.
    pub(crate) fn start(kind: Kind, sandbox: &Sandbox, name: &str, port: u16) -> Option<Self> {
        Self::start_with(kind, sandbox, name, port, PASSWORD)
    }

    /// Starts a slave with a password.
    pub(crate) fn start_with(
        kind: Kind,
        sandbox: &Sandbox,
        name: &str,
        port: u16,
        password: &str,
    ) -> Option<Self> {
        let dir = fresh_dir(sandbox, name);
        let (mut create, word) = kind.program(sandbox)?;
        // Without a limit it waits for minutes after a few failures to connect.
        create.args([word, "--maxdelay=1"]);
        create.arg(&dir).arg(format!("127.0.0.1:{port}"));
        run(create.args([name, password])).ok();
        Self::restart(kind, sandbox, dir)
    }

    /// A native slave, which can always be had.
    pub(crate) fn native(sandbox: &Sandbox, name: &str, port: u16) -> Self {
        Self::start(Kind::Native, sandbox, name, port).unwrap()
    }

    /// Starts the slave in a base directory that exists.
    pub(crate) fn restart(kind: Kind, sandbox: &Sandbox, dir: PathBuf) -> Option<Self> {
        let (mut start, _) = kind.program(sandbox)?;
        start.args(["start", "--nodaemon"]).arg(&dir);
        let process = Process::start(&format!("{kind:?} slave"), &mut start);
        Some(Self { process, dir })
    }

    /// What it printed, and what it wrote to its own log.
    pub(crate) fn said(&self) -> String {
        let logs = ["twistd.log", "buildslave.log"]
            .map(|name| std::fs::read(self.dir.join(name)).unwrap_or_default());
        self.process.printed() + &String::from_utf8_lossy(&logs.concat())
    }
}

/// A directory that is not there yet; several slaves may have the same name.
fn fresh_dir(sandbox: &Sandbox, name: &str) -> PathBuf {
    (0..)
        .map(|count| sandbox.path(&format!("slave-{name}-{count}")))
        .find(|path| !path.exists())
        .unwrap()
}
