//! The task that owns a socket and its broker.
//!
//! One loop, one owner: it writes what waits, takes what handles ask for, and reads. Reading stops
//! while a call waits for room in the channel of its object, or a login for its turn; writing and
//! the handles' requests never stop.
//!
//! Invariants: a connection holds no read buffer, for all of a thread share one; what is not yet
//! written is bounded, else the connection is dropped; a burst of one peer is decoded a few
//! messages at a time, with the other tasks in between.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::{debug, info, info_span};

use super::budget::{NoRoom, Room, SMALL, STEP, Share};
use super::clients::Visit;
use super::end::End;
use super::file_buffer::Handled;
use super::login::{Admitted, Entered, Gate, Verdict};
use super::peer::{Asked, Exported, Outgoing, ReadAnswer, Request};
use super::reads::Reads;
use super::unsent::Unsent;
use super::{IncomingCall, Lost, Peer, Tasks};
use crate::pb::{Broker, CallId, Event, Failure, Limits, Luid, RequestNumber, Target, Value};

/// Messages that are handled before other tasks have a turn.
const BUDGET: usize = 64;
/// A turn also ends when it has made so much output.
const OUTPUT_BUDGET: usize = 1024 * 1024;
/// Most output of a client that may wait for its server: a change may be as large as a message.
const MAX_UNSENT: usize = 36 * 1024 * 1024;
/// Most output that may wait for a peer that is logged in. A slave reads at all times.
const MAX_UNSENT_OF_SERVER: usize = 4 * 1024 * 1024;
/// Most output that may wait for a peer that is not.
const MAX_UNSENT_BEFORE_LOGIN: usize = 64 * 1024;
/// How long a stop of the program waits for the answers to calls that were taken.
const ANSWER_TIME: Duration = Duration::from_millis(400);
/// How long a connection that is being closed may take to write what waits.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Why a connection ends with the program.
const STOPPING: &str = "stopping";

/// Drives the client's side of a connection over `stream`. `address` is for logs.
#[must_use]
pub fn connect<S>(stream: S, address: &str, tasks: &Tasks) -> Peer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (peer, asked) = Peer::new(address, tasks);
    let broker = Broker::client(Limits::LOGGED_IN);
    let connection = Connection::new(stream, broker, asked, tasks);
    tasks.spawn(
        info_span!("connection", peer.addr = address),
        connection.run(),
    );
    peer
}

/// A stream, its broker, and who waits for what.
pub(super) struct Connection<S> {
    stream: S,
    broker: Broker,
    asked: Asked,
    /// What a server's client has to pass; absent when it has, and for clients.
    gate: Option<Box<Gate>>,
    /// The place of a server's client that has passed.
    visit: Option<Visit>,
    objects: HashMap<Luid, Exported>,
    pending: HashMap<RequestNumber, oneshot::Sender<Result<Value, Failure>>>,
    /// Asked before the dialect was settled.
    early: Option<Vec<Outgoing>>,
    /// What reading waits for: room in a channel or in memory, or a turn to log in.
    blocked: Option<Pin<Box<dyn Future<Output = Unblocked> + Send>>>,
    /// Where room in memory comes from; absent for clients, and before the login.
    share: Option<Share>,
    /// Room of the message that is arriving, if it is large.
    room: Option<Room>,
    /// Whether the broker may have more to decode.
    undecoded: bool,
    unsent: Unsent,
    reads: Reads,
    /// Why it is to be closed once all is written.
    closing: Option<String>,
    /// When its time is up: to log in, or to write what waits when it is being closed.
    deadline: Option<Pin<Box<Sleep>>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The program stops: nothing more is read, and answers are waited for until then.
    stops_at: Option<Pin<Box<Sleep>>>,
    /// Whether the handles are asked before the socket, which alternates.
    handles_first: bool,
}

/// What wakes a connection up.
enum Wake {
    /// A handle asks for something; or there is no handle any more.
    Asked(Option<Outgoing>),
    /// The peer sent something.
    Received(Bytes),
    /// The turn of the broker to go on decoding.
    Decode,
    /// What reading waited for is there.
    Unblocked(Unblocked),
    /// All is written.
    Written,
    /// The tasks are to stop.
    Stop,
}

/// What reading waited for.
enum Unblocked {
    /// Something that was to be handed on, or a time.
    Done,
    /// Room in memory.
    Room(Result<Room, NoRoom>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, broker: Broker, asked: Asked, tasks: &Tasks) -> Box<Self> {
        Box::new(Self {
            stream,
            broker,
            asked,
            gate: None,
            visit: None,
            objects: HashMap::new(),
            pending: HashMap::new(),
            early: Some(Vec::new()),
            blocked: None,
            share: None,
            room: None,
            undecoded: false,
            unsent: Unsent::default(),
            reads: Reads::LOGGED_IN,
            closing: None,
            deadline: None,
            stopping: Box::pin(tasks.stopping()),
            stops_at: None,
            handles_first: false,
        })
    }

    /// The same, for a client that has to pass `gate` first.
    pub(super) fn behind(mut self: Box<Self>, gate: Gate) -> Box<Self> {
        self.deadline = Some(Box::pin(sleep_until(gate.deadline)));
        self.gate = Some(Box::new(gate));
        self.reads = Reads::BEFORE_LOGIN;
        self
    }

    /// Serves the connection until it ends. Boxed, because a task keeps what it is given twice.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = match self.serve().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        match &mut self.gate {
            Some(gate) => end.note_refusal(gate),
            None if end.is_fault() => info!("connection ended: {end}"),
            None => debug!("connection ended: {end}"),
        }
        if matches!(end, End::Eof) {
            self.asked.heard.note();
        }
        let lost = Lost(end.to_string());
        self.asked.tell_lost.send_replace(Some(lost));
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.decode()?;
            self.collect_output();
            let is_held_up = self.blocked.is_some();
            self.asked.is_held_up.store(is_held_up, Ordering::Relaxed);
            if self.undecoded {
                tokio::task::yield_now().await;
            }
            let wake = poll_fn(|cx| self.poll_wake(cx)).await?;
            self.handle(wake)?;
        }
    }

    fn handle(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Asked(first) => {
                self.on_asked(first);
                for _ in 1..BUDGET {
                    if self.closing.is_some() || self.broker.output_len() > OUTPUT_BUDGET {
                        break;
                    }
                    let Ok(next) = self.asked.outgoing.try_recv() else {
                        break;
                    };
                    self.on_asked(Some(next));
                }
            }
            Wake::Received(data) => {
                self.asked.heard.note();
                if let Some(gate) = &mut self.gate
                    && !gate.may_send(data.len())
                {
                    return Err(End::TooMuch);
                }
                let data = match &mut self.gate {
                    Some(gate) => gate.begin(data).map_err(End::Foreign)?,
                    None => Some(data),
                };
                if let Some(data) = data {
                    self.broker.receive(data)?;
                    self.undecoded = true;
                }
            }
            Wake::Decode => {}
            Wake::Unblocked(unblocked) => {
                self.blocked = None;
                if let Unblocked::Room(room) = unblocked {
                    self.room = Some(room?);
                }
                if let Some(verdict) = self.gate.as_mut().and_then(|gate| gate.on_turn()) {
                    self.on_verdict(verdict);
                }
            }
            Wake::Written => {
                if let Some(why) = self.closing.take() {
                    return Err(End::Closed(why));
                }
            }
            Wake::Stop if self.gate.is_none() && self.stops_at.is_none() => {
                self.stops_at = Some(Box::pin(sleep_until(Instant::now() + ANSWER_TIME)));
            }
            Wake::Stop => self.close(STOPPING.to_owned()),
        }
        Ok(())
    }

    /// Handles what was received, a few messages at a time, until something has to be waited for.
    fn decode(&mut self) -> Result<(), End> {
        for _ in 0..BUDGET {
            if self.blocked.is_some() || self.closing.is_some() {
                return Ok(());
            }
            let Some(event) = self.broker.next_event()? else {
                self.undecoded = false;
                self.reserve();
                return Ok(());
            };
            self.on_event(event);
            if self.broker.output_len() > OUTPUT_BUDGET {
                break;
            }
        }
        self.undecoded = true;
        Ok(())
    }

    /// Takes room for a large message that is arriving, before more of it is read.
    fn reserve(&mut self) {
        let has = SMALL + self.room.as_ref().map_or(0, Room::bytes);
        let more = self.broker.partial_bytes().saturating_sub(has);
        if let (Some(share), true) = (&self.share, more > 0) {
            let grown = share
                .clone()
                .grow(self.room.take(), more.next_multiple_of(STEP));
            self.blocked = Some(Box::pin(async move { Unblocked::Room(grown.await) }));
        }
    }

    fn on_event(&mut self, event: Event) {
        if matches!(event, Event::Negotiated) {
            for asked in self.early.take().unwrap_or_default() {
                self.on_asked(Some(asked));
            }
        }
        if let Some(gate) = &mut self.gate {
            if let Some(verdict) = gate.on_event(&mut self.broker, event) {
                self.on_verdict(verdict);
            }
            return;
        }
        match event {
            Event::Negotiated => {}
            Event::Call {
                call,
                target,
                method,
                args,
                kwargs,
            } => self.on_call(call, target, method, args, kwargs),
            Event::Answer { request, result } => {
                if let Some(answer) = self.pending.remove(&request) {
                    // Nobody waits for it any more: the caller was dropped.
                    drop(answer.send(result));
                }
            }
            Event::Released(luid) => {
                self.objects.remove(&luid);
            }
        }
    }

    fn on_call(
        &mut self,
        call: CallId,
        target: Target,
        method: Bytes,
        args: Vec<Value>,
        kwargs: Vec<(Value, Value)>,
    ) {
        let object = match target {
            Target::Root => None,
            Target::Object(luid) => self.objects.get_mut(&luid),
        };
        let Some(object) = object else {
            // Only the challenger of the login, or the root after it.
            let failure = Failure::no_such_method(&String::from_utf8_lossy(&method));
            return self.broker.fail(call, &failure);
        };
        let Some(calls) = &object.calls else {
            return self.broker.answer(call, &Value::None);
        };
        let blocks = match &mut object.file {
            Some(file) => match file.on_call(&method, &args) {
                Handled::Answered(value) => {
                    self.room = None;
                    return self.broker.answer(call, &value);
                }
                Handled::Passed(blocks) => blocks,
            },
            None => Vec::new(),
        };
        let reply = match self.asked.replies.reply(call) {
            Ok(reply) => reply,
            // The handles are gone and the connection is about to close.
            Err(call) => return self.broker.answer(call, &Value::None),
        };
        let mut incoming = Box::new(IncomingCall {
            tag: object.tag,
            method,
            args,
            kwargs,
            blocks,
            reply,
            room: self.room.take(),
        });
        let mut waits_for = None;
        if let (Some(share), None) = (&self.share, &incoming.room) {
            let bytes = self.broker.message_bytes();
            incoming.room = share.try_take(bytes);
            waits_for = incoming.room.is_none().then(|| share.clone().take(bytes));
        }
        if let Some(room) = waits_for {
            let calls = calls.clone();
            self.blocked = Some(Box::pin(async move {
                incoming.room = Some(room.await);
                drop(calls.send(incoming).await);
                Unblocked::Done
            }));
            return;
        }
        match calls.try_send(incoming) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(incoming)) => {
                let calls = calls.clone();
                self.blocked = Some(Box::pin(async move {
                    drop(calls.send(incoming).await);
                    Unblocked::Done
                }));
            }
            // The owner has gone; the dropped reply answers.
            Err(mpsc::error::TrySendError::Closed(_incoming)) => object.calls = None,
        }
    }

    fn on_verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::RefuseAt(until) => self.wait_until(until),
            Verdict::Refuse(attempt) => self.broker.fail(attempt.call, &Failure::unauthorized()),
            Verdict::Enter(admitted) => self.enter(*admitted),
            Verdict::TurnAway(why) => self.close(why),
        }
    }

    /// The client is logged in: it has no limits but those of everybody, and belongs to who takes
    /// logins.
    fn enter(&mut self, admitted: Admitted) {
        let Some(gate) = self.gate.take() else {
            return;
        };
        self.deadline = None;
        self.reads = Reads::LOGGED_IN;
        let Entered {
            visit,
            share,
            login,
            logins,
        } = gate.enter(admitted);
        self.broker.set_limits(match login.kind.is_slave() {
            true => Limits::SLAVE,
            false => Limits::LOGGED_IN,
        });
        self.share = Some(share);
        self.visit = Some(visit);
        if let Err(mpsc::error::TrySendError::Full(login)) = logins.try_send(login) {
            self.blocked = Some(Box::pin(async move {
                drop(logins.send(login).await);
                Unblocked::Done
            }));
        }
    }

    fn wait_until(&mut self, until: Instant) {
        self.blocked = Some(Box::pin(async move {
            sleep_until(until).await;
            Unblocked::Done
        }));
    }

    fn on_asked(&mut self, asked: Option<Outgoing>) {
        let Some(asked) = asked else {
            return self.close("not needed any more".to_owned());
        };
        if let (Some(early), false) = (&mut self.early, matches!(asked, Outgoing::Close(_))) {
            early.push(asked);
            return;
        }
        match asked {
            Outgoing::Call(request) => {
                let Request {
                    target,
                    method,
                    args,
                    kwargs,
                    answer,
                } = *request;
                let request = self.broker.call(target, method, &args, &kwargs);
                self.pending.insert(request, answer);
            }
            Outgoing::Export(luid, exported) => {
                self.broker.export(luid);
                self.objects.insert(luid, exported);
            }
            Outgoing::Retire(luid) => {
                if let Some(object) = self.objects.get_mut(&luid) {
                    object.calls = None;
                }
            }
            Outgoing::Release(luid) => self.broker.release(luid),
            Outgoing::Answer(answer) => self.broker.answer(answer.0, &answer.1),
            Outgoing::Fail(answer) => self.broker.fail(answer.0, &answer.1),
            Outgoing::Read(answer) => self.on_read(*answer),
            Outgoing::Close(why) => self.close(why),
        }
    }

    fn on_read(&mut self, answer: ReadAnswer) {
        let object = self.objects.get_mut(&answer.file);
        let file = object.and_then(|object| object.file.as_mut());
        // If the peer has let go of the file, it does not read on.
        let block = match file {
            Some(file) => file.on_read(answer.most, answer.data),
            None => answer.data.slice(..answer.most.min(answer.data.len())),
        };
        self.broker.answer(answer.call, &Value::Bytes(block));
    }

    /// Closes when all is written, or soon.
    fn close(&mut self, why: String) {
        if self.closing.is_none() {
            self.closing = Some(why);
            self.deadline = Some(Box::pin(sleep_until(Instant::now() + CLOSE_TIME)));
        }
    }

    fn collect_output(&mut self) {
        for piece in self.broker.take_output() {
            self.unsent.push(piece);
        }
    }

    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<Result<Wake, End>> {
        if self.unsent.poll_write(&mut self.stream, cx)?.is_ready() && self.closing.is_some() {
            return Poll::Ready(Ok(Wake::Written));
        }
        self.poll_limits(cx)?;
        if self.closing.is_some() {
            return Poll::Pending;
        }
        let is_over = match &mut self.stops_at {
            // Whoever handed in something that is kept is to hear of it.
            Some(at) => self.broker.unanswered() == 0 || at.as_mut().poll(cx).is_ready(),
            None => self.stopping.as_mut().poll(cx).is_ready(),
        };
        if is_over {
            return Poll::Ready(Ok(Wake::Stop));
        }
        self.handles_first = !self.handles_first;
        if self.handles_first
            && let Poll::Ready(asked) = self.asked.outgoing.poll_recv(cx)
        {
            return Poll::Ready(Ok(Wake::Asked(asked)));
        }
        if let Poll::Ready(wake) = self.poll_input(cx)? {
            return Poll::Ready(Ok(wake));
        }
        if !self.handles_first
            && let Poll::Ready(asked) = self.asked.outgoing.poll_recv(cx)
        {
            return Poll::Ready(Ok(Wake::Asked(asked)));
        }
        Poll::Pending
    }

    /// Whether the connection has used up what it may.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let max_unsent = match (&self.gate, &self.share) {
            (Some(_), _) => MAX_UNSENT_BEFORE_LOGIN,
            (None, Some(_)) => MAX_UNSENT_OF_SERVER,
            (None, None) => MAX_UNSENT,
        };
        if self.unsent.bytes() > max_unsent {
            return Err(End::Unsent(self.unsent.bytes()));
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Err(self.closing.take().map_or(End::TooSlow, End::Closed));
        }
        if let Some(gate) = &mut self.gate
            && pin!(gate.leave()).poll(cx).is_ready()
        {
            return Err(End::Evicted);
        }
        if let Some(visit) = &mut self.visit
            && visit.poll_leave(cx).is_ready()
        {
            return Err(End::MadeRoom);
        }
        Ok(())
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Wake, End>> {
        if let Some(blocked) = &mut self.blocked {
            return blocked
                .as_mut()
                .poll(cx)
                .map(|unblocked| Ok(Wake::Unblocked(unblocked)));
        }
        if self.stops_at.is_some() {
            return Poll::Pending;
        }
        if self.undecoded {
            return Poll::Ready(Ok(Wake::Decode));
        }
        self.reads.poll(&mut self.stream, cx).map(|read| {
            let data = read?;
            match data.is_empty() {
                true => Err(End::Eof),
                false => Ok(Wake::Received(data)),
            }
        })
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
