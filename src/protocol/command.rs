//! Remote commands: what is asked of a slave, before it is spelled (PROTOCOL sections 9.3 and 10).

use bytes::Bytes;

use crate::pb::{Luid, Value};

use super::files::{CpdirArgs, DownloadArgs, RmdirArgs, StatArgs};
use super::{ShellArgs, SlaveInfo};

/// Arguments of a remote command, before they are spelled for a slave.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandArgs {
    /// `shell`.
    Shell(Box<ShellArgs>),
    /// `stat`: whether a file or directory is there.
    Stat(StatArgs),
    /// `rmdir`: removes a directory with all that is in it, or a file.
    Rmdir(RmdirArgs),
    /// `cpdir`: copies a directory.
    Cpdir(CpdirArgs),
    /// `downloadFile`: writes a file on the slave.
    DownloadFile(DownloadArgs),
}

impl CommandArgs {
    /// The command's name on the wire. A slave before 0.8.3 has no file commands; it is sent a
    /// `shell` that does the same, so that all are of use with every slave.
    #[must_use]
    pub fn name(&self, slave: &SlaveInfo) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Stat(args) => args.name(slave),
            Self::Rmdir(args) => args.name(slave),
            Self::Cpdir(args) => args.name(slave),
            Self::DownloadFile(_) => "downloadFile",
        }
    }

    /// The dictionary of arguments, spelled for `slave`. `reader` is the object that serves
    /// [`CommandArgs::content`].
    #[must_use]
    pub fn to_value(&self, slave: &SlaveInfo, reader: Option<Luid>) -> Value {
        match self {
            Self::Shell(args) => args.to_value(slave),
            Self::Stat(args) => args.to_value(slave),
            Self::Rmdir(args) => args.to_value(slave),
            Self::Cpdir(args) => args.to_value(slave),
            Self::DownloadFile(args) => args.to_value(slave, reader),
        }
    }

    /// What the slave is to read from an object of the master while the command runs.
    #[must_use]
    pub const fn content(&self) -> Option<&Bytes> {
        match self {
            Self::DownloadFile(args) => Some(&args.content),
            Self::Shell(_) | Self::Stat(_) | Self::Rmdir(_) | Self::Cpdir(_) => None,
        }
    }
}
