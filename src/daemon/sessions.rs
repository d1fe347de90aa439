//! The connected slaves: turns commands of the core into calls, and answers of slaves into inputs.
//!
//! Each call is a small task, because the core never waits. If calls must be in order, the core
//! waits for each answer.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{Span, info, info_span};

use super::keepalive::Keepalives;
use super::logins::SlaveLogin;
use crate::botmaster::{Input, Live, SessionId, SlaveCommand, SlaveInput};
use crate::clock::Clock;
use crate::model::{BuilderName, Op, SlaveName, Timestamp};
use crate::net::slave::{SlaveBuilderHandle, SlaveHandle};
use crate::net::{CallError, IncomingCall, LoginAnswer, Peer, Tasks};
use crate::pb::{Failure, Luid, Value};
use crate::protocol::slave::CommandTables;
use crate::store::Writer;

/// Messages from tasks to the engine.
#[derive(Debug)]
pub(super) enum Happened {
    /// An input for the core.
    Told(Input),
    /// A slave has reported its properties.
    Described(SessionId, SlaveHandle),
    /// A slave has created the objects of its builders, or failed to.
    Listed(
        SessionId,
        Result<Vec<(BuilderName, SlaveBuilderHandle)>, CallError>,
    ),
    /// A build abandoned a command that its slave may still run (BUI-12).
    Abandoned(SessionId),
}

/// The connected slaves.
#[derive(Debug)]
pub(super) struct Sessions {
    by_id: HashMap<SessionId, Session>,
    /// The reports of slaves about their commands.
    tables: CommandTables,
    next: u64,
    tell: mpsc::Sender<Happened>,
    writer: Writer,
    clock: Clock,
    tasks: Tasks,
}

#[derive(Debug)]
struct Session {
    name: SlaveName,
    peer: Peer,
    bot: Luid,
    keepalives: watch::Receiver<Arc<Keepalives>>,
    /// The login, until it is answered.
    login: Option<LoginAnswer>,
    /// The slave, once it has reported its properties.
    handle: Option<SlaveHandle>,
    builders: BTreeMap<BuilderName, SlaveBuilderHandle>,
}

impl Sessions {
    pub(super) fn new(
        tell: mpsc::Sender<Happened>,
        writer: Writer,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self {
            by_id: HashMap::new(),
            tables: CommandTables::default(),
            next: 1,
            tell,
            writer,
            clock,
            tasks,
        }
    }

    /// Adds a slave that has logged in.
    pub(super) fn on_login(&mut self, login: SlaveLogin) -> Input {
        let session = SessionId(self.next);
        self.next += 1;
        let SlaveLogin {
            name,
            peer,
            bot,
            answer,
            keepalives,
        } = login;
        let address = peer.address().to_owned();
        let slave = name.clone();
        let watched = peer.clone();
        self.spawn(async move {
            let lost = watched.lost().await;
            Happened::Told(SlaveInput::Lost { why: lost.0 }.of(session))
        });
        let login = Some(answer);
        let (handle, builders) = (None, BTreeMap::new());
        let entry = Session {
            name,
            peer,
            bot,
            keepalives,
            login,
            handle,
            builders,
        };
        self.by_id.insert(session, entry);
        SlaveInput::LoggedIn { slave, address }.of(session)
    }

    /// Adds the times at which the slaves were last heard from.
    #[expect(
        clippy::iter_over_hash_type,
        reason = "the order does not change the result"
    )]
    pub(super) fn add_heard(&self, live: &mut Live, wall: Timestamp) {
        for session in self.by_id.values() {
            if let Some(slave) = live.slaves.get_mut(&session.name) {
                let heard_at = heard_at(&session.peer, wall);
                slave.heard_at = slave.heard_at.max(Some(heard_at));
            }
        }
    }

    /// Handles a message. Returns the input for the core.
    pub(super) fn on_happened(&mut self, happened: Happened) -> Option<Input> {
        match happened {
            Happened::Told(input) => {
                if let Input::Slave {
                    session,
                    what: SlaveInput::Lost { .. },
                } = &input
                {
                    self.by_id.remove(session);
                }
                Some(input)
            }
            Happened::Described(session, mut handle) => {
                self.tables.share(&mut handle.info);
                let info = Arc::clone(&handle.info.texts);
                self.by_id.get_mut(&session)?.handle = Some(handle);
                Some(SlaveInput::Described { info }.of(session))
            }
            Happened::Listed(session, Ok(builders)) => {
                let entry = self.by_id.get_mut(&session)?;
                entry.builders = builders.into_iter().collect();
                let names = entry.builders.keys().cloned().collect();
                Some(SlaveInput::BuilderListAnswered { result: Ok(names) }.of(session))
            }
            // The loss of the slave is reported separately.
            Happened::Listed(_, Err(CallError::Lost)) => None,
            Happened::Listed(session, Err(error)) => {
                let result = Err(error.headline());
                Some(SlaveInput::BuilderListAnswered { result }.of(session))
            }
            Happened::Abandoned(session) => {
                let entry = self.by_id.get(&session)?;
                entry.peer.close("it did not end an interrupted command");
                None
            }
        }
    }

    /// The slave's side of a builder.
    pub(super) fn builder(
        &self,
        session: SessionId,
        builder: &BuilderName,
    ) -> Option<SlaveBuilderHandle> {
        self.by_id.get(&session)?.builders.get(builder).cloned()
    }

    /// Carries out a command of the core. A lost connection reports its loss itself.
    pub(super) fn carry_out(&mut self, session: SessionId, command: SlaveCommand) {
        match command {
            SlaveCommand::Greet => self.greet(session),
            SlaveCommand::CheckAlive => self.check_alive(session),
            SlaveCommand::Drop { why } => self.drop_slave(session, &why),
            SlaveCommand::SendBuilderList { builders } => self.send_builder_list(session, builders),
            SlaveCommand::CompleteLogin => self.complete_login(session),
            SlaveCommand::Shutdown => {
                if let Some(slave) = self.handle(session) {
                    let span = info_span!("shutdown", slave = %slave.name);
                    self.tasks
                        .spawn(span, async move { slave.shutdown().await });
                }
            }
            SlaveCommand::SetMaster { builder, epoch } => {
                self.call(session, builder, |builder, slave| async move {
                    let ok = slave.set_master().await.is_ok();
                    SlaveInput::MasterSet { builder, epoch, ok }
                });
            }
            SlaveCommand::GreetBuilder { builder, epoch } => {
                self.call(session, builder, |builder, slave| async move {
                    let ok = slave.print("attached").await.is_ok();
                    SlaveInput::BuilderGreeted { builder, epoch, ok }
                });
            }
            SlaveCommand::Ping { builder, ping } => {
                self.call(session, builder, |builder, slave| async move {
                    let ok = slave.print("ping").await.is_ok();
                    SlaveInput::PingAnswered { builder, ping, ok }
                });
            }
            SlaveCommand::StartBuild { builder, epoch } => {
                self.call(session, builder, |builder, slave| async move {
                    let ok = slave.start_build().await.map_err(|error| error.headline());
                    SlaveInput::BuildStartAnswered { builder, epoch, ok }
                });
            }
        }
    }

    fn greet(&self, session: SessionId) {
        let Some(entry) = self.by_id.get(&session) else {
            return;
        };
        let (name, peer, bot) = (entry.name.clone(), entry.peer.clone(), entry.bot);
        self.spawn(async move {
            match SlaveHandle::greet(name, peer, bot).await {
                Ok(handle) => Happened::Described(session, handle),
                Err(error) => Happened::Told(
                    SlaveInput::Lost {
                        why: error.to_string(),
                    }
                    .of(session),
                ),
            }
        });
    }

    fn check_alive(&self, session: SessionId) {
        let handle = self.handle(session);
        self.spawn(async move {
            let notice =
                "another connection with this name arrived; keeping this connection if it answers";
            let alive = match handle {
                Some(slave) => slave.print(notice).await.is_ok(),
                // The slave has not reported its properties yet: the core's deadline decides.
                None => std::future::pending().await,
            };
            Happened::Told(SlaveInput::AliveChecked { alive }.of(session))
        });
    }

    fn drop_slave(&mut self, session: SessionId, why: &str) {
        let Some(entry) = self.by_id.remove(&session) else {
            return;
        };
        info!(slave = %entry.name, peer.addr = entry.peer.address(), "dropping the connection: {why}");
        entry.peer.close(why);
    }

    fn send_builder_list(&self, session: SessionId, builders: Vec<(BuilderName, String)>) {
        let Some(slave) = self.handle(session) else {
            return;
        };
        self.spawn(
            async move { Happened::Listed(session, slave.set_builder_list(&builders).await) },
        );
    }

    fn complete_login(&mut self, session: SessionId) {
        let Some(entry) = self.by_id.get_mut(&session) else {
            return;
        };
        let (Some(login), Some(slave)) = (entry.login.take(), entry.handle.clone()) else {
            return;
        };
        let (avatar, calls) = entry.peer.export(AVATAR_CALLS);
        login.accept(avatar);
        let (tell, keepalives) = (self.tell.clone(), entry.keepalives.clone());
        let span = info_span!("slave", slave = %slave.name);
        let record = record_heard(
            slave.name.clone(),
            slave.peer.clone(),
            self.writer.clone(),
            self.clock,
        );
        self.tasks.spawn(span.clone(), record);
        self.tasks
            .spawn(span, attend(session, slave, calls, keepalives, tell));
    }

    fn handle(&self, session: SessionId) -> Option<SlaveHandle> {
        self.by_id.get(&session)?.handle.clone()
    }

    fn call<F>(
        &self,
        session: SessionId,
        builder: BuilderName,
        call: impl FnOnce(BuilderName, SlaveBuilderHandle) -> F,
    ) where
        F: Future<Output = SlaveInput> + Send + 'static,
    {
        let Some(slave) = self.builder(session, &builder) else {
            return;
        };
        let input = call(builder, slave);
        self.spawn(async move { Happened::Told(input.await.of(session)) });
    }

    fn spawn(&self, happens: impl Future<Output = Happened> + Send + 'static) {
        let tell = self.tell.clone();
        self.tasks.spawn(Span::none(), async move {
            // The receiver is gone only when the master is stopping.
            let _ended = tell.send(happens.await).await;
        });
    }
}

/// Records when a slave was last heard from: periodically, and at the end of its connection.
async fn record_heard(slave: SlaveName, peer: Peer, writer: Writer, clock: Clock) {
    let record = || {
        let (slave, at) = (slave.clone(), heard_at(&peer, clock.wall()));
        writer.hand_in(None, vec![Op::SlaveHeard { slave, at }]);
    };
    let mut lost = std::pin::pin!(peer.lost());
    loop {
        record();
        tokio::select! {
            biased;
            _ = &mut lost => return record(),
            () = tokio::time::sleep(RECORD_HEARD) => {}
        }
    }
}

fn heard_at(peer: &Peer, wall: Timestamp) -> Timestamp {
    let micros = i64::try_from(peer.silent_for().as_micros()).unwrap_or(i64::MAX);
    Timestamp(wall.0.saturating_sub(micros))
}

/// Time between two records. A killed master loses at most this time.
const RECORD_HEARD: Duration = Duration::from_secs(300);

/// Maximum number of queued calls from a slave.
const AVATAR_CALLS: usize = 4;

/// Reason for ending a connection whose check failed.
const UNANSWERED: &str = "it did not answer a keepalive";

/// Serves the calls of a slave, and checks periodically that the slave is alive.
async fn attend(
    session: SessionId,
    slave: SlaveHandle,
    mut calls: mpsc::Receiver<Box<IncomingCall>>,
    mut keepalives: watch::Receiver<Arc<Keepalives>>,
    tell: mpsc::Sender<Happened>,
) {
    // Uses the current configuration. A slave that is no longer configured is about to be dropped.
    let configured = |now: &watch::Ref<'_, Arc<Keepalives>>| now.get(&slave.name).copied();
    let Some(mut keepalive) = configured(&keepalives.borrow_and_update()) else {
        return;
    };
    // The start of the last check, or of this function.
    let mut last = tokio::time::Instant::now();
    // A check runs beside the calls, which must be served while the check waits for its answer.
    let mut asked: Option<Pin<Box<dyn Future<Output = bool> + Send>>> = None;
    loop {
        let limit = match asked {
            Some(_) => keepalive.timeout,
            None => keepalive.interval,
        };
        tokio::select! {
            // Calls come last, because a slave could send calls without end.
            biased;
            _ = slave.peer.lost() => return,
            Ok(()) = keepalives.changed() => {
                keepalive = configured(&keepalives.borrow_and_update()).unwrap_or(keepalive);
            }
            alive = async { asked.as_mut().expect("guarded").await }, if asked.is_some() => {
                asked = None;
                if !alive {
                    slave.peer.close(UNANSWERED);
                    return;
                }
            }
            () = tokio::time::sleep_until(last + limit) => {
                if asked.is_some() && slave.peer.is_held_up() {
                    // The answer may have arrived, behind output that waits for the disk.
                    last = tokio::time::Instant::now();
                    continue;
                }
                if asked.is_some() {
                    slave.peer.close(UNANSWERED);
                    return;
                }
                last = tokio::time::Instant::now();
                let slave = slave.clone();
                asked = Some(Box::pin(async move { slave.print("keepalive").await.is_ok() }));
            }
            call = calls.recv() => {
                let Some(call) = call else { return };
                match &call.method[..] {
                    b"keepalive" => call.reply.value(Value::None),
                    b"shutdown" => {
                        call.reply.value(Value::None);
                        let wants = Happened::Told(SlaveInput::WantsShutdown.of(session));
                        let _ended = tell.send(wants).await;
                    }
                    other => {
                        let method = String::from_utf8_lossy(other).into_owned();
                        call.reply.fail(Failure::no_perspective_method("Slave", &method));
                    }
                }
            }
        }
    }
}
