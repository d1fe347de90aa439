//! The settings of the steps that upload: `FileUpload`, `DirectoryUpload`, `MultipleFileUpload`.

use serde::Serialize;

use super::kind::StepSettings;
use super::transfer::{block_size, mode};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;
use crate::model::Compression;
use crate::model::transfer::BLOCK_BYTES;

/// Settings of a step that uploads from the slave to the master.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UploadStepConfig {
    /// Which step it is.
    pub what: Upload,
    /// Files and directories on the slave, below `workdir`; several only of
    /// [`Upload::Several`].
    pub sources: Vec<Template>,
    /// The file or directory on the master; of [`Upload::Several`] the directory that holds them.
    pub masterdest: Template,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Most bytes of each file or archive.
    pub maxsize: Option<u64>,
    /// Bytes to transfer at once: 240 KiB.
    pub blocksize: u32,
    /// Permissions of the files on the master: 0600.
    pub mode: Option<u32>,
    /// Whether a file keeps its times.
    pub keepstamp: bool,
    /// How directories are compressed on their way.
    pub compress: Compression,
    /// Whether the sources are patterns.
    pub glob: bool,
    /// Address of what was uploaded.
    pub url: Option<Template>,
    /// Name of the link to `url`; the last part of `masterdest` by default.
    pub url_text: Option<Template>,
}

/// Steps that upload.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Upload {
    /// `FileUpload`.
    File,
    /// `DirectoryUpload`.
    Directory,
    /// `MultipleFileUpload`.
    Several,
}

/// The keys of `FileUpload`.
pub(super) const FILE_KEYS: &[&str] = &["slavesrc", "mode", "keepstamp"];
/// The keys of `DirectoryUpload`.
pub(super) const DIRECTORY_KEYS: &[&str] = &["slavesrc", "compress"];
/// The keys of `MultipleFileUpload`.
pub(super) const SEVERAL_KEYS: &[&str] = &["slavesrcs", "mode", "keepstamp", "compress", "glob"];
/// The keys of all of them.
pub(super) const KEYS: &[&str] = &[
    "masterdest",
    "workdir",
    "maxsize",
    "blocksize",
    "url",
    "url_text",
];

impl UploadStepConfig {
    /// The step whose table says nothing.
    pub(super) fn usual(what: Upload) -> Self {
        Self {
            what,
            sources: Vec::new(),
            masterdest: Template::literal(""),
            workdir: Template::literal("build"),
            maxsize: None,
            blocksize: BLOCK_BYTES,
            mode: None,
            keepstamp: false,
            compress: Compression::None,
            glob: false,
            url: None,
            url_text: None,
        }
    }

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        if self.what == Upload::Several {
            let sources = table.require("slavesrcs", "[\"dist/a.tar.gz\"]");
            let sources = sources.and_then(|v| v.one_or_list()).unwrap_or_default();
            self.sources = sources.iter().filter_map(Value::template).collect();
        } else {
            let source = table.require("slavesrc", "\"dist/a.tar.gz\"");
            self.sources = source.and_then(|v| v.template()).into_iter().collect();
        }
        let dest = table.require("masterdest", "\"public/%(buildername)s/%(buildnumber)s\"");
        if let Some(dest) = dest.and_then(|v| v.template()) {
            self.masterdest = dest;
        }
        table.set("workdir", &mut self.workdir, Value::template);
        table.set_some("maxsize", &mut self.maxsize, Value::size);
        table.set("blocksize", &mut self.blocksize, block_size);
        if self.what != Upload::Directory {
            table.set_some("mode", &mut self.mode, mode);
            table.set("keepstamp", &mut self.keepstamp, Value::flag);
        }
        if self.what != Upload::File {
            table.set("compress", &mut self.compress, |v| {
                v.one_of(&["gz", "bz2"]).and_then(Compression::from_word)
            });
        }
        if self.what == Upload::Several {
            table.set("glob", &mut self.glob, Value::flag);
        }
        table.set_some("url", &mut self.url, Value::template);
        table.set_some("url_text", &mut self.url_text, Value::template);
    }
}

impl StepSettings for UploadStepConfig {}
