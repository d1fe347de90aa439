//! Ends start commands that a killed master left running. Such a command could create an instance
//! after the next master has stopped all instances.
//!
//! All processes of a start command have a variable in their environment that names the master's
//! directory and the slave. The native slave does not pass the variable to its own commands, which
//! it ends itself. Each process is checked and signalled through a process handle, so a reused
//! process number is never hit. Without `/proc`, no processes are found.

use std::ffi::OsString;
use std::time::Duration;

use crate::buildslave::INSTANCE_VARIABLE;
use crate::model::SlaveName;

/// The name of the variable, and its value for a slave of the master in the current directory.
pub(super) fn mark(slave: &SlaveName) -> (OsString, OsString) {
    let here = std::env::current_dir().unwrap_or_default();
    let mut value = here.into_os_string();
    value.push(":");
    value.push(slave.as_str());
    (INSTANCE_VARIABLE.into(), value)
}

/// Ends all processes that have the mark of a slave, with SIGTERM and then with SIGKILL.
pub(super) async fn end(slave: &SlaveName) {
    let (name, value) = mark(slave);
    let mut mark = name;
    mark.push("=");
    mark.push(value);
    for turn in 0..TURNS {
        let mark = mark.clone();
        let hard = turn >= TURNS / 2;
        let found = crate::blocking::run(move || found::signal(&mark, hard)).await;
        if !found.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(TURN).await;
    }
}

#[cfg(target_os = "linux")]
mod found {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
    use tracing::{debug, info};

    /// Signals all processes with this variable. Returns whether there were any.
    pub(super) fn signal(mark: &OsStr, hard: bool) -> bool {
        let signal = if hard { Signal::KILL } else { Signal::TERM };
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return false;
        };
        let mut any = false;
        for entry in entries.flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(pid) = pid.and_then(Pid::from_raw).filter(|&pid| pid != getpid()) else {
                continue;
            };
            let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            // The environment of other users' processes is unreadable, and that of ended processes
            // is empty.
            let Ok(environ) = std::fs::read(entry.path().join("environ")) else {
                continue;
            };
            if environ
                .split(|&byte| byte == 0)
                .any(|variable| variable == mark.as_bytes())
            {
                any = true;
                info!(
                    pid = pid.as_raw_nonzero(),
                    "ended a process of a killed master"
                );
                if let Err(error) = pidfd_send_signal(&process, signal) {
                    debug!("process ended by itself: {error}");
                }
            }
        }
        any
    }
}

#[cfg(not(target_os = "linux"))]
mod found {
    /// Finds no processes on this system.
    pub(super) const fn signal(_mark: &std::ffi::OsStr, _hard: bool) -> bool {
        false
    }
}

/// Number of searches for processes. In the second half, processes are killed.
const TURNS: u32 = 40;
/// Pause between two searches.
const TURN: Duration = Duration::from_millis(50);
