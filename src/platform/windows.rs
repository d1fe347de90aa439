//! Windows, where the program is a slave and a client.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, MetadataExt as _};
use std::os::windows::process::CommandExt as _;
use std::path::{Component, Path, PathBuf, Prefix};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::process::{Child, Command};
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
    ctrl_logoff, ctrl_shutdown,
};
use win32job::Job;

use super::{Look, Told};

/// The name of the system, as Python's `os.name` gives it.
pub const SYSTEM: &str = "nt";
/// Between the directories of a list such as `PATH`.
pub const LIST_SEPARATOR: u8 = b';';
/// Whether the system has `rm`, `cp` and `chmod`.
pub const HAS_FILE_PROGRAMS: bool = false;
/// Whether processes can send signals to others.
pub const HAS_SIGNALS: bool = false;
/// Whether commands can run on a pseudo terminal.
pub const HAS_TERMINALS: bool = false;

/// A signal by its number. Windows has no signals: each one ends the processes that it is sent to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signal(i32);

impl Signal {
    /// SIGHUP.
    pub const HUP: Self = Self(1);
    /// SIGINT.
    pub const INT: Self = Self(2);
    /// SIGQUIT.
    pub const QUIT: Self = Self(3);
    /// SIGABRT.
    pub const ABORT: Self = Self(6);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// SIGUSR1.
    pub const USR1: Self = Self(10);
    /// SIGUSR2.
    pub const USR2: Self = Self(12);
    /// SIGPIPE.
    pub const PIPE: Self = Self(13);
    /// SIGALRM.
    pub const ALARM: Self = Self(14);
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGCONT.
    pub const CONT: Self = Self(18);
    /// SIGSTOP.
    pub const STOP: Self = Self(19);
}

/// A word or a path from its bytes; what is not UTF-8 is replaced.
#[must_use]
pub fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The name of an environment variable in the spelling that the system compares: upper case, as
/// Python's `os.environ` has it.
#[must_use]
pub fn variable(name: OsString) -> OsString {
    name.to_ascii_uppercase()
}

/// The words that run a command line in the shell of the system. [`command`] knows them and quotes
/// the line as `cmd.exe` reads it.
#[must_use]
pub fn shell_words(line: OsString) -> Vec<OsString> {
    let shell = std::env::var_os("COMSPEC").unwrap_or_else(|| "cmd.exe".into());
    let options = SHELL_OPTIONS.map(OsString::from);
    [shell].into_iter().chain(options).chain([line]).collect()
}

/// A command of a program, which is looked for in `path`, and its arguments. `None` for an empty
/// list.
#[must_use]
pub fn command(words: &[OsString], path: Option<&OsStr>, _own_group: bool) -> Option<Command> {
    let (program, args) = words.split_first()?;
    let mut command = Command::new(found(program, path));
    let (options, line) = args
        .split_at_checked(SHELL_OPTIONS.len())
        .unwrap_or_default();
    match line {
        // With /s, the shell removes the outer quotes and nothing else.
        [line] if options == SHELL_OPTIONS => {
            let mut quoted = OsString::from("\"");
            quoted.push(line);
            quoted.push("\"");
            command.args(options).raw_arg(quoted);
        }
        _ => {
            command.args(args);
        }
    }
    Some(command)
}

/// The file that a program's name means. The system itself adds only `.exe`; scripts such as
/// `npm.cmd` are found here.
fn found(program: &OsStr, path: Option<&OsStr>) -> PathBuf {
    let name = Path::new(program);
    let is_path = name.components().count() > 1;
    if is_path || name.extension().is_some() {
        return name.to_owned();
    }
    let own = std::env::var_os("PATH").unwrap_or_default();
    let files = std::env::split_paths(path.unwrap_or(&own))
        .flat_map(|dir| SUFFIXES.map(|suffix| dir.join(name).with_extension(suffix)));
    let mut files = files.filter(|file| file.is_file());
    files.next().unwrap_or_else(|| name.to_owned())
}

/// A program that was started, and the processes that it has started since. They are in a job,
/// which ends all of them when it is closed.
#[derive(Debug)]
pub struct Processes(Mutex<Option<Job>>);

impl Processes {
    /// Those of a program that was just started. Without an own group, no signal reaches it.
    ///
    /// # Errors
    /// The system has no more jobs.
    pub fn of(child: &Child, own_group: bool) -> io::Result<Self> {
        let Some(handle) = child.raw_handle().filter(|_| own_group) else {
            return Ok(Self(Mutex::new(None)));
        };
        let job = || {
            let job = Job::create()?;
            let mut limits = job.query_extended_limit_info()?;
            limits.limit_kill_on_job_close();
            job.set_extended_limit_info(&limits)?;
            job.assign_process(handle as isize)?;
            Ok(job)
        };
        let job = job().map_err(|error: win32job::JobError| io::Error::other(error))?;
        Ok(Self(Mutex::new(Some(job))))
    }

    /// Ends the program and the processes that it has started; false if it has no group.
    pub fn signal_group(&self, _: Signal) -> bool {
        let mut job = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        job.take().is_some()
    }

    /// Nothing: a program of the own group gets the keys of the console itself.
    pub const fn signal_program(&self, _: Signal) {}
}

/// The signal that ended a program: none on Windows.
#[must_use]
pub const fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

/// Whether a process with this number exists. Not known here: locks on files end with their
/// process at once, so it is believed.
#[must_use]
pub const fn exists(_: u32) -> bool {
    true
}

/// Refuses: processes have no numbers here that outlive their handles.
///
/// # Errors
/// Always.
pub fn send(_: u32, _: Signal) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The ends of a console that this process gets from now on.
#[derive(Debug)]
pub struct Signals {
    c: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    logoff: CtrlLogoff,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Receives them instead of ending by them.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            c: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
            logoff: ctrl_logoff()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.c.recv() => Told::End,
            _ = self.stop.recv() => Told::End,
            _ = self.close.recv() => Told::End,
            _ = self.logoff.recv() => Told::End,
            _ = self.shutdown.recv() => Told::End,
        }
    }
}

/// The permissions of a file: whether it can be written is all that Windows knows of them.
#[must_use]
pub fn mode(meta: &Metadata) -> u32 {
    match (meta.is_dir(), meta.permissions().readonly()) {
        (true, _) => 0o040_777,
        (false, true) => 0o100_444,
        (false, false) => 0o100_666,
    }
}

/// Changes the permissions of an open file: whether its owner may write it.
///
/// # Errors
/// The system refuses.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    file.set_permissions(permissions)
}

/// Changes the permissions of the file at `path`. Those of directories stay: they are inherited.
///
/// # Errors
/// The system refuses.
pub fn set_mode_at(path: &Path, mode: u32) -> io::Result<()> {
    let meta = path.metadata()?;
    if meta.is_dir() {
        return Ok(());
    }
    let mut permissions = meta.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    std::fs::set_permissions(path, permissions)
}

/// Has a file created with the permissions of its directory, whatever the mode: on Windows those
/// are inherited.
pub const fn with_mode(options: &mut OpenOptions, _: u32) -> &mut OpenOptions {
    options
}

/// Creates a directory with the permissions of the directory above it, which are inherited.
///
/// # Errors
/// The system refuses.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Nothing: Windows has no mask.
pub const fn set_umask(_: u32) {}

/// What is known of a file.
#[must_use]
pub fn look(meta: &Metadata) -> Look {
    let since = |time: io::Result<SystemTime>| {
        let since = time
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let since = since.unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        (seconds, i64::from(since.subsec_nanos()))
    };
    Look {
        mode: mode(meta),
        links: 1,
        size: meta.file_size(),
        accessed: since(meta.accessed()),
        modified: since(meta.modified()),
        // As Python's `os.stat` has it on Windows.
        changed: since(meta.created()),
        ..Look::default()
    }
}

/// Whether both are the same file. A file that is open keeps its name here.
#[must_use]
pub const fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// The number of this process's user: Windows has none.
#[must_use]
pub const fn this_user() -> u32 {
    0
}

/// Whether a file belongs to the user with this number: not known, so it is believed.
#[must_use]
pub const fn belongs_to(_: &Metadata, _: u32) -> bool {
    true
}

/// Reads from `offset` on.
///
/// # Errors
/// The file cannot be read.
pub fn read_at(file: &File, piece: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(piece, offset)
}

/// The absolute path of what `path` leads to, without links, in the form `C:\…`: programs do not
/// understand the form `\\?\C:\…`.
///
/// # Errors
/// Nothing is there.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    let mut parts = real.components();
    let Some(Component::Prefix(prefix)) = parts.next() else {
        return Ok(real);
    };
    Ok(match prefix.kind() {
        Prefix::VerbatimDisk(disk) => {
            let disk = format!("{}:", char::from(disk));
            Path::new(&disk).join(parts.as_path())
        }
        _ => std::path::absolute(path)?,
    })
}

/// How many files this process may have open; absent: no limit.
#[must_use]
pub const fn most_open_files() -> Option<u64> {
    None
}

/// Columns of the terminal, if the environment tells them.
#[must_use]
pub fn terminal_columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

/// This program again, to run without a console as the program `name`.
#[must_use]
pub fn background(program: &Path, name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.creation_flags(DETACHED_PROCESS).arg(name);
    command
}

/// Nothing: the process was started without a console.
pub const fn lead_session() {}

/// Nothing: the process was started without a console.
pub const fn leave_terminal() {}

/// Nothing: the slave is not a service by itself.
pub const fn notify_ready() {}

/// Of `CreateProcessW`: the process has no console.
const DETACHED_PROCESS: u32 = 0x8;
/// No commands of the registry, quotes as they are, and then the line.
const SHELL_OPTIONS: [&str; 3] = ["/d", "/s", "/c"];
/// The kinds of files that are programs, in the order in which they are tried.
const SUFFIXES: [&str; 4] = ["exe", "com", "bat", "cmd"];
