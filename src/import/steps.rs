//! Steps (IMPORT section 5).

use serde_json::Value as Json;

use super::bundle::{Bundle, name_for};
use super::desk::{Desk, unused};
use super::dump::{Place, Thing};
use super::item::{Item, Table};
use super::questions::Ask;
use super::settings::Draft;
use super::spot::Gap;
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

/// Bases without a behaviour of their own.
const BASES: [&str; 6] = [
    "BuildStep",
    "LoggingBuildStep",
    "ShellMixin",
    "CommandMixin",
    "ShellBaseStep",
    "BuildStepNewStyle",
];

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
        let bundle = match &answer {
            Ok(Answered::Skip) => return Vec::new(),
            Ok(Answered::Settings(id)) => self.bundles.get(id).cloned(),
            Ok(Answered::Nothing) | Err(_) => None,
        };
        let of_bundle = bundle.as_ref().and_then(Bundle::kind);
        let kind = Family::Steps.kind(of_bundle.unwrap_or(&class));
        let mut draft = Draft {
            kind: kind.unwrap_or("ShellCommand"),
            table: Table::default(),
            gap: None,
            bundle,
        };
        let is_base = BASES.contains(&class.as_str());
        if kind.is_some() || is_base && draft.bundle.is_some() {
            self.settings(thing, &mut draft);
        } else if is_base {
            self.functions_of(thing, &mut draft);
        } else {
            self.functions_of(thing, &mut draft);
            let planned = Family::Steps.planned(&class);
            let advice = planned.map_or_else(String::new, |advice| format!(": {advice}"));
            let with = with_arguments_of(thing);
            draft.gap = Some(self.misses(format!("the step type `{class}`{with}{advice}")));
        }
        if let Err(gap) = answer {
            draft.gap = Some(gap);
        }
        self.extend(thing, &mut draft);
        if let Some(gap) = draft.gap {
            return vec![self.waiting_step(step(draft.table, None), gap)];
        }
        let own_name = match &draft.bundle {
            Some(bundle) if bundle.table.get("name").is_some() => {
                thing.args.contains_key("name") && !bundle.takes("name")
            }
            Some(_) | None => usual_step(draft.kind).0 != name,
        };
        if own_name {
            draft.table.set("name", Item::text(&name));
        }
        vec![step(draft.table, None)]
    }

    /// Has a step extend the bundle of its class, with the arguments that this names (IMP-22).
    fn extend(&mut self, thing: &Thing, draft: &mut Draft) {
        let Some(bundle) = &draft.bundle else {
            draft.table.set("type", Item::text(draft.kind));
            return;
        };
        draft.table.set("extends", Item::text(&bundle.name));
        if bundle.kind().is_none() {
            draft.table.set("type", Item::text(draft.kind));
        }
        let mut names = Table::default();
        for name in bundle.named.clone() {
            // All steps of the class have all names, so that `| default(…)` sees what is not there.
            let none = Item::Form("{{ none }}".to_owned());
            let value = thing.named(&name).filter(|value| !value.is_null());
            match value.map_or(Ok(None), |value| self.argument(&name, value)) {
                Ok(item) => names.set(&name, item.unwrap_or(none)),
                Err(gap) => draft.gap = Some(draft.gap.unwrap_or(gap)),
            }
        }
        if !names.0.is_empty() {
            draft.table.set("let", Item::Table(names));
        }
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
    fn own_class(&mut self, thing: &Thing) -> Result<Answered, Gap> {
        let Some(class) = thing.own_code(false) else {
            return Ok(Answered::Nothing);
        };
        let place = thing.own_place();
        let Some(answer) = self.ask_class(Ask::StepClass, class, place.clone())? else {
            return Ok(Answered::Skip);
        };
        let id = self.questions.id_of_class(class, place);
        if !self.bundles.contains_key(&id) {
            let is_taken = |name: &str| self.bundles.values().any(|b| b.name == name);
            let name = unused(&name_for(&id), is_taken);
            let bundle = Bundle::new(name, class, &answer);
            if let Some(kind) = bundle.kind().filter(|k| Family::Steps.kind(k).is_none()) {
                let wrong = format!("there are no steps of the type `{kind}`");
                self.questions.wrong.insert(id.clone(), wrong);
            }
            self.bundles.insert(id.clone(), bundle);
        }
        if let Some(bundle) = self.bundles.get_mut(&id) {
            bundle.meets(thing.names());
        }
        Ok(Answered::Settings(id))
    }

    /// Tells which answers name arguments that no step has.
    pub(super) fn check_bundles(&mut self) {
        for (id, bundle) in &self.bundles {
            if let Some(mistake) = bundle.mistake() {
                self.questions.wrong.insert(id.clone(), mistake);
            }
        }
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
    /// The bundle of this question stands for its code.
    Settings(String),
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
