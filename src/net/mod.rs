//! Drives a Perspective Broker [`crate::pb::Broker`] over a stream, both ends; listeners; logins.
//!
//! A connection is one task that owns the socket and the broker. The rest of the program holds a
//! [`Peer`]: it calls objects of the other side, and exports objects of its own, each of which is
//! a bounded channel of [`IncomingCall`]s.
//!
//! Servers make a [`Door`] and [`listen::listen`]; who proves to know a password becomes a
//! [`Login`]. Clients use [`client`]. A slave that has logged in is driven by a
//! [`slave::SlaveHandle`].
//!
//! Invariants: a full channel of an exported object stops the reading of its connection, so that a
//! slow disk makes the slave wait; so does using up the memory that its messages may take
//! (`budget`). Therefore whoever owns such a channel must never await an answer of the same
//! connection without also draining the channel. What is written waits in the broker, bounded; a
//! peer that does not read is dropped. Who has not logged in gets little time, few bytes and a
//! place that is taken from him when others come. Clients that have logged in have limits by user
//! and address, and an idle one leaves when others come.

mod budget;
pub mod client;
mod clients;
#[cfg(unix)]
mod command;
pub mod connection;
mod directory;
mod door;
mod end;
mod file_buffer;
mod gatekeeper;
mod http;
#[cfg(unix)]
mod interrupt;
mod keepalive;
mod known;
#[cfg(unix)]
pub mod listen;
mod lobby;
pub mod login;
pub mod peer;
mod reads;
mod refusals;
#[cfg(unix)]
pub mod slave;
mod tasks;
mod throttle;
#[cfg(unix)]
mod transfer;
mod unsent;

pub use budget::Room;
pub use clients::{Activity, idle_for};
#[cfg(unix)]
pub use command::{Acknowledge, CommandEnd, CommandEvent, CommandEvents, RunningCommand};
pub use directory::{Directory, UserKind};
pub use door::Door;
pub use gatekeeper::Gatekeeper;
pub use http::{error_chain, http_body, http_client, is_public, outward_http_client};
#[cfg(unix)]
pub use interrupt::Interrupt;
pub use known::network;
pub use login::{Login, LoginAnswer};
pub use peer::{CallError, IncomingCall, Lost, Peer, Reply, headline};
pub use refusals::{Refusals, Refused};
pub use tasks::Tasks;
