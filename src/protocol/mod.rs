//! What Buildbot's peers say over Perspective Broker, typed; both ends, without I/O.
//!
//! Values come in and go out as [`crate::pb::Value`]s. Python 2 and 3 peers mix byte strings and
//! text everywhere (PROTOCOL section 6): what comes in is accepted either way, what goes out is
//! spelled as [`TextStyle`] says.

pub mod bounds;
pub mod change;
pub mod command;
pub mod commit_status;
pub mod files;
pub mod gerrit;
pub mod hook;
pub mod irc;
pub mod jobfile;
pub mod mail;
mod malformed;
mod prompt;
pub mod pulls;
pub mod report;
mod shell;
pub mod slave;
pub mod source;
pub mod text;
pub mod transfer;
pub mod try_call;
mod update;
pub mod user_call;

pub use command::CommandArgs;
pub use malformed::Malformed;
pub use prompt::{DefaultVariable, PromptVariable};
pub use shell::{LogFile, ShellArgs, ShellCommand, ShellError, Word};
pub use slave::SlaveInfo;
pub use text::TextStyle;
pub use update::{Numbered, Update, decode_updates, encode_updates};
