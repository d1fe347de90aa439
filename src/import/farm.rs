//! A farm as a plain configuration: slaves, builders and top-level settings (IMPORT section 5).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::desk::Desk;
use super::dump::{Args, Farm, Thing};
use super::item::{Item, Table};
use super::questions::{Ask, is_function};
use super::spot::Spot;
use super::steps::Step;
use super::values::{part, set};
use crate::config::known::Family;

/// A plain configuration before it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain {
    /// Top-level settings that are not tables.
    pub(super) top: Table,
    /// `[properties]`, `[validation]`, `[web]`: tables of the top level.
    pub(super) tables: Vec<(String, Table)>,
    /// `[[slaves]]`.
    pub(super) slaves: Vec<Table>,
    /// `[factories]`.
    pub(super) factories: Vec<Factory>,
    /// `[[builders]]`, each with the index of its factory.
    pub(super) builders: Vec<(Table, usize)>,
    /// `[[schedulers]]`.
    pub(super) schedulers: Vec<Table>,
    /// `[[change_sources]]`.
    pub(super) change_sources: Vec<Table>,
    /// `[[status]]`.
    pub(super) status: Vec<Table>,
    /// Mistakes of the farm itself, which Buildbot did not see.
    pub(super) faults: Vec<String>,
}

impl Plain {
    /// All steps, as tables.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Table> {
        let steps = self.factories.iter().flat_map(|factory| &factory.steps);
        steps.map(|step| &step.table)
    }

    /// Whether a step extends the bundle `name`.
    pub(super) fn extends(&self, name: &str) -> bool {
        let mut extended = self.steps().filter_map(|step| step.get("extends"));
        extended.any(|extended| extended.as_text() == Some(name))
    }
}

/// A factory.
#[derive(Clone, Debug, Default)]
pub(super) struct Factory {
    /// Its name.
    pub(super) name: String,
    /// Work directory of its steps.
    pub(super) workdir: Option<Item>,
    /// Its steps.
    pub(super) steps: Vec<Step>,
}

/// Top-level settings that mean nothing here.
const NO_MEANING: [&str; 15] = [
    "eventHorizon",
    "buildCacheSize",
    "changeCacheSize",
    "caches",
    "logCompressionLimit",
    "logCompressionMethod",
    "logEncoding",
    "db",
    "db_url",
    "multiMaster",
    "manhole",
    "debugPassword",
    "metrics",
    "buildbotNetUsageData",
    "configurators",
];

/// Translates a farm.
pub(super) fn translate(farm: &Farm, desk: &mut Desk) -> Plain {
    let mut plain = Plain::default();
    desk.top(&farm.settings, &mut plain);
    for thing in &farm.slaves {
        desk.slave(thing, &mut plain);
    }
    if plain.top.get("slave_port").is_none() && plain.slaves.iter().any(needs_port) {
        desk.spot = Spot::default();
        desk.look_at("the port for slaves is not known: `slave_port` is the usual one");
        plain.top.set("slave_port", Item::text("0.0.0.0:9989"));
    }
    desk.factories(farm, &mut plain);
    for (at, builder) in farm.builders.iter().enumerate() {
        desk.spot = Spot {
            what: format!("builder `{}`", name_of(&builder.args)),
            at: builder.at.clone(),
            builders: vec![at],
        };
        let table = desk.builder(&builder.args);
        plain.builders.push((table, builder.factory));
    }
    for thing in &farm.schedulers {
        desk.scheduler(thing, &mut plain);
    }
    for thing in &farm.change_sources {
        desk.change_source(thing, &mut plain);
    }
    for thing in &farm.status {
        desk.status(thing, &mut plain);
    }
    for note in &farm.notes {
        desk.spot = Spot::default();
        desk.look_at(format!("Buildbot complained: {note}"));
    }
    plain
}

/// The argument `name`.
pub(super) fn name_of(args: &Args) -> &str {
    args.get("name").and_then(Json::as_str).unwrap_or_default()
}

impl Desk {
    /// Goes to `thing`, a `noun`.
    pub(super) fn go_to(&mut self, noun: &str, thing: &Thing) {
        let class = thing.class.as_deref().unwrap_or_default();
        let name = thing.args.get("name").and_then(Json::as_str);
        let name = name.or(thing.name.as_deref()).unwrap_or(class);
        // Buildbot 4 names a source after its port, which it does not know before it starts.
        let name = name.strip_suffix(":None").unwrap_or(name);
        self.spot = Spot {
            what: format!("{noun} `{name}`"),
            at: thing.at.clone(),
            builders: Vec::new(),
        };
    }

    fn top(&mut self, settings: &Args, plain: &mut Plain) {
        for (key, value) in settings {
            self.spot = Spot {
                what: format!("the setting `{key}`"),
                ..Spot::default()
            };
            match key.as_str() {
                _ if NO_MEANING.contains(&key.as_str()) => self.leave_out(format!("`{key}`")),
                "title" | "projectName" => set(&mut plain.top, "title", value),
                "titleURL" | "projectURL" => set(&mut plain.top, "title_url", value),
                "buildbotURL" => set(&mut plain.top, "buildbot_url", value),
                "slavePortnum" => self.port(value, plain),
                "protocols" => {
                    if let Some(port) = value.pointer("/pb/port") {
                        self.port(port, plain);
                    }
                }
                "mergeRequests" | "collapseRequests" => self.merging(value, &mut plain.top),
                "buildHorizon" => set(&mut plain.top, "build_horizon", value),
                "logHorizon" => set(&mut plain.top, "log_horizon", value),
                "changeHorizon" => set(&mut plain.top, "change_horizon", value),
                "logMaxSize" => set(&mut plain.top, "log_max_size", value),
                "logMaxTailSize" => set(&mut plain.top, "log_max_tail_size", value),
                "properties" => {
                    if let Some(Item::Table(table)) = Item::plain(value) {
                        plain.tables.push(("properties".to_owned(), table));
                    }
                }
                "validation" => self.validation(value, plain),
                "www" => self.www(value, plain),
                "select_next_worker" if is_function(value) => {
                    if let Ok(Some(_)) = self.ask(Ask::Choice, value) {
                        self.choice = Some(value.clone());
                    }
                }
                "prioritizeBuilders" => {
                    if self.ask(Ask::Order, value).is_ok() {
                        self.look_at("the order of builders: give builders a `priority`");
                    }
                }
                _ => {
                    if is_function(value) {
                        drop(self.ask(Ask::Value, value));
                    }
                    self.misses(format!("the setting `{key}`"));
                }
            }
        }
    }

    fn port(&mut self, value: &Json, plain: &mut Plain) {
        if value.as_str().is_some_and(|text| text.starts_with("ssl:")) {
            self.look_at("a port with TLS: here it is a plain one, put stunnel before it");
        }
        match value {
            Json::String(text) => {
                let number = text.trim_start_matches("ssl:");
                let number = match number.strip_prefix("tcp:") {
                    Some(port) if port.parse::<u16>().is_ok() => port,
                    Some(_) | None => number,
                };
                match number.parse::<u16>() {
                    Ok(port) => {
                        let port = Item::Text(format!("0.0.0.0:{port}"));
                        plain.top.set("slave_port", port);
                    }
                    Err(_) if number.contains(':') => {
                        plain.top.set("slave_port", Item::text(number));
                    }
                    Err(_) => drop(self.misses("a port for slaves that is not a number")),
                }
            }
            // Buildbot listens on all addresses.
            Json::Number(port) => {
                plain
                    .top
                    .set("slave_port", Item::Text(format!("0.0.0.0:{port}")));
            }
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => {}
        }
    }

    /// The pages of 0.9 and later.
    fn www(&mut self, value: &Json, plain: &mut Plain) {
        for (key, value) in value.as_object().into_iter().flatten() {
            match key.as_str() {
                "port" => self.web(value, plain),
                "auth" | "authz" => {
                    self.look_at(
                        "who may do what on the pages: write [permissions] and [[people]]",
                    );
                }
                "change_hook_dialects" | "change_hook_auth" => self.hooks(key, value, plain),
                _ => self.leave_out(format!("`{key}` of the pages")),
            }
        }
    }

    /// `[web]` with a port; only the first one.
    pub(super) fn web(&mut self, port: &Json, plain: &mut Plain) {
        if plain.tables.iter().any(|(name, _)| name == "web") {
            self.look_at("a second port for pages, which is left out");
            return;
        }
        let mut table = Table::default();
        match port {
            Json::Number(port) => table.set("port", Item::Text(format!("0.0.0.0:{port}"))),
            Json::String(text) => {
                let number = text.trim_start_matches("tcp:");
                let item = match number.parse::<u16>() {
                    Ok(port) => Item::Text(format!("0.0.0.0:{port}")),
                    Err(_) => Item::text(text),
                };
                table.set("port", item);
            }
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => return,
        }
        plain.tables.push(("web".to_owned(), table));
    }

    fn validation(&mut self, value: &Json, plain: &mut Plain) {
        let mut table = Table::default();
        for (key, value) in value.as_object().into_iter().flatten() {
            if let Item::Table(mut pattern) = self.pattern(value)
                && let Some(text) = pattern.remove("regex")
            {
                table.set(key, text);
            }
        }
        plain.tables.push(("validation".to_owned(), table));
    }

    /// Which requests share a build.
    fn merging(&mut self, value: &Json, table: &mut Table) {
        if let Some(flag) = value.as_bool() {
            table.set("merge_requests", Item::Flag(flag));
        } else if is_function(value) {
            match self.ask(Ask::Merging, value) {
                Ok(Some(Json::Object(keys))) => {
                    for (key, value) in &keys {
                        set(table, key, value);
                    }
                }
                Ok(Some(list @ Json::Array(_))) => set(table, "merge_by", &list),
                Ok(Some(answer)) => set(table, "merge_requests", &answer),
                Ok(None) | Err(_) => {}
            }
        }
    }

    fn factories(&mut self, farm: &Farm, plain: &mut Plain) {
        let mut users: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, builder) in farm.builders.iter().enumerate() {
            users.entry(builder.factory).or_default().push(at);
        }
        for (at, factory) in farm.factories.iter().enumerate() {
            let builders = users.remove(&at).unwrap_or_default();
            self.spot = Spot {
                what: "the work directory of a factory".to_owned(),
                at: None,
                builders: builders.clone(),
            };
            let workdir = factory.workdir.as_ref();
            let workdir = workdir.filter(|dir| dir.as_str() != Some("build"));
            let workdir = workdir.map_or(Ok(None), |dir| self.text(dir));
            let mut steps = Vec::new();
            for thing in &factory.steps {
                self.go_to("step", thing);
                self.spot.builders.clone_from(&builders);
                let made = self.step(thing);
                steps.extend(made.into_iter().map(|step| match workdir {
                    Err(gap) if step.table.get("workdir").is_none() => self.waiting_step(step, gap),
                    Ok(_) | Err(_) => step,
                }));
            }
            for step in &steps {
                for builder in builders.iter().filter(|_| step.waits_for.is_some()) {
                    let waits = self.waiting.entry(*builder).or_default();
                    waits.extend(step.waits_for.clone());
                }
            }
            plain.factories.push(Factory {
                name: format!("factory-{}", at + 1),
                workdir: workdir.ok().flatten(),
                steps,
            });
        }
        self.check_bundles();
    }

    fn builder(&mut self, args: &Args) -> Table {
        let mut table = Table::default();
        let name = name_of(args);
        table.set("name", Item::text(name));
        table.set("slaves", Item::texts(slaves_of(args)));
        let mut tags = Vec::new();
        for (key, value) in args {
            match key.as_str() {
                "name" | "slavename" | "slavenames" | "workername" | "workernames" => {}
                "builddir" | "slavebuilddir" | "workerbuilddir" => {}
                "category" => tags.extend(value.as_str().map(str::to_owned)),
                "project" => tags.extend(value.as_str().map(|p| format!("project:{p}"))),
                "tags" => {
                    let given = value.as_array().into_iter().flatten();
                    tags.extend(given.filter_map(Json::as_str).map(str::to_owned));
                }
                "env" => {
                    if let Some(env) = self.builder_env(value) {
                        table.set("env", env);
                    }
                }
                "locks" => {
                    if let Some(locks) = self.locks(value) {
                        table.set("locks", locks);
                    }
                }
                "properties" => self.put_plain("properties", value, &mut table),
                "defaultProperties" => {
                    self.look_at("`defaultProperties`, which go over those of requests here");
                    self.put_plain("properties", value, &mut table);
                }
                "mergeRequests" | "collapseRequests" => self.merging(value, &mut table),
                "nextBuild" => self.decides(Ask::Order, value, &mut table),
                "nextSlave" | "nextWorker" => self.decides(Ask::Choice, value, &mut table),
                "canStartBuild" if is_choice_of_requests(value) => {
                    table.set("slave_property", Item::text("slavename"));
                    if part(value, "name") == "enforceChosenWorker" {
                        self.look_at(
                            "requests choose their slave by the property `workername`, which is \
                             called `slavename` here",
                        );
                    }
                }
                "canStartBuild" => self.decides(Ask::Veto, value, &mut table),
                _ if value.is_null() => {}
                _ => match Family::Builders.key(None, key) {
                    Some(ours) => self.put_plain(ours, value, &mut table),
                    None => drop(self.misses(format!("`{key}` of builders"))),
                },
            }
        }
        let mut seen: Vec<String> = Vec::new();
        let chooses = ["nextSlave", "nextWorker"];
        let choice = self.choice.clone();
        if let Some(choice) = choice.filter(|_| chooses.iter().all(|key| !args.contains_key(*key)))
        {
            self.decides(Ask::Choice, &choice, &mut table);
        }
        tags.retain(|tag| {
            let is_new = !seen.contains(tag);
            seen.push(tag.clone());
            is_new
        });
        if !tags.is_empty() {
            table.set("tags", Item::texts(tags));
        }
        self.directories(args, name, &mut table);
        table
    }

    /// The directories of a builder, where they are not those of its name.
    fn directories(&mut self, args: &Args, name: &str, table: &mut Table) {
        let text = |key: &str| args.get(key).and_then(Json::as_str);
        let usual = crate::config::known::usual_builddir(name);
        let here = text("builddir").unwrap_or(&usual).trim_end_matches('/');
        if here != usual {
            table.set("builddir", Item::text(here));
        }
        let there = text("slavebuilddir").or_else(|| text("workerbuilddir"));
        let Some(there) = there.filter(|there| *there != here) else {
            return;
        };
        if there.starts_with(['/', '\\']) || there.contains(':') {
            self.misses(format!(
                "`slavebuilddir = \"{there}\"` of builders: on its slaves, make `{here}` in the base \
                 directory a link to it"
            ));
        } else {
            table.set("slavebuilddir", Item::text(there));
        }
    }

    /// The variables of a builder. One that cannot be written is left out and told.
    fn builder_env(&mut self, value: &Json) -> Option<Item> {
        let mut table = Table::default();
        let Some(entries) = value
            .as_object()
            .filter(|_| super::values::mark(value).is_none())
        else {
            return self.env(value).ok().flatten();
        };
        for (name, value) in entries {
            match self.variable(name, value) {
                Ok(item) => table.set(name, item),
                Err(_) => self.look_at(format!("the variable `{name}` of builders is left out")),
            }
        }
        (!table.0.is_empty()).then_some(Item::Table(table))
    }

    /// A function that chooses requests or slaves.
    fn decides(&mut self, ask: Ask, value: &Json, table: &mut Table) {
        if !is_function(value) {
            return;
        }
        match self.ask(ask, value) {
            Ok(Some(Json::Object(keys))) => {
                for (key, value) in &keys {
                    set(table, key, value);
                }
            }
            Ok(Some(answer @ Json::Array(_))) => {
                let is_order = matches!(ask, Ask::Order);
                let key = if is_order {
                    "request_order"
                } else {
                    "slave_order"
                };
                set(table, key, &answer);
            }
            Ok(Some(answer)) => {
                let key = if matches!(ask, Ask::Veto) {
                    "slave_if"
                } else if matches!(ask, Ask::Order) {
                    "request_order"
                } else {
                    "next_slave"
                };
                set(table, key, &answer);
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Whether a `canStartBuild` is Buildbot's own, with which a property of a request names its slave.
fn is_choice_of_requests(value: &Json) -> bool {
    let names = ["enforceChosenSlave", "enforceChosenWorker"];
    is_function(value)
        && names.contains(&part(value, "name"))
        && part(value, "file").ends_with("buildbot/process/builder.py")
}

/// Whether a slave connects to the port for slaves.
fn needs_port(slave: &Table) -> bool {
    slave.get("type").and_then(Item::as_text) != Some("local")
}

/// The slaves of a builder.
fn slaves_of(args: &Args) -> Vec<String> {
    let mut slaves: Vec<String> = Vec::new();
    for key in ["slavename", "workername", "slavenames", "workernames"] {
        match args.get(key) {
            Some(Json::String(name)) => slaves.push(name.clone()),
            Some(Json::Array(names)) => {
                slaves.extend(names.iter().filter_map(Json::as_str).map(str::to_owned));
            }
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) | None => {}
        }
    }
    let mut seen: Vec<String> = Vec::new();
    for name in slaves {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}
