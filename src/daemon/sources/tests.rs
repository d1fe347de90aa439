#![expect(clippy::unwrap_used, reason = "tests")]

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::*;
use crate::changes::driver::Wake;
use crate::clock::Clock;
use crate::config::parse;
use crate::control::Newsroom;
use crate::model::Zone;
use crate::store::Store;

/// What drivers have done so far.
static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A driver that writes down what happens to it.
#[derive(Debug)]
struct Recorder {
    user: String,
}

impl Driver for Recorder {
    fn run(self: Box<Self>, desk: Desk) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let note = |what: &str| {
                let line = format!("{} ({}) {what}", desk.source, self.user);
                DONE.lock().unwrap().push(line);
            };
            note("begins");
            let far = Instant::now() + std::time::Duration::from_secs(86_400);
            while desk.wait(far).await == Wake::Poked {
                note("looks");
            }
            tokio::task::yield_now().await;
            note("ends");
        })
    }
}

fn config(sources: &[(&str, &str)]) -> Config {
    let mut text = "slave_port = 9989\n".to_owned();
    for (port, (name, user)) in sources.iter().enumerate() {
        let port = 2000 + port;
        text += &format!(
            "[[change_sources]]\ntype = \"PB\"\nname = \"{name}\"\nuser = \"{user}\"\n\
             password = \"x\"\nport = {port}\n"
        );
    }
    parse(&text, "master.toml", &Ok(Zone::UTC)).unwrap().0
}

/// Lets all tasks do what they can, and takes what they did.
async fn done() -> Vec<String> {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    std::mem::take(&mut *DONE.lock().unwrap())
}

#[tokio::test]
async fn int_01_drivers_are_started_stopped_and_restarted_by_a_reconfigure() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let control = Control::new(
        mpsc::channel(1).0,
        store.start(Box::new(|_| ())).unwrap(),
        Newsroom::new(),
        mpsc::channel(1).0,
        watch::channel(Arc::default()).1,
        Clock::system(),
    );
    let tasks = Tasks::default();
    let maker: Maker = |config| {
        let user = config.pb()?.user.clone();
        Some(Box::new(Recorder { user }))
    };
    let mut sources = Sources::new(control.clone(), tasks.clone(), maker);
    sources.set(&config(&[("one", "a"), ("two", "b")]));
    assert_eq!(done().await, ["one (a) begins", "two (b) begins"]);
    assert!(control.pokes().poke(&"two".into()));
    assert_eq!(done().await, ["two (b) looks"]);
    sources.set(&config(&[("one", "a"), ("two", "c")]));
    assert_eq!(done().await, ["two (b) ends", "two (c) begins"]);
    assert!(control.pokes().poke(&"two".into()));
    assert_eq!(done().await, ["two (c) looks"]);
    sources.set(&config(&[("one", "a")]));
    assert_eq!(done().await, ["two (c) ends"]);
    assert!(!control.pokes().poke(&"two".into()));
    tasks.stop();
    assert_eq!(done().await, ["one (a) ends"]);
}
