//! How logs of steps are limited and compressed (LOG-03), and how the program's own log is rotated.

use serde::Serialize;

use super::reader::{Table, Value};
use super::shape::Shape;

/// Limits of step logs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct LogLimits {
    /// Maximum number of bytes of stdout and stderr together; the rest is dropped with a note.
    #[serde(rename = "log_max_size")]
    pub max_size: Option<u64>,
    /// Bytes kept of the end of a log whose rest is dropped.
    #[serde(rename = "log_max_tail_size")]
    pub max_tail_size: Option<u64>,
    /// How finished logs are compressed: gz.
    #[serde(rename = "log_compression_method")]
    pub compression: LogCompression,
    /// Size in bytes above which a finished log is compressed: 4096.
    #[serde(rename = "log_compression_limit")]
    pub compression_limit: u64,
}

/// How finished logs are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogCompression {
    /// By gzip.
    #[default]
    Gz,
    /// Not at all.
    None,
}

impl Default for LogLimits {
    /// As in Buildbot, but for the method, which is bzip2 there.
    fn default() -> Self {
        Self {
            max_size: None,
            max_tail_size: None,
            compression: LogCompression::default(),
            compression_limit: 4096,
        }
    }
}

/// How much of the program's own log file is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct LogRotation {
    /// Bytes of a file: 10 000 000.
    pub size: u64,
    /// Number of old files: 10.
    pub count: u32,
}

pub(super) static LOG_ROTATION: Shape = Shape {
    place: "log_rotation",
    noun: "log_rotation",
    keys: &["size", "count"],
    kinds: Vec::new,
};

impl Default for LogRotation {
    /// As Buildbot's `buildbot.tac` has it.
    fn default() -> Self {
        Self {
            size: 10_000_000,
            count: 10,
        }
    }
}

impl LogLimits {
    /// The size in bytes above which a finished log is compressed; absent: never.
    #[must_use]
    pub const fn compress_above(&self) -> Option<u64> {
        match self.compression {
            LogCompression::Gz => Some(self.compression_limit),
            LogCompression::None => None,
        }
    }

    /// Takes the settings of the whole.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.set_some("log_max_size", &mut self.max_size, Value::size);
        root.set_some("log_max_tail_size", &mut self.max_tail_size, Value::size);
        let limit = &mut self.compression_limit;
        root.set("log_compression_limit", limit, |value| {
            if value.is_false() {
                let help = "write `log_compression_method = \"none\"` for logs without compression";
                return value.expected("a size", help);
            }
            value.size()
        });
        let method = &mut self.compression;
        root.set("log_compression_method", method, |value| {
            match value.one_of(&["gz", "none"])? {
                "gz" => Some(LogCompression::Gz),
                _ => Some(LogCompression::None),
            }
        });
    }
}

impl LogRotation {
    /// Takes what the table has.
    pub(super) fn read(value: &Value<'_>) -> Option<Self> {
        let mut table = value.table(&LOG_ROTATION)?;
        let mut rotation = Self::default();
        table.set("size", &mut rotation.size, |v| {
            let size = v.size()?;
            if size == 0 {
                v.error("is out of range", "at least one byte");
            }
            Some(size)
        });
        table.set("count", &mut rotation.count, |v| v.integer(0..=9999));
        table.finish();
        Some(rotation)
    }
}
