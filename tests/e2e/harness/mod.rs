//! What the end-to-end tests are made of: processes with captured output, our master and slaves,
//! real peers.
//!
//! Invariants: a process belongs to the value that started it and is killed when that is dropped,
//! by its own id and no other way; every wait has a deadline and tells, when it passes, what the
//! programs printed.

pub(crate) mod client;
pub(crate) mod master;
pub(crate) mod peers;
pub(crate) mod printed;
pub(crate) mod process;
pub(crate) mod real_master;
pub(crate) mod repository;
pub(crate) mod sandbox;
pub(crate) mod setup;
pub(crate) mod slave;
pub(crate) mod web;

pub(crate) use master::{Build, Master};
pub(crate) use peers::{from_pypi, peer};
pub(crate) use process::{Finished, Process, run, wait_until};
pub(crate) use repository::Repository;
pub(crate) use sandbox::{Sandbox, free_port, is_slow};
pub(crate) use setup::{Setup, shell, step};
pub(crate) use slave::{Kind, Slave};
