//! The settings of the steps that download: `FileDownload`, `StringDownload`,
//! `JSONStringDownload`, `JSONPropertiesDownload`.

use serde::Serialize;
use serde_json::Value as Json;

use super::kind::StepSettings;
use super::transfer::{block_size, mode};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;
use crate::model::transfer::BLOCK_BYTES;

/// Settings of a step that writes a file on the slave.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DownloadStepConfig {
    /// What the file holds.
    pub content: Download,
    /// The file on the slave, below `workdir`.
    pub slavedest: Template,
    /// Directory below the builder's: `build`.
    pub workdir: Template,
    /// Most bytes of the file.
    pub maxsize: Option<u64>,
    /// Bytes to transfer at once: 240 KiB.
    pub blocksize: u32,
    /// Permissions of the file on the slave.
    pub mode: Option<u32>,
}

/// What a file on the slave gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Download {
    /// A file of the master (`FileDownload`).
    File(Template),
    /// A text (`StringDownload`).
    Text(Template),
    /// A value as JSON (`JSONStringDownload`).
    Json(JsonTemplate),
    /// The properties and the source of the build as JSON (`JSONPropertiesDownload`).
    Properties,
}

/// A value whose strings are renderable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum JsonTemplate {
    /// A string.
    Text(Template),
    /// A number or a flag.
    Plain(Json),
    /// A list.
    List(Vec<Self>),
    /// An object, in the order of the configuration.
    Object(Vec<(String, Self)>),
}

/// The keys of `FileDownload`.
pub(super) const FILE_KEYS: &[&str] = &["mastersrc"];
/// The keys of `StringDownload`.
pub(super) const TEXT_KEYS: &[&str] = &["s"];
/// The keys of `JSONStringDownload`.
pub(super) const JSON_KEYS: &[&str] = &["o"];
/// The keys of all of them.
pub(super) const KEYS: &[&str] = &["slavedest", "workdir", "maxsize", "blocksize", "mode"];

impl DownloadStepConfig {
    /// The step whose table says nothing.
    pub(super) fn usual(content: Download) -> Self {
        Self {
            content,
            slavedest: Template::literal(""),
            workdir: Template::literal("build"),
            maxsize: None,
            blocksize: BLOCK_BYTES,
            mode: None,
        }
    }

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        match &mut self.content {
            Download::File(source) => {
                let value = table.require("mastersrc", "\"files/settings.ini\"");
                if let Some(value) = value.and_then(|v| v.template()) {
                    *source = value;
                }
            }
            Download::Text(text) => {
                let value = table.require("s", "\"text of the file\"");
                if let Some(value) = value.and_then(|v| v.secret_template()) {
                    *text = value;
                }
            }
            Download::Json(object) => {
                let value = table.require("o", "{ key = \"value\" }");
                if let Some(value) = value.and_then(|v| json_template(&v)) {
                    *object = value;
                }
            }
            Download::Properties => {}
        }
        let dest = table.require("slavedest", "\"settings.ini\"");
        if let Some(dest) = dest.and_then(|v| v.template()) {
            self.slavedest = dest;
        }
        table.set("workdir", &mut self.workdir, Value::template);
        table.set_some("maxsize", &mut self.maxsize, Value::size);
        table.set("blocksize", &mut self.blocksize, block_size);
        table.set_some("mode", &mut self.mode, mode);
    }
}

impl StepSettings for DownloadStepConfig {}

fn json_template(value: &Value<'_>) -> Option<JsonTemplate> {
    let raw = value.raw();
    if raw.is_str() {
        return value.template().map(JsonTemplate::Text);
    }
    if raw.is_array() {
        let items = value.list()?;
        let items = items.iter().filter_map(json_template);
        return Some(JsonTemplate::List(items.collect()));
    }
    if raw.is_table() {
        let entries = value.entries();
        let entries = entries
            .iter()
            .filter_map(|(key, value)| Some(((*key).to_owned(), json_template(value)?)));
        return Some(JsonTemplate::Object(entries.collect()));
    }
    value.json().map(JsonTemplate::Plain)
}
