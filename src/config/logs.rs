//! How much of logs is kept: of those of steps (LOG-03), and of the program's own.

use serde::Serialize;

use super::reader::{Table, Value};
use super::shape::Shape;

/// Limits of step logs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct LogLimits {
    /// Most bytes of stdout and stderr together; the rest is dropped with a note.
    #[serde(rename = "log_max_size")]
    pub max_size: Option<u64>,
    /// Bytes kept of the end of a log whose rest is dropped.
    #[serde(rename = "log_max_tail_size")]
    pub max_tail_size: Option<u64>,
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
    /// Takes the settings of the whole.
    pub(super) fn read(&mut self, root: &mut Table<'_>) {
        root.set_some("log_max_size", &mut self.max_size, Value::size);
        root.set_some("log_max_tail_size", &mut self.max_tail_size, Value::size);
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
