//! The settings of steps (IMPORT section 5).

use serde_json::Value as Json;

use super::bundle::Bundle;
use super::desk::{Desk, Got};
use super::dump::Thing;
use super::item::{Item, Table};
use super::questions::{Ask, is_function};
use super::spot::Gap;
use super::values::{is_secret_name, mark, part};
use crate::config::known::{Family, usual_step};

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

/// The settings of a step while they are gathered.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its type.
    pub(super) kind: &'static str,
    /// Its settings.
    pub(super) table: Table,
    /// Why it cannot run yet.
    pub(super) gap: Option<Gap>,
    /// What it extends.
    pub(super) bundle: Option<Bundle>,
}

impl Draft {
    /// Whether an attribute or an argument is a setting of the step itself. What the answer to
    /// its class says goes over what the class has, and under what the step was given.
    fn has(&self, key: &str, is_argument: bool) -> bool {
        let Some(bundle) = &self.bundle else {
            return true;
        };
        let ours = Family::Steps.key(Some(self.kind), key);
        let is_said = ours.is_some_and(|ours| bundle.table.get(ours).is_some());
        !bundle.takes(key) && (is_argument || !is_said)
    }

    fn put(&mut self, key: &str, got: Got) {
        match got {
            Ok(Some(item)) => self.table.set(key, item),
            Ok(None) => {}
            Err(gap) => self.gap = Some(self.gap.unwrap_or(gap)),
        }
    }
}

impl Desk {
    /// Asks for the functions among the settings of a step that is not translated.
    pub(super) fn functions_of(&mut self, thing: &Thing, draft: &mut Draft) {
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

    /// Translates the arguments and attributes of a step.
    pub(super) fn settings(&mut self, thing: &Thing, draft: &mut Draft) {
        let attributes = thing.attributes.iter();
        let attributes = attributes.filter(|(key, value)| {
            !thing.args.contains_key(*key) && !is_usual(draft.kind, key, value)
        });
        let all: Vec<(&String, &Json, bool)> = thing
            .args
            .iter()
            .map(|(key, value)| (key, value, true))
            .chain(attributes.map(|(key, value)| (key, value, false)))
            .filter(|(key, _, is_argument)| draft.has(key, *is_argument))
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
        let of_bundle = draft.bundle.as_ref().and_then(|b| b.table.get("mode"));
        let mode = draft.table.get("mode").or(of_bundle);
        let is_full = mode.and_then(Item::as_text) == Some("full");
        if has_modes && !is_full && draft.table.remove("method").is_some() {
            self.leave_out("`method` of a source step whose `mode` is not full");
        }
        self.own_arguments(thing, draft);
    }

    /// Tells of arguments of the farm's own class that its answer does not mention, and that are
    /// none of Buildbot's class.
    fn own_arguments(&mut self, thing: &Thing, draft: &Draft) {
        let Some(bundle) = &draft.bundle else {
            return;
        };
        for (key, value) in &thing.own {
            let is_known = thing.args.contains_key(key) || bundle.takes(key);
            if !is_known && !value.is_null() {
                self.misses(unmentioned(key, bundle));
            }
        }
    }

    /// An address in the old form: what those of all branches start with, and the default branch.
    fn old_address(&mut self, thing: &Thing, draft: &mut Draft) {
        let Some(Json::String(base)) = thing.args.get("baseURL") else {
            return;
        };
        if !draft.has("baseURL", true) {
            return;
        }
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

    /// An argument that has no setting here.
    fn unknown_argument(&mut self, key: &str, value: &Json, draft: &mut Draft) {
        let what = match &draft.bundle {
            Some(bundle) => unmentioned(key, bundle),
            None => {
                self.functions_in(key, value, draft);
                format!("`{key}` of the step type `{}`", draft.kind)
            }
        };
        if !value.is_null() {
            self.misses(what);
        }
    }

    /// A setting that has no rule of its own.
    fn other(&mut self, key: &str, value: &Json, is_argument: bool, draft: &mut Draft) {
        let Some(ours) = Family::Steps.key(Some(draft.kind), key) else {
            if is_argument && MEANS_NOTHING.contains(&key) {
                self.leave_out(format!("`{key}` of the step type `{}`", draft.kind));
            } else if is_argument {
                self.unknown_argument(key, value, draft);
            }
            return;
        };
        if ours == "set" && draft.table.get("set").is_some() {
            return;
        }
        if ours == "property" && draft.table.get("set").is_some() {
            return;
        }
        let is_plain = ours.ends_with("pattern") || ours == "property";
        let got = if let Some(text) = value.as_str().filter(|_| is_plain) {
            Ok(Some(Item::text(text)))
        } else if mark(value) == Some("regex") {
            Ok(Some(Item::text(part(value, "pattern"))))
        } else {
            self.rendered_or_secret(key, value)
        };
        draft.put(ours, got);
    }

    /// An argument as a named value of its step.
    pub(super) fn argument(&mut self, name: &str, value: &Json) -> Got {
        match name {
            "command" => self.command(value),
            "env" => self.env(value),
            _ => self.rendered_or_secret(name, value),
        }
    }

    fn rendered_or_secret(&mut self, key: &str, value: &Json) -> Got {
        match value.as_str() {
            Some(secret) if is_secret_name(key) && !secret.is_empty() => {
                let file = Item::Text(self.secret(key, secret));
                let table = Table(vec![("secret_file".to_owned(), file)]);
                Ok(Some(Item::Table(table)))
            }
            Some(_) | None => self.rendered(value),
        }
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
}

/// An argument of a step class that its answer should mention.
fn unmentioned(key: &str, bundle: &Bundle) -> String {
    let class = &bundle.class;
    format!(
        "`{key}` of the step class `{class}`: name it in the answer as {{{{ {key} }}}}, or in its \
         `drop`"
    )
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
