//! Where connections come in.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tracing::info_span;

use super::connection::Connection;
use super::directory::Directory;
use super::gatekeeper::Gatekeeper;
use super::login::{Desk, Gate, Login, lock};
use super::peer::Peer;
use super::tasks::Tasks;
use crate::pb::{Broker, Limits};

/// Accepts connections: the listeners of one set share it.
pub struct Door {
    desk: Arc<Desk>,
}

impl Door {
    /// A door for the users of `directory`. Those who prove to be one of them are sent to `logins`.
    #[must_use]
    pub fn new(
        directory: Directory,
        logins: mpsc::Sender<Login>,
        gatekeeper: Arc<Gatekeeper>,
        tasks: Tasks,
    ) -> Arc<Self> {
        let desk = Arc::new(Desk {
            directory: Mutex::new(Arc::new(directory)),
            gatekeeper,
            logins,
            tasks,
        });
        Arc::new(Self { desk })
    }

    /// Other users from now on; connections that are logged in stay.
    pub fn replace_directory(&self, directory: Directory) {
        *lock(&self.desk.directory) = Arc::new(directory);
    }

    /// Serves a new connection. `address` is for logs, `origin` for counting: absent for local
    /// ones.
    pub fn accept<S>(&self, stream: S, address: &str, origin: Option<IpAddr>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (peer, asked) = Peer::new(address, &self.desk.tasks);
        let gate = Gate::new(&self.desk, peer, origin);
        let broker = Broker::server(Limits::BEFORE_LOGIN);
        let connection = Connection::new(stream, broker, asked, &self.desk.tasks).behind(gate);
        let span = info_span!("connection", peer.addr = address);
        self.desk.tasks.spawn(span, connection.run());
    }

    /// Makes room when descriptors have run out.
    pub(super) fn make_room(&self) -> bool {
        self.desk.gatekeeper.make_room()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}
