//! The native slave: implements the slave's side of the protocol and runs the commands of a master.
//!
//! [`run`] logs in to a master, serves it, and reconnects after each loss of the connection, until
//! it is stopped. It attaches to a `buildmaster`, a Buildbot 0.8 master or a Buildbot 4.x master.
//! The same code is the program `buildslave` and, over a stream in memory, a slave of
//! `type = "local"` inside a master. Its counterparts are `net` and `protocol`.
//!
//! The slave recognizes the version of a master by its calls. `getSlaveInfo`, `getVersion` and
//! `getCommands` are answered in byte strings (0.8), `getWorkerInfo` is answered in text (4.x). The
//! updates of a command are byte strings, with the unchanged output of programs, for a master that
//! greets with a byte string by position (0.8 and ours) or spells the keys of the command's
//! arguments as byte strings. Other masters (4.x) get text, decoded as it arrives, with invalid
//! UTF-8 replaced, because they fail a step on anything else.
//!
//! Where to start reading: `slave` (the loop), `session` (one connection), `bot` and `builder` (the
//! objects a master calls), `command` (what runs).
//!
//! Invariants: a builder runs one command at a time. A command that has ended, or whose connection
//! is lost, leaves no process of its group behind. If a master is slow to take output, the command
//! waits, and the memory in use stays bounded. There are no updates after `complete`.

mod base_dir;
mod bot;
mod builder;
mod calls;
mod command;
mod commands;
mod controls;
pub mod host;
mod info;
pub mod program;
mod session;
mod settings;
mod slave;

pub use base_dir::{AllowShutdown, BaseDir, BaseDirError, NewSlave, Password};
pub use controls::{Controls, Ended, Event};
pub use settings::{Connector, INSTANCE_VARIABLE, PASSWORD_VARIABLE, Settings, own_environment};
pub use slave::run;
