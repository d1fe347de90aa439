//! A running command: carries what a slave says of it to the build, and interrupts to the slave
//! (PROTOCOL section 9.3).
//!
//! No task stands between them: the build takes the calls of the slave itself. Invariant: while the
//! build takes nothing, the slave's connection is not read once [`CALLS`] calls wait, which is the
//! back-pressure that keeps memory bounded (see the module `net`).

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;
use tracing::debug;

use super::peer::Answer;
use super::{CallError, IncomingCall, Interrupt, Peer, transfer};
use crate::model::CommandId;
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::{CommandArgs, SlaveInfo, Update, decode_updates};
use crate::transfer::Lent;

/// Calls of the slave that may wait for the build.
const CALLS: usize = 16;

/// A command that a slave runs.
#[derive(Debug)]
pub struct RunningCommand {
    /// What it says.
    pub events: Box<dyn CommandEvents>,
    /// Asks for its interruption; it then ends the usual way, or not at all.
    pub interrupt: Interrupt,
}

/// What a command says. A test has events of its own, and plays the slave.
///
/// If they are dropped before the end, the command runs on, and what it says is acknowledged and
/// forgotten.
pub trait CommandEvents: fmt::Debug + Send {
    /// The next event; nothing after [`CommandEvent::Ended`].
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CommandEvent>>;

    /// The connection is gone: after what has come already, the command ends as lost.
    fn close(&mut self);
}

impl dyn CommandEvents {
    /// The next event; absent after the last. Cancel-safe.
    pub async fn recv(&mut self) -> Option<CommandEvent> {
        poll_fn(|context| self.poll_next(context)).await
    }
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
    // Slaves repeat it in their own logs and look for nothing in it.
    let id = slave.style.value(&id.to_string());
    let interrupt = interrupt(peer, builder, slave, &id);
    let end = lent.map(|lent| transfer::serve(peer, lent, interrupt.clone()));
    let started = peer.call(
        Target::Object(builder),
        "startCommand",
        vec![
            Value::Mine(object),
            id,
            slave.style.value(args.name(slave)),
            args.to_value(slave, end),
        ],
        Vec::new(),
    );
    let said = Said {
        peer: peer.clone(),
        object,
        end,
        calls,
        started: Some(started),
        is_closed: false,
        is_over: false,
    };
    RunningCommand {
        events: Box::new(said),
        interrupt,
    }
}

fn interrupt(peer: &Peer, builder: Luid, slave: &SlaveInfo, id: &Value) -> Interrupt {
    let (peer, style, id) = (peer.clone(), slave.style, id.clone());
    Interrupt::new(move |why| {
        let args = vec![id.clone(), style.value(why)];
        let target = Target::Object(builder);
        drop(peer.call(target, "interruptCommand", args, Vec::new()));
    })
}

/// What a slave says of a command.
#[derive(Debug)]
struct Said {
    peer: Peer,
    /// The object that stands for the command.
    object: Luid,
    /// The object that the slave reads from or writes to while the command runs.
    end: Option<Luid>,
    calls: mpsc::Receiver<Box<IncomingCall>>,
    /// The answer to the start, until it has come.
    started: Option<Answer>,
    is_closed: bool,
    is_over: bool,
}

impl CommandEvents for Said {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<CommandEvent>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let event = ready!(self.poll_event(context));
        self.is_over = matches!(event, CommandEvent::Ended(_));
        Poll::Ready(Some(event))
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.calls.close();
    }
}

impl Said {
    /// What was said before counts before the answer to the start, which may come at any time.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<CommandEvent> {
        while let Poll::Ready(call) = self.calls.poll_recv(context) {
            let event = match call {
                Some(call) => on_call(*call),
                None => Some(CommandEvent::Ended(self.silenced())),
            };
            if let Some(event) = event {
                return Poll::Ready(event);
            }
        }
        let Some(started) = &mut self.started else {
            return Poll::Pending;
        };
        let answer = ready!(Pin::new(started).poll(context));
        self.started = None;
        match answer {
            Ok(_) => Poll::Pending,
            Err(CallError::Remote(failure)) => {
                Poll::Ready(CommandEvent::Ended(CommandEnd::Failed(failure)))
            }
            Err(CallError::Lost) => Poll::Ready(CommandEvent::Ended(CommandEnd::Lost)),
        }
    }

    /// Nothing more can come.
    fn silenced(&self) -> CommandEnd {
        if self.is_closed || self.peer.is_lost() {
            return CommandEnd::Lost;
        }
        // It starts another command instead, or its code is broken.
        CommandEnd::Failed(Failure::new(
            "builtins.RuntimeError",
            "the slave let go of the command before it was complete",
        ))
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        // The slave may keep its reference, and py3 ones do so for long (PROTOCOL section 4.3).
        self.peer.retire(self.object);
        if let Some(end) = self.end {
            self.peer.retire(end);
        }
    }
}

/// What a call of the slave tells the build; `complete` ends the command.
fn on_call(call: IncomingCall) -> Option<CommandEvent> {
    let IncomingCall {
        method,
        args,
        reply,
        room,
        ..
    } = call;
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
                let updates = updates.into_iter().map(|numbered| numbered.update);
                Some(CommandEvent::Updates(updates.collect(), acknowledge))
            }
            Err(error) => {
                debug!("invalid update of a slave: {error}");
                reply.fail(Failure::new("builtins.ValueError", error.to_string()));
                None
            }
        },
        (b"complete", args) => {
            let failure = match args.first().map(Value::unshared) {
                Some(Value::Failure(failure)) => Some((**failure).clone()),
                Some(Value::None) | None => None,
                Some(other) => Some(Failure::new("builtins.Exception", format!("{other:?}"))),
            };
            let end = failure.map_or(CommandEnd::Complete, CommandEnd::Failed);
            Some(CommandEvent::Ended(end))
        }
        _ => {
            reply.fail(Failure::no_such_method(&String::from_utf8_lossy(&method)));
            None
        }
    }
}
