//! Slaves (IMPORT section 5).

use serde_json::Value as Json;

use super::desk::Desk;
use super::dump::{Place, Thing};
use super::farm::Plain;
use super::item::{Item, Table};
use super::questions::Ask;
use super::values::{has_marks, set};
use crate::config::known::Family;

impl Desk {
    /// Adds a slave.
    pub(super) fn slave(&mut self, thing: &Thing, plain: &mut Plain) {
        self.go_to("slave", thing);
        let rest = thing.args.get("*").and_then(Json::as_array);
        let positional = |at: usize| rest.and_then(|rest| rest.get(at));
        let name = thing.args.get("name").or_else(|| positional(0));
        let name = name.and_then(Json::as_str).or(thing.name.as_deref());
        let name = name.unwrap_or_default().to_owned();
        let place = Place::show(thing.at.as_ref());
        if let Some(first) = self.slave_places.get(&name) {
            plain.faults.push(format!(
                "the slave `{name}` is there twice ({first} and {place}); the first is kept"
            ));
            return;
        }
        self.slave_places.insert(name.clone(), place);
        let class = thing.class.as_deref().unwrap_or("BuildSlave");
        let mut table = Table::default();
        table.set("name", Item::text(name.clone()));
        let kind = match slave_kind(class) {
            // The image is chosen for each build.
            "docker" if !thing.args.get("image").is_some_and(Json::is_string) => "command",
            kind => kind,
        };
        if kind != "slave" {
            table.set("type", Item::text(kind));
        }
        let password = thing.args.get("password").or_else(|| positional(1));
        match password.and_then(Json::as_str) {
            _ if kind == "local" => {}
            Some(password) => {
                let file = self.secret(&format!("slave-{name}"), password);
                table.set("password_file", Item::Text(file));
            }
            None => {
                let file = self.new_password(&format!("slave-{name}"));
                table.set("password_file", Item::Text(file));
                self.look_at("a slave without a password, which got a new one");
            }
        }
        if kind == "command" {
            table.set("start", Item::texts(["bin/start-instance", &name]));
            table.set("stop", Item::texts(["bin/stop-instance"]));
            let args: Vec<&String> = thing.args.keys().collect();
            self.look_at(format!(
                "instances of `{class}`: write bin/start-instance and bin/stop-instance; its \
                 arguments were {args:?}"
            ));
        }
        if let Some(class) = thing.own_code(true) {
            let place = thing.own_place();
            if let Ok(Some(Json::Object(answer))) = self.ask_class(Ask::Slave, class, place) {
                for (key, value) in &answer {
                    set(&mut table, key, value);
                }
            }
        }
        self.slave_settings(thing, kind, &mut table);
        plain.slaves.push(table);
    }

    fn slave_settings(&mut self, thing: &Thing, kind: &str, table: &mut Table) {
        let mut docker = Vec::new();
        for (key, value) in &thing.args {
            match key.as_str() {
                "name" | "password" | "*" => {}
                "locks" => {
                    if let Some(locks) = self.locks(value) {
                        table.set("locks", locks);
                    }
                }
                "defaultProperties" => {
                    self.look_at("`defaultProperties` of a slave, which go over those of requests");
                    self.put_plain("properties", value, table);
                }
                _ if value.is_null() => {}
                "volumes" | "hostconfig" if kind == "docker" => {
                    docker.extend(self.docker_words(key, value));
                }
                _ => match Family::Slaves.key(Some(kind), key) {
                    Some(ours) => self.put_plain(ours, value, table),
                    None if kind == "command" => {}
                    None => drop(self.misses(format!("`{key}` of slaves"))),
                },
            }
        }
        if !docker.is_empty() {
            table.set("docker_args", Item::texts(docker));
        }
    }

    /// Options of `docker run` for what the library of Docker is told. What has none here is noted.
    fn docker_words(&mut self, key: &str, value: &Json) -> Vec<String> {
        let settings = value.as_object().filter(|_| !has_marks(value));
        let settings: Vec<(&str, &Json)> = match settings {
            Some(settings) => settings.iter().map(|(k, v)| (k.as_str(), v)).collect(),
            None => vec![(key, value)],
        };
        let mut words = Vec::new();
        for (setting, value) in settings {
            match docker_options(setting, value) {
                Some(options) => words.extend(options),
                None if has_marks(value) => {
                    self.functions_within(value);
                    self.misses(format!("`{setting}` of containers, which is worked out"));
                }
                None => {
                    let what = match setting == key {
                        true => format!("`{setting} = {value}` of containers"),
                        false => format!("`{setting} = {value}` in `{key}` of containers"),
                    };
                    self.misses(what);
                }
            }
        }
        words
    }
}

/// The options of `docker run` that say the same as a setting of the library of Docker.
fn docker_options(setting: &str, value: &Json) -> Option<Vec<String>> {
    let option = match setting {
        "volumes" | "binds" => "--volume",
        "network_mode" => "--network",
        "dns" => "--dns",
        "mem_limit" => "--memory",
        "shm_size" => "--shm-size",
        "cap_add" => "--cap-add",
        "cap_drop" => "--cap-drop",
        "devices" => "--device",
        "extra_hosts" => "--add-host",
        "privileged" | "init" => {
            let flag = value.as_bool()?;
            return Some(flag.then(|| format!("--{setting}")).into_iter().collect());
        }
        _ => return None,
    };
    let word = |value: &Json| match value {
        Json::String(text) => Some(format!("{option}={text}")),
        Json::Number(number) => Some(format!("{option}={number}")),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    match value {
        Json::Array(entries) => entries.iter().map(word).collect(),
        Json::Object(hosts) if setting == "extra_hosts" => {
            let words = hosts.iter();
            let words =
                words.map(|(host, address)| Some(format!("{option}={host}:{}", address.as_str()?)));
            words.collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            Some(vec![word(value)?])
        }
    }
}

/// The kind of slave that a class becomes.
fn slave_kind(class: &str) -> &'static str {
    match class {
        "LocalBuildSlave" | "LocalWorker" => "local",
        _ if class.starts_with("DockerLatent") => "docker",
        "BuildSlave" | "Worker" | "AbstractBuildSlave" | "AbstractWorker" => "slave",
        _ => "command",
    }
}
