//! The methods of builders, builds, steps and logs (PROTOCOL section 14). Where Buildbot 0.8 fails
//! to send its answer, ours is sent (LIV-02).

use tokio::time::Instant;

use super::super::values::{interval, observer, of_build, of_step, result_number, texts};
use super::things::Thing;
use super::{Client, MAX_SUBSCRIPTIONS, STYLE, answer};
use crate::logs::Channel;
use crate::model::{BuildId, BuildNumber, BuilderName};
use crate::net::{IncomingCall, Reply};
use crate::pb::{Failure, Value};
use crate::store::read::{Among, FromEnd};
use crate::view::Build;

/// The outcome of a method.
pub(super) type Done = Result<Value, Failure>;

impl Client {
    /// A call of an object.
    pub(super) async fn on_object(&mut self, thing: Thing, call: Box<IncomingCall>) {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let IncomingCall { args, reply, .. } = *call;
        // In 0.7, a set has the second one, too; here a set has failed only when it has ended.
        let waits = matches!(
            (method.as_str(), thing),
            ("waitUntilFinished", _) | ("waitUntilSuccess", Thing::Set(_))
        );
        if waits {
            return self.wait(thing, reply).await;
        }
        let done = match thing {
            Thing::Perspective => Err(Failure::no_such_method(&method)),
            Thing::Builder(place) => self.on_builder(place, &method, &args).await,
            Thing::Build(id) => self.on_build(id, &method, &args).await,
            Thing::Step(id, step) => self.on_step(id, step, &method).await,
            Thing::Log(id, step, log) => self.on_log((id, step, log), &method).await,
            Thing::Set(id) => self.on_set(id, &method).await,
            Thing::Request(id) => self.on_request(id, &method, &args).await,
            Thing::Slave(place) => self.on_slave(place, &method).await,
            Thing::Event(place) => self.on_slave_event(place, &method).await,
            Thing::Change(number) => self.on_change(number, &method).await,
        };
        answer(reply, done);
    }

    /// Answers with the thing when it has ended.
    async fn wait(&mut self, thing: Thing, reply: Reply) {
        let is_over = match thing {
            Thing::Build(id) => {
                let build = self.find_build(id).await;
                build.map(|build| build.finished_at.is_some())
            }
            Thing::Step(id, step) => {
                let build = self.find_build(id).await;
                build.and_then(|b| Some(b.steps.get(step)?.finished_at.is_some()))
            }
            Thing::Log(id, step, log) => {
                let build = self.find_build(id).await;
                build.and_then(|b| Some(b.steps.get(step)?.logs.get(log)?.complete))
            }
            Thing::Set(id) => {
                let set = self.history.set(id).await;
                set.map(|(set, _)| set.finished.is_some())
            }
            Thing::Perspective
            | Thing::Builder(_)
            | Thing::Request(_)
            | Thing::Slave(_)
            | Thing::Event(_)
            | Thing::Change(_) => None,
        };
        match is_over {
            None => reply.fail(Failure::no_such_method("waitUntilFinished")),
            Some(true) => {
                let value = self.value_of(thing);
                reply.value(value);
            }
            Some(false) => match self.check_subscriptions() {
                Ok(()) => self.waiting.push((thing, reply)),
                Err(failure) => reply.fail(failure),
            },
        }
    }

    async fn on_builder(&mut self, place: usize, method: &str, args: &[Value]) -> Done {
        let name = self.builders.at(place).ok_or_else(gone)?;
        let name = BuilderName::from(name);
        match method {
            "getName" => Ok(STYLE.value(name.as_str())),
            // As in 0.8.14, which has tags in place of categories.
            "getCategory" => {
                let config = self.control.config();
                let builder = config.builder(name.as_str());
                let tag = builder.and_then(|builder| builder.tags.first());
                Ok(tag.map_or(Value::None, |tag| STYLE.value(tag)))
            }
            "getState" => {
                let state = STYLE.value(self.following.state(&name).as_str());
                let builds = self.current_builds(&name);
                Ok(Value::Tuple(vec![state, Value::None, builds]))
            }
            "getCurrentBuilds" => Ok(self.current_builds(&name)),
            "getSlaves" => self.slaves_of(&name).await,
            "getEvent" => self.event_of(&name, args.first()).await,
            "getLastFinishedBuild" => self.build_from_end(name, 1, Among::Finished).await,
            "getBuild" => {
                let number = args.first().and_then(Value::as_int);
                let number = number.ok_or_else(|| wrong("a build has a number"))?;
                match u64::try_from(number) {
                    Ok(number) => self.build_of_number(name, BuildNumber(number)).await,
                    Err(_) => {
                        let back = u32::try_from(number.unsigned_abs()).unwrap_or(u32::MAX);
                        self.build_from_end(name, back, Among::All).await
                    }
                }
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    fn current_builds(&mut self, builder: &BuilderName) -> Value {
        let running = self.following.running();
        let ours = running.filter(|build| build.builder == *builder);
        let ids: Vec<BuildId> = ours.map(|build| build.id).collect();
        let builds = ids.into_iter().map(|id| self.value_of(Thing::Build(id)));
        Value::List(builds.collect())
    }

    async fn build_of_number(&mut self, builder: BuilderName, number: BuildNumber) -> Done {
        let is_it = |build: &&Build| build.builder == builder && build.number == number;
        let running = self.following.running().find(is_it).map(|build| build.id);
        let id = match running {
            Some(id) => Some(id),
            None => {
                let read = self
                    .history
                    .read(move |state| state.build(&builder, number));
                read.await.flatten().map(|build| build.id)
            }
        };
        Ok(id.map_or(Value::None, |id| self.value_of(Thing::Build(id))))
    }

    async fn build_from_end(&mut self, builder: BuilderName, back: u32, among: Among) -> Done {
        let read = self.history.read(move |state| {
            let number = state.build_from_end(&builder, FromEnd::Back(back), among)?;
            match number {
                Some(number) => state.build(&builder, number),
                None => Ok(None),
            }
        });
        let id = read.await.flatten().map(|build| build.id);
        Ok(id.map_or(Value::None, |id| self.value_of(Thing::Build(id))))
    }

    /// A build, running or ended.
    async fn find_build(&self, id: BuildId) -> Option<Build> {
        if let Some(build) = self.following.build(id) {
            return Some(build.clone());
        }
        let read = self.history.read(move |state| state.build_of_id(id));
        read.await.flatten().map(Build::from)
    }

    async fn on_build(&mut self, id: BuildId, method: &str, args: &[Value]) -> Done {
        if method == "unsubscribe" {
            return self.unwatch_build(id, args);
        }
        let build = self.find_build(id).await.ok_or_else(gone)?;
        if let Some(value) = of_build(STYLE, Some(&build), method) {
            return Ok(value);
        }
        match method {
            "getBuilderName" => Ok(STYLE.value(build.builder.as_str())),
            "getChanges" => {
                let changes = build.changes.iter();
                let changes = changes.map(|number| self.value_of(Thing::Change(*number)));
                Ok(Value::List(changes.collect()))
            }
            "getRevisions" => {
                let revision = build.revision.as_deref();
                Ok(revision.map_or(Value::None, |revision| STYLE.value(revision)))
            }
            "isFinished" => Ok(Value::Bool(build.finished_at.is_some())),
            "getResults" => Ok(build.result.map_or(Value::None, result_number)),
            "getText" => Ok(texts(STYLE, &build.text)),
            "getSteps" => {
                let steps = 0..build.steps.len();
                let steps = steps.map(|step| self.value_of(Thing::Step(id, step)));
                Ok(Value::List(steps.collect()))
            }
            "getCurrentStep" => {
                let mut steps = build.steps.iter();
                let current = steps.rposition(|step| step.finished_at.is_none());
                let current = current.filter(|_| build.finished_at.is_none());
                Ok(current.map_or(Value::None, |step| self.value_of(Thing::Step(id, step))))
            }
            "getLogs" => {
                let mut logs = Vec::new();
                for (at, step) in build.steps.iter().enumerate() {
                    for (log_at, log) in step.logs.iter().enumerate() {
                        let name = STYLE.value(&format!("{}.{}", step.name, log.name));
                        logs.push((name, self.value_of(Thing::Log(id, at, log_at))));
                    }
                }
                Ok(Value::Dict(logs))
            }
            "getETA" => {
                let eta = self.eta(&build, None).await;
                Ok(eta.map_or(Value::None, Value::Float))
            }
            "subscribe" => self.watch_build(&build, args).await,
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn watch_build(&mut self, build: &Build, args: &[Value]) -> Done {
        let observer = observer(args)?;
        self.check_subscriptions()?;
        if build.finished_at.is_some() {
            // There will be no more notifications.
            self.peer.release(observer);
            return Ok(Value::None);
        }
        let interval = interval(args.get(1));
        let now = Instant::now();
        self.watched_builds.add(build.id, observer, interval, now);
        if interval.is_some() {
            self.send_eta(build.id, observer).await;
        }
        Ok(Value::None)
    }

    fn unwatch_build(&mut self, id: BuildId, args: &[Value]) -> Done {
        let observer = observer(args)?;
        // It was received with this call too.
        self.peer.release(observer);
        for _ in 0..self.watched_builds.remove(id, observer) {
            self.peer.release(observer);
        }
        Ok(Value::None)
    }

    async fn on_step(&mut self, id: BuildId, at: usize, method: &str) -> Done {
        let build = self.find_build(id).await.ok_or_else(gone)?;
        let step = build.steps.get(at).ok_or_else(gone)?;
        if let Some(value) = of_step(STYLE, step, method) {
            return Ok(value);
        }
        match method {
            "getBuild" => Ok(self.value_of(Thing::Build(id))),
            "getETA" => {
                let eta = self.eta(&build, Some(at)).await;
                Ok(eta.map_or(Value::None, Value::Float))
            }
            "getExpectations" => Ok(self.history.expectations(STYLE, &build, at).await),
            "getLogs" => {
                let logs = step.logs.iter().enumerate();
                let logs = logs.map(|(log_at, log)| {
                    let object = self.value_of(Thing::Log(id, at, log_at));
                    (STYLE.value(&log.name), object)
                });
                Ok(Value::Dict(logs.collect()))
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn on_log(&self, (id, step, at): (BuildId, usize, usize), method: &str) -> Done {
        let build = self.find_build(id).await.ok_or_else(gone)?;
        let step = build.steps.get(step).ok_or_else(gone)?;
        let log = step.logs.get(at).ok_or_else(gone)?;
        let unreadable = || wrong("the log cannot be read");
        let channels: &'static [Channel] = match method {
            "getName" => return Ok(STYLE.value(&log.name)),
            "isFinished" => return Ok(Value::Bool(log.complete)),
            "getText" => &Channel::OUTPUT,
            "getTextWithHeaders" => &Channel::ALL,
            "getChunks" => {
                let chunks = self.history.chunks(&log.path).await;
                let chunks = chunks.ok_or_else(unreadable)?.into_iter();
                let chunks = chunks.map(|(channel, text)| {
                    let channel = Value::Int(channel as i64);
                    Value::Tuple(vec![channel, Value::Bytes(text.into())])
                });
                return Ok(Value::List(chunks.collect()));
            }
            _ => return Err(Failure::no_such_method(method)),
        };
        let text = self.history.log(&log.path, channels).await;
        Ok(Value::Bytes(text.ok_or_else(unreadable)?.into()))
    }

    pub(super) fn check_subscriptions(&self) -> Result<(), Failure> {
        if self.subscriptions() < MAX_SUBSCRIPTIONS {
            return Ok(());
        }
        Err(wrong(&format!(
            "more than {MAX_SUBSCRIPTIONS} subscriptions on this connection"
        )))
    }
}

/// A call that cannot be answered as it is.
pub(super) fn wrong(why: &str) -> Failure {
    Failure::new("builtins.ValueError", why)
}

/// What the object stands for was pruned, or does not exist.
pub(super) fn gone() -> Failure {
    wrong("the master does not have this any more")
}
