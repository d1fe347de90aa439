//! What every connection over TCP has.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Sets what every connection over TCP has: no delay for short messages, and keepalive (SLV-05).
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    let counted = socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_COUNT));
    match counted {
        // Before Windows 10, the number of probes is always ten.
        Err(_) if cfg!(windows) => Ok(()),
        done => done,
    }
}

/// Time without data after which a connection is probed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
/// Time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Number of probes without an answer after which a connection is closed.
const KEEPALIVE_COUNT: u32 = 4;
