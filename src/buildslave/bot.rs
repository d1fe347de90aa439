//! The object of the whole slave, which the master calls after the login (PROTOCOL section 9.1).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, info_span};

use super::Settings;
use super::builder::Builder;
use super::calls::{self, Callable, message};
use super::commands::Commands;
use super::info::{VERSION, slave_commands, slave_info, worker_info};
use crate::net::{IncomingCall, Peer, Tasks};
use crate::pb::{Failure, Luid, Value};
use crate::platform::os_string;
use crate::protocol::TextStyle;

/// The slave's object for one connection. It never waits for the master.
#[derive(Debug)]
pub(super) struct Bot {
    settings: Arc<Settings>,
    commands: Commands,
    peer: Peer,
    tasks: Tasks,
    /// Cancelled when the master tells the slave to shut down.
    shutdown: CancellationToken,
    builders: BTreeMap<Bytes, Entry>,
    /// Whether the master takes output as bytes: it called `print` with a byte string by position.
    takes_bytes: bool,
}

/// A builder of the master's list.
#[derive(Debug)]
struct Entry {
    object: Luid,
    dir: watch::Sender<PathBuf>,
    tasks: Tasks,
    /// Closed when the master has released the object.
    alive: Weak<()>,
}

impl Bot {
    pub(super) fn new(
        settings: Arc<Settings>,
        commands: Commands,
        peer: Peer,
        tasks: Tasks,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            settings,
            commands,
            peer,
            tasks,
            shutdown,
            builders: BTreeMap::new(),
            takes_bytes: false,
        }
    }

    /// Serves the master's calls until the connection is over.
    pub(super) async fn serve(mut self, calls: mpsc::Receiver<Box<IncomingCall>>) {
        let tasks = self.tasks.clone();
        calls::serve(&mut self, calls, &tasks).await;
    }

    /// Replaces the list of builders and their directories; returns the object of each. Builders
    /// that remain keep their objects.
    fn set_builders(&mut self, list: Option<&Value>) -> Result<Value, Failure> {
        let wrong = || {
            let text = "setBuilderList needs a list of (name, directory)";
            Failure::new("builtins.TypeError", text)
        };
        let items = list.and_then(Value::as_items).ok_or_else(wrong)?;
        let mut wanted = BTreeMap::new();
        for item in items {
            let Some([name, dir]) = item.as_items() else {
                return Err(wrong());
            };
            let raw = name.as_raw().ok_or_else(wrong)?;
            let dir = dir.as_raw().ok_or_else(wrong)?.to_vec();
            let dir = self.settings.base_dir.join(os_string(dir));
            self.settings.host.make_dirs(&dir).map_err(|error| {
                let text = format!("cannot make directory {}: {error}", dir.display());
                Failure::new("builtins.OSError", text)
            })?;
            wanted.insert(raw.clone(), (name.clone(), dir));
        }
        let gone: Vec<_> = self.builders.keys().cloned().collect();
        for name in gone.iter().filter(|name| !wanted.contains_key(*name)) {
            info!(builder = ?String::from_utf8_lossy(name), "builder removed");
            self.remove(name);
        }
        report_leftovers(&self.settings, wanted.values().map(|(_, dir)| dir));
        let mut answer = Vec::new();
        for (raw, (name, dir)) in wanted {
            answer.push((name, Value::Mine(self.builder(raw, dir))));
        }
        Ok(Value::Dict(answer))
    }

    /// The object of a builder; creates it if necessary.
    fn builder(&mut self, name: Bytes, dir: PathBuf) -> Luid {
        if let Some(entry) = self.builders.get(&name) {
            if entry.alive.strong_count() > 0 {
                entry.dir.send_replace(dir);
                return entry.object;
            }
            self.remove(&name);
        }
        let text = String::from_utf8_lossy(&name).into_owned();
        info!(builder = ?text, dir = ?dir, "builder added");
        let (object, calls) = self.peer.export(CALLS);
        let (dir, dir_now) = watch::channel(dir);
        let tasks = self.tasks.child();
        let span = info_span!("builder", builder = ?text);
        let builder = Builder {
            dir: dir_now,
            settings: Arc::clone(&self.settings),
            commands: self.commands.clone(),
            peer: self.peer.clone(),
            tasks: tasks.clone(),
            shutdown: self.shutdown.clone(),
            takes_bytes: self.takes_bytes,
            running: None,
            master: None,
        };
        let alive = Arc::new(());
        let entry = Entry {
            object,
            dir,
            tasks: tasks.clone(),
            alive: Arc::downgrade(&alive),
        };
        self.builders.insert(name, entry);
        tasks.spawn(span, builder.serve(calls, alive));
        object
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some(entry) = self.builders.remove(name) {
            entry.tasks.stop();
            self.peer.retire(entry.object);
        }
    }

    /// The directories below the base directory, which masters before 0.8.2 ask for.
    fn dirs(&self) -> Value {
        let names = subdirectories(&self.settings);
        let names = names.into_iter().map(OsString::into_encoded_bytes);
        Value::List(names.map(Value::bytes).collect())
    }
}

impl Callable for Bot {
    fn call(
        &mut self,
        method: &[u8],
        args: &[Value],
        kwargs: &[(Value, Value)],
    ) -> Result<Value, Failure> {
        let bytes = TextStyle::Bytes;
        Ok(match method {
            b"print" => {
                let greeting = args.first().map(Value::unshared);
                self.takes_bytes |= matches!(greeting, Some(Value::Bytes(_)));
                let text = message(args, kwargs);
                info!(?text, "message from the master");
                Value::None
            }
            b"getSlaveInfo" => Value::Dict(slave_info(&self.settings, bytes)),
            b"getWorkerInfo" => Value::Dict(worker_info(&self.settings)),
            b"getVersion" => bytes.value(VERSION),
            b"getCommands" => slave_commands(bytes),
            b"getDirs" => self.dirs(),
            b"setBuilderList" => self.set_builders(args.first())?,
            b"shutdown" => {
                info!("the master told this slave to shut down");
                self.shutdown.cancel();
                Value::None
            }
            other => {
                let method = String::from_utf8_lossy(other);
                return Err(Failure::no_such_method(&method));
            }
        })
    }
}

/// Logs directories that no builder uses, which people may remove.
fn report_leftovers<'a>(settings: &Settings, wanted: impl Iterator<Item = &'a PathBuf>) {
    let wanted: BTreeSet<_> = wanted.collect();
    for name in subdirectories(settings) {
        let dir = settings.base_dir.join(&name);
        let is_used = wanted.iter().any(|used| used.starts_with(&dir));
        if name != "info" && !is_used {
            info!(?dir, "no builder uses this directory; it may be removed");
        }
    }
}

fn subdirectories(settings: &Settings) -> Vec<OsString> {
    let entries = settings.host.list(&settings.base_dir).unwrap_or_default();
    let dirs = entries.into_iter().filter(|entry| entry.is_dir);
    let mut names: Vec<_> = dirs.map(|entry| entry.name).collect();
    names.sort();
    names
}

/// Maximum number of waiting calls of each object.
const CALLS: usize = 16;
