//! A client that has logged in over a connection in memory, and the master that a test plays.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;

use buildmaster::clock::Clock;
use buildmaster::control::{Control, Newsroom, Question};
use buildmaster::net::{
    Directory, Door, Gatekeeper, Login, Peer, Tasks, UserKind, client, connection,
};
use buildmaster::pb::{Luid, Target, Value};
use buildmaster::store::Store;
use tokio::sync::mpsc;

/// A client that has logged in, and what its master has.
pub(crate) struct Connected {
    pub(crate) peer: Peer,
    pub(crate) avatar: Luid,
    pub(crate) newsroom: Newsroom,
    pub(crate) dir: tempfile::TempDir,
}

impl Connected {
    /// A client logs in as `user`. `answer` plays the core, and `serve` serves the client.
    pub(crate) async fn new<Served>(
        (user, kind): (&str, UserKind),
        answer: impl Fn(Question) + Send + 'static,
        serve: impl FnOnce(Login, Control, PathBuf) -> Served + Send + 'static,
    ) -> Self
    where
        Served: Future<Output = ()> + Send + 'static,
    {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path()).unwrap();
        let writer = store.start(Box::new(|_| {})).unwrap();
        let newsroom = Newsroom::new();
        let (ask, mut questions) = mpsc::channel(1);
        let (reconfigure, _) = mpsc::channel(1);
        let control = Control::new(
            ask,
            writer,
            newsroom.clone(),
            reconfigure,
            tokio::sync::watch::channel(Arc::default()).1,
            Clock::system(),
        );
        tokio::spawn(async move {
            while let Some(question) = questions.recv().await {
                answer(question);
            }
        });
        let tasks = Tasks::default();
        let mut directory = Directory::new();
        directory.insert(user, b"pw", kind);
        let (tell, mut logins) = mpsc::channel(1);
        let door = Door::new(directory, tell, Gatekeeper::new(&[]), tasks.clone());
        let (ours, theirs) = tokio::io::duplex(65_536);
        door.accept(theirs, "client", None);
        let basedir = dir.path().to_owned();
        tokio::spawn(async move {
            let login = logins.recv().await.unwrap();
            serve(login, control, basedir).await;
        });
        let peer = connection::connect(ours, "master", &tasks);
        let avatar = client::login(&peer, user, b"pw", Value::None)
            .await
            .unwrap();
        Self {
            peer,
            avatar,
            newsroom,
            dir,
        }
    }

    pub(crate) async fn try_call(
        &self,
        object: Luid,
        method: &'static str,
        args: Vec<Value>,
    ) -> Result<Value, String> {
        let call = self
            .peer
            .call(Target::Object(object), method, args, Vec::new());
        call.await.map_err(|error| error.to_string())
    }

    pub(crate) async fn call(&self, object: Luid, method: &'static str, args: Vec<Value>) -> Value {
        self.try_call(object, method, args).await.unwrap()
    }
}
