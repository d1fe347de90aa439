//! Arguments of the commands that transfer files, as a master spells them (PROTOCOL section 10.4).

use crate::model::Compression;
use crate::model::transfer::{BLOCK_BYTES, MAX_BLOCK_BYTES};
use crate::pb::{Luid, Value};

use super::SlaveInfo;

/// What all transfers are told.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferArgs {
    /// The file or directory on the slave, below `workdir`; `~` at the beginning is the home
    /// directory of the slave's user.
    pub path: String,
    /// Directory below the builder's, or absolute.
    pub workdir: String,
    /// Bytes to transfer at once, at most [`MAX_BLOCK_BYTES`].
    pub block_bytes: u32,
    /// Bytes after which the slave stops and fails the command.
    pub max_bytes: Option<u64>,
}

impl TransferArgs {
    /// A transfer of `path` without a limit.
    #[must_use]
    pub const fn new(path: String, workdir: String) -> Self {
        Self {
            path,
            workdir,
            block_bytes: BLOCK_BYTES,
            max_bytes: None,
        }
    }
}

/// Arguments of `uploadFile`.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadArgs {
    /// What and how.
    pub transfer: TransferArgs,
    /// Whether the slave tells the times of the file.
    pub keep_stamp: bool,
}

/// Arguments of `uploadDirectory`.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadDirectoryArgs {
    /// What and how.
    pub transfer: TransferArgs,
    /// How the archive is compressed.
    pub compress: Compression,
}

/// Arguments of `downloadFile`.
#[derive(Clone, Debug, PartialEq)]
pub struct DownloadArgs {
    /// What and how; directories of the file are created.
    pub transfer: TransferArgs,
    /// Permissions of the file.
    pub mode: Option<u32>,
}

impl UploadArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo, writer: Option<Luid>) -> Value {
        let style = slave.style;
        let mut pairs = self
            .transfer
            .pairs(slave, ("uploadFile", "src", "writer"), writer);
        pairs.push((style.value("keepstamp"), Value::Bool(self.keep_stamp)));
        Value::Dict(pairs)
    }
}

impl UploadDirectoryArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo, writer: Option<Luid>) -> Value {
        let style = slave.style;
        let mut pairs = self
            .transfer
            .pairs(slave, ("uploadDirectory", "src", "writer"), writer);
        let word = self.compress.word();
        let compress = word.map_or(Value::None, |word| style.value(word));
        pairs.push((style.value("compress"), compress));
        Value::Dict(pairs)
    }
}

impl DownloadArgs {
    pub(super) fn to_value(&self, slave: &SlaveInfo, reader: Option<Luid>) -> Value {
        let mut pairs = self
            .transfer
            .pairs(slave, ("downloadFile", "dest", "reader"), reader);
        let mode = self
            .mode
            .map_or(Value::None, |mode| Value::Int(mode.into()));
        pairs.push((slave.style.value("mode"), mode));
        Value::Dict(pairs)
    }
}

impl TransferArgs {
    /// The arguments that all transfers have. `end` is how the command calls the end of the path's
    /// key, `object` how it calls the master's end of the transfer.
    fn pairs(
        &self,
        slave: &SlaveInfo,
        (command, end, object): (&str, &str, &str),
        luid: Option<Luid>,
    ) -> Vec<(Value, Value)> {
        let style = slave.style;
        let is_worker = slave.is_worker || slave.command_is_at_least(command, "3.0");
        let who = if is_worker { "worker" } else { "slave" };
        let max_bytes = self.max_bytes.and_then(|max| i64::try_from(max).ok());
        vec![
            (style.value(&format!("{who}{end}")), style.value(&self.path)),
            (style.value("workdir"), style.value(&self.workdir)),
            (style.value(object), luid.map_or(Value::None, Value::Mine)),
            (
                style.value("blocksize"),
                Value::Int(self.block_bytes.min(MAX_BLOCK_BYTES).into()),
            ),
            (
                style.value("maxsize"),
                max_bytes.map_or(Value::None, Value::Int),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::protocol::CommandArgs;

    fn slave() -> SlaveInfo {
        let commands = ["uploadFile", "uploadDirectory", "downloadFile"];
        let commands = commands.map(|name| (Value::bytes(name), Value::bytes("2.16")));
        SlaveInfo::of_slave(None, None, Some(&Value::Dict(commands.into())))
    }

    fn transfer() -> TransferArgs {
        TransferArgs::new("f".to_owned(), "build".to_owned())
    }

    #[test]
    fn each_generation_has_its_word_for_the_file_on_the_slave() {
        let upload = CommandArgs::UploadFile(UploadArgs {
            transfer: transfer(),
            keep_stamp: true,
        });
        let directory = CommandArgs::UploadDirectory(UploadDirectoryArgs {
            transfer: TransferArgs {
                max_bytes: Some(1 << 40),
                ..transfer()
            },
            compress: Compression::Bz2,
        });
        let download = CommandArgs::DownloadFile(DownloadArgs {
            transfer: TransferArgs {
                block_bytes: u32::MAX,
                ..transfer()
            },
            mode: Some(0o640),
        });
        for (info, who, other) in [
            (slave(), "slave", "worker"),
            (SlaveInfo::of_worker(None), "worker", "slave"),
        ] {
            for (args, end, object) in [
                (&upload, "src", "writer"),
                (&directory, "src", "writer"),
                (&download, "dest", "reader"),
            ] {
                let value = args.to_value(&info, Some(Luid(7)));
                let key = format!("{who}{end}");
                assert_eq!(value.get(&key).unwrap(), &info.style.value("f"));
                assert_eq!(value.get(&format!("{other}{end}")), None);
                assert_eq!(value.get("workdir").unwrap(), &info.style.value("build"));
                assert_eq!(value.get(object).unwrap(), &Value::Mine(Luid(7)));
            }
            let value = |args: &CommandArgs, key| {
                let dict = args.to_value(&info, None);
                dict.get(key).unwrap().clone()
            };
            assert_eq!(value(&upload, "keepstamp"), Value::Bool(true));
            assert_eq!(value(&upload, "maxsize"), Value::None);
            assert_eq!(value(&upload, "blocksize"), Value::Int(BLOCK_BYTES.into()));
            assert_eq!(value(&directory, "maxsize"), Value::Int(1 << 40));
            assert_eq!(value(&directory, "compress"), info.style.value("bz2"));
            assert_eq!(value(&download, "mode"), Value::Int(0o640));
            let most = Value::Int(MAX_BLOCK_BYTES.into());
            assert_eq!(value(&download, "blocksize"), most);
        }
    }
}
