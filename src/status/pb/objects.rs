//! The methods of build sets, requests, builds and steps (PROTOCOL sections 13.2 and 14).
//!
//! The methods are those of 0.8, which has more of them than later versions, except for those whose
//! answers Perspective Broker cannot carry. Results that a client of 0.8 does not know are not sent
//! to it.

use tokio::time::Instant;

use super::super::values::{interval, number, observer, of_build, of_step, result_number, texts};
use super::tracked::{BuildKey, Outcome};
use super::{Client, MAX_SUBSCRIPTIONS, MAX_WAITING, Thing, VALUE_ERROR};
use crate::logs::Channel;
use crate::model::{RequestId, SetId};
use crate::net::{IncomingCall, Reply};
use crate::pb::{Failure, Luid, Value};
use crate::protocol::TextStyle;

/// The outcome of a method.
type Done = Result<Value, Failure>;

impl Client {
    /// A call of a status object.
    pub(super) async fn on_object(&mut self, thing: Thing, call: Box<IncomingCall>) {
        let method = String::from_utf8_lossy(&call.method).into_owned();
        let IncomingCall { args, reply, .. } = *call;
        if method == "waitUntilFinished" {
            return self.wait(thing, reply);
        }
        let done = match thing {
            Thing::Perspective => Err(Failure::no_such_method(&method)),
            Thing::Set(id) => self.on_set(id, &method),
            Thing::Request(id) => self.on_request(id, &method, &args),
            Thing::Build(key) => self.on_build(key, &method, &args).await,
            Thing::Step(key, index) => self.on_step(key, index, &method).await,
            Thing::Log(key, step, index) => self.on_log((key, step, index), &method).await,
        };
        match done {
            Ok(value) => reply.value(value),
            Err(failure) => reply.fail(failure),
        }
    }

    /// Answers with the thing when it has ended.
    fn wait(&mut self, thing: Thing, reply: Reply) {
        let is_over = match thing {
            Thing::Set(id) => self.tracked.set(id).map(|set| set.result.is_some()),
            Thing::Build(key) => self.tracked.build(key).map(|build| build.is_over),
            Thing::Perspective | Thing::Request(_) | Thing::Step(..) | Thing::Log(..) => None,
        };
        match is_over {
            None => reply.fail(Failure::no_such_method("waitUntilFinished")),
            Some(true) => {
                let value = self.value_of(thing);
                reply.value(value);
            }
            Some(false) if self.waiting.len() >= MAX_WAITING => {
                let why = format!("more than {MAX_WAITING} calls are waiting on this connection");
                reply.fail(Failure::new(VALUE_ERROR, why));
            }
            Some(false) => self.waiting.push((thing, reply)),
        }
    }

    fn on_set(&mut self, id: SetId, method: &str) -> Done {
        let set = self.tracked.set(id).ok_or_else(gone)?;
        match method {
            "getID" => Ok(number(id.0)),
            "getReason" => Ok(self.text(&set.reason)),
            "getBuilderNames" => {
                let names = set.requests.iter().map(|(_, b)| self.text(b.as_str()));
                Ok(Value::List(names.collect()))
            }
            "getBuildRequests" => {
                let requests = set.requests.clone();
                let pair = |(id, builder): (RequestId, crate::model::BuilderName)| {
                    let name = self.text(builder.as_str());
                    Value::Tuple(vec![name, self.value_of(Thing::Request(id))])
                };
                Ok(Value::List(requests.into_iter().map(pair).collect()))
            }
            "isFinished" => Ok(Value::Bool(set.result.is_some())),
            "getResults" => Ok(set.result.map_or(Value::None, result_number)),
            _ => Err(Failure::no_such_method(method)),
        }
    }

    fn on_request(&mut self, id: RequestId, method: &str, args: &[Value]) -> Done {
        let request = self.tracked.request(id).ok_or_else(gone)?;
        match method {
            "getBuilderName" => Ok(self.text(request.builder.as_str())),
            "subscribe" => {
                let build = request.build;
                let observer = observer(args)?;
                self.check_subscriptions()?;
                self.watchers.entry(id).or_default().push(observer);
                if let Some(build) = build {
                    self.send_new_build(observer, build);
                }
                Ok(Value::None)
            }
            "unsubscribe" => {
                let observer = observer(args)?;
                let watchers = self.watchers.entry(id).or_default();
                let before = watchers.len();
                watchers.retain(|watcher| *watcher != observer);
                let removed = before - watchers.len();
                self.release(observer, removed + 1);
                Ok(Value::None)
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn on_build(&mut self, key: BuildKey, method: &str, args: &[Value]) -> Done {
        let followed = self.tracked.build(key).ok_or_else(gone)?;
        let outcome = followed.outcome.as_ref().filter(|_| followed.is_over);
        // A request without a build is shown as a build with a builder and an end only.
        if let Some(value) = of_build(self.style, followed.build.as_ref(), method) {
            return Ok(value);
        }
        match method {
            "getBuilderName" => Ok(self.text(followed.builder.as_str())),
            "isFinished" => Ok(Value::Bool(followed.is_over)),
            "getResults" => Ok(outcome.map_or(Value::None, |o| self.results(o))),
            "getText" => {
                let text = outcome.map(|o| o.text.as_slice()).unwrap_or_default();
                Ok(texts(self.style, text))
            }
            "getSteps" => {
                let steps = 0..followed.steps().len();
                let steps = steps.map(|step| self.value_of(Thing::Step(key, step)));
                Ok(Value::List(steps.collect()))
            }
            "getCurrentStep" => {
                let mut steps = followed.steps().iter();
                let current = steps.rposition(|step| step.finished_at.is_none());
                Ok(current.map_or(Value::None, |step| self.value_of(Thing::Step(key, step))))
            }
            "getETA" => Ok(self.eta(key).await.map_or(Value::None, Value::Float)),
            "subscribe" => self.watch_build(key, args).await,
            "unsubscribe" => {
                let observer = observer(args)?;
                let removed = self.watched_builds.remove(key, observer);
                self.release(observer, removed + 1);
                Ok(Value::None)
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn watch_build(&mut self, key: BuildKey, args: &[Value]) -> Done {
        let observer = observer(args)?;
        self.check_subscriptions()?;
        if self.tracked.build(key).is_some_and(|build| build.is_over) {
            // The build has ended: there will be no more notifications.
            self.release(observer, 1);
            return Ok(Value::None);
        }
        let interval = interval(args.get(1));
        let now = Instant::now();
        self.watched_builds.add(key, observer, interval, now);
        if interval.is_some() {
            self.tell_eta(key, observer).await;
        }
        Ok(Value::None)
    }

    async fn on_step(&mut self, key: BuildKey, index: usize, method: &str) -> Done {
        match method {
            "getBuild" => return Ok(self.value_of(Thing::Build(key))),
            "getETA" => {
                let eta = self.step_eta(key, index).await;
                return Ok(eta.map_or(Value::None, Value::Float));
            }
            "getExpectations" => return Ok(self.step_expectations(key, index).await),
            _ => {}
        }
        let build = self.tracked.build(key).ok_or_else(gone)?;
        let step = build.steps().get(index).ok_or_else(gone)?;
        if let Some(value) = of_step(self.style, step, method) {
            return Ok(value);
        }
        match method {
            "getLogs" => {
                let names: Vec<Value> = step.logs.iter().map(|log| self.text(&log.name)).collect();
                let logs = names.into_iter().enumerate();
                let logs = logs.map(|(n, name)| (name, self.value_of(Thing::Log(key, index, n))));
                Ok(Value::Dict(logs.collect()))
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn on_log(&self, (key, step, index): (BuildKey, usize, usize), method: &str) -> Done {
        let build = self.tracked.build(key).ok_or_else(gone)?;
        let step = build.steps().get(step).ok_or_else(gone)?;
        let log = step.logs.get(index).ok_or_else(gone)?;
        let channels: &'static [Channel] = match method {
            "getName" => return Ok(self.text(&log.name)),
            "isFinished" => return Ok(Value::Bool(log.complete)),
            "getText" => &Channel::OUTPUT,
            "getTextWithHeaders" => &Channel::ALL,
            _ => return Err(Failure::no_such_method(method)),
        };
        let text = self.history.log(&log.path, channels).await;
        let text = text.ok_or_else(|| Failure::new(VALUE_ERROR, "the log cannot be read"))?;
        Ok(self.style.lossy(&text))
    }

    fn results(&self, outcome: &Outcome) -> Value {
        match self.style {
            TextStyle::Unicode if outcome.is_cancelled => Value::Int(CANCELLED),
            TextStyle::Unicode | TextStyle::Bytes => result_number(outcome.result),
        }
    }

    fn check_subscriptions(&self) -> Result<(), Failure> {
        if self.subscriptions() < MAX_SUBSCRIPTIONS {
            return Ok(());
        }
        let why = format!("more than {MAX_SUBSCRIPTIONS} subscriptions on this connection");
        Err(Failure::new(VALUE_ERROR, why))
    }

    /// Releases an observer as often as it was received.
    fn release(&self, observer: Luid, times: usize) {
        for _ in 0..times {
            self.peer.release(observer);
        }
    }
}

fn gone() -> Failure {
    Failure::new(VALUE_ERROR, "this object is no longer followed")
}

/// The result "cancelled", which clients know since 0.9.
const CANCELLED: i64 = 6;
