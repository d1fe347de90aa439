//! Arguments of commands on files, as a master spells them (PROTOCOL sections 9.6, 10.3 and 10.4).

use bytes::Bytes;

use crate::pb::{Luid, Value};

use super::{ShellArgs, SlaveInfo};

/// Most bytes that a slave asks a reader for at once; what real masters say, and far below the
/// limit of strings.
pub const BLOCK_BYTES: i64 = 16 * 1024;

/// Arguments of `stat`.
#[derive(Clone, Debug, PartialEq)]
pub struct StatArgs {
    /// What is looked for, below the builder's directory or absolute.
    pub file: String,
}

impl StatArgs {
    pub(super) fn name(&self, slave: &SlaveInfo) -> &'static str {
        has(slave, "stat").unwrap_or("shell")
    }

    pub(super) fn to_value(&self, slave: &SlaveInfo) -> Value {
        if has(slave, "stat").is_none() {
            return ShellArgs::words(["test", "-e", &self.file], ".").to_value(slave);
        }
        let style = slave.style;
        Value::Dict(vec![(style.value("file"), style.value(&self.file))])
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

/// Arguments of `cpdir`.
#[derive(Clone, Debug, PartialEq)]
pub struct CpdirArgs {
    /// The directory, below the builder's directory or absolute.
    pub from: String,
    /// The copy, which does not exist yet.
    pub to: String,
    /// Seconds without output after which the command is killed.
    pub timeout: Option<f64>,
    /// Whether the log shows the environment.
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
                log_environ: self.log_environ,
                ..ShellArgs::words(["cp", "-R", "-P", "-p", &self.from, &self.to], ".")
            };
            return args.to_value(slave);
        }
        let style = slave.style;
        Value::Dict(vec![
            (style.value("fromdir"), style.value(&self.from)),
            (style.value("todir"), style.value(&self.to)),
            (
                style.value("timeout"),
                self.timeout.map_or(Value::None, Value::Float),
            ),
            (style.value("logEnviron"), Value::Bool(self.log_environ)),
        ])
    }
}

/// Arguments of `downloadFile`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownloadArgs {
    /// The file on the slave, below `workdir`; its directories are made.
    pub dest: String,
    /// Directory below the builder's, or absolute.
    pub workdir: String,
    /// What it is to hold.
    pub content: Bytes,
}

impl DownloadArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo, reader: Option<Luid>) -> Value {
        let style = slave.style;
        let is_worker = slave.is_worker || slave.command_is_at_least("downloadFile", "3.0");
        let dest = if is_worker { "workerdest" } else { "slavedest" };
        Value::Dict(vec![
            (style.value(dest), style.value(&self.dest)),
            (style.value("workdir"), style.value(&self.workdir)),
            (
                style.value("reader"),
                reader.map_or(Value::None, Value::Mine),
            ),
            (style.value("blocksize"), Value::Int(BLOCK_BYTES)),
            (style.value("maxsize"), Value::None),
            (style.value("mode"), Value::None),
        ])
    }
}

/// The name of a command that `slave` has.
fn has(slave: &SlaveInfo, command: &'static str) -> Option<&'static str> {
    (slave.is_worker || slave.commands.contains_key(command)).then_some(command)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::protocol::CommandArgs;

    fn slave(commands: &[(&str, &str)]) -> SlaveInfo {
        let pairs = commands
            .iter()
            .map(|(c, v)| (Value::bytes(c), Value::bytes(v)));
        SlaveInfo::of_slave(None, None, Some(&Value::Dict(pairs.collect())))
    }

    fn new_slave() -> SlaveInfo {
        slave(&[
            ("stat", "2.16"),
            ("rmdir", "2.16"),
            ("downloadFile", "2.16"),
        ])
    }

    fn stat() -> CommandArgs {
        CommandArgs::Stat(StatArgs {
            file: "build/.git".to_owned(),
        })
    }

    fn rmdir() -> CommandArgs {
        CommandArgs::Rmdir(RmdirArgs {
            dir: "build".to_owned(),
            timeout: Some(5.0),
            log_environ: false,
        })
    }

    #[test]
    fn slaves_and_workers_have_file_commands() {
        for info in [new_slave(), SlaveInfo::of_worker(None)] {
            assert_eq!(stat().name(&info), "stat");
            let value = stat().to_value(&info, None);
            assert_eq!(value.get("file").unwrap(), &info.style.value("build/.git"));
            assert_eq!(rmdir().name(&info), "rmdir");
            let value = rmdir().to_value(&info, None);
            assert_eq!(value.get("dir").unwrap(), &info.style.value("build"));
            assert_eq!(value.get("timeout").unwrap(), &Value::Float(5.0));
            assert_eq!(value.get("logEnviron").unwrap(), &Value::Bool(false));
        }
    }

    #[test]
    fn slaves_without_file_commands_are_sent_shell_commands() {
        let info = slave(&[("shell", "2.9")]);
        for (args, words) in [
            (stat(), ["test", "-e", "build/.git"]),
            (rmdir(), ["rm", "-rf", "build"]),
        ] {
            assert_eq!(args.name(&info), "shell");
            let value = args.to_value(&info, None);
            let command = value.get("command").unwrap();
            assert_eq!(command, &Value::List(words.map(Value::bytes).into()));
            assert_eq!(value.get("workdir").unwrap(), &Value::bytes("."));
        }
    }

    #[test]
    fn a_file_goes_where_the_kind_of_slave_calls_its_destination() {
        let args = CommandArgs::DownloadFile(DownloadArgs {
            dest: "f".to_owned(),
            workdir: "build".to_owned(),
            content: Bytes::from_static(b"x"),
        });
        for (info, dest, other) in [
            (new_slave(), "slavedest", "workerdest"),
            (SlaveInfo::of_worker(None), "workerdest", "slavedest"),
        ] {
            let value = args.to_value(&info, Some(Luid(7)));
            assert_eq!(value.get(dest).unwrap(), &info.style.value("f"));
            assert_eq!(value.get(other), None);
            assert_eq!(value.get("reader").unwrap(), &Value::Mine(Luid(7)));
            assert_eq!(value.get("mode").unwrap(), &Value::None);
            assert_eq!(value.get("maxsize").unwrap(), &Value::None);
            assert_eq!(value.get("blocksize").unwrap(), &Value::Int(BLOCK_BYTES));
        }
        assert_eq!(args.content(), Some(&Bytes::from_static(b"x")));
        assert_eq!(stat().content(), None);
    }
}
