//! `type = "ForceScheduler"`: the builds that people ask for, with the parameters that they fill in
//! (FRC-01).

mod codebases;
mod parameters;

use serde::Serialize;

use super::kind::SchedulerSettings;
use crate::config::reader::{Table, Value};

pub use self::codebases::ForcedCodebase;
pub(in crate::config) use self::codebases::SHAPE as CODEBASE;
pub(in crate::config) use self::parameters::SHAPE as PARAMETER;
pub use self::parameters::{Parameter, ParameterKind, full_name};

/// Settings of `ForceScheduler`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForceConfig {
    /// Text on the button.
    pub button: String,
    /// Title of the form; empty: the name of the scheduler.
    pub label: String,
    /// The user name, which somebody who has not logged in fills in (FRC-04).
    pub username: Parameter,
    /// The reason that the user fills in.
    pub reason_parameter: Parameter,
    /// What is built: at least one codebase.
    pub codebases: Vec<ForcedCodebase>,
    /// The other parameters, which become properties.
    pub parameters: Vec<Parameter>,
}

/// The keys that only these schedulers have.
pub(super) const KEYS: &[&str] = &[
    "button",
    "label",
    "username",
    "reason_parameter",
    "codebase",
    "branch",
    "revision",
    "repository",
    "project",
    "codebases",
    "parameters",
];

impl Default for ForceConfig {
    fn default() -> Self {
        let text = |name: &str, label: &str| Parameter::text(name, label);
        Self {
            button: "Force build".to_owned(),
            label: String::new(),
            username: Parameter {
                kind: ParameterKind::UserNameParameter { need_email: true },
                ..text("username", "Your name:")
            },
            reason_parameter: Parameter {
                default: Some("force build".into()),
                ..text("reason", "reason")
            },
            codebases: vec![ForcedCodebase::default()],
            parameters: (1..=4)
                .map(|number| Parameter {
                    kind: ParameterKind::AnyPropertyParameter,
                    ..text(&format!("property{number}"), "")
                })
                .collect(),
        }
    }
}

impl SchedulerSettings for ForceConfig {}

impl ForceConfig {
    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        let text = |value: &Value<'_>| value.text().map(str::to_owned);
        table.set("button", &mut self.button, text);
        table.set("label", &mut self.label, text);
        for (key, parameter) in [
            ("username", &mut self.username),
            ("reason_parameter", &mut self.reason_parameter),
        ] {
            let usual = parameter.clone();
            table.set(key, parameter, |value| parameters::read_one(value, &usual));
        }
        let mut names = vec!["username".to_owned(), "reason".to_owned()];
        self.codebases = codebases::read(table, &mut names);
        table.set("parameters", &mut self.parameters, |value| {
            Some(parameters::read_all(value, &mut names))
        });
        if let Some(patch) = self.parameters.iter().find(|p| p.is_patch())
            && self.codebases.len() > 1
        {
            let message = format!("`{}` of {} patches no codebase", patch.name, table.label);
            let help = "write `codebases = { NAME = { patch = true } }` instead";
            table.sink.error(table.span.clone(), message, help);
        }
    }

    /// Whether choices come from commands.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        let sources = self.codebases.iter().map(|codebase| &codebase.source);
        sources.chain(&self.parameters).any(Parameter::has_command)
    }

    /// All parameters in the order of the form; those of groups are in their groups.
    pub fn fields(&self) -> impl Iterator<Item = &Parameter> {
        let own = [&self.username, &self.reason_parameter];
        let sources = self.codebases.iter().flat_map(ForcedCodebase::fields);
        own.into_iter().chain(sources).chain(&self.parameters)
    }
}

/// Reads the text of the reasons of builds, with `%(owner)s` and `%(reason)s`.
pub(super) fn read_reason(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let rest = text.replace("%(owner)s", "").replace("%(reason)s", "");
    if rest.contains("%(") {
        value.error(
            "contains an unknown form",
            "`%(owner)s` is who forces the build, and `%(reason)s` is the reason that was given",
        );
        return None;
    }
    Some(text.to_owned())
}
