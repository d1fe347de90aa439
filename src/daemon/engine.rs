//! The task that owns the core: passes events to the core and carries out its commands.
//!
//! Invariants: the engine waits only for the next event, never for the disk. So a slow disk does
//! not delay signals, deadlines or callers. While the writer is far behind, the engine accepts no
//! new work: slaves wait here, and changes and build requests wait at [`crate::control`]. The work
//! that accepted peers can cause is limited.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::debug;

use super::announce::announce;
use super::builds::Builds;
use super::checks::Checks;
use super::instances::{Access, Instances};
use super::logins::SlaveLogin;
use super::sessions::{Happened, Sessions};
use super::signals::Wish;
use crate::botmaster::{self, BotMaster, BuildInput, Command, Input, ReplyId};
use crate::clock::Clock;
use crate::control::{Measures, News, Newsroom, Offered, Question, Reconfigure, Said, Snapshots};
use crate::logs::LogStore;
use crate::model::Ticket;
use crate::net::{Refusals, Refused, Tasks};
use crate::store::Writer;

/// Maximum number of events to handle before their commands are carried out.
const BATCH: usize = 128;

/// Maximum number of queued events; further events wait at their sources.
const HAPPENED: usize = 4096;

/// The channels into the engine.
#[derive(Debug)]
pub(super) struct Channels {
    /// The newest durable ticket.
    pub(super) confirmed: watch::Receiver<Ticket>,
    /// Questions of users and peers.
    pub(super) questions: mpsc::Receiver<Question>,
    /// Slaves that have logged in.
    pub(super) logins: mpsc::Receiver<SlaveLogin>,
    /// Requests of signals.
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// Connection data for instances of latent slaves.
    pub(super) access: watch::Receiver<Arc<Access>>,
    /// Rejected logins.
    pub(super) refusals: Arc<Refusals>,
    /// What others have seen of the core.
    pub(super) snapshots: Snapshots,
    /// Where the times of turns are counted.
    pub(super) measures: Arc<Measures>,
}

/// The owner of the core.
#[derive(Debug)]
pub(super) struct Engine {
    core: BotMaster,
    clock: Clock,
    writer: Writer,
    sessions: Sessions,
    builds: Builds,
    instances: Instances,
    checks: Checks,
    channels: Channels,
    happened: mpsc::Receiver<Happened>,
    newsroom: Newsroom,
    reconfigure: mpsc::Sender<Reconfigure>,
    replies: HashMap<ReplyId, Waiting>,
    next_reply: u64,
    /// Whether the last batch was full; then all other sources come before the next batch.
    others_first: bool,
}

/// Who waits for an answer of the core.
#[derive(Debug)]
enum Waiting {
    /// The caller of a question.
    Caller(oneshot::Sender<Said>),
    /// A source of changes.
    Source(Offered),
}

/// An event that wakes the engine.
enum Event {
    Happened,
    Confirmed,
    Asked(Question),
    LoggedIn(SlaveLogin),
    Signalled(Wish),
    Due,
    /// Only slaves and builds had events.
    NoOthers,
}

impl Event {
    /// Whether the event can change the core.
    const fn changes_core(&self) -> bool {
        match self {
            Self::Asked(Question::Live(_) | Question::Why(..)) | Self::NoOthers => false,
            Self::Happened
            | Self::Confirmed
            | Self::Asked(
                Question::Ask(..)
                | Question::Act(..)
                | Question::Offer(..)
                | Question::Reconfigured { .. },
            )
            | Self::LoggedIn(_)
            | Self::Signalled(_)
            | Self::Due => true,
        }
    }
}

impl Engine {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts that the daemon is put together from"
    )]
    pub(super) fn new(
        core: BotMaster,
        clock: Clock,
        writer: Writer,
        logs: LogStore,
        channels: Channels,
        tasks: Tasks,
        newsroom: Newsroom,
        reconfigure: mpsc::Sender<Reconfigure>,
    ) -> Self {
        let (tell, happened) = mpsc::channel(HAPPENED);
        Self {
            core,
            clock,
            sessions: Sessions::new(tell.clone(), writer.clone(), clock, tasks.clone()),
            instances: Instances::new(channels.access.clone(), tell.clone(), tasks.clone()),
            checks: Checks::new(tell.clone(), tasks.clone()),
            builds: Builds::new(tell, tasks, writer.clone(), logs, newsroom.clone(), clock),
            writer,
            channels,
            happened,
            newsroom,
            reconfigure,
            replies: HashMap::new(),
            next_reply: 0,
            others_first: false,
        }
    }

    /// Runs until the core stops.
    pub(super) async fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut begun = Instant::now();
        while !self.carry_out() {
            self.channels.measures.turns.add(begun.elapsed());
            let event = self.next_event(&mut batch).await;
            begun = Instant::now();
            if event.changes_core() {
                self.channels.snapshots.outdate();
            }
            match event {
                Event::Happened => {
                    self.others_first = batch.len() == BATCH;
                    for happened in batch.drain(..) {
                        if let Some(input) = self.sessions.on_happened(happened) {
                            if let Input::Build {
                                build,
                                what: BuildInput::Finished { .. },
                            } = &input
                            {
                                self.builds.ended(*build);
                            }
                            self.core.handle(self.clock.now(), input);
                        }
                    }
                }
                Event::Confirmed => {
                    let ticket = *self.channels.confirmed.borrow_and_update();
                    self.core.handle(self.clock.now(), Input::Persisted(ticket));
                }
                Event::Asked(question) => self.on_question(question),
                Event::LoggedIn(login) => {
                    let input = self.sessions.on_login(login);
                    self.core.handle(self.clock.now(), input);
                }
                Event::Signalled(Wish::Shutdown { clean }) => {
                    self.core
                        .handle(self.clock.now(), Input::Shutdown { clean });
                }
                Event::Signalled(Wish::Reconfigure) => self.reconfigure(),
                Event::Due => self.core.handle_timeout(self.clock.now()),
                Event::NoOthers => {}
            }
        }
        self.turn_away();
    }

    /// Closes all channels. Callers that are waiting get the answer that the master is stopping.
    fn turn_away(&mut self) {
        self.channels.questions.close();
        while self.channels.questions.try_recv().is_ok() {}
        self.happened.close();
        while self.happened.try_recv().is_ok() {}
        self.replies.clear();
    }

    /// Waits for the next event. Events are taken in batches. Every branch is cancel-safe: a value
    /// is taken only when its branch completes.
    ///
    /// Rare events come first. Slaves and builds can produce events without end, so after a full
    /// batch all other sources get one turn.
    async fn next_event(&mut self, batch: &mut Vec<Happened>) -> Event {
        let due = self.core.poll_timeout().map(|at| self.clock.instant(at));
        let sleep = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let (writer, logins) = (&self.writer, &mut self.channels.logins);
        let login = async {
            writer.room().await;
            logins.recv().await
        };
        let others_first = std::mem::take(&mut self.others_first);
        tokio::select! {
            biased;
            Some(wish) = self.channels.wishes.recv() => Event::Signalled(wish),
            Ok(()) = self.channels.confirmed.changed() => Event::Confirmed,
            _ = self.happened.recv_many(batch, BATCH), if !others_first => Event::Happened,
            Some(login) = login => Event::LoggedIn(login),
            Some(question) = self.channels.questions.recv() => Event::Asked(question),
            () = sleep => Event::Due,
            () = std::future::ready(()), if others_first => Event::NoOthers,
        }
    }

    /// Reconfigures at the request of a signal. The result goes to the log.
    fn reconfigure(&self) {
        let (answer, _) = oneshot::channel();
        let request = Reconfigure {
            dry_run: false,
            answer,
        };
        if self.reconfigure.try_send(request).is_err() {
            debug!("a reconfigure is already pending");
        }
    }

    fn on_question(&mut self, question: Question) {
        match question {
            Question::Ask(ask, answer) => {
                let reply = self.await_reply(answer);
                self.core
                    .handle(self.clock.now(), Input::Asked { ask, reply });
            }
            Question::Act(ask, audit, answer) => {
                let reply = self.await_reply(answer);
                let input = Input::Acted { ask, audit, reply };
                self.core.handle(self.clock.now(), input);
            }
            Question::Offer(offer, offered) => {
                let reply = self.await_settled(Waiting::Source(offered));
                self.core
                    .handle(self.clock.now(), Input::Offered { offer, reply });
            }
            Question::Reconfigured {
                config,
                dry_run,
                answer,
            } => {
                let reply = self.await_reply(answer);
                let input = Input::Reconfigured {
                    config,
                    dry_run,
                    reply,
                };
                self.core.handle(self.clock.now(), input);
            }
            // The receiver may be gone.
            Question::Why(request, answer) => {
                let refusals = self.channels.refusals.list(self.clock.wall());
                drop(answer.send(self.core.why(request, &refusals)));
            }
            Question::Live(answer) => {
                let mut live = self.core.live();
                live.refusals = self.channels.refusals.list(self.clock.wall());
                live.refused_connections = self.channels.refusals.count();
                self.sessions.add_heard(&mut live, self.clock.wall());
                drop(answer.send(live));
            }
        }
    }

    /// A new reply of the core, which is sent to `answer`.
    fn await_reply(&mut self, answer: oneshot::Sender<Said>) -> ReplyId {
        self.await_settled(Waiting::Caller(answer))
    }

    fn await_settled(&mut self, waiting: Waiting) -> ReplyId {
        let reply = ReplyId(self.next_reply);
        self.next_reply += 1;
        self.replies.insert(reply, waiting);
        reply
    }

    /// Remembers rejected slaves until a slave of the name is attached.
    fn note_refusal(&self, event: &botmaster::Event) {
        if let botmaster::Event::Slave(botmaster::SlaveEvent::Refused {
            slave,
            address,
            why,
        }) = event
        {
            let who = Refused::Slave(slave.clone());
            self.channels.refusals.note(who, address, why);
        }
        if let botmaster::Event::Slave(botmaster::SlaveEvent::Connected { slave, .. }) = event {
            self.channels.refusals.forget(slave);
        }
    }

    /// Carries out all pending commands of the core. Returns whether the core has stopped.
    fn carry_out(&mut self) -> bool {
        let mut exit = false;
        while let Some(command) = self.core.next_command() {
            match command {
                Command::Persist { ticket, ops } => self.writer.hand_in(ticket, ops),
                Command::Reply { to, result } => match self.replies.remove(&to) {
                    // The caller may be gone; the result remains.
                    Some(Waiting::Caller(answer)) => drop(answer.send(result)),
                    Some(Waiting::Source(offered)) => offered.settle(result),
                    None => {}
                },
                Command::Slave { session, what } => self.sessions.carry_out(session, what),
                Command::Build { build, what } => {
                    let slave = |session, builder: &_| self.sessions.builder(session, builder);
                    self.builds.carry_out(build, what, slave);
                }
                Command::Instance { instance, what } => self.instances.carry_out(instance, what),
                Command::Check { check, what } => self.checks.carry_out(check, what),
                Command::Announce(event) => {
                    announce(&event);
                    self.note_refusal(&event);
                    self.newsroom.tell(News::Event(event));
                }
                Command::Unexpected {
                    slave,
                    builder,
                    state,
                    event,
                } => debug!(%slave, %builder, state, "ignored in this state: {event}"),
                Command::Exit => exit = true,
            }
        }
        exit
    }
}
