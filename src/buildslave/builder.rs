//! A builder's object: the master starts and interrupts commands on it (PROTOCOL section 9.3).

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, info_span};

use super::Settings;
use super::calls::{self, Callable, message};
use super::command::{Command, Context, Delivery, Outlet, Stop, StopSignal};
use super::commands::{CommandKey, Commands};
use crate::net::{IncomingCall, Peer, Tasks};
use crate::pb::{Failure, Luid, Value};
use crate::protocol::TextStyle;

/// One builder of the slave, served by a task of its own.
#[derive(Debug)]
pub(super) struct Builder {
    /// The directory of the builder; a master may change it.
    pub(super) dir: watch::Receiver<PathBuf>,
    pub(super) settings: Arc<Settings>,
    /// Where its commands run.
    pub(super) commands: Commands,
    pub(super) peer: Peer,
    /// Stopped when the builder is removed or the connection is over.
    pub(super) tasks: Tasks,
    /// Cancelled when the master tells the slave to shut down.
    pub(super) shutdown: CancellationToken,
    /// Whether the master takes output as bytes, whatever a command's arguments look like.
    pub(super) takes_bytes: bool,
    /// The last command that is not quick; it may have ended.
    pub(super) running: Option<CommandKey>,
    /// The master's object of the builder, if the master has sent it.
    pub(super) master: Option<Luid>,
}

impl Builder {
    /// Serves the master's calls until the builder is removed or the connection ends. Then it kills
    /// a running command.
    pub(super) async fn serve(mut self, calls: mpsc::Receiver<Box<IncomingCall>>, alive: Arc<()>) {
        let tasks = self.tasks.clone();
        calls::serve(&mut self, calls, &tasks).await;
        // From now on, the builder needs a new object if the master lists it again.
        drop(alive);
        // A master that releases the object does not thereby stop its command.
        tokio::select! {
            biased;
            () = self.tasks.stopping() => {}
            _ = self.peer.lost() => {}
        }
        self.stop(Stop::Abandoned);
    }

    /// Starts a command. A command that still runs is killed without further updates, unless it is
    /// quick.
    fn start(&mut self, args: &[Value]) -> Result<(), Failure> {
        let [object, id, name, command_args] = args else {
            let text = format!("startCommand takes 4 arguments ({} given)", args.len());
            return Err(Failure::new("builtins.TypeError", text));
        };
        let object = object.as_theirs().ok_or_else(|| {
            let text = "startCommand needs a command object";
            Failure::new("builtins.TypeError", text)
        })?;
        let name = name.as_text().unwrap_or_default().into_owned();
        let id = id.as_text().unwrap_or_default().into_owned();
        self.stop(Stop::Abandoned);
        let command = match Command::parse(&name, command_args) {
            Ok(command) => command,
            Err(failure) => {
                info!(command = ?name, %failure, "command rejected");
                let given = command_args.as_dict().unwrap_or_default();
                let objects = given.iter().filter_map(|(_, value)| value.as_theirs());
                for object in objects.chain([object]) {
                    self.peer.release(object);
                }
                return Err(failure);
            }
        };
        let is_quick = command.is_quick();
        let style = self.style_of(command_args);
        let (settings, dir, peer) = (
            Arc::clone(&self.settings),
            self.dir.borrow().clone(),
            self.peer.clone(),
        );
        let span = info_span!("command", command = ?name, id = ?id);
        let running = self.commands.start(span, move |stop| async move {
            let (outlet, queue) = Outlet::new();
            let context = Context {
                settings,
                dir,
                peer: Some(peer.clone()),
                style,
                outlet,
                stop: stop.clone(),
            };
            let delivery = Delivery::new(peer, object, style);
            run(command, context, deliver(delivery, queue, stop)).await;
        });
        self.running = (!is_quick).then_some(running);
        Ok(())
    }

    /// The spelling of a command's updates for the master.
    fn style_of(&self, args: &Value) -> TextStyle {
        let first = args.as_dict().and_then(|pairs| pairs.first());
        match first.map(|(key, _)| key.unshared()) {
            Some(Value::Text(_)) if !self.takes_bytes => TextStyle::Unicode,
            _ => TextStyle::Bytes,
        }
    }

    fn stop(&self, why: Stop) {
        if let Some(running) = self.running {
            self.commands.stop(running, why);
        }
    }
}

impl Callable for Builder {
    fn call(
        &mut self,
        method: &[u8],
        args: &[Value],
        kwargs: &[(Value, Value)],
    ) -> Result<Value, Failure> {
        match method {
            b"startCommand" => self.start(args)?,
            b"interruptCommand" => {
                let why = args.get(1).and_then(Value::as_text).unwrap_or_default();
                info!(?why, "command interrupted by the master");
                self.stop(Stop::Interrupted);
            }
            b"setMaster" => {
                let master = args.first().and_then(Value::as_theirs);
                if let Some(old) = std::mem::replace(&mut self.master, master) {
                    self.peer.release(old);
                }
            }
            b"print" => {
                let text = message(args, kwargs);
                info!(?text, "message from the master");
            }
            b"startBuild" => info!("build started"),
            b"ping" => {}
            b"shutdown" => self.shutdown.cancel(),
            other => {
                let method = String::from_utf8_lossy(other);
                return Err(Failure::no_such_method(&method));
            }
        }
        Ok(Value::None)
    }
}

/// Runs a command, while `deliver` sends its updates to the master.
async fn run(command: Command, context: Context, deliver: impl Future<Output = Option<Delivery>>) {
    debug!("started");
    let (result, delivery) = tokio::join!(command.run(context), deliver);
    let Some(mut delivery) = delivery else {
        info!("ended; the master no longer listens");
        return;
    };
    let failure = match result {
        Ok(()) => Value::None,
        Err(failure) => {
            info!(%failure, "failed");
            Value::Failure(Box::new(failure))
        }
    };
    debug!("ended");
    if delivery.complete(failure).await.is_ok() {
        delivery.finish().await;
    }
}

/// Delivers the updates of a command until the command is abandoned.
async fn deliver(
    mut delivery: Delivery,
    queue: mpsc::Receiver<crate::protocol::Update>,
    mut signal: StopSignal,
) -> Option<Delivery> {
    let delivered = tokio::select! {
        biased;
        delivered = delivery.deliver(queue) => delivered.is_ok(),
        () = signal.abandoned() => false,
    };
    delivered.then_some(delivery)
}
