//! Steps (IMPORT section 5).

use serde_json::Value as Json;

use super::desk::{Desk, Got};
use super::dump::{Place, Thing};
use super::item::{Item, Table};
use super::questions::{Ask, filled, is_function};
use super::spot::Gap;
use super::values::{is_secret_name, mark, part};
use crate::config::known::{Family, usual_step};

/// A translated step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its settings.
    pub(super) table: Table,
    /// Why it is only there as a skipped step.
    pub(super) waits_for: Option<String>,
    /// Where it was made.
    pub(super) at: Option<Place>,
    /// Its class in Buildbot.
    pub(super) class: String,
    /// Its name.
    pub(super) name: String,
}

/// Attributes that tell nothing if they have these values.
const USUAL_TEXTS: [&str; 4] = [
    "description",
    "descriptionDone",
    "descriptionSuffix",
    "logfiles",
];

/// Arguments that have no meaning here.
const LEFT_OUT: [&str; 7] = [
    "progressMetrics",
    "logEncoding",
    "updateBuildSummaryPolicy",
    "resultNames",
    "buildslave",
    "parms",
    "renderables",
];

/// Arguments that a type without such a key takes and does not use.
const MEANS_NOTHING: [&str; 2] = ["lazylogfiles", "workdir"];

/// Bases without a behaviour of their own.
const BASES: [&str; 6] = [
    "BuildStep",
    "LoggingBuildStep",
    "ShellMixin",
    "CommandMixin",
    "ShellBaseStep",
    "BuildStepNewStyle",
];

/// The settings of a step while they are gathered.
#[derive(Debug)]
struct Draft {
    kind: &'static str,
    table: Table,
    gap: Option<Gap>,
}

impl Draft {
    fn put(&mut self, key: &str, got: Got) {
        match got {
            Ok(Some(item)) => self.table.set(key, item),
            Ok(None) => {}
            Err(gap) => self.gap = Some(self.gap.unwrap_or(gap)),
        }
    }
}

impl Desk {
    /// The steps that one of the farm's becomes; none if an answer leaves it out.
    pub(super) fn step(&mut self, thing: &Thing) -> Vec<Step> {
        let class = self.class_of(thing);
        let name = step_name(thing);
        let step = |table: Table, waits_for: Option<String>| Step {
            table: table.in_order(),
            waits_for,
            at: thing.at.clone(),
            class: class.clone(),
            name: name.clone(),
        };
        if let Some(error) = &thing.error {
            self.look_at(format!("a step that Buildbot could not make: {error}"));
            let table = placeholder(&name, "import-error", &class);
            return vec![step(table, Some("a step in error".to_owned()))];
        }
        let answer = self.own_class(thing);
        let kind = Family::Steps.kind(&class);
        let mut draft = Draft {
            kind: kind.unwrap_or("ShellCommand"),
            table: Table::default(),
            gap: None,
        };
        if BASES.contains(&class.as_str()) {
            self.functions_of(thing, &mut draft);
        } else if kind.is_some() {
            self.settings(thing, &mut draft);
        } else {
            self.functions_of(thing, &mut draft);
            let planned = Family::Steps.planned(&class);
            let advice = planned.map_or_else(String::new, |advice| format!(": {advice}"));
            let with = with_arguments_of(thing);
            draft.gap = Some(self.misses(format!("the step type `{class}`{with}{advice}")));
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(gap) => {
                draft.gap = Some(gap);
                Some(Answered::Nothing)
            }
        };
        if let Some(Answered::Skip) = answer {
            return Vec::new();
        }
        if let Some(gap) = draft.gap {
            return vec![self.waiting_step(step(draft.table, None), gap)];
        }
        let mut table = draft.table;
        table.set("type", Item::text(draft.kind));
        if let Some(Answered::Settings(settings)) = answer {
            lay_under(&mut table, &settings, thing);
        }
        let kind = table
            .get("type")
            .and_then(Item::as_text)
            .unwrap_or_default();
        if Family::Steps
            .kind(kind)
            .is_some_and(|kind| usual_step(kind).0 != name)
        {
            table.set("name", Item::Text(name.clone()));
        }
        vec![step(table, None)]
    }

    /// The step as a skipped one, which stands in its place until there is no gap (IMP-13).
    pub(super) fn waiting_step(&self, step: Step, gap: Gap) -> Step {
        if step.waits_for.is_some() {
            return step;
        }
        let (table, waits_for) = match gap {
            Gap::Open(at) => {
                let id = self.questions.id(at);
                let waits_for = format!("question {id}");
                (placeholder(&step.name, "import-question", id), waits_for)
            }
            Gap::Missing => {
                let table = placeholder(&step.name, "import-missing", &step.class);
                (table, format!("`{}`", step.class))
            }
        };
        Step {
            table,
            waits_for: Some(waits_for),
            ..step
        }
    }

    /// The class that counts: an old `SetProperty` with a command is another one today.
    fn class_of(&mut self, thing: &Thing) -> String {
        let class = thing.class.as_deref().unwrap_or("BuildStep");
        match class {
            "SetProperty" if thing.args.contains_key("command") => "SetPropertyFromCommand",
            "Shell" | "SimpleShellCommand" => "ShellCommand",
            "GitHub" | "Gerrit" | "GitLab" => {
                self.look_at(format!("a `{class}` step, which is written as `Git`"));
                "Git"
            }
            class => class,
        }
        .to_owned()
    }

    /// The answer to the question of its own class, if that has code.
    fn own_class(&mut self, thing: &Thing) -> Result<Option<Answered>, Gap> {
        let Some(class) = thing.own_code(false) else {
            return Ok(Some(Answered::Nothing));
        };
        match self.ask_class(Ask::StepClass, class, thing.own_place())? {
            None => Ok(Some(Answered::Skip)),
            Some(answer) => Ok(Some(Answered::Settings(answer))),
        }
    }

    /// Asks for the functions among the settings of a step that is not translated.
    fn functions_of(&mut self, thing: &Thing, draft: &mut Draft) {
        for (key, value) in thing.args.iter().chain(&thing.attributes) {
            self.functions_in(key, value, draft);
        }
    }

    fn functions_in(&mut self, key: &str, value: &Json, draft: &mut Draft) {
        if is_function(value) {
            let ask = match key {
                "doStepIf" | "hideStepIf" => Ask::Condition,
                "extract_fn" => Ask::Extract,
                "log_eval_func" => Ask::Result,
                _ => Ask::Value,
            };
            if let Err(gap) = self.ask(ask, value) {
                draft.gap = Some(draft.gap.unwrap_or(gap));
            }
            return;
        }
        match value {
            Json::Array(entries) => entries
                .iter()
                .for_each(|v| self.functions_in(key, v, draft)),
            Json::Object(entries) => {
                entries
                    .values()
                    .for_each(|v| self.functions_in(key, v, draft));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    fn settings(&mut self, thing: &Thing, draft: &mut Draft) {
        let attributes = thing.attributes.iter();
        let attributes = attributes.filter(|(key, value)| {
            !thing.args.contains_key(*key) && !is_usual(draft.kind, key, value)
        });
        let all: Vec<(&String, &Json, bool)> = thing
            .args
            .iter()
            .map(|(key, value)| (key, value, true))
            .chain(attributes.map(|(key, value)| (key, value, false)))
            .collect();
        self.old_address(thing, draft);
        for (key, value, is_argument) in all {
            if LEFT_OUT.contains(&key.as_str()) {
                if is_argument {
                    self.leave_out(format!("`{key}` of steps"));
                }
                continue;
            }
            self.setting(key, value, is_argument, draft);
        }
        let has_modes = Family::Steps.key(Some(draft.kind), "mode").is_some();
        let mode = draft.table.get("mode").and_then(Item::as_text);
        if has_modes && mode != Some("full") && draft.table.remove("method").is_some() {
            self.leave_out("`method` of a source step whose `mode` is not full");
        }
    }

    /// An address in the old form: what those of all branches start with, and the default branch.
    fn old_address(&mut self, thing: &Thing, draft: &mut Draft) {
        let Some(Json::String(base)) = thing.args.get("baseURL") else {
            return;
        };
        let branch = thing.args.get("defaultBranch").and_then(Json::as_str);
        let branch = branch.unwrap_or_default();
        let has_edge = base.ends_with('/') || branch.starts_with('/');
        if branch.is_empty() || !has_edge || base.contains("%%BRANCH%%") {
            let address = address_with_branch(base, branch);
            draft.put("repourl", Ok(Some(Item::Text(address))));
        } else {
            draft.put("base_url", Ok(Some(Item::text(base))));
            draft.put("default_branch", Ok(Some(Item::text(branch))));
        }
    }

    fn setting(&mut self, key: &str, value: &Json, is_argument: bool, draft: &mut Draft) {
        match key {
            "name" | "baseURL" | "defaultBranch" => {}
            "doStepIf" | "hideStepIf" => {
                let usual = key == "doStepIf";
                let ours = if usual { "do_step_if" } else { "hide_step_if" };
                let got = self.condition(value);
                if got != Ok(Some(Item::Flag(usual))) {
                    draft.put(ours, got);
                }
            }
            "extract_fn" if is_function(value) => {
                let got = self.ask(Ask::Extract, value);
                draft.put(
                    "set",
                    got.map(|answer| answer.as_ref().and_then(Item::plain)),
                );
                draft.table.remove("property");
            }
            "log_eval_func" if is_function(value) => match self.ask(Ask::Result, value) {
                Ok(answer) => {
                    for (key, value) in answer.iter().filter_map(Json::as_object).flatten() {
                        draft.put(key, Ok(Item::plain(value)));
                    }
                }
                Err(gap) => draft.gap = Some(draft.gap.unwrap_or(gap)),
            },
            "locks" => {
                let locks = self.locks(value);
                draft.put("locks", Ok(locks));
            }
            "usePTY" if value.as_str() == Some("slave-config") => {}
            "decodeRC" => draft.put("decode_rc", Ok(exit_codes(value))),
            "command" => {
                let got = self.command(value);
                draft.put("command", got);
            }
            "env" => {
                let got = self.env(value);
                draft.put("env", got);
            }
            "commands" => {
                let got = self.sequence(value);
                draft.put("commands", got);
            }
            "mode" if value.is_string() => self.mode(value, draft),
            "mode" => draft.put("mode", Ok(file_mode(value))),
            "timeout" if value.is_null() => draft.put("timeout", Ok(Some(Item::Flag(false)))),
            "schedulerNames" => {
                let got = self.command(value);
                draft.put("schedulers", got);
            }
            _ => self.other(key, value, is_argument, draft),
        }
    }

    /// A setting that has no rule of its own.
    fn other(&mut self, key: &str, value: &Json, is_argument: bool, draft: &mut Draft) {
        let Some(ours) = Family::Steps.key(Some(draft.kind), key) else {
            if is_argument && MEANS_NOTHING.contains(&key) {
                self.leave_out(format!("`{key}` of the step type `{}`", draft.kind));
            } else if is_argument {
                self.functions_in(key, value, draft);
                if !value.is_null() {
                    self.misses(format!("`{key}` of the step type `{}`", draft.kind));
                }
            }
            return;
        };
        if ours == "set" && draft.table.get("set").is_some() {
            return;
        }
        if ours == "property" && draft.table.get("set").is_some() {
            return;
        }
        let is_secret = |text: &&str| is_secret_name(key) && !text.is_empty();
        let is_plain = ours.ends_with("pattern") || ours == "property";
        let got = if let Some(secret) = value.as_str().filter(is_secret) {
            let file = Item::Text(self.secret(key, secret));
            let table = Table(vec![("secret_file".to_owned(), file)]);
            Ok(Some(Item::Table(table)))
        } else if let Some(text) = value.as_str().filter(|_| is_plain) {
            Ok(Some(Item::text(text)))
        } else if mark(value) == Some("regex") {
            Ok(Some(Item::text(part(value, "pattern"))))
        } else {
            self.rendered(value)
        };
        draft.put(ours, got);
    }

    fn mode(&mut self, value: &Json, draft: &mut Draft) {
        let word = value.as_str().unwrap_or_default();
        let (mode, method) = match word {
            "update" => ("incremental", None),
            "copy" => ("full", Some("copy")),
            "clobber" => ("full", Some("clobber")),
            "export" => ("full", Some("export")),
            mode => (mode, None),
        };
        draft.put("mode", Ok(Some(Item::text(mode))));
        if let Some(method) = method {
            draft.put("method", Ok(Some(Item::text(method))));
        }
    }

    /// The commands of a `ShellSequence`.
    fn sequence(&mut self, value: &Json) -> Got {
        if is_function(value) {
            self.ask(Ask::Value, value)?;
            return Err(self.misses("the `commands` of a sequence that a function works out"));
        }
        let mut commands = Vec::new();
        let mut gap = None;
        for entry in value.as_array().into_iter().flatten() {
            let args = entry.get("args").and_then(Json::as_object);
            let mut table = Table::default();
            for (key, value) in args.into_iter().flatten() {
                let got = match key.as_str() {
                    "command" => self.command(value),
                    "logfile" => continue,
                    _ => self.rendered(value),
                };
                match got {
                    Ok(Some(item)) => table.set(&snake(key), item),
                    Ok(None) => {}
                    Err(found) => gap = Some(found),
                }
            }
            commands.push(Item::Table(table));
        }
        gap.map_or(Ok(Some(Item::List(commands))), Err)
    }

    /// Locks by their names; each is registered.
    pub(super) fn locks(&mut self, value: &Json) -> Option<Item> {
        let mut names = Vec::new();
        for lock in value.as_array().into_iter().flatten() {
            if mark(lock) != Some("lock") {
                self.misses("a lock that is worked out while a build runs");
                continue;
            }
            let name = part(lock, "name");
            let mut table = Table::default();
            table.set("type", Item::text(part(lock, "kind")));
            for key in ["max_count", "max_count_for_slave"] {
                // Buildbot's farms write the greatest number of the machine for "any number".
                let count = lock.get(key).and_then(Json::as_u64);
                let count = count.map(|count| Json::from(count.min(u64::from(u32::MAX))));
                let mut item = count.as_ref().or(lock.get(key)).and_then(Item::plain);
                if let Some(Item::Table(counts)) = &mut item {
                    counts
                        .0
                        .retain(|(slave, _)| self.slave_places.contains_key(slave));
                }
                if let Some(item) = item {
                    table.set(key, item);
                }
            }
            // Another lock may have the same name.
            let is_other = |name: &str| self.locks.get(name).is_some_and(|known| *known != table);
            let name = super::desk::unused(name, is_other);
            self.locks.insert(name.clone(), table);
            names.push(match part(lock, "mode") {
                "exclusive" => Item::Table(Table(vec![
                    ("name".to_owned(), Item::Text(name)),
                    ("mode".to_owned(), Item::text("exclusive")),
                ])),
                _ => Item::Text(name),
            });
        }
        (!names.is_empty()).then_some(Item::List(names))
    }
}

/// ` with NAME, NAME`: the names of the arguments of something that is not carried over.
pub(super) fn with_arguments_of(thing: &Thing) -> String {
    let names: Vec<&str> = thing.args.keys().map(String::as_str).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" with {}", names.join(", ")),
    }
}

/// What is known of a step's own class.
#[derive(Debug)]
enum Answered {
    /// It has no code.
    Nothing,
    /// It is left out.
    Skip,
    /// These settings stand for its code.
    Settings(Json),
}

/// The name of the step.
fn step_name(thing: &Thing) -> String {
    let given = thing.args.get("name").and_then(Json::as_str);
    let name = given.or(thing.name.as_deref());
    name.unwrap_or("step").to_owned()
}

/// A step that is skipped, in the place of one that cannot run yet (IMP-13).
pub(super) fn placeholder(name: &str, program: &str, what: &str) -> Table {
    let about = match program {
        "import-question" => format!("question {what} of the import"),
        "import-missing" => format!("{what} is not available yet"),
        _ => format!("{what} could not be made"),
    };
    Table(vec![
        ("type".to_owned(), Item::text("ShellCommand")),
        ("name".to_owned(), Item::text(name)),
        ("command".to_owned(), Item::texts([program, what])),
        ("do_step_if".to_owned(), Item::Flag(false)),
        ("description".to_owned(), Item::Text(about)),
    ])
}

/// Lays the settings of an answer under those of a step; `{{ name }}` in them is an argument of the
/// step's.
fn lay_under(table: &mut Table, answer: &Json, thing: &Thing) {
    let argument = |name: &str| {
        let setting = thing.setting(name)?;
        let text = setting.as_str().map(str::to_owned);
        Some(text.unwrap_or_else(|| setting.to_string()))
    };
    for (key, value) in answer.as_object().into_iter().flatten() {
        if key == "drop" {
            continue;
        }
        let Some(item) = with_arguments(value, thing, &argument) else {
            continue;
        };
        if key == "type" || table.get(key).is_none() {
            table.set(key, item);
        }
    }
}

fn with_arguments(
    value: &Json,
    thing: &Thing,
    argument: &impl Fn(&str) -> Option<String>,
) -> Option<Item> {
    match value {
        Json::String(text) => {
            let whole = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
            let whole = whole.filter(|name| !name.contains("{{"));
            let whole = whole.and_then(|name| thing.setting(name.trim()));
            match whole {
                Some(value) => Item::plain(value),
                None => Some(Item::Text(filled(text, argument))),
            }
        }
        Json::Array(entries) => {
            let entries = entries.iter();
            let items = entries.filter_map(|v| with_arguments(v, thing, argument));
            Some(Item::List(items.collect()))
        }
        Json::Object(entries) => {
            let entries = entries.iter();
            let items =
                entries.filter_map(|(k, v)| Some((k.clone(), with_arguments(v, thing, argument)?)));
            Some(Item::Table(Table(items.collect())))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => Item::plain(value),
    }
}

/// Whether an attribute of an own class says what steps of this kind say by themselves.
fn is_usual(kind: &str, key: &str, value: &Json) -> bool {
    if value.is_null()
        || USUAL_TEXTS.contains(&key) && value.as_object().is_some_and(|o| o.is_empty())
    {
        return true;
    }
    let Some(ours) = Family::Steps.key(Some(kind), key) else {
        return false;
    };
    let (_, flags) = usual_step(kind);
    let usual = flags.iter().find(|(flag, _)| *flag == ours);
    usual.is_some_and(|(_, usual)| value.as_bool() == Some(*usual))
}

/// The address of a branch that a base address has not in its last place.
fn address_with_branch(base: &str, branch: &str) -> String {
    let form = match branch {
        "" => "%(src::branch)s".to_owned(),
        branch => format!("%(src::branch:~{branch})s"),
    };
    let base = base.replace('%', "%%");
    match base.contains("%%%%BRANCH%%%%") {
        true => base.replace("%%%%BRANCH%%%%", &form),
        false => format!("{base}{form}"),
    }
}

/// A mode of a file.
fn file_mode(value: &Json) -> Option<Item> {
    let mode = value.as_u64().and_then(|mode| u32::try_from(mode).ok())?;
    Some(Item::Mode(mode))
}

/// What exit codes mean, in words.
fn exit_codes(value: &Json) -> Option<Item> {
    const RESULTS: [&str; 7] = [
        "success",
        "warnings",
        "failure",
        "skipped",
        "exception",
        "retry",
        "cancelled",
    ];
    let mut table = Table::default();
    for (code, result) in value.as_object()? {
        let result = result.as_u64().and_then(|at| usize::try_from(at).ok());
        if let Some(word) = result.and_then(|at| RESULTS.get(at)) {
            table.set(code, Item::text(*word));
        }
    }
    Some(Item::Table(table))
}

/// `haltOnFailure` as `halt_on_failure`.
pub(super) fn snake(key: &str) -> String {
    let mut snake = String::new();
    for c in key.chars() {
        if c.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
