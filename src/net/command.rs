//! A running command: carries what a slave says of it to the build, and interrupts to the slave
//! (PROTOCOL section 9.3).
//!
//! Invariant: the pump never waits for an answer of the slave, only for the build to take an event;
//! then the slave's connection is not read, which is the back-pressure that keeps memory bounded
//! (see the module `net`).

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;
use tracing::{debug, info_span};

use super::{CallError, IncomingCall, Peer, transfer};
use crate::model::CommandId;
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::{CommandArgs, SlaveInfo, TextStyle, Update, decode_updates};
use crate::transfer::Lent;

/// Events that may wait for the build.
const EVENTS: usize = 16;
/// Calls of the slave that may wait for the pump.
const CALLS: usize = 16;

/// A command that a slave runs. A test makes one from channels of its own and plays the slave.
#[derive(Debug)]
pub struct RunningCommand {
    /// What it says; ends after [`CommandEvent::Ended`].
    pub events: mpsc::Receiver<CommandEvent>,
    /// Asks for its interruption, with the reason; it then ends the usual way, or not at all.
    pub interrupt: mpsc::UnboundedSender<String>,
}

/// What a running command does.
#[derive(Debug)]
pub enum CommandEvent {
    /// It says something. The acknowledgement is to be given when that is stored (LOG-01).
    Updates(Vec<Update>, Acknowledge),
    /// It is over; nothing follows.
    Ended(CommandEnd),
}

/// How a command ended.
#[derive(Debug)]
pub enum CommandEnd {
    /// The slave says that it is complete; the exit status came as an update.
    Complete,
    /// The slave's own code failed, or the command could not be started.
    Failed(Failure),
    /// The connection is gone.
    Lost,
}

/// The acknowledgement of updates; given when it is dropped or by [`Acknowledge::stored`].
pub struct Acknowledge(Option<Box<dyn FnOnce() + Send>>);

impl Acknowledge {
    /// One that is given by `give`.
    pub fn new(give: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(give)))
    }

    /// The updates are stored.
    pub fn stored(self) {
        drop(self);
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        if let Some(give) = self.0.take() {
            give();
        }
    }
}

impl fmt::Debug for Acknowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acknowledge")
    }
}

/// Sends `startCommand` to the slave's `builder`.
pub(super) fn start(
    peer: &Peer,
    builder: Luid,
    slave: &SlaveInfo,
    id: CommandId,
    args: &CommandArgs,
    lent: Option<Lent>,
) -> RunningCommand {
    let (object, calls) = peer.export(CALLS);
    let (interrupt, interrupts) = mpsc::unbounded_channel();
    let end = lent.map(|lent| transfer::serve(peer, lent, interrupt.clone()));
    // Slaves repeat it in their own logs and look for nothing in it.
    let id = slave.style.value(&id.to_string());
    let started = peer.call(
        Target::Object(builder),
        "startCommand",
        vec![
            Value::Mine(object),
            id.clone(),
            slave.style.value(args.name(slave)),
            args.to_value(slave, end),
        ],
        Vec::new(),
    );
    let (events_in, events) = mpsc::channel(EVENTS);
    let pump = Pump {
        peer: peer.clone(),
        builder,
        id,
        style: slave.style,
        end,
        calls,
        events: events_in,
        interrupts,
    };
    let span = info_span!("command", peer.addr = peer.address());
    peer.tasks()
        .spawn(span, pump.run(object, Box::pin(started)));
    RunningCommand { events, interrupt }
}

type Started = Pin<Box<dyn Future<Output = Result<Value, CallError>> + Send>>;

struct Pump {
    peer: Peer,
    /// The slave's builder, and what it knows the command by.
    builder: Luid,
    id: Value,
    style: TextStyle,
    /// The object that the slave reads from or writes to while it runs.
    end: Option<Luid>,
    calls: mpsc::Receiver<Box<IncomingCall>>,
    events: mpsc::Sender<CommandEvent>,
    interrupts: mpsc::UnboundedReceiver<String>,
}

impl Pump {
    async fn run(mut self, object: Luid, started: Started) {
        let end = self.until_end(started).await;
        self.deliver(CommandEvent::Ended(end)).await;
        // The slave may keep its reference, and py3 ones do so for long (PROTOCOL section 4.3).
        self.peer.retire(object);
        if let Some(end) = self.end {
            self.peer.retire(end);
        }
    }

    async fn until_end(&mut self, mut started: Started) -> CommandEnd {
        let mut answered = false;
        loop {
            tokio::select! {
                // What was said before counts before the answer to the start, which may come at any
                // time.
                biased;
                call = self.calls.recv() => match call {
                    Some(call) => {
                        if let Some(end) = self.on_call(call).await {
                            return end;
                        }
                    }
                    None if self.peer.is_lost() => return CommandEnd::Lost,
                    // It starts another command instead, or its code is broken.
                    None => return CommandEnd::Failed(Failure::new(
                        "builtins.RuntimeError",
                        "the slave let go of the command before it was complete",
                    )),
                },
                answer = &mut started, if !answered => match answer {
                    Ok(_) => answered = true,
                    Err(CallError::Remote(failure)) => return CommandEnd::Failed(failure),
                    Err(CallError::Lost) => return CommandEnd::Lost,
                },
                Some(why) = self.interrupts.recv() => self.interrupt(&why),
            }
        }
    }

    /// Handles a call of the slave; `complete` ends the command.
    async fn on_call(&mut self, call: Box<IncomingCall>) -> Option<CommandEnd> {
        let IncomingCall {
            method,
            args,
            reply,
            room,
            ..
        } = *call;
        match (method.as_ref(), args.as_slice()) {
            (b"update", [list, ..]) => match decode_updates(list) {
                Ok(updates) => {
                    let last = updates.iter().map(|numbered| numbered.number).max();
                    let last = Value::Int(last.unwrap_or_default());
                    let acknowledge = Acknowledge::new(move || {
                        reply.value(last);
                        // The memory that the updates took is given back.
                        drop(room);
                    });
                    let updates = updates
                        .into_iter()
                        .map(|numbered| numbered.update)
                        .collect();
                    self.deliver(CommandEvent::Updates(updates, acknowledge))
                        .await;
                }
                Err(error) => {
                    debug!("invalid update of a slave: {error}");
                    reply.fail(Failure::new("builtins.ValueError", error.to_string()));
                }
            },
            (b"complete", args) => {
                let failure = match args.first().map(Value::unshared) {
                    Some(Value::Failure(failure)) => Some((**failure).clone()),
                    Some(Value::None) | None => None,
                    Some(other) => Some(Failure::new("builtins.Exception", format!("{other:?}"))),
                };
                return Some(failure.map_or(CommandEnd::Complete, CommandEnd::Failed));
            }
            _ => reply.fail(Failure::no_such_method(&String::from_utf8_lossy(&method))),
        }
        None
    }

    /// Waits until the build takes `event`, and meanwhile passes interrupts on. If the build is
    /// gone, nobody wants it.
    async fn deliver(&mut self, event: CommandEvent) {
        loop {
            tokio::select! {
                biased;
                Some(why) = self.interrupts.recv() => self.interrupt(&why),
                room = self.events.reserve() => {
                    if let Ok(room) = room {
                        room.send(event);
                    }
                    return;
                }
            }
        }
    }

    /// Asks the slave to interrupt the command. What matters is how that ends, not the answer.
    fn interrupt(&self, why: &str) {
        let target = Target::Object(self.builder);
        let args = vec![self.id.clone(), self.style.value(why)];
        drop(self.peer.call(target, "interruptCommand", args, Vec::new()));
    }
}
