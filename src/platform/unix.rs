//! Linux, macOS and other Unix systems.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::fs::Mode;
use rustix::process::{Pid, Resource, kill_process, kill_process_group, test_kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

pub use rustix::process::Signal;

use super::{Look, Told};

/// The name of the system, as Python's `os.name` gives it.
pub const SYSTEM: &str = "posix";
/// Between the directories of a list such as `PATH`.
pub const LIST_SEPARATOR: u8 = b':';
/// Whether the system has `rm`, `cp` and `chmod`.
pub const HAS_FILE_PROGRAMS: bool = true;
/// Whether processes can send signals to others.
pub const HAS_SIGNALS: bool = true;
/// Whether commands can run on a pseudo terminal.
pub const HAS_TERMINALS: bool = true;

/// A word or a path from its bytes.
#[must_use]
pub fn os_string(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}

/// The name of an environment variable in the spelling that the system compares.
#[must_use]
pub const fn variable(name: OsString) -> OsString {
    name
}

/// The words that run a command line in the shell of the system.
#[must_use]
pub fn shell_words(line: OsString) -> Vec<OsString> {
    ["/bin/sh".into(), "-c".into(), line].into()
}

/// A command of a program and its arguments; `own_group`: in a process group of its own. `None` for
/// an empty list. The system looks for the program in the `PATH` of the command.
#[must_use]
pub fn command(words: &[OsString], _path: Option<&OsStr>, own_group: bool) -> Option<Command> {
    let (program, args) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(args);
    if own_group {
        command.process_group(0);
    }
    Some(command)
}

/// A program that was started, and the processes that it has started since.
#[derive(Debug)]
pub struct Processes(Option<Pid>);

impl Processes {
    /// Those of a program that was just started.
    ///
    /// # Errors
    /// None on Unix.
    pub fn of(child: &Child, _own_group: bool) -> io::Result<Self> {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Ok(Self(pid.and_then(Pid::from_raw)))
    }

    /// Sends a signal to the process group that the program leads; false if it leads none.
    pub fn signal_group(&self, signal: Signal) -> bool {
        self.0
            .is_some_and(|pid| kill_process_group(pid, signal).is_ok())
    }

    /// Sends a signal to the program alone, which has not been waited for.
    pub fn signal_program(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // The program may just have ended.
            kill_process(pid, signal).unwrap_or_default();
        }
    }
}

/// The signal that ended a program.
#[must_use]
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Whether a process with this number exists.
#[must_use]
pub fn exists(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed());
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Sends a signal to the process with this number. A process that has just ended is not an
/// error.
///
/// # Errors
/// This process may not do that, or the number is invalid.
pub fn send(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match kill_process(pid.ok_or(io::ErrorKind::InvalidData)?, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The signals that this process gets from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    interrupt: Stream,
    hang_up: Stream,
}

impl Signals {
    /// Receives them instead of ending by them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal. Cancel-safe.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            // Ends are more urgent.
            biased;
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hang_up.recv() => Told::HangUp,
        }
    }
}

/// The permissions of a file.
#[must_use]
pub fn mode(meta: &Metadata) -> u32 {
    meta.mode()
}

/// Changes the permissions of an open file.
///
/// # Errors
/// The system refuses.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Changes the permissions of the file or directory at `path`.
///
/// # Errors
/// The system refuses.
pub fn set_mode_at(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Has a file created with these permissions.
pub fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

/// Creates a directory for its owner alone.
///
/// # Errors
/// The system refuses.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Takes the permissions of `mask` from every file that this process creates from now on.
pub fn set_umask(mask: u32) {
    let mask = u16::try_from(mask & 0o777).unwrap_or_default();
    rustix::process::umask(Mode::from_raw_mode(mask.into()));
}

/// What is known of a file.
#[must_use]
pub fn look(meta: &Metadata) -> Look {
    Look {
        mode: meta.mode(),
        inode: meta.ino(),
        device: meta.dev(),
        links: meta.nlink(),
        user: meta.uid(),
        group: meta.gid(),
        size: meta.size(),
        accessed: (meta.atime(), meta.atime_nsec()),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    }
}

/// Whether both are the same file.
#[must_use]
pub fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The number of this process's user.
#[must_use]
pub fn this_user() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Whether a file belongs to the user with this number.
#[must_use]
pub fn belongs_to(meta: &Metadata, user: u32) -> bool {
    meta.uid() == user
}

/// Reads from `offset` on; a pipe or a terminal is read once.
///
/// # Errors
/// The file cannot be read.
pub fn read_at(file: &File, piece: &mut [u8], offset: u64) -> io::Result<usize> {
    match file.read_at(piece, offset) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SPIPE.raw_os_error()) => {
            io::Read::read(&mut &*file, piece)
        }
        read => read,
    }
}

/// The absolute path of what `path` leads to, without links.
///
/// # Errors
/// Nothing is there.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// How many files this process may have open; absent: no limit.
#[must_use]
pub fn most_open_files() -> Option<u64> {
    rustix::process::getrlimit(Resource::Nofile).current
}

/// Columns of the terminal at standard output.
#[must_use]
pub fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col))
}

/// This program again, to run in the background under the name `name`.
#[must_use]
pub fn background(program: &Path, name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.arg0(name);
    command
}

/// Makes this process the leader of a session of its own.
pub fn lead_session() {
    // This fails only for a process that already leads a group, which is enough.
    rustix::process::setsid().ok();
}

/// Points standard output and standard error away from the terminal.
pub fn leave_terminal() {
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        // This fails only without the device; the terminal is then kept.
        rustix::stdio::dup2_stdout(null.as_fd()).ok();
        rustix::stdio::dup2_stderr(null.as_fd()).ok();
    }
}

/// Tells a waiting service manager that this process is ready.
pub fn notify_ready() {
    // This fails if the service manager is gone; the program is ready all the same.
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
}
