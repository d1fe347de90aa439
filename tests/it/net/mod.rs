//! Connections, logins and slaves over streams in memory, with both ends of the real thing.

#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod listening;
mod logins;
mod slaves;
mod transcripts;

use std::net::IpAddr;
use std::sync::Arc;

use buildmaster::model::SlaveName;
use buildmaster::net::{
    Directory, Door, Gatekeeper, IncomingCall, Login, Peer, Tasks, UserKind, client, connection,
};
use buildmaster::pb::{Luid, Target, Value};
use tokio::sync::mpsc;

/// A server in memory that knows the slave `s1`, the slave `s2` and the user `change`.
struct Server {
    door: Arc<Door>,
    logins: mpsc::Receiver<Login>,
    gatekeeper: Arc<Gatekeeper>,
    tasks: Tasks,
    /// Those of its clients, which do not stop with it.
    client_tasks: Tasks,
}

impl Server {
    fn new() -> Self {
        Self::of(Gatekeeper::new(&[]))
    }

    /// Another port of the same program.
    fn second_port(&self) -> Self {
        Self::of(Arc::clone(&self.gatekeeper))
    }

    fn of(gatekeeper: Arc<Gatekeeper>) -> Self {
        let mut directory = Directory::new();
        for name in ["s1", "s2"] {
            directory.insert(name, b"pw", UserKind::Slave(SlaveName::from(name)));
        }
        let change = UserKind::Change {
            source: "change".into(),
            prefix: None,
        };
        directory.insert("change", b"pw", change);
        let (logins_in, logins) = mpsc::channel(4);
        let tasks = Tasks::default();
        Self {
            door: Door::new(directory, logins_in, Arc::clone(&gatekeeper), tasks.clone()),
            logins,
            gatekeeper,
            tasks,
            client_tasks: Tasks::default(),
        }
    }

    /// A connection whose client's side is bytes.
    fn raw(&self, address: Option<IpAddr>) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(16 * 1024);
        self.door.accept(theirs, "test", address);
        ours
    }

    fn connect(&self, address: Option<IpAddr>) -> Peer {
        connection::connect(self.raw(address), "server", &self.client_tasks)
    }

    /// The slave `s1` with an avatar that holds `capacity` calls.
    async fn session(&mut self, capacity: usize) -> Session {
        let client = self.connect(None);
        let (bot, bot_calls) = client.export(16);
        let logging_in = client::login(&client, "s1", b"pw", Value::Mine(bot));
        let ((server, avatar_calls, bot), avatar) = tokio::join!(
            async {
                let login = self.logins.recv().await.unwrap();
                let (avatar, calls) = login.peer.export(capacity);
                login.answer.accept(avatar);
                (login.peer, calls, login.mind.unwrap())
            },
            async { logging_in.await.unwrap() }
        );
        Session {
            client,
            avatar,
            bot_calls,
            server,
            bot,
            avatar_calls,
        }
    }
}

/// A client that is logged in, and both ends of both objects.
struct Session {
    client: Peer,
    avatar: Luid,
    bot_calls: mpsc::Receiver<Box<IncomingCall>>,
    server: Peer,
    bot: Luid,
    avatar_calls: mpsc::Receiver<Box<IncomingCall>>,
}

impl Session {
    /// Calls the avatar with a number.
    fn call(
        &self,
        number: i64,
    ) -> impl Future<Output = Result<Value, buildmaster::net::CallError>> + use<> {
        let args = vec![Value::Int(number)];
        self.client
            .call(Target::Object(self.avatar), "number", args, vec![])
    }
}

fn number(call: &IncomingCall) -> i64 {
    call.args[0].as_int().unwrap()
}
