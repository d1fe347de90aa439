//! What a master that was killed has left running of its commands: a start that goes on would make an instance
//! after the next master has stopped what there was.
//!
//! Every process that a start command has become or made is known by a variable in its environment, which names
//! the master's directory and the slave; the native slave does not pass it on to what it runs, and ends that itself. It is looked at through a handle of the process, so that no other process of the same
//! number can be meant. Where there is no `/proc`, nothing is found.

use std::ffi::OsString;
use std::time::Duration;

use crate::buildslave::INSTANCE_VARIABLE;
use crate::model::SlaveName;

/// The variable, and what it is for a slave of the master in the current directory.
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
        let found = tokio::task::spawn_blocking(move || found::signal(&mark, hard)).await;
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

    /// Signals all processes with this in their environment; whether there were any.
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
            // That of other users cannot be read, and that of a process that has ended is empty.
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
                    "what a killed master has left running is ended"
                );
                if let Err(error) = pidfd_send_signal(&process, signal) {
                    debug!("it has ended by itself: {error}");
                }
            }
        }
        any
    }
}

#[cfg(not(target_os = "linux"))]
mod found {
    /// Nothing can be found.
    pub(super) const fn signal(_mark: &std::ffi::OsStr, _hard: bool) -> bool {
        false
    }
}

/// How often processes are looked for: in the second half of this they are killed.
const TURNS: u32 = 40;
/// The pause between two looks.
const TURN: Duration = Duration::from_millis(50);
