//! A temporary directory for a test, and what belongs to the machine.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::programs::program;

/// A temporary directory, removed when dropped. Commands started through it have it as their home
/// and see nothing else of the caller's settings.
#[derive(Debug)]
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    /// A new, empty one.
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new directory in it, for its owner only, as base directories are.
    pub(crate) fn private_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A gate that a step of a build can wait at.
    pub(crate) fn gate(&self, name: &str) -> Gate {
        Gate {
            reached: self.path(&format!("{name}.reached")),
            open: self.path(&format!("{name}.open")),
        }
    }

    /// A program to run in it.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC");
        command
    }

    /// Our program `buildmaster`.
    pub(crate) fn buildmaster(&self) -> Command {
        self.command(program("buildmaster"))
    }

    /// Our program `buildbot`.
    pub(crate) fn buildbot(&self) -> Command {
        self.command(program("buildbot"))
    }

    /// Our program `buildslave`.
    pub(crate) fn buildslave(&self) -> Command {
        self.command(program("buildslave"))
    }
}

/// A place where a command of a build waits until the test lets it go on.
#[derive(Debug)]
pub(crate) struct Gate {
    reached: PathBuf,
    open: PathBuf,
}

impl Gate {
    /// The shell command that waits: it tells that it is there, with a line for each time, and ends
    /// with success when the gate is opened. It also ends, with failure, when the sandbox is gone,
    /// so that nothing stays behind.
    pub(crate) fn command(&self) -> String {
        format!(
            "echo x >>'{reached}'; while [ -e '{reached}' ]; do [ -e '{open}' ] && exit 0; sleep 0.05; done; exit 9",
            reached = self.reached.display(),
            open = self.open.display(),
        )
    }

    /// Waits until a command has come to the gate for the `times`-th time.
    pub(crate) fn wait_until_reached(&self, times: usize) {
        super::wait_until("a command at the gate", || self.times_reached() >= times);
    }

    /// How many commands have come to the gate.
    pub(crate) fn times_reached(&self) -> usize {
        fs::read_to_string(&self.reached).map_or(0, |text| text.lines().count())
    }

    /// Lets all commands through, now and later.
    pub(crate) fn open(&self) {
        fs::write(&self.open, "").unwrap();
    }
}

/// A port of the loopback address that nobody listens on. Below the range from which the system
/// takes the ports of outgoing connections, so that it stays free while a program that owned it is
/// down.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 400).unwrap() * 50;
    loop {
        let port = 11_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether the long tests run in full size.
pub(crate) fn is_slow() -> bool {
    std::env::var("SLOW_TESTS").is_ok_and(|value| value == "1")
}

/// Bytes of every value, the same on every run.
pub(crate) fn binary_bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
