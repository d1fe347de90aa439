//! The settings of the steps on files of the slave: `FileExists`, `CopyDirectory`,
//! `RemoveDirectory`, `MakeDirectory`, `RemoveFile`.

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;

/// Settings of a step on files of the slave. Paths are below the builder's directory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileStepConfig {
    /// Which step it is.
    pub action: FileAction,
    /// The file or directory.
    pub path: Template,
    /// Where `CopyDirectory` copies it to.
    pub dest: Template,
    /// Longest time of `CopyDirectory` without output: 120 s.
    pub timeout: Option<Duration>,
    /// Longest time of `CopyDirectory`.
    pub max_time: Option<Duration>,
}

/// Steps on files of the slave.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum FileAction {
    /// `FileExists`.
    Exists,
    /// `CopyDirectory`.
    Copy,
    /// `RemoveDirectory`.
    RemoveDirectory,
    /// `MakeDirectory`.
    MakeDirectory,
    /// `RemoveFile`.
    RemoveFile,
}

/// The keys of `FileExists` and `RemoveFile`.
pub(super) const FILE_KEYS: &[&str] = &["file"];
/// The keys of `RemoveDirectory` and `MakeDirectory`.
pub(super) const DIRECTORY_KEYS: &[&str] = &["dir"];
/// The keys of `CopyDirectory`.
pub(super) const COPY_KEYS: &[&str] = &["src", "dest", "timeout", "max_time"];

impl FileStepConfig {
    /// The step whose table says nothing.
    pub(super) fn usual(action: FileAction) -> Self {
        Self {
            action,
            path: Template::literal(""),
            dest: Template::literal(""),
            timeout: Some(Duration::from_secs(120)),
            max_time: None,
        }
    }

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let path = match self.action {
            FileAction::Exists | FileAction::RemoveFile => table.require("file", "\"build/a.out\""),
            FileAction::Copy => table.require("src", "\"build\""),
            FileAction::RemoveDirectory | FileAction::MakeDirectory => {
                table.require("dir", "\"build/tmp\"")
            }
        };
        if let Some(path) = path.and_then(|v| v.template()) {
            self.path = path;
        }
        if self.action == FileAction::Copy {
            let dest = table.require("dest", "\"copy\"");
            if let Some(dest) = dest.and_then(|v| v.template()) {
                self.dest = dest;
            }
            let time = |v: &Value<'_>| v.optional_duration(SHORTEST..=LONGEST);
            table.set("timeout", &mut self.timeout, time);
            table.set("max_time", &mut self.max_time, time);
        }
    }
}

impl StepSettings for FileStepConfig {}
