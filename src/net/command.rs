//! A running command: carries what a slave says of it to the build, and interrupts to the slave (PROTOCOL section 9.3).
//!
//! Invariant: the pump never waits for an answer of the slave, only for the build to take an event; then the slave's
//! connection is not read, which is the back-pressure that keeps memory bounded (see the module `net`).

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tracing::{debug, info_span};

use super::slave::{AckReply, Acknowledge, CommandEnd, CommandEvent, RunningCommand};
use super::{CallError, IncomingCall, Peer, reader};
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::{CommandArgs, SlaveInfo, TextStyle, decode_updates};

/// Events that may wait for the build.
const EVENTS: usize = 16;
/// Calls of the slave that may wait for the pump.
const CALLS: usize = 16;

/// Number of the next command; one count for the whole process, as in real masters.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Sends `startCommand` to the slave's `builder`.
pub(super) fn start(
    peer: &Peer,
    builder: Luid,
    slave: &SlaveInfo,
    args: &CommandArgs,
) -> RunningCommand {
    let (object, calls) = peer.export(CALLS);
    let reader = args.content().map(|content| reader::serve(peer, content));
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).to_string();
    let id = slave.style.value(&id);
    let started = peer.call(
        Target::Object(builder),
        "startCommand",
        vec![
            Value::Mine(object),
            id.clone(),
            slave.style.value(args.name(slave)),
            args.to_value(slave, reader),
        ],
        Vec::new(),
    );
    let (events_in, events) = mpsc::channel(EVENTS);
    let (interrupt, interrupts) = mpsc::unbounded_channel();
    let pump = Pump {
        peer: peer.clone(),
        builder,
        id,
        style: slave.style,
        reader,
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
    /// What the slave reads from while it runs.
    reader: Option<Luid>,
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
        if let Some(reader) = self.reader {
            self.peer.retire(reader);
        }
    }

    async fn until_end(&mut self, mut started: Started) -> CommandEnd {
        let mut answered = false;
        loop {
            tokio::select! {
                // What was said before counts before the answer to the start, which may come at any time.
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
                    let acknowledge = Acknowledge(Some(AckReply::Slave(reply, room)));
                    self.deliver(CommandEvent::Updates(updates, acknowledge))
                        .await;
                }
                Err(error) => {
                    debug!("a slave's update makes no sense: {error}");
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

    /// Waits until the build takes `event`, and meanwhile passes interrupts on. If the build is gone, nobody wants it.
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
