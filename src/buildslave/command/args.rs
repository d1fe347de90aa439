//! Reads the dictionary of arguments that a master sends with a command.
//!
//! Paths and words stay bytes from the wire to the system call, so invalid UTF-8 is preserved.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::pb::{Failure, Luid, Value};
use crate::platform::os_string;
use crate::protocol::Malformed;

/// The arguments of one command.
pub(super) struct Args<'a> {
    /// The command's name, for error texts.
    command: &'a str,
    dict: &'a Value,
}

impl<'a> Args<'a> {
    pub(super) fn new(command: &'a str, dict: &'a Value) -> Self {
        Self { command, dict }
    }

    /// All arguments.
    pub(super) const fn dict(&self) -> &'a Value {
        self.dict
    }

    /// The value of `key`; Python's `None` counts as absent.
    pub(super) fn given(&self, key: &str) -> Option<&'a Value> {
        let value = self.dict.get(key)?.unshared();
        (!matches!(value, Value::None)).then_some(value)
    }

    /// The value of a required argument.
    pub(super) fn required(&self, key: &str) -> Result<&'a Value, Failure> {
        let missing = || format!("{} is missing args: {key}", self.command);
        self.given(key)
            .ok_or_else(|| Failure::new(VALUE_ERROR, missing()))
    }

    /// A required string, as bytes.
    pub(super) fn raw(&self, key: &str) -> Result<Bytes, Failure> {
        let value = self.required(key)?;
        let raw = value.as_raw().cloned();
        raw.ok_or_else(|| self.wrong(key, "a string"))
    }

    /// A required path.
    pub(super) fn path(&self, key: &str) -> Result<PathBuf, Failure> {
        self.raw(key).map(|raw| path(&raw))
    }

    /// A flag with its default.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, Failure> {
        match self.given(key) {
            None => Ok(default),
            Some(value) => value.as_flag().ok_or_else(|| self.wrong(key, "a flag")),
        }
    }

    /// A number of seconds above zero; zero counts as absent.
    pub(super) fn seconds(&self, key: &str) -> Result<Option<f64>, Failure> {
        let Some(value) = self.given(key) else {
            return Ok(None);
        };
        let seconds = value.as_float().filter(|s| s.is_finite() && *s >= 0.0);
        let seconds = seconds.ok_or_else(|| self.wrong(key, "a number of seconds"))?;
        Ok((seconds > 0.0).then_some(seconds))
    }

    /// An integer that is not below zero.
    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, Failure> {
        let Some(value) = self.given(key) else {
            return Ok(None);
        };
        let count = value.as_int().and_then(|n| u64::try_from(n).ok());
        count.map(Some).ok_or_else(|| self.wrong(key, "a count"))
    }

    /// An object of the master.
    pub(super) fn object(&self, key: &str) -> Result<Luid, Failure> {
        let value = self.required(key)?;
        let object = value.as_theirs();
        object.ok_or_else(|| self.wrong(key, "a reference to an object"))
    }

    /// The failure for arguments that do not conform to the protocol.
    pub(super) fn malformed(&self, malformed: &Malformed) -> Failure {
        Failure::new(
            VALUE_ERROR,
            format!("{}: argument {malformed}", self.command),
        )
    }

    /// The failure for an invalid value.
    pub(super) fn wrong(&self, key: &str, wanted: &str) -> Failure {
        let text = format!("{}: argument {key} must be {wanted}", self.command);
        Failure::new(VALUE_ERROR, text)
    }
}

/// A path from the wire.
pub(super) fn path(raw: &[u8]) -> PathBuf {
    PathBuf::from(os(raw))
}

/// A word from the wire.
pub(super) fn os(raw: &[u8]) -> OsString {
    os_string(raw.to_vec())
}

/// `base` joined with `more` as Python's `os.path.join` does it, without resolving `.` and `..`.
pub(super) fn under(base: &Path, more: &Path) -> PathBuf {
    if more.as_os_str() == "." {
        return base.to_owned();
    }
    base.join(more)
}

/// `seconds` as a duration, at most a century.
pub(super) fn duration(seconds: f64) -> Duration {
    const CENTURY: f64 = 3_155_760_000.0;
    Duration::try_from_secs_f64(seconds.clamp(0.0, CENTURY)).unwrap_or_default()
}

pub(super) const VALUE_ERROR: &str = "builtins.ValueError";
pub(super) const RUNTIME_ERROR: &str = "builtins.RuntimeError";
