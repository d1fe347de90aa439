//! The native slave: keeps the slave's side of the protocol and runs what a master tells it.
//!
//! [`run`] logs in to a master, serves it, and comes back after each loss of the connection, until
//! it is stopped. It attaches to a `buildmaster`, to a Buildbot 0.8 master and to a Buildbot 4.x
//! master. The same code is the program `buildslave` and, over a stream in memory, a slave of
//! `type = "local"` inside a master.
//!
//! How it tells its masters apart, without asking any of them what it is: who calls `getSlaveInfo`,
//! `getVersion` or `getCommands` gets byte strings (0.8), who calls `getWorkerInfo` gets text
//! (4.x). What a command says is spelled in byte strings, the output of programs byte for byte, for
//! a master that greets with a byte string by position, as 0.8 and our own do, or that spells the
//! keys of the command's arguments as byte strings. Others, which is Buildbot 4.x, get text,
//! decoded as it comes, with what is not UTF-8 replaced, for they fail a step on anything else.
//!
//! Where to start reading: `slave` (the loop), `session` (one connection), `bot` and `builder` (the
//! objects a master calls), `command` (what runs).
//!
//! Invariants: a builder runs one command at a time; a command that is over, or whose connection is
//! lost, leaves no process of its group behind; a master that is slow to take output makes the
//! command wait, and the memory in use stays bounded; nothing is said after `complete`.

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
pub mod pty;
mod session;
mod settings;
mod slave;

pub use base_dir::{AllowShutdown, BaseDir, BaseDirError, NewSlave, Password};
pub use controls::{Controls, Ended, Event};
pub use settings::{Connector, INSTANCE_VARIABLE, PASSWORD_VARIABLE, Settings, own_environment};
pub use slave::run;
