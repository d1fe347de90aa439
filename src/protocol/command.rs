//! Remote commands: what is asked of a slave, before it is spelled (PROTOCOL sections 9.3 and 10).

use crate::pb::{Luid, Value};

use super::files::{CpdirArgs, GlobArgs, ListdirArgs, MkdirArgs, RmdirArgs, RmfileArgs, StatArgs};
use super::source::SourceArgs;
use super::transfer::{DownloadArgs, UploadArgs, UploadDirectoryArgs};
use super::{ShellArgs, SlaveInfo};

/// Arguments of a remote command, before they are spelled for a slave.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandArgs {
    /// `shell`.
    Shell(Box<ShellArgs>),
    /// `stat`: whether a file or directory is there, and what it is.
    Stat(StatArgs),
    /// `mkdir`: creates a directory and those above it.
    Mkdir(MkdirArgs),
    /// `rmdir`: removes a directory with all that is in it, or a file.
    Rmdir(RmdirArgs),
    /// `cpdir`: copies a directory.
    Cpdir(CpdirArgs),
    /// `glob`: finds the files that match a pattern. Slaves before 0.8.9 do not have it.
    Glob(GlobArgs),
    /// `listdir`: lists a directory. Slaves before 0.8.9 do not have it.
    Listdir(ListdirArgs),
    /// `rmfile`: removes a file.
    Rmfile(RmfileArgs),
    /// `uploadFile`: sends a file to an object of the master.
    UploadFile(UploadArgs),
    /// `uploadDirectory`: sends a directory as an archive to an object of the master.
    UploadDirectory(UploadDirectoryArgs),
    /// `downloadFile`: writes a file on the slave, read from an object of the master.
    DownloadFile(DownloadArgs),
    /// `svn`, `git` and so on: gets a tree. Slaves from 0.9 on have none of these.
    Source(Box<SourceArgs>),
}

impl CommandArgs {
    /// The command's name on the wire. Slaves before 0.8.3 have no `stat`, `mkdir`, `rmdir` and
    /// `cpdir`, and many have no `rmfile`; they are sent a `shell` that does the same.
    #[must_use]
    pub fn name(&self, slave: &SlaveInfo) -> &'static str {
        match self {
            Self::Shell(_) => "shell",
            Self::Stat(args) => args.name(slave),
            Self::Mkdir(args) => args.name(slave),
            Self::Rmdir(args) => args.name(slave),
            Self::Cpdir(args) => args.name(slave),
            Self::Glob(_) => "glob",
            Self::Listdir(_) => "listdir",
            Self::Rmfile(args) => args.name(slave),
            Self::UploadFile(_) => "uploadFile",
            Self::UploadDirectory(_) => "uploadDirectory",
            Self::DownloadFile(_) => "downloadFile",
            Self::Source(args) => args.command,
        }
    }

    /// The dictionary of arguments, spelled for `slave`. `object` is the master's end of a
    /// transfer.
    #[must_use]
    pub fn to_value(&self, slave: &SlaveInfo, object: Option<Luid>) -> Value {
        match self {
            Self::Shell(args) => args.to_value(slave),
            Self::Stat(args) => args.to_value(slave),
            Self::Mkdir(args) => args.to_value(slave),
            Self::Rmdir(args) => args.to_value(slave),
            Self::Cpdir(args) => args.to_value(slave),
            Self::Glob(args) => args.to_value(slave),
            Self::Listdir(args) => args.to_value(slave),
            Self::Rmfile(args) => args.to_value(slave),
            Self::UploadFile(args) => args.to_value(slave, object),
            Self::UploadDirectory(args) => args.to_value(slave, object),
            Self::DownloadFile(args) => args.to_value(slave, object),
            Self::Source(args) => args.to_value(slave),
        }
    }
}
