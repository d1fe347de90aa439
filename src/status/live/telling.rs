//! Notifications, in the order of Buildbot (PROTOCOL section 14).

use tokio::time::Instant;

use super::super::values::{result_number, step_results};
use super::clients::{Message, Taken};
use super::following::Notice;
use super::tail::LogKey;
use super::things::Thing;
use super::{Client, Mode, STYLE};
use crate::model::BuildId;
use crate::net::CallError;
use crate::pb::{Failure, Luid, Target, Value};
use crate::view::Build;

impl Client {
    /// Tells everybody who is to hear of it.
    pub(super) async fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::BuilderAdded(name) => {
                if let Some(observer) = self.observer(Mode::Builders) {
                    let args = vec![STYLE.value(name.as_str()), self.builder(&name)];
                    self.send(observer, "builderAdded", args);
                }
            }
            Notice::BuilderRemoved(name) => {
                if let Some(observer) = self.observer(Mode::Builders) {
                    let args = vec![STYLE.value(name.as_str())];
                    self.send(observer, "builderRemoved", args);
                }
            }
            Notice::State(name, state) => {
                if let Some(observer) = self.observer(Mode::Builds) {
                    let name = STYLE.value(name.as_str());
                    let args = vec![name, STYLE.value(state.as_str()), Value::None];
                    self.send(observer, "builderChangedState", args);
                }
            }
            Notice::BuildStarted(id) => self.tell_build_started(id).await,
            Notice::StepStarted(id, step) => self.tell_step_started(id, step).await,
            Notice::LogStarted(id, step, log) => self.tell_log_started((id, step, log)),
            Notice::LogFinished(id, step, log) => {
                let key = (id, step, log);
                self.tails.remove(key);
                self.tell_log(key, "logFinished");
                self.tell_over(Thing::Log(id, step, log));
            }
            Notice::StepFinished(id, step) => self.tell_step_finished(id, step),
            Notice::BuildFinished(id) => self.tell_build_finished(id),
        }
    }

    async fn tell_build_started(&mut self, id: BuildId) {
        let Some(build) = self.following.build(id) else {
            return;
        };
        let (name, requests) = (STYLE.value(build.builder.as_str()), build.requests.clone());
        if let Some(observer) = self.observer(Mode::Builds) {
            let args = vec![name.clone(), self.value_of(Thing::Build(id))];
            self.send(observer, "buildStarted", args);
        }
        if self.observer(Mode::Steps).is_some() && self.schedule(id, None) {
            self.tell_eta(id).await;
        }
        for request in requests {
            for observer in self.watchers.get(&request).cloned().unwrap_or_default() {
                let args = vec![self.value_of(Thing::Build(id)), name.clone()];
                self.send(observer, "newbuild", args);
            }
        }
    }

    async fn tell_step_started(&mut self, id: BuildId, step: usize) {
        self.tell_step(id, step, "stepStarted", None);
        if self.observer(Mode::Logs).is_some() && self.schedule(id, Some(step)) {
            self.tell_step_eta(id, step).await;
        }
    }

    fn tell_step_finished(&mut self, id: BuildId, step: usize) {
        self.etas.remove(&(id, Some(step)));
        let build = self.following.build(id);
        let results = build
            .and_then(|build| build.steps.get(step))
            .map(|step| step_results(STYLE, step));
        self.tell_step(id, step, "stepFinished", results);
        self.tell_over(Thing::Step(id, step));
    }

    /// Tells the client and the observers of the build.
    fn tell_step(
        &mut self,
        id: BuildId,
        step: usize,
        method: &'static str,
        results: Option<Value>,
    ) {
        let mut observers: Vec<Luid> = self.watched_builds.of(id);
        observers.extend(self.observer(Mode::Steps));
        for observer in observers {
            let Some(mut args) = self.step_args(id, step) else {
                return;
            };
            args.extend(results.clone());
            self.send(observer, method, args);
        }
    }

    fn tell_log_started(&mut self, key: LogKey) {
        self.tell_log(key, "logStarted");
        let (id, step, log) = key;
        let build = self.following.build(id);
        let log = build.and_then(|build| build.steps.get(step)?.logs.get(log));
        if let Some(log) = log
            && self.observer(Mode::Full).is_some()
        {
            self.tails.add(key, &log.path);
        }
    }

    fn tell_log(&mut self, key: LogKey, method: &'static str) {
        if let Some(observer) = self.observer(Mode::Logs)
            && let Some(args) = self.log_args(key)
        {
            self.send(observer, method, args);
        }
    }

    /// Sends the next slice of a log. Returns whether there was any text.
    pub(super) async fn send_text(&mut self, key: LogKey) -> bool {
        let pieces = self.tails.read(key, self.history.basedir()).await;
        let Some(observer) = self.observer(Mode::Full) else {
            return false;
        };
        let has_text = !pieces.is_empty();
        for (channel, text) in pieces {
            let Some(mut args) = self.log_args(key) else {
                return false;
            };
            args.push(Value::Int(channel as i64));
            args.push(Value::Bytes(text.into()));
            self.send(observer, "logChunk", args);
        }
        has_text
    }

    fn tell_build_finished(&mut self, id: BuildId) {
        self.etas.retain(|(build, _), _| *build != id);
        if let Some(build) = self.following.build(id)
            && let Some(observer) = self.observer(Mode::Builds)
        {
            let name = STYLE.value(build.builder.as_str());
            let result = build.result.map_or(Value::None, result_number);
            let args = vec![name, self.value_of(Thing::Build(id)), result];
            self.send(observer, "buildFinished", args);
        }
        for observer in self.watched_builds.end(id) {
            self.peer.release(observer);
        }
        self.following.forget(id);
        self.tell_over(Thing::Build(id));
    }

    /// Answers the calls that wait for the end of `thing`.
    pub(super) fn tell_over(&mut self, thing: Thing) {
        let is_over = |(what, _): &mut (Thing, _)| *what == thing;
        let over: Vec<_> = self.waiting.extract_if(.., is_over).collect();
        for (_, reply) in over {
            let value = self.value_of(thing);
            reply.value(value);
        }
    }

    /// The time of the next estimate that is due.
    pub(super) fn next_eta(&self) -> Option<Instant> {
        let watched = self.watched_builds.next_eta();
        self.etas.values().copied().chain(watched).min()
    }

    /// Sends the estimates that are due.
    pub(super) async fn tell_etas(&mut self) {
        let now = Instant::now();
        let due = self.etas.iter().filter(|(_, at)| **at <= now);
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        for (id, step) in due {
            self.schedule(id, step);
            match step {
                None => self.tell_eta(id).await,
                Some(step) => self.tell_step_eta(id, step).await,
            }
        }
        let due = self.watched_builds.take_due(now);
        for (id, observer) in due {
            self.send_eta(id, observer).await;
        }
    }

    /// Notes when the next estimate is due. Returns whether estimates are wanted.
    fn schedule(&mut self, id: BuildId, step: Option<usize>) -> bool {
        let interval = self.subscription.and_then(|s| s.interval);
        let next = interval.map(|interval| Instant::now() + interval);
        if let Some(next) = next {
            self.etas.insert((id, step), next);
        }
        next.is_some()
    }

    async fn tell_eta(&mut self, id: BuildId) {
        if let Some(observer) = self.observer(Mode::Steps) {
            self.send_eta(id, observer).await;
        }
    }

    /// Sends an estimate of a build, if there is one.
    pub(super) async fn send_eta(&mut self, id: BuildId, observer: Luid) {
        let Some(build) = self.following.build(id) else {
            return;
        };
        let name = STYLE.value(build.builder.as_str());
        let Some(seconds) = self.eta(build, None).await else {
            return;
        };
        let args = vec![name, self.value_of(Thing::Build(id)), Value::Float(seconds)];
        self.send(observer, "buildETAUpdate", args);
    }

    async fn tell_step_eta(&mut self, id: BuildId, step: usize) {
        let (Some(observer), Some(build)) = (self.observer(Mode::Logs), self.following.build(id))
        else {
            return;
        };
        let eta = self.eta(build, Some(step)).await;
        let expectations = self.history.expectations(STYLE, build, step).await;
        let Some(mut args) = self.step_args(id, step) else {
            return;
        };
        args.push(eta.map_or(Value::None, Value::Float));
        args.push(expectations);
        self.send(observer, "stepETAUpdate", args);
    }

    /// Estimated remaining time of a running build or step in seconds; absent if unknown.
    pub(super) async fn eta(&self, build: &Build, step: Option<usize>) -> Option<f64> {
        let left = self.history.left(build, self.control.clock().wall());
        let left = left.await;
        let remaining = match step {
            None => left.build?,
            Some(step) => (*left.steps.get(step)?)?,
        };
        Some(remaining.0)
    }

    /// The observer of the client, if it has subscribed to at least this mode.
    fn observer(&self, least: Mode) -> Option<Luid> {
        let subscription = self.subscription.filter(|s| s.mode >= least)?;
        Some(subscription.observer)
    }

    /// Builder, build, name of the step, step.
    fn step_args(&mut self, id: BuildId, step: usize) -> Option<Vec<Value>> {
        let build = self.following.build(id)?;
        let builder = STYLE.value(build.builder.as_str());
        let name = STYLE.value(&build.steps.get(step)?.name);
        let (build, object) = (Thing::Build(id), Thing::Step(id, step));
        Some(vec![
            builder,
            self.value_of(build),
            name,
            self.value_of(object),
        ])
    }

    /// Those of the step, name of the log, log.
    fn log_args(&mut self, (id, step, log): LogKey) -> Option<Vec<Value>> {
        let build = self.following.build(id)?;
        let name = STYLE.value(&build.steps.get(step)?.logs.get(log)?.name);
        let mut args = self.step_args(id, step)?;
        args.push(name);
        args.push(self.value_of(Thing::Log(id, step, log)));
        Some(args)
    }

    /// Tells the person something (LIV-05).
    pub(super) fn pass_on(&mut self, message: Message) {
        let Some(observer) = self.observer(Mode::Builders) else {
            return;
        };
        let Message { text, link, taken } = message;
        let args = vec![STYLE.value(&text), STYLE.value(&link)];
        let call = self
            .peer
            .call(Target::Object(observer), "message", args, Vec::new());
        let answered = async move {
            let answer = call.await;
            // The letter may have been given up.
            let has = match &answer {
                Ok(_) => Taken::Yes,
                Err(CallError::Remote(failure)) if failure.is(Failure::NO_SUCH_METHOD) => {
                    Taken::Never
                }
                Err(_) => Taken::No,
            };
            taken.send(has).unwrap_or_default();
            answer
        };
        self.window.push(text.len() + link.len(), answered);
    }

    /// Calls an observer.
    pub(super) fn send(&mut self, observer: Luid, method: &'static str, args: Vec<Value>) {
        let bytes = args.iter().filter_map(Value::as_raw).map(bytes::Bytes::len);
        let bytes = bytes.sum();
        let call = self
            .peer
            .call(Target::Object(observer), method, args, Vec::new());
        self.window.push(bytes, call);
    }
}
