//! The task that owns the core: tells it what happens, does what it wants done.
//!
//! Invariants: it waits for nothing but the next event, least of all for the disk, so that signals, deadlines and
//! whoever asks are served whatever the disk does. While the writer is far behind, nobody new is let in: slaves wait here, changes
//! and wishes for builds at [`crate::control`]. What those can cause who are in already is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::debug;

use super::announce::announce;
use super::builds::Builds;
use super::instances::{Access, Instances};
use super::logins::SlaveLogin;
use super::sessions::{Happened, Sessions};
use super::signals::Wish;
use crate::botmaster::{self, BotMaster, BuildInput, Command, Input, ReplyId};
use crate::clock::Clock;
use crate::control::{News, Newsroom, Question, Reconfigure, Said, Snapshots};
use crate::logs::LogStore;
use crate::model::Ticket;
use crate::net::{Refusals, Refused, Tasks};
use crate::store::Writer;

/// Most things taken in before what they cause is carried out.
const BATCH: usize = 128;

/// Things that may wait for the core; more wait where they happen.
const HAPPENED: usize = 4096;

/// What reaches the engine from outside.
#[derive(Debug)]
pub(super) struct Channels {
    /// The last ticket that is on disk.
    pub(super) confirmed: watch::Receiver<Ticket>,
    /// What people and peers ask.
    pub(super) questions: mpsc::Receiver<Question>,
    /// Slaves whose password was right.
    pub(super) logins: mpsc::Receiver<SlaveLogin>,
    /// What signals ask for.
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// What instances of latent slaves are told.
    pub(super) access: watch::Receiver<Arc<Access>>,
    /// Who was refused at the doors.
    pub(super) refusals: Arc<Refusals>,
    /// What others have seen of the core.
    pub(super) snapshots: Snapshots,
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
    channels: Channels,
    happened: mpsc::Receiver<Happened>,
    newsroom: Newsroom,
    reconfigure: mpsc::Sender<Reconfigure>,
    replies: HashMap<ReplyId, oneshot::Sender<Said>>,
    next_reply: u64,
    /// Whether the last batch was a full one, so that everybody else is looked at before the next.
    others_first: bool,
}

/// What wakes the engine.
enum Event {
    Happened,
    Confirmed,
    Asked(Question),
    LoggedIn(SlaveLogin),
    Signalled(Wish),
    Due,
    /// Nobody but the slaves and builds had anything to say.
    NoOthers,
}

impl Event {
    /// Whether the core may be another one after it.
    const fn changes_core(&self) -> bool {
        match self {
            Self::Asked(Question::Live(_) | Question::Why(..)) | Self::NoOthers => false,
            Self::Happened
            | Self::Confirmed
            | Self::Asked(Question::Ask(..) | Question::Reconfigured { .. })
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

    /// Runs until the core wants to end.
    pub(super) async fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while !self.carry_out() {
            let event = self.next_event(&mut batch).await;
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

    /// Nobody is heard any more: those who wait to be, or for an answer, are told that the master stops.
    fn turn_away(&mut self) {
        self.channels.questions.close();
        while self.channels.questions.try_recv().is_ok() {}
        self.happened.close();
        while self.happened.try_recv().is_ok() {}
        self.replies.clear();
    }

    /// Waits for the next event. What has happened is taken in batches. Every branch is
    /// cancel-safe: a value is taken only when its branch is the one that completes.
    ///
    /// What is rare comes first. Slaves and builds may have something to say without end, so that
    /// after a full batch of theirs everybody else gets one turn.
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

    /// A signal wants it; how it went is in the log.
    fn reconfigure(&self) {
        let (answer, _) = oneshot::channel();
        let request = Reconfigure {
            dry_run: false,
            answer,
        };
        if self.reconfigure.try_send(request).is_err() {
            debug!("a reconfiguration is waiting already");
        }
    }

    fn on_question(&mut self, question: Question) {
        match question {
            Question::Ask(ask, answer) => {
                let reply = self.await_reply(answer);
                self.core
                    .handle(self.clock.now(), Input::Asked { ask, reply });
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
            // Whoever looks may have left.
            Question::Why(request, answer) => {
                let refusals = self.channels.refusals.list(self.clock.wall());
                drop(answer.send(self.core.why(request, &refusals)));
            }
            Question::Live(answer) => {
                let mut live = self.core.live();
                live.refusals = self.channels.refusals.list(self.clock.wall());
                self.sessions.add_heard(&mut live, self.clock.wall());
                drop(answer.send(live));
            }
        }
    }

    /// A new reply of the core, which is sent to `answer`.
    fn await_reply(&mut self, answer: oneshot::Sender<Said>) -> ReplyId {
        let reply = ReplyId(self.next_reply);
        self.next_reply += 1;
        self.replies.insert(reply, answer);
        reply
    }

    /// Keeps in mind whom the core refuses, until a slave of that name is attached.
    fn note_refusal(&self, event: &botmaster::Event) {
        if let botmaster::Event::SlaveRefused {
            slave,
            address,
            why,
        } = event
        {
            let who = Refused::Slave(slave.clone());
            self.channels.refusals.note(who, address, why);
        }
        if let botmaster::Event::SlaveConnected { slave, .. } = event {
            self.channels.refusals.forget(slave);
        }
    }

    /// Does all that the core wants done now; says whether the core wants to end.
    fn carry_out(&mut self) -> bool {
        let mut exit = false;
        while let Some(command) = self.core.next_command() {
            match command {
                Command::Persist { ticket, ops } => self.writer.hand_in(ticket, ops),
                Command::Reply { to, result } => {
                    // Whoever asked may have gone away; what was done stays done.
                    if let Some(answer) = self.replies.remove(&to)
                        && answer.send(result).is_err()
                    {
                        debug!("nobody waits for the answer any more");
                    }
                }
                Command::Slave { session, what } => self.sessions.carry_out(session, what),
                Command::Build { build, what } => {
                    let slave = |session, builder: &_| self.sessions.builder(session, builder);
                    self.builds.carry_out(build, what, slave);
                }
                Command::Instance { instance, what } => self.instances.carry_out(instance, what),
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
