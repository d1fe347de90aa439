//! Arguments of commands on files, as a master spells them (PROTOCOL sections 9.6 and 10.3).

use crate::pb::Value;

use super::{ShellArgs, SlaveInfo};

/// Arguments of `stat`.
#[derive(Clone, Debug, PartialEq)]
pub struct StatArgs {
    /// What is looked for, below `workdir` or absolute.
    pub file: String,
    /// Directory below the builder's, or absolute. Empty: the builder's.
    pub workdir: String,
}

impl StatArgs {
    /// Looks for `file` below the builder's directory.
    #[must_use]
    pub const fn of(file: String) -> Self {
        let workdir = String::new();
        Self { file, workdir }
    }
}

impl StatArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        has(slave, "stat").unwrap_or("shell")
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if has(slave, "stat").is_none() {
            let workdir = if self.workdir.is_empty() {
                "."
            } else {
                &self.workdir
            };
            return ShellArgs::words(["test", "-e", &self.file], workdir).to_value(slave);
        }
        let style = slave.style;
        let mut pairs = vec![(style.value("file"), style.value(&self.file))];
        if !self.workdir.is_empty() {
            pairs.push((style.value("workdir"), style.value(&self.workdir)));
        }
        Value::Dict(pairs)
    }
}

/// Arguments of `rmdir`.
#[derive(Clone, Debug, PartialEq)]
pub struct RmdirArgs {
    /// What is removed, below the builder's directory or absolute.
    pub dir: String,
    /// Seconds without output after which it is killed.
    pub timeout: Option<f64>,
    /// Whether the environment is shown in the log.
    pub log_environ: bool,
}

impl RmdirArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        has(slave, "rmdir").unwrap_or("shell")
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if has(slave, "rmdir").is_none() {
            let args = ShellArgs {
                timeout: self.timeout,
                log_environ: self.log_environ,
                ..ShellArgs::words(["rm", "-rf", &self.dir], ".")
            };
            return args.to_value(slave);
        }
        let style = slave.style;
        Value::Dict(vec![
            (style.value("dir"), style.value(&self.dir)),
            (
                style.value("timeout"),
                self.timeout.map_or(Value::None, Value::Float),
            ),
            (style.value("logEnviron"), Value::Bool(self.log_environ)),
        ])
    }
}

/// Arguments of `mkdir`.
#[derive(Clone, Debug, PartialEq)]
pub struct MkdirArgs {
    /// The directory to create with those above it, below the builder's directory or absolute.
    pub dir: String,
}

impl MkdirArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        has(slave, "mkdir").unwrap_or("shell")
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if has(slave, "mkdir").is_none() {
            return ShellArgs::words(["mkdir", "-p", &self.dir], ".").to_value(slave);
        }
        let style = slave.style;
        Value::Dict(vec![(style.value("dir"), style.value(&self.dir))])
    }
}

/// Arguments of `cpdir`.
#[derive(Clone, Debug, PartialEq)]
pub struct CpdirArgs {
    /// The directory to copy, below the builder's directory or absolute.
    pub from: String,
    /// Its copy, which must not exist yet.
    pub to: String,
    /// Seconds without output after which the copying is killed.
    pub timeout: Option<f64>,
    /// Seconds after which the copying is killed.
    pub max_time: Option<f64>,
    /// Whether the environment is shown in the log.
    pub log_environ: bool,
}

impl CpdirArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        has(slave, "cpdir").unwrap_or("shell")
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if has(slave, "cpdir").is_none() {
            let args = ShellArgs {
                timeout: self.timeout,
                max_time: self.max_time,
                log_environ: self.log_environ,
                ..ShellArgs::words(["cp", "-R", "-P", "-p", &self.from, &self.to], ".")
            };
            return args.to_value(slave);
        }
        let style = slave.style;
        let mut pairs = vec![
            (style.value("fromdir"), style.value(&self.from)),
            (style.value("todir"), style.value(&self.to)),
            (style.value("logEnviron"), Value::Bool(self.log_environ)),
        ];
        for (key, seconds) in [("timeout", self.timeout), ("maxTime", self.max_time)] {
            let seconds = seconds.map_or(Value::None, Value::Float);
            pairs.push((style.value(key), seconds));
        }
        Value::Dict(pairs)
    }
}

/// Arguments of `glob`.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobArgs {
    /// The pattern, below the builder's directory or absolute.
    pub pattern: String,
}

impl GlobArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        Value::Dict(vec![(style.value("path"), style.value(&self.pattern))])
    }
}

/// Arguments of `listdir`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListdirArgs {
    /// The directory, below the builder's directory or absolute.
    pub dir: String,
}

impl ListdirArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        let style = slave.style;
        Value::Dict(vec![(style.value("dir"), style.value(&self.dir))])
    }
}

/// Arguments of `rmfile`.
#[derive(Clone, Debug, PartialEq)]
pub struct RmfileArgs {
    /// The file to remove, below the builder's directory or absolute.
    pub path: String,
}

impl RmfileArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        if has_rmfile(slave) { "rmfile" } else { "shell" }
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if !has_rmfile(slave) {
            return ShellArgs::words(["rm", "--", &self.path], ".").to_value(slave);
        }
        let style = slave.style;
        Value::Dict(vec![(style.value("path"), style.value(&self.path))])
    }
}

/// The name of a command that `slave` has.
fn has(slave: &SlaveInfo, command: &'static str) -> Option<&'static str> {
    (slave.is_worker || slave.commands.contains_key(command)).then_some(command)
}

/// Whether `slave` has `rmfile`, which the first workers lack.
fn has_rmfile(slave: &SlaveInfo) -> bool {
    slave.commands.contains_key("rmfile") || (slave.is_worker && slave.commands.is_empty())
}

#[cfg(test)]
mod tests;
