//! The programs of developers and version-control hooks: `buildbot sendchange`, `hook`,
//! `mail-change`, `statuslog`, `desktop`, `try` and `tryserver`.
//!
//! Invariants: passwords are asked for on the terminal only, and never appear in messages. Options
//! come from the command line first, then from the nearest options file (CLI-04), then from
//! Buildbot's defaults. Nothing here exits the process: programs turn [`Failed`] into an exit code.

pub mod desktop;
mod encoding;
pub mod hook;
pub mod mail_change;
mod options;
#[cfg(windows)]
#[path = "no_password.rs"]
mod password;
#[cfg(unix)]
mod password;
pub mod sendchange;
pub mod statuslog;
pub mod try_job;
#[cfg(unix)]
pub mod tryserver;
pub mod vc;

pub use desktop::desktop;
pub use options::{OptionValue, OptionsError, OptionsFile};
pub use password::ask as ask_password;
pub use sendchange::sendchange;
pub use statuslog::statuslog;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Wrong usage: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The master could not be reached, or reported an error: exit code 1.
    #[error("{0}")]
    NotDone(String),
    /// The master rejected a login or a try job (CLI-05): exit code 2.
    #[error("{0}")]
    Refused(String),
}

impl Failed {
    /// The exit code for the failure.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Refused(_) => 2,
            Self::NotDone(_) => 1,
        }
    }
}
