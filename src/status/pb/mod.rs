//! Serves try clients: their perspective and the status objects by which they follow builds
//! (PROTOCOL sections 13 and 14). The counterpart is `client::try_job`.
//!
//! Each connection is one task. All calls of the client arrive on one channel, with a tag for each
//! object. The task also receives all news of the master, and notifies observers without waiting
//! for their answers. `tracked` has what the client follows, `objects` the methods of the status
//! objects, and `eta` estimates when builds end.
//!
//! Invariants: a client sees only the sets that its user submitted. It receives the same
//! notifications whether it has received all news or some had to be read from disk. Its sets do not
//! depend on the connection (TUP-06), but its objects and observers end with the connection.
//! Subscriptions are limited. Parts of a patch whose job has not arrived are on disk (`upload`).

mod eta;
mod objects;
mod owner;
mod tracked;
mod upload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{debug, info};

use self::tracked::{BuildKey, Notice, Tracked};
use self::upload::Upload;
use super::history::History;
use super::values::step_results;
use super::watched::Watched;
use crate::control::{Control, Interruption, News};
use crate::model::{BuilderName, RequestId, SchedulerName, SetId};
use crate::net::{Activity, IncomingCall, LoginAnswer, Peer, Reply, idle_for};
use crate::pb::{Failure, Luid, Target, Value};
use crate::protocol::TextStyle;
use crate::protocol::try_call::{self, MAX_CHUNK_BYTES};

/// Maximum number of waiting calls.
const CALLS: usize = 64;
/// Maximum number of observers of a connection, for requests and builds together.
pub const MAX_SUBSCRIPTIONS: usize = 4096;
/// Maximum number of open calls of `waitUntilFinished`.
pub const MAX_WAITING: usize = 4096;

/// A rejected job is shown to the client as a failed build of a builder with this name.
pub const REFUSED: &str = "the try job was rejected";

/// The user that has logged in.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The scheduler that builds the jobs.
    pub scheduler: SchedulerName,
    /// The builders that accept try jobs, in the order of the configuration.
    pub builders: Arc<[BuilderName]>,
}

/// Serves a try client that has logged in, until it disconnects or has been idle for too long. The
/// state is in `basedir`.
pub async fn serve(
    peer: Peer,
    login: LoginAnswer,
    activity: Activity,
    user: User,
    control: Control,
    basedir: PathBuf,
) {
    // Subscribed before the first job, so no news of it is missed.
    let mut news = control.newsroom().subscribe();
    let (sender, mut calls) = mpsc::channel(CALLS);
    let mut client = Client {
        peer: peer.clone(),
        sender,
        upload: Upload::new(basedir.clone()),
        history: History::new(basedir, control.reader().clone()),
        control,
        user,
        things: Vec::new(),
        tags: BTreeMap::new(),
        tracked: Tracked::default(),
        style: TextStyle::Bytes,
        has_extensions: false,
        watchers: BTreeMap::new(),
        watched_builds: Watched::default(),
        waiting: Vec::new(),
    };
    login.accept(client.refer(Thing::Perspective));
    let mut lost = std::pin::pin!(peer.lost());
    loop {
        activity.set_busy(client.waits());
        let eta = client.watched_builds.next_eta();
        let eta_due = async {
            match eta {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The calls of the client come last, because it could call without end.
            biased;
            _ = &mut lost => break,
            () = eta_due => client.tell_etas().await,
            heard = news.next() => match heard {
                Ok(told) => client.on_news(&told.news),
                Err(Interruption::Missed(missed)) => {
                    debug!(missed, "missed news: reading the state");
                    client.catch_up().await;
                }
                // The master is ending, and closes the connection.
                Err(Interruption::Ended) => break,
            },
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
    let open = client.tracked.open_sets().len();
    debug!(open_sets = open, "try client disconnected");
}

/// A client and its objects.
#[derive(Debug)]
struct Client {
    peer: Peer,
    /// The channel of the calls of all objects.
    sender: mpsc::Sender<Box<IncomingCall>>,
    control: Control,
    user: User,
    history: History,
    /// The objects of the client; a tag is a position in this list.
    things: Vec<Thing>,
    tags: BTreeMap<Thing, u64>,
    tracked: Tracked,
    /// How the client spells text, as far as that is known.
    style: TextStyle,
    /// Whether the client is this project's own (see [`try_call`]).
    has_extensions: bool,
    /// Parts of the next job's patch.
    upload: Upload,
    /// Observers of new builds.
    watchers: BTreeMap<RequestId, Vec<Luid>>,
    /// Observers of steps.
    watched_builds: Watched<BuildKey>,
    /// Calls that are answered when a set or a build ends.
    waiting: Vec<(Thing, Reply)>,
}

/// The kinds of objects of a client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Thing {
    Perspective,
    Set(SetId),
    Request(RequestId),
    Build(BuildKey),
    Step(BuildKey, usize),
    Log(BuildKey, usize, usize),
}

impl Client {
    /// A new reference to `thing`. Each reference is an object of its own, as under Buildbot, since
    /// the client may release its references at any time.
    fn refer(&mut self, thing: Thing) -> Luid {
        let things = &mut self.things;
        let tag = *self.tags.entry(thing).or_insert_with(|| {
            things.push(thing);
            u64::try_from(things.len() - 1).expect("memory has fewer places")
        });
        self.peer.export_to(&self.sender, tag)
    }

    fn value_of(&mut self, thing: Thing) -> Value {
        Value::Mine(self.refer(thing))
    }

    fn text(&self, text: &str) -> Value {
        self.style.value(text)
    }

    async fn on_call(&mut self, call: Box<IncomingCall>) {
        let tag = usize::try_from(call.tag).ok();
        match tag.and_then(|tag| self.things.get(tag)).copied() {
            Some(Thing::Perspective) => self.on_perspective(call).await,
            Some(thing) => self.on_object(thing, call).await,
            None => call.reply.value(Value::None),
        }
    }

    async fn on_perspective(&mut self, call: Box<IncomingCall>) {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let IncomingCall { args, reply, .. } = *call;
        match method.as_str() {
            try_call::TRY => self.on_try(&args, reply).await,
            try_call::BUILDER_NAMES => {
                // The client's version is unknown here. Unicode names are right for all clients,
                // except for non-ASCII names on Python 2.
                let names = self.user.builders.iter().map(|b| Value::text(b.as_str()));
                reply.value(Value::List(names.collect()));
            }
            try_call::EXTENSIONS => {
                self.has_extensions = true;
                self.style = TextStyle::Unicode;
                let offered = try_call::OFFERED.map(Value::text);
                reply.value(Value::List(offered.to_vec()));
            }
            try_call::PATCH_CHUNK => match self.keep_chunk(args.first()).await {
                Ok(()) => reply.value(Value::None),
                Err(why) => reply.fail(Failure::new(VALUE_ERROR, why)),
            },
            try_call::BUILD_SET => self.on_build_set(args.first(), reply).await,
            _ => reply.fail(Failure::no_perspective_method(CLASS, &method)),
        }
    }

    async fn on_try(&mut self, args: &[Value], reply: Reply) {
        if !self.has_extensions {
            self.style = try_call::spelling(args);
        }
        match self.submit(args).await {
            Ok(set) => {
                let set = self.value_of(Thing::Set(set));
                reply.value(set);
            }
            Err(why) => self.refuse(reply, &why),
        }
    }

    async fn submit(&mut self, args: &[Value]) -> Result<SetId, String> {
        let call = try_call::decode_try(args).map_err(|malformed| {
            self.upload.clear();
            malformed.to_string()
        })?;
        let mut job = call.job;
        let size_bytes = self.upload.size_bytes() + job.patch.len();
        let _room = self.control.room_for_patch(size_bytes).await;
        job.patch = self.upload.take_before(job.patch).await?;
        let user = Some(self.user.name.clone());
        let set = self
            .control
            .submit_try(&self.user.scheduler, job, user)
            .await?;
        if set.requests.is_empty() {
            return Err(format!("{} has no builders", self.user.scheduler));
        }
        self.tracked.follow(&set);
        Ok(set.id)
    }

    /// Tells the client why its job is rejected (TUP-04, SB-09). After an exception a client of 4.x
    /// never ends, and a client of 0.8 ends with success. Both understand a failed build, if they
    /// wait for builds at all.
    fn refuse(&mut self, reply: Reply, why: &str) {
        info!(scheduler = %self.user.scheduler, user = ?self.user.name, "try job rejected: {why}");
        if self.has_extensions {
            return reply.fail(Failure::new(VALUE_ERROR, why));
        }
        let set = self.tracked.refuse(REFUSED, why);
        let set = self.value_of(Thing::Set(set));
        reply.value(set);
    }

    async fn keep_chunk(&mut self, chunk: Option<&Value>) -> Result<(), String> {
        let chunk = chunk.and_then(Value::as_raw);
        let chunk = chunk.ok_or("a patch chunk must be a byte string")?;
        if chunk.len() > MAX_CHUNK_BYTES {
            return Err(format!("a patch chunk has at most {MAX_CHUNK_BYTES} bytes"));
        }
        self.upload.push(chunk.clone()).await
    }

    /// Follows a set of an earlier connection (TUP-06).
    async fn on_build_set(&mut self, id: Option<&Value>, reply: Reply) {
        let number = |value: &Value| value.as_int().or_else(|| value.as_text()?.parse().ok());
        let id = id.and_then(number).and_then(|id| u64::try_from(id).ok());
        let Some(id) = id else {
            let why = "a build set is identified by its number";
            return reply.fail(Failure::new(VALUE_ERROR, why));
        };
        let id = SetId(id);
        if self.tracked.set(id).is_none() {
            let Some((row, requests)) = self.history.set(id).await else {
                return reply.value(Value::None);
            };
            if !owner::is_of(&row, &self.user) {
                return reply.value(Value::None);
            }
            let notices = self.tracked.restore(&row, requests);
            self.tell(notices);
        }
        let set = self.value_of(Thing::Set(id));
        reply.value(set);
    }

    fn on_news(&mut self, news: &News) {
        let notices = self.tracked.on_news(news, self.control.clock().wall());
        self.tell(notices);
    }

    /// Reads the open sets from disk, after news were missed.
    async fn catch_up(&mut self) {
        self.control.settled().await;
        for set in self.tracked.open_sets() {
            if let Some((row, requests)) = self.history.set(set).await {
                let notices = self.tracked.restore(&row, requests);
                self.tell(notices);
            }
        }
    }

    fn tell(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            match notice {
                Notice::NewBuild(request, build) => self.tell_new_build(request, build),
                Notice::StepStarted(build, step) => self.tell_step(build, step, "stepStarted"),
                Notice::StepFinished(build, step) => self.tell_step(build, step, "stepFinished"),
                Notice::BuildOver(build) => {
                    for observer in self.watched_builds.end(build) {
                        self.peer.release(observer);
                    }
                    self.tell_over(Thing::Build(build));
                }
                Notice::SetOver(set) => self.tell_over(Thing::Set(set)),
            }
        }
    }

    fn tell_new_build(&mut self, request: RequestId, build: BuildKey) {
        let watchers = self.watchers.get(&request).cloned().unwrap_or_default();
        for observer in watchers {
            self.send_new_build(observer, build);
        }
    }

    fn send_new_build(&mut self, observer: Luid, build: BuildKey) {
        let Some(builder) = self.tracked.build(build).map(|b| b.builder.clone()) else {
            return;
        };
        let args = vec![
            self.value_of(Thing::Build(build)),
            self.text(builder.as_str()),
        ];
        self.send(observer, "newbuild", args);
    }

    fn tell_step(&mut self, key: BuildKey, index: usize, method: &'static str) {
        for observer in self.watched_builds.of(key) {
            let build = self.value_of(Thing::Build(key));
            // Clients since 0.9 do not know steps, but our client does.
            let object = match self.style {
                TextStyle::Unicode if !self.has_extensions => Value::None,
                TextStyle::Unicode | TextStyle::Bytes => self.value_of(Thing::Step(key, index)),
            };
            let Some(build_state) = self.tracked.build(key) else {
                return;
            };
            let Some(step) = build_state.steps().get(index) else {
                return;
            };
            let mut args = vec![
                self.text(build_state.builder.as_str()),
                build,
                self.text(&step.name),
                object,
            ];
            if method == "stepFinished" {
                args.push(step_results(self.style, step));
            }
            self.send(observer, method, args);
        }
    }

    fn tell_over(&mut self, thing: Thing) {
        let (over, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(what, _)| *what == thing);
        self.waiting = waiting;
        let over: Vec<(Thing, Reply)> = over;
        for (_, reply) in over {
            let value = self.value_of(thing);
            reply.value(value);
        }
    }

    /// Calls an observer, and ignores the answer.
    fn send(&self, observer: Luid, method: &'static str, args: Vec<Value>) {
        drop(
            self.peer
                .call(Target::Object(observer), method, args, Vec::new()),
        );
    }

    /// Whether the client waits for something: a set or a call is open.
    fn waits(&self) -> bool {
        self.tracked.has_open_set() || !self.waiting.is_empty()
    }

    fn subscriptions(&self) -> usize {
        let requests: usize = self.watchers.values().map(Vec::len).sum();
        requests + self.watched_builds.count()
    }
}

/// Buildbot's class name of the perspective.
const CLASS: &str = "Try_Userpass_Perspective";
const VALUE_ERROR: &str = "builtins.ValueError";
