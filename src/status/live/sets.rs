//! The methods of build sets, requests, slaves, their events, and changes (PROTOCOL section 14).

use std::collections::{BTreeMap, BTreeSet};

use super::super::values::{number, observer, result_number, times};
use super::objects::{Done, gone, wrong};
use super::things::Thing;
use super::{Client, STYLE, unknown};
use crate::botmaster::Live;
use crate::model::{BuilderName, ChangeNumber, RequestId, SetId};
use crate::pb::{Failure, Value};
use crate::store::read::{RequestRow, SlaveRow};
use crate::view::{BuildSetPage, Queue};

/// Maximum number of open requests whose sets are listed.
const LISTED_REQUESTS: u32 = 1000;

impl Client {
    /// The sets that have not finished, with their numbers.
    pub(super) async fn open_sets(&mut self) -> Done {
        let read = |state: &_| {
            let priorities = BTreeMap::new();
            Queue::default().read(state, &Live::default(), &priorities, LISTED_REQUESTS)
        };
        let requests = self.history.read(read).await.unwrap_or_default();
        let ids: BTreeSet<SetId> = requests.into_iter().map(|request| request.set).collect();
        let pair = |id: SetId| {
            let set = self.value_of(Thing::Set(id));
            Value::Tuple(vec![set, number(id.0)])
        };
        Ok(Value::List(ids.into_iter().map(pair).collect()))
    }

    pub(super) async fn on_set(&mut self, id: SetId, method: &str) -> Done {
        let set = self.set_page(id).await.ok_or_else(gone)?;
        match method {
            "getID" => Ok(number(id.0)),
            "getReason" => Ok(STYLE.value(&set.set.reason)),
            "getSourceStamp" => Ok(stamp_of(&set)),
            "getBuilderNames" => {
                let requests = set.requests.iter();
                let names = requests.map(|request| STYLE.value(request.builder.as_str()));
                Ok(Value::List(names.collect()))
            }
            "getBuildRequests" => {
                let pairs = set.requests.iter().map(|request| {
                    let name = STYLE.value(request.builder.as_str());
                    let object = self.value_of(Thing::Request(request.id));
                    Value::Tuple(vec![name, object])
                });
                Ok(Value::List(pairs.collect()))
            }
            "isFinished" => Ok(Value::Bool(set.set.result.is_some())),
            "getResults" => Ok(set.set.result.map_or(Value::None, result_number)),
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn set_page(&self, id: SetId) -> Option<BuildSetPage> {
        let read = move |state: &_| BuildSetPage::find(state, id, &Live::default());
        self.history.read(read).await.flatten()
    }

    /// Answers those who wait for sets whose end was missed.
    pub(super) async fn look_for_ended_sets(&mut self) {
        let waiting = self.waiting.iter();
        let sets = waiting.filter_map(|(thing, _)| thing.as_set());
        for id in sets.collect::<BTreeSet<_>>() {
            let set = self.history.set(id).await;
            if set.is_none_or(|(set, _)| set.finished.is_some()) {
                self.tell_over(Thing::Set(id));
            }
        }
    }

    pub(super) async fn on_request(&mut self, id: RequestId, method: &str, args: &[Value]) -> Done {
        let read = self.history.read(move |state| state.request(id));
        let request = read.await.flatten().ok_or_else(gone)?;
        match method {
            "getBuilderName" => Ok(STYLE.value(request.builder.as_str())),
            "getSourceStamp" => {
                let set = self.set_page(request.set).await.ok_or_else(gone)?;
                Ok(stamp_of(&set))
            }
            "subscribe" => self.watch_request(&request, args).await,
            "unsubscribe" => {
                let observer = observer(args)?;
                // It was received with this call too.
                self.peer.release(observer);
                let watchers = self.watchers.entry(id).or_default();
                for _ in watchers.extract_if(.., |watcher| *watcher == observer) {
                    self.peer.release(observer);
                }
                if watchers.is_empty() {
                    self.watchers.remove(&id);
                }
                Ok(Value::None)
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    /// Tells the observer of the build that there is, and of those that come.
    async fn watch_request(&mut self, request: &RequestRow, args: &[Value]) -> Done {
        let observer = observer(args)?;
        self.check_subscriptions()?;
        self.watchers.entry(request.id).or_default().push(observer);
        if let Some(number) = request.build {
            let builder = request.builder.clone();
            let read = self
                .history
                .read(move |state| state.build(&builder, number));
            if let Some(build) = read.await.flatten() {
                let args = vec![
                    self.value_of(Thing::Build(build.id)),
                    STYLE.value(build.builder.as_str()),
                ];
                self.send(observer, "newbuild", args);
            }
        }
        Ok(Value::None)
    }

    pub(super) async fn find_slave(&mut self, name: &str) -> Done {
        let slaves = self.slave_rows().await;
        if !slaves.iter().any(|slave| slave.name.as_str() == name) {
            return Err(unknown("slave", name));
        }
        let place = self.slaves.place(name);
        Ok(self.value_of(Thing::Slave(place)))
    }

    pub(super) async fn slaves_of(&mut self, builder: &BuilderName) -> Done {
        let slaves = self.slave_rows().await.into_iter();
        let places = slaves
            .filter(|slave| slave.builders.contains(builder))
            .map(|slave| self.slaves.place(slave.name.as_str()));
        let places: Vec<_> = places.collect();
        let objects = places.into_iter().map(|at| self.value_of(Thing::Slave(at)));
        Ok(Value::List(objects.collect()))
    }

    /// An event of a builder, in order of time; negative numbers count from the newest. The events
    /// that are on record are the last arrival or departure of each of its slaves.
    pub(super) async fn event_of(&mut self, builder: &BuilderName, place: Option<&Value>) -> Done {
        let place = place.and_then(Value::as_int);
        let place = place.ok_or_else(|| wrong("an event has a number"))?;
        let mut events: Vec<_> = self.slave_rows().await;
        events.retain(|slave| slave.builders.contains(builder) && slave.seen_at.is_some());
        events.sort_by_key(|slave| slave.seen_at);
        let back = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
        let event = match place < 0 {
            true => events.iter().nth_back(back.saturating_sub(1)),
            false => events.get(back),
        };
        let Some(slave) = event else {
            return Ok(Value::None);
        };
        let at = self.slaves.place(slave.name.as_str());
        Ok(self.value_of(Thing::Event(at)))
    }

    pub(super) async fn on_slave(&self, place: usize, method: &str) -> Done {
        let slave = self.slave(place).await?;
        let told = |what: &str| {
            let text = slave.info.get(what).map(String::as_str);
            Ok(text.map_or(Value::None, |text| STYLE.value(text)))
        };
        match method {
            "getName" => Ok(STYLE.value(slave.name.as_str())),
            "getAdmin" => told("admin"),
            "getHost" => told("host"),
            "isConnected" => Ok(Value::Bool(slave.connected)),
            _ => Err(Failure::no_such_method(method)),
        }
    }

    pub(super) async fn on_slave_event(&self, place: usize, method: &str) -> Done {
        let slave = self.slave(place).await?;
        match method {
            "getTimes" => Ok(times(slave.seen_at, slave.seen_at)),
            "getText" => {
                let what = match slave.connected {
                    true => "connect",
                    false => "disconnect",
                };
                let texts = [what, slave.name.as_str()].map(|text| STYLE.value(text));
                Ok(Value::List(texts.to_vec()))
            }
            _ => Err(Failure::no_such_method(method)),
        }
    }

    async fn slave(&self, place: usize) -> Result<SlaveRow, Failure> {
        let name = self.slaves.at(place).ok_or_else(gone)?;
        let mut slaves = self.slave_rows().await.into_iter();
        let slave = slaves.find(|slave| slave.name.as_str() == name);
        slave.ok_or_else(gone)
    }

    async fn slave_rows(&self) -> Vec<SlaveRow> {
        let read = self.history.read(crate::store::State::slaves);
        read.await.unwrap_or_default()
    }

    pub(super) async fn on_change(&self, number: ChangeNumber, method: &str) -> Done {
        let read = self.history.read(move |state| state.change(number));
        let change = read.await.flatten().ok_or_else(gone)?;
        match method {
            "getWho" => Ok(STYLE.value(&change.who)),
            "getFiles" => {
                let files = change.files.iter().map(|file| STYLE.value(file));
                Ok(Value::List(files.collect()))
            }
            "getComments" => Ok(STYLE.value(&change.comments)),
            _ => Err(Failure::no_such_method(method)),
        }
    }
}

/// What a set is built from, as a dictionary.
fn stamp_of(set: &BuildSetPage) -> Value {
    let maybe = |text: &Option<String>| match text {
        Some(text) => STYLE.value(text),
        None => Value::None,
    };
    let pairs = [
        ("branch", maybe(&set.branch)),
        ("revision", maybe(&set.revision)),
        ("repository", STYLE.value(&set.repository)),
        ("project", STYLE.value(&set.project)),
        ("codebase", STYLE.value(&set.codebase)),
    ];
    let pairs = pairs.map(|(name, value)| (STYLE.value(name), value));
    Value::Dict(pairs.to_vec())
}
