//! Serves live status clients, such as `buildbot statuslog`: their perspective, what they are told
//! while they follow the master, and the objects that they ask (STA-02, LIV-01 to LIV-06; PROTOCOL
//! section 14). The counterpart is `client::statuslog`.
//!
//! Each connection is one task. The calls of the client arrive on one channel, with a number for
//! each object (`things`). News of the master become notices (`following`), which are told in order
//! (`telling`); log text is read from disk when its turn has come (`tail`). `objects` and `sets`
//! have the methods of the objects.
//!
//! Invariants: a client cannot slow the master down. While too much is unanswered, nothing is sent
//! (`window`), and no news are heard. A client that answers nothing for [`TEXT_PATIENCE`] gets no
//! more log text, and after [`PATIENCE`] it is disconnected. It receives the same notifications
//! whether it has heard all news or some had to be read from disk. Nothing is kept for an object.
//! Subscriptions and waiting calls are limited.

mod clients;
mod following;
mod objects;
mod sets;
mod tail;
mod telling;
mod things;
mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use self::clients::{Message, Seat};
use self::following::{Following, Notice};
use self::tail::Tails;
use self::things::Thing;
use self::window::Window;
use super::history::History;
use super::watched::Watched;
use crate::botmaster::{BuildEvent, Event, IntakeEvent, MasterEvent};
use crate::control::{Caller, Control, Interruption, News};
use crate::logs::LogStore;
use crate::model::journal::BuildStart;
use crate::model::{BigState, BuildId, BuilderName, Door, RequestId, Unseen};
use crate::net::{Activity, IncomingCall, LoginAnswer, Peer, Reply, idle_for};
use crate::pb::{Failure, Luid, Value};
use crate::protocol::TextStyle;
use crate::store::read::{BuildRow, BuilderRow};
use crate::view::Build;

pub use self::clients::Clients;
pub use self::window::{MAX_UNANSWERED, PATIENCE, TEXT_PATIENCE};

/// Maximum number of waiting calls.
const CALLS: usize = 64;
/// Maximum number of observers and open calls of `waitUntilFinished` of a connection together.
pub const MAX_SUBSCRIPTIONS: usize = 1000;
/// Maximum number of missed builds that are read from disk at a time.
const MISSED_BUILDS: u32 = 100;

/// How text is spelled: these clients run on Python 2, or are our own.
const STYLE: TextStyle = TextStyle::Bytes;

/// What a client is served with.
#[derive(Clone, Debug)]
pub struct Around {
    /// Answers questions to the master.
    pub control: Control,
    /// The logs.
    pub logs: LogStore,
    /// Where the state is.
    pub basedir: PathBuf,
    /// The clients of people.
    pub clients: Clients,
}

/// Serves a status client that has logged in as `user`, until it disconnects, has been idle for too
/// long, or does not answer. The client hears only of what that user may view (MAY-04). If the user
/// is a person, the client is a way to reach them (LIV-05).
pub async fn serve(
    peer: Peer,
    login: LoginAnswer,
    activity: Activity,
    user: String,
    around: Around,
) {
    let (control, logs) = (around.control.clone(), around.logs.clone());
    // Subscribed before the state is read, so no news are missed.
    let mut news = control.newsroom().subscribe();
    let (sender, mut calls) = mpsc::channel(CALLS);
    let mut client = Client::new(peer.clone(), user, sender, around);
    client.begin().await;
    login.accept(client.refer(Thing::Perspective));
    let mut lost = std::pin::pin!(peer.lost());
    loop {
        client.deliver().await;
        activity.set_busy(client.waits());
        let has_room = client.window.has_room();
        let hears = client.queue.is_empty();
        let (stuck_at, eta) = (client.stuck_at(), client.next_eta());
        tokio::select! {
            // The calls of the client come last, because it could call without end.
            biased;
            _ = &mut lost => break,
            () = client.window.answered() => {}
            () = at(stuck_at) => if client.is_stuck() {
                peer.close("the client does not answer its notifications");
                break;
            },
            () = at(eta), if has_room => client.tell_etas().await,
            message = next_message(&mut client.seat), if has_room => client.pass_on(message),
            heard = news.next(), if hears && !client.is_behind => match heard {
                Ok(told) => client.on_news(&told.news).await,
                Err(Interruption::Missed(missed)) => {
                    debug!(missed, "missed news: reading the state");
                    client.catch_up().await;
                }
                // The master is ending, and closes the connection.
                Err(Interruption::Ended) => break,
            },
            () = std::future::ready(()), if hears && client.is_behind => client.catch_up().await,
            log = client.tails.grown(&logs), if has_room => drop(client.send_text(log).await),
            Some(call) = calls.recv() => {
                activity.touch();
                client.on_call(call).await;
            }
            limit = activity.idled_out() => {
                peer.close(&idle_for(limit));
                break;
            }
        }
    }
    debug!("status client disconnected");
}

/// Waits until then, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The next message to the person; for ever none without a seat. Cancel-safe.
async fn next_message(seat: &mut Option<Seat>) -> Message {
    match seat {
        Some(seat) => seat.next().await,
        None => std::future::pending().await,
    }
}

/// A client and what it follows.
#[derive(Debug)]
struct Client {
    peer: Peer,
    /// The name of the user that has logged in.
    user: String,
    /// The channel of the calls of all objects.
    sender: mpsc::Sender<Box<IncomingCall>>,
    control: Control,
    /// Reads what the user may view.
    history: History,
    /// What the user may not view.
    unseen: Arc<Unseen>,
    /// Whether the user is somebody of the register.
    is_person: bool,
    clients: Clients,
    /// Where messages to that person arrive, while the client has subscribed.
    seat: Option<Seat>,
    builders: Names,
    slaves: Names,
    following: Following,
    /// Whether missed builds are still on disk.
    is_behind: bool,
    /// What is to be told, in order.
    queue: VecDeque<Notice>,
    /// What was told and is not answered.
    window: Window,
    /// What the client has subscribed to.
    subscription: Option<Subscription>,
    /// When the next estimates of builds and steps are due for that.
    etas: BTreeMap<(BuildId, Option<usize>), Instant>,
    /// Logs whose text is sent for that.
    tails: Tails,
    /// Observers of new builds.
    watchers: BTreeMap<RequestId, Vec<Luid>>,
    /// Observers of steps.
    watched_builds: Watched<BuildId>,
    /// Calls that are answered when something ends.
    waiting: Vec<(Thing, Reply)>,
}

/// What a client has subscribed to.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    mode: Mode,
    /// The interval of estimates, if it wants any.
    interval: Option<Duration>,
    observer: Luid,
}

/// How much a client is told; each mode includes those before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Mode {
    Builders,
    Builds,
    Steps,
    Logs,
    Full,
}

/// Names with places that do not change.
#[derive(Debug, Default)]
struct Names {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.names.len();
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    fn at(&self, place: usize) -> Option<&str> {
        self.names.get(place).map(String::as_str)
    }
}

impl Mode {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "builders" => Self::Builders,
            "builds" => Self::Builds,
            "steps" => Self::Steps,
            "logs" => Self::Logs,
            "full" => Self::Full,
            _ => return None,
        })
    }
}

impl Client {
    fn new(
        peer: Peer,
        user: String,
        sender: mpsc::Sender<Box<IncomingCall>>,
        around: Around,
    ) -> Self {
        let Around {
            control,
            basedir,
            clients,
            ..
        } = around;
        let history = History::new(basedir, control.reader().clone());
        Self {
            peer,
            user,
            sender,
            history,
            unseen: Arc::default(),
            is_person: false,
            clients,
            seat: None,
            control,
            builders: Names::default(),
            slaves: Names::default(),
            following: Following::default(),
            is_behind: false,
            queue: VecDeque::new(),
            window: Window::new(),
            subscription: None,
            etas: BTreeMap::new(),
            tails: Tails::default(),
            watchers: BTreeMap::new(),
            watched_builds: Watched::default(),
            waiting: Vec::new(),
        }
    }

    /// Reads what there is.
    async fn begin(&mut self) {
        self.look_what_is_hidden().await;
        self.control.settled().await;
        let read = self.history.read(|state| {
            let builders = state.builders()?;
            let mut running = Vec::new();
            for row in &builders {
                for (number, _) in &row.building {
                    let build = state.build(&row.name, *number)?;
                    running.extend(build.filter(is_announced));
                }
            }
            let newest = state.builds(None, 1)?.first().map(|build| build.id);
            Ok((builders, running, newest))
        });
        if let Some((builders, running, newest)) = read.await {
            let states = builders.iter().map(state_of).collect();
            let running = running.into_iter().map(Build::from).collect();
            self.following
                .begin(states, running, newest.unwrap_or_default());
        }
        self.look_for_builders().await;
    }

    /// Looks what the user may not view. The user is the person of that name, if there is one.
    async fn look_what_is_hidden(&mut self) {
        let roles = self.control.register().await.ok();
        let roles = roles.and_then(|register| Some(register.get(&self.user)?.roles.clone()));
        self.is_person = roles.is_some();
        let address = self.peer.address();
        let caller = Caller::person(&self.user, roles.unwrap_or_default(), Door::Pb, address);
        let config = self.control.config();
        match self.control.unseen_by(&caller, &config).await {
            Ok(unseen) => {
                self.history.hide(&unseen);
                self.unseen = unseen;
            }
            Err(error) => {
                self.peer
                    .close(&format!("the permissions cannot be read: {error}"));
            }
        }
    }

    /// Looks which builders there are. Those of a new configuration are in force before they are on
    /// disk.
    async fn look_for_builders(&mut self) {
        let Ok(live) = self.control.snapshot().await else {
            return;
        };
        let builders = live.priorities.keys().cloned();
        let builders = builders.filter(|name| !self.unseen.builders.contains(name));
        let builders = builders.collect::<BTreeSet<_>>();
        let notices = self.following.set_builders(builders);
        self.queue.extend(notices);
    }

    /// Tells what is to be told, while there is room.
    async fn deliver(&mut self) {
        while self.window.has_room() {
            let Some(notice) = self.queue.front().cloned() else {
                return;
            };
            // The text of a log comes before its end.
            if let Notice::LogFinished(build, step, log) = notice
                && self.send_text((build, step, log)).await
            {
                continue;
            }
            self.queue.pop_front();
            self.tell(notice).await;
        }
    }

    /// A new reference to `thing`. Each reference is an object of its own, as under Buildbot, since
    /// the client may release its references at any time.
    fn refer(&mut self, thing: Thing) -> Luid {
        match thing.tag() {
            Some(tag) => self.peer.export_to(&self.sender, tag),
            None => self.peer.export_inert(),
        }
    }

    fn value_of(&mut self, thing: Thing) -> Value {
        Value::Mine(self.refer(thing))
    }

    fn builder(&mut self, name: &BuilderName) -> Value {
        let place = self.builders.place(name.as_str());
        self.value_of(Thing::Builder(place))
    }

    async fn on_call(&mut self, call: Box<IncomingCall>) {
        match Thing::of_tag(call.tag) {
            Some(Thing::Perspective) => self.on_perspective(call).await,
            Some(thing) => self.on_object(thing, call).await,
            None => call.reply.value(Value::None),
        }
    }

    async fn on_perspective(&mut self, call: Box<IncomingCall>) {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let IncomingCall { args, reply, .. } = *call;
        let named = args.first().and_then(Value::as_text);
        let done = match method.as_str() {
            "ping" => Ok(STYLE.value("pong")),
            "getBuilderNames" => {
                let names = self.following.builders().iter();
                let names = names.map(|name| STYLE.value(name.as_str()));
                Ok(Value::List(names.collect()))
            }
            "getBuilder" => {
                let name = BuilderName::from(named.unwrap_or_default().into_owned());
                match self.following.builders().contains(&name) {
                    true => Ok(self.builder(&name)),
                    false => Err(unknown("builder", name.as_str())),
                }
            }
            "getSlave" => self.find_slave(&named.unwrap_or_default()).await,
            "getBuildSets" => self.open_sets().await,
            "subscribe" => {
                return match self.subscribe(&args) {
                    Ok(notices) => {
                        // The answer comes before everything that is told.
                        reply.value(Value::None);
                        self.queue.extend(notices);
                    }
                    Err(failure) => reply.fail(failure),
                };
            }
            "unsubscribe" => {
                self.unsubscribe();
                Ok(Value::None)
            }
            _ => Err(Failure::no_perspective_method(CLASS, &method)),
        };
        answer(reply, done);
    }

    /// Subscribes as `args` say; gives what is to be told first.
    fn subscribe(&mut self, args: &[Value]) -> Result<Vec<Notice>, Failure> {
        let mode = args.first().and_then(Value::as_text).unwrap_or_default();
        let Some(mode) = Mode::parse(&mode) else {
            let why = "the mode must be builders, builds, steps, logs or full";
            return Err(Failure::new("builtins.AssertionError", why));
        };
        let observer = super::values::observer(args.get(2..).unwrap_or_default())?;
        self.unsubscribe();
        self.subscription = Some(Subscription {
            mode,
            interval: super::values::interval(args.get(1)),
            observer,
        });
        self.seat = self.is_person.then(|| self.clients.enter(&self.user));
        Ok(self.following.announce())
    }

    fn unsubscribe(&mut self) {
        if let Some(subscription) = self.subscription.take() {
            self.peer.release(subscription.observer);
        }
        self.seat = None;
        self.etas.clear();
        self.tails.clear();
    }

    async fn on_news(&mut self, news: &News) {
        if let News::Event(Event::Master(MasterEvent::Reconfigured)) = news {
            self.look_what_is_hidden().await;
        }
        if let News::Event(Event::Build(BuildEvent::Started(start))) = news
            && (start.properties.are_of_search() || !self.may_see(start).await)
        {
            self.following.pass_over(start.build);
            return;
        }
        let notices = self.following.on_news(news, self.control.clock().wall());
        self.queue.extend(notices);
        if let News::Event(Event::Intake(IntakeEvent::SetFinished { set, .. })) = news {
            self.tell_over(Thing::Set(*set));
        }
        if let News::Event(Event::Master(MasterEvent::Reconfigured)) = news {
            self.look_for_builders().await;
        }
    }

    /// Whether the user may view a build that has started.
    async fn may_see(&self, start: &BuildStart) -> bool {
        if self.unseen.builders.contains(&start.builder) {
            return false;
        }
        // What it is built from is in the state.
        let id = start.build;
        self.unseen.sources.is_empty()
            || self
                .history
                .read(move |state| state.build_of_id(id))
                .await
                .flatten()
                .is_some()
    }

    /// Reads from disk what has happened, after news were missed (LIV-06).
    async fn catch_up(&mut self) {
        self.is_behind = false;
        let running: Vec<_> = self.following.running().map(|build| build.id).collect();
        let newest = self.following.newest();
        self.control.settled().await;
        let read = self.history.read(move |state| {
            let mut builds = Vec::new();
            for id in running {
                builds.extend(state.build_of_id(id)?);
            }
            let missed = state.builds_after(newest, MISSED_BUILDS)?;
            let is_all = u32::try_from(missed.len()).is_ok_and(|count| count < MISSED_BUILDS);
            builds.extend(missed);
            Ok((builds, is_all, state.builders()?))
        });
        let Some((builds, is_all, builders)) = read.await else {
            return;
        };
        self.is_behind = !is_all;
        let mut notices = Vec::new();
        for build in builds {
            if is_announced(&build) {
                self.following.restore(Build::from(build), &mut notices);
            } else {
                self.following.pass_over(build.id);
            }
        }
        for row in &builders {
            let (builder, state) = state_of(row);
            self.following.set_state(&builder, state, &mut notices);
        }
        self.queue.extend(notices);
        self.look_for_builders().await;
        self.look_for_ended_sets().await;
    }

    /// When the client has answered nothing for so long that something must be done.
    fn stuck_at(&self) -> Option<Instant> {
        let is_full = self.subscription.is_some_and(|s| s.mode == Mode::Full);
        let patience = if is_full { TEXT_PATIENCE } else { PATIENCE };
        Some(self.window.stuck_since()? + patience)
    }

    /// The client has answered nothing for a while. First it gets no more log text, and then it is
    /// to be disconnected (LIV-04); returns whether it is.
    fn is_stuck(&mut self) -> bool {
        match &mut self.subscription {
            Some(subscription) if subscription.mode == Mode::Full => {
                info!("status client is slow: no more log text for it");
                subscription.mode = Mode::Logs;
                self.tails.clear();
                false
            }
            _ => true,
        }
    }

    /// Whether the client waits for something.
    fn waits(&self) -> bool {
        self.subscription.is_some() || self.subscriptions() > 0
    }

    /// Observers and waiting calls.
    fn subscriptions(&self) -> usize {
        let requests: usize = self.watchers.values().map(Vec::len).sum();
        requests + self.watched_builds.count() + self.waiting.len()
    }
}

fn answer(reply: Reply, done: Result<Value, Failure>) {
    match done {
        Ok(value) => reply.value(value),
        Err(failure) => reply.fail(failure),
    }
}

fn unknown(what: &str, name: &str) -> Failure {
    Failure::new("builtins.KeyError", format!("there is no {what} {name:?}"))
}

/// Whether clients hear of a build: nobody waits for those of culprit searches.
fn is_announced(build: &BuildRow) -> bool {
    !build.properties.are_of_search()
}

fn state_of(row: &BuilderRow) -> (BuilderName, BigState) {
    let states = [BigState::Idle, BigState::Building];
    let state = states.into_iter().find(|state| state.as_str() == row.state);
    (row.name.clone(), state.unwrap_or(BigState::Offline))
}

/// Buildbot's class name of the perspective.
const CLASS: &str = "StatusClientPerspective";
