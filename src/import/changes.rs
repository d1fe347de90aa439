//! Schedulers, change sources and status targets (IMPORT section 5).

use serde_json::Value as Json;

use super::desk::Desk;
use super::dump::{Args, Thing};
use super::farm::Plain;
use super::item::{Item, Table};
use super::questions::{Ask, is_function};
use super::spot::Gap;
use super::steps::with_arguments_of;
use super::values::{has_marks, is_secret_name, mark, part, set};
use crate::config::known::Family;

/// Arguments that every `NightlyTriggerable` takes from its base and passes over.
const OF_NIGHTLY: [&str; 6] = [
    "branch",
    "onlyIfChanged",
    "change_filter",
    "fileIsImportant",
    "onlyImportant",
    "createAbsoluteSourceStamps",
];

impl Desk {
    /// Adds a scheduler.
    pub(super) fn scheduler(&mut self, thing: &Thing, plain: &mut Plain) {
        self.go_to("scheduler", thing);
        let answer = self.class_answer(Ask::SchedulerClass, thing);
        let class = thing.class.as_deref().unwrap_or_default();
        let Some(kind) = Family::Schedulers.kind(class) else {
            let with = with_arguments_of(thing);
            self.misses(format!("the scheduler type `{class}`{with}"));
            return;
        };
        if answer == Ok(None) {
            return;
        }
        let mut table = Table::default();
        table.set("type", Item::text(kind));
        let name = thing.args.get("name").and_then(Json::as_str);
        let name = name.or(thing.name.as_deref()).unwrap_or(kind);
        table.set("name", Item::text(name));
        for (key, value) in &thing.args {
            self.scheduler_setting(kind, key, value, &mut table);
        }
        if let Ok(Some(answer)) = answer {
            for (key, value) in answer.as_object().into_iter().flatten() {
                set(&mut table, key, value);
            }
        }
        if kind == "Scheduler" && table.get("branch").is_some() && has_branch_filter(&table) {
            table.remove("branch");
        }
        plain.schedulers.push(table);
    }

    /// The answer to the question of an own class with code; an empty table if it has none, and
    /// none if the thing is left out.
    fn class_answer(&mut self, ask: Ask, thing: &Thing) -> Result<Option<Json>, Gap> {
        let Some(class) = thing.own_code(true) else {
            return Ok(Some(Json::Object(serde_json::Map::new())));
        };
        self.ask_class(ask, class, thing.own_place())
    }

    fn scheduler_setting(
        &mut self,
        kind: &'static str,
        key: &str,
        value: &Json,
        table: &mut Table,
    ) {
        match key {
            "name" => {}
            _ if kind == "NightlyTriggerable" && OF_NIGHTLY.contains(&key) => {
                self.leave_out(format!(
                    "`{key}` of `{kind}`, which builds what triggers it"
                ));
            }
            "buttonName" => set(table, "button", value),
            "change_filter" => self.filter(value, table),
            "fileIsImportant" => self.importance(value, table),
            "upstream" => {
                let name = value.pointer("/args/name").and_then(Json::as_str);
                if let Some(name) = name.or(value.as_str()) {
                    table.set("upstream", Item::text(name));
                }
            }
            "categories" => self.filter_field("category", value, table),
            "branch" if value.is_null() => {}
            "treeStableTimer" if value.is_null() => {}
            "userpass" => self.userpass(value, table),
            "port" if kind == "Try_Userpass" => set(table, "port", value),
            "properties" if kind == "ForceScheduler" => self.parameters(value, table),
            "reason" if kind == "ForceScheduler" && value.is_object() => {
                let mut parameter = self.parameter(value);
                parameter.remove("name");
                parameter.remove("type");
                table.set("reason_parameter", Item::Table(parameter));
            }
            "branch" | "revision" | "repository" | "project" | "username" | "codebases"
                if kind == "ForceScheduler" =>
            {
                self.field(key, value, table);
            }
            _ if value.is_null() => {}
            _ => self.scheduler_other(kind, key, value, table),
        }
    }

    fn scheduler_other(&mut self, kind: &str, key: &str, value: &Json, table: &mut Table) {
        let Some(ours) = Family::Schedulers.key(Some(kind), key) else {
            if is_function(value) {
                drop(self.ask(Ask::Value, value));
            }
            let what = match value {
                Json::Bool(_) | Json::Number(_) | Json::String(_) if !is_secret_name(key) => {
                    format!("`{key} = {value}` of the scheduler type `{kind}`")
                }
                Json::Null
                | Json::Bool(_)
                | Json::Number(_)
                | Json::String(_)
                | Json::Array(_)
                | Json::Object(_) => format!("`{key}` of the scheduler type `{kind}`"),
            };
            self.misses(what);
            return;
        };
        let item = match (ours, value) {
            ("reason", Json::String(text)) => {
                Some(Item::Text(text.replace("%(classname)s", "scheduler")))
            }
            ("builders", Json::Array(_)) => Item::plain(value),
            _ if is_function(value) => {
                drop(self.ask(Ask::Value, value));
                None
            }
            _ if has_marks(value) => {
                self.put_plain(ours, value, table);
                None
            }
            _ => Item::plain(value),
        };
        if let Some(item) = item {
            table.set(ours, item);
        }
    }

    /// A change filter.
    fn filter(&mut self, value: &Json, table: &mut Table) {
        let own = value.pointer("/custom/0").and_then(Json::as_str);
        if let Some(class) = own {
            let answer = self.ask_class(Ask::Filter, class, String::new());
            put_answer(answer, table);
        }
        let args = value.get("args").and_then(Json::as_object);
        for (key, value) in args.into_iter().flatten() {
            if value.is_null() {
                continue;
            }
            if is_function(value) {
                self.filter_function(value, table);
            } else if let Some(field) = key.strip_suffix("_re") {
                let pattern = self.pattern(value);
                put_filter(table, field, pattern);
            } else {
                self.filter_field(key, value, table);
            }
        }
    }

    fn filter_field(&mut self, field: &str, value: &Json, table: &mut Table) {
        let none_as_false = |value: &Json| match value.is_null() {
            true => Some(Item::Flag(false)),
            false => Item::plain(value),
        };
        let item = if let Some(entries) = value.as_array() {
            let entries = entries.iter().filter_map(none_as_false);
            Some(Item::List(entries.collect()))
        } else if mark(value) == Some("set") {
            value.get("values").and_then(Item::plain)
        } else {
            none_as_false(value)
        };
        let is_single = matches!(item, Some(Item::Text(_)));
        let kind = table
            .get("type")
            .and_then(Item::as_text)
            .unwrap_or_default();
        if let Some(item) = item {
            match (field, kind) {
                ("branch", "Scheduler") if is_single => table.set("branch", item),
                ("branch", "AnyBranch") => {
                    let list = matches!(item, Item::List(_));
                    let list = if list { item } else { Item::List(vec![item]) };
                    table.set("branches", list);
                }
                _ => put_filter(table, field, item),
            }
        }
    }

    fn filter_function(&mut self, function: &Json, table: &mut Table) {
        let answer = self.ask(Ask::Filter, function);
        put_answer(answer, table);
    }

    fn importance(&mut self, value: &Json, table: &mut Table) {
        if !is_function(value) {
            return;
        }
        match self.ask(Ask::Importance, value) {
            Ok(Some(files @ Json::Object(_))) => set(table, "important_files", &files),
            Ok(Some(answer)) => set(table, "important_if", &answer),
            Ok(None) | Err(_) => {}
        }
    }

    /// Users of a try scheduler.
    fn userpass(&mut self, value: &Json, table: &mut Table) {
        let mut users = Vec::new();
        for pair in value.as_array().into_iter().flatten() {
            let text = |at: usize| pair.get(at).and_then(Json::as_str).unwrap_or_default();
            let file = self.secret(&format!("try-{}", text(0)), text(1));
            users.push(Item::Table(Table(vec![
                ("user".to_owned(), Item::text(text(0))),
                ("password_file".to_owned(), Item::Text(file)),
            ])));
        }
        table.set("userpass", Item::List(users));
    }

    /// The parameters of a force scheduler.
    fn parameters(&mut self, value: &Json, table: &mut Table) {
        let mut parameters = Vec::new();
        for entry in value.as_array().into_iter().flatten() {
            parameters.push(Item::Table(self.parameter(entry)));
        }
        if !parameters.is_empty() {
            table.set("parameters", Item::List(parameters));
        }
    }

    fn parameter(&mut self, value: &Json) -> Table {
        let mut table = Table::default();
        let class = part(value, "class");
        let is_choice = ["WorkerChoiceParameter", "BuildslaveChoiceParameter"].contains(&class);
        let class = if is_choice {
            "BuildslaveChoiceParameter"
        } else {
            class
        };
        table.set("type", Item::text(class));
        let args = value.get("args").and_then(Json::as_object);
        for (key, value) in args.into_iter().flatten() {
            if is_function(value) {
                drop(self.ask(Ask::Value, value));
                continue;
            }
            let key = super::settings::snake(key);
            let fields = value.as_array().filter(|_| key == "fields");
            if let Some(entries) = fields {
                let fields = entries
                    .iter()
                    .map(|entry| Item::Table(self.parameter(entry)));
                let fields = Item::List(fields.collect());
                table.set(&key, fields);
            } else {
                set(&mut table, &key, value);
            }
        }
        let name = table.get("name").and_then(Item::as_text);
        if is_choice && name.is_none_or(|name| name == "workername") {
            table.set("name", Item::text("slavename"));
        }
        table.in_order()
    }

    /// A field of a force scheduler: a fixed text, or a parameter.
    fn field(&mut self, key: &str, value: &Json, table: &mut Table) {
        if part(value, "class") == "FixedParameter" {
            let default = value.pointer("/args/default").and_then(Json::as_str);
            table.set(key, Item::text(default.unwrap_or_default()));
            return;
        }
        if !value.is_object() {
            return;
        }
        let mut parameter = self.parameter(value);
        parameter.remove("name");
        let kind = parameter.get("type").and_then(Item::as_text);
        if kind == Some("StringParameter") || key == "username" {
            parameter.remove("type");
        }
        table.set(key, Item::Table(parameter));
    }

    /// Adds a change source.
    pub(super) fn change_source(&mut self, thing: &Thing, plain: &mut Plain) {
        self.go_to("change source", thing);
        let answer = self.class_answer(Ask::ChangeSource, thing);
        let class = thing.class.as_deref().unwrap_or_default();
        let mut table = Table::default();
        match (&answer, Family::ChangeSources.kind(class)) {
            (Ok(None), _) => return,
            (Ok(Some(answer)), Some(kind)) if answer.get("type").is_none() => {
                table.set("type", Item::text(kind));
                self.target(Family::ChangeSources, kind, &thing.args, &mut table);
            }
            (Ok(Some(answer)), _) if answer.get("type").is_some() => {}
            (Ok(_), _) => {
                let with = with_arguments_of(thing);
                self.misses(format!("the change source `{class}`{with}"));
                return;
            }
            (Err(_), _) => return,
        }
        if let Ok(Some(answer)) = answer {
            for (key, value) in answer.as_object().into_iter().flatten() {
                set(&mut table, key, value);
            }
        }
        if class == "PBChangeSource" && table.get("password_file").is_none() {
            // What Buildbot takes if nothing is said.
            let file = self.secret("change", "changepw");
            table.set("password_file", Item::Text(file));
            self.look_at("the user `change` has the password that every Buildbot has");
        }
        let name = |table: &Table| {
            let name = table.get("name").or_else(|| table.get("repourl"))?;
            Some(name.as_text()?.to_owned())
        };
        if let Some(wanted) = name(&table) {
            let is_taken = |wanted: &str| {
                let mut names = plain.change_sources.iter().filter_map(name);
                names.any(|name| name == wanted)
            };
            let free = super::desk::unused(&wanted, is_taken);
            if free != wanted {
                table.set("name", Item::Text(free));
            }
        }
        plain.change_sources.push(table.in_order());
    }

    /// Adds a status target.
    pub(super) fn status(&mut self, thing: &Thing, plain: &mut Plain) {
        self.go_to("status target", thing);
        let class = thing.class.as_deref().unwrap_or_default();
        if class == "WebStatus" {
            if let Some(port) = thing.args.get("http_port") {
                self.web(port, plain);
            }
            if thing.args.contains_key("authz") {
                self.look_at("who may do what on the pages: write [permissions] and [[people]]");
            }
            for key in ["change_hook_dialects", "change_hook_auth"] {
                if let Some(value) = thing.args.get(key) {
                    self.hooks(key, value, plain);
                }
            }
            self.functions_among(&thing.args);
            return;
        }
        let answer = self.class_answer(Ask::StatusClass, thing);
        let Some(kind) = Family::Status.kind(class) else {
            self.functions_among(&thing.args);
            let with = with_arguments_of(thing);
            self.misses(format!("the status target `{class}`{with}"));
            return;
        };
        let Ok(Some(answer)) = answer else {
            self.functions_among(&thing.args);
            return;
        };
        for args in self.by_generator(&thing.args) {
            let mut table = Table::default();
            table.set("type", Item::text(kind));
            self.target(Family::Status, kind, &args, &mut table);
            for (key, value) in answer.as_object().into_iter().flatten() {
                set(&mut table, key, value);
            }
            if !self.keep_known_builders(&mut table, plain) {
                continue;
            }
            let same = |other: &&Table| other.get("type") == table.get("type");
            let count = plain.status.iter().filter(same).count();
            if count > 0 && table.get("name").is_none() {
                table.set("name", Item::Text(format!("{kind}-{}", count + 1)));
            }
            plain.status.push(table.in_order());
        }
    }

    /// Leaves out builders that the farm does not have, which Buildbot does not mind here; false if
    /// no others are named.
    fn keep_known_builders(&mut self, table: &mut Table, plain: &Plain) -> bool {
        let Some(Item::List(named)) = table.get("builders") else {
            return true;
        };
        let is_known = |name: &&Item| {
            let mut builders = plain.builders.iter();
            builders.any(|(builder, _)| builder.get("name") == Some(*name))
        };
        let known: Vec<Item> = named.iter().filter(is_known).cloned().collect();
        if known.len() < named.len() {
            self.look_at("a status target that names builders that are not there");
        }
        let is_left = named.is_empty() || !known.is_empty();
        table.set("builders", Item::List(known));
        is_left
    }

    /// The arguments of a reporter of Buildbot 3 and later, once for each of its generators, which
    /// have what older ones have themselves.
    fn by_generator(&mut self, args: &Args) -> Vec<Args> {
        let mut all = Vec::new();
        let generators = args.get("generators").and_then(Json::as_array);
        for generator in generators.into_iter().flatten() {
            let class = part(generator, "class").to_owned();
            let own = generator.get("args").and_then(Json::as_object);
            let Some(own) = own.filter(|_| class.ends_with("StatusGenerator")) else {
                self.misses(format!("the generator `{class}` of reports"));
                continue;
            };
            let mut args = args.clone();
            args.remove("generators");
            args.extend(own.iter().map(|(key, value)| (key.clone(), value.clone())));
            if class == "BuildSetStatusGenerator" {
                args.insert("buildSetSummary".to_owned(), Json::Bool(true));
            }
            all.push(args);
        }
        match all.is_empty() {
            true => vec![args.clone()],
            false => all,
        }
    }

    fn functions_among(&mut self, args: &Args) {
        for value in args.values() {
            self.functions_within(value);
        }
    }

    pub(super) fn functions_within(&mut self, value: &Json) {
        if is_function(value) {
            drop(self.ask(Ask::Value, value));
            return;
        }
        match value {
            Json::Array(entries) => entries.iter().for_each(|v| self.functions_within(v)),
            Json::Object(entries) => entries.values().for_each(|v| self.functions_within(v)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    /// The settings of a change source or status target.
    fn target(&mut self, family: Family, kind: &'static str, args: &Args, table: &mut Table) {
        for (key, value) in args {
            self.functions_within(value);
            if value.is_null() || is_function(value) {
                continue;
            }
            match (kind, key.as_str(), value) {
                ("GitPoller" | "HgPoller", "branch", Json::String(branch)) => {
                    table.set("branches", Item::texts([branch]));
                }
                // All branches, as here if nothing is said.
                ("GitPoller" | "HgPoller", "branches", Json::Bool(true)) => {}
                // Not the category of a builder, which is a tag.
                (_, "category", Json::String(name)) if family == Family::ChangeSources => {
                    table.set("category", Item::text(name));
                }
                ("GitPoller" | "HgPoller", "workdir", _) => {
                    self.leave_out("`workdir` of pollers");
                }
                ("SVNPoller", "histmax", _) => self.leave_out("`histmax` of pollers"),
                ("IRC", "channels", Json::Array(channels)) => {
                    table.set("channels", Item::texts(channels.iter().filter_map(channel)));
                }
                ("IRC", "notify_events", Json::Object(events)) => {
                    table.set("notify_events", Item::texts(events.keys()));
                }
                ("MailNotifier", "lookup", Json::String(domain)) => {
                    table.set("lookup", Item::text(domain));
                }
                ("MailNotifier", "useTls" | "useSmtps", Json::Bool(is_wanted)) => {
                    let kind = if key == "useTls" {
                        "starttls"
                    } else {
                        "implicit"
                    };
                    if *is_wanted {
                        table.set("tls", Item::text(kind));
                    }
                }
                _ => self.target_other(family, kind, (key, value), table),
            }
        }
        if kind == "IRC" && table.get("tls").is_none() {
            table.set("tls", Item::Flag(false));
        }
    }

    fn target_other(
        &mut self,
        family: Family,
        kind: &str,
        (key, value): (&String, &Json),
        table: &mut Table,
    ) {
        let file_key = format!("{key}_file");
        if let Json::String(secret) = value
            && (is_secret_name(key) || key == "passwd")
        {
            let ours = family.key(Some(kind), &file_key);
            let ours = ours.or_else(|| family.key(Some(kind), "password_file"));
            let file = self.secret(&format!("{}-{key}", kind.to_lowercase()), secret);
            match ours {
                Some(ours) => table.set(ours, Item::Text(file)),
                None => drop(self.misses(format!("`{key}` of `{kind}`"))),
            }
            return;
        }
        match family.key(Some(kind), key) {
            Some(_) if has_marks(value) => drop(self.misses(format!("`{key}` of `{kind}`"))),
            Some(ours) => {
                if let Some(item) = self.without_secrets(value) {
                    table.set(ours, item);
                }
            }
            None => drop(self.misses(format!("`{key}` of `{kind}`"))),
        }
    }

    /// Plain data; what is a secret in it is kept aside and noted.
    fn without_secrets(&mut self, value: &Json) -> Option<Item> {
        let Json::Object(entries) = value else {
            return Item::plain(value);
        };
        let mut table = Table::default();
        for (key, value) in entries {
            if let Some(secret) = value.as_str().filter(|_| is_secret_name(key)) {
                let file = self.secret(key, secret);
                self.misses(format!("a secret in a table (it is in {file})"));
            } else {
                set(&mut table, key, value);
            }
        }
        Some(Item::Table(table))
    }
}

/// The name of a channel, which Buildbot takes without its `#`, too.
fn channel(value: &Json) -> Option<String> {
    let name = value.get("channel").unwrap_or(value).as_str()?;
    let has_sign = name.starts_with(['#', '&', '+', '!']);
    Some(format!("{}{name}", if has_sign { "" } else { "#" }))
}

fn has_branch_filter(table: &Table) -> bool {
    let filter = table.get("filter").and_then(Item::as_table);
    filter.is_some_and(|filter| filter.get("branch").is_some())
}

/// What is answered to a filter; an open one lets nothing through (IMP-13).
fn put_answer(answer: Result<Option<Json>, Gap>, table: &mut Table) {
    match answer {
        Ok(Some(Json::Object(fields))) => {
            for (key, value) in &fields {
                if let Some(item) = Item::plain(value) {
                    put_filter(table, key, item);
                }
            }
        }
        Ok(Some(answer)) => {
            if let Some(item) = Item::plain(&answer) {
                put_filter(table, "when", item);
            }
        }
        Ok(None) => {}
        Err(_) => put_filter(table, "when", Item::text("false")),
    }
}

/// Sets a field of the filter.
fn put_filter(table: &mut Table, field: &str, value: Item) {
    let mut filter = match table.remove("filter") {
        Some(Item::Table(filter)) => filter,
        Some(_) | None => Table::default(),
    };
    filter.set(field, value);
    table.set("filter", Item::Table(filter));
}
